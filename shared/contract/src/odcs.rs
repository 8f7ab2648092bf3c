//! The keys of the Open Data Contract Standard v3.1.0, transcribed from its JSON schema
//! (<https://github.com/bitol-io/open-data-contract-standard>, `schema/odcs-json-schema-v3.1.0.json`).

mod common;
mod messages;
mod options;
mod servers;
mod words;

use crate::custom::Level;
use crate::shape::ValueKind::{
    Any, Bool, Check, Custom, Id, Int, List, Map, MapOrList, Number, Object, ObjectRelationship, Property,
    PropertyRelationship, Range, Reference, Scalar, Servers, Str, StrOrObject, Word,
};
use crate::shape::{AdditionalKeys, MappingShape};
use common::{AUTHORITATIVE_DEFINITIONS, OTHER_CUSTOM, ROLE, STRINGS};
pub(crate) use messages::{
    ARRAY_HAS_ITEMS, BOUND_OF_V3_1, ENUM_FIX, ITEMS_OF_ARRAY, NO_OPERATOR, RANGE_ORDER, SECOND_OPERATOR,
    VALUES_WITH_METRIC, logical_type_fault, members_of, range_fault, rule_fault,
};
pub(crate) use options::options;
pub(crate) use servers::{SERVER, server};
pub(crate) use words::{
    API, CHECKS, INTEGER_FORMATS, METRICS, NUMBER_FORMATS, OPERATORS, metric_of_rule, rules,
};
use words::{DIMENSIONS, DOCUMENTS, OBJECTS, RELATIONS};

/// The versions of the standard that Penstock supports.
pub(crate) const API_VERSIONS: [&str; 4] = ["v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0"];

/// The root of a contract.
pub(crate) static CONTRACT: MappingShape = MappingShape::of(&[
    ("version", Str),
    ("kind", Word(&DOCUMENTS)),
    ("apiVersion", Word(&API)),
    ("id", Str),
    ("name", Str),
    ("tenant", Str),
    ("tags", STRINGS),
    ("status", Str),
    ("servers", Servers),
    ("dataProduct", Str),
    ("description", Map(&DESCRIPTION)),
    ("domain", Str),
    ("schema", List(&Map(&ENTITY))),
    ("support", List(&Map(&SUPPORT))),
    ("price", Map(&PRICE)),
    ("team", MapOrList(&TEAM, &TEAM_MEMBER)),
    ("roles", List(&Map(&ROLE))),
    ("slaDefaultElement", Str),
    ("slaProperties", List(&Map(&SLA))),
    ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
    ("customProperties", Custom(Level::Contract)),
    ("contractCreatedTs", Str),
])
.requires(&["apiVersion", "kind", "id", "version", "status"]);

static DESCRIPTION: MappingShape = MappingShape::of(&[
    ("usage", Str),
    ("purpose", Str),
    ("limitations", Str),
    ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
    ("customProperties", OTHER_CUSTOM),
])
.open(AdditionalKeys::Always);

static ELEMENT: MappingShape = MappingShape::of(&[
    ("id", Id),
    ("name", Str),
    ("physicalType", Str),
    ("physicalName", Str),
    ("description", Str),
    ("businessName", Str),
    ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
    ("tags", STRINGS),
    ("quality", List(&Check)),
]);

static ENTITY: MappingShape = MappingShape::of(&[
    ("dataGranularityDescription", Str),
    ("logicalType", Word(&OBJECTS)),
    ("relationships", List(&ObjectRelationship)),
    ("properties", List(&Property(&PROPERTY))),
    ("customProperties", Custom(Level::Contract)),
])
.also(&ELEMENT)
.requires(&["name"]);

/// A property of an object, i.e. a column.
pub(crate) static PROPERTY: MappingShape = MappingShape::of(&[("customProperties", Custom(Level::Property))])
    .also(&BASE_PROPERTY)
    .requires(&["name"]);

/// A member of an object. Penstock's custom properties apply to columns only, and have no effect here.
static MEMBER: MappingShape =
    MappingShape::of(&[("customProperties", OTHER_CUSTOM)]).also(&BASE_PROPERTY).requires(&["name"]);

/// The items of an array.
static NESTED: MappingShape = MappingShape::of(&[("customProperties", OTHER_CUSTOM)]).also(&BASE_PROPERTY);

static BASE_PROPERTY: MappingShape = MappingShape::of(&[
    ("logicalType", Any),
    ("relationships", List(&PropertyRelationship)),
    ("primaryKey", Bool),
    ("primaryKeyPosition", Int),
    // The keys depend on the logical type.
    ("logicalTypeOptions", Object),
    ("required", Bool),
    ("unique", Bool),
    ("partitioned", Bool),
    ("partitionKeyPosition", Int),
    ("classification", Str),
    ("encryptedName", Str),
    ("transformSourceObjects", STRINGS),
    ("transformLogic", Str),
    ("transformDescription", Str),
    ("examples", List(&Any)),
    ("criticalDataElement", Bool),
    ("properties", List(&Property(&MEMBER))),
    ("items", Property(&NESTED)),
])
.also(&ELEMENT);

/// A quality check, with the keys of all types.
pub(crate) static QUALITY: MappingShape = MappingShape::of(&[
    ("id", Id),
    ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
    ("businessImpact", Str),
    ("customProperties", OTHER_CUSTOM),
    ("description", Str),
    ("dimension", Word(&DIMENSIONS)),
    ("method", Str),
    ("name", Str),
    ("schedule", Str),
    ("scheduler", Str),
    ("severity", Str),
    ("tags", STRINGS),
    ("type", Word(&CHECKS)),
    ("unit", Str),
    ("metric", Word(&METRICS)),
    ("rule", Str),
    ("arguments", Object),
    ("query", Str),
    ("engine", Str),
    ("implementation", StrOrObject),
    // v3.0 has it next to the rule.
    ("validValues", List(&Any)),
    ("mustBe", Any),
    ("mustNotBe", Any),
    ("mustBeGreaterThan", Number),
    ("mustBeGreaterOrEqualTo", Number),
    ("mustBeLessThan", Number),
    ("mustBeLessOrEqualTo", Number),
    ("mustBeBetween", Range),
    ("mustNotBeBetween", Range),
])
.open(AdditionalKeys::InV3_0);

pub(crate) static RELATIONSHIP: MappingShape = MappingShape::of(&[
    ("type", Word(&RELATIONS)),
    ("from", Reference),
    ("to", Reference),
    ("customProperties", OTHER_CUSTOM),
]);

/// An entry of a `customProperties` list.
pub(crate) static CUSTOM_PROPERTY: MappingShape =
    MappingShape::of(&[("id", Id), ("property", Str), ("value", Any), ("description", Str)])
        .requires_since_v3_1(&["property", "value"])
        .open(AdditionalKeys::InV3_0);

static SUPPORT: MappingShape = MappingShape::of(&[
    ("id", Id),
    ("channel", Str),
    ("url", Str),
    ("description", Str),
    ("tool", Str),
    ("scope", Str),
    ("invitationUrl", Str),
    ("customProperties", OTHER_CUSTOM),
])
.requires(&["channel"])
.open(AdditionalKeys::InV3_0);

static PRICE: MappingShape =
    MappingShape::of(&[("id", Id), ("priceAmount", Number), ("priceCurrency", Str), ("priceUnit", Str)])
        .open(AdditionalKeys::InV3_0);

static TEAM: MappingShape = MappingShape::of(&[
    ("id", Id),
    ("name", Str),
    ("description", Str),
    ("members", List(&Map(&TEAM_MEMBER))),
    ("tags", STRINGS),
    ("customProperties", OTHER_CUSTOM),
    ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
]);

static TEAM_MEMBER: MappingShape = MappingShape::of(&[
    ("id", Id),
    ("username", Str),
    ("name", Str),
    ("description", Str),
    ("role", Str),
    ("dateIn", Str),
    ("dateOut", Str),
    ("replacedByUsername", Str),
    ("tags", STRINGS),
    ("customProperties", OTHER_CUSTOM),
    ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
])
.requires_since_v3_1(&["username"])
.open(AdditionalKeys::InV3_0);

static SLA: MappingShape = MappingShape::of(&[
    ("id", Id),
    ("property", Str),
    ("value", Scalar),
    ("valueExt", Scalar),
    ("unit", Str),
    ("element", Str),
    ("driver", Str),
    ("description", Str),
    ("scheduler", Str),
    ("schedule", Str),
])
.requires(&["property", "value"])
.open(AdditionalKeys::InV3_0);
