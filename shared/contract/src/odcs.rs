//! The keys of the Open Data Contract Standard v3.1.0, transcribed from its JSON schema
//! (<https://github.com/bitol-io/open-data-contract-standard>, `schema/odcs-json-schema-v3.1.0.json`).

mod servers;

use crate::custom::Level;
use crate::error::{mend, one_of, quoted};
use crate::shape::Kind::{
    self, Any, Bool, Check, Custom, Id, Int, List, Map, MapOrList, Number, Object, ObjectRelationship,
    Property, PropertyRelationship, Range, Reference, Scalar, Servers, Str, StrOrObject, Word,
};
use crate::shape::{Open, Shape, Words};
pub(crate) use servers::{SERVER, server};

/// Versions of the standard that are read.
pub(crate) const API_VERSIONS: [&str; 4] = ["v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0"];

const STRINGS: Kind = List(&Str);
const AUTHORITATIVE_DEFINITIONS: Kind = List(&Map(&AUTHORITATIVE_DEFINITION));
const OTHER_CUSTOM: Kind = Custom(Level::Elsewhere);

/// The root of a contract.
pub(crate) static CONTRACT: Shape = Shape::of(&[
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

static DESCRIPTION: Shape = Shape::of(&[
    ("usage", Str),
    ("purpose", Str),
    ("limitations", Str),
    ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
    ("customProperties", OTHER_CUSTOM),
])
.open(Open::Always);

static ELEMENT: Shape = Shape::of(&[
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

static ENTITY: Shape = Shape::of(&[
    ("dataGranularityDescription", Str),
    ("logicalType", Word(&OBJECTS)),
    ("relationships", List(&ObjectRelationship)),
    ("properties", List(&Property(&PROPERTY))),
    ("customProperties", Custom(Level::Contract)),
])
.also(&ELEMENT)
.requires(&["name"]);

/// A column.
pub(crate) static PROPERTY: Shape =
    Shape::of(&[("customProperties", Custom(Level::Property))]).also(&BASE_PROPERTY).requires(&["name"]);

/// A member of an object. Penstock's custom properties are about columns: none of them has an effect here.
static MEMBER: Shape =
    Shape::of(&[("customProperties", OTHER_CUSTOM)]).also(&BASE_PROPERTY).requires(&["name"]);

/// The items of an array.
static NESTED: Shape = Shape::of(&[("customProperties", OTHER_CUSTOM)]).also(&BASE_PROPERTY);

static BASE_PROPERTY: Shape = Shape::of(&[
    ("logicalType", Any),
    ("relationships", List(&PropertyRelationship)),
    ("primaryKey", Bool),
    ("primaryKeyPosition", Int),
    // Its keys depend on the logical type.
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

/// A check with the keys of all types.
pub(crate) static QUALITY: Shape = Shape::of(&[
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
    // v3.0 had it beside the rule.
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
.open(Open::InV3_0);

pub(crate) static RELATIONSHIP: Shape = Shape::of(&[
    ("type", Word(&RELATIONS)),
    ("from", Reference),
    ("to", Reference),
    ("customProperties", OTHER_CUSTOM),
]);

static AUTHORITATIVE_DEFINITION: Shape =
    Shape::of(&[("id", Id), ("url", Str), ("type", Str), ("description", Str)])
        .requires(&["url", "type"])
        .open(Open::InV3_0);

/// One member of a `customProperties` list.
pub(crate) static CUSTOM_PROPERTY: Shape =
    Shape::of(&[("id", Id), ("property", Str), ("value", Any), ("description", Str)])
        .requires_since_v3_1(&["property", "value"])
        .open(Open::InV3_0);

static SUPPORT: Shape = Shape::of(&[
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
.open(Open::InV3_0);

static PRICE: Shape =
    Shape::of(&[("id", Id), ("priceAmount", Number), ("priceCurrency", Str), ("priceUnit", Str)])
        .open(Open::InV3_0);

static TEAM: Shape = Shape::of(&[
    ("id", Id),
    ("name", Str),
    ("description", Str),
    ("members", List(&Map(&TEAM_MEMBER))),
    ("tags", STRINGS),
    ("customProperties", OTHER_CUSTOM),
    ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
]);

static TEAM_MEMBER: Shape = Shape::of(&[
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
.open(Open::InV3_0);

static ROLE: Shape = Shape::of(&[
    ("id", Id),
    ("role", Str),
    ("description", Str),
    ("access", Str),
    ("firstLevelApprovers", Str),
    ("secondLevelApprovers", Str),
    ("customProperties", OTHER_CUSTOM),
])
.requires(&["role"])
.open(Open::InV3_0);

static SLA: Shape = Shape::of(&[
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
.open(Open::InV3_0);

/// The keys of `logicalTypeOptions` by logical type.
mod options {
    use super::{INTEGER_FORMATS, NUMBER_FORMATS};
    use crate::shape::Kind::{self, Bool, Bound, Count, Names, Number, Positive, Str, Word};
    use crate::shape::Shape;

    const TEMPORAL: &[(&str, Kind)] = &[
        ("format", Str),
        ("minimum", Str),
        ("maximum", Str),
        ("exclusiveMinimum", Bound(&Str)),
        ("exclusiveMaximum", Bound(&Str)),
    ];

    pub(super) static STRING: Shape =
        Shape::of(&[("minLength", Count), ("maxLength", Count), ("pattern", Str), ("format", Str)]);
    static BOUNDS: Shape = Shape::of(&[
        ("minimum", Number),
        ("maximum", Number),
        ("exclusiveMinimum", Bound(&Number)),
        ("exclusiveMaximum", Bound(&Number)),
        ("multipleOf", Positive),
    ]);
    pub(super) static INTEGER: Shape = Shape::of(&[("format", Word(&INTEGER_FORMATS))]).also(&BOUNDS);
    pub(super) static NUMBER: Shape = Shape::of(&[("format", Word(&NUMBER_FORMATS))]).also(&BOUNDS);
    pub(super) static DATE: Shape = Shape::of(TEMPORAL);
    pub(super) static TIMESTAMP: Shape =
        Shape::of(&[("timezone", Bool), ("defaultTimezone", Str)]).also(&DATE);
    pub(super) static OBJECT: Shape =
        Shape::of(&[("minProperties", Count), ("maxProperties", Count), ("required", Names)]);
    pub(super) static ARRAY: Shape =
        Shape::of(&[("minItems", Count), ("maxItems", Count), ("uniqueItems", Bool)]);
}

/// The shape of `logicalTypeOptions` beside this `logicalType`; `None` where the standard leaves it open.
pub(crate) fn options(logical: &str) -> Option<&'static Shape> {
    Some(match logical {
        "string" => &options::STRING,
        "integer" => &options::INTEGER,
        "number" => &options::NUMBER,
        "date" => &options::DATE,
        "timestamp" | "time" => &options::TIMESTAMP,
        "object" => &options::OBJECT,
        "array" => &options::ARRAY,
        _ => return None,
    })
}

pub(crate) static API: Words = Words {
    what: "a version of ODCS",
    words: &["v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0", "v3.2.0", "v2.2.2", "v2.2.1", "v2.2.0"],
};
static DOCUMENTS: Words = Words { what: "a kind of document", words: &["DataContract"] };
static OBJECTS: Words = Words { what: "a type of object", words: &["object"] };
static RELATIONS: Words = Words { what: "a type of relationship", words: &["foreignKey"] };
static DIMENSIONS: Words = Words {
    what: "a dimension of quality",
    words: &["accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"],
};
pub(crate) static CHECKS: Words =
    Words { what: "a type of check", words: &["library", "text", "sql", "custom"] };
pub(crate) static METRICS: Words = Words {
    what: "a metric",
    words: &["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"],
};
pub(crate) static INTEGER_FORMATS: Words = Words {
    what: "a format of integer",
    words: &["i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128"],
};
pub(crate) static NUMBER_FORMATS: Words = Words { what: "a format of number", words: &["f32", "f64"] };
const LOGICAL_TYPES: [&str; 9] =
    ["string", "integer", "number", "boolean", "date", "timestamp", "time", "object", "array"];
/// The keys of a check that say what a count must be.
pub(crate) const OPERATORS: [&str; 8] = [
    "mustBe",
    "mustNotBe",
    "mustBeGreaterThan",
    "mustBeGreaterOrEqualTo",
    "mustBeLessThan",
    "mustBeLessOrEqualTo",
    "mustBeBetween",
    "mustNotBeBetween",
];

/// How v3.1 spells an enumeration.
pub(crate) const ENUM_MEND: &str = "in v3.1 the values allowed are written as \
    `quality: [{metric: invalidValues, arguments: {validValues: [A, B]}, mustBe: 0}]`";
pub(crate) const ARRAY_HAS_ITEMS: &str =
    "an array has `items`; the properties of an item go into `items.properties`";
pub(crate) const ITEMS_OF_ARRAY: &str = "items are of an array; write `properties`, or `logicalType: array`";
pub(crate) const VALUES_BESIDE_METRIC: &str = "is given beside the metric; v3.1 has it under `arguments`";

pub(crate) const NO_OPERATOR: &str = "does not say what the count must be; add `mustBe: 0`";
pub(crate) const SECOND_OPERATOR: &str =
    "a second operator; the standard has one a check: write two checks, or `mustBeBetween`";
pub(crate) const RANGE_ORDER: &str = "the first number must be below the second";
pub(crate) const BOUND_OF_V3_1: &str = "in v3.1 this is the bound itself, not a boolean";
/// Names that v3.0 and the tools of its time have for metrics, under `rule`.
const RULES: [(&str, &str); 6] = [
    ("nullCheck", "nullValues"),
    ("nullCount", "nullValues"),
    ("missingCount", "missingValues"),
    ("validValues", "invalidValues"),
    ("duplicateCount", "duplicateValues"),
    ("countCheck", "rowCount"),
];

/// The metric that a rule of v3.0 counts.
pub(crate) fn metric_of_rule(rule: &str) -> Option<&'static str> {
    let metric = METRICS.words.iter().find(|metric| **metric == rule).copied();
    metric.or_else(|| RULES.iter().find(|(name, _)| *name == rule).map(|(_, metric)| *metric))
}

/// The names of all rules.
pub(crate) fn rules() -> impl Iterator<Item = &'static str> {
    METRICS.words.iter().copied().chain(RULES.iter().map(|(name, _)| *name))
}

/// Why a property of another type cannot have the members of a type.
pub(crate) fn members_of(wanted: &str) -> String {
    format!("is of an {wanted}; write `logicalType: {wanted}`")
}

/// Why `text` is no logical type; `None` for one that is.
pub(crate) fn logical_type_fault(text: &str) -> Option<String> {
    if LOGICAL_TYPES.contains(&text) {
        return None;
    }
    let near = match text.to_ascii_lowercase().as_str() {
        "text" | "varchar" | "str" => "; did you mean `string`?".to_owned(),
        "datetime" | "timestamptz" => "; did you mean `timestamp`?".to_owned(),
        "decimal" | "numeric" | "float" | "double" => "; did you mean `number`?".to_owned(),
        "int" | "bigint" | "long" => "; did you mean `integer`?".to_owned(),
        "bool" => "; did you mean `boolean`?".to_owned(),
        _ => mend(text, &LOGICAL_TYPES),
    };
    Some(format!("{} is not a type that is supported{near}", quoted(text)))
}

/// Why `rule` is refused in a contract of v3.1.
pub(crate) fn rule_fault(metric: Option<&str>) -> String {
    match metric {
        Some(metric) => format!("is of v3.0; write `metric: {metric}`"),
        None => format!("is of v3.0; write `metric`, {}", one_of(METRICS.words)),
    }
}

/// Why the ends of a range are refused.
pub(crate) fn range_fault(numbers: usize) -> String {
    format!("has {numbers} numbers; write two, the smaller first")
}
