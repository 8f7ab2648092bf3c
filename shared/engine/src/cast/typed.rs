//! Values of files whose columns have types, such as Parquet and Avro.

mod calendar;

use std::fmt::Write;

pub(crate) use self::calendar::duration;
use self::calendar::{clock, date, timestamp, timestamp_of_millis};
use super::time::{self, MICROS_PER_DAY};
use crate::cast::text::Traits;
use crate::hex::hex_digits;
use crate::outcome::Code;

const NANOS_PER_MICRO: i64 = 1_000;

/// A value with the type that the file declares.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Typed<'a> {
    Boolean(bool),
    Integer(i64),
    Unsigned(u64),
    /// `unscaled` × 10^-`scale`.
    Decimal {
        unscaled: SplitI128,
        scale: i8,
    },
    Double(f64),
    /// Its value as a double is that of its shortest decimal text, so 0.1 remains 0.1.
    Float(f32),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight.
    Time(i64),
    /// Nanoseconds since midnight.
    TimeNanos(i64),
    /// Microseconds since 1970-01-01T00:00, in UTC or in an unknown time zone.
    Timestamp {
        micros: i64,
        is_utc: bool,
    },
    /// Microseconds since 1970-01-01T00:00 and `nanos` nanoseconds, which are less than 1,000.
    TimestampNanos {
        micros: i64,
        nanos: u16,
        is_utc: bool,
    },
    Uuid([u8; 16]),
    /// Bytes, which are text if they are valid UTF-8.
    Bytes(&'a [u8]),
    /// A value of a type that no column accepts, with the name of the type.
    Foreign(&'static str),
    /// Milliseconds since 1970-01-01T00:00 whose microseconds do not fit 64 bits.
    BeyondMicros {
        millis: i64,
        is_utc: bool,
    },
}

/// A number of 128 bits as two words. An `i128` would align each [`Typed`] value to sixteen bytes and make it larger by
/// a third.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SplitI128 {
    high: i64,
    low: u64,
}

impl From<i128> for SplitI128 {
    #[inline]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "each word gets its half of the number"
    )]
    fn from(number: i128) -> Self {
        Self { high: (number >> 64) as i64, low: number as u64 }
    }
}

impl From<SplitI128> for i128 {
    #[inline]
    fn from(SplitI128 { high, low }: SplitI128) -> Self {
        Self::from(high) << 64 | Self::from(low)
    }
}

impl Typed<'_> {
    /// Returns the timestamp of milliseconds since 1970-01-01T00:00.
    #[inline]
    pub(crate) fn timestamp_millis(millis: i64, is_utc: bool) -> Self {
        const MICROS_PER_MILLI: i64 = 1_000;
        match millis.checked_mul(MICROS_PER_MILLI) {
            Some(micros) => Self::Timestamp { micros, is_utc },
            None => Self::BeyondMicros { millis, is_utc },
        }
    }

    /// Returns the timestamp of nanoseconds since 1970-01-01T00:00.
    pub(crate) fn timestamp_nanos(nanos: i64, is_utc: bool) -> Self {
        let micros = nanos.div_euclid(NANOS_PER_MICRO);
        let nanos = nanos_of_micro(nanos);
        Self::TimestampNanos { micros, nanos, is_utc }
    }

    /// Converts floats to doubles, and nanoseconds to microseconds if that is exact.
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

    /// Returns true for finite numbers. JSON has them without quotes, and their text has the notation of JSON.
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

    /// Returns why the value cannot be part of a JSON document, as the code that a column of its own type reports, or
    /// `None` if it can. JSON could only represent such a value by a string that its readers would misinterpret. Dates
    /// and timestamps outside the years 1 to 9999, times outside a day and fractions of a microsecond are out of range.
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
                let has_nanos = nanos.rem_euclid(NANOS_PER_MICRO) != 0;
                out_of_range(has_nanos || !is_time(nanos.div_euclid(NANOS_PER_MICRO)))
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

    /// Writes the value as JSON: numbers and booleans as such, a value of an unsupported type as null, and all others
    /// as a string with their canonical text.
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
        // The text contains nothing that JSON escapes.
        let quote = if self.is_number() || matches!(self, Self::Boolean(_)) { "" } else { "\"" };
        out.push_str(quote);
        self.render(out);
        out.push_str(quote);
    }

    /// Writes the value's canonical text: ISO 8601 for times, the shortest digits for floats, and hexadecimal digits
    /// for bytes that are not UTF-8.
    pub(crate) fn render(self, out: &mut String) {
        let written = match self.plain() {
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
            Self::TimeNanos(nanos) => clock(nanos.div_euclid(NANOS_PER_MICRO), nanos_of_micro(nanos), out),
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
        written.expect("writing to a string does not fail");
    }
}

/// Returns the nanoseconds beyond the last whole microsecond.
fn nanos_of_micro(nanos: i64) -> u16 {
    u16::try_from(nanos.rem_euclid(NANOS_PER_MICRO)).expect("a remainder is below its divisor")
}

/// The prefix of bytes in hexadecimal.
const HEX_PREFIX: &str = "\\x";

/// Writes bytes as a JSON string that `jsonb` accepts: as text if they are UTF-8 without NUL, otherwise as `\x` and
/// hexadecimal digits. A text that begins with `\x` is written in hexadecimal, too, so that the prefix is unambiguous.
pub(crate) fn write_json_bytes(bytes: &[u8], out: &mut String) {
    let is_text = |text: &&str| !text.starts_with(HEX_PREFIX) && memchr::memchr(0, bytes).is_none();
    match str::from_utf8(bytes).ok().filter(is_text) {
        Some(text) => write_json_text(text, out),
        None => write_json_hex(bytes, out),
    }
}

/// Writes bytes as a JSON string of `\x` and hexadecimal digits.
pub(crate) fn write_json_hex(bytes: &[u8], out: &mut String) {
    // The backslash of the prefix is escaped.
    out.push_str("\"\\");
    hex(bytes, out);
    out.push('"');
}

/// Writes a text as a JSON string.
pub(crate) fn write_json_text(text: &str, out: &mut String) {
    if Traits::of(text.as_bytes()).is_plain {
        write_plain_json_text(text, out);
    } else {
        out.push_str(&serde_json::to_string(text).expect("each text can be written as JSON"));
    }
}

/// Writes a text without control characters and backslashes as a JSON string.
pub(crate) fn write_plain_json_text(text: &str, out: &mut String) {
    out.push('"');
    let mut from = 0;
    for quote in memchr::memchr_iter(b'"', text.as_bytes()) {
        out.push_str(text.get(from..quote).expect("a quote is a character boundary"));
        out.push_str("\\\"");
        from = quote.saturating_add(1);
    }
    out.push_str(text.get(from..).expect("a quote is followed by a character boundary"));
    out.push('"');
}

/// Returns the double with the float's shortest decimal text.
fn widened(number: f32) -> f64 {
    if number.is_finite() {
        number.to_string().parse().expect("the text of a float is a number")
    } else {
        f64::from(number)
    }
}

/// Writes a double as in COPY text.
fn double(number: f64, out: &mut String) -> std::fmt::Result {
    let size = number.abs();
    let is_plain = !number.is_finite() || size == 0.0 || (1e-5..1e17).contains(&size);
    if is_plain { write!(out, "{number}") } else { write!(out, "{number:e}") }
}

/// Writes a decimal number with `scale` digits after the point.
pub(crate) fn decimal(unscaled: i128, scale: i8, out: &mut String) {
    if unscaled < 0 {
        out.push('-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(unscaled.unsigned_abs());
    let scale_digits = usize::from(scale.unsigned_abs());
    if scale <= 0 {
        out.push_str(digits);
        if unscaled != 0 {
            out.extend(std::iter::repeat_n('0', scale_digits));
        }
        return;
    }
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(scale_digits));
    out.push_str(if whole.is_empty() { "0" } else { whole });
    out.push('.');
    out.extend(std::iter::repeat_n('0', scale_digits.saturating_sub(fraction.len())));
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

/// Writes bytes as PostgreSQL displays `bytea`.
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
    fn typed_values_have_canonical_texts() {
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
    fn a_decimal_has_the_same_text_as_in_copy_text() {
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
