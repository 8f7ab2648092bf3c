//! Bytes in, blocks of checked rows out.

use std::borrow::Cow;
use std::io::Read;
use std::sync::Arc;

use encoding_rs::{Encoding, UTF_8};
use penstock_contract::{DelimitedDialect, FormatKind};

use crate::cast::text::Traits;
use crate::delimited::{
    Layout, Quoting, Span, bind_header, bind_order, field, sniff_delimiter, split_line, split_quoted,
};
use crate::error::{ReadError, UnreadableCode};
use crate::input::Input;
use crate::ndjson::Keys;
use crate::outcome::{Code, Dialect, Totals};
use crate::plan::Plan;
use crate::program::Raw;
use crate::records::{Framing, Place, Record, RecordState, Records};
use crate::redact;
use crate::rows::{Block, Rows, Shown, sort_reasons};

/// So much of a file is looked at to tell its dialect.
const HEAD_BYTES: usize = 64 * 1024;

/// What a reader takes at most.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Accepted rows a block.
    pub chunk_rows: u32,
    /// A block ends with the row that brings its COPY text to this many bytes.
    pub chunk_bytes: usize,
    /// A longer record is a reject.
    pub max_record_bytes: usize,
    /// A file with more bytes after decompression is not read to its end.
    pub max_decompressed_bytes: u64,
    /// Reasons of a reject that are kept.
    pub max_reasons: usize,
    /// Accepted rows are given as Arrow columns, too.
    pub arrow: bool,
}

impl Default for Limits {
    /// 50,000 rows or 16 MiB a block, records of 1 MiB, files of 1 TiB, 8 reasons, no Arrow columns.
    fn default() -> Self {
        Self {
            chunk_rows: 50_000,
            chunk_bytes: 16 * 1024 * 1024,
            max_record_bytes: 1024 * 1024,
            max_decompressed_bytes: 1024 * 1024 * 1024 * 1024,
            max_reasons: 8,
            arrow: false,
        }
    }
}

impl Limits {
    /// Zero would mean no progress, and Arrow's offsets have 31 bits.
    fn sane(self) -> Self {
        const GIB: usize = 1024 * 1024 * 1024;
        Self {
            chunk_rows: self.chunk_rows.max(1),
            chunk_bytes: self.chunk_bytes.clamp(1, GIB),
            max_record_bytes: self.max_record_bytes.clamp(1, GIB / 4),
            max_reasons: self.max_reasons.max(1),
            ..self
        }
    }
}

/// Reads a drop. The same bytes under the same contract give the same blocks, however the input hands them out.
pub struct Reader<R: Read> {
    records: Records<R>,
    rows: Rows,
    dialect: Dialect,
    encoding: &'static Encoding,
    format: Format,
    max_record_bytes: usize,
    /// Buffers of a record, kept between records.
    spans: Vec<Span>,
    decoded: String,
    unescaped: Vec<Vec<u8>>,
}

enum Format {
    Delimited { delimiter: u8, quoting: Option<Quoting>, layout: Layout },
    Ndjson(Box<Keys>),
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
    /// When the input fails, or nothing of its content can be read.
    pub fn open(plan: Arc<Plan>, limits: Limits, input: R) -> Result<Self, ReadError> {
        let limits = limits.sane();
        let input = Input::open(input, plan.compression, limits.max_decompressed_bytes)?;
        let compression = input.compression();
        let mut records = Records::new(input, limits.max_record_bytes);
        let encoding = open_encoding(&plan, &mut records)?;
        let mut assumed = Vec::new();
        if plan.compression.is_none() {
            assumed.push("compression".to_owned());
        }
        if encoding != plan.encoding || !plan.is_encoding_declared {
            assumed.push("encoding".to_owned());
        }
        let mut dialect = Dialect {
            format: "ndjson".to_owned(),
            compression,
            encoding: encoding.name().to_owned(),
            delimiter: None,
            quote: None,
            header: None,
            assumed,
        };
        let max_record_bytes = limits.max_record_bytes;
        let rows = Rows::new(&plan, limits);
        let format = match &plan.format {
            FormatKind::Delimited(declared) => {
                open_delimited(declared, &rows, encoding, &mut records, &mut dialect)?
            }
            // The plan has no other.
            FormatKind::Ndjson | _ => Format::Ndjson(Box::new(Keys::new(rows.columns()))),
        };
        let unescaped = vec![Vec::new(); rows.columns().len()];
        Ok(Self {
            records,
            rows,
            dialect,
            encoding,
            format,
            max_record_bytes,
            spans: Vec::new(),
            decoded: String::new(),
            unescaped,
        })
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
    /// When the input fails, or its content cannot be read further. What was read since the last block is lost.
    pub fn next_block(&mut self) -> Result<Option<Block>, ReadError> {
        let block = self.read_block();
        let totals = &mut self.rows.totals;
        totals.bytes_read = self.records.input.bytes_read();
        totals.bytes_decompressed = self.records.input.bytes_decompressed();
        totals.lines = self.records.lines();
        sort_reasons(&mut totals.by_reason);
        block
    }

    /// Takes the text of a block that is done with, to write another one into: new memory costs more than the checks.
    pub fn recycle(&mut self, copy_text: Vec<u8>) {
        self.rows.recycle(copy_text);
    }

    fn read_block(&mut self) -> Result<Option<Block>, ReadError> {
        loop {
            if let Some(block) = self.rows.ready() {
                return Ok(Some(block));
            }
            let framing = match &self.format {
                Format::Delimited { delimiter, quoting, .. } => Framing::Delimited(*delimiter, *quoting),
                Format::Ndjson(_) => Framing::Lines,
            };
            let Some(record) = self.records.next(framing, &mut self.spans)? else {
                return Ok(self.rows.take());
            };
            self.push(&record);
        }
    }

    fn push(&mut self, record: &Record) {
        let raw = self.records.bytes(record);
        let shown = Shown { place: record.place, raw, encoding: self.encoding };
        let malformed = match record.state {
            RecordState::Whole => None,
            RecordState::TooLong => {
                Some((Code::RecordTooLong, format!("at most {} bytes", self.max_record_bytes)))
            }
            RecordState::MalformedQuote => {
                Some((Code::MalformedQuote, "a quote that opens a field closes it".to_owned()))
            }
        };
        if let Some((code, rule)) = malformed {
            self.rows.push_malformed(shown, code, rule, None);
            return;
        }
        let traits = Traits::of(raw);
        let Some(text) = decode(raw, traits, self.encoding, &mut self.decoded) else {
            let rule = format!("encoding {}", self.encoding.name());
            self.rows.push_malformed(shown, Code::InvalidEncoding, rule, None);
            return;
        };
        match &mut self.format {
            Format::Ndjson(keys) => push_ndjson(&mut self.rows, shown, text, traits, keys),
            Format::Delimited { delimiter, quoting, layout } => {
                if text.len() != raw.len() {
                    // The places of the fields are those of the bytes: decoded text has others.
                    split_again(text, *delimiter, *quoting, &mut self.spans);
                }
                let fields = Fields { text, traits, spans: &self.spans, quoting: *quoting, layout };
                push_delimited(&mut self.rows, shown, &fields, &mut self.unescaped);
            }
        }
    }
}

/// UTF-8 where a byte-order mark says so, else what the contract says.
fn open_encoding<R: Read>(plan: &Plan, records: &mut Records<R>) -> Result<&'static Encoding, ReadError> {
    let head = records.head(HEAD_BYTES)?;
    if head.is_empty() {
        return Err(ReadError::Empty);
    }
    let mark = Encoding::for_bom(head);
    // Lone carriage returns end lines where no line feed does, as on old Macs.
    if memchr::memchr(b'\n', head).is_none() && memchr::memchr(b'\r', head).is_some() {
        records.set_terminator(b'\r');
    }
    match mark {
        None => Ok(plan.encoding),
        Some((encoding, length)) if encoding == UTF_8 => {
            records.skip(length);
            Ok(UTF_8)
        }
        Some((encoding, _)) => Err(ReadError::Unreadable {
            code: UnreadableCode::UnsupportedEncoding,
            byte_offset: 0,
            message: format!(
                "the file is in {}, which is not read; supported are UTF-8 and the single-byte encodings, such as windows-1252",
                encoding.name()
            ),
        }),
    }
}

fn open_delimited<R: Read>(
    declared: &DelimitedDialect,
    rows: &Rows,
    encoding: &'static Encoding,
    records: &mut Records<R>,
    dialect: &mut Dialect,
) -> Result<Format, ReadError> {
    let quoting = Plan::quote(declared.quote).map(|quote| Quoting { quote, escape: declared.escape });
    let delimiter = match declared.delimiter {
        Some(delimiter) => delimiter,
        None => {
            let terminator = records.terminator();
            let head = records.head(HEAD_BYTES)?;
            let is_whole = head.len() < HEAD_BYTES;
            sniff_delimiter(head, is_whole, quoting, terminator, rows.columns())
        }
    };
    let header = declared.header.unwrap_or(true);
    dialect.format = "delimited".to_owned();
    dialect.delimiter = Some(char::from(delimiter));
    dialect.quote = quoting.map(|quoting| char::from(quoting.quote));
    dialect.header = Some(header);
    let parts = [
        ("delimiter", declared.delimiter.is_none()),
        ("quote", declared.quote.is_none()),
        ("header", declared.header.is_none()),
    ];
    dialect.assumed.extend(parts.iter().filter(|(_, assumed)| *assumed).map(|(name, _)| (*name).to_owned()));
    let layout = if header {
        read_header(records, rows, encoding, delimiter, quoting)?
    } else {
        bind_order(rows.columns())
    };
    Ok(Format::Delimited { delimiter, quoting, layout })
}

fn read_header<R: Read>(
    records: &mut Records<R>,
    rows: &Rows,
    encoding: &'static Encoding,
    delimiter: u8,
    quoting: Option<Quoting>,
) -> Result<Layout, ReadError> {
    let mut spans = Vec::new();
    let unreadable = |code, place: Option<Place>, message: String| ReadError::Unreadable {
        code,
        byte_offset: place.map_or(0, |place| place.byte_offset),
        message,
    };
    let malformed = |place, why: &str| {
        unreadable(UnreadableCode::MalformedHeader, place, format!("the header cannot be read: {why}"))
    };
    let Some(record) = records.next(Framing::Delimited(delimiter, quoting), &mut spans)? else {
        return Err(malformed(None, "there are only blank lines"));
    };
    let place = Some(record.place);
    match record.state {
        RecordState::Whole => {}
        RecordState::TooLong => return Err(malformed(place, "the first line is too long")),
        RecordState::MalformedQuote => return Err(malformed(place, "a quote is not closed")),
    }
    let raw = records.bytes(&record);
    let mut decoded = String::new();
    let Some(text) = decode(raw, Traits::of(raw), encoding, &mut decoded) else {
        return Err(malformed(place, &format!("it is not {}", encoding.name())));
    };
    if text.len() != raw.len() {
        split_again(text, delimiter, quoting, &mut spans);
    }
    let mut scratch = Vec::new();
    let names: Vec<String> =
        spans.iter().map(|span| field(text, *span, quoting, &mut scratch).trim().to_owned()).collect();
    bind_header(&names, rows.columns()).map_err(|(code, message)| unreadable(code, place, message))
}

/// The record as text. `None`: its bytes are not of the encoding.
#[inline]
fn decode<'a>(
    raw: &'a [u8],
    traits: Traits,
    encoding: &'static Encoding,
    decoded: &'a mut String,
) -> Option<&'a str> {
    if encoding == UTF_8 || traits.is_ascii {
        return str::from_utf8(raw).ok();
    }
    match encoding.decode_without_bom_handling_and_without_replacement(raw)? {
        Cow::Borrowed(text) => Some(text),
        Cow::Owned(text) => {
            *decoded = text;
            Some(decoded)
        }
    }
}

fn split_again(text: &str, delimiter: u8, quoting: Option<Quoting>, spans: &mut Vec<Span>) {
    match quoting {
        // The record is whole: no line end follows, and those within are quoted.
        Some(quoting) => {
            split_quoted(text.as_bytes(), true, delimiter, quoting, b'\n', spans);
        }
        None => split_line(text.as_bytes(), delimiter, spans),
    }
}

struct Fields<'a> {
    text: &'a str,
    traits: Traits,
    spans: &'a [Span],
    quoting: Option<Quoting>,
    layout: &'a Layout,
}

#[inline]
fn push_delimited(rows: &mut Rows, shown: Shown<'_>, fields: &Fields<'_>, unescaped: &mut [Vec<u8>]) {
    let Fields { text, traits, spans, quoting, layout } = fields;
    if spans.len() != layout.width {
        let code = if spans.len() < layout.width { Code::TooFewFields } else { Code::TooManyFields };
        let (rule, found) = (format!("{} fields", layout.width), format!("{} fields", spans.len()));
        rows.push_malformed(shown, code, rule, Some(found));
        return;
    }
    let mut scratch = unescaped.iter_mut();
    let raw = |column: usize| {
        let scratch = scratch.next().expect("there is one for each column");
        match layout.fields[column] {
            None => Raw::Missing,
            Some(index) => Raw::Text(field(text, spans[index], *quoting, scratch), *traits),
        }
    };
    rows.push(shown, raw, |columns| redact::delimited(text, spans, *quoting, layout, columns));
}

fn push_ndjson(rows: &mut Rows, shown: Shown<'_>, line: &str, traits: Traits, keys: &mut Keys) {
    if let Err(at) = keys.read(line, traits) {
        let found = if at == line.len() {
            "the line ends before the object does".to_owned()
        } else {
            format!("unexpected at byte {at} of the line")
        };
        rows.push_malformed(shown, Code::InvalidJson, "one JSON object a line".to_owned(), Some(found));
        return;
    }
    let columns = std::mem::take(&mut keys.columns);
    let mut raws = Vec::with_capacity(columns.len());
    keys.raw(line, &mut raws);
    let raw = |column: usize| columns[column].map_or(Raw::Missing, |slot| raws[slot]);
    rows.push(shown, raw, |columns| redact::json(line, columns));
    drop(raws);
    keys.columns = columns;
}
