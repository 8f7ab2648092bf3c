//! Applies quality checks to the column that they belong to.

use crate::custom;
use crate::error::{Errors, ReadResult, quoted};
use crate::literal;
use crate::model::{Column, LogicalType, Metric};
use crate::node_ref::NodeRef;
use crate::pattern;
use crate::quality::{self, PropertyChecks};

/// Moves the row rules among the checks into the column, and validates the values that its properties and checks list.
pub(crate) fn apply(
    at: &NodeRef<'_>,
    column: &mut Column,
    checks: &PropertyChecks<'_>,
    errors: &mut Errors,
) -> ReadResult<()> {
    let pattern =
        checks.pattern.as_ref().map(|pattern| second_pattern(pattern, column, errors)).transpose()?;
    column.rules.pattern = column.rules.pattern.take().or(pattern);
    column.rules.allowed = checks.allowed.iter().map(|(value, _)| value.clone()).collect();
    check_literals(at, column, checks, errors)
}

/// Reads the pattern of a quality check. A column has at most one pattern.
fn second_pattern(at: &NodeRef<'_>, column: &Column, errors: &mut Errors) -> ReadResult<String> {
    if column.rules.pattern.is_some() {
        return Err(
            at.report(errors, "second pattern besides that of `logicalTypeOptions`; keep one of them")
        );
    }
    if column.logical_type != LogicalType::String {
        return Err(at.report(errors, "a pattern applies to strings only"));
    }
    pattern::read(at, errors)
}

/// Reports constants, defaults and allowed values that the column itself would reject.
fn check_literals(
    at: &NodeRef<'_>,
    column: &Column,
    checks: &PropertyChecks<'_>,
    errors: &mut Errors,
) -> ReadResult<()> {
    let mut outcome = Ok(());
    let mut report = |at: &NodeRef<'_>, value: &str, why: &str| {
        outcome = Err(at.report(errors, format!("{} {why}", quoted(value))))
    };
    for (name, value) in
        [("penstock.constant", &column.harmonise.constant), ("penstock.default", &column.harmonise.default)]
    {
        let (Some(value), Some(at)) = (value, custom::find(at, name)) else { continue };
        let allowed = &column.rules.allowed;
        if let Err(why) = literal::fits(value, column) {
            report(&at, value, &why);
        } else if !allowed.is_empty() && !allowed.contains(value) {
            report(&at, value, &format!("is not one of the allowed values: `{}`", allowed.join("`, `")));
        }
    }
    for (value, at) in &checks.allowed {
        if let Err(why) = literal::fits(value, column) {
            report(at, value, &why);
        }
    }
    for (check, at) in &checks.batch {
        let Metric::InvalidValues { valid, pattern } = &check.metric else { continue };
        if let Some(pattern) = pattern
            && column.logical_type != LogicalType::String
        {
            report(at, pattern, "is a pattern, which applies to strings only");
        }
        for value in valid {
            if let Err(why) = literal::fits(value, column) {
                report(at, value, &why);
            }
        }
    }
    let counted = checks.batch.iter().filter_map(|(check, at)| match &check.metric {
        Metric::InvalidValues { valid, .. } => Some((valid.first()?, at)),
        Metric::NullValues
        | Metric::MissingValues { .. }
        | Metric::DuplicateValues { .. }
        | Metric::RowCount => None,
    });
    let compared = checks.allowed.first().map(|(value, at)| (value, at)).into_iter().chain(counted);
    for (value, at) in compared.filter(|_| quality::is_document(column)) {
        report(at, value, "cannot be compared with an object or array");
    }
    outcome
}
