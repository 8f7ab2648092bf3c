//! Dates, times and durations in ISO 8601, including those outside the supported ranges.

use std::fmt::Write;

use crate::cast::time::{self, Civil, MICROS_PER_DAY};
use crate::copy;

/// Writes a date in ISO 8601. Years outside 1 to 9999 are in the expanded form with a sign and at least six digits.
pub(super) fn date(days: i64, out: &mut String) -> std::fmt::Result {
    /// The days of 400 years, after which the calendar repeats.
    const CYCLE_DAYS: i64 = 146_097;
    const CYCLE_YEARS: i64 = 400;
    /// 2000-01-01.
    const CYCLE_START: i64 = 10_957;
    if let Some(days) = i32::try_from(days).ok().filter(|days| time::is_day(*days)) {
        return out.write_str(str::from_utf8(&copy::date_digits(days)).expect("dates are ASCII"));
    }
    let days = days.saturating_sub(CYCLE_START);
    let equivalent = CYCLE_START.saturating_add(days.rem_euclid(CYCLE_DAYS));
    let equivalent = i32::try_from(equivalent).expect("a day of the years 2000 to 2399");
    let Civil { year, month, day } = time::civil_of_days(equivalent);
    let year = days.div_euclid(CYCLE_DAYS).saturating_mul(CYCLE_YEARS).saturating_add(i64::from(year));
    write!(out, "{year:+07}-{month:02}-{day:02}")
}

/// The length of `HH:MM:SS.ffffff`.
const CLOCK_BYTES: usize = 15;

/// Writes a time of day, or the duration since midnight if the time is outside a day.
pub(super) fn clock(micros: i64, nanos: u16, out: &mut String) -> std::fmt::Result {
    if !(0..MICROS_PER_DAY).contains(&micros) {
        return since_midnight(micros, nanos, out);
    }
    let mut text = Vec::with_capacity(CLOCK_BYTES);
    copy::clock(micros.unsigned_abs(), &mut text);
    let text = str::from_utf8(&text).expect("times are ASCII");
    if nanos == 0 {
        return out.write_str(text);
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    write!(out, "{seconds}.{fraction:0<6}{nanos:03}")
}

/// Writes a time outside a day as the duration since midnight in ISO 8601.
fn since_midnight(micros: i64, nanos: u16, out: &mut String) -> std::fmt::Result {
    const NANOS_PER_SECOND: u128 = 1_000_000_000;
    let nanos = i128::from(micros).saturating_mul(1_000).saturating_add(i128::from(nanos));
    let sign = if nanos < 0 { "-" } else { "" };
    let (seconds, fraction) =
        (nanos.unsigned_abs() / NANOS_PER_SECOND, nanos.unsigned_abs() % NANOS_PER_SECOND);
    write!(out, "{sign}PT{seconds}")?;
    if fraction > 0 {
        out.write_str(format!(".{fraction:09}").trim_end_matches('0'))?;
    }
    out.write_str("S")
}

/// Writes a timestamp in microseconds and nanoseconds in ISO 8601.
pub(super) fn timestamp(micros: i64, nanos: u16, is_utc: bool, out: &mut String) -> std::fmt::Result {
    let days = micros.div_euclid(MICROS_PER_DAY);
    date(days, out)?;
    out.push('T');
    clock(micros.rem_euclid(MICROS_PER_DAY), nanos, out)?;
    out.write_str(if is_utc { "Z" } else { "" })
}

/// Writes a timestamp in milliseconds, whose microseconds may not fit 64 bits.
pub(super) fn timestamp_of_millis(millis: i64, is_utc: bool, out: &mut String) -> std::fmt::Result {
    const MICROS_PER_MILLI: i64 = 1_000;
    const MILLIS_PER_DAY: i64 = MICROS_PER_DAY / MICROS_PER_MILLI;
    date(millis.div_euclid(MILLIS_PER_DAY), out)?;
    out.push('T');
    clock(millis.rem_euclid(MILLIS_PER_DAY).saturating_mul(MICROS_PER_MILLI), 0, out)?;
    out.write_str(if is_utc { "Z" } else { "" })
}

/// Returns a duration in ISO 8601, e.g. `P1M2DT3.004S`.
pub(crate) fn duration(months: u32, days: u32, millis: u32) -> String {
    let mut text = format!("P{months}M{days}DT{}", millis / 1_000);
    let fraction = millis % 1_000;
    if fraction > 0 {
        write!(text, ".{fraction:03}").expect("writing to a string does not fail");
    }
    text.push('S');
    text
}
