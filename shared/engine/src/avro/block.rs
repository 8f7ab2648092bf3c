//! Blocks of rows, each between two markers.

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
use crate::rows::{Block, Rows, Shown};
use crate::source::RowSource;

const BETWEEN_MARKERS: &str = "a block between two markers";
const AS_THE_SCHEMA_SAYS: &str = "rows as the schema says";
const MARKER_BYTES: u64 = size_of::<Marker>() as u64;

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
        let ContainerHeader { schema, codec, marker } = ContainerHeader::read(&mut stream)?;
        let layout = FieldBinding::bind(&schema, rows.columns())?;
        let dialect = Dialect {
            format: FileFormat::Avro.name().to_owned(),
            compression,
            encoding: "UTF-8".to_owned(),
            delimiter: None,
            quote: None,
            header: None,
            escape: None,
            skip_initial_space: None,
            header_rows: None,
            skip_lines: None,
            sep_line: false,
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
}

impl<R: Read> RowSource for AvroSource<R> {
    fn next_block(&mut self, rows: &mut Rows) -> Result<Option<Block>, ReadError> {
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

    fn count(&self, totals: &mut Totals) {
        totals.bytes_read = self.stream.input().bytes_read();
        totals.bytes_decompressed = self.stream.input().bytes_decompressed();
    }
}

impl<R: Read> AvroSource<R> {
    /// Reads rows of the block under way.
    fn read_rows(&mut self, rows: &mut Rows) {
        let block = BlockData { schema: &self.schema, bytes: &self.data, offset: self.offset };
        let broken = self.rows.read(&block, &mut self.at, &mut self.left, rows).err();
        let rest = self.data.len().saturating_sub(self.at);
        let found = match broken {
            Some(DatumFault(why)) => (std::mem::take(&mut self.left), why.to_owned()),
            None if self.left == 0 && rest > 0 => (0, format!("{rest} bytes come after the last row")),
            None => return,
        };
        let (count, why) = found;
        self.lose(rows, Code::MalformedBlock, AS_THE_SCHEMA_SAYS, &lost(&why, count), count);
    }

    /// Goes to the next block. False at the end of the file.
    fn open_block(&mut self, rows: &mut Rows) -> Result<bool, ReadError> {
        self.offset = self.stream.offset;
        if self.stream.peek(1)?.is_empty() {
            return Ok(false);
        }
        let (count, size) = (self.stream.varint()?, self.stream.varint()?);
        let Some((count, size)) = Option::zip(natural(count), natural(size)) else {
            let why = "the block does not begin with the number of its rows and bytes";
            self.skip_block(rows, Code::MalformedBlock, BETWEEN_MARKERS, 0, why)?;
            return Ok(true);
        };
        let bytes = usize::try_from(size).ok().filter(|bytes| *bytes <= self.max_block_bytes);
        let Some(bytes) = bytes else {
            let rule = format!("a block of at most {} bytes", self.max_block_bytes);
            let why = format!("the block says {size} bytes");
            self.skip_block(rows, Code::RecordTooLong, &rule, count, &why)?;
            return Ok(true);
        };
        let length = bytes.saturating_add(self.marker.len());
        let (block, marker) = self.stream.peek(length)?.split_at_checked(bytes).unwrap_or_default();
        if marker != self.marker {
            // The size may be what is wrong: the marker is looked for from the block's first byte on.
            let why = "the file's marker does not follow the block";
            self.skip_block(rows, Code::MalformedBlock, BETWEEN_MARKERS, count, why)?;
            return Ok(true);
        }
        let decompressed = self.codec.decompress(block, self.max_block_bytes, &mut self.data);
        self.stream.consume(length);
        self.at = 0;
        if let Err(why) = decompressed {
            let rule = format!("at most {} bytes, compressed as the header says", self.max_block_bytes);
            self.lose(rows, Code::MalformedBlock, &rule, &lost(&format!("the block {why}"), count), count);
        } else if count == 0 && !self.data.is_empty() {
            let why = lost("the block has bytes, but no rows", 0);
            self.lose(rows, Code::MalformedBlock, AS_THE_SCHEMA_SAYS, &why, 0);
        } else {
            self.left = count;
        }
        Ok(true)
    }

    /// Leaves out a block, whose length is not known, up to the next marker.
    fn skip_block(
        &mut self,
        rows: &mut Rows,
        code: Code,
        rule: &str,
        count: u64,
        why: &str,
    ) -> Result<(), ReadError> {
        if !self.stream.skip_past(&self.marker)? {
            return Err(ReadError::Unreadable {
                code: UnreadableCode::TruncatedFile,
                byte_offset: self.offset,
                message: "the file ends within the block that begins here; deliver it whole".to_owned(),
            });
        }
        let bytes = self.stream.offset.saturating_sub(self.offset).saturating_sub(MARKER_BYTES);
        let found =
            format!("{why}; {bytes} bytes up to the next marker are lost, {count} rows by the block's count");
        self.lose(rows, code, rule, &found, count);
        Ok(())
    }

    /// Tells the rows that are lost with a block, as one reject that stands for as many as the block says, at least for
    /// one. A row has a byte or more: what says that there are more of them than bytes in the largest block is wrong.
    fn lose(&self, rows: &mut Rows, code: Code, rule: &str, found: &str, count: u64) {
        let place =
            RecordPosition { line: rows.totals.rows_read.saturating_add(1), byte_offset: self.offset };
        let shown = Shown { place, raw: &[], encoding: encoding_rs::UTF_8 };
        let most = u64::try_from(self.max_block_bytes).unwrap_or(u64::MAX);
        rows.push_lost(shown, count.min(most).max(1), code, rule.to_owned(), Some(found.to_owned()));
    }
}

fn natural(number: Varint) -> Option<u64> {
    if let Varint::Number(number, _) = number { u64::try_from(number).ok() } else { None }
}

fn lost(why: &str, rows: u64) -> String {
    format!("{why}; {rows} rows are lost by the block's count")
}
