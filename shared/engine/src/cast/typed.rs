//! Values that a file holds as numbers, dates and bytes rather than as text.

mod calendar;

use std::fmt::Write;

pub(crate) use self::calendar::duration;
use self::calendar::{clock, date, timestamp, timestamp_of_millis};
use super::time::{self, MICROS_PER_DAY};
use crate::cast::text::Traits;
use crate::hex::hex_digits;
use crate::outcome::Code;

const NANOS_PER_MICRO: i64 = 1_000;

/// A value with the type that the file gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Typed<'a> {
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    /// `unscaled` × 10^-`scale`.
    Decimal {
        unscaled: Halves,
        scale: i8,
    },
    Double(f64),
    /// Widened by its shortest text: 0.1 stays 0.1.
    Float(f32),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Nanoseconds since midnight.
    TimeNanos(i64),
    /// Microseconds since 1970-01-01T00:00, of UTC or of a clock whose zone is not known.
    Timestamp {
        micros: i64,
        is_utc: bool,
    },
    /// The same with `nanos` more, below 1,000.
    TimestampNanos {
        micros: i64,
        nanos: u16,
        is_utc: bool,
    },
    Uuid([u8; 16]),
    /// Text, if they are UTF-8.
    Bytes(&'a [u8]),
    /// A value of a kind that no column takes, by the name of that kind.
    Foreign(&'static str),
    /// A timestamp as milliseconds since 1970 that are too many for 64 bits of microseconds.
    BeyondMicros {
        millis: i64,
        is_utc: bool,
    },
}

/// A number of 128 bits as two words: the number itself would have every value begin at a multiple of sixteen bytes, and be larger
/// by a third.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Halves {
    high: i64,
    low: u64,
}

impl From<i128> for Halves {
    #[inline]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "each half holds its half")]
    fn from(number: i128) -> Self {
        Self { high: (number >> 64) as i64, low: number as u64 }
    }
}

impl From<Halves> for i128 {
    #[inline]
    fn from(Halves { high, low }: Halves) -> Self {
        Self::from(high) << 64 | Self::from(low)
    }
}

impl Typed<'_> {
    /// A timestamp of milliseconds since 1970.
    #[inline]
    pub(crate) fn timestamp_millis(millis: i64, is_utc: bool) -> Self {
        const MICROS_PER_MILLI: i64 = 1_000;
        match millis.checked_mul(MICROS_PER_MILLI) {
            Some(micros) => Self::Timestamp { micros, is_utc },
            None => Self::BeyondMicros { millis, is_utc },
        }
    }

    /// Nanoseconds since 1970-01-01T00:00.
    pub(crate) fn timestamp_nanos(nanos: i64, is_utc: bool) -> Self {
        let micros = nanos.div_euclid(NANOS_PER_MICRO);
        let nanos = u16::try_from(nanos.rem_euclid(NANOS_PER_MICRO)).unwrap_or_default();
        Self::TimestampNanos { micros, nanos, is_utc }
    }

    /// The same value in the fewest variants: what is finer than a microsecond stays as it is.
    #[inline]
    pub(crate) fn plain(self) -> Self {
        match self {
            Self::Float(number) => Self::Double(widened(number)),
            Self::TimeNanos(nanos) if nanos.rem_euclid(NANOS_PER_MICRO) == 0 => {
                Self::Time(nanos.div_euclid(NANOS_PER_MICRO))
            }
            Self::TimestampNanos { micros, nanos: 0, is_utc } => Self::Timestamp { micros, is_utc },
            Self::Boolean(_)
            | Self::Integer(_)
            | Self::Unsigned(_)
            | Self::Decimal { .. }
            | Self::Double(_)
            | Self::Date(_)
            | Self::Time(_)
            | Self::TimeNanos(_)
            | Self::Timestamp { .. }
            | Self::TimestampNanos { .. }
            | Self::Uuid(_)
            | Self::Bytes(_)
            | Self::BeyondMicros { .. }
            | Self::Foreign(_) => self,
        }
    }

    /// True for numbers, whose text has the separators of JSON and no quotes there.
    pub(crate) fn is_number(self) -> bool {
        match self {
            Self::Integer(_) | Self::Unsigned(_) | Self::Decimal { .. } => true,
            Self::Double(number) => number.is_finite(),
            Self::Float(number) => number.is_finite(),
            Self::Boolean(_)
            | Self::Date(_)
            | Self::Time(_)
            | Self::TimeNanos(_)
            | Self::Timestamp { .. }
            | Self::TimestampNanos { .. }
            | Self::Uuid(_)
            | Self::Bytes(_)
            | Self::BeyondMicros { .. }
            | Self::Foreign(_) => false,
        }
    }

    /// Why the value cannot be part of a document that a column reads, with the code that a column of its own type has for
    /// it: JSON would only hold it as a string that means something else to its readers. Dates and timestamps outside the years
    /// 1 to 9999, times outside their day and what is finer than a microsecond are out of range.
    pub(crate) fn document_fault(self) -> Option<Code> {
        let out_of_range = |is_out: bool| is_out.then_some(Code::OutOfRange);
        let is_time = |micros: i64| (0..MICROS_PER_DAY).contains(&micros);
        let is_timestamp =
            |micros: i64| i32::try_from(micros.div_euclid(MICROS_PER_DAY)).is_ok_and(time::is_day);
        match self {
            Self::Double(number) => (!number.is_finite()).then_some(Code::NotANumber),
            Self::Float(number) => (!number.is_finite()).then_some(Code::NotANumber),
            Self::Bytes(bytes) => str::from_utf8(bytes).is_err().then_some(Code::InvalidEncoding),
            Self::BeyondMicros { .. } => Some(Code::OutOfRange),
            Self::Foreign(_) => Some(Code::WrongType),
            Self::Date(days) => out_of_range(!time::is_day(days)),
            Self::Time(micros) => out_of_range(!is_time(micros)),
            Self::TimeNanos(nanos) => {
                let is_fine = nanos.rem_euclid(NANOS_PER_MICRO) != 0;
                out_of_range(is_fine || !is_time(nanos.div_euclid(NANOS_PER_MICRO)))
            }
            Self::Timestamp { micros, .. } => out_of_range(!is_timestamp(micros)),
            Self::TimestampNanos { micros, nanos, .. } => out_of_range(nanos > 0 || !is_timestamp(micros)),
            Self::Boolean(_)
            | Self::Integer(_)
            | Self::Unsigned(_)
            | Self::Decimal { .. }
            | Self::Uuid(_) => None,
        }
    }

    /// Writes the value as JSON: numbers and booleans as such, a value of a foreign kind as null, all else as the string of
    /// its canonical text.
    pub(crate) fn write_json(self, out: &mut String) {
        match self {
            Self::Bytes(bytes) => return write_json_bytes(bytes, out),
            Self::Foreign(_) => return out.push_str("null"),
            Self::Boolean(_)
            | Self::Integer(_)
            | Self::Unsigned(_)
            | Self::Decimal { .. }
            | Self::Double(_)
            | Self::Float(_)
            | Self::Date(_)
            | Self::Time(_)
            | Self::TimeNanos(_)
            | Self::Timestamp { .. }
            | Self::TimestampNanos { .. }
            | Self::BeyondMicros { .. }
            | Self::Uuid(_) => {}
        }
        // Digits, letters and marks that JSON does not escape.
        let quote = if self.is_number() || matches!(self, Self::Boolean(_)) { "" } else { "\"" };
        out.push_str(quote);
        self.render(out);
        out.push_str(quote);
    }

    /// Writes the value's canonical text: ISO 8601 for times, the shortest digits of floats, hexadecimal digits for
    /// bytes that are no text.
    pub(crate) fn render(self, out: &mut String) {
        // Writing to a string does not fail.
        let _ = match self.plain() {
            Self::Boolean(value) => write!(out, "{value}"),
            Self::Integer(number) => write!(out, "{number}"),
            Self::Unsigned(number) => write!(out, "{number}"),
            Self::Decimal { unscaled, scale } => {
                decimal(unscaled.into(), scale, out);
                Ok(())
            }
            Self::Double(number) => double(number, out),
            Self::Float(number) => write!(out, "{number}"),
            Self::Date(days) => date(i64::from(days), out),
            Self::Time(micros) => clock(micros, 0, out),
            Self::TimeNanos(nanos) => {
                let rest = u16::try_from(nanos.rem_euclid(NANOS_PER_MICRO)).unwrap_or_default();
                clock(nanos.div_euclid(NANOS_PER_MICRO), rest, out)
            }
            Self::Timestamp { micros, is_utc } => timestamp(micros, 0, is_utc, out),
            Self::TimestampNanos { micros, nanos, is_utc } => timestamp(micros, nanos, is_utc, out),
            Self::Uuid(number) => uuid(number, out),
            Self::Bytes(bytes) => {
                match str::from_utf8(bytes) {
                    Ok(text) => out.push_str(text),
                    Err(_) => hex(bytes, out),
                }
                Ok(())
            }
            Self::BeyondMicros { millis, is_utc } => timestamp_of_millis(millis, is_utc, out),
            Self::Foreign(kind) => write!(out, "a value of type {kind}"),
        };
    }
}

/// What bytes in hexadecimal begin with.
const HEX_PREFIX: &str = "\\x";

/// Writes bytes as a JSON string that `jsonb` takes: as text where they are UTF-8 without NUL, else `\x` and their hexadecimal
/// digits. A text that begins with `\x` is written in hexadecimal, too, so that what begins so always means bytes.
pub(crate) fn write_json_bytes(bytes: &[u8], out: &mut String) {
    let is_text = |text: &&str| !text.starts_with(HEX_PREFIX) && memchr::memchr(0, bytes).is_none();
    match str::from_utf8(bytes).ok().filter(is_text) {
        Some(text) => write_json_text(text, out),
        None => write_json_hex(bytes, out),
    }
}

/// Writes bytes as a JSON string of `\x` and their hexadecimal digits.
pub(crate) fn write_json_hex(bytes: &[u8], out: &mut String) {
    // The backslash is escaped.
    out.push_str("\"\\");
    hex(bytes, out);
    out.push('"');
}

/// Writes a text as a JSON string.
pub(crate) fn write_json_text(text: &str, out: &mut String) {
    if Traits::of(text.as_bytes()).is_plain {
        write_plain_json_text(text, out);
    } else {
        // A text is always JSON's to write.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    }
}

/// The same of a text without control characters and backslashes.
pub(crate) fn write_plain_json_text(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for quote in memchr::memchr_iter(b'"', text.as_bytes()) {
        out.push_str(text.get(from..quote).unwrap_or_default());
        out.push_str("\\\"");
        from = quote.saturating_add(1);
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out.push('"');
}

/// The double that has the float's shortest decimal text.
fn widened(number: f32) -> f64 {
    if number.is_finite() {
        number.to_string().parse().unwrap_or(f64::from(number))
    } else {
        f64::from(number)
    }
}

/// As COPY text has doubles.
fn double(number: f64, out: &mut String) -> std::fmt::Result {
    let size = number.abs();
    let is_plain = !number.is_finite() || size == 0.0 || (1e-5..1e17).contains(&size);
    if is_plain { write!(out, "{number}") } else { write!(out, "{number:e}") }
}

/// Writes a decimal with `scale` digits after the point.
pub(crate) fn decimal(unscaled: i128, scale: i8, out: &mut String) {
    if unscaled < 0 {
        out.push('-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(unscaled.unsigned_abs());
    let places = usize::from(scale.unsigned_abs());
    if scale <= 0 {
        out.push_str(digits);
        if unscaled != 0 {
            out.extend(std::iter::repeat_n('0', places));
        }
        return;
    }
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
    out.push_str(if whole.is_empty() { "0" } else { whole });
    out.push('.');
    out.extend(std::iter::repeat_n('0', places.saturating_sub(fraction.len())));
    out.push_str(fraction);
}

fn uuid(bytes: [u8; 16], out: &mut String) -> std::fmt::Result {
    let digits = format!("{:032x}", u128::from_be_bytes(bytes));
    for (index, digit) in digits.chars().enumerate() {
        if matches!(index, 8 | 12 | 16 | 20) {
            out.push('-');
        }
        out.push(digit);
    }
    Ok(())
}

/// As PostgreSQL shows bytea.
fn hex(bytes: &[u8], out: &mut String) {
    out.push_str(HEX_PREFIX);
    out.extend(hex_digits(bytes).map(char::from));
}

#[cfg(test)]
mod tests {
    use super::Typed;
    use crate::cast::CastValue;
    use crate::copy;

    #[test]
    fn typed_values_have_one_text() {
        let decimal = |unscaled, scale| Typed::Decimal { unscaled: i128::into(unscaled), scale };
        let table = [
            (Typed::Boolean(true), "true"),
            (Typed::Integer(i64::MIN), "-9223372036854775808"),
            (Typed::Unsigned(u64::MAX), "18446744073709551615"),
            (decimal(1250, 2), "12.50"),
            (decimal(-5, 3), "-0.005"),
            (decimal(0, 2), "0.00"),
            (decimal(0, -2), "0"),
            (decimal(i128::from(u64::MAX), 0), "18446744073709551615"),
            (decimal(i128::from(u64::MAX), 19), "1.8446744073709551615"),
            (decimal(-1, 30), "-0.000000000000000000000000000001"),
            (decimal(7, -3), "7000"),
            (decimal(i128::MIN, 0), "-170141183460469231731687303715884105728"),
            (decimal(i128::MAX, 38), "1.70141183460469231731687303715884105727"),
            (decimal(1, 127), &format!("0.{}1", "0".repeat(126))),
            (Typed::Double(0.1), "0.1"),
            (Typed::Double(1e300), "1e300"),
            (Typed::Double(f64::NAN), "NaN"),
            (Typed::Double(f64::NEG_INFINITY), "-inf"),
            (Typed::Float(0.1), "0.1"),
            (Typed::Date(0), "1970-01-01"),
            (Typed::Date(53_375_995), "+148108-07-06"),
            (Typed::Date(i32::MAX), "+5881580-07-11"),
            (Typed::Date(-719_163), "+000000-12-31"),
            (Typed::Date(-719_529), "-000001-12-31"),
            (Typed::Date(2_932_897), "+010000-01-01"),
            (Typed::Time(3_600_000_001), "01:00:00.000001"),
            (Typed::TimeNanos(1_001), "00:00:00.000001001"),
            (Typed::TimeNanos(1_000_000), "00:00:00.001"),
            (Typed::Time(-1), "-PT0.000001S"),
            (Typed::Time(86_400_000_000), "PT86400S"),
            (Typed::TimeNanos(-1), "-PT0.000000001S"),
            (Typed::Timestamp { micros: -1, is_utc: true }, "1969-12-31T23:59:59.999999Z"),
            (Typed::Timestamp { micros: 0, is_utc: false }, "1970-01-01T00:00:00"),
            (Typed::timestamp_nanos(-1, true), "1969-12-31T23:59:59.999999999Z"),
            (Typed::timestamp_nanos(1_000, false), "1970-01-01T00:00:00.000001"),
            (Typed::Uuid(1_u128.to_be_bytes()), "00000000-0000-0000-0000-000000000001"),
            (Typed::Bytes(b"text"), "text"),
            (Typed::Bytes(b"\xff\x00"), "\\xff00"),
            (Typed::Foreign("BSON"), "a value of type BSON"),
        ];
        for (value, expected) in table {
            let mut text = String::new();
            value.render(&mut text);
            assert_eq!(text, expected, "{value:?}");
        }
    }

    #[test]
    fn a_decimal_has_the_same_digits_in_copy_text() {
        for unscaled in [0, 1, -1, 9, 10, 99, -100, 12_345, i64::MAX, i64::MIN] {
            for scale in [0, 1, 2, 3, 17, 18] {
                let mut text = String::new();
                Typed::Decimal { unscaled: i128::from(unscaled).into(), scale }.render(&mut text);
                let mut copied = Vec::new();
                copy::write(&CastValue::Scaled(unscaled, scale.unsigned_abs()), false, &mut copied);
                assert_eq!(String::from_utf8(copied).unwrap(), text, "{unscaled} {scale}");
            }
        }
    }
}
