//! Messages about errors that both the validation and the readers find. With the same text, an error is reported once.

use super::words::{LOGICAL_TYPES, METRICS};
use crate::error::{one_of, quoted, suggestion};

/// The form of an enumeration in v3.1.
pub(crate) const ENUM_FIX: &str = "in v3.1, allowed values are written as \
    `quality: [{metric: invalidValues, arguments: {validValues: [A, B]}, mustBe: 0}]`";
pub(crate) const ARRAY_HAS_ITEMS: &str =
    "an array has `items`; write the properties of an item under `items.properties`";
pub(crate) const ITEMS_OF_ARRAY: &str = "belongs to an array; write `properties`, or `logicalType: array`";
pub(crate) const VALUES_WITH_METRIC: &str = "must be under `arguments` in v3.1";
pub(crate) const NO_OPERATOR: &str = "has no condition for the count; add one, e.g. `mustBe: 0`";
pub(crate) const SECOND_OPERATOR: &str =
    "second operator; a check has one: write two checks, or `mustBeBetween`";
pub(crate) const RANGE_ORDER: &str = "the first number must be less than the second";
pub(crate) const BOUND_OF_V3_1: &str = "in v3.1 this is the bound itself, not a boolean";

/// Returns the reason why a property of another type cannot have the members of the type `wanted`.
pub(crate) fn members_of(wanted: &str) -> String {
    format!("belongs to an {wanted}; write `logicalType: {wanted}`")
}

/// Returns the reason why `text` is not a logical type, or `None` if it is one.
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
        _ => suggestion(text, &LOGICAL_TYPES),
    };
    Some(format!("{} is not a supported logical type{near}", quoted(text)))
}

/// Returns the reason why `rule` is an error in a contract of v3.1.
pub(crate) fn rule_fault(metric: Option<&str>) -> String {
    match metric {
        Some(metric) => format!("is a key of v3.0; write `metric: {metric}`"),
        None => format!("is a key of v3.0; write `metric`, {}", one_of(METRICS.words)),
    }
}

/// Returns the reason why a range with this number of ends is an error.
pub(crate) fn range_fault(numbers: usize) -> String {
    format!("has {numbers} numbers; write two, the smaller first")
}
