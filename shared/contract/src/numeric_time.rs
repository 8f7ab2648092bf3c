//! Dates and points in time that are written as numbers.

use std::fmt;

use serde::Serialize;

use crate::civil::MICROS_PER_DAY;
use crate::iso8601::TimeError;

/// The unit and epoch of a date or point in time that is written as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NumericTime {
    /// Seconds since 1970-01-01T00:00Z.
    EpochSeconds,
    /// Milliseconds since 1970-01-01T00:00Z.
    EpochMillis,
    /// Microseconds since 1970-01-01T00:00Z.
    EpochMicros,
    /// Nanoseconds since 1970-01-01T00:00Z.
    EpochNanos,
    /// Serial numbers of Excel's 1900 date system: days, with 1 for 1900-01-01, without a time zone.
    Excel1900,
    /// Serial numbers of Excel's 1904 date system: days, with 0 for 1904-01-01, without a time zone.
    Excel1904,
}

/// The names in a contract.
pub(crate) const NAMES: [(&str, NumericTime); 6] = [
    ("epoch-seconds", NumericTime::EpochSeconds),
    ("epoch-millis", NumericTime::EpochMillis),
    ("epoch-micros", NumericTime::EpochMicros),
    ("epoch-nanos", NumericTime::EpochNanos),
    ("excel-1900", NumericTime::Excel1900),
    ("excel-1904", NumericTime::Excel1904),
];

/// The number of digits before the point above which a number cannot be a time.
const MAX_WHOLE_DIGITS: usize = 25;
/// The significant digits of a serial number's fraction. The rest is less than a billionth of a microsecond.
const FRACTION_DIGITS: usize = 20;
/// The serial number of 1900-02-29, which Excel has but the calendar does not.
const EXCEL_LEAP_DAY: i64 = 60;
/// The serial numbers of 1970-01-01.
const EXCEL_1900_EPOCH: i64 = 25_569;
const EXCEL_1904_EPOCH: i64 = 24_107;

impl NumericTime {
    /// Returns true for points in time in UTC. The others are local times without a known time zone.
    pub fn is_utc(self) -> bool {
        match self {
            Self::EpochSeconds | Self::EpochMillis | Self::EpochMicros | Self::EpochNanos => true,
            Self::Excel1900 | Self::Excel1904 => false,
        }
    }

    /// Converts a decimal number to microseconds since 1970-01-01T00:00. It is given as the ASCII digits before and
    /// after its point. The result may be outside the years 1 to 9999.
    ///
    /// # Errors
    /// Returns an error if the number is not a time, or not a whole number of microseconds. Serial numbers are binary
    /// fractions of days and are therefore rounded to the whole millisecond if it is at most 10 microseconds away.
    pub fn micros(self, is_negative: bool, whole: &[u8], fraction: &[u8]) -> Result<i64, TimeError> {
        let fraction = significant(fraction);
        if whole.len() > MAX_WHOLE_DIGITS {
            return Err(TimeError::OutOfRange);
        }
        match self {
            Self::EpochSeconds => exact(is_negative, whole, fraction, 6),
            Self::EpochMillis => exact(is_negative, whole, fraction, 3),
            Self::EpochMicros => exact(is_negative, whole, fraction, 0),
            Self::EpochNanos => {
                let nanos = number(whole)?;
                let is_whole = fraction.is_empty() && nanos.checked_rem(1_000) == Some(0);
                if is_whole { signed(is_negative, nanos / 1_000) } else { Err(TimeError::OutOfRange) }
            }
            Self::Excel1900 | Self::Excel1904 if is_negative => Err(TimeError::Malformed),
            Self::Excel1900 => {
                let (serial, micros) = serial_number(whole, fraction)?;
                let before = match serial {
                    i64::MIN..1 | EXCEL_LEAP_DAY => return Err(TimeError::Malformed),
                    1..EXCEL_LEAP_DAY => EXCEL_1900_EPOCH.saturating_sub(1),
                    _ => EXCEL_1900_EPOCH,
                };
                point_in_time(serial, before, micros)
            }
            Self::Excel1904 => {
                let (serial, micros) = serial_number(whole, fraction)?;
                point_in_time(serial, EXCEL_1904_EPOCH, micros)
            }
        }
    }
}

impl fmt::Display for NumericTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EpochSeconds => "a number of seconds since 1970-01-01T00:00Z",
            Self::EpochMillis => "a number of milliseconds since 1970-01-01T00:00Z",
            Self::EpochMicros => "a number of microseconds since 1970-01-01T00:00Z",
            Self::EpochNanos => "a number of nanoseconds since 1970-01-01T00:00Z",
            Self::Excel1900 => "a serial number of Excel's 1900 date system",
            Self::Excel1904 => "a serial number of Excel's 1904 date system",
        })
    }
}

/// Converts a number whose unit is 10^`places` microseconds.
fn exact(is_negative: bool, whole: &[u8], fraction: &[u8], places: u32) -> Result<i64, TimeError> {
    let digits = u32::try_from(fraction.len()).map_err(|_| TimeError::OutOfRange)?;
    let zeros = places.checked_sub(digits).ok_or(TimeError::OutOfRange)?;
    let unit = 10_i128.checked_pow(places).ok_or(TimeError::OutOfRange)?;
    let rest = 10_i128.checked_pow(zeros).and_then(|factor| number(fraction).ok()?.checked_mul(factor));
    let micros = number(whole)?.checked_mul(unit).zip(rest).and_then(|(whole, rest)| whole.checked_add(rest));
    signed(is_negative, micros.ok_or(TimeError::OutOfRange)?)
}

/// Splits a serial number into its day and the microseconds of its time of day.
fn serial_number(whole: &[u8], fraction: &[u8]) -> Result<(i64, i64), TimeError> {
    const MILLIS_PER_DAY: i128 = 86_400_000;
    /// One day, with `FRACTION_DIGITS` digits.
    const SCALE: i128 = 100_000_000_000_000_000_000;
    /// A hundredth of a millisecond.
    const TOLERANCE: i128 = SCALE / 100;
    let digits = fraction.get(..FRACTION_DIGITS).unwrap_or(fraction);
    let zeros = FRACTION_DIGITS.saturating_sub(digits.len());
    let padded = number(digits)?.checked_mul(10_i128.pow(u32::try_from(zeros).expect("at most 20")));
    let scaled = padded.and_then(|days| days.checked_mul(MILLIS_PER_DAY)).ok_or(TimeError::OutOfRange)?;
    let (floor, rest) = (scaled.div_euclid(SCALE), scaled.rem_euclid(SCALE));
    let millis = match rest {
        0..=TOLERANCE => floor,
        _ if rest >= SCALE.saturating_sub(TOLERANCE) => floor.saturating_add(1),
        _ => return Err(TimeError::OutOfRange),
    };
    // Rounding may carry into the next day.
    let days = number(whole)?.saturating_add(millis.div_euclid(MILLIS_PER_DAY));
    let micros = millis.rem_euclid(MILLIS_PER_DAY).saturating_mul(1_000);
    let narrow = |number: i128| i64::try_from(number).map_err(|_| TimeError::OutOfRange);
    Ok((narrow(days)?, narrow(micros)?))
}

fn point_in_time(serial: i64, before_1970: i64, micros: i64) -> Result<i64, TimeError> {
    let days = serial.checked_sub(before_1970);
    let midnight = days.and_then(|days| days.checked_mul(MICROS_PER_DAY));
    midnight.and_then(|midnight| midnight.checked_add(micros)).ok_or(TimeError::OutOfRange)
}

fn signed(is_negative: bool, micros: i128) -> Result<i64, TimeError> {
    let micros = i64::try_from(micros).map_err(|_| TimeError::OutOfRange)?;
    Ok(if is_negative { micros.saturating_neg() } else { micros })
}

/// Parses ASCII digits.
fn number(digits: &[u8]) -> Result<i128, TimeError> {
    let add = |number: i128, digit: &u8| number.checked_mul(10)?.checked_add(i128::from(digit & 0x0f));
    digits.iter().try_fold(0, add).ok_or(TimeError::OutOfRange)
}

/// Returns the fraction without trailing zeros.
fn significant(fraction: &[u8]) -> &[u8] {
    let mut fraction = fraction;
    while let [rest @ .., b'0'] = fraction {
        fraction = rest;
    }
    fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::civil::{MICROS_PER_SECOND, civil_of_days, is_in_range};

    /// Returns the point in time as text, or the error.
    fn read(numeric: NumericTime, text: &str) -> String {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        match numeric.micros(is_negative, whole.as_bytes(), fraction.as_bytes()) {
            Err(error) => format!("{error:?}"),
            Ok(micros) if !is_in_range(micros) => "beyond".to_owned(),
            Ok(micros) => {
                let day = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).unwrap();
                let date = civil_of_days(day);
                let rest = micros.rem_euclid(MICROS_PER_DAY);
                let (seconds, fraction) = (rest / MICROS_PER_SECOND, rest % MICROS_PER_SECOND);
                let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
                let (year, month, day) = (date.year, date.month, date.day);
                format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{fraction:06}")
            }
        }
    }

    #[test]
    fn epochs_are_exact_to_the_microsecond() {
        use NumericTime::{EpochMicros, EpochMillis, EpochNanos, EpochSeconds};
        for (numeric, text, expected) in [
            (EpochSeconds, "0", "1970-01-01 00:00:00.000000"),
            (EpochSeconds, "1706659200", "2024-01-31 00:00:00.000000"),
            (EpochSeconds, "1706659200.123456", "2024-01-31 00:00:00.123456"),
            (EpochSeconds, "1706659200.1234560", "2024-01-31 00:00:00.123456"),
            (EpochSeconds, "1706659200.1234567", "OutOfRange"),
            (EpochSeconds, "-0.5", "1969-12-31 23:59:59.500000"),
            (EpochSeconds, "-62135596800", "0001-01-01 00:00:00.000000"),
            (EpochSeconds, "-62135596801", "beyond"),
            (EpochSeconds, "253402300799", "9999-12-31 23:59:59.000000"),
            (EpochSeconds, "253402300800", "beyond"),
            (EpochSeconds, "99999999999999999999999999", "OutOfRange"),
            (EpochMillis, "1706659200123", "2024-01-31 00:00:00.123000"),
            (EpochMillis, "1706659200123.456", "2024-01-31 00:00:00.123456"),
            (EpochMillis, "1706659200123.4567", "OutOfRange"),
            (EpochMicros, "1706659200123456", "2024-01-31 00:00:00.123456"),
            (EpochMicros, "1706659200123456.0", "2024-01-31 00:00:00.123456"),
            (EpochMicros, "1706659200123456.5", "OutOfRange"),
            (EpochNanos, "1706659200123456000", "2024-01-31 00:00:00.123456"),
            (EpochNanos, "1706659200123456001", "OutOfRange"),
            (EpochNanos, "-1000", "1969-12-31 23:59:59.999999"),
        ] {
            assert_eq!(read(numeric, text), expected, "{numeric:?} {text}");
        }
    }

    #[test]
    fn serial_numbers_are_whole_milliseconds_of_excels_days() {
        use NumericTime::{Excel1900, Excel1904};
        for (numeric, text, expected) in [
            (Excel1900, "0", "Malformed"),
            (Excel1900, "0.5", "Malformed"),
            (Excel1900, "-1", "Malformed"),
            (Excel1900, "1", "1900-01-01 00:00:00.000000"),
            (Excel1900, "59", "1900-02-28 00:00:00.000000"),
            (Excel1900, "60", "Malformed"),
            (Excel1900, "60.25", "Malformed"),
            (Excel1900, "59.999999999999", "Malformed"),
            (Excel1900, "61", "1900-03-01 00:00:00.000000"),
            (Excel1900, "25569", "1970-01-01 00:00:00.000000"),
            (Excel1900, "45322.75", "2024-01-31 18:00:00.000000"),
            (Excel1900, "45322.444444444445", "2024-01-31 10:40:00.000000"),
            (Excel1900, "45322.4444444444", "2024-01-31 10:40:00.000000"),
            (Excel1900, "45322.9999999999999", "2024-02-01 00:00:00.000000"),
            (Excel1900, "45322.4444445718", "2024-01-31 10:40:00.011000"),
            (Excel1900, "45322.444444", "OutOfRange"),
            (Excel1900, "45322.00000001", "OutOfRange"),
            (Excel1900, "2958465", "9999-12-31 00:00:00.000000"),
            (Excel1900, "2958466", "beyond"),
            (Excel1900, "9999999999999999999999999", "OutOfRange"),
            (Excel1904, "0", "1904-01-01 00:00:00.000000"),
            (Excel1904, "0.5", "1904-01-01 12:00:00.000000"),
            (Excel1904, "43860", "2024-01-31 00:00:00.000000"),
            (Excel1904, "-0.5", "Malformed"),
        ] {
            assert_eq!(read(numeric, text), expected, "{numeric:?} {text}");
        }
    }
}
