//! A reader for Parquet files, based on the column readers of the `parquet` crate.
//!
//! Only the columns that are needed are decoded, one row group at a time, in batches of at most 1,024 rows. All sizes
//! that a file declares are checked before memory is allocated according to them: first the footer ([`footer`]), then
//! the pages of each row group ([`pages`]). The memory for decompressed pages and decoded rows counts against the
//! decompression limits.

mod budget;
mod cells;
#[cfg(test)]
mod checksums;
mod columns;
mod error;
mod fields;
mod footer;
mod group;
mod guard;
mod pages;
pub(crate) mod schema;
mod shared;
mod texts;
mod thrift;
mod values;
mod written;

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::Fields;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReader};
use parquet::file::reader::{ChunkReader, Length};

use self::budget::Budget;
use self::columns::check_columns;
use self::error::{corrupt, unreadable};
use self::fields::{ReadField, check_encryption, read_fields};
use self::footer::read_footer;
use self::group::{RowGroup, with_dictionaries};
use self::guard::guarded;
use self::pages::{DictionarySize, PageSummary, byte_range, scan_pages};
use self::shared::SharedFile;
use self::texts::ColumnTexts;
use self::values::Cells;
use self::written::WrittenCell;
use crate::delimited::bind_header;
use crate::error::ReadError;
use crate::format::FileFormat;
use crate::limits::Limits;
use crate::outcome::{Code, Dialect, Totals};
use crate::plan::Plan;
use crate::records::RecordPosition;
use crate::rows::checked::CheckedRows;
use crate::rows::{Block, RawRecord, Rows};
use crate::source::RowSource;
use crate::unexpected::Unexpected;

/// Largest number of rows of a batch. Its texts fit in the processor's cache.
const MAX_BATCH_ROWS: u64 = 1_024;
/// Approximate size above which a batch has fewer rows.
const BATCH_BYTES: u64 = 32 * 1024 * 1024;
/// Size of a cell that is not text.
const CELL_BYTES: u64 = 8;
/// A column is read as dictionary codes if each value of the dictionary occurs, on average, in at least this many rows.
const ROWS_PER_CODE: u64 = 4;
const BOUND: &str = "columns are bound to fields that are read";

/// A Parquet file whose footer has been read.
pub(crate) struct ParquetSource<T: ChunkReader> {
    file: SharedFile<T>,
    metadata: ArrowReaderMetadata,
    nanos: Option<ArrowReaderMetadata>,
    /// The fields that are read, in the order of the file.
    fields: Vec<ReadField>,
    /// The index in `fields` that each column reads.
    columns: Vec<Option<usize>>,
    unexpected: Unexpected,
    max_record_bytes: usize,
    budget: Budget,
    /// The index of the next row group.
    next_group: usize,
    group: Option<OpenRowGroup>,
    batch: RowBatch,
    /// The checked rows of the batch; not used if the rows must be checked one by one.
    checked: CheckedRows,
    /// The texts of each field in the batch.
    texts: Vec<ColumnTexts>,
    /// The written text of each field in the current row.
    written: Vec<WrittenCell>,
}

/// The current row group.
struct OpenRowGroup {
    batches: ParquetRecordBatchReader,
    /// A second reader for the INT96 columns, in nanoseconds.
    nanos: Option<ParquetRecordBatchReader>,
    byte_offset: u64,
    /// The number of rows, according to the footer, that have not been read.
    missing_rows: u64,
}

/// The current batch.
#[derive(Default)]
struct RowBatch {
    /// The array of each field.
    arrays: Vec<ArrayRef>,
    /// The array of each INT96 field in nanoseconds.
    nanos: Vec<Option<ArrayRef>>,
    rows: usize,
    /// The index of the next row.
    at: usize,
    byte_offset: u64,
    /// An upper bound of the size of the texts of a row.
    longest: u64,
    is_checked: bool,
}

impl<T: ChunkReader + 'static> ParquetSource<T> {
    /// Reads the footer and binds the contract's columns to the fields of the file.
    pub(crate) fn open(
        plan: &Plan,
        limits: &Limits,
        rows: &Rows,
        file: T,
    ) -> Result<(Self, Dialect), ReadError> {
        let file = SharedFile::new(file);
        let footer = read_footer(&file)?;
        let names: Vec<String> = footer.fields.iter().map(|field| field.name().to_owned()).collect();
        let layout = bind_header(&names, rows.columns()).map_err(|(code, message)| {
            let message =
                message.strip_prefix("the header").map_or(message.clone(), |rest| format!("the file{rest}"));
            unreadable(code, 0, message)
        })?;
        let unexpected = Unexpected::new(plan);
        let (fields, columns) = read_fields(&footer, &layout, rows, unexpected.is_wanted());
        check_encryption(&footer, &fields)?;
        let written = fields.iter().map(ReadField::written).collect();
        let compression = penstock_contract::Compression::Plain;
        let dialect = Dialect {
            suggestions: layout.suggestions,
            ..Dialect::new(Some(FileFormat::Parquet), compression, encoding_rs::UTF_8)
        };
        let source = Self {
            budget: Budget::new(limits, file.len()),
            file,
            metadata: footer.metadata,
            nanos: footer.nanos,
            texts: fields.iter().map(|_| ColumnTexts::default()).collect(),
            written,
            fields,
            columns,
            unexpected,
            max_record_bytes: limits.max_record_bytes,
            next_group: 0,
            group: None,
            batch: RowBatch::default(),
            checked: CheckedRows::default(),
        };
        Ok((source, dialect))
    }
}

impl<T: ChunkReader + 'static> RowSource for ParquetSource<T> {
    fn next_block(&mut self, rows: &mut Rows) -> Result<Option<Block>, ReadError> {
        loop {
            if let Some(block) = rows.ready() {
                return Ok(Some(block));
            }
            if self.batch.at == self.batch.rows {
                match self.read_batch() {
                    Ok(true) => {}
                    Ok(false) => return Ok(rows.take()),
                    Err(error) => {
                        self.close();
                        return Err(error);
                    }
                }
            }
            self.push_rows(rows);
        }
    }

    fn count(&self, totals: &mut Totals) {
        totals.bytes_read = self.file.len();
        totals.bytes_decompressed = self.budget.bytes;
    }
}

impl<T: ChunkReader + 'static> ParquetSource<T> {
    /// Ends reading: no further rows are returned.
    fn close(&mut self) {
        self.group = None;
        self.batch = RowBatch::default();
        self.next_group = self.metadata.metadata().num_row_groups();
    }

    /// Decodes the next batch. Returns false at the end.
    fn read_batch(&mut self) -> Result<bool, ReadError> {
        loop {
            if self.group.is_none() && !self.open_group()? {
                self.close();
                return Ok(false);
            }
            let group = self.group.as_mut().expect("a row group was opened");
            let decoded = guarded(|| {
                let batch = group.batches.next().transpose()?;
                let nanos = group.nanos.as_mut().and_then(Iterator::next).transpose()?;
                Ok((batch, nanos))
            });
            let (batch, nanos) =
                decoded.map_err(|error| self.file.to_read_error(group.byte_offset, &error))?;
            let Some(batch) = batch else {
                let rows = group.missing_rows;
                if rows > 0 {
                    let reason = format!("a row group has {rows} rows fewer than the footer declares");
                    return Err(corrupt(group.byte_offset, &reason));
                }
                self.group = None;
                continue;
            };
            let rows = batch.num_rows();
            group.missing_rows = group.missing_rows.saturating_sub(rows as u64);
            let byte_offset = group.byte_offset;
            self.batch = RowBatch { rows, at: 0, byte_offset, ..self.arrays(byte_offset, batch, nanos)? };
            let mut room = texts::MAX_BYTES;
            let (mut sum, mut longest) = (0_u64, 0_u64);
            for (texts, array) in self.texts.iter_mut().zip(&self.batch.arrays) {
                let (bytes, longest_text) =
                    texts.fill(array, &mut room).map_err(|reason| corrupt(byte_offset, reason))?;
                sum = sum.saturating_add(bytes);
                longest = longest.saturating_add(longest_text);
            }
            self.batch.longest = longest;
            let cells = (rows as u64).saturating_mul(self.fields.len() as u64);
            self.budget.add_rows(sum.saturating_add(cells.saturating_mul(CELL_BYTES)))?;
            return Ok(true);
        }
    }

    /// Returns the index of the next row group with rows; `None` at the end.
    ///
    /// Row groups without rows are skipped, because writers set their offsets to 0 and some write no page for them.
    fn next_filled_group(&mut self) -> Result<Option<usize>, ReadError> {
        let footer = Arc::clone(self.metadata.metadata());
        while let Some(group) = footer.row_groups().get(self.next_group) {
            if group.num_rows() != 0 {
                return Ok(Some(self.next_group));
            }
            if let Some(column) = group.columns().iter().find(|column| column.num_values() != 0) {
                let name = column.column_path().string();
                let message =
                    format!("row group {} has no rows, but column `{name}` has values", self.next_group);
                return Err(corrupt(byte_range(column).0, &message));
            }
            self.next_group = self.next_group.saturating_add(1);
        }
        Ok(None)
    }

    /// Opens the next row group. Returns false at the end.
    fn open_group(&mut self) -> Result<bool, ReadError> {
        let footer = Arc::clone(self.metadata.metadata());
        let Some(index) = self.next_filled_group()? else { return Ok(false) };
        let group = footer.row_groups().get(index).expect("the index is that of a row group");
        let byte_offset = group.columns().first().map_or(0, |column| byte_range(column).0);
        let rows = u64::try_from(group.num_rows())
            .map_err(|_| corrupt(byte_offset, "a row group has a negative number of rows"))?;
        let schema = footer.file_metadata().schema_descr();
        let roots = || self.fields.iter().map(|field| field.index);
        let mask = ProjectionMask::roots(schema, roots());
        let leaves: Vec<usize> = (0..schema.num_columns()).filter(|leaf| mask.leaf_included(*leaf)).collect();
        let summary = scan_pages(&self.file, index, group, &leaves)?;
        self.budget.add_pages(summary.bytes)?;
        let row_bytes = summary.bytes.checked_div(rows).expect("the row group has rows");
        let batch_rows =
            BATCH_BYTES.checked_div(row_bytes).map_or(MAX_BATCH_ROWS, |rows| rows.clamp(1, MAX_BATCH_ROWS));
        let batch_rows = usize::try_from(batch_rows).expect("a batch has at most 1,024 rows");
        let starts = summary.starts.clone();
        let group = RowGroup { file: self.file.clone(), metadata: Arc::clone(&footer), index, starts };
        let open = |mask, types: &Fields| {
            let batches = guarded(|| group.batches(mask, types, batch_rows));
            batches.map_err(|error| self.file.to_read_error(byte_offset, &error))
        };
        let int96 = self.fields.iter().filter(|field| field.has_int96).map(|field| field.index);
        let nanos = (self.nanos.as_ref())
            .map(|nanos| open(ProjectionMask::roots(schema, int96), nanos.schema().fields()))
            .transpose()?;
        let types = self.metadata.schema().fields();
        let batches = open(mask, &with_dictionaries(types, &self.coded_fields(&leaves, &summary, rows)))?;
        self.group = Some(OpenRowGroup { batches, nanos, byte_offset, missing_rows: rows });
        self.next_group = self.next_group.saturating_add(1);
        Ok(true)
    }

    /// Returns the fields of a row group that are read as dictionary codes, because they have few texts in many rows.
    fn coded_fields(&self, leaves: &[usize], summary: &PageSummary, rows: u64) -> Vec<usize> {
        let schema = self.metadata.metadata().file_metadata().schema_descr();
        let mut room = texts::MAX_BYTES as u64;
        let mut coded_field = |(leaf, dictionary): (&usize, &Option<DictionarySize>)| {
            let DictionarySize { bytes, values } = (*dictionary)?;
            let root = schema.get_column_root_idx(*leaf);
            let index = self.fields.binary_search_by_key(&root, |field| field.index);
            let field = self.fields.get(index.expect("only columns of the fields are scanned")).expect(BOUND);
            if !field.may_be_coded {
                return None;
            }
            if values.saturating_mul(ROWS_PER_CODE) > rows {
                return None;
            }
            room = room.checked_sub(bytes)?;
            Some(field.index)
        };
        leaves.iter().zip(&summary.dictionaries).filter_map(&mut coded_field).collect()
    }

    /// Returns the arrays of a batch by field.
    fn arrays(
        &self,
        byte_offset: u64,
        batch: RecordBatch,
        nanos: Option<RecordBatch>,
    ) -> Result<RowBatch, ReadError> {
        let differ = || corrupt(byte_offset, "the columns of a row group have different numbers of rows");
        if nanos.as_ref().is_some_and(|nanos| nanos.num_rows() != batch.num_rows()) {
            return Err(differ());
        }
        let mut nanos = nanos.map(|nanos| nanos.columns().to_vec().into_iter());
        let of_field = |field: &ReadField| {
            if !field.has_int96 {
                return Ok(None);
            }
            nanos.as_mut().and_then(Iterator::next).map(Some).ok_or_else(differ)
        };
        let nanos = self.fields.iter().map(of_field).collect::<Result<_, _>>()?;
        let arrays = batch.columns().to_vec();
        if arrays.len() == self.fields.len() {
            Ok(RowBatch { arrays, nanos, ..RowBatch::default() })
        } else {
            Err(differ())
        }
    }

    /// Adds rows of the batch until a block is complete.
    fn push_rows(&mut self, rows: &mut Rows) {
        let Self { batch, checked, fields, columns, texts, unexpected, written, max_record_bytes, .. } = self;
        let byte_offset = batch.byte_offset;
        let position =
            |rows: &Rows| RecordPosition { line: rows.totals.rows_read.saturating_add(1), byte_offset };
        let arrays = batch.arrays.iter().zip(&batch.nanos);
        let cells: Vec<Cells<'_>> = (fields.iter().zip(arrays).zip(texts))
            .map(|((field, (array, nanos)), texts)| Cells::new(array, &field.leaves, nanos.as_ref(), texts))
            .collect();
        let is_long = batch.longest > *max_record_bytes as u64 || cells.iter().any(Cells::is_written);
        let is_plain = !is_long && !fields.iter().any(|field| field.is_unexpected);
        let is_plain = is_plain && cells.iter().all(Cells::is_plain);
        if is_plain && !std::mem::replace(&mut batch.is_checked, true) {
            checked.start(batch.rows, columns.len());
            check_columns(rows, checked, columns, &cells);
            rows.check_sizes(checked);
        }
        let texts = columns.iter().map(|field| {
            let cells = cells.get((*field)?).expect(BOUND);
            Some((cells.texts()?, cells.codes().map(|(codes, _)| codes)))
        });
        let written_columns = checked.columns(texts);
        while batch.at < batch.rows && !rows.is_ready() {
            let irregular = checked.irregular(batch.at);
            if is_plain && !irregular.is_any() {
                let next = rows.push_checked(checked, &written_columns, batch.at);
                if next > batch.at {
                    batch.at = next;
                    continue;
                }
            }
            let row = batch.at;
            batch.at = batch.at.saturating_add(1);
            let position = position(rows);
            if is_long && let Err(bytes) = write_row(&cells, row, *max_record_bytes, written) {
                let record = RawRecord { position, raw: &[], encoding: encoding_rs::UTF_8 };
                let rule = format!("at most {max_record_bytes} bytes");
                rows.push_malformed(record, Code::RecordTooLong, rule, Some(format!("{bytes} bytes")));
                continue;
            }
            unexpected.start(rows, |unexpected| {
                for (field, cells) in fields.iter().zip(&cells).filter(|(field, _)| field.is_unexpected) {
                    let mut value = WrittenCell::default();
                    cells.write_json(row, &mut value);
                    unexpected.push_literal(&field.key, value.text());
                }
            });
            let raw = |column: usize| {
                let field = *columns.get(column).expect("the binding has an entry for each column");
                let Some(field) = field else { return unexpected.raw(column) };
                cells.get(field).expect(BOUND).raw(row, written.get(field).expect(BOUND))
            };
            let json = || row_json(fields, &cells, row);
            if !is_plain || !rows.refuse_irregular(position, irregular, raw, json) {
                rows.push_typed(position, raw, json);
            }
        }
    }
}

/// Writes the values of a row that must be written as text.
///
/// # Errors
/// Returns the size of the row's values if it exceeds `max_bytes`.
fn write_row(
    cells: &[Cells<'_>],
    row: usize,
    max_bytes: usize,
    written: &mut [WrittenCell],
) -> Result<(), usize> {
    let mut bytes = 0_usize;
    for (cells, written) in cells.iter().zip(written) {
        written.clear();
        if cells.is_written() {
            cells.write_json(row, written);
        }
        bytes = bytes.saturating_add(cells.length(row)).saturating_add(written.text().len());
        if bytes > max_bytes {
            return Err(bytes);
        }
    }
    Ok(())
}

/// Returns a row as a JSON object.
fn row_json(fields: &[ReadField], cells: &[Cells<'_>], row: usize) -> String {
    /// Estimated size of a value that is not text, with the punctuation around it.
    const OTHER_BYTES: usize = 48;
    let mut json = WrittenCell::default();
    let lengths =
        fields.iter().zip(cells).map(|(field, cells)| field.key.len().saturating_add(cells.length(row)));
    json.reserve(lengths.fold(0, |sum, length| sum.saturating_add(length).saturating_add(OTHER_BYTES)));
    json.list('{', '}', fields.iter().zip(cells), |json, (field, cells)| {
        json.push("\"");
        json.push(&field.key);
        json.push("\":");
        cells.write_json(row, json);
    });
    std::mem::take(json.plain())
}
