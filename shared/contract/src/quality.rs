//! Quality checks: the library metrics of ODCS, on columns and on the schema.
//!
//! `invalidValues` with `mustBe: 0` rejects each row that has another value, so it is a row rule, unless its severity is
//! `warning` or `info`. Every other check counts over the batch.

use std::collections::HashSet;

use crate::at::At;
use crate::decimal::Decimal;
use crate::error::{Errors, Read, mend, nearest, quoted};
use crate::model::{Column, LogicalType, Metric, Operator, QualityCheck, SkippedCheck, Threshold, Unit};
use crate::names::ColumnNames;
use crate::node::{ScalarKind, Value};
use crate::odcs;
use crate::options;

/// What the quality checks of a property ask.
#[derive(Debug, Default)]
pub(crate) struct Checks<'n> {
    /// The only values that a row may have, each with its place.
    pub(crate) allowed: Vec<(String, At<'n>)>,
    /// The pattern that each value must match.
    pub(crate) pattern: Option<At<'n>>,
    /// What the batch must satisfy; the column of each is not set yet.
    pub(crate) batch: Vec<(QualityCheck, At<'n>)>,
}

/// What a check stands at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'c> {
    /// A column.
    Column,
    /// A member of an object or the items of an array.
    Member,
    /// The schema, with its columns and their names.
    Schema(&'c [Column], &'c ColumnNames),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Null,
    Missing,
    Invalid,
    Duplicate,
    RowCount,
}

const METRICS: [(&str, Name); 5] = [
    ("nullValues", Name::Null),
    ("missingValues", Name::Missing),
    ("invalidValues", Name::Invalid),
    ("duplicateValues", Name::Duplicate),
    ("rowCount", Name::RowCount),
];

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

/// Reads the checks at a property or at the schema. `is_v3_0` allows what v3.0 had.
pub(crate) fn read<'n>(
    at: &At<'n>,
    scope: Scope<'_>,
    is_v3_0: bool,
    errors: &mut Errors,
) -> Read<Checks<'n>> {
    let mut checks = Checks::default();
    let Some(list) = at.get("quality") else { return Ok(checks) };
    let mut outcome = Ok(());
    for check in list.items(errors)? {
        let read = Reader { check, scope, is_v3_0 }.read(&mut checks, errors);
        outcome = outcome.and(read);
    }
    outcome.map(|()| checks)
}

struct Reader<'n, 'c> {
    check: At<'n>,
    scope: Scope<'c>,
    is_v3_0: bool,
}

impl<'n> Reader<'n, '_> {
    fn read(&self, checks: &mut Checks<'n>, errors: &mut Errors) -> Read<()> {
        let Some(name) = self.name(errors)? else { return Ok(()) };
        let scope = self.check_scope(name, errors);
        let metric = self.metric(name, errors);
        let unit = self.unit(name, errors);
        let operators = self.operators(name, errors);
        let text = |key: &str, errors: &mut Errors| {
            self.check.get(key).map(|at| at.str(errors).map(str::to_owned)).transpose()
        };
        let (label, severity) = (text("name", errors), text("severity", errors));
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
            // A row rule rejects rows, which a check that only warns must not do.
            if name == Name::Invalid && is_zero(&operator) && check.refuses() {
                self.row_rule(checks, errors)?;
                continue;
            }
            if let Scope::Member = self.scope {
                return Err(self.check.report(errors, member_fault(&check)));
            }
            self.check_possible(&operator, unit, errors)?;
            checks.batch.push((check, self.check.clone()));
        }
        Ok(())
    }

    /// What is counted; `None` for a check that is not of the library, which is not executed.
    fn name(&self, errors: &mut Errors) -> Read<Option<Name>> {
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

    /// Records that the check is not executed. `kind` is its type, in words.
    fn skip(&self, kind: &str, errors: &mut Errors) -> Read<Option<Name>> {
        let name = self.check.get("name").map(|at| at.str(errors).map(str::to_owned)).transpose()?;
        self.check.note(errors, format!("a check of the type {kind} is not executed"));
        errors.skipped.push(SkippedCheck { path: self.check.path.clone(), name, kind: kind.to_owned() });
        Ok(None)
    }

    /// v3.0 leaves the names of rules open: one that is not known is another tool's.
    fn rule(&self, at: &At<'n>, errors: &mut Errors) -> Read<Option<Name>> {
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

    fn check_scope(&self, name: Name, errors: &mut Errors) -> Read<()> {
        let at = self.check.get("metric").unwrap_or_else(|| self.check.clone());
        match (name, self.scope) {
            (Name::RowCount, Scope::Column | Scope::Member) => {
                Err(at.needs(errors, "counts the rows of the schema; move the check to `schema[0].quality`"))
            }
            (Name::Null | Name::Missing | Name::Invalid, Scope::Schema(..)) => {
                Err(at.needs(errors, "is about one column; move the check to the `quality` of that property"))
            }
            _ => Ok(()),
        }
    }

    fn metric(&self, name: Name, errors: &mut Errors) -> Read<Metric> {
        self.check_arguments(name, errors)?;
        Ok(match name {
            Name::Null => Metric::NullValues,
            Name::RowCount => Metric::RowCount,
            Name::Missing => Metric::MissingValues {
                values: match self.argument("missingValues") {
                    Some(at) => values(&at, errors)?.into_iter().map(|(value, _)| value).collect(),
                    None => Vec::new(),
                },
            },
            Name::Invalid => {
                let (valid, pattern) = (self.argument("validValues"), self.argument("pattern"));
                if valid.is_none() && pattern.is_none() {
                    let message = "`invalidValues` needs `arguments` with `validValues` or `pattern`";
                    return Err(self.check.needs(errors, message));
                }
                let valid = valid.map_or(Ok(Vec::new()), |at| valid_values(&at, errors));
                let pattern = pattern.map(|at| options::regex(&at, errors)).transpose()?;
                Metric::InvalidValues { valid: valid?.into_iter().map(|(value, _)| value).collect(), pattern }
            }
            Name::Duplicate => match self.scope {
                Scope::Schema(columns, names) => {
                    Metric::DuplicateValues { columns: self.compared(columns, names, errors)? }
                }
                Scope::Column | Scope::Member => Metric::DuplicateValues { columns: Vec::new() },
            },
        })
    }

    /// An argument, which v3.0 has beside the rule.
    fn argument(&self, key: &str) -> Option<At<'n>> {
        let beside = || self.check.get(key).filter(|_| self.is_v3_0);
        self.check.get("arguments").and_then(|arguments| arguments.get(key)).or_else(beside)
    }

    fn check_arguments(&self, name: Name, errors: &mut Errors) -> Read<()> {
        let known: &[&str] = match (name, self.scope) {
            (Name::Missing, _) => &["missingValues"],
            (Name::Invalid, _) => &["validValues", "pattern"],
            (Name::Duplicate, Scope::Schema(..)) => &["properties"],
            _ => &[],
        };
        if let Some(at) = self.check.get("validValues").filter(|_| !self.is_v3_0) {
            return Err(at.report(errors, odcs::VALUES_BESIDE_METRIC));
        }
        let Some(arguments) = self.check.get("arguments") else { return Ok(()) };
        if !matches!(arguments.node.value, Value::Map(_)) {
            return Err(arguments.wrong_kind("a mapping", errors));
        }
        let mut outcome = Ok(());
        for (key, _, value) in arguments.entries().filter(|(key, ..)| !known.contains(key)) {
            let mend = if known.is_empty() { "; it has none".to_owned() } else { mend(key, known) };
            outcome = Err(value.needs(errors, format!("`{key}` is not an argument of this metric{mend}")));
        }
        outcome
    }

    /// The columns that a check of the schema compares, as indexes.
    fn compared(&self, columns: &[Column], names: &ColumnNames, errors: &mut Errors) -> Read<Vec<usize>> {
        let Some(list) = self.argument("properties") else {
            let message =
                "`duplicateValues` of the schema needs `arguments` with `properties`, the columns to compare";
            return Err(self.check.needs(errors, message));
        };
        let items = list.items(errors)?;
        if items.is_empty() {
            return Err(list.needs(errors, "is empty; name the columns to compare"));
        }
        let mut indexes: Vec<usize> = Vec::new();
        let mut outcome = Ok(());
        for item in items {
            let Ok(name) = item.text(errors).map_err(|reported| outcome = Err(reported)) else { continue };
            match names.find(name) {
                Some(index) if indexes.contains(&index) => {
                    outcome = Err(item.needs(errors, format!("{} stands twice", quoted(name))));
                }
                Some(index) if columns.get(index).is_some_and(is_document) => {
                    outcome = Err(item.needs(errors, "an object or array is not compared"));
                }
                Some(index) => indexes.push(index),
                None => {
                    let near = names.nearest(name);
                    let mend = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                    outcome = Err(item.needs(errors, format!("there is no column {}{mend}", quoted(name))));
                }
            }
        }
        outcome.map(|()| indexes)
    }

    fn unit(&self, name: Name, errors: &mut Errors) -> Read<Unit> {
        let Some(at) = self.check.get("unit") else { return Ok(Unit::Rows) };
        match at.str(errors)? {
            "rows" => Ok(Unit::Rows),
            "percent" if name == Name::RowCount => {
                Err(at.needs(errors, "the number of rows is always 100 percent of them; write `rows`"))
            }
            "percent" => Ok(Unit::Percent),
            other => {
                let message = format!("{} is not a unit{}", quoted(other), mend(other, &["rows", "percent"]));
                Err(at.needs(errors, message))
            }
        }
    }

    /// One operator; v3.0 allows several, and none, which asks for no such row.
    fn operators(&self, name: Name, errors: &mut Errors) -> Read<Vec<Operator>> {
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
                (true, Name::RowCount) => Ok(Vec::new()),
                (true, _) => Ok(Decimal::parse("0")
                    .and_then(|zero| zero.threshold())
                    .map(Operator::MustBe)
                    .into_iter()
                    .collect()),
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

    fn check_possible(&self, operator: &Operator, unit: Unit, errors: &mut Errors) -> Read<()> {
        if is_possible(operator, unit) {
            return Ok(());
        }
        let name = operator_names().find(|name| self.check.get(name).is_some());
        let at = name.and_then(|name| self.check.get(name)).unwrap_or_else(|| self.check.clone());
        let unit = if unit == Unit::Percent { "percentage" } else { "number of rows" };
        Err(at.needs(errors, format!("no {unit} is {operator}, so that the check would refuse every batch")))
    }

    fn row_rule(&self, checks: &mut Checks<'n>, errors: &mut Errors) -> Read<()> {
        if let Some(pattern) = self.argument("pattern")
            && checks.pattern.replace(pattern.clone()).is_some()
        {
            return Err(pattern.needs(errors, "a second pattern; a column has one"));
        }
        let Some(values) = self.argument("validValues") else { return Ok(()) };
        if !checks.allowed.is_empty() {
            return Err(values.needs(errors, "a second list of values allowed; a column has one"));
        }
        checks.allowed = valid_values(&values, errors)?;
        Ok(())
    }
}

/// Why a member cannot have a check that counts over the batch.
fn member_fault(check: &QualityCheck) -> &'static str {
    if check.refuses() {
        "a member is checked row by row: write `required`, its `logicalTypeOptions`, or `invalidValues` with `mustBe: 0`"
    } else {
        "a member is checked row by row, and a row that fails is rejected: remove the check, or its `severity` \
         so that `invalidValues` with `mustBe: 0` rejects the row"
    }
}

fn find(text: &str) -> Option<Name> {
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

fn threshold(at: &At<'_>, errors: &mut Errors) -> Read<Threshold> {
    let text = at.number(errors)?;
    Decimal::parse(text).and_then(|number| number.threshold()).ok_or_else(|| {
        let message = format!(
            "{} is not a number that counts are compared with; at most 18 digits, 9 of them after the point",
            quoted(text)
        );
        at.needs(errors, message)
    })
}

fn ends(at: &At<'_>, errors: &mut Errors) -> Read<(Threshold, Threshold)> {
    let items = at.items(errors)?;
    let [low_at, high_at] = items.as_slice() else {
        return Err(at.report(errors, odcs::range_fault(items.len())));
    };
    let (low, high) = (threshold(low_at, errors), threshold(high_at, errors));
    let order = |at: &At<'_>| at.number(&mut Errors::default()).ok().and_then(Decimal::parse);
    let (low, high) = (low?, high?);
    if order(low_at) >= order(high_at) {
        return Err(at.report(errors, odcs::RANGE_ORDER));
    }
    Ok((low, high))
}

/// False where no count can be what the operator asks for.
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

/// The members of a list of values but null and the empty string, which both are missing values anyway.
fn values<'n>(list: &At<'n>, errors: &mut Errors) -> Read<Vec<(String, At<'n>)>> {
    let mut values = Vec::new();
    let mut outcome = Ok(());
    let mut seen: HashSet<&str> = HashSet::new();
    for item in list.items(errors)? {
        if matches!(item.node.value, Value::Scalar(ScalarKind::Null, _)) {
            continue;
        }
        match item.literal(errors) {
            Ok("") => {}
            Ok(value) if !seen.insert(value) => {
                outcome = Err(item.needs(errors, format!("{} stands twice", quoted(value))));
            }
            Ok(value) => values.push((value.to_owned(), item)),
            Err(reported) => outcome = Err(reported),
        }
    }
    outcome.map(|()| values)
}

fn valid_values<'n>(list: &At<'n>, errors: &mut Errors) -> Read<Vec<(String, At<'n>)>> {
    let values = values(list, errors)?;
    if values.is_empty() {
        return Err(list.needs(errors, "allows no value at all; name at least one"));
    }
    Ok(values)
}
