//! Compilation of a contract to a [`Plan`].

mod cast;

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use encoding_rs::Encoding;
use penstock_contract::{
    Column as ContractColumn, Compression, Contract, EmptyFile, FormatKind, Harmonise, MissingColumns,
    UnexpectedColumns,
};
use regex::Regex;

use crate::cast::{Cast, Scratch};
use crate::columns::{ROW_COLUMN, data_type};
use crate::duplicates::{DuplicateFinder, Duplicates, Spill};
use crate::error::PlanError;
use crate::format::{self, FileFormat};
use crate::order::{KeyOrder, Ordered};
use crate::outcome::Totals;
use crate::program::{PlanColumn, Raw};
use crate::pseudonym::PseudonymKey;
use crate::quality::{Quality, QualityOutcome};
use crate::row_limit::SizeLimits;
use crate::sets::ColumnSets;

/// A compiled contract. It is immutable and can be shared by `Arc`.
#[derive(Debug, Clone)]
pub struct Plan {
    pub(crate) columns: Vec<PlanColumn>,
    pub(crate) format: FormatKind,
    pub(crate) compression: Option<Compression>,
    /// The encoding, if the contract declares it.
    pub(crate) encoding: Option<&'static Encoding>,
    /// The columns of the primary key.
    pub(crate) key: Vec<usize>,
    /// The limits of the sizes of a row and its key. `None` if no valid row can exceed them.
    pub(crate) size_limits: Option<SizeLimits>,
    /// The sets of columns whose duplicates are counted.
    pub(crate) sets: ColumnSets,
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
    /// If the contract declares something that this version does not support, or contradicts itself.
    pub fn compile(contract: &Contract) -> Result<Self, PlanError> {
        Self::compile_with(contract, None)
    }

    /// Compiles a contract that may pseudonymise values.
    ///
    /// # Errors
    /// If the contract declares something that this version does not support, contradicts itself, or pseudonymises
    /// columns and `key` is `None`.
    pub fn compile_with(contract: &Contract, key: Option<&PseudonymKey>) -> Result<Self, PlanError> {
        check_pseudonym_key(contract, key)?;
        let format = &contract.format;
        let columns = contract
            .entity
            .columns
            .iter()
            .map(|column| compile_column(column, contract, key))
            .collect::<Result<Vec<_>, _>>()?;
        let mut sets = ColumnSets::new(contract)?;
        let quality = Quality::compile(contract, &columns, |columns, name| sets.add(columns, name))?;
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

    /// Returns the columns, in the order of the contract and of the COPY text.
    pub fn columns(&self) -> &[PlanColumn] {
        &self.columns
    }

    /// Returns whether files must be read at arbitrary positions, by
    /// [`Reader::open_seekable`](crate::Reader::open_seekable), because the contract declares a format that needs it.
    /// If the contract does not declare the format, use [`Self::needs_seek_by`] for each file.
    pub fn needs_seek(&self) -> bool {
        FileFormat::declared(&self.format).is_some_and(FileFormat::needs_seek)
    }

    /// Returns how many of a drop's first bytes [`Self::needs_seek_by`] needs; 0 if the contract declares the format.
    pub fn seek_head_bytes(&self) -> usize {
        if self.detects_formats_with_seek() { format::MAGIC_BYTES } else { 0 }
    }

    /// Returns whether a drop that begins with `head` must be read at arbitrary positions. `head` is the first
    /// [`Self::seek_head_bytes`] bytes, or the whole of a shorter drop.
    pub fn needs_seek_by(&self, head: &[u8]) -> bool {
        let detected = FileFormat::by_magic(head).filter(|_| self.detects_formats_with_seek());
        self.needs_seek() || detected.is_some_and(FileFormat::needs_seek)
    }

    fn detects_formats_with_seek(&self) -> bool {
        self.format == FormatKind::Detected { json_only: false }
    }

    /// Writes a chunk's COPY text to `ordered`, sorted by key and with the newest row of each key.
    ///
    /// Returns `None` if the contract does not replace rows by key, or if the order of the keys cannot be determined
    /// from their text. Such a chunk is loaded unchanged, and the database sorts it.
    pub fn order_by_key(&self, copy_text: &[u8], ordered: &mut Vec<u8>) -> Option<Ordered> {
        self.order.as_ref()?.order(copy_text, ordered)
    }

    /// Returns whether duplicates must be detected, because the contract has a key or unique columns.
    pub fn finds_duplicates(&self) -> bool {
        self.sets.has_any()
    }

    /// Returns a finder of the duplicates of a batch, which stores entries in `spill` if there are many.
    pub fn duplicate_finder<S: Spill>(&self, spill: S) -> DuplicateFinder<S> {
        DuplicateFinder::new(spill, self.sets.len())
    }

    /// Returns the outcomes of the contract's quality checks for a whole batch, in its order, and then those of its
    /// unique columns.
    pub fn judge(&self, totals: &Totals, duplicates: &Duplicates) -> Vec<QualityOutcome> {
        let mut outcomes = self.quality.judge(totals, duplicates);
        outcomes.extend(self.sets.unique().map(|(column, set)| {
            let count = duplicates.repeats(set);
            let column = self.columns.get(column).expect("unique columns are the plan's").name.clone();
            QualityOutcome {
                check: "unique".to_owned(),
                rule: "the number of rows that repeat the values of an earlier row is exactly 0".to_owned(),
                column: Some(column),
                count,
                rows: totals.accepted,
                holds: count == 0,
                refuses: count > 0,
            }
        }));
        outcomes
    }

    /// Returns whether there are values that a reject must not contain.
    pub(crate) fn hides_values(&self) -> bool {
        self.columns.iter().any(|column| column.is_hidden)
    }

    /// Returns the Arrow schema of accepted rows: the columns, then `_row`.
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
    let wrong = |message: String| PlanError::Column { column: column.name.clone(), message };
    // Exhaustive, so that a new option does not compile until it is compiled here or with the cast.
    let Harmonise {
        constant,
        default,
        trim,
        null_values,
        extract,
        case,
        // `cast::compile_cast` compiles these.
        decimal_separator: _,
        group_separator: _,
        negative: _,
        percent: _,
        true_values: _,
        false_values: _,
        numeric_time: _,
    } = &column.harmonise;
    let regex = |pattern: &Option<String>| {
        pattern.as_deref().map(Regex::new).transpose().map_err(|error| wrong(error.to_string()))
    };
    let mut nulls: Vec<String> = contract.format.null_values.iter().chain(null_values).cloned().collect();
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
        trim: *trim,
        null_values: nulls,
        extract: regex(extract)?,
        case: *case,
        constant: constant.clone(),
        default: default.clone(),
        cast: cast::compile_cast(column).map_err(wrong)?,
        may_store_unchanged: false,
        rules: column.rules.clone(),
        type_rule: cast::type_rule(column),
    };
    compiled.may_store_unchanged = compiled.can_store_unchanged();
    check_literal(&compiled).map_err(wrong)?;
    Ok(compiled)
}

/// Checks that the constant or default satisfies the column. Otherwise each row would be rejected.
fn check_literal(column: &PlanColumn) -> Result<(), String> {
    for literal in [&column.constant, &column.default].into_iter().flatten() {
        let mut violated = None;
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
        let value = exact.run(&raw, &mut scratch, &mut |violation| {
            violated.get_or_insert_with(|| column.rule(&violation));
        });
        if let Some(rule) = violated {
            return Err(format!("the constant or default `{literal}` violates a rule of the column: {rule}"));
        }
        if value.is_none() && column.is_required {
            return Err("a required column cannot have an empty constant or default".to_owned());
        }
    }
    Ok(())
}
