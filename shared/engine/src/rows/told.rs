//! The reasons of a reject, whose texts are mostly those of others.

use std::sync::Arc;

use crate::cast::rule::Broken;
use crate::outcome::{Code, Reason, found};
use crate::program::{Column, Raw};

/// What the reasons of a column have in common.
#[derive(Debug)]
pub(super) struct Told {
    column: Arc<str>,
    /// Rules in words.
    rules: Vec<(Code, Arc<str>)>,
}

impl Told {
    pub(super) fn new(column: &Column) -> Self {
        Self { column: column.name().into(), rules: Vec::new() }
    }

    fn rule(&mut self, column: &Column, broken: &Broken<'_>) -> Arc<str> {
        if broken.inside.is_some() {
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

#[cold]
pub(super) fn reason(told: &mut Told, column: &Column, broken: &Broken<'_>, raw: &Raw<'_>) -> Reason {
    let code = broken.code;
    let is_shown = !column.is_hidden && code != Code::MissingRequired;
    let found = broken.shown(raw.shown().as_deref()).filter(|_| is_shown).map(found);
    Reason { code, column: Some(Arc::clone(&told.column)), rule: told.rule(column, broken), found }
}
