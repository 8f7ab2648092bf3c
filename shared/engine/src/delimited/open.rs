//! The beginning of a delimited file: preamble, dialect, header.

use std::io::Read;

use encoding_rs::Encoding;
use penstock_contract::{BlankRows, DelimitedDialect, HeaderCase, RepeatedHeaders};

use super::field::field;
use super::head::FileHead;
use super::header::{RecordLayout, bind_header, bind_order};
use super::names::{Located, Names, is_headless};
use super::quoting::{Quoting, Span};
use super::repeated::{HeaderRecord, RepeatedHeader};
use super::sniff::{Sniffed, USUAL_QUOTE, sniff};
use super::split::{FieldDelimiter, split_again};
use super::widths::Widths;
use crate::cast::text::Traits;
use crate::decode::decode;
use crate::error::{ReadError, UnreadableCode};
use crate::input::magic::is_binary;
use crate::outcome::Dialect;
use crate::program::PlanColumn;
use crate::records::{RecordPosition, RecordState, Records};

/// The part of a file that its dialect is sniffed from.
const HEAD_BYTES: usize = 64 * 1024;
/// The part of it by which a file is known to be binary.
const BINARY_HEAD_BYTES: usize = 4 * 1024;

/// A delimited file whose header has been read.
#[derive(Debug)]
pub(crate) struct OpenedDelimited {
    pub(crate) delimiter: FieldDelimiter,
    pub(crate) quoting: Option<Quoting>,
    /// The usual quote, where the first rows have another one and the contract declares none.
    pub(crate) other_quote: Option<u8>,
    pub(crate) layout: RecordLayout,
    pub(crate) blank_rows: BlankRows,
    pub(crate) repeated_header: RepeatedHeader,
}

/// Completes the dialect, skips what precedes the header, and reads the header.
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
    let names = Names::of(columns, encoding);
    let names = if has_header { names } else { names.without_header() };
    let head = head_of(records, known.comment.as_deref().unwrap_or_default())?;
    let is_binary = is_binary(head.bytes.get(..BINARY_HEAD_BYTES).unwrap_or(head.bytes));
    let sniffed = sniff(head, &known, &names, has_header && known.skip_lines.is_none());
    let Sniffed { delimiter, quoting, header: located } = sniffed;
    let header = known.header.unwrap_or_else(|| {
        let is_declared = known.header_rows.is_some();
        is_declared || located.lines > 0 || !is_headless(head, &delimiter, quoting, encoding, columns)
    });
    report(declared, &delimiter, quoting, header, located, dialect);
    for _ in 0..located.lines {
        records.skip_line()?;
    }
    let mut note = None;
    let (layout, header_records) = if header {
        let rows = located.rows.max(1);
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
                return malformed(Some(header.place), fault.why);
            }
            if code == UnreadableCode::MissingColumns {
                message.push_str(&advice(located, header.names.len() == bind_order(columns).width));
            }
            unreadable(code, Some(header.place), message)
        })?;
        if let Some(fault) = header.fault {
            if declared.quote.is_some() || !fault.is_unbalanced || !layout.has_all(columns) {
                return Err(malformed(Some(header.place), fault.why));
            }
            note = Some(format!("the header was read without regard to its quotes: {}", fault.why));
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
    let head = head_of(records, known.comment.as_deref().unwrap_or_default())?;
    let widths = Widths::of(head, &delimiter, quoting, &layout);
    let mut layout = layout.with_ragged(declared.ragged, widths.may_end_with_delimiter());
    dialect.suggestions = std::mem::take(&mut layout.suggestions);
    dialect.suggestions.extend(note);
    dialect.suggestions.extend(widths.doubt(declared.ragged, &layout));
    let quoting = quoting.map(|quoting| {
        let is_known = declared.skip_initial_space.is_some() || quoting.blanks.are_skipped();
        if is_known { quoting } else { quoting.doubting(&delimiter) }
    });
    let other_quote = quoting
        .filter(|quoting| declared.quote.is_none() && quoting.quote != USUAL_QUOTE)
        .map(|_| USUAL_QUOTE);
    Ok(OpenedDelimited {
        delimiter,
        quoting,
        other_quote,
        layout,
        blank_rows: declared.blank_rows,
        repeated_header,
    })
}

/// Writes down the dialect, and what of it the contract does not declare.
fn report(
    declared: &DelimitedDialect,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    header: bool,
    located: Located,
    dialect: &mut Dialect,
) {
    let escape = quoting.and_then(|quoting| quoting.escape);
    let skips_blanks = quoting.is_some_and(|quoting| !quoting.blanks.is_empty());
    let preamble = u32::try_from(located.lines).expect("the header is searched in a hundred lines");
    let skip_lines = declared.skip_lines.unwrap_or(preamble);
    let header_rows =
        u32::try_from(located.rows).expect("the contract declares it as a u32, or there are at most three");
    dialect.format = "delimited".to_owned();
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

/// The refusal of a file whose header cannot be read because there is none.
fn binary() -> ReadError {
    let message = "the file is binary: neither text nor of another format that is read; deliver CSV, JSON, Parquet or Avro";
    unreadable(UnreadableCode::WrongFormat, None, message.to_owned())
}

/// What may be wrong with a file that lacks columns, besides its names.
fn advice(located: Located, has_width: bool) -> String {
    if let Some(lines) = located.doubtful {
        return format!(
            "; line {} has names of the contract, but the lines before it look like rows: declare \
             `penstock.skipLines` if they are not",
            lines.saturating_add(1)
        );
    }
    if located.found == 0 && has_width {
        let why = "no name is known, and there are as many fields as the contract has columns";
        return format!("; {why}: if the file has no header, declare `penstock.header: false`");
    }
    String::new()
}

/// Skips the line `sep=;` with which Excel declares the delimiter, and returns that delimiter. `None` where there is no such
/// line, or one that contradicts the contract.
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
    let line = head.split(|byte| *byte == terminator).next().unwrap_or_default();
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

/// The first bytes of the file, with the whole of the lines at its beginning: as much more than [`HEAD_BYTES`] as a long
/// header takes.
fn head_of<'r, R: Read>(records: &'r mut Records<R>, comment: &'r str) -> Result<FileHead<'r>, ReadError> {
    let terminator = records.terminator();
    let most = records.reach();
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

/// The first record of a file that no contract is known for, and what it was read with.
#[derive(Debug)]
pub(crate) struct FirstRecord {
    pub(crate) fields: Vec<String>,
    pub(crate) delimiter: FieldDelimiter,
    pub(crate) quoting: Option<Quoting>,
}

/// Completes the dialect of a file without a contract, apart from what is `declared`, and reads its first record.
pub(crate) fn read_first<R: Read>(
    declared: &DelimitedDialect,
    records: &mut Records<R>,
) -> Result<FirstRecord, ReadError> {
    let from_file = skip_sep_line(declared, records)?;
    let known = DelimitedDialect { delimiter: declared.delimiter.clone().or(from_file), ..declared.clone() };
    let encoding = records.input.text_encoding();
    let head = head_of(records, "")?;
    let Sniffed { delimiter, quoting, .. } = sniff(head, &known, &Names::of(&[], encoding), false);
    let HeaderRow { record, place, fault } = read_header_row(records, encoding, &delimiter, quoting)?;
    match fault {
        Some(fault) => Err(malformed(Some(place), fault.why)),
        None => Ok(FirstRecord { fields: record.cells, delimiter, quoting }),
    }
}

fn unreadable(code: UnreadableCode, place: Option<RecordPosition>, message: String) -> ReadError {
    ReadError::Unreadable { code, byte_offset: place.map_or(0, |place| place.byte_offset), message }
}

fn malformed(place: Option<RecordPosition>, why: &str) -> ReadError {
    unreadable(UnreadableCode::MalformedHeader, place, format!("the header cannot be read: {why}"))
}

/// A header.
struct NamedColumns {
    /// The names of the columns: of several records, the texts in a column from top to bottom, with spaces between them.
    names: Vec<String>,
    records: Vec<HeaderRecord>,
    /// Where it begins.
    place: RecordPosition,
    /// Why its quotes were ignored.
    fault: Option<QuoteFault>,
}

fn read_header<R: Read>(
    records: &mut Records<R>,
    encoding: &'static Encoding,
    rows: usize,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
) -> Result<NamedColumns, ReadError> {
    let HeaderRow { record: first, place, mut fault } =
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
    Ok(NamedColumns { names, records: header_records, place, fault })
}

/// What is wrong with the quotes of a header.
#[derive(Debug, Clone, Copy)]
struct QuoteFault {
    why: &'static str,
    /// Their number is odd: one of them is there by mistake.
    is_unbalanced: bool,
}

/// A record of the header as it was read.
struct HeaderRow {
    record: HeaderRecord,
    place: RecordPosition,
    /// What is wrong with its quotes: then its fields are those of its line as if nothing were quoted, without the quotes
    /// around them.
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
    let place = record.place;
    let fault = match record.state {
        // The last two are elements of arrays.
        RecordState::Whole | RecordState::NoElement | RecordState::NoComma => None,
        RecordState::TooLong => return Err(malformed(Some(place), "the first line is too long")),
        RecordState::OpenQuote => Some("a quote is not closed"),
        RecordState::TextAfterQuote | RecordState::SpaceBeforeQuote => {
            Some("there is text between a closing quote and the next delimiter")
        }
    };
    let raw = records.bytes(&record);
    let fault = fault.map(|why| {
        let quotes = raw.iter().filter(|byte| quoting.is_some_and(|quoting| quoting.quote == **byte)).count();
        QuoteFault { why, is_unbalanced: quotes % 2 == 1 }
    });
    let mut decoded = String::new();
    let Some(text) = decode(raw, Traits::of(raw), encoding, &mut decoded) else {
        return Err(malformed(Some(place), &format!("it is not {}", records.input.encoding().name())));
    };
    if fault.is_some() {
        delimiter.split_line(text.as_bytes(), &mut spans);
    } else if text.len() != raw.len() && !split_again(text, delimiter, quoting, &mut spans) {
        return Err(malformed(Some(place), "there is white space before a quoted name"));
    }
    let mut scratch = Vec::new();
    let quote = quoting.filter(|_| fault.is_some()).map(|quoting| char::from(quoting.quote));
    let first = spans.first().and_then(|span| text.as_bytes().get(span.start).copied());
    let cells = spans.iter().map(|span| {
        let cell = field(text, *span, quoting, &mut scratch).trim();
        quote.map_or(cell, |quote| cell.trim_matches(quote).trim()).to_owned()
    });
    Ok(HeaderRow { record: HeaderRecord { first, cells: cells.collect() }, place, fault })
}
