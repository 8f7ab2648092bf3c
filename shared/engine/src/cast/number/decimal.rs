//! Decimal numbers as digits.

use std::cmp::Ordering;

/// A decimal number as its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DecimalDigits<'a> {
    pub(crate) is_negative: bool,
    /// The digits before the point, without leading zeros. Empty for a number below one.
    pub(crate) whole: &'a [u8],
    /// The digits after the point, as written.
    pub(crate) fraction: &'a [u8],
}

impl<'a> DecimalDigits<'a> {
    /// Parses `[+-]digits[.digits]`, with digits on at least one side of the point.
    #[inline]
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (is_negative, rest) = match bytes.split_first()? {
            (b'-', rest) => (true, rest),
            (b'+', rest) => (false, rest),
            _ => (false, bytes),
        };
        let point = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        let (whole, fraction) = match rest.split_at_checked(point)? {
            (whole, []) => (whole, &[][..]),
            (whole, [b'.', fraction @ ..]) => (whole, fraction),
            _ => return None,
        };
        let is_empty = whole.is_empty() && fraction.is_empty();
        if is_empty || !fraction.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let zeros = whole.iter().take_while(|digit| **digit == b'0').count();
        let (_, whole) = whole.split_at(zeros);
        let is_zero = whole.is_empty() && fraction.iter().all(|digit| *digit == b'0');
        Some(Self { is_negative: is_negative && !is_zero, whole, fraction })
    }

    /// Returns the fraction without trailing zeros.
    pub(super) fn significant_fraction(&self) -> &'a [u8] {
        let mut fraction = self.fraction;
        while let [rest @ .., b'0'] = fraction {
            fraction = rest;
        }
        fraction
    }

    pub(super) fn is_zero(&self) -> bool {
        self.whole.is_empty() && self.significant_fraction().is_empty()
    }

    /// Compares the numbers by value.
    pub(crate) fn order(&self, other: &DecimalDigits<'_>) -> Ordering {
        let magnitude = || {
            let whole = self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(other.whole));
            whole.then_with(|| self.significant_fraction().cmp(other.significant_fraction()))
        };
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
        }
    }

    /// Returns the number if it is whole and fits.
    pub(super) fn to_i64(self) -> Option<i64> {
        if !self.significant_fraction().is_empty() || self.whole.len() > 19 {
            return None;
        }
        // Accumulated below zero, because `i64` has one more negative number than positive ones.
        let mut number = 0_i64;
        for digit in self.whole {
            number = number.checked_mul(10)?.checked_sub(i64::from(digit_value(*digit)))?;
        }
        if self.is_negative { Some(number) } else { number.checked_neg() }
    }

    /// Returns the number times 10^`scale`, or `None` if it does not fit or has more significant fractional digits than
    /// `scale`.
    pub(crate) fn to_i128(self, scale: u16) -> Option<i128> {
        let fraction = self.significant_fraction();
        let zeros = usize::from(scale).checked_sub(fraction.len())?;
        let mut number = 0_i128;
        for digit in self.whole.iter().chain(fraction) {
            number = number.checked_mul(10)?.checked_add(i128::from(digit_value(*digit)))?;
        }
        for _ in 0..zeros {
            number = number.checked_mul(10)?;
        }
        if self.is_negative { number.checked_neg() } else { Some(number) }
    }
}

/// Returns the value of an ASCII digit, which is its low four bits.
pub(super) fn digit_value(digit: u8) -> u8 {
    digit & 0x0f
}
