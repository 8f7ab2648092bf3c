//! Quality checks: which keys one has depends on its type.

use super::Validator;
use crate::at::At;
use crate::error::Errors;
use crate::node::Value;
use crate::odcs;
use crate::shape::{Kind, Open};

/// Keys that a check of any type has.
const COMMON: [&str; 13] = [
    "id",
    "authoritativeDefinitions",
    "businessImpact",
    "customProperties",
    "description",
    "dimension",
    "method",
    "name",
    "schedule",
    "scheduler",
    "severity",
    "tags",
    "type",
];

/// The kinds of checks that a check is: one of type `sql` with a metric is of the library, too.
#[derive(Debug, Clone, Copy)]
struct Types {
    is_library: bool,
    is_sql: bool,
    is_custom: bool,
}

impl Types {
    fn of(at: &At<'_>) -> Self {
        let text = |key: &str| at.get(key).and_then(|at| at.str(&mut Errors::default()).ok());
        let kind = text("type");
        Self {
            is_library: kind == Some("library") || text("metric").is_some(),
            is_sql: kind == Some("sql"),
            is_custom: kind == Some("custom"),
        }
    }

    fn has_operator(self) -> bool {
        self.is_library || self.is_sql
    }

    fn required(self) -> impl Iterator<Item = &'static str> {
        let library: &[&str] = if self.is_library { &["metric"] } else { &[] };
        let sql: &[&str] = if self.is_sql { &["query"] } else { &[] };
        let custom: &[&str] = if self.is_custom { &["engine", "implementation"] } else { &[] };
        library.iter().chain(sql).chain(custom).copied()
    }

    fn has(self, key: &str) -> bool {
        match key {
            "metric" | "rule" | "arguments" => self.is_library,
            "query" => self.is_sql,
            "engine" | "implementation" => self.is_custom,
            "unit" => true,
            key if odcs::OPERATORS.contains(&key) => self.has_operator(),
            key => COMMON.contains(&key),
        }
    }
}

impl Validator<'_> {
    /// Checks a quality check. v3.0 allows any key, and names what is counted by a `rule`, which the reader looks at.
    pub(super) fn check(&mut self, at: &At<'_>) {
        if self.is_v3_0 || !matches!(at.node.value, Value::Map(_)) {
            return self.map(at, &odcs::QUALITY);
        }
        let types = Types::of(at);
        let misplaced = || at.entries().filter(|(key, ..)| !types.has(key));
        let is_untyped = at.get("type").is_none() && !types.is_library;
        let asks = |key: &str| odcs::OPERATORS.contains(&key) || key == "arguments";
        if is_untyped && at.get("rule").is_none() && misplaced().any(|(key, ..)| asks(key)) {
            // All of these keys would be in place beside a metric.
            at.missing("metric", self.errors);
            return self.keys(at, |key| odcs::QUALITY.kind(key), names, Open::Never);
        }
        let required: Vec<&str> = types.required().collect();
        self.required(at, &required);
        for (key, _, value) in misplaced() {
            let message = match key {
                "rule" if is_untyped => {
                    let rule = value.str(self.errors).ok();
                    odcs::rule_fault(rule.and_then(odcs::metric_of_rule))
                }
                _ if is_untyped && at.get("rule").is_some() => continue,
                "validValues" => odcs::VALUES_BESIDE_METRIC.to_owned(),
                key if odcs::QUALITY.kind(key).is_some() => {
                    format!("`{key}` is not a key of a check of this type")
                }
                _ => continue,
            };
            value.report(self.errors, message);
        }
        self.keys(
            at,
            |key| odcs::QUALITY.kind(key).map(|kind| if types.has(key) { kind } else { Kind::Any }),
            names,
            Open::Never,
        );
        if types.has_operator() {
            self.operator(at);
        }
    }

    /// A check has exactly one operator.
    fn operator(&mut self, at: &At<'_>) {
        let mut operators = odcs::OPERATORS.into_iter().filter_map(|key| at.get(key));
        match (operators.next(), operators.next()) {
            (None, _) => {
                at.report(self.errors, odcs::NO_OPERATOR);
            }
            (Some(_), Some(second)) => {
                second.report(self.errors, odcs::SECOND_OPERATOR);
            }
            (Some(_), None) => {}
        }
    }
}

fn names() -> Vec<&'static str> {
    odcs::QUALITY.keys().map(|(name, _)| *name).collect()
}
