//! Reads the beginning of a delimited file: preamble, dialect and header.

use std::io::Read;

use encoding_rs::Encoding;
use penstock_contract::{BlankRows, DelimitedDialect, HeaderCase, RepeatedHeaders};

use super::field::field;
use super::head::FileHead;
use super::header::{RecordLayout, bind_header, bind_order};
use super::names::{ContractNames, HeaderLocation, is_headless};
use super::quoting::{Quoting, Span};
use super::repeated::{HeaderRecord, RepeatedHeader};
use super::sniff::{COMMON_QUOTE, SniffedDialect, sniff};
use super::split::{FieldDelimiter, split_again};
use super::widths::Widths;
use crate::cast::text::Traits;
use crate::decode::decode;
use crate::error::{ReadError, UnreadableCode};
use crate::format::FileFormat;
use crate::input::magic::is_binary;
use crate::outcome::Dialect;
use crate::program::PlanColumn;
use crate::records::{RecordPosition, RecordState, Records};

/// The length of the part of a file from which its dialect is detected.
const HEAD_BYTES: usize = 64 * 1024;
/// The length of the part of a file by which it is recognised as binary.
const BINARY_HEAD_BYTES: usize = 4 * 1024;

/// A delimited file whose header has been read.
#[derive(Debug)]
pub(crate) struct OpenedDelimited {
    pub(crate) delimiter: FieldDelimiter,
    pub(crate) quoting: Option<Quoting>,
    /// The common quote, if the first rows have another one and the contract declares none.
    pub(crate) other_quote: Option<u8>,
    pub(crate) layout: RecordLayout,
    pub(crate) blank_rows: BlankRows,
    pub(crate) repeated_header: RepeatedHeader,
}

/// Detects the undeclared parts of the dialect, skips the lines before the header, and reads the header.
pub(crate) fn open_delimited<R: Read>(
    declared: &DelimitedDialect,
    columns: &[PlanColumn],
    encoding: &'static Encoding,
    records: &mut Records<R>,
    dialect: &mut Dialect,
) -> Result<OpenedDelimited, ReadError> {
    let from_file = skip_sep_line(declared, records)?;
    dialect.sep_line = from_file.is_some();
    for _ in 0..declared.skip_lines.unwrap_or(0) {
        records.skip_line()?;
    }
    records.set_comment(declared.comment.as_deref());
    let known = DelimitedDialect { delimiter: declared.delimiter.clone().or(from_file), ..declared.clone() };
    let has_header = known.header != Some(false);
    let names = ContractNames::of(columns, encoding);
    let names = if has_header { names } else { names.without_header() };
    let head = read_head(records, known.comment.as_deref().unwrap_or_default())?;
    let is_binary = is_binary(head.bytes.get(..BINARY_HEAD_BYTES).unwrap_or(head.bytes));
    let sniffed = sniff(head, &known, &names, has_header && known.skip_lines.is_none());
    let SniffedDialect { delimiter, quoting, header: location } = sniffed;
    let header = known.header.unwrap_or_else(|| {
        let is_declared = known.header_rows.is_some();
        is_declared || location.lines > 0 || !is_headless(head, &delimiter, quoting, encoding, columns)
    });
    report(declared, &delimiter, quoting, header, location, dialect);
    for _ in 0..location.lines {
        records.skip_line()?;
    }
    let mut note = None;
    let (layout, header_records) = if header {
        let rows = location.rows.max(1);
        let header =
            read_header(records, encoding, rows, &delimiter, quoting).map_err(|error| match error {
                ReadError::Unreadable { .. } if is_binary => binary(),
                error @ (ReadError::Io(_)
                | ReadError::Empty
                | ReadError::Unreadable { .. }
                | ReadError::TooLarge { .. }) => error,
            })?;
        let layout = bind_header(&header.names, columns).map_err(|(code, mut message)| {
            if is_binary {
                return binary();
            }
            if let Some(fault) = header.fault {
                return malformed(Some(header.position), fault.why);
            }
            if code == UnreadableCode::MissingColumns {
                message.push_str(&advice(location, header.names.len() == bind_order(columns).width));
            }
            unreadable(code, Some(header.position), message)
        })?;
        if let Some(fault) = header.fault {
            if declared.quote.is_some() || !fault.is_unbalanced || !layout.has_all(columns) {
                return Err(malformed(Some(header.position), fault.why));
            }
            note = Some(format!("the quotes in the header were ignored: {}", fault.why));
        }
        (layout, header.records)
    } else {
        (bind_order(columns), Vec::new())
    };
    let case = columns.first().map_or(HeaderCase::default(), |column| column.header_case);
    let repeated_header = match declared.repeated_headers {
        RepeatedHeaders::Skip => RepeatedHeader::new(header_records, case),
        RepeatedHeaders::Keep => RepeatedHeader::default(),
    };
    let head = read_head(records, known.comment.as_deref().unwrap_or_default())?;
    let widths = Widths::of(head, &delimiter, quoting, &layout);
    let mut layout = layout.with_ragged(declared.ragged, widths.may_end_with_delimiter());
    dialect.suggestions = std::mem::take(&mut layout.suggestions);
    dialect.suggestions.extend(note);
    dialect.suggestions.extend(widths.warning(declared.ragged, &layout));
    let quoting = quoting.map(|quoting| {
        let is_known = declared.skip_initial_space.is_some() || quoting.blanks.are_skipped();
        if is_known { quoting } else { quoting.with_ambiguous_blanks(&delimiter) }
    });
    let other_quote = quoting
        .filter(|quoting| declared.quote.is_none() && quoting.quote != COMMON_QUOTE)
        .map(|_| COMMON_QUOTE);
    Ok(OpenedDelimited {
        delimiter,
        quoting,
        other_quote,
        layout,
        blank_rows: declared.blank_rows,
        repeated_header,
    })
}

/// Records the dialect, and the parts of it that the contract does not declare.
fn report(
    declared: &DelimitedDialect,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    header: bool,
    location: HeaderLocation,
    dialect: &mut Dialect,
) {
    let escape = quoting.and_then(|quoting| quoting.escape);
    let skips_blanks = quoting.is_some_and(|quoting| !quoting.blanks.is_empty());
    let preamble = u32::try_from(location.lines).expect("the header is among the first 100 lines");
    let skip_lines = declared.skip_lines.unwrap_or(preamble);
    let header_rows = u32::try_from(location.rows).expect("the number is a declared u32, or at most 3");
    dialect.format = Some(FileFormat::Delimited);
    dialect.delimiter = Some(delimiter.to_string());
    dialect.quote = quoting.map(|quoting| char::from(quoting.quote));
    dialect.escape = escape.map(char::from);
    dialect.skip_initial_space = skips_blanks.then_some(true);
    dialect.header = Some(header);
    dialect.header_rows = (header && header_rows > 1).then_some(header_rows);
    dialect.skip_lines = (skip_lines > 0).then_some(skip_lines);
    let parts = [
        ("delimiter", declared.delimiter.is_none()),
        ("quote", declared.quote.is_none()),
        ("escape", declared.escape.is_none() && escape.is_some()),
        ("skip_initial_space", declared.skip_initial_space.is_none() && skips_blanks),
        ("header", declared.header.is_none() && declared.header_rows.is_none()),
        ("header_rows", declared.header_rows.is_none() && dialect.header_rows.is_some()),
        ("skip_lines", declared.skip_lines.is_none() && skip_lines > 0),
    ];
    dialect.assumed.extend(parts.iter().filter(|(_, assumed)| *assumed).map(|(name, _)| (*name).to_owned()));
}

/// Returns the error for a binary file.
fn binary() -> ReadError {
    let message = "the file is binary and has no supported format; deliver CSV, JSON, Parquet or Avro";
    unreadable(UnreadableCode::WrongFormat, None, message.to_owned())
}

/// Returns advice for a file that lacks columns, if something other than its names may be wrong.
fn advice(location: HeaderLocation, has_width: bool) -> String {
    if let Some(lines) = location.other_header {
        return format!(
            "; line {} has names of the contract, but the lines before it look like rows: if they are not rows, declare \
             `penstock.skipLines`",
            lines.saturating_add(1)
        );
    }
    if location.found == 0 && has_width {
        let why = "none of these names is in the contract, but their number is that of its columns";
        return format!("; {why}: if the file has no header, declare `penstock.header: false`");
    }
    String::new()
}

/// Skips the line `sep=;` by which Excel declares the delimiter, and returns that delimiter. Returns `None` if there is no
/// such line, or if it contradicts the contract.
fn skip_sep_line<R: Read>(
    declared: &DelimitedDialect,
    records: &mut Records<R>,
) -> Result<Option<String>, ReadError> {
    const LONGEST_BYTES: usize = 10;
    const KEY: &[u8] = b"sep=";
    if declared.skip_lines.is_some_and(|lines| lines > 0) {
        return Ok(None);
    }
    let terminator = records.terminator();
    let head = records.head(LONGEST_BYTES)?;
    let line = head.split(|byte| *byte == terminator).next().expect("a split has at least one part");
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
    let delimiter = match line.split_at_checked(KEY.len()) {
        Some((key, [byte])) if key.eq_ignore_ascii_case(KEY) && !byte.is_ascii_alphanumeric() => *byte,
        Some(_) | None => return Ok(None),
    };
    if !delimiter.is_ascii() || matches!(delimiter, b'"' | b'\r' | b'\n') {
        return Ok(None);
    }
    let delimiter = char::from(delimiter).to_string();
    if declared.delimiter.as_ref().is_some_and(|declared| *declared != delimiter) {
        return Ok(None);
    }
    records.skip_line()?;
    Ok(Some(delimiter))
}

/// Returns the first bytes of the file: [`HEAD_BYTES`], or as many more as a long header needs.
fn read_head<'r, R: Read>(records: &'r mut Records<R>, comment: &'r str) -> Result<FileHead<'r>, ReadError> {
    let terminator = records.terminator();
    let most = records.max_framed_bytes();
    let mut count = HEAD_BYTES;
    loop {
        let bytes = records.head(count)?;
        let last_line_end = memchr::memrchr(terminator, bytes).unwrap_or(0);
        if bytes.len() < count || last_line_end >= count / 2 || count >= most {
            break;
        }
        count = count.saturating_mul(2);
    }
    let bytes = records.head(count)?;
    Ok(FileHead { bytes, is_whole: bytes.len() < count, terminator, comment: comment.as_bytes() })
}

/// The first record of a file without a contract, and the dialect by which it was read.
#[derive(Debug)]
pub(crate) struct FirstRecord {
    pub(crate) fields: Vec<String>,
    pub(crate) delimiter: FieldDelimiter,
    pub(crate) quoting: Option<Quoting>,
}

/// Detects the dialect of a file without a contract, except the `declared` parts, and reads the first record.
pub(crate) fn read_first<R: Read>(
    declared: &DelimitedDialect,
    records: &mut Records<R>,
) -> Result<FirstRecord, ReadError> {
    let from_file = skip_sep_line(declared, records)?;
    let known = DelimitedDialect { delimiter: declared.delimiter.clone().or(from_file), ..declared.clone() };
    let encoding = records.input.text_encoding();
    let head = read_head(records, "")?;
    let SniffedDialect { delimiter, quoting, .. } =
        sniff(head, &known, &ContractNames::of(&[], encoding), false);
    let HeaderRow { record, position, fault } = read_header_row(records, encoding, &delimiter, quoting)?;
    match fault {
        Some(fault) => Err(malformed(Some(position), fault.why)),
        None => Ok(FirstRecord { fields: record.cells, delimiter, quoting }),
    }
}

fn unreadable(code: UnreadableCode, position: Option<RecordPosition>, message: String) -> ReadError {
    ReadError::Unreadable { code, byte_offset: position.map_or(0, |position| position.byte_offset), message }
}

fn malformed(position: Option<RecordPosition>, why: &str) -> ReadError {
    unreadable(UnreadableCode::MalformedHeader, position, format!("the header cannot be read: {why}"))
}

/// A header that was read.
struct NamedColumns {
    /// The names of the columns. In a header of several records, the texts of a column are joined by spaces from top to
    /// bottom.
    names: Vec<String>,
    records: Vec<HeaderRecord>,
    /// The position of its first record.
    position: RecordPosition,
    /// The reason its quotes were ignored.
    fault: Option<QuoteFault>,
}

fn read_header<R: Read>(
    records: &mut Records<R>,
    encoding: &'static Encoding,
    rows: usize,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
) -> Result<NamedColumns, ReadError> {
    let HeaderRow { record: first, position, mut fault } =
        read_header_row(records, encoding, delimiter, quoting)?;
    let mut names = first.cells.clone();
    let mut header_records = vec![first];
    for _ in 1..rows {
        let HeaderRow { record, fault: of_record, .. } =
            read_header_row(records, encoding, delimiter, quoting)?;
        fault = fault.or(of_record);
        if names.len() < record.cells.len() {
            names.resize(record.cells.len(), String::new());
        }
        for (name, part) in names.iter_mut().zip(&record.cells) {
            if !name.is_empty() && !part.is_empty() {
                name.push(' ');
            }
            name.push_str(part);
        }
        header_records.push(record);
    }
    Ok(NamedColumns { names, records: header_records, position, fault })
}

/// A fault in the quotes of a header.
#[derive(Debug, Clone, Copy)]
struct QuoteFault {
    why: &'static str,
    /// There is an odd number of quotes, so that one of them is a mistake.
    is_unbalanced: bool,
}

/// A record of the header that was read.
struct HeaderRow {
    record: HeaderRecord,
    position: RecordPosition,
    /// A fault in its quotes. The record is then split as an unquoted line, and the quotes around its fields are removed.
    fault: Option<QuoteFault>,
}

fn read_header_row<R: Read>(
    records: &mut Records<R>,
    encoding: &'static Encoding,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
) -> Result<HeaderRow, ReadError> {
    let mut spans: Vec<Span> = Vec::new();
    let framing = delimiter.framing(quoting, records.terminator());
    let Some(record) = records.next(framing, &mut spans)? else {
        return Err(malformed(None, "there are only blank lines"));
    };
    let position = record.position;
    let fault = match record.state {
        // The last two states are those of array elements.
        RecordState::Whole | RecordState::NoElement | RecordState::NoComma => None,
        RecordState::TooLong => return Err(malformed(Some(position), "the first line is too long")),
        RecordState::OpenQuote => Some("a quote is not closed"),
        RecordState::TextAfterQuote | RecordState::SpaceBeforeQuote => {
            Some("a closing quote is followed by text instead of a delimiter")
        }
    };
    let raw = records.bytes(&record);
    let fault = fault.map(|why| {
        let quotes = raw.iter().filter(|byte| quoting.is_some_and(|quoting| quoting.quote == **byte)).count();
        QuoteFault { why, is_unbalanced: quotes % 2 == 1 }
    });
    let mut decoded = String::new();
    let Some(text) = decode(raw, Traits::of(raw), encoding, &mut decoded) else {
        return Err(malformed(Some(position), &format!("it is not {}", records.input.encoding().name())));
    };
    if fault.is_some() {
        delimiter.split_line(text.as_bytes(), &mut spans);
    } else if text.len() != raw.len() && !split_again(text, delimiter, quoting, &mut spans) {
        return Err(malformed(Some(position), "there is white space before a quoted name"));
    }
    let mut scratch = Vec::new();
    let quote = quoting.filter(|_| fault.is_some()).map(|quoting| char::from(quoting.quote));
    let first = spans.first().and_then(|span| text.as_bytes().get(span.start).copied());
    let cells = spans.iter().map(|span| {
        let cell = field(text, *span, quoting, &mut scratch).trim();
        quote.map_or(cell, |quote| cell.trim_matches(quote).trim()).to_owned()
    });
    Ok(HeaderRow { record: HeaderRecord { first, cells: cells.collect() }, position, fault })
}
