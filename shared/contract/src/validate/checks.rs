//! The keys of quality checks, which depend on their types.

use crate::error::Errors;
use crate::node_ref::NodeRef;
use crate::odcs;

/// Keys of a check of any type.
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

/// The types of a check. A check of type `sql` with a metric is also of the library.
#[derive(Debug, Clone, Copy)]
pub(super) struct CheckTypes {
    pub(super) is_library: bool,
    is_sql: bool,
    is_custom: bool,
}

impl CheckTypes {
    pub(super) fn of(at: &NodeRef<'_>) -> Self {
        let text = |key: &str| at.get(key).and_then(|at| at.str(&mut Errors::default()).ok());
        let kind = text("type");
        Self {
            is_library: kind == Some("library") || text("metric").is_some(),
            is_sql: kind == Some("sql"),
            is_custom: kind == Some("custom"),
        }
    }

    pub(super) fn has_operator(self) -> bool {
        self.is_library || self.is_sql
    }

    pub(super) fn required(self) -> impl Iterator<Item = &'static str> {
        let library: &[&str] = if self.is_library { &["metric"] } else { &[] };
        let sql: &[&str] = if self.is_sql { &["query"] } else { &[] };
        let custom: &[&str] = if self.is_custom { &["engine", "implementation"] } else { &[] };
        library.iter().chain(sql).chain(custom).copied()
    }

    pub(super) fn has(self, key: &str) -> bool {
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

/// Reports a check that does not have exactly one operator.
pub(super) fn operator(at: &NodeRef<'_>, errors: &mut Errors) {
    let mut operators = odcs::OPERATORS.into_iter().filter_map(|key| at.get(key));
    match (operators.next(), operators.next()) {
        (None, _) => {
            at.report(errors, odcs::NO_OPERATOR);
        }
        (Some(_), Some(second)) => {
            second.report(errors, odcs::SECOND_OPERATOR);
        }
        (Some(_), None) => {}
    }
}

pub(super) fn names() -> Vec<&'static str> {
    odcs::QUALITY.keys().map(|(name, _)| *name).collect()
}
