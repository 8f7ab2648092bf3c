//! Checks the values that a contract contains: bounds, constants, defaults and allowed values.

use crate::civil::{self, MICROS_PER_DAY, MICROS_PER_SECOND};
use crate::decimal::Decimal;
use crate::error::quoted;
use crate::iso8601::{self, ParsedTimestamp, TimeError};
use crate::model::{Bound, Column, DateFormat, LogicalType, NumericTime, SqlType};

/// The message for a time with too many digits.
const FINER: &str = "more precise than a microsecond, which PostgreSQL cannot store";

/// Parses an ISO 8601 date without a time, and returns its days since 1970-01-01.
pub(crate) fn iso_date(text: &str) -> Result<i64, String> {
    let date = text.as_bytes().first_chunk::<10>().filter(|date| date.len() == text.len());
    let date = date.and_then(iso8601::iso_date).map(|date| i64::from(civil::days(date)));
    date.ok_or_else(|| "not a date; write it as in `2024-01-31`".to_owned())
}

/// Parses an ISO 8601 point in time, and returns its microseconds since 1970-01-01T00:00: in UTC if it has an offset. A
/// date alone is its midnight.
pub(crate) fn iso_timestamp(text: &str) -> Result<i64, String> {
    let written = iso8601::iso_timestamp(text.as_bytes());
    let micros = written.map(|ParsedTimestamp { local_micros, offset_seconds }| {
        let offset = i64::from(offset_seconds.unwrap_or(0)).saturating_mul(MICROS_PER_SECOND);
        local_micros.saturating_sub(offset)
    });
    micros.map_err(|error| match error {
        TimeError::Malformed => "not a point in time; write it as in `2024-01-31T12:00:00Z`".to_owned(),
        TimeError::OutOfRange => FINER.to_owned(),
    })
}

/// Parses an ISO 8601 time of day, and returns its microseconds since midnight.
pub(crate) fn iso_time(text: &str) -> Result<i64, String> {
    iso8601::iso_time(text.as_bytes()).map_err(|error| match error {
        TimeError::Malformed => "not a time of day; write it as in `23:59:59`".to_owned(),
        TimeError::OutOfRange => FINER.to_owned(),
    })
}

/// Returns true for an offset, `UTC`, or a text in the form of a time zone name. Whether the zone exists is checked
/// when the plan is compiled, because only the engine has the database.
pub(crate) fn is_time_zone(text: &str) -> bool {
    // Values may also have offsets without a colon, but in a contract those could be mistaken for numbers.
    let offset = |text: &str| {
        text.starts_with(['+', '-']) && text.len() != 5 && iso8601::offset(text.as_bytes()).is_some()
    };
    let word = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_alphabetic())
            && part.chars().all(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '-' | '+'))
    };
    offset(text) || (text.len() <= 64 && text.split('/').count() <= 3 && text.split('/').all(word))
}

/// Returns an error if a value does not fit the type of a column, or violates its rules other than `allowed`.
///
/// The value has the form that the cast reads: trimmed, in its final letter case, without separators (numbers have
/// `.`). Dates and times are in the column's `format`.
pub(crate) fn fits(text: &str, column: &Column) -> Result<(), String> {
    if text.contains('\0') {
        return Err("has a NUL character, which PostgreSQL cannot store".to_owned());
    }
    match &column.logical_type {
        LogicalType::String => fits_string(text, column),
        LogicalType::Integer | LogicalType::Number => fits_number(text, column),
        LogicalType::Boolean => {
            let mut spellings = column.harmonise.true_values.iter().chain(&column.harmonise.false_values);
            let known = ["true", "false"].iter().any(|known| known.eq_ignore_ascii_case(text));
            let known = known || spellings.any(|known| known.eq_ignore_ascii_case(text));
            if known { Ok(()) } else { Err("is neither true nor false".to_owned()) }
        }
        LogicalType::Date { format } => fits_date(text, format.as_ref(), column),
        LogicalType::Timestamp { format, .. } => fits_timestamp(text, format.as_ref(), column),
        LogicalType::Time { format: Some(format) } => format
            .read_time(text.as_bytes())
            .map(drop)
            .map_err(|_| "is not a time of day of the column's `format`".to_owned()),
        LogicalType::Time { format: None } => iso_time(text).map(drop).map_err(|why| format!("is {why}")),
        LogicalType::Object { .. } => json_like(text, '{', '}', "an object"),
        LogicalType::Array { .. } => json_like(text, '[', ']', "an array"),
    }
}

fn fits_date(text: &str, format: Option<&DateFormat>, column: &Column) -> Result<(), String> {
    match (column.harmonise.numeric_time, format) {
        (Some(numeric), _) => match number(text, numeric)? {
            micros if micros.rem_euclid(MICROS_PER_DAY) == 0 => Ok(()),
            _ => Err("is not the start of a day".to_owned()),
        },
        (None, Some(format)) => {
            let date = format.read_date(text.as_bytes());
            date.map(drop).ok_or_else(|| "is not a date of the column's `format`".to_owned())
        }
        (None, None) => iso_date(text).map(drop).map_err(|why| format!("is {why}")),
    }
}

fn fits_timestamp(text: &str, format: Option<&DateFormat>, column: &Column) -> Result<(), String> {
    match (column.harmonise.numeric_time, format) {
        (Some(numeric), _) => number(text, numeric).map(drop),
        (None, Some(format)) => {
            let read = format.read_timestamp(text.as_bytes());
            read.map(drop).map_err(|_| "is not a point in time of the column's `format`".to_owned())
        }
        (None, None) => iso_timestamp(text).map(drop).map_err(|why| format!("is {why}")),
    }
}

/// Parses a number that is a time, and returns its microseconds since 1970-01-01T00:00.
fn number(text: &str, numeric: NumericTime) -> Result<i64, String> {
    let number = Decimal::parse(text).ok_or_else(|| format!("is not {numeric}"))?;
    let (is_negative, whole, fraction) = number.parts();
    let micros = numeric.micros(is_negative, whole, fraction);
    micros.ok().filter(|micros| civil::is_in_range(*micros)).ok_or_else(|| format!("is not {numeric}"))
}

fn fits_string(text: &str, column: &Column) -> Result<(), String> {
    let rules = &column.rules;
    let length = u64::try_from(text.chars().count()).expect("usize has at most 64 bits");
    if let Some(min) = rules.min_length.filter(|min| length < *min) {
        return Err(format!("has fewer characters than minLength {min}"));
    }
    if let Some(max) = rules.max_length.filter(|max| length > *max) {
        return Err(format!("has more characters than maxLength {max}"));
    }
    let compile = |pattern: &str| regex::Regex::new(pattern).expect("the pattern compiled when it was read");
    if let Some(pattern) = &rules.pattern
        && !compile(pattern).is_match(text)
    {
        return Err(format!("does not match the pattern {}", quoted(pattern)));
    }
    let is_uuid = |text: &str| {
        let groups: Vec<&str> = text.split('-').collect();
        groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
            && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if column.sql_type == SqlType::Uuid && !is_uuid(text) {
        return Err("is not a UUID".to_owned());
    }
    Ok(())
}

fn fits_number(text: &str, column: &Column) -> Result<(), String> {
    let whole = column.logical_type == LogicalType::Integer;
    let kind = if whole { "is not a whole number" } else { "is not a decimal number" };
    let number =
        Decimal::parse(text).filter(|number| !whole || number.is_whole()).ok_or_else(|| kind.to_owned())?;
    let outside = |bound: &Bound, beyond: std::cmp::Ordering| {
        let limit = Decimal::parse(&bound.value).expect("the bound of a number is a decimal");
        let order = number.cmp(&limit);
        order == beyond || bound.exclusive && order.is_eq()
    };
    if let Some(bound) =
        column.rules.minimum.as_ref().filter(|bound| outside(bound, std::cmp::Ordering::Less))
    {
        return Err(format!("is below the minimum {}", bound.value));
    }
    if let Some(bound) =
        column.rules.maximum.as_ref().filter(|bound| outside(bound, std::cmp::Ordering::Greater))
    {
        return Err(format!("is above the maximum {}", bound.value));
    }
    if fits_sql_type(&number, &column.sql_type) {
        Ok(())
    } else {
        Err(format!("does not fit `{}`", column.sql_type))
    }
}

fn fits_sql_type(number: &Decimal, sql_type: &SqlType) -> bool {
    let within = |low, high| {
        let limit = |text| Decimal::parse(text).expect("a constant decimal");
        *number >= limit(low) && *number <= limit(high)
    };
    match sql_type {
        SqlType::Smallint => within("-32768", "32767"),
        SqlType::Integer => within("-2147483648", "2147483647"),
        SqlType::Bigint => within("-9223372036854775808", "9223372036854775807"),
        SqlType::Numeric(Some((precision, scale))) => {
            let (before, after) = number.digits();
            before <= usize::from(precision.saturating_sub(*scale)) && after <= usize::from(*scale)
        }
        SqlType::Numeric(None)
        | SqlType::DoublePrecision
        | SqlType::Text
        | SqlType::Boolean
        | SqlType::Date
        | SqlType::Time
        | SqlType::Timestamp
        | SqlType::Timestamptz
        | SqlType::Jsonb
        | SqlType::Uuid => true,
    }
}

/// Checks only the first and the last character: the engine parses the text.
fn json_like(text: &str, open: char, close: char, what: &str) -> Result<(), String> {
    let text = text.trim();
    if text.starts_with(open) && text.ends_with(close) && text.len() >= 2 {
        Ok(())
    } else {
        Err(format!("is not {what} in JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_zones_are_names_or_offsets() {
        for zone in [
            "UTC",
            "Etc/UTC",
            "Europe/Berlin",
            "America/Argentina/Buenos_Aires",
            "Etc/GMT+3",
            "+01:00",
            "-0530",
            "+02",
        ] {
            let known = zone != "-0530";
            assert_eq!(is_time_zone(zone), known, "{zone}");
        }
        for zone in [
            "",
            "Europe/",
            "/Berlin",
            "Europa Berlin",
            "+1:00",
            "+18:01",
            "+25:00",
            "../etc/passwd",
            "a/b/c/d",
        ] {
            assert!(!is_time_zone(zone), "{zone}");
        }
    }

    #[test]
    fn dates_and_times_have_iso_formats() {
        assert!(iso_date("2024-02-29").is_ok());
        for text in ["2023-02-29", "2024-2-9", "20240229", "2024-02-29T00:00:00", ""] {
            assert!(iso_date(text).is_err(), "{text}");
        }
        for text in ["2024-02-29T12:00:00Z", "2024-02-29T12:00:00+01:00", "2024-02-29T12:00:00", "2024-02-29"]
        {
            assert!(iso_timestamp(text).is_ok(), "{text}");
        }
        for text in ["noon", "2024-02-29T24:00:00Z", "2024-02-29T23:59:60Z", "2024-02-29T12:00:00+18:01"] {
            assert!(iso_timestamp(text).is_err(), "{text}");
        }
        assert!(iso_timestamp("2024-01-01T00:30:00+01:00") < iso_timestamp("2024-01-01T00:00:00Z"));
    }
}
