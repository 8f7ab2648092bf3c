//! A contract compiled: what each column's bytes must satisfy and become.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

mod cast;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use encoding_rs::{Encoding, UTF_8};
use penstock_contract::{
    Column as ContractColumn, Compression, Contract, FormatKind, MissingColumns, Overwrite, Quote,
    UnexpectedColumns,
};
use regex::Regex;

use crate::cast::{Cast, Scratch};
use crate::columns::{ROW_COLUMN, data_type};
use crate::error::PlanError;
use crate::order::{KeyOrder, Ordered};
use crate::program::{Column, Raw};

/// A compiled contract. Immutable; share it by `Arc`.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) columns: Vec<Column>,
    pub(crate) format: FormatKind,
    pub(crate) compression: Option<Compression>,
    /// What the contract says; UTF-8 when it says nothing.
    pub(crate) encoding: &'static Encoding,
    pub(crate) is_encoding_declared: bool,
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
        refuse_unsupported(contract)?;
        let format = &contract.format;
        match &format.kind {
            FormatKind::Delimited(_) | FormatKind::Ndjson => {}
            _ => return Err(PlanError::UnsupportedFormat),
        }
        let columns = contract
            .entity
            .columns
            .iter()
            .map(|column| compile_column(column, &format.null_values))
            .collect::<Result<Vec<_>, _>>()?;
        let mut fields: Vec<Field> = columns
            .iter()
            .map(|column| Field::new(&column.name, data_type(&column.sql_type), !column.is_required))
            .collect();
        fields.push(Field::new(ROW_COLUMN, DataType::Int64, false));
        Ok(Self {
            columns,
            format: format.kind.clone(),
            compression: format.compression,
            encoding: encoding(format.encoding.as_deref())?,
            is_encoding_declared: format.encoding.is_some(),
            schema: Arc::new(Schema::new(fields)),
            order: KeyOrder::of(contract),
        })
    }

    /// The columns, in the order of the contract and of the COPY text.
    pub fn columns(&self) -> &[PlanColumn] {
        &self.columns
    }

    /// Puts a chunk's COPY text in the order of its keys and keeps the newest row of each. `None` when the contract
    /// does not replace rows by key, or the text does not show their order: then it is loaded as it is, and the
    /// database orders it.
    pub fn order_by_key(&self, copy_text: &[u8]) -> Option<Ordered> {
        self.order.as_ref()?.order(copy_text)
    }

    /// The Arrow schema of accepted rows: the columns, then `_row`.
    pub fn arrow_schema(&self) -> Arc<Schema> {
        Arc::clone(&self.schema)
    }

    /// How fields are quoted when the contract does not say: by `"`.
    pub(crate) fn quote(declared: Option<Quote>) -> Option<u8> {
        match declared {
            None => Some(b'"'),
            Some(Quote::None) => None,
            Some(Quote::Byte(quote)) => Some(quote),
        }
    }
}

/// What the contract asks for and this version would pass over in silence.
fn refuse_unsupported(contract: &Contract) -> Result<(), PlanError> {
    let unsupported = |what: &str| Err(PlanError::Unsupported(what.to_owned()));
    if contract.entity.columns.iter().any(|column| column.pseudonymise) {
        return unsupported("penstock.pseudonymise");
    }
    match contract.unexpected_columns {
        UnexpectedColumns::Reject => return unsupported("penstock.unexpectedColumns: reject"),
        UnexpectedColumns::Rescue | UnexpectedColumns::Ignore => {}
    }
    match contract.missing_columns {
        MissingColumns::Null => return unsupported("penstock.missingColumns: null"),
        MissingColumns::Refuse => {}
    }
    if contract.overwrite == Overwrite::Add { Ok(()) } else { unsupported("penstock.overwrite") }
}

fn encoding(label: Option<&str>) -> Result<&'static Encoding, PlanError> {
    let Some(label) = label else { return Ok(UTF_8) };
    let encoding = Encoding::for_label_no_replacement(label.as_bytes())
        .ok_or_else(|| PlanError::UnknownEncoding(label.to_owned()))?;
    let is_read = encoding == UTF_8 || encoding.is_single_byte() && encoding.is_ascii_compatible();
    if is_read { Ok(encoding) } else { Err(PlanError::UnsupportedEncoding(encoding.name().to_owned())) }
}

fn compile_column(column: &ContractColumn, null_values: &[String]) -> Result<Column, PlanError> {
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
        is_classified: column.classification.is_some(),
        trim: harmonise.trim,
        null_values: nulls,
        extract: regex(&harmonise.extract)?,
        case: harmonise.case,
        constant: harmonise.constant.clone(),
        default: harmonise.default.clone(),
        cast: cast::compile_cast(column).map_err(wrong)?,
        rules: column.rules.clone(),
        type_rule: cast::type_rule(column),
    };
    check_literal(&compiled).map_err(wrong)?;
    Ok(compiled)
}

/// A constant or a default must satisfy the column, or every row would be refused.
fn check_literal(column: &Column) -> Result<(), String> {
    for literal in [&column.constant, &column.default].into_iter().flatten() {
        let mut broken = None;
        let probe = Column { constant: None, default: None, extract: None, case: None, ..column.clone() };
        let traits = crate::cast::text::Traits::of(literal.as_bytes());
        let raw = match &column.cast {
            Cast::Number(_) => Raw::JsonNumber(literal),
            Cast::Text(_)
            | Cast::Boolean(_)
            | Cast::Date(_)
            | Cast::Time(_)
            | Cast::Timestamp(_)
            | Cast::Json(_) => Raw::Text(literal, traits),
        };
        let mut scratch = Scratch::default();
        let exact = Column { trim: false, null_values: Vec::new(), ..probe };
        let value = exact.run(raw, &mut scratch, &mut |rule| {
            broken.get_or_insert_with(|| column.rule(&rule));
        });
        let is_missing = value.is_none() && broken.is_none();
        if let Some(rule) = broken {
            return Err(format!("`{literal}` does not satisfy the column: {rule}"));
        }
        if is_missing && column.is_required {
            return Err("an empty constant or default cannot stand in a required column".to_owned());
        }
    }
    Ok(())
}
