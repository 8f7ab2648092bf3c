//! The text format of PostgreSQL's COPY, <https://www.postgresql.org/docs/current/sql-copy.html>.

use crate::cast::Value;
use crate::cast::number::Decimal;
use crate::cast::text::Text;
use crate::cast::time::{Civil, MICROS_PER_DAY, civil_of_days};

/// Ends a field.
pub(crate) const DELIMITER: u8 = b'\t';
/// A missing value.
pub(crate) const NULL: &[u8] = b"\\N";

/// Writes a value. `has_zone`: a timestamp gets the offset of UTC, so that the session's time zone does not matter.
#[inline]
pub(crate) fn write(value: &Value<'_>, has_zone: bool, out: &mut Vec<u8>) {
    match *value {
        Value::Text(Text { text, traits }) => {
            if traits.is_plain {
                out.extend_from_slice(text.as_bytes());
            } else {
                escape(text.as_bytes(), out);
            }
        }
        Value::Integer(number) => integer(number, out),
        Value::Decimal(number) => decimal(&number, out),
        Value::Scaled(unscaled, scale) => scaled(unscaled, scale, out),
        Value::Double(number) => double(number, out),
        Value::Boolean(value) => out.push(if value { b't' } else { b'f' }),
        Value::Date(days) => date(days, out),
        Value::Time(micros) => clock(micros.unsigned_abs(), out),
        Value::Timestamp(micros) => timestamp(micros, has_zone, out),
    }
}

/// What COPY would take for its own is written with a backslash.
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
        out.extend_from_slice(text.get(from..index).unwrap_or_default());
        out.extend_from_slice(&[b'\\', letter]);
        from = index.saturating_add(1);
    }
    out.extend_from_slice(text.get(from..).unwrap_or_default());
}

/// Decimal digits, two at a time.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "64 bits have no more than 20 digits")]
pub(crate) fn integer(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    let mut digits = [0_u8; 20];
    let mut rest = number.unsigned_abs();
    let mut length = 0;
    for pair in digits.as_chunks_mut::<2>().0.iter_mut().rev() {
        *pair = two_digits(rest);
        rest /= 100;
        length += 2;
        if rest == 0 {
            break;
        }
    }
    let written = digits.get(digits.len() - length..).unwrap_or_default();
    out.extend_from_slice(written.strip_prefix(b"0").filter(|rest| !rest.is_empty()).unwrap_or(written));
}

fn decimal(number: &Decimal<'_>, out: &mut Vec<u8>) {
    if number.is_negative {
        out.push(b'-');
    }
    out.extend_from_slice(if number.whole.is_empty() { b"0" } else { number.whole });
    if !number.fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(number.fraction);
    }
}

/// As many digits after the point as the scale says.
#[inline]
fn scaled(unscaled: i64, scale: u8, out: &mut Vec<u8>) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let mut digits = NO_DIGITS;
    let (whole, fraction) = decimal_digits(unscaled.unsigned_abs(), usize::from(scale), &mut digits);
    out.extend_from_slice(whole);
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

/// More than the digits of a decimal of 64 bits whose scale is at most 30.
const LONGEST: usize = 40;
/// The room of [`decimal_digits`].
pub(crate) const NO_DIGITS: [u8; LONGEST] = [b'0'; LONGEST];

/// The digits before and after the point of a number of so many last places, at most 30 of them. `digits`:
/// [`NO_DIGITS`].
#[inline]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "64 bits have no more than 20 digits, and the divisor is 100"
)]
pub(crate) fn decimal_digits(unscaled: u64, places: usize, digits: &mut [u8; LONGEST]) -> (&[u8], &[u8]) {
    let mut rest = unscaled;
    let mut length = 0;
    for pair in digits.as_chunks_mut::<2>().0.iter_mut().rev() {
        *pair = two_digits(rest);
        length += if rest < 10 { 1 } else { 2 };
        rest /= 100;
        if rest == 0 {
            break;
        }
    }
    // One digit stands before the point.
    length = length.max(places.saturating_add(1));
    let written = digits.get(LONGEST.saturating_sub(length)..).unwrap_or_default();
    written.split_at(written.len().saturating_sub(places))
}

/// The shortest digits that read back as the same number, with an exponent where they would be many.
fn double(number: f64, out: &mut Vec<u8>) {
    let size = number.abs();
    let text =
        if size == 0.0 || (1e-5..1e17).contains(&size) { number.to_string() } else { format!("{number:e}") };
    out.extend_from_slice(text.as_bytes());
}

#[inline]
fn date(days: i32, out: &mut Vec<u8>) {
    let Civil { year, month, day } = civil_of_days(days);
    let [c1, c2] = two_digits(u64::from(year / 100));
    let [y1, y2] = two_digits(u64::from(year));
    let [m1, m2] = two_digits(u64::from(month));
    let [d1, d2] = two_digits(u64::from(day));
    out.extend_from_slice(&[c1, c2, y1, y2, b'-', m1, m2, b'-', d1, d2]);
}

#[inline]
fn timestamp(micros: i64, has_zone: bool, out: &mut Vec<u8>) {
    let days = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).expect("years 1 to 9999");
    date(days, out);
    out.push(b' ');
    clock(micros.rem_euclid(MICROS_PER_DAY).unsigned_abs(), out);
    if has_zone {
        out.extend_from_slice(b"+00");
    }
}

/// `HH:MM:SS[.ffffff]` of microseconds since midnight, without trailing zeros.
#[inline]
pub(crate) fn clock(micros: u64, out: &mut Vec<u8>) {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let [h1, h2] = two_digits(seconds / 3_600);
    let [m1, m2] = two_digits(seconds / 60 % 60);
    let [s1, s2] = two_digits(seconds % 60);
    out.extend_from_slice(&[h1, h2, b':', m1, m2, b':', s1, s2]);
    if fraction > 0 {
        let [[f1, f2], [f3, f4], [f5, f6]] = [fraction / 10_000, fraction / 100, fraction].map(two_digits);
        let digits = [b'.', f1, f2, f3, f4, f5, f6];
        let mut digits = digits.as_slice();
        while let [rest @ .., b'0'] = digits {
            digits = rest;
        }
        out.extend_from_slice(digits);
    }
}

/// The last two digits.
#[inline]
fn two_digits(number: u64) -> [u8; 2] {
    const PAIRS: [[u8; 2]; 100] = pairs();
    let pair = usize::try_from(number % 100).ok().and_then(|index| PAIRS.get(index));
    pair.copied().unwrap_or(*b"00")
}

/// `00` to `99`.
#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "run by the compiler, on numbers below 100"
)]
const fn pairs() -> [[u8; 2]; 100] {
    let mut pairs = [*b"00"; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
}
