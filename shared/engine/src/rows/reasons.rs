//! The reasons of rejects. Rejects share the names of columns and the texts of rules.

use std::sync::Arc;

use crate::cast::rule::RuleViolation;
use crate::outcome::{Code, Reason, found};
use crate::program::{PlanColumn, Raw};

/// The texts that the reasons of one column share.
#[derive(Debug)]
pub(super) struct ColumnReasons {
    column: Arc<str>,
    /// The texts of violated rules, by code.
    rules: Vec<(Code, Arc<str>)>,
}

impl ColumnReasons {
    pub(super) fn new(column: &PlanColumn) -> Self {
        Self { column: column.name().into(), rules: Vec::new() }
    }

    fn rule(&mut self, column: &PlanColumn, violation: &RuleViolation<'_>) -> Arc<str> {
        if violation.is_nested() {
            return column.rule(violation).into();
        }
        if let Some((_, rule)) = self.rules.iter().find(|(code, _)| *code == violation.code) {
            return Arc::clone(rule);
        }
        let rule: Arc<str> = column.rule(violation).into();
        self.rules.push((violation.code, Arc::clone(&rule)));
        rule
    }
}

/// Records a reason, up to `most` per row.
#[cold]
pub(super) fn report(
    reasons: &mut Vec<Reason>,
    most: usize,
    columns: &mut [ColumnReasons],
    (index, column): (usize, &PlanColumn),
    violation: &RuleViolation<'_>,
    raw: &Raw<'_>,
) {
    if reasons.len() >= most {
        return;
    }
    let code = violation.code;
    let is_shown = !column.is_hidden && code != Code::MissingRequired;
    let found = violation.violating_text(raw.shown().as_deref()).filter(|_| is_shown).map(found);
    let reasons_of_column = columns.get_mut(index).expect("there is an entry for each column");
    let (name, rule) = (Arc::clone(&reasons_of_column.column), reasons_of_column.rule(column, violation));
    reasons.push(Reason { code, column: Some(name), rule, found });
}
