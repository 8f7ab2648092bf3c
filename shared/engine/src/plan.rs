//! A contract, compiled: for each column what its bytes must satisfy and become.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_schema::Schema;
use encoding_rs::Encoding;
use jiff::tz::TimeZone;
use penstock_contract::{Bound, Case, Column, Contract, FormatKind, LogicalType, SqlType};
use regex::Regex;

use crate::PlanError;
use crate::cast::number::{Decimal, Step};
use crate::cast::time;
use crate::columns;

/// A contract, compiled. Immutable; share it in an `Arc`.
#[derive(Debug)]
pub struct Plan {
    pub(crate) columns: Vec<PlanColumn>,
    pub(crate) format: penstock_contract::Format,
    pub(crate) encoding: &'static Encoding,
    schema: Arc<Schema>,
}

/// One column of the plan.
#[derive(Debug)]
pub struct PlanColumn {
    /// The harmonised column.
    pub name: String,
    /// The producer's header or key.
    pub physical_name: String,
    /// The PostgreSQL type.
    pub sql_type: SqlType,
    pub(crate) cast: Cast,
    pub(crate) required: bool,
    pub(crate) classified: bool,
    pub(crate) constant: Option<String>,
    pub(crate) default: Option<String>,
    pub(crate) trim: bool,
    pub(crate) nulls: Vec<String>,
    pub(crate) extract: Option<Regex>,
    pub(crate) case: Option<Case>,
    pub(crate) decimal_separator: u8,
    pub(crate) group_separator: Option<char>,
    pub(crate) checks: Checks,
}

/// What a text becomes.
#[derive(Debug)]
pub(crate) enum Cast {
    Text,
    Integer { min: i64, max: i64 },
    Numeric(Option<(u16, u16)>),
    Double,
    Boolean { yes: Vec<String>, no: Vec<String> },
    Date { format: Option<String> },
    Timestamp { format: Option<String>, zone: TimeZone, utc: bool },
    Uuid,
    Json { object: Option<bool> },
}

/// What a present value must satisfy.
#[derive(Debug)]
pub(crate) struct Checks {
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) minimum: Option<Limit>,
    pub(crate) maximum: Option<Limit>,
    pub(crate) multiple_of: Option<(Step, String)>,
    pub(crate) allowed: HashSet<String>,
    /// True when nothing is asked of a text.
    pub(crate) none: bool,
}

/// One end of an interval, ready to compare.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) literal: String,
    pub(crate) exclusive: bool,
    /// Days or microseconds, for dates and points in time.
    pub(crate) instant: i64,
}

impl Plan {
    /// Compiles a contract.
    ///
    /// # Errors
    /// When the contract holds a pattern, literal, encoding or time zone that cannot be used.
    pub fn compile(contract: &Contract) -> Result<Self, PlanError> {
        let label = contract.format.encoding.as_deref().unwrap_or("utf-8");
        let encoding = Encoding::for_label(label.as_bytes())
            .filter(|encoding| {
                *encoding == encoding_rs::UTF_8
                    || (encoding.is_single_byte() && encoding.is_ascii_compatible())
            })
            .ok_or_else(|| PlanError::Encoding { label: label.to_owned() })?;
        let columns = (contract.entity.columns.iter())
            .map(|column| compile_column(column, &contract.format.null_values))
            .collect::<Result<Vec<_>, _>>()?;
        match contract.format.kind {
            FormatKind::Delimited(_) | FormatKind::Ndjson => {}
            _ => return Err(PlanError::Unsupported("this file format is not read yet".to_owned())),
        }
        let schema = Arc::new(columns::schema(&columns));
        Ok(Self { columns, format: contract.format.clone(), encoding, schema })
    }

    /// The columns, in the order of the COPY text.
    pub fn columns(&self) -> &[PlanColumn] {
        &self.columns
    }

    /// The schema of the Parquet files: the columns, then `_row`.
    pub fn arrow_schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }
}

fn compile_column(column: &Column, nulls: &[String]) -> Result<PlanColumn, PlanError> {
    let harmonise = &column.harmonise;
    let cast = compile_cast(column)?;
    let checks = compile_checks(column, &cast)?;
    let decimal_separator = u8::try_from(harmonise.decimal_separator.unwrap_or('.')).map_err(|_| {
        PlanError::Unsupported(format!("column `{}`: the decimal separator must be ASCII", column.name))
    })?;
    Ok(PlanColumn {
        name: column.name.clone(),
        physical_name: column.physical_name.clone(),
        sql_type: column.sql_type.clone(),
        cast,
        required: column.required,
        classified: column.classification.is_some(),
        constant: harmonise.constant.clone(),
        default: harmonise.default.clone(),
        trim: harmonise.trim,
        nulls: nulls.iter().chain(&harmonise.null_values).filter(|null| !null.is_empty()).cloned().collect(),
        extract: compile_pattern(column, "extract", harmonise.extract.as_deref())?,
        case: harmonise.case,
        decimal_separator,
        group_separator: harmonise.group_separator,
        checks,
    })
}

fn compile_cast(column: &Column) -> Result<Cast, PlanError> {
    let zone = |name: &str| {
        if name.eq_ignore_ascii_case("utc") {
            return Ok(TimeZone::UTC);
        }
        TimeZone::get(name)
            .ok()
            .or_else(|| fixed_zone(name))
            .ok_or_else(|| PlanError::Timezone { column: column.name.clone(), timezone: name.to_owned() })
    };
    let (format, zone) = match &column.logical_type {
        LogicalType::Date { format } => (format.clone(), TimeZone::UTC),
        LogicalType::Timestamp { format, default_timezone } => (format.clone(), zone(default_timezone)?),
        _ => (None, TimeZone::UTC),
    };
    Ok(match &column.sql_type {
        SqlType::Text => Cast::Text,
        SqlType::Smallint => Cast::Integer { min: i64::from(i16::MIN), max: i64::from(i16::MAX) },
        SqlType::Integer => Cast::Integer { min: i64::from(i32::MIN), max: i64::from(i32::MAX) },
        SqlType::Bigint => Cast::Integer { min: i64::MIN, max: i64::MAX },
        SqlType::Numeric(size) => Cast::Numeric(*size),
        SqlType::DoublePrecision => Cast::Double,
        SqlType::Boolean => {
            let with = |first: &str, more: &[String]| {
                std::iter::once(first.to_owned()).chain(more.iter().cloned()).collect()
            };
            Cast::Boolean {
                yes: with("true", &column.harmonise.true_values),
                no: with("false", &column.harmonise.false_values),
            }
        }
        SqlType::Date => Cast::Date { format },
        SqlType::Timestamp => Cast::Timestamp { format, zone, utc: false },
        SqlType::Timestamptz => Cast::Timestamp { format, zone, utc: true },
        SqlType::Uuid => Cast::Uuid,
        SqlType::Jsonb => Cast::Json {
            object: match column.logical_type {
                LogicalType::Object => Some(true),
                LogicalType::Array => Some(false),
                _ => None,
            },
        },
        other => return Err(PlanError::Unsupported(format!("column `{}`: type {other:?}", column.name))),
    })
}

/// `+HH:MM` and the like.
fn fixed_zone(name: &str) -> Option<TimeZone> {
    let midnight = format!("2000-01-01T00:00:00{name}");
    let offset_s = time::parse_iso_timestamp(midnight.as_bytes()).ok()?.offset_s?;
    Some(TimeZone::fixed(jiff::tz::Offset::from_seconds(offset_s).ok()?))
}

fn compile_checks(column: &Column, cast: &Cast) -> Result<Checks, PlanError> {
    let rules = &column.rules;
    let literal = |rule: &'static str, literal: &str| PlanError::Literal {
        column: column.name.clone(),
        rule,
        literal: literal.to_owned(),
    };
    let limit = |rule: &'static str, bound: &Option<Bound>| match bound {
        None => Ok(None),
        Some(bound) => {
            let instant = limit_instant(cast, &bound.value).ok_or_else(|| literal(rule, &bound.value))?;
            Ok(Some(Limit { literal: bound.value.clone(), exclusive: bound.exclusive, instant }))
        }
    };
    let multiple_of = match &rules.multiple_of {
        None => None,
        Some(step) => Some((Step::parse(step).ok_or_else(|| literal("multipleOf", step))?, step.clone())),
    };
    let mut checks = Checks {
        min_length: rules.min_length,
        max_length: rules.max_length,
        pattern: compile_pattern(column, "pattern", rules.pattern.as_deref())?,
        minimum: limit("minimum", &rules.minimum)?,
        maximum: limit("maximum", &rules.maximum)?,
        multiple_of,
        allowed: rules.allowed.iter().cloned().collect(),
        none: false,
    };
    checks.none = checks.min_length.is_none()
        && checks.max_length.is_none()
        && checks.pattern.is_none()
        && checks.allowed.is_empty();
    Ok(checks)
}

/// The literal as days or microseconds; 0 for a decimal literal that can be read.
fn limit_instant(cast: &Cast, literal: &str) -> Option<i64> {
    match cast {
        Cast::Date { .. } => {
            let parsed = time::parse_iso_timestamp(literal.as_bytes()).ok()?;
            Some(time::days_of_us(parsed.wall_us))
        }
        Cast::Timestamp { zone, utc, .. } => {
            let parsed = time::parse_iso_timestamp(literal.as_bytes()).ok()?;
            if *utc { time::to_utc_us(parsed, zone).ok() } else { time::to_wall_us(parsed, zone).ok() }
        }
        _ => Decimal::parse(literal.as_bytes()).map(|_| 0),
    }
}

fn compile_pattern(
    column: &Column,
    rule: &'static str,
    pattern: Option<&str>,
) -> Result<Option<Regex>, PlanError> {
    pattern
        .map(|pattern| {
            Regex::new(pattern).map_err(|error| PlanError::Pattern {
                column: column.name.clone(),
                rule,
                message: error.to_string(),
            })
        })
        .transpose()
}
