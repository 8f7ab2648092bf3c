//! The keys of `logicalTypeOptions` by logical type.

use super::words::{INTEGER_FORMATS, NUMBER_FORMATS};
use crate::logical_name::LogicalName;
use crate::shape::MappingShape;
use crate::shape::ValueKind::{self, Bool, Bound, Count, Names, Number, Positive, Str, Word};

/// Returns the keys of `logicalTypeOptions` for a logical type, or `None` if the standard does not restrict them.
pub(crate) fn options(logical: LogicalName) -> Option<&'static MappingShape> {
    match logical {
        LogicalName::String => Some(&STRING),
        LogicalName::Integer => Some(&INTEGER),
        LogicalName::Number => Some(&NUMBER),
        LogicalName::Boolean => None,
        LogicalName::Date => Some(&DATE),
        LogicalName::Timestamp | LogicalName::Time => Some(&TIMESTAMP),
        LogicalName::Object => Some(&OBJECT),
        LogicalName::Array => Some(&ARRAY),
    }
}

const TEMPORAL: &[(&str, ValueKind)] = &[
    ("format", Str),
    ("minimum", Str),
    ("maximum", Str),
    ("exclusiveMinimum", Bound(&Str)),
    ("exclusiveMaximum", Bound(&Str)),
];

static STRING: MappingShape =
    MappingShape::of(&[("minLength", Count), ("maxLength", Count), ("pattern", Str), ("format", Str)]);
static BOUNDS: MappingShape = MappingShape::of(&[
    ("minimum", Number),
    ("maximum", Number),
    ("exclusiveMinimum", Bound(&Number)),
    ("exclusiveMaximum", Bound(&Number)),
    ("multipleOf", Positive),
]);
static INTEGER: MappingShape = MappingShape::of(&[("format", Word(&INTEGER_FORMATS))]).also(&BOUNDS);
static NUMBER: MappingShape = MappingShape::of(&[("format", Word(&NUMBER_FORMATS))]).also(&BOUNDS);
static DATE: MappingShape = MappingShape::of(TEMPORAL);
static TIMESTAMP: MappingShape =
    MappingShape::of(&[("timezone", Bool), ("defaultTimezone", Str)]).also(&DATE);
static OBJECT: MappingShape =
    MappingShape::of(&[("minProperties", Count), ("maxProperties", Count), ("required", Names)]);
static ARRAY: MappingShape =
    MappingShape::of(&[("minItems", Count), ("maxItems", Count), ("uniqueItems", Bool)]);
