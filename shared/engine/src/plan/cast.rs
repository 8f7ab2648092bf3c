//! Compilation of the casts of columns and of the values within their documents.

use penstock_contract::civil::days;
use penstock_contract::iso8601::{iso_date, iso_time, iso_timestamp};
use penstock_contract::{
    Bound, Column as ContractColumn, DateFormat, Harmonise, LogicalType, NegativeStyle, Nested, Rules,
    SqlType,
};

use crate::cast::number::{Limit, Literal, Multiple, Notation, NumberCast, NumberType};
use crate::cast::pattern::Pattern;
use crate::cast::text::{TextCast, TextRules, uuid};
use crate::cast::time::{DateCast, TimeCast, TimeNotation, TimestampCast};
use crate::cast::zone::Zone;
use crate::cast::{BooleanCast, Cast, DocumentCast, Interval, NestedCast};

/// Describes the rule that a value of the wrong type violates.
pub(super) fn type_rule(column: &ContractColumn) -> String {
    match &column.logical_type {
        LogicalType::Date { .. } if let Some(numeric) = column.harmonise.numeric_time => {
            format!("{numeric}, without a time of day")
        }
        LogicalType::Timestamp { default_timezone, .. }
            if let Some(numeric) = column.harmonise.numeric_time =>
        {
            if numeric.is_utc() {
                numeric.to_string()
            } else {
                format!("{numeric} that exists in {default_timezone}")
            }
        }
        LogicalType::Integer => number_rule("a whole number", &column.harmonise),
        LogicalType::Number => number_rule("a decimal number", &column.harmonise),
        LogicalType::Boolean => "a boolean".to_owned(),
        LogicalType::Date { format: None } => "a date such as 2024-01-31".to_owned(),
        LogicalType::Date { format: Some(format) } => format!("a date of the format {format}"),
        LogicalType::Timestamp { format: None, default_timezone } => {
            format!("a timestamp such as 2024-01-31T12:00:00Z; without an offset, in {default_timezone}")
        }
        LogicalType::Timestamp { format: Some(format), default_timezone } => {
            format!("a timestamp of the format {format} that exists in {default_timezone}")
        }
        LogicalType::Time { format: None } => "a time of day such as 23:59:59".to_owned(),
        LogicalType::Time { format: Some(format) } => format!("a time of day of the format {format}"),
        LogicalType::Object { .. } => "a JSON object".to_owned(),
        LogicalType::Array { .. } => "a JSON array".to_owned(),
        LogicalType::String if column.sql_type == SqlType::Uuid => "a UUID".to_owned(),
        LogicalType::String => "text".to_owned(),
    }
}

fn number_rule(kind: &str, harmonise: &Harmonise) -> String {
    let percent = if harmonise.percent.is_some() { " and `%`" } else { "" };
    let negative = match harmonise.negative {
        NegativeStyle::Leading => "",
        NegativeStyle::Trailing => ", negative numbers as in 12-",
        NegativeStyle::Parentheses => ", negative numbers as in (12)",
        NegativeStyle::Any => ", negative numbers as in -12, 12- or (12)",
    };
    format!("{kind}{percent}{negative}")
}

pub(super) fn compile_cast(column: &ContractColumn) -> Result<Cast, String> {
    let misfit = || Err(format!("its logical type cannot be stored in `{}`", column.sql_type));
    match (&column.logical_type, &column.sql_type) {
        (LogicalType::String, SqlType::Text | SqlType::Uuid) => text(column).map(Cast::Text),
        (LogicalType::Integer | LogicalType::Number, sql_type) => {
            let is_whole = column.logical_type == LogicalType::Integer;
            let integer = |low, high| Some(NumberType::Integer { low, high });
            let kind = match sql_type {
                SqlType::Smallint => integer(i16::MIN.into(), i16::MAX.into()),
                SqlType::Integer => integer(i32::MIN.into(), i32::MAX.into()),
                SqlType::Bigint => integer(i64::MIN, i64::MAX),
                SqlType::Numeric(size) => Some(NumberType::Numeric { size: *size, is_whole }),
                SqlType::DoublePrecision => Some(NumberType::Double),
                SqlType::Text
                | SqlType::Boolean
                | SqlType::Date
                | SqlType::Time
                | SqlType::Timestamp
                | SqlType::Timestamptz
                | SqlType::Jsonb
                | SqlType::Uuid => None,
            };
            kind.map_or_else(misfit, |kind| number(column, kind).map(Cast::Number))
        }
        (LogicalType::Boolean, SqlType::Boolean) => {
            let mut cast = BooleanCast::new(&column.harmonise.true_values, &column.harmonise.false_values);
            cast.allowed = allowed(column, |text| cast.cast(text).ok())?;
            Ok(Cast::Boolean(cast))
        }
        (LogicalType::Date { format }, SqlType::Date) => date(column, format.as_ref()).map(Cast::Date),
        (LogicalType::Time { format }, SqlType::Time) => time(column, format.as_ref()).map(Cast::Time),
        (LogicalType::Timestamp { format, default_timezone }, SqlType::Timestamp | SqlType::Timestamptz) => {
            timestamp(column, format.as_ref(), default_timezone).map(Cast::Timestamp)
        }
        (LogicalType::Object { .. } | LogicalType::Array { .. }, SqlType::Jsonb) => {
            document(column).map(Cast::Json)
        }
        (
            LogicalType::String
            | LogicalType::Boolean
            | LogicalType::Date { .. }
            | LogicalType::Time { .. }
            | LogicalType::Timestamp { .. }
            | LogicalType::Object { .. }
            | LogicalType::Array { .. },
            _,
        ) => misfit(),
    }
}

fn text(column: &ContractColumn) -> Result<TextCast, String> {
    let is_uuid = column.sql_type == SqlType::Uuid;
    let mut allowed = allowed(column, |text| {
        if is_uuid { uuid(text, &mut String::new()).map(str::to_owned) } else { Some(text.to_owned()) }
    })?;
    allowed.sort_unstable();
    // Exhaustive, so that a new rule does not compile until it is decided which casts check it.
    let Rules {
        min_length,
        max_length,
        pattern,
        format,
        allowed: _,
        // Rules of numbers, dates and times.
        minimum: _,
        maximum: _,
        multiple_of: _,
        // Rules of documents.
        min_items: _,
        max_items: _,
        unique_items: _,
        min_properties: _,
        max_properties: _,
        required_properties: _,
    } = &column.rules;
    let (min_length, max_length) = (*min_length, *max_length);
    let pattern = pattern.as_deref().map(Pattern::new).transpose()?;
    let format = format.filter(|format| format.meaning().is_some() && !is_uuid);
    let has_rules = min_length.is_some()
        || max_length.is_some()
        || pattern.is_some()
        || format.is_some()
        || !allowed.is_empty();
    let rules = TextRules { min_length, max_length, pattern, format, allowed };
    Ok(TextCast { is_uuid, rules: has_rules.then(|| Box::new(rules)) })
}

fn number(column: &ContractColumn, kind: NumberType) -> Result<NumberCast, String> {
    let rules = &column.rules;
    let limit = |bound: &Option<Bound>| match bound {
        None => Ok(None),
        Some(bound) => Literal::parse(&bound.value)
            .map(|value| Some(Limit { value, is_exclusive: bound.exclusive }))
            .ok_or_else(|| format!("the bound `{}` is not a decimal number", bound.value)),
    };
    let multiple = |text: &String| {
        Multiple::parse(text).ok_or_else(|| {
            format!("multipleOf `{text}` must be a positive decimal number of at most 19 digits")
        })
    };
    let cast = NumberCast {
        kind,
        notation: number_notation(column),
        minimum: limit(&rules.minimum)?,
        maximum: limit(&rules.maximum)?,
        multiple_of: rules.multiple_of.as_ref().map(multiple).transpose()?,
        allowed: allowed(column, Literal::parse)?,
        scaled: None,
    };
    Ok(cast.with_scaled())
}

/// Returns the notation of a column's numbers.
fn number_notation(column: &ContractColumn) -> Notation {
    Notation {
        decimal: column.harmonise.decimal_separator.unwrap_or('.'),
        group: column.harmonise.group_separator,
        negative: column.harmonise.negative,
        percent: column.harmonise.percent,
    }
}

/// Returns the notation of a column's dates or timestamps.
fn time_notation(column: &ContractColumn, format: Option<&DateFormat>) -> TimeNotation {
    match (column.harmonise.numeric_time, format) {
        (Some(numeric), _) => TimeNotation::Number(numeric, number_notation(column)),
        (None, Some(format)) => TimeNotation::Format(format.clone()),
        (None, None) => TimeNotation::Iso,
    }
}

fn date(column: &ContractColumn, format: Option<&DateFormat>) -> Result<DateCast, String> {
    let bound = |bound: &Option<Bound>, inward: i32| match bound {
        None => Ok(None),
        Some(bound) => bound
            .value
            .as_bytes()
            .first_chunk::<10>()
            .filter(|date| date.len() == bound.value.len())
            .and_then(iso_date)
            .map(|date| Some(days(date).saturating_add(if bound.exclusive { inward } else { 0 })))
            .ok_or_else(|| format!("the bound `{}` is not a date such as `2024-01-31`", bound.value)),
    };
    let bounds = Interval { low: bound(&column.rules.minimum, 1)?, high: bound(&column.rules.maximum, -1)? };
    let mut cast = DateCast { notation: time_notation(column, format), bounds, allowed: Vec::new() };
    cast.allowed = allowed(column, |text| cast.cast(text, true).ok())?;
    Ok(cast)
}

fn time(column: &ContractColumn, format: Option<&DateFormat>) -> Result<TimeCast, String> {
    let bound = |bound: &Option<Bound>, inward: i64| match bound {
        None => Ok(None),
        Some(bound) => iso_time(bound.value.as_bytes())
            .map(|micros| Some(micros.saturating_add(if bound.exclusive { inward } else { 0 })))
            .map_err(|_| format!("the bound `{}` is not a time of day such as `23:59:59`", bound.value)),
    };
    let bounds = Interval { low: bound(&column.rules.minimum, 1)?, high: bound(&column.rules.maximum, -1)? };
    let mut cast = TimeCast { format: format.cloned(), bounds, allowed: Vec::new() };
    cast.allowed = allowed(column, |text| cast.cast(text).ok())?;
    Ok(cast)
}

fn timestamp(
    column: &ContractColumn,
    format: Option<&DateFormat>,
    default_timezone: &str,
) -> Result<TimestampCast, String> {
    let zone =
        Zone::parse(default_timezone).ok_or_else(|| format!("unknown time zone `{default_timezone}`"))?;
    let is_instant = column.sql_type == SqlType::Timestamptz;
    let mut cast = TimestampCast {
        notation: time_notation(column, format),
        zone,
        is_instant,
        bounds: Interval::default(),
        allowed: Vec::new(),
    };
    let bound = |bound: &Option<Bound>, inward: i64| match bound {
        None => Ok(None),
        Some(bound) => iso_timestamp(bound.value.as_bytes())
            .ok()
            .and_then(|written| cast.resolve(written).ok())
            .map(|micros| Some(micros.saturating_add(if bound.exclusive { inward } else { 0 })))
            .ok_or_else(|| format!("the bound `{}` is not a timestamp", bound.value)),
    };
    let bounds = Interval { low: bound(&column.rules.minimum, 1)?, high: bound(&column.rules.maximum, -1)? };
    cast.bounds = bounds;
    cast.allowed = allowed(column, |text| cast.cast(text, true).ok())?;
    Ok(cast)
}

fn document(column: &ContractColumn) -> Result<DocumentCast, String> {
    if !column.rules.allowed.is_empty() {
        return Err("allowed values are not supported for JSON documents".to_owned());
    }
    let (is_array, members, items) = match &column.logical_type {
        LogicalType::Array { items } => (true, &[][..], items.as_deref()),
        LogicalType::Object { properties } => (false, properties.as_slice(), None),
        LogicalType::String
        | LogicalType::Integer
        | LogicalType::Number
        | LogicalType::Boolean
        | LogicalType::Date { .. }
        | LogicalType::Time { .. }
        | LogicalType::Timestamp { .. } => {
            return Err(format!("its logical type cannot be stored in `{}`", column.sql_type));
        }
    };
    let compile = |nested: &Nested| {
        compile_nested(nested).map_err(|message| match nested.name.as_str() {
            "" => format!("its items: {message}"),
            name => format!("its member `{name}`: {message}"),
        })
    };
    let members = members.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
    let items = items.map(compile).transpose()?;
    DocumentCast::new(is_array, members, items, &column.rules)
}

/// Compiles the cast of an object's member or of an array's items, which is that of a column of the same type.
fn compile_nested(nested: &Nested) -> Result<NestedCast, String> {
    let sql_type = match &nested.logical_type {
        LogicalType::Integer | LogicalType::Number => SqlType::Numeric(None),
        LogicalType::Boolean => SqlType::Boolean,
        LogicalType::Date { .. } => SqlType::Date,
        LogicalType::Time { .. } => SqlType::Time,
        LogicalType::Timestamp { .. } => SqlType::Timestamptz,
        LogicalType::Object { .. } | LogicalType::Array { .. } => SqlType::Jsonb,
        LogicalType::String => SqlType::Text,
    };
    let column = ContractColumn {
        name: nested.name.clone(),
        physical_name: nested.physical_name.clone(),
        logical_type: nested.logical_type.clone(),
        sql_type,
        required: nested.required,
        unique: false,
        rules: nested.rules.clone(),
        harmonise: Harmonise::default(),
        classification: None,
        pseudonymise: false,
    };
    Ok(NestedCast {
        cast: compile_cast(&column)?,
        type_rule: type_rule(&column),
        name: column.name,
        physical_name: column.physical_name,
        is_required: nested.required,
        rules: column.rules,
    })
}

/// Returns the allowed values as the cast returns them.
fn allowed<T>(column: &ContractColumn, mut cast: impl FnMut(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let values = column.rules.allowed.iter();
    values
        .map(|text| cast(text).ok_or_else(|| format!("the allowed value `{text}` does not fit the column")))
        .collect()
}
