//! Whole and decimal numbers as text: no floats, so no rounding.

use std::cmp::Ordering;

/// A decimal number's parts, borrowed: no leading zeros before, no trailing zeros after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Decimal<'a> {
    negative: bool,
    integer: &'a [u8],
    fraction: &'a [u8],
}

impl<'a> Decimal<'a> {
    /// Reads `[+-]digits[.digits]`; at least one digit. `None` for anything else, exponents included.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        let (negative, digits) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let split = digits.iter().position(|byte| *byte == b'.').unwrap_or(digits.len());
        let (integer, fraction) = digits.split_at(split);
        let fraction = fraction.strip_prefix(b".").unwrap_or(fraction);
        if integer.is_empty() && fraction.is_empty() {
            return None;
        }
        if !integer.iter().chain(fraction).all(u8::is_ascii_digit) {
            return None;
        }
        let start = integer.iter().position(|byte| *byte != b'0').unwrap_or(integer.len());
        let end = fraction.iter().rposition(|byte| *byte != b'0').map_or(0, |last| last.saturating_add(1));
        let integer = integer.get(start..).unwrap_or_default();
        let fraction = fraction.get(..end).unwrap_or_default();
        let is_zero = integer.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !is_zero, integer, fraction })
    }

    /// True when it fits `numeric(precision, scale)` without rounding.
    pub(crate) fn fits(&self, precision: u16, scale: u16) -> bool {
        let before = usize::from(precision.saturating_sub(scale));
        self.integer.len() <= before && self.fraction.len() <= usize::from(scale)
    }

    /// True when it fits an unconstrained `numeric` (PostgreSQL documentation, 8.1: 131072 digits before and
    /// 16383 after the point).
    pub(crate) fn fits_unconstrained(&self) -> bool {
        self.integer.len() <= 131_072 && self.fraction.len() <= 16_383
    }

    /// Appends the shortest spelling.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.negative {
            out.push(b'-');
        }
        if self.integer.is_empty() {
            out.push(b'0');
        }
        out.extend_from_slice(self.integer);
        if !self.fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(self.fraction);
        }
    }

    /// Compares by value.
    pub(crate) fn compare(&self, other: &Decimal<'_>) -> Ordering {
        match (self.negative, other.negative) {
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => self.compare_magnitude(other),
            (true, true) => other.compare_magnitude(self),
        }
    }

    fn compare_magnitude(&self, other: &Decimal<'_>) -> Ordering {
        (self.integer.len().cmp(&other.integer.len()))
            .then_with(|| self.integer.cmp(other.integer))
            .then_with(|| self.fraction.cmp(other.fraction))
    }

    /// True when it is a whole multiple of `step`. By long division over the digits, so of any length.
    pub(crate) fn is_multiple_of(&self, step: &Step) -> bool {
        let places = usize::from(step.scale);
        if self.fraction.len() > places {
            return false;
        }
        let zeros = std::iter::repeat_n(&b'0', places.saturating_sub(self.fraction.len()));
        let digits = self.integer.iter().chain(self.fraction).chain(zeros);
        let remainder = digits.fold(0u128, |remainder, digit| {
            // Below 2^64 × 10 + 9, by the step's own size.
            (remainder.wrapping_mul(10).wrapping_add(u128::from(digit.wrapping_sub(b'0')))) % step.unscaled
        });
        remainder == 0
    }
}

/// The step of `multipleOf`, as a whole number of 10^-scale.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Step {
    unscaled: u128,
    scale: u16,
}

impl Step {
    /// Reads a positive decimal of at most 18 digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let decimal = Decimal::parse(text.as_bytes())?;
        let digits = decimal.integer.len().saturating_add(decimal.fraction.len());
        if decimal.negative || digits == 0 || digits > 18 {
            return None;
        }
        let unscaled = (decimal.integer.iter().chain(decimal.fraction)).fold(0u128, |sum, digit| {
            sum.wrapping_mul(10).wrapping_add(u128::from(digit.wrapping_sub(b'0')))
        });
        Some(Self { unscaled, scale: u16::try_from(decimal.fraction.len()).ok()? })
    }
}

/// Reads a whole number; `Err(true)` when it is one but does not fit, `Err(false)` when it is none.
pub(crate) fn parse_integer(text: &[u8], min: i64, max: i64) -> Result<i64, bool> {
    let decimal = Decimal::parse(text).ok_or(false)?;
    if !decimal.fraction.is_empty() {
        return Err(false);
    }
    let magnitude = decimal
        .integer
        .iter()
        .try_fold(0i128, |sum, digit| sum.checked_mul(10)?.checked_add(i128::from(digit.wrapping_sub(b'0'))));
    let magnitude = magnitude.ok_or(true)?;
    let value = if decimal.negative { magnitude.checked_neg().ok_or(true)? } else { magnitude };
    match i64::try_from(value) {
        Ok(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(true),
    }
}

/// Appends a whole number.
pub(crate) fn write_integer(value: i64, out: &mut Vec<u8>) {
    use std::io::Write as _;
    write!(out, "{value}").expect("writing to a Vec cannot fail");
}
