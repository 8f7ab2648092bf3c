//! Dates and points in time. Internally a date is days, a point in time microseconds since 1970-01-01 UTC;
//! years 1 to 9999.
//!
//! ISO 8601 is read by hand, other formats by `jiff`. Calendar arithmetic after Howard Hinnant,
//! "chrono-Compatible Low-Level Date Algorithms".

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// 0001-01-01 and 9999-12-31.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;

/// What a text says before its zone is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// Microseconds since 1970-01-01T00:00 of the wall clock.
    pub(crate) wall_us: i64,
    /// The offset that the text carries, in seconds east of UTC.
    pub(crate) offset_s: Option<i32>,
}

/// Why a text is no date or point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeFault {
    /// Not of the format.
    Format,
    /// Of the format, but finer than a microsecond or out of the years.
    Range,
}

/// Days since 1970-01-01 of a proleptic Gregorian date, `None` when there is no such day.
fn days_of(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if day == 0 || day > last {
        return None;
    }
    let shifted = if month <= 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let year_of_era = shifted.rem_euclid(400);
    let month_from_march = i64::from((month + 9) % 12);
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

/// Year, month and day of days since 1970-01-01.
fn civil_of(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Reads `YYYY-MM-DD`.
pub(crate) fn parse_iso_date(text: &[u8]) -> Option<i64> {
    let (days, rest) = take_date(text)?;
    rest.is_empty().then_some(days)
}

fn take_date(text: &[u8]) -> Option<(i64, &[u8])> {
    let (date, rest) = text.split_at_checked(10)?;
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *date else { return None };
    let year = i64::from(two(y1, y2)?) * 100 + i64::from(two(y3, y4)?);
    if year == 0 {
        return None;
    }
    Some((days_of(year, two(m1, m2)?, two(d1, d2)?)?, rest))
}

fn two(tens: u8, ones: u8) -> Option<u32> {
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
}

/// Reads ISO 8601: `YYYY-MM-DD[(T| )HH:MM[:SS[(.|,)fraction]][Z|±HH[[:]MM]]]`.
pub(crate) fn parse_iso_timestamp(text: &[u8]) -> Result<Parsed, TimeFault> {
    let (days, rest) = take_date(text).ok_or(TimeFault::Format)?;
    let midnight = days * MICROS_PER_DAY;
    let [b'T' | b't' | b' ', rest @ ..] = rest else {
        return if rest.is_empty() {
            Ok(Parsed { wall_us: midnight, offset_s: None })
        } else {
            Err(TimeFault::Format)
        };
    };
    let [h1, h2, b':', m1, m2, rest @ ..] = rest else { return Err(TimeFault::Format) };
    let hour = two(*h1, *h2).filter(|hour| *hour < 24).ok_or(TimeFault::Format)?;
    let minute = two(*m1, *m2).filter(|minute| *minute < 60).ok_or(TimeFault::Format)?;
    let (second, rest) = match rest {
        [b':', s1, s2, rest @ ..] => {
            (two(*s1, *s2).filter(|second| *second < 60).ok_or(TimeFault::Format)?, rest)
        }
        rest => (0, rest),
    };
    let (fraction_us, rest) = take_fraction(rest)?;
    let seconds = i64::from(hour * 3_600 + minute * 60 + second);
    let offset_s = parse_offset(rest).ok_or(TimeFault::Format)?;
    Ok(Parsed { wall_us: midnight + seconds * MICROS_PER_SECOND + fraction_us, offset_s })
}

fn take_fraction(text: &[u8]) -> Result<(i64, &[u8]), TimeFault> {
    let [b'.' | b',', rest @ ..] = text else { return Ok((0, text)) };
    let end = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, rest) = rest.split_at(end);
    if digits.is_empty() {
        return Err(TimeFault::Format);
    }
    let mut micros = 0i64;
    for place in 0..6 {
        micros = micros * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0'));
    }
    if digits.iter().skip(6).any(|digit| *digit != b'0') {
        return Err(TimeFault::Range);
    }
    Ok((micros, rest))
}

/// `Some(None)` when there is no offset.
fn parse_offset(text: &[u8]) -> Option<Option<i32>> {
    let (sign, h1, h2, minutes) = match text {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [sign @ (b'+' | b'-'), h1, h2] => (sign, h1, h2, 0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            (sign, h1, h2, two(*m1, *m2)?)
        }
        _ => return None,
    };
    let hours = two(*h1, *h2)?;
    if hours > 15 || minutes > 59 {
        return None;
    }
    let seconds = i32::try_from(hours * 3_600 + minutes * 60).ok()?;
    Some(Some(if *sign == b'-' { -seconds } else { seconds }))
}

/// Reads by a `strftime` pattern.
pub(crate) fn parse_format(format: &str, text: &str) -> Result<Parsed, TimeFault> {
    let broken = strtime::parse(format, text).map_err(|_| TimeFault::Format)?;
    let date = broken.to_date().map_err(|_| TimeFault::Format)?;
    let time = if broken.hour().is_some() {
        broken.to_time().map_err(|_| TimeFault::Format)?
    } else {
        jiff::civil::Time::midnight()
    };
    let days = days_of(
        i64::from(date.year()),
        u32::from(date.month().unsigned_abs()),
        u32::from(date.day().unsigned_abs()),
    )
    .filter(|days| DAYS.contains(days))
    .ok_or(TimeFault::Range)?;
    if time.nanosecond() != 0 {
        return Err(TimeFault::Range);
    }
    let seconds = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    let micros = i64::from(time.millisecond()) * 1_000 + i64::from(time.microsecond());
    Ok(Parsed {
        wall_us: days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + micros,
        offset_s: broken.offset().map(jiff::tz::Offset::seconds),
    })
}

/// The point in time, in microseconds UTC. A wall clock time that a change of the zone's offset skips or
/// repeats is taken as RFC 5545 says: the offset before the change holds.
pub(crate) fn to_utc_us(parsed: Parsed, zone: &TimeZone) -> Result<i64, TimeFault> {
    let offset_s = match parsed.offset_s {
        Some(offset_s) => offset_s,
        None if *zone == TimeZone::UTC => 0,
        None => offset_of_wall(parsed.wall_us, zone)?,
    };
    let utc_us = parsed.wall_us - i64::from(offset_s) * MICROS_PER_SECOND;
    if DAYS.contains(&utc_us.div_euclid(MICROS_PER_DAY)) { Ok(utc_us) } else { Err(TimeFault::Range) }
}

fn offset_of_wall(wall_us: i64, zone: &TimeZone) -> Result<i32, TimeFault> {
    let (year, month, day) = civil_of(wall_us.div_euclid(MICROS_PER_DAY));
    let seconds = wall_us.rem_euclid(MICROS_PER_DAY) / MICROS_PER_SECOND;
    let narrow = |value: i64| i8::try_from(value).map_err(|_| TimeFault::Range);
    let wall = DateTime::new(
        i16::try_from(year).map_err(|_| TimeFault::Range)?,
        narrow(month)?,
        narrow(day)?,
        narrow(seconds / 3_600)?,
        narrow(seconds / 60 % 60)?,
        narrow(seconds % 60)?,
        0,
    )
    .map_err(|_| TimeFault::Range)?;
    let point = zone.to_ambiguous_timestamp(wall).compatible().map_err(|_| TimeFault::Range)?;
    let offset = wall_us.div_euclid(MICROS_PER_SECOND) - point.as_second();
    i32::try_from(offset).map_err(|_| TimeFault::Range)
}

/// The wall clock of `zone`: as the text says it, or as `zone` sees it where the text carries an offset.
pub(crate) fn to_wall_us(parsed: Parsed, zone: &TimeZone) -> Result<i64, TimeFault> {
    if parsed.offset_s.is_none() {
        return Ok(parsed.wall_us);
    }
    let utc_us = to_utc_us(parsed, zone)?;
    let point = jiff::Timestamp::from_microsecond(utc_us).map_err(|_| TimeFault::Range)?;
    Ok(utc_us + i64::from(zone.to_offset(point).seconds()) * MICROS_PER_SECOND)
}

/// Days of a wall clock time.
pub(crate) fn days_of_us(us: i64) -> i64 {
    us.div_euclid(MICROS_PER_DAY)
}

/// Appends `YYYY-MM-DD`.
pub(crate) fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil_of(days);
    push_digits(out, year, 4);
    out.push(b'-');
    push_digits(out, month, 2);
    out.push(b'-');
    push_digits(out, day, 2);
}

/// Appends `YYYY-MM-DD HH:MM:SS[.ffffff]`, with `+00` when it is UTC.
pub(crate) fn write_timestamp(us: i64, utc: bool, out: &mut Vec<u8>) {
    write_date(us.div_euclid(MICROS_PER_DAY), out);
    let in_day = us.rem_euclid(MICROS_PER_DAY);
    let seconds = in_day / MICROS_PER_SECOND;
    out.push(b' ');
    push_digits(out, seconds / 3_600, 2);
    out.push(b':');
    push_digits(out, seconds / 60 % 60, 2);
    out.push(b':');
    push_digits(out, seconds % 60, 2);
    let fraction = in_day % MICROS_PER_SECOND;
    if fraction != 0 {
        out.push(b'.');
        push_digits(out, fraction, 6);
    }
    if utc {
        out.extend_from_slice(b"+00");
    }
}

fn push_digits(out: &mut Vec<u8>, value: i64, width: u32) {
    for place in (0..width).rev() {
        let digit = value / 10i64.pow(place) % 10;
        out.push(b'0' + u8::try_from(digit).expect("a digit of a value that is not negative"));
    }
}
