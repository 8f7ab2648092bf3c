//! The reasons of rejects. Rejects share the names of columns and the texts of rules.

use std::sync::Arc;

use crate::cast::rule::Broken;
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

    fn rule(&mut self, column: &PlanColumn, broken: &Broken<'_>) -> Arc<str> {
        if broken.is_within() {
            return column.rule(broken).into();
        }
        if let Some((_, rule)) = self.rules.iter().find(|(code, _)| *code == broken.code) {
            return Arc::clone(rule);
        }
        let rule: Arc<str> = column.rule(broken).into();
        self.rules.push((broken.code, Arc::clone(&rule)));
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
    broken: &Broken<'_>,
    raw: &Raw<'_>,
) {
    if reasons.len() >= most {
        return;
    }
    let code = broken.code;
    let is_shown = !column.is_hidden && code != Code::MissingRequired;
    let found = broken.shown(raw.shown().as_deref()).filter(|_| is_shown).map(found);
    let reasons_of_column = columns.get_mut(index).expect("there is an entry for each column");
    let (name, rule) = (Arc::clone(&reasons_of_column.column), reasons_of_column.rule(column, broken));
    reasons.push(Reason { code, column: Some(name), rule, found });
}
