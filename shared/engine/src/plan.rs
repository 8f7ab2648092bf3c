//! A contract compiled: what each column's bytes must satisfy and become.

mod cast;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use encoding_rs::Encoding;
use penstock_contract::{
    Column as ContractColumn, Compression, Contract, EmptyFile, FormatKind, MissingColumns, UnexpectedColumns,
};
use regex::Regex;

use crate::cast::{Cast, Scratch};
use crate::columns::{ROW_COLUMN, data_type};
use crate::duplicates::Duplicates;
use crate::error::PlanError;
use crate::format::{self, FileFormat};
use crate::order::{KeyOrder, Ordered};
use crate::outcome::Totals;
use crate::program::{PlanColumn, Raw};
use crate::pseudonym::PseudonymKey;
use crate::quality::{Quality, QualityOutcome};
use crate::row_limit::SizeLimits;
use crate::sets::Sets;

/// A compiled contract. Immutable; share it by `Arc`.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) columns: Vec<PlanColumn>,
    pub(crate) format: FormatKind,
    pub(crate) compression: Option<Compression>,
    /// What the contract says, if it does.
    pub(crate) encoding: Option<&'static Encoding>,
    /// The key's columns.
    pub(crate) key: Vec<usize>,
    /// How many bytes a row and its key may have.
    pub(crate) size_limits: Option<SizeLimits>,
    /// Sets of columns that are looked through for duplicates.
    pub(crate) sets: Sets,
    /// The column of the event time.
    pub(crate) event_time: Option<usize>,
    pub(crate) quality: Quality,
    pub(crate) unexpected: UnexpectedColumns,
    pub(crate) empty_file: Option<EmptyFile>,
    schema: Arc<Schema>,
    order: Option<KeyOrder>,
}

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
        check_pseudonym_key(contract, key)?;
        let format = &contract.format;
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
            size_limits: SizeLimits::of(contract),
            sets,
            event_time: contract.load.event_time,
            quality,
            unexpected: contract.unexpected_columns,
            empty_file: format.empty_file,
            schema: Arc::new(Schema::new(fields)),
            order: KeyOrder::of(contract),
        })
    }

    /// The columns, in the order of the contract and of the COPY text.
    pub fn columns(&self) -> &[PlanColumn] {
        &self.columns
    }

    /// Returns whether files must be read at arbitrary positions, by
    /// [`Reader::open_seekable`](crate::Reader::open_seekable), because the contract declares a format that needs it.
    /// If the contract does not declare the format, [`Self::needs_seek_by`] decides for each file.
    pub fn needs_seek(&self) -> bool {
        FileFormat::declared(&self.format).is_some_and(FileFormat::needs_seek)
    }

    /// Returns how many of a drop's first bytes [`Self::needs_seek_by`] needs; 0 if the contract declares the format.
    pub fn seek_head_bytes(&self) -> usize {
        if self.detects_formats_with_seek() { format::MAGIC_BYTES } else { 0 }
    }

    /// Returns what [`Self::needs_seek`] does, for a drop that begins with `head`: [`Self::seek_head_bytes`] bytes, or all of
    /// a shorter drop.
    pub fn needs_seek_by(&self, head: &[u8]) -> bool {
        let detected = FileFormat::by_magic(head).filter(|_| self.detects_formats_with_seek());
        self.needs_seek() || detected.is_some_and(FileFormat::needs_seek)
    }

    fn detects_formats_with_seek(&self) -> bool {
        self.format == FormatKind::Detected { json_only: false }
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
                rule: "the number of rows that repeat the values of an earlier row is exactly 0".to_owned(),
                column,
                count,
                rows: totals.accepted,
                holds: count == 0,
                refuses: count > 0,
            }
        }));
        outcomes
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
) -> Result<PlanColumn, PlanError> {
    let null_values = &contract.format.null_values;
    let wrong = |message: String| PlanError::Column { column: column.name.clone(), message };
    let harmonise = &column.harmonise;
    let regex = |pattern: &Option<String>| {
        pattern.as_deref().map(Regex::new).transpose().map_err(|error| wrong(error.to_string()))
    };
    let mut nulls: Vec<String> = null_values.iter().chain(&harmonise.null_values).cloned().collect();
    nulls.retain(|null| !null.is_empty());
    let mut compiled = PlanColumn {
        name: column.name.clone(),
        physical_name: column.physical_name.clone(),
        header_case: contract.format.header_case,
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
        cast: cast::compile_cast(column).map_err(wrong)?,
        keeps_texts: false,
        rules: column.rules.clone(),
        type_rule: cast::type_rule(column),
    };
    compiled.keeps_texts = compiled.can_keep_texts();
    check_literal(&compiled).map_err(wrong)?;
    Ok(compiled)
}

/// A constant or a default must satisfy the column, or every row would be refused.
fn check_literal(column: &PlanColumn) -> Result<(), String> {
    for literal in [&column.constant, &column.default].into_iter().flatten() {
        let mut broken = None;
        let probe = PlanColumn { constant: None, default: None, extract: None, case: None, ..column.clone() };
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
        let exact = PlanColumn { trim: false, null_values: Vec::new(), ..probe };
        let value = exact.run(&raw, &mut scratch, &mut |rule| {
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
