//! Compares row rules.

use super::change::Changes;
use crate::decimal::Decimal;
use crate::literal;
use crate::model::{Bound, LogicalType, Rules, StringFormat};

/// Compares the rules of a column or member of this type.
pub(super) fn all(path: &str, old: &Rules, new: &Rules, logical: &LogicalType, changes: &mut Changes) {
    let Rules {
        min_length: _,
        max_length: _,
        pattern: _,
        minimum: _,
        maximum: _,
        multiple_of: _,
        allowed: _,
        format: _,
        min_items: _,
        max_items: _,
        unique_items: _,
        min_properties: _,
        max_properties: _,
        required_properties: _,
    } = old;
    let option = |key: &str| format!("{path}.logicalTypeOptions.{key}");
    for (key, was, is) in [
        ("minLength", old.min_length, new.min_length),
        ("minItems", old.min_items, new.min_items),
        ("minProperties", old.min_properties, new.min_properties),
    ] {
        // No limit is the same as 0.
        let (was, is) = (was.unwrap_or(0), is.unwrap_or(0));
        limit(&option(key), was.cmp(&is).is_lt(), was != is, format!("{was} → {is}"), changes);
    }
    for (key, was, is) in [
        ("maxLength", old.max_length, new.max_length),
        ("maxItems", old.max_items, new.max_items),
        ("maxProperties", old.max_properties, new.max_properties),
    ] {
        let words = |limit: Option<u64>| limit.map_or("no limit".to_owned(), |limit| limit.to_string());
        changes.at_most(&option(key), was, is, words);
    }
    bound(&option("minimum"), &old.minimum, &new.minimum, logical, BoundSide::Low, changes);
    bound(&option("maximum"), &old.maximum, &new.maximum, logical, BoundSide::High, changes);
    requirement(
        &option("pattern"),
        old.pattern.as_ref(),
        new.pattern.as_ref(),
        |text| format!("`{text}`"),
        changes,
    );
    let multiple = |text: &String| format!("a multiple of {text}");
    requirement(&option("multipleOf"), old.multiple_of.as_ref(), new.multiple_of.as_ref(), multiple, changes);
    let format = |format: &StringFormat| format.name().to_owned();
    requirement(&option("format"), old.format.as_ref(), new.format.as_ref(), format, changes);
    let unique = (old.unique_items, new.unique_items);
    let what = if unique.1 { "items must be unique" } else { "items may repeat" };
    limit(&option("uniqueItems"), unique.1, unique.0 != unique.1, what.to_owned(), changes);
    for key in new.required_properties.iter().filter(|key| !old.required_properties.contains(key)) {
        changes.breaking(&option("required"), format!("objects without `{key}` are rejected"));
    }
    for key in old.required_properties.iter().filter(|key| !new.required_properties.contains(key)) {
        changes.compatible(&option("required"), format!("objects without `{key}` are accepted"));
    }
    allowed(&format!("{path}.quality"), &old.allowed, &new.allowed, changes);
}

fn limit(path: &str, is_stricter: bool, is_changed: bool, what: String, changes: &mut Changes) {
    match (is_changed, is_stricter) {
        (false, _) => {}
        (true, true) => changes.breaking(path, what),
        (true, false) => changes.compatible(path, what),
    }
}

/// Compares a rule whose values have no order: only its presence can be compared.
fn requirement<T: PartialEq>(
    path: &str,
    old: Option<&T>,
    new: Option<&T>,
    words: impl Fn(&T) -> String,
    changes: &mut Changes,
) {
    match (old, new) {
        (old, new) if old == new => {}
        (Some(old), None) => changes.compatible(path, format!("{} is no longer required", words(old))),
        (None, Some(new)) => changes.breaking(path, format!("{} is required", words(new))),
        (Some(old), Some(new)) => changes.breaking(path, format!("{} → {}", words(old), words(new))),
        (None, None) => {}
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum BoundSide {
    Low,
    High,
}

fn bound(
    path: &str,
    old: &Option<Bound>,
    new: &Option<Bound>,
    logical: &LogicalType,
    side: BoundSide,
    changes: &mut Changes,
) {
    let words = |bound: &Option<Bound>| match bound {
        None => "no limit".to_owned(),
        Some(bound) if bound.exclusive => format!("{}, exclusive", bound.value),
        Some(bound) => bound.value.clone(),
    };
    let is_stricter = match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(old), Some(new)) => match order(logical, &old.value, &new.value) {
            Some(order) if order.is_eq() => new.exclusive && !old.exclusive,
            Some(order) => order.is_lt() == (side == BoundSide::Low),
            // Values without an order cannot be compared.
            None => true,
        },
    };
    limit(path, is_stricter, old != new, format!("{} → {}", words(old), words(new)), changes);
}

/// Compares two bounds of a column of this type. Returns `None` if they have no order.
fn order(logical: &LogicalType, old: &str, new: &str) -> Option<std::cmp::Ordering> {
    match logical {
        LogicalType::Integer | LogicalType::Number => Some(Decimal::parse(old)?.cmp(&Decimal::parse(new)?)),
        LogicalType::Date { .. } | LogicalType::Timestamp { .. } => {
            Some(literal::iso_timestamp(old).ok()?.cmp(&literal::iso_timestamp(new).ok()?))
        }
        LogicalType::Time { .. } => Some(literal::iso_time(old).ok()?.cmp(&literal::iso_time(new).ok()?)),
        LogicalType::String
        | LogicalType::Boolean
        | LogicalType::Object { .. }
        | LogicalType::Array { .. } => None,
    }
}

/// Compares lists of allowed values. An empty list allows every value.
fn allowed(path: &str, old: &[String], new: &[String], changes: &mut Changes) {
    match (old.is_empty(), new.is_empty()) {
        (true, true) => {}
        (true, false) => changes.breaking(path, format!("only `{}` are allowed", new.join("`, `"))),
        (false, true) => changes.compatible(path, "any value is allowed"),
        (false, false) => {
            for value in old.iter().filter(|value| !new.contains(value)) {
                changes.breaking(path, format!("`{value}` is no longer allowed"));
            }
            for value in new.iter().filter(|value| !old.contains(value)) {
                changes.compatible(path, format!("`{value}` is allowed"));
            }
        }
    }
}
