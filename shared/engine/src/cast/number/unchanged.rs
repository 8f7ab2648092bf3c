//! The fast path for numbers whose text is stored unchanged, which are nearly all.

use super::decimal::digit_value;
use super::scaled::Scaled;
use super::{Limit, NumberCast, NumberType};
use crate::cast::value::CastValue;

impl NumberCast {
    /// Returns the cast with its interval [scaled](NumberCast::scaled), if its rules are only an interval.
    pub(crate) fn with_scaled(self) -> Self {
        let (type_low, type_high, scale) = match self.kind {
            NumberType::Integer { low, high } => (low, high, 0),
            NumberType::Numeric { size: Some((precision, scale)), is_whole: false } => {
                let Some(limit) = 10_i64.checked_pow(precision.into()) else { return self };
                let high = limit.saturating_sub(1);
                (high.saturating_neg(), high, scale)
            }
            NumberType::Numeric { .. } | NumberType::Double => return self,
        };
        let is_interval = self.multiple_of.is_none() && self.allowed.is_empty();
        let Some(scale_digits) = u8::try_from(scale).ok().filter(|_| is_interval) else { return self };
        let bound = |limit: &Option<Limit>, inward: i64, unlimited: i64| match limit {
            None => Some(unlimited),
            Some(limit) => {
                let value = i64::try_from(limit.value.decimal().to_i128(scale)?).ok()?;
                value.checked_add(if limit.is_exclusive { inward } else { 0 })
            }
        };
        let low = bound(&self.minimum, 1, type_low);
        let high = bound(&self.maximum, -1, type_high);
        let scaled = low.zip(high).map(|(low, high)| Scaled {
            scale: scale_digits,
            low: low.max(type_low),
            high: high.min(type_high),
            is_integer: matches!(self.kind, NumberType::Integer { .. }),
        });
        Self { scaled, ..self }
    }

    /// Returns the value of a number whose text is stored unchanged. If it returns `None`, [`cast`](Self::cast) must
    /// process the text. The text must be in [`Notation::CONTRACT`](super::Notation::CONTRACT).
    #[inline]
    pub(crate) fn unchanged(&self, text: &str) -> Option<CastValue<'static>> {
        let scaled = self.scaled?;
        let (sign, digits) = match text.as_bytes() {
            [b'-', digits @ ..] => (-1, digits),
            digits => (1, digits),
        };
        let (number, fraction_digits) = unscaled(digits)?;
        let missing = usize::from(scaled.scale).checked_sub(fraction_digits)?;
        let number = number.checked_mul(10_i64.checked_pow(u32::try_from(missing).ok()?)?)?;
        // PostgreSQL stores zero without a sign.
        if sign < 0 && number == 0 { None } else { scaled.value(number.checked_mul(sign)?) }
    }
}

/// Parses `digits[.digits]`: returns the number without its point, and the number of digits after the point. Returns
/// `None` for longer texts than 18 characters, for leading zeros, and for all other texts.
#[inline]
fn unscaled(text: &[u8]) -> Option<(i64, usize)> {
    if text.len() > 18 || matches!(text, [b'0', b'0'..=b'9', ..] | [b'.', ..] | [.., b'.']) {
        return None;
    }
    let (number, rest) = leading_digits(0, text);
    let (number, fraction_digits, rest) = match rest {
        [b'.', fraction @ ..] => {
            let (number, rest) = leading_digits(number, fraction);
            (number, fraction.len(), rest)
        }
        _ => (number, 0, rest),
    };
    (rest.is_empty() && !text.is_empty()).then_some((number, fraction_digits))
}

/// Appends a text's leading digits to a number, and returns the rest of the text. The result has at most 18 digits.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "18 digits fit into 63 bits")]
fn leading_digits(mut number: i64, text: &[u8]) -> (i64, &[u8]) {
    let mut rest = text;
    while let [digit @ b'0'..=b'9', after @ ..] = rest {
        number = number * 10 + i64::from(digit_value(*digit));
        rest = after;
    }
    (number, rest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cast::number::{Literal, Notation};
    use crate::copy;

    fn cast(kind: NumberType, minimum: Option<&str>) -> NumberCast {
        let minimum = minimum.and_then(Literal::parse).map(|value| Limit { value, is_exclusive: true });
        let cast = NumberCast {
            kind,
            notation: Notation::CONTRACT,
            minimum,
            maximum: None,
            multiple_of: None,
            allowed: Vec::new(),
            scaled: None,
        };
        cast.with_scaled()
    }

    /// Returns what the general cast writes, or `None` if it rejects the text.
    fn written(cast: &NumberCast, text: &str) -> Option<Vec<u8>> {
        let mut digits = String::new();
        let (number, value) = cast.cast(text, Notation::CONTRACT, &mut digits).ok()?;
        let mut is_valid = true;
        cast.check(&number, &mut |_| is_valid = false);
        let mut out = Vec::new();
        copy::write(&value.ok().filter(|_| is_valid)?, false, &mut out);
        Some(out)
    }

    #[test]
    fn common_numbers_take_the_fast_path() {
        let whole = cast(NumberType::Integer { low: -99, high: 4_000_000_000_000 }, None);
        let price = cast(NumberType::Numeric { size: Some((12, 2)), is_whole: false }, Some("0"));
        for text in ["0", "7", "-99", "12345678", "4000000000000"] {
            assert!(whole.unchanged(text).is_some(), "{text}");
        }
        for text in ["1", "0.5", "0.01", "19.90", "1234567890.12"] {
            assert!(price.unchanged(text).is_some(), "{text}");
        }
        for text in ["0", "0.00", "-1", "1.234", "12345678901"] {
            assert!(price.unchanged(text).is_none(), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn the_fast_path_stores_the_text_that_the_general_cast_writes(
            pieces in prop::collection::vec(
                prop::sample::select(vec!["0", "1", "9", "00", "12345678", "987654321", ".", "-", "+", "e1", ":", "/"]),
                0..6,
            ),
            (low, high) in any::<(i64, i64)>(),
            (precision, scale) in (1..=18_u16, 0..=18_u16),
            is_integer in any::<bool>(),
            minimum in prop::option::of(prop::sample::select(vec!["0", "-12.5", "7"])),
        ) {
            let kind = if is_integer {
                NumberType::Integer { low, high }
            } else {
                NumberType::Numeric { size: Some((precision, scale.min(precision))), is_whole: false }
            };
            let cast = cast(kind, minimum);
            let text = pieces.concat();
            if let Some(value) = cast.unchanged(&text) {
                prop_assert_eq!(written(&cast, &text), Some(text.clone().into_bytes()));
                let mut digits = String::new();
                let (number, _) = cast.cast(&text, Notation::CONTRACT, &mut digits).expect("the text is a number");
                let scale = if is_integer { 0 } else { scale.min(precision) };
                let unscaled = number.to_i128(scale).and_then(|number| i64::try_from(number).ok());
                let expected = unscaled.map(|number| {
                    let scale = u8::try_from(scale).expect("a scale of at most 18");
                    if is_integer { CastValue::Integer(number) } else { CastValue::Scaled(number, scale) }
                });
                prop_assert_eq!(Some(value), expected);
            }
        }
    }
}
