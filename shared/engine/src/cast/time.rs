//! Casts of dates, times of day and timestamps.
//!
//! The contract's crate parses ISO 8601 and RFC 3339, the contract's patterns and numeric times, because it reads
//! bounds and literals in the same way. The years 1 to 9999 are supported.

use penstock_contract::civil::{days, is_in_range};
use penstock_contract::iso8601::{TimeError, iso_date, iso_time, iso_timestamp};
use penstock_contract::{DateFormat, NumericTime};

pub(crate) use penstock_contract::civil::{Civil, MICROS_PER_DAY, MICROS_PER_SECOND, civil_of_days, is_day};
pub(crate) use penstock_contract::iso8601::ParsedTimestamp;

use super::Interval;
use super::number::{Notation, digits};
use super::zone::Zone;
use crate::outcome::Code;

/// The notation of a column of dates or timestamps.
#[derive(Debug, Clone)]
pub(crate) enum TimeNotation {
    Iso,
    Format(DateFormat),
    Number(NumericTime, Notation),
}

#[derive(Debug, Clone)]
pub(crate) struct DateCast {
    pub(crate) notation: TimeNotation,
    pub(crate) bounds: Interval<i32>,
    pub(crate) allowed: Vec<i32>,
}

impl DateCast {
    /// Returns the days since 1970-01-01. `is_canonical` means that a number has the notation of JSON.
    pub(crate) fn cast(&self, text: &str, is_canonical: bool) -> Result<i32, Code> {
        let date = match &self.notation {
            TimeNotation::Iso => {
                let date = text.as_bytes().first_chunk::<10>().filter(|date| date.len() == text.len());
                date.and_then(iso_date)
            }
            TimeNotation::Format(format) => format.read_date(text.as_bytes()),
            TimeNotation::Number(numeric, notation) => {
                let micros = number(text, *numeric, *notation, is_canonical);
                return day_of(micros.map_err(|error| code(error, Code::NotADate))?);
            }
        };
        date.map(days).ok_or(Code::NotADate)
    }

    pub(crate) fn check(&self, days: i32, report: &mut impl FnMut(Code)) {
        self.bounds.check(days, report);
        if !self.allowed.is_empty() && !self.allowed.contains(&days) {
            report(Code::NotAllowed);
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TimeCast {
    /// `None` for ISO 8601.
    pub(crate) format: Option<DateFormat>,
    pub(crate) bounds: Interval<i64>,
    pub(crate) allowed: Vec<i64>,
}

impl TimeCast {
    /// Returns the microseconds since midnight, which are less than a day.
    pub(crate) fn cast(&self, text: &str) -> Result<i64, Code> {
        let read = match &self.format {
            None => iso_time(text.as_bytes()),
            Some(format) => format.read_time(text.as_bytes()),
        };
        read.map_err(|error| code(error, Code::NotATime))
    }

    pub(crate) fn check(&self, micros: i64, report: &mut impl FnMut(Code)) {
        self.bounds.check(micros, report);
        if !self.allowed.is_empty() && !self.allowed.contains(&micros) {
            report(Code::NotAllowed);
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TimestampCast {
    pub(crate) notation: TimeNotation,
    /// The time zone of values without an offset.
    pub(crate) zone: Zone,
    /// Whether the column is `timestamptz`. In a `timestamp` column the local time of `zone` is stored.
    pub(crate) is_instant: bool,
    pub(crate) bounds: Interval<i64>,
    pub(crate) allowed: Vec<i64>,
}

impl TimestampCast {
    /// Returns the microseconds since 1970-01-01T00:00, in UTC for `timestamptz`. `is_canonical` means that a number
    /// has the notation of JSON.
    ///
    /// A local time that does not exist in the time zone is not a timestamp. If it exists twice, it is the earlier
    /// instant.
    pub(crate) fn cast(&self, text: &str, is_canonical: bool) -> Result<i64, Code> {
        let written = match &self.notation {
            TimeNotation::Iso => iso_timestamp(text.as_bytes()),
            TimeNotation::Format(format) => format.read_timestamp(text.as_bytes()),
            TimeNotation::Number(numeric, notation) => {
                let micros = number(text, *numeric, *notation, is_canonical);
                let offset_seconds = numeric.is_utc().then_some(0);
                micros.map(|local_micros| ParsedTimestamp { local_micros, offset_seconds })
            }
        };
        self.fit(written.map_err(|error| code(error, Code::NotATimestamp))?)
    }

    /// Returns the value to store for a timestamp, whose year may be out of range.
    pub(crate) fn fit(&self, written: ParsedTimestamp) -> Result<i64, Code> {
        if !is_in_range(written.local_micros) {
            return Err(Code::OutOfRange);
        }
        let micros = self.resolve(written)?;
        if is_in_range(micros) { Ok(micros) } else { Err(Code::OutOfRange) }
    }

    /// Returns the value to store for a timestamp whose year is in range.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the years 1 to 9999 in microseconds and an offset fit 64 bits"
    )]
    pub(crate) fn resolve(&self, written: ParsedTimestamp) -> Result<i64, Code> {
        let ParsedTimestamp { local_micros, offset_seconds } = written;
        let utc = offset_seconds.map(|offset| local_micros - i64::from(offset) * MICROS_PER_SECOND);
        match (utc, self.is_instant) {
            (Some(utc), true) => Ok(utc),
            (Some(utc), false) => self.zone.to_local(utc).ok_or(Code::OutOfRange),
            (None, true) => self.zone.to_utc(local_micros).ok_or(Code::NotATimestamp),
            (None, false) => Ok(local_micros),
        }
    }

    pub(crate) fn check(&self, micros: i64, report: &mut impl FnMut(Code)) {
        self.bounds.check(micros, report);
        if !self.allowed.is_empty() && !self.allowed.contains(&micros) {
            report(Code::NotAllowed);
        }
    }
}

/// Returns the microseconds since 1970-01-01T00:00 of a numeric time, whose year may be out of range.
fn number(
    text: &str,
    numeric: NumericTime,
    notation: Notation,
    is_canonical: bool,
) -> Result<i64, TimeError> {
    let notation = if is_canonical { Notation::CONTRACT } else { notation };
    let mut scratch = String::new();
    let number = digits(text, notation, &mut scratch).ok_or(TimeError::Malformed)?;
    numeric.micros(number.is_negative, number.whole, number.fraction)
}

/// Returns the day that begins at a timestamp.
fn day_of(micros: i64) -> Result<i32, Code> {
    if micros.rem_euclid(MICROS_PER_DAY) != 0 {
        return Err(Code::NotADate);
    }
    let days = i32::try_from(micros.div_euclid(MICROS_PER_DAY)).ok();
    days.filter(|days| is_day(*days)).ok_or(Code::OutOfRange)
}

fn code(error: TimeError, malformed: Code) -> Code {
    match error {
        TimeError::Malformed => malformed,
        TimeError::OutOfRange => Code::OutOfRange,
    }
}

#[cfg(test)]
mod tests {
    use penstock_contract::civil::{FIRST_DAY, LAST_DAY};

    use super::*;

    #[test]
    fn each_day_is_the_same_as_in_another_calendar() {
        let mut date = jiff::civil::Date::constant(1, 1, 1);
        for day in FIRST_DAY..=LAST_DAY {
            let unsigned = |number: i8| u8::try_from(number).unwrap();
            let civil = Civil::new(date.year().unsigned_abs(), unsigned(date.month()), unsigned(date.day()));
            let civil = civil.unwrap();
            assert_eq!(civil_of_days(day), civil);
            assert_eq!(days(civil), day);
            if day < LAST_DAY {
                date = date.tomorrow().unwrap();
            }
        }
        assert_eq!(date, jiff::civil::Date::MAX);
    }
}
