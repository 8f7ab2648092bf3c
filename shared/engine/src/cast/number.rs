//! Casts of numbers. They work on decimal digits; only values of `double precision` columns become floats.

mod decimal;
mod limits;
mod notation;
mod scaled;
mod unchanged;

use std::cmp::Ordering;

use super::value::CastValue;
use crate::outcome::Code;
pub(crate) use decimal::DecimalDigits;
use decimal::digit_value;
pub(crate) use notation::Notation;
use notation::{Unsigned, without_groups};
use scaled::Scaled;

/// The largest absolute exponent. A greater one is a mistake, and the number without an exponent would exhaust the
/// memory.
pub(crate) const MAX_EXPONENT: i64 = 400;
/// The most digits on each side of the decimal point.
pub(crate) const MAX_DIGITS: usize = 1_000;

/// A decimal number of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Literal {
    is_negative: bool,
    whole: Vec<u8>,
    fraction: Vec<u8>,
}

impl Literal {
    /// Parses a decimal number with or without an exponent.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut digits = String::new();
        let plain = plain(text, Notation::CONTRACT, &mut digits)?;
        let DecimalDigits { is_negative, whole, fraction } = DecimalDigits::parse(plain)?;
        Some(Self { is_negative, whole: whole.to_vec(), fraction: fraction.to_vec() })
    }

    pub(crate) fn decimal(&self) -> DecimalDigits<'_> {
        DecimalDigits { is_negative: self.is_negative, whole: &self.whole, fraction: &self.fraction }
    }
}

/// The type of a column of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NumberType {
    /// A whole number from `low` to `high`.
    Integer {
        low: i64,
        high: i64,
    },
    /// `numeric`, with its precision and scale if it has them. `is_whole` if the logical type is `integer`.
    Numeric {
        size: Option<(u16, u16)>,
        is_whole: bool,
    },
    Double,
}

/// A bound of an interval of decimal numbers.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pub(crate) value: Literal,
    pub(crate) is_exclusive: bool,
}

/// The cast and the rules of numbers.
#[derive(Debug, Clone)]
pub(crate) struct NumberCast {
    pub(crate) kind: NumberType,
    pub(crate) notation: Notation,
    pub(crate) minimum: Option<Limit>,
    pub(crate) maximum: Option<Limit>,
    pub(crate) multiple_of: Option<Multiple>,
    pub(crate) allowed: Vec<Literal>,
    /// The interval of the allowed values, if the rules are only an interval and 64 bits hold its bounds.
    pub(crate) scaled: Option<Scaled>,
}

impl NumberCast {
    /// Returns the number and its value in the column's type. [`NumberCast::check`] checks its rules.
    #[inline]
    pub(crate) fn cast<'a>(
        &self,
        text: &'a str,
        notation: Notation,
        scratch: &'a mut String,
    ) -> Result<(DecimalDigits<'a>, Result<CastValue<'a>, Code>), Code> {
        let is_whole = match self.kind {
            NumberType::Integer { .. } => true,
            NumberType::Numeric { is_whole, .. } => is_whole,
            NumberType::Double => false,
        };
        let malformed = if is_whole { Code::NotAnInteger } else { Code::NotANumber };
        // Most numbers are plain digits. In other notations `.` may be the group separator.
        let direct = if notation == Notation::CONTRACT { DecimalDigits::parse(text) } else { None };
        let (decimal, plain) = match direct {
            Some(decimal) => (decimal, text),
            None => {
                let plain = plain(text, notation, scratch);
                let plain = plain.ok_or_else(|| limits::fault(text, notation, malformed))?;
                (DecimalDigits::parse(plain).ok_or(malformed)?, plain)
            }
        };
        if is_whole && !decimal.significant_fraction().is_empty() {
            return Err(malformed);
        }
        Ok((decimal, self.fit(decimal, plain)))
    }

    fn fit<'a>(&self, decimal: DecimalDigits<'a>, plain: &str) -> Result<CastValue<'a>, Code> {
        match self.kind {
            NumberType::Integer { low, high } => {
                let number = decimal.to_i64().filter(|number| (low..=high).contains(number));
                number.map(CastValue::Integer).ok_or(Code::OutOfRange)
            }
            NumberType::Numeric { size, is_whole } => {
                let significant = decimal.significant_fraction().len();
                let (precision, scale) = match size {
                    Some((precision, scale)) => (usize::from(precision), usize::from(scale)),
                    None => (2 * MAX_DIGITS, MAX_DIGITS),
                };
                if significant > scale || decimal.whole.len() > precision.saturating_sub(scale) {
                    return Err(Code::OutOfRange);
                }
                let length = if is_whole { 0 } else { decimal.fraction.len().min(scale) };
                let (fraction, _) = decimal.fraction.split_at(length);
                Ok(CastValue::Decimal(DecimalDigits { fraction, ..decimal }))
            }
            NumberType::Double => {
                let number: f64 = plain.parse().map_err(|_| Code::NotANumber)?;
                // A number that underflows to zero is out of range like one that overflows.
                if number.is_finite() && (number != 0.0 || decimal.is_zero()) {
                    Ok(CastValue::Double(number))
                } else {
                    Err(Code::OutOfRange)
                }
            }
        }
    }

    /// Returns true if [`NumberCast::check`] has rules to check.
    pub(crate) fn has_rules(&self) -> bool {
        let Self { minimum, maximum, multiple_of, allowed, .. } = self;
        minimum.is_some() || maximum.is_some() || multiple_of.is_some() || !allowed.is_empty()
    }

    #[inline]
    pub(crate) fn check(&self, number: &DecimalDigits<'_>, report: &mut impl FnMut(Code)) {
        let beyond = |limit: &Option<Limit>, side: Ordering| {
            limit.as_ref().is_some_and(|limit| {
                let order = number.order(&limit.value.decimal());
                order == side || limit.is_exclusive && order.is_eq()
            })
        };
        if beyond(&self.minimum, Ordering::Less) {
            report(Code::BelowMinimum);
        }
        if beyond(&self.maximum, Ordering::Greater) {
            report(Code::AboveMaximum);
        }
        if self.multiple_of.as_ref().is_some_and(|multiple| !multiple.divides(number)) {
            report(Code::NotAMultiple);
        }
        let is_equal = |allowed: &Literal| number.order(&allowed.decimal()).is_eq();
        if !self.allowed.is_empty() && !self.allowed.iter().any(is_equal) {
            report(Code::NotAllowed);
        }
    }
}

/// `multipleOf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Multiple {
    /// The number times 10^`scale`.
    unscaled: u64,
    scale: usize,
}

impl Multiple {
    /// Parses a positive number. Returns `None` for other numbers and for those with too many digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let literal = Literal::parse(text)?;
        let decimal = literal.decimal();
        let scale = decimal.significant_fraction().len();
        let unscaled = u64::try_from(decimal.to_i128(u16::try_from(scale).ok()?)?).ok()?;
        if unscaled == 0 { None } else { Some(Self { unscaled, scale }) }
    }

    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the remainder is below 2^64, and the divisor is not 0"
    )]
    fn divides(&self, number: &DecimalDigits<'_>) -> bool {
        let fraction = number.significant_fraction();
        // A multiple has at most as many fractional digits as the number that it is a multiple of.
        let Some(zeros) = self.scale.checked_sub(fraction.len()) else { return false };
        let digits = number.whole.iter().chain(fraction).map(|digit| digit_value(*digit));
        let divisor = u128::from(self.unscaled);
        let remainder = digits
            .chain(std::iter::repeat_n(0, zeros))
            .fold(0_u128, |remainder, digit| (remainder * 10 + u128::from(digit)) % divisor);
        remainder == 0
    }
}

/// Returns the digits of a number, with its sign, groups and exponent resolved.
pub(crate) fn digits<'a>(
    text: &'a str,
    notation: Notation,
    scratch: &'a mut String,
) -> Option<DecimalDigits<'a>> {
    // Most numbers are plain digits. In other notations `.` may be the group separator.
    let direct = if notation == Notation::CONTRACT { DecimalDigits::parse(text) } else { None };
    direct.or_else(|| DecimalDigits::parse(plain(text, notation, scratch)?))
}

/// Converts a number to the form that [`DecimalDigits::parse`] reads: with `.` as separator, and with its sign, groups
/// and exponent resolved. Returns `None` if the text is not a number or exceeds the [limits].
///
/// The last group must have three digits and the ones before it two or three (as in India), so `1.5` is not read as 15
/// if `.` is the group separator.
fn plain<'a>(text: &str, notation: Notation, scratch: &'a mut String) -> Option<&'a str> {
    scratch.clear();
    let Unsigned { is_negative, text, shift } = notation.unsigned(text)?;
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?.checked_add(shift)?),
        None => (text, shift),
    };
    let (whole, fraction) = digits.split_once(notation.decimal).unwrap_or((digits, ""));
    let whole = without_groups(whole, notation.group)?;
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let length = whole.len().saturating_add(fraction.len());
    if length == 0 || length > MAX_DIGITS || !is_digits(&whole) || !is_digits(fraction) {
        return None;
    }
    if is_negative {
        scratch.push('-');
    }
    let places = usize::try_from(exponent.unsigned_abs()).ok()?;
    if exponent >= 0 {
        let fraction = format!("{fraction:0<places$}");
        let (more, fraction) = fraction.split_at_checked(places)?;
        scratch.push_str(&whole);
        scratch.push_str(more);
        scratch.push('.');
        scratch.push_str(fraction);
    } else {
        let whole = format!("{whole:0>places$}");
        let (whole, less) = whole.split_at_checked(whole.len().checked_sub(places)?)?;
        scratch.push_str(whole);
        scratch.push('.');
        scratch.push_str(less);
        scratch.push_str(fraction);
    }
    Some(scratch)
}

fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|exponent| (-MAX_EXPONENT..=MAX_EXPONENT).contains(exponent))
}
