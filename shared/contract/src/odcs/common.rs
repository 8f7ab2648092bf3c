//! Shapes that occur in several parts of a contract.

use crate::custom::Level;
use crate::shape::ValueKind::{self, Custom, Id, List, Map, Str};
use crate::shape::{AdditionalKeys, MappingShape};

pub(super) const AUTHORITATIVE_DEFINITIONS: ValueKind = List(&Map(&AUTHORITATIVE_DEFINITION));
pub(super) const OTHER_CUSTOM: ValueKind = Custom(Level::Elsewhere);
pub(super) const STRINGS: ValueKind = List(&Str);

pub(super) static AUTHORITATIVE_DEFINITION: MappingShape =
    MappingShape::of(&[("id", Id), ("url", Str), ("type", Str), ("description", Str)])
        .requires(&["url", "type"])
        .open(AdditionalKeys::InV3_0);

pub(super) static ROLE: MappingShape = MappingShape::of(&[
    ("id", Id),
    ("role", Str),
    ("description", Str),
    ("access", Str),
    ("firstLevelApprovers", Str),
    ("secondLevelApprovers", Str),
    ("customProperties", OTHER_CUSTOM),
])
.requires(&["role"])
.open(AdditionalKeys::InV3_0);
