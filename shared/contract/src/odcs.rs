//! The keys of the Open Data Contract Standard v3.1.0, transcribed from its JSON schema
//! (<https://github.com/bitol-io/open-data-contract-standard>, `schema/odcs-json-schema-v3.1.0.json`).

use crate::custom::Level;
use crate::shape::Kind::{self, Any, Bool, Custom, Int, List, Map, MapOrList, Number, Scalar, Servers, Str};
use crate::shape::Shape;

/// Versions of the standard that are read.
pub(crate) const API_VERSIONS: [&str; 4] = ["v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0"];

const STRINGS: Kind = List(&Str);
const AUTHORITATIVE_DEFINITIONS: Kind = List(&Map(&AUTHORITATIVE_DEFINITION));
const OTHER_CUSTOM: Kind = Custom(Level::Elsewhere);

/// The root of a contract.
pub(crate) static CONTRACT: Shape = Shape {
    keys: &[
        ("version", Str),
        ("kind", Str),
        ("apiVersion", Str),
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
    ],
    also: None,
    required: &["apiVersion", "kind", "id", "version", "status"],
};

static DESCRIPTION: Shape = Shape {
    keys: &[
        ("usage", Str),
        ("purpose", Str),
        ("limitations", Str),
        ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
        ("customProperties", OTHER_CUSTOM),
    ],
    also: None,
    required: &[],
};

static ELEMENT: Shape = Shape {
    keys: &[
        ("id", Str),
        ("name", Str),
        ("physicalType", Str),
        ("physicalName", Str),
        ("description", Str),
        ("businessName", Str),
        ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
        ("tags", STRINGS),
        ("quality", List(&Map(&QUALITY))),
        ("relationships", List(&Map(&RELATIONSHIP))),
        ("logicalType", Str),
    ],
    also: None,
    required: &[],
};

static ENTITY: Shape = Shape {
    keys: &[
        ("dataGranularityDescription", Str),
        ("properties", List(&Map(&PROPERTY))),
        ("customProperties", Custom(Level::Contract)),
    ],
    also: Some(&ELEMENT),
    required: &["name"],
};

/// A column.
static PROPERTY: Shape = Shape {
    keys: &[("customProperties", Custom(Level::Property))],
    also: Some(&BASE_PROPERTY),
    required: &[],
};

/// A property in another one. Penstock's custom properties are about columns: none of them has an effect here.
static NESTED: Shape =
    Shape { keys: &[("customProperties", OTHER_CUSTOM)], also: Some(&BASE_PROPERTY), required: &[] };

static BASE_PROPERTY: Shape = Shape {
    keys: &[
        ("primaryKey", Bool),
        ("primaryKeyPosition", Int),
        // Its keys depend on the logical type; `options` checks them.
        ("logicalTypeOptions", Any),
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
        ("properties", List(&Map(&NESTED))),
        ("items", Map(&NESTED)),
    ],
    also: Some(&ELEMENT),
    required: &[],
};

static QUALITY: Shape = Shape {
    keys: &[
        ("id", Str),
        ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
        ("businessImpact", Str),
        ("customProperties", OTHER_CUSTOM),
        ("description", Str),
        ("dimension", Str),
        ("method", Str),
        ("name", Str),
        ("schedule", Str),
        ("scheduler", Str),
        ("severity", Str),
        ("tags", STRINGS),
        ("type", Str),
        ("unit", Str),
        ("metric", Str),
        ("rule", Str),
        ("arguments", Any),
        ("query", Str),
        ("engine", Str),
        ("implementation", Any),
        // v3.0 had it beside the rule.
        ("validValues", List(&Any)),
        ("mustBe", Any),
        ("mustNotBe", Any),
        ("mustBeGreaterThan", Number),
        ("mustBeGreaterOrEqualTo", Number),
        ("mustBeLessThan", Number),
        ("mustBeLessOrEqualTo", Number),
        ("mustBeBetween", List(&Number)),
        ("mustNotBeBetween", List(&Number)),
    ],
    also: None,
    required: &[],
};

static RELATIONSHIP: Shape = Shape {
    keys: &[("type", Str), ("from", Any), ("to", Any), ("customProperties", OTHER_CUSTOM)],
    also: None,
    required: &[],
};

static AUTHORITATIVE_DEFINITION: Shape = Shape {
    keys: &[("id", Str), ("url", Str), ("type", Str), ("description", Str)],
    also: None,
    required: &["url", "type"],
};

/// One member of a `customProperties` list.
pub(crate) static CUSTOM_PROPERTY: Shape = Shape {
    keys: &[("id", Str), ("property", Str), ("value", Any), ("description", Str)],
    also: None,
    required: &["property", "value"],
};

static SUPPORT: Shape = Shape {
    keys: &[
        ("id", Str),
        ("channel", Str),
        ("url", Str),
        ("description", Str),
        ("tool", Str),
        ("scope", Str),
        ("invitationUrl", Str),
        ("customProperties", OTHER_CUSTOM),
    ],
    also: None,
    required: &["channel"],
};

static PRICE: Shape = Shape {
    keys: &[("id", Str), ("priceAmount", Number), ("priceCurrency", Str), ("priceUnit", Str)],
    also: None,
    required: &[],
};

static TEAM: Shape = Shape {
    keys: &[
        ("id", Str),
        ("name", Str),
        ("description", Str),
        ("members", List(&Map(&TEAM_MEMBER))),
        ("tags", STRINGS),
        ("customProperties", OTHER_CUSTOM),
        ("authoritativeDefinitions", AUTHORITATIVE_DEFINITIONS),
    ],
    also: None,
    required: &[],
};

static TEAM_MEMBER: Shape = Shape {
    keys: &[
        ("id", Str),
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
    ],
    also: None,
    required: &["username"],
};

static ROLE: Shape = Shape {
    keys: &[
        ("id", Str),
        ("role", Str),
        ("description", Str),
        ("access", Str),
        ("firstLevelApprovers", Str),
        ("secondLevelApprovers", Str),
        ("customProperties", OTHER_CUSTOM),
    ],
    also: None,
    required: &["role"],
};

static SLA: Shape = Shape {
    keys: &[
        ("id", Str),
        ("property", Str),
        ("value", Scalar),
        ("valueExt", Scalar),
        ("unit", Str),
        ("element", Str),
        ("driver", Str),
        ("description", Str),
        ("scheduler", Str),
        ("schedule", Str),
    ],
    also: None,
    required: &["property", "value"],
};

static SERVER: Shape = Shape {
    keys: &[
        ("id", Str),
        ("server", Str),
        ("type", Str),
        ("description", Str),
        ("environment", Str),
        ("roles", List(&Map(&ROLE))),
        ("customProperties", Custom(Level::Server)),
    ],
    also: None,
    required: &[],
};

static S3_SERVER: Shape = Shape {
    keys: &[("location", Str), ("endpointUrl", Str), ("format", Str), ("delimiter", Str)],
    also: Some(&SERVER),
    required: &["server", "type", "location"],
};

/// Any other server: the keys of all of them, as Penstock reads none.
static OTHER_SERVER: Shape = Shape {
    keys: &[
        ("account", Str),
        ("catalog", Str),
        ("database", Str),
        ("dataset", Str),
        ("delimiter", Str),
        ("endpointUrl", Str),
        ("format", Str),
        ("host", Str),
        ("location", Str),
        ("path", Str),
        ("port", Int),
        ("project", Str),
        ("region", Str),
        ("regionName", Str),
        ("schema", Str),
        ("serviceName", Str),
        ("stagingDir", Str),
        ("warehouse", Str),
        ("stream", Str),
    ],
    also: Some(&SERVER),
    required: &["server", "type"],
};

/// The keys of a server of this type.
pub(crate) fn server(kind: Option<&str>) -> &'static Shape {
    if kind == Some("s3") { &S3_SERVER } else { &OTHER_SERVER }
}

/// The keys of `logicalTypeOptions` by logical type.
pub(crate) mod options {
    use super::{Any, Bool, Int, Kind, Number, Shape, Str};

    const TEMPORAL: &[(&str, Kind)] = &[
        ("format", Str),
        ("minimum", Str),
        ("maximum", Str),
        // A boolean in v3.0.
        ("exclusiveMinimum", Any),
        ("exclusiveMaximum", Any),
    ];

    const fn shape(keys: &'static [(&'static str, Kind)]) -> Shape {
        Shape { keys, also: None, required: &[] }
    }

    pub(crate) static STRING: Shape =
        shape(&[("minLength", Int), ("maxLength", Int), ("pattern", Str), ("format", Str)]);
    pub(crate) static NUMBER: Shape = shape(&[
        ("minimum", Number),
        ("maximum", Number),
        ("exclusiveMinimum", Any),
        ("exclusiveMaximum", Any),
        ("multipleOf", Number),
        ("format", Str),
    ]);
    pub(crate) static DATE: Shape = shape(TEMPORAL);
    /// Of times of day, too.
    pub(crate) static TIMESTAMP: Shape =
        Shape { keys: &[("timezone", Bool), ("defaultTimezone", Str)], also: Some(&DATE), required: &[] };
    pub(crate) static OBJECT: Shape =
        shape(&[("minProperties", Int), ("maxProperties", Int), ("required", super::STRINGS)]);
    pub(crate) static ARRAY: Shape = shape(&[("minItems", Int), ("maxItems", Int), ("uniqueItems", Bool)]);
    pub(crate) static BOOLEAN: Shape = shape(&[]);
}
