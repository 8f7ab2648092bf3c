//! Intervals of numbers and times.

use crate::outcome::Code;

/// The inclusive bounds of an interval.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Interval<T> {
    /// The smallest value inside.
    pub(crate) low: Option<T>,
    /// The largest value inside.
    pub(crate) high: Option<T>,
}

impl<T: PartialOrd + Copy> Interval<T> {
    pub(crate) fn check(&self, value: T, report: &mut impl FnMut(Code)) {
        if self.low.is_some_and(|low| value < low) {
            report(Code::BelowMinimum);
        }
        if self.high.is_some_and(|high| value > high) {
            report(Code::AboveMaximum);
        }
    }
}
