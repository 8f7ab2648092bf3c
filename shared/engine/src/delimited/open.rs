//! The beginning of a delimited file: preamble, dialect, header.

use std::io::Read;

use encoding_rs::Encoding;
use penstock_contract::{DelimitedDialect, Quote, Ragged};

use super::header::{Layout, bind_header, bind_order};
use super::sniff::{Head, is_headless, sniff_delimiter, sniff_quote};
use super::split::{FieldDelimiter, Quoting, Span, field, split_again};
use crate::cast::text::Traits;
use crate::error::{ReadError, UnreadableCode};
use crate::outcome::Dialect;
use crate::program::Column;
use crate::records::{Place, RecordState, Records};
use crate::text::decode;

/// So much of a file is looked at to tell its dialect.
const HEAD_BYTES: usize = 64 * 1024;

/// A delimited file whose header has been read.
#[derive(Debug)]
pub(crate) struct Delimited {
    pub(crate) delimiter: FieldDelimiter,
    pub(crate) quoting: Option<Quoting>,
    pub(crate) layout: Layout,
}

/// Leaves out the preamble, tells the dialect, reads the header.
pub(crate) fn open_delimited<R: Read>(
    declared: &DelimitedDialect,
    columns: &[Column],
    encoding: &'static Encoding,
    records: &mut Records<R>,
    dialect: &mut Dialect,
) -> Result<Delimited, ReadError> {
    for _ in 0..declared.skip_lines {
        records.skip_line()?;
    }
    records.set_comment(declared.comment.as_deref());
    let terminator = records.terminator();
    let bytes = records.head(HEAD_BYTES)?;
    let head = Head {
        bytes,
        is_whole: bytes.len() < HEAD_BYTES,
        terminator,
        comment: declared.comment.as_deref().unwrap_or_default().as_bytes(),
    };
    let quote = match declared.quote {
        None => Some(sniff_quote(&head, declared.delimiter.as_deref(), columns)),
        Some(Quote::None) => None,
        Some(Quote::Byte(quote)) => Some(quote),
    };
    let quoting = quote.map(|quote| Quoting { quote, escape: declared.escape });
    let delimiter = match &declared.delimiter {
        Some(delimiter) => FieldDelimiter::of(delimiter),
        None => FieldDelimiter::Byte(sniff_delimiter(&head, quoting, columns)),
    };
    let header = declared.header.unwrap_or_else(|| {
        declared.header_rows.is_some() || !is_headless(&head, &delimiter, quoting, encoding, columns)
    });
    dialect.format = "delimited".to_owned();
    dialect.delimiter = Some(delimiter.to_string());
    dialect.quote = quoting.map(|quoting| char::from(quoting.quote));
    dialect.header = Some(header);
    let parts = [
        ("delimiter", declared.delimiter.is_none()),
        ("quote", declared.quote.is_none()),
        ("header", declared.header.is_none() && declared.header_rows.is_none()),
    ];
    dialect.assumed.extend(parts.iter().filter(|(_, assumed)| *assumed).map(|(name, _)| (*name).to_owned()));
    let mut layout = if header {
        let rows = declared.header_rows.unwrap_or(1);
        let (names, place) = read_header(records, encoding, rows, &delimiter, quoting)?;
        bind_header(&names, columns).map_err(|(code, message)| unreadable(code, Some(place), message))?
    } else {
        bind_order(columns)
    };
    layout.is_padded = declared.ragged == Ragged::Pad;
    dialect.suggestions = std::mem::take(&mut layout.suggestions);
    Ok(Delimited { delimiter, quoting, layout })
}

/// The first record of a file that no contract is known for, and what it was read with.
#[derive(Debug)]
pub(crate) struct FirstRecord {
    pub(crate) fields: Vec<String>,
    pub(crate) delimiter: FieldDelimiter,
    pub(crate) quoting: Option<Quoting>,
}

/// Tells the dialect of a file without a contract, apart from what is `declared`, and reads its first record.
pub(crate) fn read_first<R: Read>(
    declared: &DelimitedDialect,
    records: &mut Records<R>,
) -> Result<FirstRecord, ReadError> {
    let terminator = records.terminator();
    let encoding = records.input.text_encoding();
    let bytes = records.head(HEAD_BYTES)?;
    let head = Head { bytes, is_whole: bytes.len() < HEAD_BYTES, terminator, comment: &[] };
    let quote = match declared.quote {
        None => Some(sniff_quote(&head, declared.delimiter.as_deref(), &[])),
        Some(Quote::None) => None,
        Some(Quote::Byte(quote)) => Some(quote),
    };
    let quoting = quote.map(|quote| Quoting { quote, escape: None });
    let delimiter = match &declared.delimiter {
        Some(delimiter) => FieldDelimiter::of(delimiter),
        None => FieldDelimiter::Byte(sniff_delimiter(&head, quoting, &[])),
    };
    let (fields, _) = read_header_row(records, encoding, &delimiter, quoting)?;
    Ok(FirstRecord { fields, delimiter, quoting })
}

fn unreadable(code: UnreadableCode, place: Option<Place>, message: String) -> ReadError {
    ReadError::Unreadable { code, byte_offset: place.map_or(0, |place| place.byte_offset), message }
}

fn malformed(place: Option<Place>, why: &str) -> ReadError {
    unreadable(UnreadableCode::MalformedHeader, place, format!("the header cannot be read: {why}"))
}

/// The names of the columns: of several rows, what stands in a column from top to bottom, with spaces between.
fn read_header<R: Read>(
    records: &mut Records<R>,
    encoding: &'static Encoding,
    rows: u32,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
) -> Result<(Vec<String>, Place), ReadError> {
    let (mut names, first) = read_header_row(records, encoding, delimiter, quoting)?;
    for _ in 1..rows {
        let (parts, _) = read_header_row(records, encoding, delimiter, quoting)?;
        if names.len() < parts.len() {
            names.resize(parts.len(), String::new());
        }
        for (name, part) in names.iter_mut().zip(parts) {
            if !name.is_empty() && !part.is_empty() {
                name.push(' ');
            }
            name.push_str(&part);
        }
    }
    Ok((names, first))
}

fn read_header_row<R: Read>(
    records: &mut Records<R>,
    encoding: &'static Encoding,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
) -> Result<(Vec<String>, Place), ReadError> {
    let mut spans: Vec<Span> = Vec::new();
    let Some(record) = records.next(delimiter.framing(quoting), &mut spans)? else {
        return Err(malformed(None, "there are only blank lines"));
    };
    let place = record.place;
    match record.state {
        RecordState::Whole => {}
        RecordState::TooLong => return Err(malformed(Some(place), "the first line is too long")),
        RecordState::MalformedQuote => return Err(malformed(Some(place), "a quote is not closed")),
    }
    let raw = records.bytes(&record);
    let mut decoded = String::new();
    let Some(text) = decode(raw, Traits::of(raw), encoding, &mut decoded) else {
        return Err(malformed(Some(place), &format!("it is not {}", records.input.encoding().name())));
    };
    if text.len() != raw.len() {
        split_again(text, delimiter, quoting, &mut spans);
    }
    let mut scratch = Vec::new();
    let names = spans.iter().map(|span| field(text, *span, quoting, &mut scratch).trim().to_owned());
    Ok((names.collect(), place))
}
