//! The parts of a dialect that the contract does not say.

use encoding_rs::Encoding;

use super::header::bind_order;
use super::split::{FieldDelimiter, Quoting, Span, Split, field};
use crate::cast::Scratch;
use crate::cast::text::Traits;
use crate::program::{Column, Raw};
use crate::text::decode;

const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Records that are looked at.
const MAX_RECORDS: usize = 50;

/// The first bytes of a file, after its preamble.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) bytes: &'a [u8],
    /// They are all of the file.
    pub(crate) is_whole: bool,
    pub(crate) terminator: u8,
    /// What lines begin with that do not count; nothing when empty.
    pub(crate) comment: &'a [u8],
}

/// A record of the head: its bytes, and where its fields are in them.
type HeadRecord<'a> = (&'a [u8], Vec<Span>);

/// The delimiter: the one under which most columns of the contract are found in the first record, then the one that
/// splits most records alike, then the one that gives most fields.
pub(crate) fn sniff_delimiter(head: &Head<'_>, quoting: Option<Quoting>, columns: &[Column]) -> u8 {
    let score = |delimiter: u8| {
        let records = split_head(head, &FieldDelimiter::Byte(delimiter), quoting);
        let Some((first, spans)) = records.first() else { return (0, 0, 0) };
        let width = spans.len();
        let is_name = |column: &&Column| {
            let name = column.physical_name.as_bytes();
            !column.reads_nothing() && spans.iter().any(|span| of_span(first, span).trim_ascii() == name)
        };
        let found = columns.iter().filter(is_name).count();
        let alike =
            if width > 1 { records.iter().filter(|(_, other)| other.len() == width).count() } else { 0 };
        (found, alike, width)
    };
    // The first of equals: `max_by_key` would take the last.
    let best = CANDIDATES.into_iter().rev().max_by_key(|delimiter| score(*delimiter));
    best.unwrap_or(b',')
}

/// The quote: `"`, unless the file has none and as many fields as there are records stand in `'`.
pub(crate) fn sniff_quote(head: &Head<'_>, delimiter: Option<&str>, columns: &[Column]) -> u8 {
    const USUAL: u8 = b'"';
    const OTHER: u8 = b'\'';
    if head.bytes.contains(&USUAL) || !head.bytes.contains(&OTHER) {
        return USUAL;
    }
    let quoting = Some(Quoting { quote: OTHER, escape: None });
    let delimiter = delimiter
        .map_or_else(|| FieldDelimiter::Byte(sniff_delimiter(head, quoting, columns)), FieldDelimiter::of);
    let records = split_head(head, &delimiter, quoting);
    let is_quoted = |(record, span): (&[u8], &Span)| {
        span.start.checked_sub(1).and_then(|at| record.get(at)) == Some(&OTHER)
    };
    let quoted = records
        .iter()
        .flat_map(|(record, spans)| spans.iter().map(move |span| (*record, span)))
        .filter(|field| is_quoted(*field))
        .count();
    if quoted > 0 && quoted >= records.len() { OTHER } else { USUAL }
}

/// True when the first record is a row: it has as many fields as the contract, none is the name of a column, and each
/// is what its column holds. Text says nothing: a value of another type must be there, too.
pub(crate) fn is_headless(
    head: &Head<'_>,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    encoding: &'static Encoding,
    columns: &[Column],
) -> bool {
    let records = split_head(head, delimiter, quoting);
    let layout = bind_order(columns);
    let Some((first, spans)) = records.first().filter(|(_, spans)| spans.len() == layout.width) else {
        return false;
    };
    let (mut decoded, mut unescaped, mut scratch) = (String::new(), Vec::new(), Scratch::default());
    let mut is_told = false;
    for (column, field_index) in columns.iter().zip(&layout.fields) {
        let Some(index) = *field_index else { continue };
        let Some(span) = spans.get(index) else { return false };
        let raw = of_span(first, span);
        let traits = Traits::of(raw);
        let Some(text) = decode(raw, traits, encoding, &mut decoded) else { return false };
        let whole = Span { start: 0, end: text.len(), is_escaped: span.is_escaped };
        let text = field(text, whole, quoting, &mut unescaped);
        let is_name = |column: &Column| column.physical_name.eq_ignore_ascii_case(text.trim());
        if columns.iter().any(is_name) {
            return false;
        }
        let mut fits = true;
        let value = column.run(&Raw::Text(text, traits), &mut scratch, &mut |_| fits = false);
        if !fits {
            return false;
        }
        is_told |= value.is_some() && !text.trim().is_empty() && !column.is_text();
    }
    is_told
}

fn of_span<'a>(record: &'a [u8], span: &Span) -> &'a [u8] {
    record.get(span.start..span.end).unwrap_or_default()
}

/// The first records.
fn split_head<'a>(
    head: &Head<'a>,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
) -> Vec<HeadRecord<'a>> {
    let Head { bytes, is_whole, terminator, comment } = *head;
    let mut rest = bytes;
    let mut spans: Vec<Span> = Vec::new();
    let mut records = Vec::new();
    while !rest.is_empty() && records.len() < MAX_RECORDS {
        let Some(line_end) = memchr::memchr(terminator, rest).or(is_whole.then_some(rest.len())) else {
            break;
        };
        let line = rest.get(..line_end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let mut total = line_end.saturating_add(1);
        spans.clear();
        let is_comment = !comment.is_empty() && line.starts_with(comment);
        if !is_comment && !line.is_empty() {
            match quoting {
                None => delimiter.split_line(line, &mut spans),
                Some(quoting) => {
                    match delimiter.split_quoted(rest, is_whole, quoting, terminator, &mut spans) {
                        Split::Record { total: whole, .. } => total = whole,
                        Split::Open => break,
                        Split::Malformed => spans.clear(),
                    }
                }
            }
        }
        if !spans.is_empty() {
            records.push((rest, std::mem::take(&mut spans)));
        }
        rest = rest.get(total..).unwrap_or_default();
    }
    records
}
