//! Rows that a check of whole columns marked as irregular and that are checked again one by one.

use super::reasons::report;
use super::{Rows, shown_json};
use crate::program::Raw;
use crate::records::RecordPosition;

/// The columns for which a row is irregular: one bit each, and one for all from the 64th on.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct IrregularColumns(u64);

impl IrregularColumns {
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
    /// Rejects a row for the reasons that its irregular columns report; no other column has any. Returns false when these have
    /// none either: then the row still has to be accepted.
    pub(crate) fn refuse_irregular<'r>(
        &mut self,
        position: RecordPosition,
        irregular: IrregularColumns,
        raw: impl Fn(usize) -> Raw<'r>,
        json: impl FnOnce() -> String,
    ) -> bool {
        let Self { columns, scratch, reasons, column_reasons, limits, .. } = self;
        for (index, column) in columns.iter().enumerate().filter(|(index, _)| irregular.has(*index)) {
            let raw = raw(index);
            column.run(&raw, scratch, &mut |broken| {
                report(reasons, limits.max_reasons, column_reasons, (index, column), &broken, &raw);
            });
        }
        if self.reasons.is_empty() {
            return false;
        }
        self.totals.rows_read = self.totals.rows_read.saturating_add(1);
        self.refuse_reported(position, shown_json(json(), &self.columns, self.hides));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_irregular_column_is_never_passed_over_among_many() {
        for column in [0, 1, 62, 63, 64, 200] {
            let mut irregular = IrregularColumns::default();
            irregular.add(column);
            assert!(irregular.is_any() && irregular.has(column), "{column}");
            assert!(!irregular.has(5) && !irregular.has(61), "{column}");
        }
    }
}
