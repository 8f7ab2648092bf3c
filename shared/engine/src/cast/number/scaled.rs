//! Intervals of decimal numbers in units of their last decimal place.

use crate::cast::value::CastValue;

/// An interval of decimal numbers in units of 10^-`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scaled {
    pub(super) scale: u8,
    pub(super) low: i64,
    pub(super) high: i64,
    pub(super) is_integer: bool,
}

impl Scaled {
    /// Returns the value of `unscaled` × 10^-`scale` if it is in the interval.
    #[inline]
    pub(super) fn value(self, unscaled: i64) -> Option<CastValue<'static>> {
        let value = if self.is_integer {
            CastValue::Integer(unscaled)
        } else {
            CastValue::Scaled(unscaled, self.scale)
        };
        (self.low..=self.high).contains(&unscaled).then_some(value)
    }

    /// Returns the value of a number if it has this scale and is in the interval.
    #[inline]
    pub(crate) fn fit(self, unscaled: i128, scale: i8) -> Option<CastValue<'static>> {
        if self.is_of(scale) { self.value(i64::try_from(unscaled).ok()?) } else { None }
    }

    #[inline]
    pub(crate) fn is_of(self, scale: i8) -> bool {
        i8::try_from(self.scale) == Ok(scale)
    }
}
