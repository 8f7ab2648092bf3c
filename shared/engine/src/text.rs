//! Delimited text and JSON: formats whose values are text.

use std::io::Read;
use std::ops::Range;

use encoding_rs::{Encoding, WINDOWS_1252};
use penstock_contract::BlankRows;

use crate::cast::text::Traits;
use crate::decode::{Decoded, decode, is_utf_8};
use crate::delimited::{
    BYTE_ORDER_MARK, Framing, OpenedDelimited, Quoting, RecordLayout, RepeatedHeader, Span, Surplus, field,
    open_delimited, skip_byte_order_mark, split_again,
};
use crate::error::{ReadError, UnreadableCode};
use crate::format::TextFormat;
use crate::input::Input;
use crate::limits::Limits;
use crate::mismatch::check_layout;
use crate::ndjson::ObjectKeys;
use crate::outcome::{Code, Dialect, Totals};
use crate::plan::Plan;
use crate::program::Raw;
use crate::records::{Record, RecordState, Records, detect_terminator};
use crate::redact;
use crate::rows::{Block, RawRecord, Rows};
use crate::source::RowSource;
use crate::unexpected::Unexpected;

const SPACE_BEFORE_QUOTE: &str =
    "no white space before a quoted field, unless `penstock.skipInitialSpace` is declared";
/// The part of a file from which its JSON layout is detected.
const HEAD_BYTES: usize = 64 * 1024;

/// A source of rows of a text format.
pub(crate) struct TextSource<R: Read> {
    records: Records<R>,
    /// The name of the file's encoding, for messages.
    encoding_name: String,
    /// The encoding of the records' bytes.
    encoding: &'static Encoding,
    /// The encoding is windows-1252, neither declared nor indicated by a byte-order mark.
    is_assumed: bool,
    decoder: TextDecoder,
    max_record_bytes: usize,
    /// Buffers that are reused for each record.
    spans: Vec<Span>,
    decoded: String,
    unescaped: Vec<Vec<u8>>,
    unexpected: Unexpected,
    /// An object had one of the keys that columns read.
    has_keys: bool,
}

/// The state of the decoder of a format.
enum TextDecoder {
    Delimited(Box<OpenedDelimited>),
    Ndjson(Box<ObjectKeys>),
    JsonArray(Box<ObjectKeys>),
}

impl<R: Read> TextSource<R> {
    /// Detects what the contract does not declare, reads the header and binds the columns to it.
    pub(crate) fn open(
        format: TextFormat<'_>,
        plan: &Plan,
        limits: &Limits,
        rows: &Rows,
        input: Input<R>,
    ) -> Result<(Self, Dialect), ReadError> {
        let compression = input.compression();
        let may_be_windows_1252 = matches!(format, TextFormat::Delimited(_));
        let text = Decoded::open(input, plan.encoding, needs_utf_8(format), may_be_windows_1252)?;
        let (encoding, text_encoding) = (text.encoding(), text.text_encoding());
        let mut records = Records::new(text, limits.max_record_bytes);
        if plan.empty_file.is_some() && is_white_space(&mut records)? {
            return Err(ReadError::Empty);
        }
        detect_terminator(&mut records)?;
        let head = records.head(HEAD_BYTES)?;
        check_layout(format, rows.columns(), head, head.len() < HEAD_BYTES)?;
        let mut assumed = Vec::new();
        if plan.compression.is_none() {
            assumed.push("compression".to_owned());
        }
        if plan.encoding != Some(encoding) {
            assumed.push("encoding".to_owned());
        }
        let mut dialect =
            Dialect { assumed, ..Dialect::new(Some(format.file_format()), compression, encoding) };
        let max_record_bytes = limits.max_record_bytes;
        let unexpected = Unexpected::new(plan);
        let decoder = match format {
            TextFormat::Delimited(declared) => {
                let opened =
                    open_delimited(declared, rows.columns(), text_encoding, &mut records, &mut dialect)?;
                TextDecoder::Delimited(Box::new(opened))
            }
            TextFormat::JsonArray { path } => {
                records.enter_array(path)?;
                TextDecoder::JsonArray(Box::new(ObjectKeys::new(rows.columns())))
            }
            TextFormat::Ndjson => TextDecoder::Ndjson(Box::new(ObjectKeys::new(rows.columns()))),
        };
        let unescaped = vec![Vec::new(); rows.columns().len()];
        let source = Self {
            records,
            encoding_name: dialect.encoding.clone(),
            encoding: text_encoding,
            is_assumed: plan.encoding.is_none() && text_encoding == WINDOWS_1252,
            decoder,
            max_record_bytes,
            spans: Vec::new(),
            decoded: String::new(),
            unescaped,
            unexpected,
            has_keys: false,
        };
        Ok((source, dialect))
    }
}

impl<R: Read> RowSource for TextSource<R> {
    fn next_block(&mut self, rows: &mut Rows) -> Result<Option<Block>, ReadError> {
        // A clone, because `framing` refers to it while `self` is borrowed to push records.
        let delimiter;
        let framing = match &self.decoder {
            TextDecoder::Delimited(file) => {
                delimiter = file.delimiter.clone();
                delimiter.framing(file.quoting, self.records.terminator())
            }
            TextDecoder::Ndjson(_) => Framing::Lines,
            TextDecoder::JsonArray(_) => Framing::Elements,
        };
        loop {
            if let Some(block) = rows.ready() {
                return Ok(Some(block));
            }
            let Some(record) = self.records.next(framing, &mut self.spans)? else {
                self.check_keys(rows)?;
                return Ok(rows.take());
            };
            self.push(&record, rows);
        }
    }

    fn count(&self, totals: &mut Totals) {
        let input = self.records.input.input();
        totals.bytes_read = input.bytes_read();
        totals.bytes_decompressed = input.bytes_decompressed();
        totals.lines = self.records.lines();
    }
}

impl<R: Read> TextSource<R> {
    /// Refuses a JSON file none of whose objects has a key of the contract. It corresponds to a delimited file without any of the
    /// contract's columns in its header.
    fn check_keys(&self, rows: &Rows) -> Result<(), ReadError> {
        match &self.decoder {
            TextDecoder::Delimited(_) => return Ok(()),
            TextDecoder::Ndjson(_) | TextDecoder::JsonArray(_)
                if self.has_keys || rows.totals.accepted == 0 =>
            {
                return Ok(());
            }
            TextDecoder::Ndjson(_) | TextDecoder::JsonArray(_) => {}
        }
        let message = "no object of the file has any of the keys that the contract reads".to_owned();
        Err(ReadError::Unreadable { code: UnreadableCode::MissingColumns, byte_offset: 0, message })
    }

    fn push(&mut self, record: &Record, rows: &mut Rows) {
        let raw = self.records.bytes(record);
        let raw_record = RawRecord { position: record.position, raw, encoding: self.encoding };
        if record.state != RecordState::Whole {
            push_malformed(rows, raw_record, record.state, self.max_record_bytes);
            return;
        }
        let traits = Traits::of(raw);
        let decoded = decode(raw, traits, self.encoding, &mut self.decoded);
        // A record of a windows-1252 file that is valid UTF-8 was appended from a UTF-8 file.
        let is_appended = self.is_assumed && !traits.is_ascii && is_utf_8(raw);
        let decoded = decoded.filter(|_| !is_appended);
        let Some(text) = decoded else {
            let rule = format!("encoding {}", self.encoding_name);
            rows.push_malformed(raw_record, Code::InvalidEncoding, rule, None);
            return;
        };
        match &mut self.decoder {
            TextDecoder::Ndjson(keys) => {
                push_object(rows, raw_record, text, traits, keys, &mut self.unexpected, "line");
                self.has_keys = self.has_keys || keys.has_any();
            }
            TextDecoder::JsonArray(keys) => {
                push_object(rows, raw_record, text, traits, keys, &mut self.unexpected, "element");
                self.has_keys = self.has_keys || keys.has_any();
            }
            TextDecoder::Delimited(file) => {
                let OpenedDelimited { delimiter, quoting, other_quote, layout, blank_rows, repeated_header } =
                    &mut **file;
                if text.len() != raw.len() {
                    // The ranges of the fields refer to the bytes, which differ from the decoded text.
                    if !split_again(text, delimiter, *quoting, &mut self.spans) {
                        let rule = SPACE_BEFORE_QUOTE.to_owned();
                        rows.push_malformed(raw_record, Code::MalformedQuote, rule, None);
                        return;
                    }
                }
                if text.starts_with(BYTE_ORDER_MARK) {
                    skip_byte_order_mark(text, &mut self.spans, *quoting);
                }
                let fields = RecordFields { text, traits, spans: &self.spans, quoting: *quoting, layout };
                if other_quote.is_some_and(|quote| fields.are_quoted_by(quote)) {
                    let rule = "fields in the quotes of the first rows, unless `penstock.quote` is declared";
                    rows.push_malformed(raw_record, Code::MalformedQuote, rule.to_owned(), None);
                    return;
                }
                // For nearly every row, its first byte rules out a blank row and a repeated header.
                if (fields.may_be_blank() || repeated_header.may_be_repeated(text, &self.spans))
                    && skip_blank_or_header(rows, raw_record, &fields, *blank_rows, repeated_header)
                {
                    return;
                }
                push_delimited(rows, raw_record, &fields, &mut self.unescaped, &mut self.unexpected);
            }
        }
    }
}

/// Rejects a record that is not well-formed.
#[cold]
fn push_malformed(rows: &mut Rows, record: RawRecord<'_>, state: RecordState, max_record_bytes: usize) {
    let at = record.position.byte_offset;
    let (code, rule, found) = match state {
        RecordState::Whole => return,
        RecordState::TooLong => (Code::RecordTooLong, format!("at most {max_record_bytes} bytes"), None),
        RecordState::OpenQuote => {
            (Code::MalformedQuote, "a quoted field has a closing quote".to_owned(), None)
        }
        RecordState::TextAfterQuote => {
            let rule = "a closing quote is followed by a delimiter or the line end";
            (Code::MalformedQuote, rule.to_owned(), None)
        }
        RecordState::SpaceBeforeQuote => (Code::MalformedQuote, SPACE_BEFORE_QUOTE.to_owned(), None),
        RecordState::NoElement => (
            Code::InvalidJson,
            "one element before and after each comma".to_owned(),
            Some(format!("no element at byte {at} of the file")),
        ),
        RecordState::NoComma => (
            Code::InvalidJson,
            "a comma between two elements".to_owned(),
            Some(format!("no comma before byte {at} of the file")),
        ),
    };
    rows.push_malformed(record, code, rule, found);
}

/// Skips or rejects a blank row, and skips a repeated header. Returns false if the record is neither.
#[cold]
#[inline(never)]
fn skip_blank_or_header(
    rows: &mut Rows,
    record: RawRecord<'_>,
    fields: &RecordFields<'_>,
    blank_rows: BlankRows,
    repeated_header: &mut RepeatedHeader,
) -> bool {
    if fields.may_be_blank() && fields.are_all_blank() {
        match blank_rows {
            BlankRows::Skip => rows.skip_blank(),
            BlankRows::Reject => {
                rows.push_malformed(record, Code::BlankRow, "a row with a value".to_owned(), None);
            }
        }
        return true;
    }
    let is_repeated = repeated_header.may_be_repeated(fields.text, fields.spans)
        && repeated_header.is_repeated(fields.text, fields.spans, fields.quoting);
    if is_repeated {
        rows.skip_header();
    }
    is_repeated
}

/// Returns whether the delimiter or the comment prefix contains characters whose bytes depend on the encoding.
fn needs_utf_8(format: TextFormat<'_>) -> bool {
    match format {
        TextFormat::Delimited(dialect) => {
            [&dialect.delimiter, &dialect.comment].into_iter().flatten().any(|text| !text.is_ascii())
        }
        TextFormat::Ndjson | TextFormat::JsonArray { .. } => false,
    }
}

/// Returns whether a file contains only white space and is short enough to be read at once.
fn is_white_space<R: Read>(records: &mut Records<R>) -> Result<bool, ReadError> {
    let head = records.head(HEAD_BYTES)?;
    Ok(head.len() < HEAD_BYTES && head.trim_ascii().is_empty())
}

struct RecordFields<'a> {
    text: &'a str,
    traits: Traits,
    spans: &'a [Span],
    quoting: Option<Quoting>,
    layout: &'a RecordLayout,
}

impl RecordFields<'_> {
    /// Returns false if the first field certainly has a value.
    #[inline]
    fn may_be_blank(&self) -> bool {
        let Some(first) = self.spans.first() else { return true };
        let has_value = first.start < first.end
            && self.text.as_bytes().get(first.start).is_some_and(u8::is_ascii_graphic);
        !has_value
    }

    /// Returns whether a field is in the quotes of the file.
    fn is_quoted(&self, span: &Span) -> bool {
        let before = span.start.checked_sub(1).and_then(|before| self.text.as_bytes().get(before));
        before.is_some() && before == self.quoting.map(|quoting| quoting.quote).as_ref()
    }

    /// Returns whether a field that is not in the quotes of the file is enclosed in `quote`.
    #[cold]
    fn are_quoted_by(&self, quote: u8) -> bool {
        let text = self.text.as_bytes();
        let is_quoted = |span: &Span| {
            let field = text.get(span.start..span.end).expect("fields are within the record").trim_ascii();
            matches!(field, [first, .., last] if *first == quote && *last == quote) && !self.is_quoted(span)
        };
        memchr::memchr(quote, text).is_some() && self.spans.iter().any(is_quoted)
    }

    /// Returns whether every field is empty or white space. A record that consists of one empty quoted field is not blank: it
    /// is quoted to distinguish it from a blank line.
    fn are_all_blank(&self) -> bool {
        match self.spans {
            [only] if self.layout.width == 1 && self.is_quoted(only) => false,
            spans => spans.iter().all(|span| self.layout.is_blank(self.text, span)),
        }
    }
}

#[inline(always)]
fn push_delimited(
    rows: &mut Rows,
    record: RawRecord<'_>,
    fields: &RecordFields<'_>,
    unescaped: &mut [Vec<u8>],
    unexpected: &mut Unexpected,
) {
    let RecordFields { text, traits, spans, quoting, layout } = fields;
    if !layout.fits(text, spans) {
        let code = if spans.len() < layout.width { Code::TooFewFields } else { Code::TooManyFields };
        let found = format!("{} fields", spans.len());
        rows.push_malformed(record, code, layout.rule(), Some(found));
        return;
    }
    if layout.may_have_unexpected() {
        unexpected.start(rows, |unexpected| push_unexpected(unexpected, fields));
    }
    let mut scratch = unescaped.iter_mut();
    let raw = |column: usize| {
        let scratch = scratch.next().expect("there is a buffer for each column");
        match layout.fields.get(column).copied().flatten().and_then(|index| spans.get(index)) {
            None => unexpected.raw(column),
            Some(span) => Raw::Text(field(text, *span, *quoting, scratch), *traits),
        }
    };
    rows.push(record, raw, |columns| redact::delimited(text, spans, *quoting, layout, columns));
}

/// Adds the fields that no column reads.
#[inline(never)]
fn push_unexpected(unexpected: &mut Unexpected, fields: &RecordFields<'_>) {
    let RecordFields { text, spans, quoting, layout, .. } = fields;
    let mut scratch = Vec::new();
    for (name, index) in &layout.unexpected {
        // A short record is padded.
        let Some(span) = spans.get(*index) else { continue };
        unexpected.push_text(name, field(text, *span, *quoting, &mut scratch));
    }
    if layout.surplus == Surplus::Rescued {
        for (index, span) in spans.iter().enumerate().skip(layout.width) {
            let value = field(text, *span, *quoting, &mut scratch);
            unexpected.push_text(&layout.surplus_name(index), value);
        }
    }
}

fn push_object(
    rows: &mut Rows,
    record: RawRecord<'_>,
    line: &str,
    traits: Traits,
    keys: &mut ObjectKeys,
    unexpected: &mut Unexpected,
    unit: &str,
) {
    if let Err(fault) = keys.read(line, traits) {
        let (rule, found) = fault.in_words(line, unit);
        rows.push_malformed(record, Code::InvalidJson, rule, Some(found));
        return;
    }
    if let Some(key) = keys.repeated() {
        rows.report_repeated_key(key);
    }
    let has_once = keys.repeated().is_none();
    unexpected.start(rows, |unexpected| {
        if !has_once && unexpected.are_rescued() {
            // The rescued object would contain the key twice as well, and the fault was reported.
            return;
        }
        for (key, value) in keys.unexpected() {
            let text = |range: &Range<usize>| line.get(range.clone()).expect("members are within the line");
            unexpected.push_literal(text(key), text(value));
        }
    });
    let mut raws = keys.raws(line);
    let raw = |column: usize| raws.next().flatten().unwrap_or_else(|| unexpected.raw(column));
    rows.push(record, raw, |columns| redact::json(line, columns));
}
