//! Parses dates, times of day and points in time in the formats of ISO 8601 and RFC 3339.
//!
//! The values of files and the bounds and literals of contracts are parsed by the same functions.

use crate::civil::{Civil, MICROS_PER_DAY, MICROS_PER_SECOND, days};

/// The largest offset from UTC, in seconds: 18 hours, as in the JDK.
const MAX_OFFSET_SECONDS: i32 = 18 * 3_600;

/// The reason why a text is not a date or time that can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeError {
    /// It has another format, or there is no such date or time.
    Malformed,
    /// It is more precise than a microsecond, or outside the years 1 to 9999.
    OutOfRange,
}

/// A point in time as it was written: local time and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedTimestamp {
    /// Microseconds since 1970-01-01T00:00 in local time.
    pub local_micros: i64,
    /// The offset from UTC in seconds, positive to the east. `None` if the text has none.
    pub offset_seconds: Option<i32>,
}

/// Parses `YYYY-MM-DD`.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "numbers of two digits")]
pub fn iso_date(text: &[u8; 10]) -> Option<Civil> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text else { return None };
    let year = u16::from(two_digits(y1, y2)?) * 100 + u16::from(two_digits(y3, y4)?);
    Civil::new(year, two_digits(m1, m2)?, two_digits(d1, d2)?)
}

/// Parses `YYYY-MM-DD[(T| )hh:mm[:ss[(.|,)f…]][Z|(+|-)hh[[:]mm]]]`: ISO 8601 and RFC 3339, with the space that the
/// latter allows, and an optional space before the offset. A date alone is its midnight.
///
/// # Errors
/// Returns an error if the text has another format, or is more precise than a microsecond.
#[inline]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "years 1 to 9999 in microseconds are far from what 64 bits hold"
)]
pub fn iso_timestamp(text: &[u8]) -> Result<ParsedTimestamp, TimeError> {
    let parse = || {
        let (date, rest) = text.split_first_chunk::<10>()?;
        let midnight = i64::from(days(iso_date(date)?)) * MICROS_PER_DAY;
        let Some((b'T' | b't' | b' ', clock)) = rest.split_first() else {
            return rest.is_empty().then_some((midnight, 0, 0, rest));
        };
        let (seconds, nanos, rest) = iso_clock(clock)?;
        Some((midnight, seconds, nanos, rest))
    };
    let (midnight, seconds, nanos, rest) = parse().ok_or(TimeError::Malformed)?;
    let rest = match rest {
        [b' ', offset @ ..] if !offset.is_empty() => offset,
        offset => offset,
    };
    let offset_seconds = offset(rest).ok_or(TimeError::Malformed)?;
    Ok(ParsedTimestamp { local_micros: midnight + micros(seconds, nanos)?, offset_seconds })
}

/// Parses `hh:mm[:ss[(.|,)f…]]` and returns the microseconds since midnight.
///
/// # Errors
/// Returns an error if the text has another format, or is more precise than a microsecond.
#[inline]
pub fn iso_time(text: &[u8]) -> Result<i64, TimeError> {
    let (seconds, nanos, rest) = iso_clock(text).ok_or(TimeError::Malformed)?;
    if rest.is_empty() { micros(seconds, nanos) } else { Err(TimeError::Malformed) }
}

/// Parses `hh:mm[:ss[(.|,)f…]]` and returns the seconds since midnight, the nanoseconds, and the rest of the text.
///
/// `24:00` is refused: the types of Arrow and Parquet end before it, and the table has the same values as the lake.
/// Second 60 is refused: PostgreSQL would store another second.
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

/// Converts seconds and nanoseconds to microseconds, the precision of PostgreSQL. A more precise time is an error,
/// because values are never rounded.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "a day has 86.4 billion microseconds")]
pub(crate) fn micros(seconds: i64, nanos: i64) -> Result<i64, TimeError> {
    if nanos % 1_000 == 0 {
        Ok(seconds * MICROS_PER_SECOND + nanos / 1_000)
    } else {
        Err(TimeError::OutOfRange)
    }
}

/// Reads a fraction of one to nine digits, in nanoseconds, and returns the rest of the text.
#[inline]
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

/// Parses nothing, `Z`, or `(+|-)hh[[:]mm]`, in seconds. Returns `None` for any other text.
#[inline]
pub fn offset(text: &[u8]) -> Option<Option<i32>> {
    let (is_west, digits) = match text {
        [] => return Some(None),
        [b'Z' | b'z'] => return Some(Some(0)),
        [b'+', digits @ ..] => (false, digits),
        [b'-', digits @ ..] => (true, digits),
        _ => return None,
    };
    let (hours, minutes) = match *digits {
        [h1, h2] => (two_digits(h1, h2)?, 0),
        [h1, h2, m1, m2] | [h1, h2, b':', m1, m2] => (two_digits(h1, h2)?, two_digits(m1, m2)?),
        _ => return None,
    };
    offset_seconds(is_west, hours, minutes, 0).map(Some)
}

/// Returns the seconds ahead of UTC, or `None` for more than 18 hours.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "numbers of two digits")]
pub(crate) fn offset_seconds(is_west: bool, hours: u8, minutes: u8, seconds: u8) -> Option<i32> {
    let total = i32::from(hours) * 3_600 + i32::from(minutes) * 60 + i32::from(seconds);
    let exists = minutes <= 59 && seconds <= 59 && total <= MAX_OFFSET_SECONDS;
    exists.then_some(if is_west { -total } else { total })
}

/// Returns the number of two ASCII digits.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "of two digits")]
pub(crate) fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    if tens.is_ascii_digit() && ones.is_ascii_digit() {
        Some((tens - b'0') * 10 + (ones - b'0'))
    } else {
        None
    }
}
