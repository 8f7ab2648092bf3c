//! The search for the rows of a chunk that the database refuses.
//!
//! This module only decides which rows to try next and does not access a database. A range of rows that is refused is
//! divided; the others are merged as they are found. For one bad row in n the refused attempts have
//! n / 8 + n / 64 + … rows, less than a sixth of the chunk.

use std::ops::Range;

/// The number of parts into which a refused range is divided.
const PARTS: usize = 8;

/// A search over the rows `0..count`, which were refused together.
#[derive(Debug, Clone)]
pub(crate) struct RowSearch<E> {
    /// Ranges that have not been tried, the next one last.
    untried: Vec<Range<usize>>,
    refused: Vec<(usize, E)>,
}

impl<E> RowSearch<E> {
    /// Begins a search. `error` is that of all rows together, and of the only row if there is one.
    pub(crate) fn new(count: usize, error: E) -> Self {
        let mut search = Self { untried: Vec::new(), refused: Vec::new() };
        search.divide(0..count, error);
        search
    }

    /// Returns the rows to try next, or `None` at the end. After a refusal, [`Self::refuse`] must be called.
    pub(crate) fn next(&mut self) -> Option<Range<usize>> {
        self.untried.pop()
    }

    /// Records that the rows which [`Self::next`] returned were refused.
    pub(crate) fn refuse(&mut self, rows: Range<usize>, error: E) {
        self.divide(rows, error);
    }

    /// Returns the refused rows that have been found so far.
    pub(crate) fn refused(&self) -> &[(usize, E)] {
        &self.refused
    }

    /// Returns the refused rows, each with the error for it alone, in the order of the rows.
    pub(crate) fn finish(self) -> Vec<(usize, E)> {
        self.refused
    }

    fn divide(&mut self, rows: Range<usize>, error: E) {
        match rows.len() {
            0 => {}
            1 => self.refused.push((rows.start, error)),
            count => {
                let size = count.div_ceil(PARTS);
                let starts = rows.clone().step_by(size).collect::<Vec<_>>();
                self.untried.extend(
                    starts.into_iter().rev().map(|start| start..start.saturating_add(size).min(rows.end)),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the refused rows, the accepted rows, and the attempts with their numbers of rows.
    fn search(count: usize, bad: &[usize]) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let mut search = RowSearch::new(count, ());
        let (mut accepted, mut attempts) = (Vec::new(), Vec::new());
        while let Some(rows) = search.next() {
            attempts.push(rows.len());
            if bad.iter().any(|row| rows.contains(row)) {
                search.refuse(rows, ());
            } else {
                accepted.extend(rows);
            }
        }
        (search.finish().into_iter().map(|(row, ())| row).collect(), accepted, attempts)
    }

    #[test]
    fn one_bad_row_costs_few_attempts_and_little_more_than_the_rows_themselves() {
        for bad in [0, 1, 4_999, 9_998, 9_999] {
            let (refused, accepted, attempts) = search(10_000, &[bad]);
            assert_eq!((refused, accepted.len()), (vec![bad], 9_999));
            assert!(attempts.len() <= 40, "{} attempts", attempts.len());
            let rows: usize = attempts.iter().sum();
            assert!(rows < 10_000 + 10_000 / 6, "{rows} rows");
        }
    }

    #[test]
    fn the_only_row_is_refused_without_another_attempt() {
        assert_eq!(search(1, &[0]), (vec![0], Vec::new(), Vec::new()));
        assert_eq!(search(0, &[]), (Vec::new(), Vec::new(), Vec::new()));
    }

    proptest! {
        #[test]
        fn every_row_is_accepted_or_refused_once_and_in_order(
            count in 2usize..3_000,
            bad in prop::collection::btree_set(0usize..3_000, 0..60),
        ) {
            let bad: Vec<usize> = bad.into_iter().filter(|row| *row < count).collect();
            let (refused, accepted, attempts) = search(count, &bad);
            prop_assert_eq!(&refused, &bad);
            prop_assert!(accepted.is_sorted());
            prop_assert_eq!(accepted.len() + refused.len(), count);
            prop_assert!(attempts.len() <= 40 * bad.len().max(1));
        }
    }
}
