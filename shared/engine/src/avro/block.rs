//! Blocks of rows, each between two markers.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::io::Read;

use super::codec::Codec;
use super::header::Header;
use super::row::{Layout, RowReader};
use super::schema::Schema;
use super::stream::{Marker, Stream, Varint};
use crate::error::{ReadError, UnreadableCode};
use crate::input::Input;
use crate::outcome::{Code, Dialect, Totals};
use crate::plan::Plan;
use crate::records::Place;
use crate::reader::Limits;
use crate::rows::{Block, Rows, Shown};

/// A drop of Avro.
pub(crate) struct AvroSource<R: Read> {
    stream: Stream<R>,
    schema: Schema,
    codec: Codec,
    marker: Marker,
    max_block_bytes: usize,
    rows: RowReader,
    /// The block under way, decompressed.
    data: Vec<u8>,
    /// How much of it was read.
    at: usize,
    /// Rows of it that are still to be read.
    left: u64,
    /// Where it stands in the file.
    offset: u64,
}

impl<R: Read> AvroSource<R> {
    /// Reads the header and binds the columns to the fields of its schema.
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
        let Header { schema, codec, marker } = Header::read(&mut stream)?;
        let layout = Layout::bind(&schema, rows.columns())?;
        let dialect = Dialect {
            format: "avro".to_owned(),
            compression,
            encoding: "UTF-8".to_owned(),
            delimiter: None,
            quote: None,
            header: None,
            assumed: plan.compression.is_none().then(|| "compression".to_owned()).into_iter().collect(),
            suggestions: layout.suggestions.clone(),
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
            left: 0,
        };
        Ok((source, dialect))
    }

    /// Bytes so far. There are no lines.
    pub(crate) fn count(&self, totals: &mut Totals) {
        totals.bytes_read = self.stream.input().bytes_read();
        totals.bytes_decompressed = self.stream.input().bytes_decompressed();
    }

    /// Reads rows until there is a block of them.
    pub(crate) fn next_block(&mut self, rows: &mut Rows) -> Result<Option<Block>, ReadError> {
        loop {
            if let Some(block) = rows.ready() {
                return Ok(Some(block));
            }
            if self.left > 0 {
                self.read_rows(rows);
            } else if !self.open_block(rows)? {
                return Ok(rows.take());
            }
        }
    }

    /// Reads rows of the block under way.
    fn read_rows(&mut self, rows: &mut Rows) {
        let block = super::row::Data { schema: &self.schema, bytes: &self.data, offset: self.offset };
        let broken = self.rows.read(&block, &mut self.at, &mut self.left, rows).err();
        let rest = self.data.len().saturating_sub(self.at);
        let rule = "rows as the schema says";
        if let Some(broken) = broken {
            let lost = std::mem::take(&mut self.left);
            lose(rows, self.offset, Code::MalformedBlock, rule, lost, broken.0);
        } else if self.left == 0 && rest > 0 {
            let found = format!("{rest} bytes come after the last row");
            lose(rows, self.offset, Code::MalformedBlock, rule, 0, &found);
        }
    }

    /// Goes to the next block. False at the end of the file.
    fn open_block(&mut self, rows: &mut Rows) -> Result<bool, ReadError> {
        self.offset = self.stream.offset;
        if self.stream.peek(1)?.is_empty() {
            return Ok(false);
        }
        let (count, size) = (self.stream.varint()?, self.stream.varint()?);
        let count = if let Varint::Number(count, _) = count { u64::try_from(count).ok() } else { None };
        let size = if let Varint::Number(size, _) = size { usize::try_from(size).ok() } else { None };
        let (Some(count), Some(size)) = (count, size) else {
            self.go_on_behind_marker()?;
            let why = "the block does not begin with the number of its rows and bytes";
            lose(rows, self.offset, Code::MalformedBlock, "a block between two markers", 0, why);
            return Ok(true);
        };
        if size > self.max_block_bytes {
            self.go_on_behind_marker()?;
            let rule = format!("a block of at most {} bytes", self.max_block_bytes);
            lose(rows, self.offset, Code::RecordTooLong, &rule, count, &format!("the block says {size} bytes"));
            return Ok(true);
        }
        let whole = self.stream.peek(size.saturating_add(self.marker.len()))?;
        let (block, marker) = whole.split_at_checked(size).unwrap_or((whole, &[]));
        if marker != self.marker {
            // The size may be what is wrong: the marker is looked for from the block's first byte on.
            self.go_on_behind_marker()?;
            let why = "the file's marker does not follow the block";
            lose(rows, self.offset, Code::MalformedBlock, "a block between two markers", count, why);
            return Ok(true);
        }
        let decompressed = self.codec.decompress(block, self.max_block_bytes, &mut self.data);
        self.stream.consume(whole_length(size, &self.marker));
        if let Err(why) = decompressed {
            let rule = format!("a block of at most {} bytes, compressed as the header says", self.max_block_bytes);
            lose(rows, self.offset, Code::MalformedBlock, &rule, count, &format!("the block {why}"));
            return Ok(true);
        }
        self.at = 0;
        self.left = count;
        if count == 0 && !self.data.is_empty() {
            let why = "the block has bytes, but no rows";
            lose(rows, self.offset, Code::MalformedBlock, "rows as the schema says", 0, why);
        }
        Ok(true)
    }

    /// Leaves out the rest of a block.
    fn go_on_behind_marker(&mut self) -> Result<(), ReadError> {
        if self.stream.skip_past(&self.marker)? {
            return Ok(());
        }
        Err(ReadError::Unreadable {
            code: UnreadableCode::TruncatedFile,
            byte_offset: self.offset,
            message: "the file ends within the block that begins here; deliver it whole".to_owned(),
        })
    }
}

fn whole_length(size: usize, marker: &Marker) -> usize {
    size.saturating_add(marker.len())
}

/// Tells the rows that are lost with a block, as one reject: how many they are is only what the block says.
fn lose(rows: &mut Rows, byte_offset: u64, code: Code, rule: &str, lost: u64, why: &str) {
    let place = Place { line: rows.totals.rows_read.saturating_add(1), byte_offset };
    let shown = Shown { place, raw: &[], encoding: encoding_rs::UTF_8 };
    let found = format!("{why}; {lost} rows are lost by the block's count");
    rows.push_malformed(shown, code, rule.to_owned(), Some(found));
}
