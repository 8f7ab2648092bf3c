//! Exact decimal literals, for the bounds of contracts.

use std::cmp::Ordering;

use crate::model::Threshold;

/// Exponents beyond this are mistakes, and their plain form would use too much memory.
const MAX_EXPONENT: i32 = 400;
const MAX_DIGITS: usize = 1_000;

/// A decimal number as its digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decimal {
    negative: bool,
    /// Digits before the point, without leading zeros; empty below one.
    whole: String,
    /// Digits after the point, without trailing zeros.
    fraction: String,
}

impl Decimal {
    /// Parses `[+-]digits[.digits][e[+-]digits]`, with digits on at least one side of the point.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent)?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let length = whole.len().saturating_add(fraction.len());
        if length == 0 || length > MAX_DIGITS || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let (whole, fraction) = shift(whole, fraction, exponent);
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Some(Self { negative, whole, fraction })
    }

    /// Returns true for a number without a fraction.
    pub(crate) fn is_whole(&self) -> bool {
        self.fraction.is_empty()
    }

    pub(crate) fn is_positive(&self) -> bool {
        !self.negative && self.digits() != (0, 0)
    }

    /// Returns the number as a threshold, or `None` if it has too many digits.
    pub(crate) fn threshold(&self) -> Option<Threshold> {
        Threshold::new(self.negative, &self.whole, &self.fraction)
    }

    /// Returns true if the number is negative, and its digits before and after the point.
    pub(crate) fn parts(&self) -> (bool, &[u8], &[u8]) {
        (self.negative, self.whole.as_bytes(), self.fraction.as_bytes())
    }

    /// Returns the numbers of digits before and after the point.
    pub(crate) fn digits(&self) -> (usize, usize) {
        (self.whole.len(), self.fraction.len())
    }
}

impl std::fmt::Display for Decimal {
    /// Writes the plain form: no exponent, no plus sign, `0.5` rather than `.5`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        f.write_str(if self.whole.is_empty() { "0" } else { &self.whole })?;
        if self.fraction.is_empty() { Ok(()) } else { write!(f, ".{}", self.fraction) }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let magnitude = || {
            let whole = self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(&other.whole));
            whole.then_with(|| self.fraction.cmp(&other.fraction))
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => magnitude(),
            (true, true) => magnitude().reverse(),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn parse_exponent(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|exponent| (-MAX_EXPONENT..=MAX_EXPONENT).contains(exponent))
}

/// Moves the point by `exponent` places to the right.
fn shift(whole: &str, fraction: &str, exponent: i32) -> (String, String) {
    let places = usize::try_from(exponent.unsigned_abs()).expect("at most MAX_EXPONENT");
    if exponent >= 0 {
        let fraction = format!("{fraction:0<places$}");
        (format!("{whole}{}", &fraction[..places]), fraction[places..].to_owned())
    } else {
        let whole = format!("{whole:0>places$}");
        let point = whole.len().saturating_sub(places);
        (whole[..point].to_owned(), format!("{}{fraction}", &whole[point..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn literals_have_one_plain_form() {
        for (text, plain) in [
            ("0", "0"),
            ("-0.0", "0"),
            ("+1", "1"),
            ("007.50", "7.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e6", "1000000"),
            ("1.25E1", "12.5"),
            ("12.5e-3", "0.0125"),
            ("-1e-2", "-0.01"),
            ("1000000", "1000000"),
        ] {
            assert_eq!(decimal(text).to_string(), plain, "{text}");
        }
        for text in ["", "-", ".", "e1", "1e", "1e9999", "1_000", "0x10", "1,5", "NaN", ".inf", "1e+-2", "é"]
        {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_ordered_by_value() {
        let sorted = ["-10", "-9.5", "-0.01", "0", "0.009", "0.01", "1", "1.5", "9", "10", "10.01", "1e3"];
        for pair in sorted.windows(2) {
            assert!(decimal(pair[0]) < decimal(pair[1]), "{pair:?}");
        }
        assert_eq!(decimal("1.50").cmp(&decimal("1.5")), Ordering::Equal);
    }
}
