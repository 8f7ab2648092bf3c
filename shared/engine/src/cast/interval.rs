//! Intervals of numbers and times.

use crate::outcome::Code;

/// Both ends of an interval of whole numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Interval<T> {
    /// Smallest value inside.
    pub(crate) low: Option<T>,
    /// Largest value inside.
    pub(crate) high: Option<T>,
}

impl<T: PartialOrd + Copy> Interval<T> {
    pub(crate) fn check(&self, value: T, tell: &mut impl FnMut(Code)) {
        if self.low.is_some_and(|low| value < low) {
            tell(Code::BelowMinimum);
        }
        if self.high.is_some_and(|high| value > high) {
            tell(Code::AboveMaximum);
        }
    }
}
