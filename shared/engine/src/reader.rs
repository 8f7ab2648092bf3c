//! The reader, which turns bytes into blocks of checked rows.

use std::io::{self, Read};

use encoding_rs::UTF_8;
use parquet::file::reader::ChunkReader;
use penstock_contract::{Compression, EmptyFile, FormatKind};

use crate::avro::AvroSource;
use crate::error::{ReadError, UnreadableCode};
use crate::format::{self, FileFormat, TextFormat};
use crate::input::Input;
use crate::limits::Limits;
use crate::outcome::{Dialect, Totals, sort_reasons};
use crate::parquet::ParquetSource;
use crate::plan::Plan;
use crate::rows::{Block, Rows};
use crate::source::RowSource;
use crate::text::TextSource;

/// The entry of [`Dialect::assumed`] for a detected format.
const ASSUMED_FORMAT: &str = "format";

/// A reader of one drop. The same bytes under the same contract yield the same blocks, regardless of the sizes of
/// the reads.
pub struct Reader<'a> {
    rows: Rows,
    empty_file: Option<EmptyFile>,
    dialect: Dialect,
    /// `None` for an empty file that the contract accepts.
    source: Option<BoxedSource<'a>>,
}

type BoxedSource<'a> = Box<dyn RowSource + Send + 'a>;
type OpenedSource<'a> = Result<(BoxedSource<'a>, Dialect), ReadError>;

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("dialect", &self.dialect).finish_non_exhaustive()
    }
}

impl<'a> Reader<'a> {
    /// Opens a drop as a stream. Detects the properties that the contract does not declare, reads the header and binds
    /// the plan's columns to it.
    ///
    /// # Errors
    /// Returns an error if the input fails, its content is unreadable, or its format [needs random
    /// access](Plan::needs_seek_by).
    pub fn open(plan: &Plan, limits: Limits, input: impl Read + Send + 'a) -> Result<Self, ReadError> {
        let limits = limits.sane();
        let rows = Rows::new(plan, limits.clone());
        let opened = Input::open(input, plan.compression, &limits)
            .and_then(|input| open_stream(plan, &limits, &rows, input));
        Self::new(plan, rows, opened)
    }

    /// Opens a drop with random access, which supports every format.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read or its content is unreadable.
    pub fn open_seekable<F>(plan: &Plan, limits: Limits, file: F) -> Result<Self, ReadError>
    where
        F: ChunkReader<T: Send + 'static> + 'static,
    {
        let limits = limits.sane();
        let rows = Rows::new(plan, limits.clone());
        let opened = open_file(plan, &limits, &rows, file);
        Self::new(plan, rows, opened)
    }

    fn new(plan: &Plan, rows: Rows, opened: OpenedSource<'a>) -> Result<Self, ReadError> {
        let (source, dialect) = match opened {
            Err(ReadError::Empty) if plan.empty_file == Some(EmptyFile::Accept) => {
                (None, empty_dialect(plan))
            }
            opened => opened.map(|(source, dialect)| (Some(source), dialect))?,
        };
        Ok(Self { rows, empty_file: plan.empty_file, dialect, source })
    }

    /// Returns the declared and detected properties of the file.
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Returns the counts up to and including the last block, with the rejects by reason.
    pub fn totals(&self) -> &Totals {
        &self.rows.totals
    }

    /// Returns the next block; `None` at the end.
    ///
    /// # Errors
    /// Returns an error if the input fails or the rest of its content is unreadable. Rows since the last block are then
    /// lost. Also returns an error at the end of a file without rows, if the contract refuses such files.
    pub fn next_block(&mut self) -> Result<Option<Block>, ReadError> {
        let Self { rows, source, empty_file, .. } = self;
        let block = match source {
            Some(source) => {
                let block = source.next_block(rows);
                source.count(&mut rows.totals);
                block
            }
            None => Ok(None),
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

    /// Sets the number of rows of the following blocks.
    pub(crate) fn set_chunk_rows(&mut self, rows: u32) {
        self.rows.limits.chunk_rows = rows.max(1);
    }

    /// Reuses the buffer of a processed block for another one. Allocating new memory costs more than checking the rows.
    pub fn recycle(&mut self, copy_text: Vec<u8>) {
        self.rows.recycle(copy_text);
    }
}

/// Opens a stream in the declared format, or else in the one that its first bytes indicate.
fn open_stream<'a>(
    plan: &Plan,
    limits: &Limits,
    rows: &Rows,
    mut input: Input<impl Read + Send + 'a>,
) -> OpenedSource<'a> {
    let (format, is_assumed) = match &plan.format {
        FormatKind::Detected { json_only } => {
            (format::detect(input.head(format::HEAD_BYTES)?, *json_only)?, true)
        }
        declared @ (FormatKind::Delimited(_)
        | FormatKind::Ndjson
        | FormatKind::JsonArray { .. }
        | FormatKind::Parquet
        | FormatKind::Avro) => (declared.clone(), false),
    };
    let text = match &format {
        FormatKind::Delimited(dialect) => TextFormat::Delimited(dialect),
        FormatKind::Ndjson => TextFormat::Ndjson,
        FormatKind::JsonArray { path } => TextFormat::JsonArray { path },
        FormatKind::Avro => {
            let (source, dialect) = AvroSource::open(plan, limits, rows, input)?;
            return Ok((Box::new(source), assume(dialect, is_assumed)));
        }
        FormatKind::Parquet | FormatKind::Detected { .. } => {
            let message =
                format!("{} cannot be read as a stream; open it as a file", FileFormat::Parquet.title());
            return Err(ReadError::Unreadable { code: UnreadableCode::WrongFormat, byte_offset: 0, message });
        }
    };
    let (source, dialect) = TextSource::open(text, plan, limits, rows, input)?;
    Ok((Box::new(source), assume(dialect, is_assumed)))
}

fn open_file<'a, F>(plan: &Plan, limits: &Limits, rows: &Rows, file: F) -> OpenedSource<'a>
where
    F: ChunkReader<T: Send + 'static> + 'static,
{
    let is_assumed = matches!(plan.format, FormatKind::Detected { .. });
    let start = || file.get_read(0).map_err(|error| ReadError::Io(io::Error::other(error)));
    let mut head = Vec::new();
    start()?.take(plan.seek_head_bytes() as u64).read_to_end(&mut head).map_err(ReadError::Io)?;
    if !plan.needs_seek_by(&head) {
        let input = Input::open(start()?, plan.compression, limits)?;
        return open_stream(plan, limits, rows, input);
    }
    let (source, dialect) = ParquetSource::open(plan, limits, rows, file)?;
    Ok((Box::new(source), assume(dialect, is_assumed)))
}

fn assume(mut dialect: Dialect, is_assumed: bool) -> Dialect {
    if is_assumed {
        dialect.assumed.insert(0, ASSUMED_FORMAT.to_owned());
    }
    dialect
}

/// Returns the dialect of an empty file, as the contract declares it.
fn empty_dialect(plan: &Plan) -> Dialect {
    let compression = plan.compression.unwrap_or(Compression::Plain);
    Dialect::new(FileFormat::declared(&plan.format), compression, plan.encoding.unwrap_or(UTF_8))
}
