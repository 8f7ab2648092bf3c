//! The text format of PostgreSQL's COPY, <https://www.postgresql.org/docs/current/sql-copy.html>.

pub(crate) mod lines;

use std::borrow::Cow;

use crate::cast::CastValue;
use crate::cast::number::DecimalDigits;
use crate::cast::text::Text;
use crate::cast::time::{Civil, MICROS_PER_DAY, civil_of_days};

/// Ends a field.
pub(crate) const DELIMITER: u8 = b'\t';
/// A missing value.
pub(crate) const NULL: &[u8] = b"\\N";

/// Writes a value. `has_zone`: a timestamp gets the offset of UTC, so that the session's time zone does not matter.
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

/// The value of a field's text. An escaped character is its letter: only bytes are counted.
pub(crate) fn unescaped(field: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(b'\\', field).is_none() {
        return Cow::Borrowed(field);
    }
    let mut plain = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        plain.push(if *byte == b'\\' { bytes.next().copied().unwrap_or(b'\\') } else { *byte });
    }
    Cow::Owned(plain)
}

/// Decimal digits.
#[inline]
pub(crate) fn integer(number: i64, out: &mut Vec<u8>) {
    if number < 0 {
        out.push(b'-');
    }
    let number = number.unsigned_abs();
    if number < EIGHT {
        first_digits(number, out);
    } else if number < EIGHT * EIGHT {
        first_digits(number / EIGHT, out);
        out.extend_from_slice(&eight_digits(number % EIGHT));
    } else {
        first_digits(number / EIGHT / EIGHT, out);
        out.extend_from_slice(&eight_digits(number / EIGHT % EIGHT));
        out.extend_from_slice(&eight_digits(number % EIGHT));
    }
}

/// What a number of eight digits is below.
const EIGHT: u64 = 100_000_000;

/// The digits of a number below 10⁸, without zeros before them.
#[inline]
fn first_digits(number: u64, out: &mut Vec<u8>) {
    let digits = count_digits(number);
    put_first(last_digits(number, digits), digits, out);
}

/// Writes the first bytes of a block. All of it is copied, in a length that the compiler knows, and cut.
#[inline(always)]
fn put_first<const BYTES: usize>(block: [u8; BYTES], length: usize, out: &mut Vec<u8>) {
    let end = out.len().saturating_add(length);
    out.extend_from_slice(&block);
    out.truncate(end);
}

#[inline]
fn count_digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |last| last.saturating_add(1)) as usize
}

/// So many last digits of a number below 10⁸, at most eight; then anything.
#[inline]
fn last_digits(number: u64, digits: usize) -> [u8; 8] {
    let bits = LAST_DIGITS.get(digits).copied().unwrap_or_default();
    let word = u64::from_le_bytes(eight_digits(number)).checked_shr(bits);
    word.unwrap_or_default().to_le_bytes()
}

/// By the number of digits: the bits of those before them in a word of eight.
const LAST_DIGITS: [u32; 9] = [64, 56, 48, 40, 32, 24, 16, 8, 0];

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

/// As many digits after the point as the scale says.
#[inline]
fn scaled(unscaled: i64, scale: u8, out: &mut Vec<u8>) {
    if unscaled < 0 {
        out.push(b'-');
    }
    let (number, scale) = (unscaled.unsigned_abs(), usize::from(scale));
    // One digit stands before the point.
    let digits = count_digits(number).max(scale.saturating_add(1));
    if digits <= 8 && scale > 0 {
        let block = with_point(last_digits(number, digits), digits.saturating_sub(scale));
        return put_first(block, digits.saturating_add(1), out);
    }
    let mut digits = NO_DIGITS;
    let (whole, fraction) = decimal_digits(number, scale, &mut digits);
    out.extend_from_slice(whole);
    if !fraction.is_empty() {
        out.push(b'.');
        out.extend_from_slice(fraction);
    }
}

/// A point behind the first of some digits; at least one digit is behind it.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "a word has eight digits")]
fn with_point(digits: [u8; 8], whole: usize) -> [u8; 16] {
    let digits = u128::from(u64::from_le_bytes(digits));
    let bits = (whole & 7) * 8;
    let first = digits & ((1 << bits) - 1);
    (first | u128::from(b'.') << bits | (digits ^ first) << 8).to_le_bytes()
}

/// More than the digits of a decimal of 64 bits whose scale is at most 30.
const LONGEST: usize = 40;
/// The room of [`decimal_digits`].
pub(crate) const NO_DIGITS: [u8; LONGEST] = [b'0'; LONGEST];

/// The digits before and after the point of a number of so many last places, at most 30 of them. `digits`:
/// [`NO_DIGITS`].
pub(crate) fn decimal_digits(unscaled: u64, places: usize, digits: &mut [u8; LONGEST]) -> (&[u8], &[u8]) {
    let mut rest = unscaled;
    for block in digits.as_chunks_mut::<8>().0.iter_mut().rev() {
        *block = eight_digits(rest % EIGHT);
        rest /= EIGHT;
        if rest == 0 {
            break;
        }
    }
    // One digit stands before the point.
    let length = count_digits(unscaled).max(places.saturating_add(1));
    let written = digits.get(LONGEST.saturating_sub(length)..).unwrap_or_default();
    written.split_at(written.len().saturating_sub(places))
}

/// The digits of a number below 10⁸: halves, quarters and single ones are parted in the lanes of one word.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "no lane leaves its bits")]
fn eight_digits(number: u64) -> [u8; 8] {
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    // Below 10,000, this is a division by 100; below 100, the next one is by 10.
    let hundreds = ((fours * 5_243) >> 19) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | ((twos - tens * 10) << 8);
    (ones + 0x3030_3030_3030_3030).to_le_bytes()
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
    out.extend_from_slice(&date_digits(days));
}

/// `YYYY-MM-DD`.
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
#[expect(clippy::arithmetic_side_effects, reason = "ten bytes at most")]
fn timestamp(micros: i64, has_zone: bool, out: &mut Vec<u8>) {
    let days = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).expect("years 1 to 9999");
    let micros = micros.rem_euclid(MICROS_PER_DAY).unsigned_abs();
    let [y1, y2, y3, y4, b1, m1, m2, b2, d1, d2] = date_digits(days);
    let [c1, c2, c3, c4, c5, c6, c7, c8] = clock_digits(micros);
    out.extend_from_slice(&[y1, y2, y3, y4, b1, m1, m2, b2, d1, d2, b' ', c1, c2, c3, c4, c5, c6, c7, c8]);
    let (fraction, length) = fraction(micros);
    let behind = u128::from(fraction) | u128::from(UTC) << (8 * length);
    let zone = if has_zone { UTC_BYTES } else { 0 };
    put_first(behind.to_le_bytes(), length + zone, out);
}

/// `+00`.
const UTC: u32 = u32::from_le_bytes([b'+', b'0', b'0', 0]);
const UTC_BYTES: usize = 3;

/// `HH:MM:SS[.ffffff]` of microseconds since midnight, without trailing zeros.
#[inline]
pub(crate) fn clock(micros: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&clock_digits(micros));
    let (fraction, length) = fraction(micros);
    put_first(fraction.to_le_bytes(), length, out);
}

/// `HH:MM:SS`.
#[inline(always)]
fn clock_digits(micros: u64) -> [u8; 8] {
    let seconds = micros / 1_000_000;
    let [h1, h2] = two_digits(seconds / 3_600);
    let [m1, m2] = two_digits(seconds / 60 % 60);
    let [s1, s2] = two_digits(seconds % 60);
    [h1, h2, b':', m1, m2, b':', s1, s2]
}

/// `.ffffff` without trailing zeros, in the first bytes of a word whose other bytes are 0, and how many they are.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "a word has eight bytes")]
fn fraction(micros: u64) -> (u64, usize) {
    let digits = u64::from_le_bytes(eight_digits(micros % 1_000_000));
    let zeros = (digits ^ 0x3030_3030_3030_3030).leading_zeros() / 8;
    // Of the two digits before the fraction's one becomes the point; with no other digit, none is written.
    let length = 7_u32.saturating_sub(zeros);
    let fraction = (digits >> 8 & !0xff) | u64::from(b'.');
    (fraction & u64::MAX.checked_shr(64 - 8 * length).unwrap_or_default(), length as usize)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_group_of_digits_is_written() {
        for number in 0..10_000 {
            for number in [number, number * 10_000, number * 10_000 + 9_999] {
                assert_eq!(&eight_digits(number), format!("{number:08}").as_bytes());
            }
        }
    }

    proptest! {
        #[test]
        fn numbers_are_written_as_they_are(number: i64, digits in 0..64_u32, scale in 0..=30_u8) {
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
