//! The [text format of PostgreSQL's COPY](https://www.postgresql.org/docs/current/sql-copy.html).

use std::borrow::Cow;

use crate::cast::CastValue;
use crate::cast::number::DecimalDigits;
use crate::cast::text::Text;
use crate::cast::time::{Civil, MICROS_PER_DAY, civil_of_days};

/// The delimiter of fields.
pub(crate) const DELIMITER: u8 = b'\t';
/// The text of a missing value.
pub(crate) const NULL: &[u8] = b"\\N";

/// Writes a value. If `has_zone`, a timestamp has the offset of UTC, so that the session's time zone does not matter.
#[inline(always)]
pub(crate) fn write(value: &CastValue<'_>, has_zone: bool, out: &mut Vec<u8>) {
    match *value {
        CastValue::Text(Text { text, traits }) => {
            if traits.is_plain {
                out.extend_from_slice(text.as_bytes());
            } else {
                escape(text.as_bytes(), out);
            }
        }
        CastValue::Integer(number) => integer(number, out),
        CastValue::Decimal(number) => decimal(&number, out),
        CastValue::Scaled(unscaled, scale) => scaled(unscaled, scale, out),
        CastValue::Double(number) => double(number, out),
        CastValue::Boolean(value) => out.push(if value { b't' } else { b'f' }),
        CastValue::Date(days) => date(days, out),
        CastValue::Time(micros) => clock(micros.unsigned_abs(), out),
        CastValue::Timestamp(micros) => timestamp(micros, has_zone, out),
    }
}

/// Writes a text with escapes for the characters that are special in COPY text.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut from = 0;
    for (index, byte) in text.iter().enumerate() {
        let letter = match byte {
            b'\\' => b'\\',
            b'\t' => b't',
            b'\n' => b'n',
            b'\r' => b'r',
            0x08 => b'b',
            0x0b => b'v',
            0x0c => b'f',
            _ => continue,
        };
        out.extend_from_slice(text.get(from..index).expect(IN_TEXT));
        out.extend_from_slice(&[b'\\', letter]);
        from = index.saturating_add(1);
    }
    out.extend_from_slice(text.get(from..).expect(IN_TEXT));
}

const IN_TEXT: &str = "the positions are those of bytes of the text";

/// Returns a field without its backslashes. An escaped character is represented by its letter, because callers only
/// count bytes.
pub(crate) fn unescaped(field: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', field).is_none() {
        return Cow::Borrowed(field);
    }
    let mut plain = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' {
            *bytes.next().expect("each backslash of COPY text escapes a byte")
        } else {
            *byte
        });
    }
    Cow::Owned(plain)
}

/// Writes a whole number.
#[inline]
pub(crate) fn integer(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn decimal(number: &DecimalDigits<'_>, out: &mut Vec<u8>) {
    if number.is_negative {
        out.push(b'-');
    }
    out.extend_from_slice(if number.whole.is_empty() { b"0" } else { number.whole });
    if !number.fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(number.fraction);
    }
}

/// Writes a decimal number with `scale` digits after the point.
#[inline]
fn scaled(unscaled: i64, scale: u8, out: &mut Vec<u8>) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(unscaled.unsigned_abs()).as_bytes();
    let scale = usize::from(scale);
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale));
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
    if scale > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', scale.saturating_sub(fraction.len())));
        out.extend_from_slice(fraction);
    }
}

/// Writes the shortest digits that are parsed as the same number, with an exponent for very small and large numbers.
fn double(number: f64, out: &mut Vec<u8>) {
    let size = number.abs();
    let text =
        if size == 0.0 || (1e-5..1e17).contains(&size) { number.to_string() } else { format!("{number:e}") };
    out.extend_from_slice(text.as_bytes());
}

#[inline]
fn date(days: i32, out: &mut Vec<u8>) {
    out.extend_from_slice(&date_digits(days));
}

/// Returns a date as `YYYY-MM-DD`.
#[inline(always)]
pub(crate) fn date_digits(days: i32) -> [u8; 10] {
    let Civil { year, month, day } = civil_of_days(days);
    let [c1, c2] = two_digits(u64::from(year / 100));
    let [y1, y2] = two_digits(u64::from(year));
    let [m1, m2] = two_digits(u64::from(month));
    let [d1, d2] = two_digits(u64::from(day));
    [c1, c2, y1, y2, b'-', m1, m2, b'-', d1, d2]
}

#[inline]
fn timestamp(micros: i64, has_zone: bool, out: &mut Vec<u8>) {
    date(i32::try_from(micros.div_euclid(MICROS_PER_DAY)).expect("years 1 to 9999"), out);
    out.push(b' ');
    clock(micros.rem_euclid(MICROS_PER_DAY).unsigned_abs(), out);
    if has_zone {
        out.extend_from_slice(b"+00");
    }
}

/// Writes microseconds since midnight as `HH:MM:SS[.ffffff]`, without trailing zeros.
#[inline]
pub(crate) fn clock(micros: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&clock_digits(micros));
    let fraction = micros % 1_000_000;
    if fraction > 0 {
        let [[f1, f2], [f3, f4], [f5, f6]] = [fraction / 10_000, fraction / 100, fraction].map(two_digits);
        out.extend_from_slice(&[b'.', f1, f2, f3, f4, f5, f6]);
        let zeros = out.iter().rev().take_while(|digit| **digit == b'0').count();
        out.truncate(out.len().saturating_sub(zeros));
    }
}

/// Returns microseconds since midnight as `HH:MM:SS`, truncated to seconds.
#[inline(always)]
fn clock_digits(micros: u64) -> [u8; 8] {
    let seconds = micros / 1_000_000;
    let [h1, h2] = two_digits(seconds / 3_600);
    let [m1, m2] = two_digits(seconds / 60 % 60);
    let [s1, s2] = two_digits(seconds % 60);
    [h1, h2, b':', m1, m2, b':', s1, s2]
}

/// Returns the last two digits of a number.
#[inline]
fn two_digits(number: u64) -> [u8; 2] {
    let number = u8::try_from(number % 100).expect("a remainder is below its divisor");
    [b'0' | (number / 10), b'0' | (number % 10)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_are_written_like_by_the_standard_library(number: i64, digits in 0..64_u32, scale in 0..=30_u8) {
            let number = number.checked_shr(digits).unwrap_or_default();
            let mut out = b"before".to_vec();
            integer(number, &mut out);
            prop_assert_eq!(out, format!("before{number}").into_bytes());

            let mut out = Vec::new();
            scaled(number, scale, &mut out);
            let digits = format!("{:0>width$}", number.unsigned_abs(), width = usize::from(scale) + 1);
            let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
            let sign = if number < 0 { "-" } else { "" };
            let point = if fraction.is_empty() { "" } else { "." };
            prop_assert_eq!(out, format!("{sign}{whole}{point}{fraction}").into_bytes());
        }
    }
}
