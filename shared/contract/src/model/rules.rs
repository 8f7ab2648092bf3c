//! The rules for values that are present.

use serde::Serialize;

use super::string_format::StringFormat;

/// The row rules of a column. `None` and empty lists impose no rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Rules {
    /// Minimum number of characters (Unicode scalar values).
    pub min_length: Option<u64>,
    /// Maximum number of characters (Unicode scalar values).
    pub max_length: Option<u64>,
    /// A regular expression that must match somewhere in the value; anchor it to match the whole.
    pub pattern: Option<String>,
    /// Smallest value: a plain decimal (no exponent) for numbers, otherwise ISO 8601 regardless of the column's `format`. A
    /// timestamp without an offset is in the column's default time zone, and a date alone is its midnight.
    pub minimum: Option<Bound>,
    /// Largest value.
    pub maximum: Option<Bound>,
    /// The value must be a whole multiple of this decimal.
    pub multiple_of: Option<String>,
    /// The only allowed values, compared after harmonising.
    pub allowed: Vec<String>,
    /// The format of a string.
    pub format: Option<StringFormat>,
    /// Minimum number of items of an array.
    pub min_items: Option<u64>,
    /// Maximum number of items of an array.
    pub max_items: Option<u64>,
    /// Whether the items of an array must be unique. Numbers are compared by value, objects regardless of the order of
    /// their keys.
    pub unique_items: bool,
    /// Minimum number of members of an object.
    pub min_properties: Option<u64>,
    /// Maximum number of members of an object.
    pub max_properties: Option<u64>,
    /// Keys of the producer's document that an object must have, even if their values are null.
    pub required_properties: Vec<String>,
}

/// One end of an interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// The literal.
    pub value: String,
    /// Whether the value itself is excluded (`exclusiveMinimum`, `exclusiveMaximum`).
    pub exclusive: bool,
}
