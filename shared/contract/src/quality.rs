//! Row rules that ODCS v3.1 writes as quality checks: the values allowed.
//!
//! `invalidValues` with `mustBe: 0` refuses each row that has another value, so it is a row rule. With
//! another threshold, and with another metric, a check is about the batch, and not read yet.

use std::collections::HashSet;

use crate::at::At;
use crate::error::{Errors, Read};
use crate::node::{ScalarKind, Value};

/// How v3.1 spells an enumeration.
pub(crate) const ENUM_MEND: &str = "in v3.1 the values allowed are written as \
    `quality: [{metric: invalidValues, arguments: {validValues: [A, B]}, mustBe: 0}]`";

/// What quality checks ask of each row.
#[derive(Debug, Default)]
pub(crate) struct RowChecks<'n> {
    /// `validValues` but null, with the place of each.
    pub(crate) allowed: Vec<(String, At<'n>)>,
    /// `pattern` of `invalidValues`.
    pub(crate) pattern: Option<At<'n>>,
}

/// Reads the row rules among a property's quality checks.
pub(crate) fn read<'n>(property: &At<'n>, errors: &mut Errors) -> Read<RowChecks<'n>> {
    let mut rules = RowChecks::default();
    let Some(list) = property.get("quality") else { return Ok(rules) };
    let mut outcome = Ok(());
    for check in list.items(errors)? {
        if let Err(reported) = read_check(&check, &mut rules, errors) {
            outcome = Err(reported);
        }
    }
    outcome.map(|()| rules)
}

fn read_check<'n>(check: &At<'n>, rules: &mut RowChecks<'n>, errors: &mut Errors) -> Read<()> {
    let is = |key: &str, wanted: &str| {
        check.get(key).is_some_and(|at| matches!(&at.node.value, Value::Scalar(_, text) if text == wanted))
    };
    // v3.0 says `rule: validValues`-like names, and the values beside them.
    let metric = is("metric", "invalidValues") || is("rule", "validValues") || is("rule", "invalidValues");
    if !metric {
        return Ok(());
    }
    let arguments = check.get("arguments");
    let argument =
        |key: &str| arguments.as_ref().and_then(|arguments| arguments.get(key)).or_else(|| check.get(key));
    let (values, pattern) = (argument("validValues"), argument("pattern"));
    if values.is_none() && pattern.is_none() {
        return Err(check.report(errors, "`invalidValues` needs `arguments` with `validValues` or `pattern`"));
    }
    if !is("mustBe", "0") {
        return Ok(());
    }
    if let Some(pattern) = pattern
        && rules.pattern.replace(pattern.clone()).is_some()
    {
        return Err(pattern.report(errors, "a second pattern; a column has one"));
    }
    match values {
        Some(values) => read_values(&values, rules, errors),
        None => Ok(()),
    }
}

fn read_values<'n>(values: &At<'n>, rules: &mut RowChecks<'n>, errors: &mut Errors) -> Read<()> {
    if !rules.allowed.is_empty() {
        return Err(values.report(errors, "a second list of values allowed; a column has one"));
    }
    let mut outcome = Ok(());
    let mut seen: HashSet<&str> = HashSet::new();
    for item in values.items(errors)? {
        // Null is `required`'s matter: a missing value is not compared with the list.
        if matches!(item.node.value, Value::Scalar(ScalarKind::Null, _)) {
            continue;
        }
        match item.literal(errors) {
            Ok("") => {}
            Ok(value) if !seen.insert(value) => {
                outcome = Err(item.report(errors, format!("{} stands twice", crate::error::quoted(value))));
            }
            Ok(value) => rules.allowed.push((value.to_owned(), item)),
            Err(reported) => outcome = Err(reported),
        }
    }
    if outcome.is_ok() && rules.allowed.is_empty() {
        outcome = Err(values.report(errors, "allows no value at all; name at least one"));
    }
    outcome
}
