//! Reads quality checks: the library metrics of ODCS, on columns and on the schema.
//!
//! `invalidValues` with `mustBe: 0` is a row rule, which rejects each row with another value, unless its severity is
//! `warning` or `info`. Every other check counts over the batch.

use std::collections::HashSet;

use crate::decimal::Decimal;
use crate::error::{Errors, ReadResult, nearest, quoted, suggestion};
use crate::model::{Column, LogicalType, Metric, Operator, QualityCheck, SkippedCheck, Threshold, Unit};
use crate::names::ColumnNames;
use crate::node::{NodeValue, ScalarKind};
use crate::node_ref::NodeRef;
use crate::odcs;
use crate::pattern;

/// The quality checks of a property or of the schema.
#[derive(Debug, Default)]
pub(crate) struct PropertyChecks<'n> {
    /// The only allowed values, each with its node.
    pub(crate) allowed: Vec<(String, NodeRef<'n>)>,
    /// The pattern that each value must match.
    pub(crate) pattern: Option<NodeRef<'n>>,
    /// The checks of the batch. Their columns are not set yet.
    pub(crate) batch: Vec<(QualityCheck, NodeRef<'n>)>,
}

/// The element that a check belongs to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum CheckScope<'c> {
    /// A column.
    Column,
    /// A member of an object or the items of an array.
    Member,
    /// The schema, with its columns and their names.
    Schema(&'c [Column], &'c ColumnNames),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MetricName {
    Null,
    Missing,
    Invalid,
    Duplicate,
    RowCount,
}

const METRICS: [(&str, MetricName); 5] = [
    ("nullValues", MetricName::Null),
    ("missingValues", MetricName::Missing),
    ("invalidValues", MetricName::Invalid),
    ("duplicateValues", MetricName::Duplicate),
    ("rowCount", MetricName::RowCount),
];

/// The values of `severity` that Penstock distinguishes. Without one, a check has the severity `error`.
const SEVERITIES: [&str; 3] = ["error", "warning", "info"];

type Compare = fn(Threshold) -> Operator;
type CompareRange = fn(Threshold, Threshold) -> Operator;

const OPERATORS: [(&str, Compare); 6] = [
    ("mustBe", Operator::MustBe),
    ("mustNotBe", Operator::MustNotBe),
    ("mustBeGreaterThan", Operator::MustBeGreaterThan),
    ("mustBeGreaterOrEqualTo", Operator::MustBeGreaterOrEqualTo),
    ("mustBeLessThan", Operator::MustBeLessThan),
    ("mustBeLessOrEqualTo", Operator::MustBeLessOrEqualTo),
];

const RANGES: [(&str, CompareRange); 2] =
    [("mustBeBetween", Operator::MustBeBetween), ("mustNotBeBetween", Operator::MustNotBeBetween)];

/// Reads the quality checks of a property or of the schema. `is_v3_0` allows the rules of v3.0.
pub(crate) fn read<'n>(
    at: &NodeRef<'n>,
    scope: CheckScope<'_>,
    is_v3_0: bool,
    errors: &mut Errors,
) -> ReadResult<PropertyChecks<'n>> {
    let mut checks = PropertyChecks::default();
    let Some(list) = at.get("quality") else { return Ok(checks) };
    let mut outcome = Ok(());
    for check in list.items(errors)? {
        let read = CheckReader { check, scope, is_v3_0 }.read(&mut checks, errors);
        outcome = outcome.and(read);
    }
    outcome.map(|()| checks)
}

struct CheckReader<'n, 'c> {
    check: NodeRef<'n>,
    scope: CheckScope<'c>,
    is_v3_0: bool,
}

impl<'n> CheckReader<'n, '_> {
    fn read(&self, checks: &mut PropertyChecks<'n>, errors: &mut Errors) -> ReadResult<()> {
        let Some(name) = self.name(errors)? else { return Ok(()) };
        let scope = self.check_scope(name, errors);
        let metric = self.metric(name, errors);
        let unit = self.unit(name, errors);
        let operators = self.operators(name, errors);
        let text = |key: &str, errors: &mut Errors| {
            self.check.get(key).map(|at| at.str(errors).map(str::to_owned)).transpose()
        };
        let (label, severity) = (text("name", errors), text("severity", errors));
        self.note_unknown_severity(errors);
        scope?;
        let (metric, unit, label, severity) = (metric?, unit?, label?, severity?);
        for operator in operators? {
            let check = QualityCheck {
                path: self.check.path.clone(),
                name: label.clone(),
                severity: severity.clone(),
                metric: metric.clone(),
                column: None,
                operator,
                unit,
            };
            // A row rule rejects rows. A check that only warns must not reject any.
            if name == MetricName::Invalid && is_zero(&operator) && check.refuses() {
                self.row_rule(checks, errors)?;
                continue;
            }
            if let CheckScope::Member = self.scope {
                return Err(self.check.report(errors, member_fault(&check)));
            }
            self.check_possible(&operator, unit, errors)?;
            checks.batch.push((check, self.check.clone()));
        }
        Ok(())
    }

    /// Returns the metric, or `None` for a check that is not of the library and is not executed.
    fn name(&self, errors: &mut Errors) -> ReadResult<Option<MetricName>> {
        let kind = self.check.get("type");
        match kind.as_ref().map(|at| at.str(errors)).transpose()? {
            None | Some("library") => {}
            Some("custom") => {
                let engine = self.check.get("engine").and_then(|at| at.str(&mut Errors::default()).ok());
                return self.skip(
                    &engine.map_or("custom".to_owned(), |engine| format!("custom ({engine})")),
                    errors,
                );
            }
            Some(kind @ ("text" | "sql")) => return self.skip(kind, errors),
            Some(other) => {
                return Err(kind.as_ref().unwrap_or(&self.check).report(errors, odcs::CHECKS.fault(other)));
            }
        }
        if let Some(at) = self.check.get("metric") {
            let text = at.str(errors)?;
            return match find(text) {
                Some(name) => Ok(Some(name)),
                None => Err(at.report(errors, odcs::METRICS.fault(text))),
            };
        }
        if let Some(at) = self.check.get("rule") {
            return self.rule(&at, errors);
        }
        let has_operator = operator_names().any(|name| self.check.get(name).is_some());
        if kind.is_some() || has_operator {
            Err(self.check.missing("metric", errors))
        } else {
            self.skip("text", errors)
        }
    }

    /// Records that the check is not executed. `kind` is its type in words.
    fn skip(&self, kind: &str, errors: &mut Errors) -> ReadResult<Option<MetricName>> {
        let name = self.check.get("name").map(|at| at.str(errors).map(str::to_owned)).transpose()?;
        self.check.note(errors, format!("a check of the type {kind} is not executed"));
        errors.skipped.push(SkippedCheck { path: self.check.path.clone(), name, kind: kind.to_owned() });
        Ok(None)
    }

    /// Returns the metric of a rule. v3.0 does not restrict the names of rules: unknown ones belong to other tools.
    fn rule(&self, at: &NodeRef<'n>, errors: &mut Errors) -> ReadResult<Option<MetricName>> {
        let text = at.str(errors)?;
        let metric = odcs::metric_of_rule(text);
        if !self.is_v3_0 {
            return Err(at.report(errors, odcs::rule_fault(metric)));
        }
        match (metric.and_then(find), nearest(text, odcs::rules())) {
            (None, Some(near)) => {
                Err(at.needs(errors, format!("{} is not a rule; did you mean `{near}`?", quoted(text))))
            }
            (Some(found), _) => Ok(Some(found)),
            (None, None) => self.skip(&format!("rule ({text})"), errors),
        }
    }

    fn check_scope(&self, name: MetricName, errors: &mut Errors) -> ReadResult<()> {
        let at = self.check.get("metric").unwrap_or_else(|| self.check.clone());
        match (name, self.scope) {
            (MetricName::RowCount, CheckScope::Column | CheckScope::Member) => {
                Err(at.needs(errors, "counts the rows of the schema; move the check to `schema[0].quality`"))
            }
            (MetricName::Null | MetricName::Missing | MetricName::Invalid, CheckScope::Schema(..)) => {
                Err(at
                    .needs(errors, "applies to one column; move the check to the `quality` of that property"))
            }
            (MetricName::Duplicate, _)
            | (MetricName::RowCount, CheckScope::Schema(..))
            | (
                MetricName::Null | MetricName::Missing | MetricName::Invalid,
                CheckScope::Column | CheckScope::Member,
            ) => Ok(()),
        }
    }

    fn metric(&self, name: MetricName, errors: &mut Errors) -> ReadResult<Metric> {
        self.check_arguments(name, errors)?;
        Ok(match name {
            MetricName::Null => Metric::NullValues,
            MetricName::RowCount => Metric::RowCount,
            MetricName::Missing => Metric::MissingValues {
                values: match self.argument("missingValues") {
                    Some(at) => values(&at, errors)?.into_iter().map(|(value, _)| value).collect(),
                    None => Vec::new(),
                },
            },
            MetricName::Invalid => {
                let (valid, pattern) = (self.argument("validValues"), self.argument("pattern"));
                if valid.is_none() && pattern.is_none() {
                    let message = "`invalidValues` needs `arguments` with `validValues` or `pattern`";
                    return Err(self.check.needs(errors, message));
                }
                let valid = valid.map_or(Ok(Vec::new()), |at| valid_values(&at, errors));
                let pattern = pattern.map(|at| pattern::read(&at, errors)).transpose()?;
                Metric::InvalidValues { valid: valid?.into_iter().map(|(value, _)| value).collect(), pattern }
            }
            MetricName::Duplicate => match self.scope {
                CheckScope::Schema(columns, names) => {
                    Metric::DuplicateValues { columns: self.compared(columns, names, errors)? }
                }
                CheckScope::Column | CheckScope::Member => Metric::DuplicateValues { columns: Vec::new() },
            },
        })
    }

    /// Notes a severity that has no meaning here. The standard allows any text.
    fn note_unknown_severity(&self, errors: &mut Errors) {
        let Some(at) = self.check.get("severity") else { return };
        if let Ok(text) = at.str(&mut Errors::default())
            && !SEVERITIES.iter().any(|severity| severity.eq_ignore_ascii_case(text))
        {
            let message = format!(
                "{} is treated as `error`; with `warning` or `info`, the check would only report its count",
                quoted(text)
            );
            at.note(errors, message);
        }
    }

    /// Returns an argument. v3.0 also has arguments next to the rule.
    fn argument(&self, key: &str) -> Option<NodeRef<'n>> {
        let next_to_rule = || self.check.get(key).filter(|_| self.is_v3_0);
        self.check.get("arguments").and_then(|arguments| arguments.get(key)).or_else(next_to_rule)
    }

    fn check_arguments(&self, name: MetricName, errors: &mut Errors) -> ReadResult<()> {
        let known: &[&str] = match (name, self.scope) {
            (MetricName::Missing, _) => &["missingValues"],
            (MetricName::Invalid, _) => &["validValues", "pattern"],
            (MetricName::Duplicate, CheckScope::Schema(..)) => &["properties"],
            (MetricName::Null | MetricName::RowCount, _)
            | (MetricName::Duplicate, CheckScope::Column | CheckScope::Member) => &[],
        };
        if let Some(at) = self.check.get("validValues").filter(|_| !self.is_v3_0) {
            return Err(at.report(errors, odcs::VALUES_WITH_METRIC));
        }
        let Some(arguments) = self.check.get("arguments") else { return Ok(()) };
        if !matches!(arguments.node.value, NodeValue::Map(_)) {
            return Err(arguments.wrong_kind("a mapping", errors));
        }
        let mut outcome = Ok(());
        for (key, _, value) in arguments.entries().filter(|(key, ..)| !known.contains(key)) {
            let suggestion =
                if known.is_empty() { "; it has none".to_owned() } else { suggestion(key, known) };
            outcome =
                Err(value.needs(errors, format!("`{key}` is not an argument of this metric{suggestion}")));
        }
        outcome
    }

    /// Returns the indexes of the columns that a check of the schema compares.
    fn compared(
        &self,
        columns: &[Column],
        names: &ColumnNames,
        errors: &mut Errors,
    ) -> ReadResult<Vec<usize>> {
        let Some(list) = self.argument("properties") else {
            let message =
                "`duplicateValues` of the schema needs `arguments` with `properties`, the columns to compare";
            return Err(self.check.needs(errors, message));
        };
        let items = list.items(errors)?;
        if items.is_empty() {
            return Err(list.needs(errors, "is empty; list the columns to compare"));
        }
        let mut indexes: Vec<usize> = Vec::new();
        let mut outcome = Ok(());
        for item in items {
            let Ok(name) = item.text(errors).map_err(|reported| outcome = Err(reported)) else { continue };
            match names.find(name) {
                Some(index) if indexes.contains(&index) => {
                    outcome = Err(item.needs(errors, format!("{} is listed twice", quoted(name))));
                }
                Some(index) if columns.get(index).is_some_and(is_document) => {
                    outcome = Err(item.needs(errors, "an object or array cannot be compared"));
                }
                Some(index) => indexes.push(index),
                None => {
                    let near = names.nearest(name);
                    let suggestion = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    outcome =
                        Err(item.needs(errors, format!("there is no column {}{suggestion}", quoted(name))));
                }
            }
        }
        outcome.map(|()| indexes)
    }

    fn unit(&self, name: MetricName, errors: &mut Errors) -> ReadResult<Unit> {
        let Some(at) = self.check.get("unit") else { return Ok(Unit::Rows) };
        match at.str(errors)? {
            "rows" => Ok(Unit::Rows),
            "percent" if name == MetricName::RowCount => {
                Err(at.needs(errors, "the percentage of `rowCount` is always 100; write `rows`"))
            }
            "percent" => Ok(Unit::Percent),
            other => {
                let message =
                    format!("{} is not a unit{}", quoted(other), suggestion(other, &["rows", "percent"]));
                Err(at.needs(errors, message))
            }
        }
    }

    /// Returns the only condition. v3.0 also allows several, and none, which means `mustBe: 0`.
    fn operators(&self, name: MetricName, errors: &mut Errors) -> ReadResult<Vec<Operator>> {
        let mut found = Vec::new();
        for (key, operator) in OPERATORS {
            let Some(at) = self.check.get(key) else { continue };
            found.push((threshold(&at, errors).map(operator), at));
        }
        for (key, operator) in RANGES {
            let Some(at) = self.check.get(key) else { continue };
            found.push((ends(&at, errors).map(|(low, high)| operator(low, high)), at));
        }
        if found.is_empty() {
            return match (self.is_v3_0, name) {
                (true, MetricName::RowCount) => Ok(Vec::new()),
                (true, _) => Ok(vec![Operator::MustBe(Threshold::ZERO)]),
                (false, _) => Err(self.check.report(errors, odcs::NO_OPERATOR)),
            };
        }
        if let [_, (_, second), ..] = found.as_slice()
            && !self.is_v3_0
        {
            return Err(second.report(errors, odcs::SECOND_OPERATOR));
        }
        found.into_iter().map(|(operator, _)| operator).collect()
    }

    fn check_possible(&self, operator: &Operator, unit: Unit, errors: &mut Errors) -> ReadResult<()> {
        if is_possible(operator, unit) {
            return Ok(());
        }
        let name = operator_names().find(|name| self.check.get(name).is_some());
        let at = name.and_then(|name| self.check.get(name)).unwrap_or_else(|| self.check.clone());
        let unit = if unit == Unit::Percent { "percentage" } else { "number of rows" };
        Err(at.needs(errors, format!("no {unit} is {operator}: the check would refuse every batch")))
    }

    fn row_rule(&self, checks: &mut PropertyChecks<'n>, errors: &mut Errors) -> ReadResult<()> {
        if let Some(pattern) = self.argument("pattern")
            && checks.pattern.replace(pattern.clone()).is_some()
        {
            return Err(pattern.needs(errors, "second pattern; a column has one"));
        }
        let Some(values) = self.argument("validValues") else { return Ok(()) };
        if !checks.allowed.is_empty() {
            return Err(values.needs(errors, "second list of allowed values; a column has one"));
        }
        checks.allowed = valid_values(&values, errors)?;
        Ok(())
    }
}

/// Returns the reason why a member cannot have a check that counts over the batch.
fn member_fault(check: &QualityCheck) -> &'static str {
    if check.refuses() {
        "a member is checked row by row: write `required`, its `logicalTypeOptions`, or `invalidValues` with `mustBe: 0`"
    } else {
        "a member is checked row by row, and a row that fails is rejected: remove the check, or its `severity` \
         so that `invalidValues` with `mustBe: 0` rejects the row"
    }
}

fn find(text: &str) -> Option<MetricName> {
    METRICS.iter().find(|(name, _)| *name == text).map(|(_, name)| *name)
}

fn operator_names() -> impl Iterator<Item = &'static str> {
    OPERATORS.iter().map(|(name, _)| *name).chain(RANGES.iter().map(|(name, _)| *name))
}

pub(crate) fn is_document(column: &Column) -> bool {
    matches!(column.logical_type, LogicalType::Object { .. } | LogicalType::Array { .. })
}

fn is_zero(operator: &Operator) -> bool {
    matches!(operator, Operator::MustBe(threshold) if threshold.compare_whole(0).is_eq())
}

fn threshold(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Threshold> {
    let text = at.number(errors)?;
    Decimal::parse(text).and_then(|number| number.threshold()).ok_or_else(|| {
        let message = format!(
            "{} is not a valid threshold; write at most 18 digits, 9 of them after the point",
            quoted(text)
        );
        at.needs(errors, message)
    })
}

fn ends(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<(Threshold, Threshold)> {
    let items = at.items(errors)?;
    let [low_at, high_at] = items.as_slice() else {
        return Err(at.report(errors, odcs::range_fault(items.len())));
    };
    let (low, high) = (threshold(low_at, errors), threshold(high_at, errors));
    let (low, high) = (low?, high?);
    if low.compare_with(&high).is_ge() {
        return Err(at.report(errors, odcs::RANGE_ORDER));
    }
    Ok((low, high))
}

/// Returns false if no count satisfies the condition.
fn is_possible(operator: &Operator, unit: Unit) -> bool {
    let percent = unit == Unit::Percent;
    let below = |threshold: &Threshold, whole| threshold.compare_whole(whole).is_lt();
    let above = |threshold: &Threshold, whole| threshold.compare_whole(whole).is_gt();
    match operator {
        Operator::MustBe(exact) => {
            !below(exact, 0) && if percent { !above(exact, 100) } else { exact.is_whole() }
        }
        Operator::MustNotBe(_) => true,
        Operator::MustBeGreaterThan(low) => !percent || below(low, 100),
        Operator::MustBeGreaterOrEqualTo(low) => !percent || !above(low, 100),
        Operator::MustBeLessThan(high) => above(high, 0),
        Operator::MustBeLessOrEqualTo(high) => !below(high, 0),
        Operator::MustBeBetween(low, high) => above(high, 0) && (!percent || below(low, 100)),
        Operator::MustNotBeBetween(low, high) => !(percent && below(low, 0) && above(high, 100)),
    }
}

/// Reads a list of values, without null and the empty string: both are missing values anyway.
fn values<'n>(list: &NodeRef<'n>, errors: &mut Errors) -> ReadResult<Vec<(String, NodeRef<'n>)>> {
    let mut values = Vec::new();
    let mut outcome = Ok(());
    let mut distinct: HashSet<&str> = HashSet::new();
    for item in list.items(errors)? {
        if matches!(item.node.value, NodeValue::Scalar(ScalarKind::Null, _)) {
            continue;
        }
        match item.literal(errors) {
            Ok("") => {}
            Ok(value) if !distinct.insert(value) => {
                outcome = Err(item.needs(errors, format!("{} is listed twice", quoted(value))));
            }
            Ok(value) => values.push((value.to_owned(), item)),
            Err(reported) => outcome = Err(reported),
        }
    }
    outcome.map(|()| values)
}

fn valid_values<'n>(list: &NodeRef<'n>, errors: &mut Errors) -> ReadResult<Vec<(String, NodeRef<'n>)>> {
    let values = values(list, errors)?;
    if values.is_empty() {
        return Err(list.needs(errors, "allows no value; list at least one"));
    }
    Ok(values)
}
