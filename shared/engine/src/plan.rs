//! A contract compiled: what each column's bytes must satisfy and become.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use encoding_rs::Encoding;
use penstock_contract::{
    Bound, Column as ContractColumn, Compression, Contract, FormatKind, LogicalType, MissingColumns,
    Overwrite, SqlType, UnexpectedColumns,
};
use regex::Regex;

use crate::cast::number::{Limit, Literal, Multiple, NumberCast, NumberType, Separators};
use crate::cast::text::{TextCast, uuid};
use crate::cast::time::{DateCast, TimestampCast, days, iso_date, iso_timestamp};
use crate::cast::zone::Zone;
use crate::cast::{BooleanCast, Cast, Interval, Scratch};
use crate::columns::{ROW_COLUMN, data_type};
use crate::duplicates::Duplicates;
use crate::error::PlanError;
use crate::order::{KeyOrder, Ordered};
use crate::outcome::Totals;
use crate::program::{Column, Raw};
use crate::pseudonym::PseudonymKey;
use crate::quality::{Quality, QualityOutcome};
use crate::sets::Sets;

/// A compiled contract. Immutable; share it by `Arc`.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) columns: Vec<Column>,
    pub(crate) format: FormatKind,
    pub(crate) compression: Option<Compression>,
    /// What the contract says, if it does.
    pub(crate) encoding: Option<&'static Encoding>,
    /// The key's columns.
    pub(crate) key: Vec<usize>,
    /// Sets of columns that are looked through for duplicates.
    pub(crate) sets: Sets,
    /// The column of the event time.
    pub(crate) event_time: Option<usize>,
    pub(crate) quality: Quality,
    pub(crate) unexpected: UnexpectedColumns,
    schema: Arc<Schema>,
    order: Option<KeyOrder>,
}

/// A column of a [`Plan`].
pub type PlanColumn = Column;

impl Plan {
    /// Compiles a contract.
    ///
    /// # Errors
    /// When the contract asks for what this version does not do, or contradicts itself.
    pub fn compile(contract: &Contract) -> Result<Self, PlanError> {
        Self::compile_with(contract, None)
    }

    /// Compiles a contract that may pseudonymise values.
    ///
    /// # Errors
    /// When the contract asks for what this version does not do, contradicts itself, or needs a key and there is none.
    pub fn compile_with(contract: &Contract, key: Option<&PseudonymKey>) -> Result<Self, PlanError> {
        refuse_unsupported(contract)?;
        check_pseudonym_key(contract, key)?;
        let format = &contract.format;
        match &format.kind {
            FormatKind::Delimited(_) | FormatKind::Ndjson | FormatKind::JsonArray { .. } => {}
            _ => return Err(PlanError::UnsupportedFormat),
        }
        let columns = contract
            .entity
            .columns
            .iter()
            .map(|column| compile_column(column, contract, key))
            .collect::<Result<Vec<_>, _>>()?;
        let mut sets = Sets::new(contract);
        let quality = Quality::compile(contract, &columns, |columns| sets.add(columns))?;
        let mut fields: Vec<Field> = columns
            .iter()
            .map(|column| Field::new(&column.name, data_type(&column.sql_type), !column.is_required))
            .collect();
        fields.push(Field::new(ROW_COLUMN, DataType::Int64, false));
        Ok(Self {
            columns,
            format: format.kind.clone(),
            compression: format.compression,
            encoding: format.encoding.as_deref().map(encoding).transpose()?,
            key: contract.entity.key.clone(),
            sets,
            event_time: contract.load.event_time,
            quality,
            unexpected: contract.unexpected_columns,
            schema: Arc::new(Schema::new(fields)),
            order: KeyOrder::of(contract),
        })
    }

    /// The columns, in the order of the contract and of the COPY text.
    pub fn columns(&self) -> &[PlanColumn] {
        &self.columns
    }

    /// Puts a chunk's COPY text into `ordered`, in the order of its keys and with the newest row of each. `None` when the contract
    /// does not replace rows by key, or the text does not show their order: then it is loaded as it is, and the
    /// database orders it.
    pub fn order_by_key(&self, copy_text: &[u8], ordered: &mut Vec<u8>) -> Option<Ordered> {
        self.order.as_ref()?.order(copy_text, ordered)
    }

    /// Whether rows must be looked through for duplicates: the contract has a key, or says that columns are unique.
    pub fn finds_duplicates(&self) -> bool {
        self.sets.is_any()
    }

    /// Judges the whole of a batch by the contract's quality checks, in its order, then by its unique columns.
    pub fn judge(&self, totals: &Totals, duplicates: &Duplicates) -> Vec<QualityOutcome> {
        let mut outcomes = self.quality.judge(totals, duplicates);
        outcomes.extend(self.sets.unique().map(|(column, set)| {
            let count = duplicates.repeats(set);
            let column = self.columns.get(column).map(|column| column.name.clone());
            QualityOutcome {
                check: "unique".to_owned(),
                rule: "exactly 0 rows repeat the values of an earlier row".to_owned(),
                column,
                count,
                rows: totals.accepted,
                holds: count == 0,
                refuses: count > 0,
            }
        }));
        outcomes
    }

    /// The key, where any column is pseudonymised.
    pub(crate) fn pseudonym_key(&self) -> Option<&PseudonymKey> {
        self.columns.iter().find_map(|column| column.pseudonym.as_ref())
    }

    /// Values that a reject must not show.
    pub(crate) fn hides(&self) -> bool {
        self.columns.iter().any(|column| column.is_hidden)
    }

    /// The Arrow schema of accepted rows: the columns, then `_row`.
    pub fn arrow_schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }
}

/// What the contract asks for and this version would pass over in silence.
fn refuse_unsupported(contract: &Contract) -> Result<(), PlanError> {
    let unsupported = |what: &str| Err(PlanError::Unsupported(what.to_owned()));
    if contract.overwrite == Overwrite::Add { Ok(()) } else { unsupported("penstock.overwrite") }
}

fn encoding(label: &str) -> Result<&'static Encoding, PlanError> {
    Encoding::for_label_no_replacement(label.as_bytes())
        .ok_or_else(|| PlanError::UnknownEncoding(label.to_owned()))
}

fn check_pseudonym_key(contract: &Contract, key: Option<&PseudonymKey>) -> Result<(), PlanError> {
    let mut hidden = contract.entity.columns.iter().filter(|column| column.pseudonymise).peekable();
    if key.is_some() || hidden.peek().is_none() {
        return Ok(());
    }
    let names: Vec<&str> = hidden.map(|column| column.name.as_str()).collect();
    Err(PlanError::NoPseudonymKey(names.join(", ")))
}

fn compile_column(
    column: &ContractColumn,
    contract: &Contract,
    key: Option<&PseudonymKey>,
) -> Result<Column, PlanError> {
    let null_values = &contract.format.null_values;
    let wrong = |message: String| PlanError::Column { column: column.name.clone(), message };
    let harmonise = &column.harmonise;
    let regex = |pattern: &Option<String>| {
        pattern.as_deref().map(Regex::new).transpose().map_err(|error| wrong(error.to_string()))
    };
    let mut nulls: Vec<String> = null_values.iter().chain(&harmonise.null_values).cloned().collect();
    nulls.retain(|null| !null.is_empty());
    let compiled = Column {
        name: column.name.clone(),
        physical_name: column.physical_name.clone(),
        sql_type: column.sql_type.clone(),
        is_required: column.required,
        is_rescued: column.is_rescued(),
        is_hidden: column.classification.is_some() || column.pseudonymise,
        pseudonym: key.filter(|_| column.pseudonymise).cloned(),
        may_be_absent: contract.missing_columns == MissingColumns::Null,
        trim: harmonise.trim,
        null_values: nulls,
        extract: regex(&harmonise.extract)?,
        case: harmonise.case,
        constant: harmonise.constant.clone(),
        default: harmonise.default.clone(),
        cast: compile_cast(column, regex(&column.rules.pattern)?).map_err(wrong)?,
        rules: column.rules.clone(),
        type_rule: type_rule(column),
    };
    check_literal(&compiled).map_err(wrong)?;
    Ok(compiled)
}

/// The rule that a value of the wrong type breaks, in words.
fn type_rule(column: &ContractColumn) -> String {
    match &column.logical_type {
        LogicalType::Integer => "a whole number".to_owned(),
        LogicalType::Number => "a decimal number".to_owned(),
        LogicalType::Boolean => "a boolean".to_owned(),
        LogicalType::Date { format: None } => "a date as in 2024-01-31".to_owned(),
        LogicalType::Date { format: Some(format) } => format!("a date of the format {format}"),
        LogicalType::Timestamp { format: None, default_timezone } => {
            format!("a timestamp as in 2024-01-31T12:00:00Z, of {default_timezone} without an offset")
        }
        LogicalType::Timestamp { format: Some(format), default_timezone } => {
            format!("a timestamp of the format {format} that exists in {default_timezone}")
        }
        LogicalType::Object { .. } => "a JSON object".to_owned(),
        LogicalType::Array { .. } => "a JSON array".to_owned(),
        LogicalType::String if column.sql_type == SqlType::Uuid => "a UUID".to_owned(),
        LogicalType::String | _ => "text".to_owned(),
    }
}

fn compile_cast(column: &ContractColumn, pattern: Option<Regex>) -> Result<Cast, String> {
    let misfit = || Err(format!("its logical type cannot be stored in `{}`", column.sql_type));
    match (&column.logical_type, &column.sql_type) {
        (LogicalType::String, SqlType::Text | SqlType::Uuid) => text(column, pattern).map(Cast::Text),
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
                | SqlType::Uuid
                | _ => None,
            };
            kind.map_or_else(misfit, |kind| number(column, kind).map(Cast::Number))
        }
        (LogicalType::Boolean, SqlType::Boolean) => {
            let mut cast = BooleanCast::new(&column.harmonise.true_values, &column.harmonise.false_values);
            cast.allowed = allowed(column, |text| cast.cast(text).ok())?;
            Ok(Cast::Boolean(cast))
        }
        (LogicalType::Date { format }, SqlType::Date) => date(column, format.as_ref()).map(Cast::Date),
        (LogicalType::Timestamp { format, default_timezone }, SqlType::Timestamp | SqlType::Timestamptz) => {
            timestamp(column, format.as_ref(), default_timezone).map(Cast::Timestamp)
        }
        (LogicalType::Object { .. } | LogicalType::Array { .. }, SqlType::Jsonb) => {
            if column.rules.allowed.is_empty() {
                Ok(Cast::Json { is_array: matches!(column.logical_type, LogicalType::Array { .. }) })
            } else {
                Err("JSON documents are not compared with allowed values".to_owned())
            }
        }
        _ => misfit(),
    }
}

fn text(column: &ContractColumn, pattern: Option<Regex>) -> Result<TextCast, String> {
    let is_uuid = column.sql_type == SqlType::Uuid;
    let mut allowed = allowed(column, |text| {
        if is_uuid { uuid(text, &mut String::new()).map(str::to_owned) } else { Some(text.to_owned()) }
    })?;
    allowed.sort_unstable();
    let rules = &column.rules;
    Ok(TextCast { is_uuid, min_length: rules.min_length, max_length: rules.max_length, pattern, allowed })
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
        Multiple::parse(text).ok_or_else(|| format!("multipleOf `{text}` is not a number that can be used"))
    };
    Ok(NumberCast {
        kind,
        separators: Separators {
            decimal: column.harmonise.decimal_separator.unwrap_or('.'),
            group: column.harmonise.group_separator,
        },
        minimum: limit(&rules.minimum)?,
        maximum: limit(&rules.maximum)?,
        multiple_of: rules.multiple_of.as_ref().map(multiple).transpose()?,
        allowed: allowed(column, Literal::parse)?,
    })
}

fn date(column: &ContractColumn, format: Option<&String>) -> Result<DateCast, String> {
    let bound = |bound: &Option<Bound>, inward: i32| match bound {
        None => Ok(None),
        Some(bound) => bound
            .value
            .as_bytes()
            .first_chunk::<10>()
            .filter(|date| date.len() == bound.value.len())
            .and_then(iso_date)
            .map(|date| Some(days(date) + if bound.exclusive { inward } else { 0 }))
            .ok_or_else(|| format!("the bound `{}` is not a date as in `2024-01-31`", bound.value)),
    };
    let bounds = Interval { low: bound(&column.rules.minimum, 1)?, high: bound(&column.rules.maximum, -1)? };
    let mut cast = DateCast { format: format.cloned(), bounds, allowed: Vec::new() };
    cast.allowed = allowed(column, |text| cast.cast(text).ok())?;
    Ok(cast)
}

fn timestamp(
    column: &ContractColumn,
    format: Option<&String>,
    default_timezone: &str,
) -> Result<TimestampCast, String> {
    let zone =
        Zone::parse(default_timezone).ok_or_else(|| format!("there is no time zone `{default_timezone}`"))?;
    let is_instant = column.sql_type == SqlType::Timestamptz;
    let mut cast = TimestampCast {
        format: format.cloned(),
        zone,
        is_instant,
        bounds: Interval::default(),
        allowed: Vec::new(),
    };
    let bound = |bound: &Option<Bound>, inward: i64| match bound {
        None => Ok(None),
        Some(bound) => iso_timestamp(bound.value.as_bytes())
            .and_then(|written| cast.place(written))
            .map(|micros| Some(micros + if bound.exclusive { inward } else { 0 }))
            .map_err(|_| format!("the bound `{}` is not a point in time", bound.value)),
    };
    let bounds = Interval { low: bound(&column.rules.minimum, 1)?, high: bound(&column.rules.maximum, -1)? };
    cast.bounds = bounds;
    cast.allowed = allowed(column, |text| cast.cast(text).ok())?;
    Ok(cast)
}

/// The allowed values as the cast gives them.
fn allowed<T>(column: &ContractColumn, cast: impl FnMut(&str) -> Option<T>) -> Result<Vec<T>, String> {
    let mut cast = cast;
    let values = column.rules.allowed.iter();
    values
        .map(|text| cast(text).ok_or_else(|| format!("the allowed value `{text}` does not fit the column")))
        .collect()
}

/// A constant or a default must satisfy the column, or every row would be refused.
fn check_literal(column: &Column) -> Result<(), String> {
    for literal in [&column.constant, &column.default].into_iter().flatten() {
        let mut broken = None;
        let probe = Column { constant: None, default: None, extract: None, case: None, ..column.clone() };
        let traits = crate::cast::text::Traits::of(literal.as_bytes());
        let raw = match &column.cast {
            Cast::Number(_) => Raw::JsonNumber(literal),
            Cast::Text(_) | Cast::Boolean(_) | Cast::Date(_) | Cast::Timestamp(_) | Cast::Json { .. } => {
                Raw::Text(literal, traits)
            }
        };
        let mut scratch = Scratch::default();
        let exact = Column { trim: false, null_values: Vec::new(), ..probe };
        let value = exact.run(raw, &mut scratch, &mut |code| broken = broken.or(Some(code)));
        let is_missing = value.is_none() && broken.is_none();
        if let Some(code) = broken {
            return Err(format!("`{literal}` does not satisfy the column: {}", column.rule(code)));
        }
        if is_missing && column.is_required {
            return Err("an empty constant or default cannot stand in a required column".to_owned());
        }
    }
    Ok(())
}
