//! One row through the plan: harmonise, cast, check, write.

use std::borrow::Cow;
use std::cmp::Ordering;

use penstock_contract::Case;

use crate::cast::number::{Decimal, parse_integer, write_integer};
use crate::cast::time::{self, TimeFault};
use crate::copy;
use crate::plan::{Cast, Limit, Plan, PlanColumn};
use crate::{Code, Reason};

/// Characters of a found value that a reason keeps.
const FOUND_CHARS: usize = 200;

/// A column's value as the decoder found it.
#[derive(Debug, Clone)]
pub(crate) enum Raw<'a> {
    /// No such field, an empty one, or JSON null.
    Missing,
    /// Text, or a JSON string or number.
    Text(Cow<'a, str>),
    /// A JSON boolean.
    Boolean(bool),
    /// The text of a JSON object or array.
    Nested(&'a str),
}

/// What is wrong with a value.
struct Fault {
    code: Code,
    rule: String,
}

fn fault(code: Code, rule: impl Into<String>) -> Fault {
    Fault { code, rule: rule.into() }
}

/// Appends a row's fields to `out`, each followed by a tab. With reasons, what was appended is worth nothing.
pub(crate) fn row<'a>(
    plan: &Plan,
    max_reasons: usize,
    mut raw: impl FnMut(usize) -> Raw<'a>,
    out: &mut Vec<u8>,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for (index, column) in plan.columns.iter().enumerate() {
        let value = if column.constant.is_some() { Raw::Missing } else { raw(index) };
        if let Err(fault) = field(column, &value, out)
            && reasons.len() < max_reasons
        {
            reasons.push(Reason {
                code: fault.code,
                column: Some(column.name.clone()),
                rule: fault.rule,
                found: found(column, &value),
            });
        }
        out.push(b'\t');
    }
    reasons
}

fn found(column: &PlanColumn, value: &Raw<'_>) -> Option<String> {
    if column.classified {
        return None;
    }
    match value {
        Raw::Missing => None,
        Raw::Text(text) => Some(text.chars().take(FOUND_CHARS).collect()),
        Raw::Boolean(value) => Some(value.to_string()),
        Raw::Nested(text) => Some(text.chars().take(FOUND_CHARS).collect()),
    }
}

fn field(column: &PlanColumn, raw: &Raw<'_>, out: &mut Vec<u8>) -> Result<(), Fault> {
    if let Some(constant) = &column.constant {
        return cast(column, constant, out);
    }
    let text: &str = match raw {
        Raw::Missing => "",
        Raw::Text(text) => text,
        Raw::Boolean(value) => {
            let spelling = if *value { "true" } else { "false" };
            return match column.cast {
                Cast::Boolean { .. } | Cast::Json { object: None } => cast(column, spelling, out),
                _ => Err(fault(Code::WrongType, format!("{}, not a boolean", kind(column)))),
            };
        }
        Raw::Nested(text) => {
            return match column.cast {
                Cast::Json { .. } => cast(column, text, out),
                _ => Err(fault(Code::WrongType, format!("{}, not an object or array", kind(column)))),
            };
        }
    };
    let text = if column.trim { text.trim() } else { text };
    if text.is_empty() || column.nulls.iter().any(|null| null == text) {
        return missing(column, out);
    }
    let Some(pattern) = &column.extract else { return harmonised(column, text, out) };
    match pattern.captures(text) {
        Some(captures) => {
            let text = captures.get(1).or_else(|| captures.get(0)).map_or("", |found| found.as_str());
            if text.is_empty() { missing(column, out) } else { harmonised(column, text, out) }
        }
        None if column.default.is_some() => missing(column, out),
        None => Err(fault(Code::ExtractMismatch, format!("extract {}", pattern.as_str()))),
    }
}

fn missing(column: &PlanColumn, out: &mut Vec<u8>) -> Result<(), Fault> {
    if let Some(default) = &column.default {
        return cast(column, default, out);
    }
    if column.required {
        return Err(fault(Code::MissingRequired, "required"));
    }
    copy::push_null(out);
    Ok(())
}

fn harmonised(column: &PlanColumn, text: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    let cased = match column.case {
        None => Cow::Borrowed(text),
        Some(Case::Upper) => Cow::Owned(text.to_uppercase()),
        Some(Case::Lower) => Cow::Owned(text.to_lowercase()),
    };
    let is_number = matches!(column.cast, Cast::Integer { .. } | Cast::Numeric(_) | Cast::Double);
    if is_number && (column.decimal_separator != b'.' || column.group_separator.is_some()) {
        let plain: String = (cased.chars())
            .filter(|char| Some(*char) != column.group_separator)
            .map(|char| if char == char::from(column.decimal_separator) { '.' } else { char })
            .collect();
        return cast(column, &plain, out);
    }
    cast(column, &cased, out)
}

fn kind(column: &PlanColumn) -> &'static str {
    match column.cast {
        Cast::Text => "text",
        Cast::Integer { .. } => "a whole number",
        Cast::Numeric(_) | Cast::Double => "a decimal number",
        Cast::Boolean { .. } => "a boolean",
        Cast::Date { .. } => "a date",
        Cast::Timestamp { .. } => "a point in time",
        Cast::Uuid => "a UUID",
        Cast::Json { .. } => "JSON",
    }
}

fn cast(column: &PlanColumn, text: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    if !column.checks.none {
        check_text(column, text)?;
    }
    match &column.cast {
        Cast::Text => cast_text(text, out),
        Cast::Integer { min, max } => {
            let value = parse_integer(text.as_bytes(), *min, *max).map_err(|is_number| {
                if is_number {
                    fault(Code::OutOfRange, format!("{min} to {max}"))
                } else {
                    fault(Code::NotAnInteger, kind(column))
                }
            })?;
            check_decimal(column, text)?;
            write_integer(value, out);
            Ok(())
        }
        Cast::Numeric(size) => cast_numeric(column, *size, text, out),
        Cast::Double => cast_double(column, text, out),
        Cast::Boolean { yes, no } => {
            let is =
                |spellings: &[String]| spellings.iter().any(|spelling| spelling.eq_ignore_ascii_case(text));
            match (is(yes), is(no)) {
                (true, _) => out.push(b't'),
                (false, true) => out.push(b'f'),
                (false, false) => {
                    return Err(fault(Code::NotABoolean, format!("{} or {}", yes.join(", "), no.join(", "))));
                }
            }
            Ok(())
        }
        Cast::Date { format } => {
            let days = match format {
                None => time::parse_iso_date(text.as_bytes()).ok_or(TimeFault::Format),
                Some(format) => {
                    time::parse_format(format, text).map(|parsed| time::days_of_us(parsed.wall_us))
                }
            };
            let days = days.map_err(|why| time_fault(why, Code::NotADate, format.as_deref()))?;
            check_instant(column, days)?;
            time::write_date(days, out);
            Ok(())
        }
        Cast::Timestamp { format, zone, utc } => {
            let parsed = match format {
                None => time::parse_iso_timestamp(text.as_bytes()),
                Some(format) => time::parse_format(format, text),
            };
            let us =
                parsed
                    .and_then(|parsed| {
                        if *utc { time::to_utc_us(parsed, zone) } else { time::to_wall_us(parsed, zone) }
                    })
                    .map_err(|why| time_fault(why, Code::NotATimestamp, format.as_deref()))?;
            check_instant(column, us)?;
            time::write_timestamp(us, *utc, out);
            Ok(())
        }
        Cast::Uuid => cast_uuid(text, out),
        Cast::Json { object } => cast_json(*object, text, out),
    }
}

fn time_fault(why: TimeFault, code: Code, format: Option<&str>) -> Fault {
    match why {
        TimeFault::Format => fault(code, format!("format {}", format.unwrap_or("ISO 8601"))),
        TimeFault::Range => fault(Code::OutOfRange, "years 1 to 9999, whole microseconds"),
    }
}

fn cast_text(text: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    if memchr::memchr(0, text.as_bytes()).is_some() {
        return Err(fault(Code::NulCharacter, "no NUL character"));
    }
    copy::push_field(out, text.as_bytes());
    Ok(())
}

fn cast_numeric(
    column: &PlanColumn,
    size: Option<(u16, u16)>,
    text: &str,
    out: &mut Vec<u8>,
) -> Result<(), Fault> {
    let decimal = Decimal::parse(text.as_bytes()).ok_or_else(|| fault(Code::NotANumber, kind(column)))?;
    match size {
        Some((precision, scale)) if !decimal.fits(precision, scale) => {
            return Err(fault(Code::OutOfRange, format!("numeric({precision},{scale}), nothing is rounded")));
        }
        None if !decimal.fits_unconstrained() => return Err(fault(Code::OutOfRange, "numeric")),
        Some(_) | None => {}
    }
    check_decimal(column, text)?;
    decimal.write(out);
    Ok(())
}

fn cast_double(column: &PlanColumn, text: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    let value: f64 = (plain.then_some(text))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| fault(Code::NotANumber, kind(column)))?;
    if !value.is_finite() {
        return Err(fault(Code::OutOfRange, "double precision"));
    }
    check_double(column, value)?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

fn check_double(column: &PlanColumn, value: f64) -> Result<(), Fault> {
    let literal = |limit: &Limit| limit.literal.parse::<f64>().unwrap_or(f64::NAN);
    if let Some(limit) = &column.checks.minimum
        && (value < literal(limit) || (limit.exclusive && value <= literal(limit)))
    {
        return Err(below(limit));
    }
    if let Some(limit) = &column.checks.maximum
        && (value > literal(limit) || (limit.exclusive && value >= literal(limit)))
    {
        return Err(above(limit));
    }
    Ok(())
}

fn cast_uuid(text: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    let bytes = text.as_bytes();
    let is_dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let hyphenated = bytes.len() == 36
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if is_dash(at) { *byte == b'-' } else { byte.is_ascii_hexdigit() });
    let plain = bytes.len() == 32 && bytes.iter().all(u8::is_ascii_hexdigit);
    if !hyphenated && !plain {
        return Err(fault(Code::NotAUuid, "32 hexadecimal digits, with or without hyphens"));
    }
    out.extend(bytes.iter().map(u8::to_ascii_lowercase));
    Ok(())
}

fn cast_json(object: Option<bool>, text: &str, out: &mut Vec<u8>) -> Result<(), Fault> {
    let text = text.trim();
    let wanted = match object {
        Some(true) => "a JSON object",
        Some(false) => "a JSON array",
        None => "JSON",
    };
    let opens_right = match object {
        Some(true) => text.starts_with('{'),
        Some(false) => text.starts_with('['),
        None => true,
    };
    // Escapes may spell NUL or half a surrogate pair, which only decoding them shows.
    let is_valid = if memchr::memmem::find(text.as_bytes(), b"\\u").is_some() {
        serde_json::from_str::<serde_json::Value>(text).is_ok()
    } else {
        serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
    };
    if !is_valid || !opens_right {
        return Err(fault(if is_valid { Code::WrongType } else { Code::InvalidJson }, wanted));
    }
    if text.contains("\\u0000") {
        return Err(fault(Code::NulCharacter, "no NUL character"));
    }
    copy::push_field(out, text.as_bytes());
    Ok(())
}

fn check_text(column: &PlanColumn, text: &str) -> Result<(), Fault> {
    let checks = &column.checks;
    if checks.min_length.is_some() || checks.max_length.is_some() {
        let length = if text.is_ascii() { text.len() } else { text.chars().count() } as u64;
        if let Some(min) = checks.min_length
            && length < min
        {
            return Err(fault(Code::TooShort, format!("minLength {min}")));
        }
        if let Some(max) = checks.max_length
            && length > max
        {
            return Err(fault(Code::TooLong, format!("maxLength {max}")));
        }
    }
    if let Some(pattern) = &checks.pattern
        && !pattern.is_match(text)
    {
        return Err(fault(Code::PatternMismatch, format!("pattern {}", pattern.as_str())));
    }
    if !checks.allowed.is_empty() && !checks.allowed.contains(text) {
        return Err(fault(Code::NotAllowed, format!("one of {} values", checks.allowed.len())));
    }
    Ok(())
}

fn below(limit: &Limit) -> Fault {
    let rule = if limit.exclusive { "exclusiveMinimum" } else { "minimum" };
    fault(Code::BelowMinimum, format!("{rule} {}", limit.literal))
}

fn above(limit: &Limit) -> Fault {
    let rule = if limit.exclusive { "exclusiveMaximum" } else { "maximum" };
    fault(Code::AboveMaximum, format!("{rule} {}", limit.literal))
}

fn check_bounds(column: &PlanColumn, compare: impl Fn(&Limit) -> Ordering) -> Result<(), Fault> {
    if let Some(limit) = &column.checks.minimum {
        match compare(limit) {
            Ordering::Less => return Err(below(limit)),
            Ordering::Equal if limit.exclusive => return Err(below(limit)),
            Ordering::Equal | Ordering::Greater => {}
        }
    }
    if let Some(limit) = &column.checks.maximum {
        match compare(limit) {
            Ordering::Greater => return Err(above(limit)),
            Ordering::Equal if limit.exclusive => return Err(above(limit)),
            Ordering::Equal | Ordering::Less => {}
        }
    }
    Ok(())
}

fn check_instant(column: &PlanColumn, value: i64) -> Result<(), Fault> {
    check_bounds(column, |limit| value.cmp(&limit.instant))
}

fn check_decimal(column: &PlanColumn, text: &str) -> Result<(), Fault> {
    let checks = &column.checks;
    if checks.minimum.is_none() && checks.maximum.is_none() && checks.multiple_of.is_none() {
        return Ok(());
    }
    let Some(value) = Decimal::parse(text.as_bytes()) else {
        return Err(fault(Code::NotANumber, kind(column)));
    };
    check_bounds(column, |limit| {
        Decimal::parse(limit.literal.as_bytes()).map_or(Ordering::Equal, |literal| value.compare(&literal))
    })?;
    match &checks.multiple_of {
        Some((step, literal)) if !value.is_multiple_of(step) => {
            Err(fault(Code::NotAMultiple, format!("multipleOf {literal}")))
        }
        Some(_) | None => Ok(()),
    }
}
