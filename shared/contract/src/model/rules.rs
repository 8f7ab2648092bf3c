//! What a present value must satisfy.

use serde::Serialize;

use super::StringFormat;

/// The row rules of one column. A `None` or an empty list asks for nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Rules {
    /// Fewest characters (Unicode scalar values).
    pub min_length: Option<u64>,
    /// Most characters (Unicode scalar values).
    pub max_length: Option<u64>,
    /// A regular expression that must match somewhere in the value; anchor it to match the whole.
    pub pattern: Option<String>,
    /// Smallest value: a plain decimal (no exponent) for numbers, else ISO 8601 whatever the column's `format`;
    /// a timestamp without an offset is in the column's default time zone, a date alone its midnight.
    pub minimum: Option<Bound>,
    /// Largest value.
    pub maximum: Option<Bound>,
    /// The value must be a whole multiple of this decimal.
    pub multiple_of: Option<String>,
    /// The only values allowed, compared after harmonising.
    pub allowed: Vec<String>,
    /// What a string must be the text of.
    pub format: Option<StringFormat>,
    /// Fewest items of an array.
    pub min_items: Option<u64>,
    /// Most items of an array.
    pub max_items: Option<u64>,
    /// No item of an array may stand in it twice. Numbers are equal by value, objects whatever the order of their keys.
    pub unique_items: bool,
    /// Fewest members of an object.
    pub min_properties: Option<u64>,
    /// Most members of an object.
    pub max_properties: Option<u64>,
    /// Keys of the producer's document that an object must have, null or not.
    pub required_properties: Vec<String>,
}

/// One end of an interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bound {
    /// The literal.
    pub value: String,
    /// True when the value itself is outside (`exclusiveMinimum`, `exclusiveMaximum`).
    pub exclusive: bool,
}
