//! Bytes in, blocks of checked rows out.

use std::io::Read;
use std::sync::Arc;

use parquet::file::reader::ChunkReader;
use penstock_contract::{Compression, EmptyFile, FormatKind};

use crate::avro::AvroSource;
use crate::detect;
use crate::error::ReadError;
use crate::input::Input;
use crate::outcome::{Dialect, Totals};
use crate::parquet::ParquetSource;
use crate::plan::Plan;
use crate::rows::{Block, Rows, sort_reasons};
use crate::text::TextSource;

/// The format, among what a dialect assumes.
const ASSUMED_FORMAT: &str = "format";

/// What a reader takes at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Accepted rows a block.
    pub chunk_rows: u32,
    /// A block ends with the row that brings its COPY text to this many bytes.
    pub chunk_bytes: usize,
    /// A longer record is a reject.
    pub max_record_bytes: usize,
    /// A longer block of an Avro file, compressed or not, is a reject.
    pub max_block_bytes: usize,
    /// A file with more bytes after decompression is not read to its end.
    pub max_decompressed_bytes: u64,
    /// A compressed file that becomes more than so many times as large is not read to its end. The first 16 MiB of
    /// decompressed bytes do not count.
    pub max_ratio: u32,
    /// Reasons of a reject that are kept.
    pub max_reasons: usize,
    /// Accepted rows are given as Arrow columns, too.
    pub arrow: bool,
}

impl Default for Limits {
    /// 50,000 rows or 16 MiB a block, records of 1 MiB, blocks of Avro of 16 MiB, files of 1 TiB that compression made
    /// at most 1,000 times as small, 8 reasons, no Arrow columns.
    fn default() -> Self {
        Self {
            chunk_rows: 50_000,
            chunk_bytes: 16 * 1024 * 1024,
            max_record_bytes: 1024 * 1024,
            max_block_bytes: 16 * 1024 * 1024,
            max_decompressed_bytes: 1024 * 1024 * 1024 * 1024,
            max_ratio: 1_000,
            max_reasons: 8,
            arrow: false,
        }
    }
}

impl Limits {
    /// Zero would mean no progress, and Arrow's offsets have 31 bits.
    pub(crate) fn sane(self) -> Self {
        const GIB: usize = 1024 * 1024 * 1024;
        Self {
            chunk_rows: self.chunk_rows.max(1),
            chunk_bytes: self.chunk_bytes.clamp(1, GIB),
            max_record_bytes: self.max_record_bytes.clamp(1, GIB / 4),
            max_block_bytes: self.max_block_bytes.clamp(1, GIB),
            max_reasons: self.max_reasons.max(1),
            ..self
        }
    }
}

/// Reads a drop. The same bytes under the same contract give the same blocks, however the input hands them out.
pub struct Reader<R: Read> {
    rows: Rows,
    empty_file: Option<EmptyFile>,
    dialect: Dialect,
    source: Source<R>,
}

/// Where the rows come from: each source takes them to [`Rows`] itself, so that nothing is dispatched row by row.
enum Source<R: Read> {
    Text(Box<TextSource<R>>),
    Avro(Box<AvroSource<R>>),
    Typed(Box<dyn TypedSource + Send>),
    /// A file of 0 bytes that the contract accepts.
    Nothing,
}

impl<R: Read> Source<R> {
    /// Opens a drop in the format that the contract declares, or else in the one that its first bytes have.
    fn detect(
        plan: &Plan,
        limits: &Limits,
        rows: &Rows,
        mut input: Input<R>,
    ) -> Result<(Self, Dialect), ReadError> {
        let FormatKind::Detected { json_only } = plan.format else {
            return Self::open(plan, limits, rows, input);
        };
        let format = detect::format(input.head(detect::HEAD_BYTES)?, json_only)?;
        let (source, mut dialect) = Self::open(&plan.with_format(format), limits, rows, input)?;
        dialect.assumed.insert(0, ASSUMED_FORMAT.to_owned());
        Ok((source, dialect))
    }

    fn open(
        plan: &Plan,
        limits: &Limits,
        rows: &Rows,
        input: Input<R>,
    ) -> Result<(Self, Dialect), ReadError> {
        if plan.format == FormatKind::Avro {
            let (source, dialect) = AvroSource::open(plan, limits, rows, input)?;
            return Ok((Self::Avro(Box::new(source)), dialect));
        }
        let (source, dialect) = TextSource::open(plan, limits, rows, input)?;
        Ok((Self::Text(Box::new(source)), dialect))
    }
}

/// The dialect of a file without content: what the contract declares.
fn nothing(plan: &Plan) -> Dialect {
    let format = match plan.format {
        FormatKind::Delimited(_) => "delimited",
        FormatKind::JsonArray { .. } => "json_array",
        FormatKind::Parquet => "parquet",
        FormatKind::Avro => "avro",
        FormatKind::Detected { .. } => "unknown",
        // The plan has no other.
        FormatKind::Ndjson | _ => "ndjson",
    };
    Dialect {
        format: format.to_owned(),
        compression: plan.compression.unwrap_or(Compression::Plain),
        encoding: plan.encoding.map_or("UTF-8", |encoding| encoding.name()).to_owned(),
        delimiter: None,
        quote: None,
        header: None,
        header_rows: None,
        escape: None,
        skip_initial_space: None,
        skip_lines: None,
        sep_line: false,
        assumed: Vec::new(),
        suggestions: Vec::new(),
    }
}

/// A source of rows whose values have types.
pub(crate) trait TypedSource {
    /// Reads rows until there is a block; `None` at the end.
    fn next_block(&mut self, rows: &mut Rows) -> Result<Option<Block>, ReadError>;

    /// Writes down the bytes so far.
    fn count(&self, totals: &mut Totals);
}

impl<R: Read> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

impl<R: Read> Reader<R> {
    /// Tells the dialect, reads the header and binds the plan's columns to it.
    ///
    /// # Errors
    /// When the input fails, or nothing of its content can be read. A file that [needs seeking](Plan::needs_seek) is
    /// opened by [`Reader::open_parquet`].
    pub fn open(plan: Arc<Plan>, limits: Limits, input: R) -> Result<Self, ReadError> {
        let limits = limits.sane();
        let rows = Rows::new(&plan, limits.clone());
        let opened = Input::open(input, plan.compression, &limits)
            .and_then(|input| Source::detect(&plan, &limits, &rows, input));
        Self::of(&plan, rows, opened)
    }

    /// Reads the footer of a Parquet file and binds the plan's columns to its own. The reader needs no stream: `R` is
    /// what the caller has for other drops.
    ///
    /// # Errors
    /// When the file cannot be read, or nothing of its content can.
    pub fn open_parquet(
        plan: &Plan,
        limits: Limits,
        file: impl ChunkReader + 'static,
    ) -> Result<Self, ReadError> {
        let limits = limits.sane();
        let rows = Rows::new(plan, limits.clone());
        let opened = ParquetSource::open(plan, &limits, &rows, file);
        let opened = opened.map(|(source, mut dialect)| {
            if matches!(plan.format, FormatKind::Detected { .. }) {
                dialect.assumed.insert(0, ASSUMED_FORMAT.to_owned());
            }
            (Source::Typed(Box::new(source)), dialect)
        });
        Self::of(plan, rows, opened)
    }

    /// The reader of what was opened, or of nothing, where the contract accepts that.
    fn of(
        plan: &Plan,
        rows: Rows,
        opened: Result<(Source<R>, Dialect), ReadError>,
    ) -> Result<Self, ReadError> {
        let (source, dialect) = match opened {
            Err(ReadError::Empty) if plan.empty_file == Some(EmptyFile::Accept) => {
                (Source::Nothing, nothing(plan))
            }
            opened => opened?,
        };
        Ok(Self { rows, empty_file: plan.empty_file, dialect, source })
    }

    /// The dialect as found and declared.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// What was read up to the last block, the rejects by reason included.
    pub fn totals(&self) -> &Totals {
        &self.rows.totals
    }

    /// The next block; `None` at the end.
    ///
    /// # Errors
    /// When the input fails, or its content cannot be read further; what was read since the last block is lost. Also at the
    /// end of a file without rows, where the contract refuses that.
    pub fn next_block(&mut self) -> Result<Option<Block>, ReadError> {
        let Self { rows, source, empty_file, .. } = self;
        let block = match source {
            Source::Text(text) => {
                let block = text.next_block(rows);
                text.count(&mut rows.totals);
                block
            }
            Source::Avro(avro) => {
                let block = avro.next_block(rows);
                avro.count(&mut rows.totals);
                block
            }
            Source::Typed(typed) => {
                let block = typed.next_block(rows);
                typed.count(&mut rows.totals);
                block
            }
            Source::Nothing => Ok(None),
        };
        sort_reasons(&mut rows.totals.by_reason);
        if matches!(block, Ok(None))
            && *empty_file == Some(EmptyFile::Refuse)
            && rows.totals.rows_with_values() == 0
        {
            return Err(ReadError::Empty);
        }
        block
    }

    /// Sets the number of rows of the blocks to come.
    pub(crate) fn set_chunk_rows(&mut self, rows: u32) {
        self.rows.limits.chunk_rows = rows.max(1);
    }

    /// Takes the text of a block that is done with, to write another one into: new memory costs more than the checks.
    pub fn recycle(&mut self, copy_text: Vec<u8>) {
        self.rows.recycle(copy_text);
    }
}
