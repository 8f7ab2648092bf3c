//! The reasons of a reject, whose texts are mostly those of others.

use std::sync::Arc;

use crate::cast::rule::Broken;
use crate::outcome::{Code, Reason, found};
use crate::program::{Column, Raw};
use crate::records::Place;
use crate::rows::{Rows, shown_json};

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

/// Tells a reason, up to `most` of a row.
#[cold]
pub(super) fn tell(
    reasons: &mut Vec<Reason>,
    most: usize,
    told: &mut [Told],
    (index, column): (usize, &Column),
    broken: &Broken<'_>,
    raw: &Raw<'_>,
) {
    if reasons.len() >= most {
        return;
    }
    let code = broken.code;
    let is_shown = !column.is_hidden && code != Code::MissingRequired;
    let found = broken.shown(raw.shown().as_deref()).filter(|_| is_shown).map(found);
    let told = told.get_mut(index).expect("there is one for each column");
    let (name, rule) = (Arc::clone(&told.column), told.rule(column, broken));
    reasons.push(Reason { code, column: Some(name), rule, found });
}

/// Columns that find a row odd: each by a bit, those from the last one on by one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct OddColumns(u64);

impl OddColumns {
    pub(super) const ALL: Self = Self(u64::MAX);

    pub(crate) fn is_any(self) -> bool {
        self.0 != 0
    }

    #[inline]
    pub(super) fn add(&mut self, column: usize) {
        self.0 |= 1 << column.min(63);
    }

    fn has(self, column: usize) -> bool {
        self.0 >> column.min(63) & 1 == 1
    }
}

impl Rows {
    /// Refuses a row for what its odd columns tell: no other one tells anything. False when these do not either, and the row
    /// is still to be taken.
    pub(crate) fn refuse_odd<'r>(
        &mut self,
        place: Place,
        odd: OddColumns,
        raw: impl Fn(usize) -> Raw<'r>,
        json: impl FnOnce() -> String,
    ) -> bool {
        let Self { columns, scratch, reasons, told, limits, .. } = self;
        for (index, column) in columns.iter().enumerate().filter(|(index, _)| odd.has(*index)) {
            let raw = raw(index);
            column.run(&raw, scratch, &mut |broken| {
                tell(reasons, limits.max_reasons, told, (index, column), &broken, &raw);
            });
        }
        if self.reasons.is_empty() {
            return false;
        }
        self.totals.rows_read = self.totals.rows_read.saturating_add(1);
        self.refuse_told(place, shown_json(json(), &self.columns, self.hides));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_columns_none_that_is_odd_is_passed_over() {
        for column in [0, 1, 62, 63, 64, 200] {
            let mut odd = OddColumns::default();
            odd.add(column);
            assert!(odd.is_any() && odd.has(column), "{column}");
            assert!(!odd.has(5) && !odd.has(61), "{column}");
        }
    }
}
