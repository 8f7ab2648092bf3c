//! Blocks of rows. Each block ends with the file's sync marker.

use std::io::Read;

use super::codec::Codec;
use super::datum::DatumFault;
use super::header::ContainerHeader;
use super::row::{BlockData, FieldBinding, RowReader};
use super::schema::Schema;
use super::stream::{Marker, Stream, Varint};
use crate::error::{ReadError, UnreadableCode};
use crate::format::FileFormat;
use crate::input::Input;
use crate::limits::Limits;
use crate::outcome::{Code, Dialect, Totals};
use crate::plan::Plan;
use crate::records::RecordPosition;
use crate::rows::{Block, RawRecord, Rows};
use crate::source::RowSource;

const MARKER_RULE: &str = "a block that ends with the file's sync marker";
const SCHEMA_RULE: &str = "rows that match the file's schema";
const MARKER_BYTES: u64 = size_of::<Marker>() as u64;

/// A source of rows from an Avro file.
pub(crate) struct AvroSource<R: Read> {
    stream: Stream<R>,
    schema: Schema,
    codec: Codec,
    marker: Marker,
    max_block_bytes: usize,
    rows: RowReader,
    /// The current block, decompressed.
    data: Vec<u8>,
    /// The number of bytes of the current block that have been decoded.
    at: usize,
    /// The number of rows of the current block that have not been decoded.
    remaining: u64,
    /// The byte offset of the current block in the file.
    offset: u64,
}

impl<R: Read> AvroSource<R> {
    /// Reads the header and binds the contract's columns to the fields of the schema.
    pub(crate) fn open(
        plan: &Plan,
        limits: &Limits,
        rows: &Rows,
        input: Input<R>,
    ) -> Result<(Self, Dialect), ReadError> {
        let compression = input.compression();
        let mut stream = Stream::new(input);
        if stream.peek(1)?.is_empty() {
            return Err(ReadError::Empty);
        }
        let ContainerHeader { schema, codec, marker } = ContainerHeader::read(&mut stream)?;
        let layout = FieldBinding::bind(&schema, rows.columns())?;
        let dialect = Dialect {
            assumed: plan.compression.is_none().then(|| "compression".to_owned()).into_iter().collect(),
            suggestions: layout.suggestions.clone(),
            ..Dialect::new(Some(FileFormat::Avro), compression, encoding_rs::UTF_8)
        };
        let source = Self {
            offset: stream.offset,
            stream,
            schema,
            codec,
            marker,
            max_block_bytes: limits.max_block_bytes,
            rows: RowReader::new(layout, plan, limits.max_record_bytes),
            data: Vec::new(),
            at: 0,
            remaining: 0,
        };
        Ok((source, dialect))
    }
}

impl<R: Read> RowSource for AvroSource<R> {
    fn next_block(&mut self, rows: &mut Rows) -> Result<Option<Block>, ReadError> {
        loop {
            if let Some(block) = rows.ready() {
                return Ok(Some(block));
            }
            if self.remaining > 0 {
                self.read_rows(rows);
            } else if !self.open_block(rows)? {
                return Ok(rows.take());
            }
        }
    }

    fn count(&self, totals: &mut Totals) {
        totals.bytes_read = self.stream.input().bytes_read();
        totals.bytes_decompressed = self.stream.input().bytes_decompressed();
    }
}

impl<R: Read> AvroSource<R> {
    /// Reads rows of the current block.
    fn read_rows(&mut self, rows: &mut Rows) {
        let block = BlockData { schema: &self.schema, bytes: &self.data, offset: self.offset };
        let fault = self.rows.read(&block, &mut self.at, &mut self.remaining, rows).err();
        let rest = self.data.len().saturating_sub(self.at);
        let (count, reason) = match fault {
            Some(DatumFault(reason)) => (std::mem::take(&mut self.remaining), reason.to_owned()),
            None if self.remaining == 0 && rest > 0 => (0, format!("{rest} bytes follow the last row")),
            None => return,
        };
        self.reject_block(rows, Code::MalformedBlock, SCHEMA_RULE, &with_lost_rows(&reason, count), count);
    }

    /// Decompresses the next block. Returns false at the end of the file.
    fn open_block(&mut self, rows: &mut Rows) -> Result<bool, ReadError> {
        self.offset = self.stream.offset;
        if self.stream.peek(1)?.is_empty() {
            return Ok(false);
        }
        let (count, size) = (self.stream.varint()?, self.stream.varint()?);
        let Some((count, size)) = Option::zip(natural(count), natural(size)) else {
            let reason = "the block does not begin with its row count and size";
            self.skip_block(rows, Code::MalformedBlock, MARKER_RULE, 0, reason)?;
            return Ok(true);
        };
        let bytes = usize::try_from(size).ok().filter(|bytes| *bytes <= self.max_block_bytes);
        let Some(bytes) = bytes else {
            let rule = format!("a block of at most {} bytes", self.max_block_bytes);
            let reason = format!("the block declares {size} bytes");
            self.skip_block(rows, Code::RecordTooLong, &rule, count, &reason)?;
            return Ok(true);
        };
        let length = bytes.saturating_add(self.marker.len());
        let parts = self.stream.peek(length)?.split_at_checked(bytes);
        let Some((block, _)) = parts.filter(|(_, marker)| *marker == self.marker) else {
            // The declared size may be wrong, so the search for the marker starts at the block's first byte.
            let reason = "the block is not followed by the file's sync marker";
            self.skip_block(rows, Code::MalformedBlock, MARKER_RULE, count, reason)?;
            return Ok(true);
        };
        let decompressed = self.codec.decompress(block, self.max_block_bytes, &mut self.data);
        self.stream.consume(length);
        self.at = 0;
        if let Err(reason) = decompressed {
            let rule = format!(
                "a block of at most {} bytes, compressed with the file's codec",
                self.max_block_bytes
            );
            let found = with_lost_rows(&format!("the block {reason}"), count);
            self.reject_block(rows, Code::MalformedBlock, &rule, &found, count);
        } else if count == 0 && !self.data.is_empty() {
            let found = with_lost_rows("the block contains bytes, but no rows", 0);
            self.reject_block(rows, Code::MalformedBlock, SCHEMA_RULE, &found, 0);
        } else {
            self.remaining = count;
        }
        Ok(true)
    }

    /// Rejects a block of unknown length and skips to the next sync marker.
    fn skip_block(
        &mut self,
        rows: &mut Rows,
        code: Code,
        rule: &str,
        count: u64,
        reason: &str,
    ) -> Result<(), ReadError> {
        if !self.stream.skip_past(&self.marker)? {
            return Err(ReadError::Unreadable {
                code: UnreadableCode::TruncatedFile,
                byte_offset: self.offset,
                message: "the file ends inside the block that begins here; deliver the complete file"
                    .to_owned(),
            });
        }
        let bytes = self.stream.offset.saturating_sub(self.offset).saturating_sub(MARKER_BYTES);
        let found = format!(
            "{reason}; {bytes} bytes up to the next sync marker were skipped, with {count} rows by the block's row count"
        );
        self.reject_block(rows, code, rule, &found, count);
        Ok(())
    }

    /// Adds one reject for all rows that are lost with a block. It counts for as many rows as the block declares, and
    /// for at least one. A row has at least one byte, so a count above the largest block size is wrong and is capped
    /// there.
    fn reject_block(&self, rows: &mut Rows, code: Code, rule: &str, found: &str, count: u64) {
        let position =
            RecordPosition { line: rows.totals.rows_read.saturating_add(1), byte_offset: self.offset };
        let record = RawRecord { position, raw: &[], encoding: encoding_rs::UTF_8 };
        let max_rows = self.max_block_bytes as u64;
        rows.push_lost(record, count.clamp(1, max_rows), code, rule.to_owned(), Some(found.to_owned()));
    }
}

/// Returns a number that is not negative; `None` for others.
fn natural(number: Varint) -> Option<u64> {
    if let Varint::Number(number, _) = number { u64::try_from(number).ok() } else { None }
}

fn with_lost_rows(reason: &str, rows: u64) -> String {
    format!("{reason}; {rows} rows were lost, by the block's row count")
}
