//! Finds listed values that no value of a file can equal, because values are changed before they are compared.

use crate::error::Errors;
use crate::model::{Case, Column, Harmonise, LogicalType, Metric, SqlType};
use crate::node_ref::NodeRef;
use crate::quality::PropertyChecks;

/// Notes such values among the valid values of a column's checks.
pub(crate) fn note(column: &Column, checks: &PropertyChecks<'_>, errors: &mut Errors) {
    // UUIDs are compared regardless of letter case, and constants are not changed.
    let is_compared = column.logical_type == LogicalType::String && column.sql_type != SqlType::Uuid;
    if !is_compared || column.harmonise.constant.is_some() {
        return;
    }
    if let Some((_, at)) = checks.allowed.first() {
        let allowed: Vec<&str> = checks.allowed.iter().map(|(value, _)| value.as_str()).collect();
        note_list(&column.harmonise, &allowed, at, errors);
    }
    for (check, at) in &checks.batch {
        match &check.metric {
            Metric::InvalidValues { valid, .. } => {
                let valid: Vec<&str> = valid.iter().map(String::as_str).collect();
                note_list(&column.harmonise, &valid, at, errors);
            }
            Metric::NullValues
            | Metric::MissingValues { .. }
            | Metric::DuplicateValues { .. }
            | Metric::RowCount => {}
        }
    }
}

fn note_list(harmonise: &Harmonise, values: &[&str], at: &NodeRef<'_>, errors: &mut Errors) {
    let is_possible =
        |value: &str| harmonised(value, harmonise) == value || harmonise.default.as_deref() == Some(value);
    let impossible: Vec<&str> = values.iter().copied().filter(|value| !is_possible(value)).collect();
    if impossible.is_empty() {
        return;
    }
    let is_any = |differs: &dyn Fn(&str) -> bool| impossible.iter().any(|value| differs(value));
    let mut why = Vec::new();
    if is_any(&|value| trimmed(value, harmonise) != value) {
        why.push("white space is trimmed");
    }
    match harmonise.case {
        Some(case) if is_any(&|value| in_case(value, case) != value) => why.push(match case {
            Case::Upper => "`penstock.case: upper` is applied",
            Case::Lower => "`penstock.case: lower` is applied",
        }),
        Some(_) | None => {}
    }
    let instead: Vec<String> = impossible.iter().map(|value| harmonised(value, harmonise)).collect();
    let message = format!(
        "{}`{}` can never match, because {} before values are compared; write `{}`",
        if impossible.len() == values.len() { "every value fails: " } else { "" },
        impossible.join("`, `"),
        why.join(" and "),
        instead.join("`, `")
    );
    at.note(errors, message);
}

/// Returns the value as it is after harmonising. A value can match only if it is its own result.
fn harmonised(value: &str, harmonise: &Harmonise) -> String {
    let value = trimmed(value, harmonise);
    harmonise.case.map_or_else(|| value.to_owned(), |case| in_case(value, case))
}

/// Trims a value. The text that `penstock.extract` returns may have white space at its ends.
fn trimmed<'a>(value: &'a str, harmonise: &Harmonise) -> &'a str {
    if harmonise.trim && harmonise.extract.is_none() { value.trim() } else { value }
}

fn in_case(value: &str, case: Case) -> String {
    match case {
        Case::Upper => value.to_uppercase(),
        Case::Lower => value.to_lowercase(),
    }
}
