//! Dates, times of day and points in time.
//!
//! ISO 8601 and RFC 3339 are read by hand; other formats by `jiff`. The calendar is the proleptic Gregorian one,
//! years 1 to 9999. Days are converted as Neri and Schneider do, "Euclidean affine functions and their application to calendar
//! algorithms" (Software: Practice and Experience, 2023).

use jiff::fmt::strtime::{self, BrokenDownTime};

use super::Interval;
use super::zone::Zone;
use crate::outcome::Code;

pub(crate) const MICROS_PER_SECOND: i64 = 1_000_000;
const SECONDS_PER_DAY: i64 = 86_400;
pub(crate) const MICROS_PER_DAY: i64 = SECONDS_PER_DAY * MICROS_PER_SECOND;
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;
/// From 0000-03-01.
const DAYS_BEFORE_1970: i32 = 719_468;

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    pub(crate) year: u16,
    pub(crate) month: u8,
    pub(crate) day: u8,
}

/// A point in time as it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Written {
    /// Microseconds since 1970-01-01T00:00 of the clock that was read.
    pub(crate) local_micros: i64,
    /// Seconds that the clock is ahead of UTC.
    pub(crate) offset_seconds: Option<i32>,
}

#[derive(Debug, Clone)]
pub(crate) struct DateCast {
    /// `strptime` pattern; ISO 8601 when `None`.
    pub(crate) format: Option<String>,
    pub(crate) bounds: Interval<i32>,
    pub(crate) allowed: Vec<i32>,
}

impl DateCast {
    /// Days since 1970-01-01.
    pub(crate) fn cast(&self, text: &str) -> Result<i32, Code> {
        let date = match &self.format {
            None => {
                let date = text.as_bytes().first_chunk::<10>().filter(|date| date.len() == text.len());
                date.and_then(iso_date)
            }
            Some(format) => {
                strtime::parse(format, text).and_then(|parsed| parsed.to_date()).ok().and_then(civil)
            }
        };
        date.map(days).ok_or(Code::NotADate)
    }

    pub(crate) fn check(&self, days: i32, tell: &mut impl FnMut(Code)) {
        self.bounds.check(days, tell);
        if !self.allowed.is_empty() && !self.allowed.contains(&days) {
            tell(Code::NotAllowed);
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TimeCast {
    /// `strptime` pattern; ISO 8601 when `None`.
    pub(crate) format: Option<String>,
    pub(crate) bounds: Interval<i64>,
    pub(crate) allowed: Vec<i64>,
}

impl TimeCast {
    /// Microseconds since midnight, less than a day of them.
    pub(crate) fn cast(&self, text: &str) -> Result<i64, Code> {
        let (seconds, nanos) = match &self.format {
            None => iso_clock(text.as_bytes()).filter(|(_, _, rest)| rest.is_empty()).map(|(s, n, _)| (s, n)),
            Some(format) => {
                strtime::parse(format, text).and_then(|parsed| parsed.to_time()).ok().map(clock_of)
            }
        }
        .ok_or(Code::NotATime)?;
        micros(seconds, nanos)
    }

    pub(crate) fn check(&self, micros: i64, tell: &mut impl FnMut(Code)) {
        self.bounds.check(micros, tell);
        if !self.allowed.is_empty() && !self.allowed.contains(&micros) {
            tell(Code::NotAllowed);
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TimestampCast {
    /// `strptime` pattern; ISO 8601 or RFC 3339 when `None`.
    pub(crate) format: Option<String>,
    /// Taken for values that carry no offset.
    pub(crate) zone: Zone,
    /// The column is `timestamptz`; else the zone's clock is written.
    pub(crate) is_instant: bool,
    pub(crate) bounds: Interval<i64>,
    pub(crate) allowed: Vec<i64>,
}

impl TimestampCast {
    /// Microseconds since 1970-01-01T00:00, in UTC for `timestamptz`.
    ///
    /// A local time that a zone skips is no timestamp; of one that it repeats, the earlier is taken.
    pub(crate) fn cast(&self, text: &str) -> Result<i64, Code> {
        let written = match &self.format {
            None => iso_timestamp(text.as_bytes()),
            Some(format) => formatted_timestamp(format, text),
        }?;
        self.fit(written)
    }

    /// The value that is stored for a point in time, which may lie beyond the years that are.
    pub(crate) fn fit(&self, written: Written) -> Result<i64, Code> {
        if !in_range(written.local_micros) {
            return Err(Code::OutOfRange);
        }
        let micros = self.place(written)?;
        if in_range(micros) { Ok(micros) } else { Err(Code::OutOfRange) }
    }

    /// The value that is stored for a time as written.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "years 1 to 9999 in microseconds are far from what 64 bits hold"
    )]
    pub(crate) fn place(&self, written: Written) -> Result<i64, Code> {
        let Written { local_micros, offset_seconds } = written;
        let utc = offset_seconds.map(|offset| local_micros - i64::from(offset) * MICROS_PER_SECOND);
        match (utc, self.is_instant) {
            (Some(utc), true) => Ok(utc),
            (Some(utc), false) => self.zone.to_local(utc).ok_or(Code::OutOfRange),
            (None, true) => self.zone.to_utc(local_micros).ok_or(Code::NotATimestamp),
            (None, false) => Ok(local_micros),
        }
    }

    pub(crate) fn check(&self, micros: i64, tell: &mut impl FnMut(Code)) {
        self.bounds.check(micros, tell);
        if !self.allowed.is_empty() && !self.allowed.contains(&micros) {
            tell(Code::NotAllowed);
        }
    }
}

/// `YYYY-MM-DD`.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "numbers of two digits")]
pub(crate) fn iso_date(text: &[u8; 10]) -> Option<Civil> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let year = u16::from(two_digits(y1, y2)?) * 100 + u16::from(two_digits(y3, y4)?);
    valid(year, two_digits(m1, m2)?, two_digits(d1, d2)?)
}

#[expect(clippy::arithmetic_side_effects, reason = "28 or 29")]
fn valid(year: u16, month: u8, day: u8) -> Option<Civil> {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u8::from(is_leap),
        _ => return None,
    };
    if year >= 1 && (1..=days).contains(&day) { Some(Civil { year, month, day }) } else { None }
}

/// `YYYY-MM-DD[(T| )hh:mm[:ss[(.|,)f…]][Z|(+|-)hh[[:]mm]]]`: ISO 8601 and RFC 3339, with the blank that the latter
/// allows. A date alone is its midnight.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "years 1 to 9999 in microseconds are far from what 64 bits hold"
)]
pub(crate) fn iso_timestamp(text: &[u8]) -> Result<Written, Code> {
    if let Some(written) = usual_timestamp(text) {
        return Ok(written);
    }
    let parse = || {
        let (date, rest) = text.split_first_chunk::<10>()?;
        let midnight = i64::from(days(iso_date(date)?)) * MICROS_PER_DAY;
        let Some((b'T' | b't' | b' ', clock)) = rest.split_first() else {
            return rest.is_empty().then_some((midnight, 0, 0, rest));
        };
        let (seconds, nanos, rest) = iso_clock(clock)?;
        Some((midnight, seconds, nanos, rest))
    };
    let (midnight, seconds, nanos, rest) = parse().ok_or(Code::NotATimestamp)?;
    let offset_seconds = offset(rest.trim_ascii_start()).ok_or(Code::NotATimestamp)?;
    Ok(Written { local_micros: midnight + micros(seconds, nanos)?, offset_seconds })
}

/// `YYYY-MM-DD(T| )hh:mm:ss[.fff]Z`, the form of most feeds, by its fixed places. `None`: something else, or wrong.
#[inline]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "years 1 to 9999 in microseconds are far from what 64 bits hold"
)]
fn usual_timestamp(text: &[u8]) -> Option<Written> {
    let (date, rest) = text.split_first_chunk::<10>()?;
    let ([b'T' | b' ', h1, h2, b':', m1, m2, b':', s1, s2], rest) = rest.split_first_chunk::<9>()? else {
        return None;
    };
    let millis = match rest {
        [b'Z'] => 0,
        [b'.', f1, f2, f3, b'Z'] if f1.is_ascii_digit() => {
            i64::from(*f1 & 0x0f) * 100 + i64::from(two_digits(*f2, *f3)?)
        }
        _ => return None,
    };
    let (hour, minute, second) = (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?, two_digits(*s1, *s2)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = i64::from(hour) * 3_600 + i64::from(minute) * 60 + i64::from(second);
    let local_micros =
        i64::from(days(iso_date(date)?)) * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + millis * 1_000;
    Some(Written { local_micros, offset_seconds: Some(0) })
}

/// `hh:mm[:ss[(.|,)f…]]`: seconds since midnight, nanoseconds, and what comes after them.
///
/// `24:00` is no time here: the types of Arrow and Parquet end before it, and the table holds what the lake holds.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "numbers of two digits")]
fn iso_clock(text: &[u8]) -> Option<(i64, i64, &[u8])> {
    let ([h1, h2, b':', m1, m2], mut rest) = text.split_first_chunk::<5>()? else { return None };
    let (hour, minute) = (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?);
    let mut second = 0;
    let mut nanos = 0;
    if let Some(([b':', s1, s2], after)) = rest.split_first_chunk::<3>() {
        second = two_digits(*s1, *s2)?;
        rest = after;
        if let Some((b'.' | b',', digits)) = rest.split_first() {
            (nanos, rest) = fraction(digits)?;
        }
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    Some((i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second), nanos, rest))
}

/// Microseconds since midnight of a time of day as ISO 8601 writes it.
pub(crate) fn iso_time(text: &str) -> Option<i64> {
    let (seconds, nanos, rest) = iso_clock(text.as_bytes())?;
    if rest.is_empty() { micros(seconds, nanos).ok() } else { None }
}

/// Seconds since midnight, and nanoseconds.
#[expect(clippy::arithmetic_side_effects, reason = "less than a day")]
fn clock_of(time: jiff::civil::Time) -> (i64, i64) {
    let seconds = i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    (seconds, i64::from(time.subsec_nanosecond()))
}

/// PostgreSQL has microseconds; what is finer is not rounded.
#[expect(clippy::arithmetic_side_effects, reason = "a day has 86.4 billion microseconds")]
fn micros(seconds: i64, nanos: i64) -> Result<i64, Code> {
    if nanos % 1_000 == 0 { Ok(seconds * MICROS_PER_SECOND + nanos / 1_000) } else { Err(Code::OutOfRange) }
}

/// Nanoseconds of one to nine digits, and what comes after them.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&count) {
        return None;
    }
    let (digits, rest) = text.split_at_checked(count)?;
    let number = digits
        .iter()
        .fold(0_i64, |number, digit| number.saturating_mul(10).saturating_add(i64::from(digit & 0x0f)));
    let missing = 9_u32.checked_sub(u32::try_from(count).ok()?)?;
    Some((number.checked_mul(10_i64.pow(missing))?, rest))
}

/// Nothing, `Z`, or `(+|-)hh[[:]mm]`, in seconds. `None`: something else.
#[expect(clippy::arithmetic_side_effects, reason = "numbers of two digits")]
pub(crate) fn offset(text: &[u8]) -> Option<Option<i32>> {
    let (sign, digits) = match text {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [b'+', digits @ ..] => (1, digits),
        [b'-', digits @ ..] => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = match *digits {
        [h1, h2] => (two_digits(h1, h2)?, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (two_digits(h1, h2)?, two_digits(m1, m2)?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    Some(Some(sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60)))
}

#[expect(
    clippy::arithmetic_side_effects,
    reason = "years 1 to 9999 in microseconds are far from what 64 bits hold"
)]
fn formatted_timestamp(format: &str, text: &str) -> Result<Written, Code> {
    let parsed = parse_formatted(format, text).ok_or(Code::NotATimestamp)?;
    let date = parsed.to_date().ok().and_then(civil).ok_or(Code::NotATimestamp)?;
    // `jiff` reads a leap second as the second before it.
    let time = parsed.to_time().map_err(|_| Code::NotATimestamp)?;
    let (seconds, nanos) = clock_of(time);
    let local_micros = i64::from(days(date)) * MICROS_PER_DAY + micros(seconds, nanos)?;
    Ok(Written { local_micros, offset_seconds: parsed.offset().map(jiff::tz::Offset::seconds) })
}

/// `%z` and `%:z` of `jiff` do not read `Z`.
fn parse_formatted(format: &str, text: &str) -> Option<BrokenDownTime> {
    let parsed = strtime::parse(format, text).ok();
    if parsed.is_some() {
        return parsed;
    }
    let without_z = text.strip_suffix(['Z', 'z'])?;
    let (utc, directive) = match format.strip_suffix("%:z") {
        Some(_) => ("+00:00", "%:z"),
        None => ("+0000", "%z"),
    };
    format.strip_suffix(directive)?;
    strtime::parse(format, format!("{without_z}{utc}")).ok()
}

fn civil(date: jiff::civil::Date) -> Option<Civil> {
    let year = u16::try_from(date.year()).ok()?;
    valid(year, u8::try_from(date.month()).ok()?, u8::try_from(date.day()).ok()?)
}

#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "of two digits")]
fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    if tens.is_ascii_digit() && ones.is_ascii_digit() {
        Some((tens - b'0') * 10 + (ones - b'0'))
    } else {
        None
    }
}

/// Days since 1970-01-01.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "years have four digits")]
pub(crate) fn days(date: Civil) -> i32 {
    let (year, month, day) = (u32::from(date.year), u32::from(date.month), u32::from(date.day));
    // Years that begin in March have the leap day as their last one. January and February are the months 13 and 14 of
    // the year before.
    let is_early = month <= 2;
    let (year, month) = if is_early { (year - 1, month + 12) } else { (year, month) };
    let century = year / 100;
    let days = year * 1461 / 4 - century + century / 4 + (979 * month - 2919) / 32 + day - 1;
    days.cast_signed() - DAYS_BEFORE_1970
}

/// The date of a number of days since 1970-01-01, which must lie in the years 1 to 9999.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "of the years 1 to 9999")]
pub(crate) fn civil_of_days(days: i32) -> Civil {
    // Of 400 years, of four, of one: each as a multiplication and a shift.
    let quarters = 4 * (days + DAYS_BEFORE_1970).cast_unsigned() + 3;
    let (century, rest) = (quarters / 146_097, quarters % 146_097);
    let product = u64::from(rest | 3) * 2_939_745;
    let (year_of_century, rest) = (product >> 32, (product & 0xffff_ffff) / 2_939_745 / 4);
    let shifted = rest * 2_141 + 197_913;
    let (month, day) = (shifted >> 16, (shifted & 0xffff) / 2_141 + 1);
    let is_early = rest >= 306;
    let year = u64::from(century) * 100 + year_of_century + u64::from(is_early);
    let month = if is_early { month - 12 } else { month };
    let narrow = "a date of the years 1 to 9999";
    Civil {
        year: u16::try_from(year).expect(narrow),
        month: u8::try_from(month).expect(narrow),
        day: u8::try_from(day).expect(narrow),
    }
}

/// Of the years 1 to 9999.
#[inline]
fn in_range(micros: i64) -> bool {
    const START: i64 = FIRST_DAY as i64 * MICROS_PER_DAY;
    const END: i64 = (LAST_DAY as i64 + 1) * MICROS_PER_DAY;
    (START..END).contains(&micros)
}

/// Of the years 1 to 9999.
pub(crate) fn is_day(days: i32) -> bool {
    (FIRST_DAY..=LAST_DAY).contains(&days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_is_the_one_of_another_calendar() {
        let mut date = jiff::civil::Date::constant(1, 1, 1);
        for day in FIRST_DAY..=LAST_DAY {
            let civil = civil(date).unwrap();
            assert_eq!(civil_of_days(day), civil);
            assert_eq!(days(civil), day);
            if day < LAST_DAY {
                date = date.tomorrow().unwrap();
            }
        }
        assert_eq!(date, jiff::civil::Date::MAX);
    }
}
