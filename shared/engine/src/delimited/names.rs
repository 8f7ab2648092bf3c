//! Locates the header of a file by the names of the contract.

use std::cmp::Reverse;
use std::collections::HashSet;

use encoding_rs::Encoding;

use super::field::field;
use super::head::{FileHead, HeadRecord};
use super::header::{bind_order, keeps_space};
use super::quoting::{Quoting, Span};
use super::split::FieldDelimiter;
use crate::cast::Scratch;
use crate::cast::text::Traits;
use crate::decode::decode;
use crate::program::{PlanColumn, Raw};

/// The number of lines that may contain the header.
const MAX_PREAMBLE_LINES: usize = 100;
/// The number of records whose fields are compared by their shape, and the minimum number for a comparison.
const SHAPE_RECORDS: usize = 10;
const MIN_SHAPE_RECORDS: usize = 4;
/// The maximum number of records in a header, if the contract does not declare the number.
const MAX_HEADER_ROWS: usize = 3;

/// The names that a contract's columns read, without regard to letter case.
#[derive(Debug)]
pub(crate) struct ContractNames {
    folded: HashSet<String>,
    /// The names of columns that no file may lack.
    needed: HashSet<String>,
    encoding: &'static Encoding,
    /// White space is a value of one of the columns.
    pub(super) keeps_space: bool,
}

impl ContractNames {
    pub(crate) fn of(columns: &[PlanColumn], encoding: &'static Encoding) -> Self {
        let read = columns.iter().filter(|column| !column.reads_nothing());
        let folded = read.map(|column| column.physical_name.to_lowercase()).collect();
        let needed = columns.iter().filter(|column| column.needs_field());
        let needed = needed.map(|column| column.physical_name.to_lowercase()).collect();
        Self { folded, needed, encoding, keeps_space: keeps_space(columns) }
    }

    /// Returns the names for a file without a header: none.
    pub(super) fn without_header(self) -> Self {
        Self { folded: HashSet::new(), needed: HashSet::new(), ..self }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// Returns the minimum number of names that identifies a header. Columns that a file may lack do not raise it, so that
    /// an additional one does not change how files are read.
    pub(super) fn least(&self) -> usize {
        self.needed.len().clamp(1, 2)
    }

    /// Returns true if a line has enough names to be the header at any position.
    fn is_header(&self, line: &HeaderLocation) -> bool {
        line.found >= self.least() && line.needed.saturating_mul(2) >= self.needed.len()
    }

    /// Returns true if a line has every name that a file needs.
    fn is_complete(&self, line: &HeaderLocation) -> bool {
        line.found >= self.folded.len().min(2) && line.needed == self.needed.len()
    }

    /// Returns the location of a header with these fields.
    fn locate(&self, lines: usize, rows: usize, header: &[String]) -> HeaderLocation {
        // A name that occurs twice is counted once.
        let found: HashSet<&String> = header.iter().filter(|name| self.folded.contains(*name)).collect();
        HeaderLocation {
            lines,
            rows,
            needed: found.iter().filter(|name| self.needed.contains(**name)).count(),
            found: found.len(),
            unnamed: header.iter().filter(|name| name.is_empty()).count(),
            other_header: None,
        }
    }
}

/// The location of the header, and how well it matches the names of the contract.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct HeaderLocation {
    /// The number of lines before the header; 0 if the first record that is neither blank nor a comment may be the
    /// header.
    pub(crate) lines: usize,
    /// The number of records in the header.
    pub(crate) rows: usize,
    /// The number of the contract's names in the header.
    pub(crate) found: usize,
    /// The number of these names that no file may lack.
    needed: usize,
    /// The number of empty fields in the header.
    pub(crate) unnamed: usize,
    /// The number of lines before another line that has names of the contract. It is not used as the header, as the lines
    /// before it look like rows.
    pub(crate) other_header: Option<usize>,
}

/// Locates the header: the first of the lines that have most of the contract's names. `rows`: the declared number of
/// records in it. If it is not declared, a header has several records only if together they have every name that a file
/// needs, and more names than fewer records have.
pub(super) fn locate(
    head: FileHead<'_>,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    names: &ContractNames,
    rows: Option<usize>,
    searches: bool,
) -> HeaderLocation {
    let with_rows = |lines: usize, line: FileHead<'_>, rows: usize| {
        names.locate(lines, rows, &header_of(line, delimiter, quoting, names.encoding, rows))
    };
    let at = |lines: usize, line: FileHead<'_>| {
        let location = with_rows(lines, line, rows.unwrap_or(1));
        if rows.is_some() || location.found == 0 || location.found == names.folded.len() {
            return location;
        }
        let more = (2..=MAX_HEADER_ROWS).map(|rows| with_rows(lines, line, rows));
        let more = more.filter(|more| more.found > location.found && more.needed == names.needed.len());
        more.max_by_key(|more| (more.found, Reverse(more.rows))).unwrap_or(location)
    };
    let mut lines = head.lines().take(if searches { MAX_PREAMBLE_LINES } else { 1 });
    let first = lines.next().map_or_else(HeaderLocation::default, |(_, line)| at(0, line));
    if names.is_empty() || first.found == names.folded.len() {
        return first;
    }
    let mut best = first;
    for (number, line) in lines {
        let other = at(number, line);
        if other.found > best.found {
            best = other;
        }
        if best.found == names.folded.len() {
            break;
        }
    }
    if best.lines == 0 || !names.is_header(&best) {
        return first;
    }
    let has_rows = |header: usize, skipped: usize| {
        let header = head.after_lines(header).records(delimiter, quoting, 1);
        let width = header.first().map_or(0, |header| header.spans.len());
        let lines = head.lines().skip(skipped).take_while(|(number, _)| *number < best.lines);
        width < 2 || has_row(lines.map(|(_, line)| line), width, delimiter, quoting)
    };
    // The first header lacks optional columns and has rows; the better one belongs to an appended file.
    if names.is_complete(&first) && has_rows(0, 1) {
        return first;
    }
    if has_rows(best.lines, 0) {
        return HeaderLocation { other_header: Some(best.lines), ..first };
    }
    best
}

/// Returns true if one of the lines looks like a row of a table of this width: most of its fields have values.
fn has_row<'h>(
    mut lines: impl Iterator<Item = FileHead<'h>>,
    width: usize,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
) -> bool {
    lines.any(|line| {
        line.records(delimiter, quoting, 1).iter().any(|record| {
            let filled =
                record.spans.iter().filter(|span| !record.field(span).trim_ascii().is_empty()).count();
            record.spans.len() == width && filled.saturating_mul(2) > width
        })
    })
}

/// Returns true if the first record is a row: it has as many fields as the contract, none is the name of a column, and
/// each fits its column. Any text fits a text column, so there must also be a value of another type, or a text of the
/// same [shape](has_same_shape) as those below it.
pub(crate) fn is_headless(
    head: FileHead<'_>,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    encoding: &'static Encoding,
    columns: &[PlanColumn],
) -> bool {
    let records = head.records(delimiter, quoting, SHAPE_RECORDS);
    let layout = bind_order(columns);
    let is_row = |record: &&HeadRecord<'_>| !record.is_malformed && record.spans.len() == layout.width;
    let Some(first) = records.first().filter(is_row) else {
        return false;
    };
    let (mut decoded, mut unescaped, mut scratch) = (String::new(), Vec::new(), Scratch::default());
    let mut is_typed = false;
    for (column, field_index) in columns.iter().zip(&layout.fields) {
        let Some(index) = *field_index else { continue };
        let span = first.spans.get(index).expect("a row has as many fields as the layout");
        let raw = first.field(span);
        let traits = Traits::of(raw);
        let Some(text) = decode(raw, traits, encoding, &mut decoded) else { return false };
        let whole = Span { start: 0, end: text.len(), is_escaped: span.is_escaped };
        let text = field(text, whole, quoting, &mut unescaped);
        let is_name = |column: &PlanColumn| {
            !column.reads_nothing() && column.physical_name.eq_ignore_ascii_case(text.trim())
        };
        if columns.iter().any(is_name) {
            return false;
        }
        let mut fits = true;
        let value = column.run(&Raw::Text(text, traits), &mut scratch, &mut |_| fits = false);
        if !fits {
            return false;
        }
        is_typed |= value.is_some() && !text.trim().is_empty() && !column.is_text();
    }
    is_typed || (0..layout.width).any(|index| has_same_shape(&records, index))
}

/// Returns true if the texts of a column, such as `MG-8769` or `28/01/2018`, differ only in their digits and letters. As
/// the name of a column does not have the shape of its values, the first record is then a row. Plain numbers do not
/// count, as years may be names of columns.
fn has_same_shape(records: &[HeadRecord<'_>], index: usize) -> bool {
    let class = |byte: &u8| match byte {
        b'0'..=b'9' => b'0',
        b'a'..=b'z' | b'A'..=b'Z' => b'a',
        other => *other,
    };
    let shape = |record: &HeadRecord<'_>| -> Option<Vec<u8>> {
        let span = record.spans.get(index).filter(|_| !record.is_malformed)?;
        Some(record.field(span).iter().map(class).collect())
    };
    let Some(first) = records.first().and_then(shape) else { return false };
    let has_digits_and_others = first.contains(&b'0') && first.iter().any(|byte| *byte != b'0');
    has_digits_and_others
        && records.len() >= MIN_SHAPE_RECORDS
        && records.iter().all(|record| shape(record).as_ref() == Some(&first))
}

/// Returns the names of the columns in lower case. In a header of several records, the texts of a column are joined by
/// spaces from top to bottom.
fn header_of(
    head: FileHead<'_>,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    encoding: &'static Encoding,
    rows: usize,
) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for record in head.records(delimiter, quoting, rows) {
        if names.len() < record.spans.len() {
            names.resize(record.spans.len(), String::new());
        }
        for (name, span) in names.iter_mut().zip(&record.spans) {
            let part = text_of(&record, span, quoting, encoding);
            if !name.is_empty() && !part.is_empty() {
                name.push(' ');
            }
            name.push_str(&part);
        }
    }
    names
}

/// Returns a field in lower case, without the quotes that are left in a malformed record; empty if it cannot be decoded.
fn text_of(
    record: &HeadRecord<'_>,
    span: &Span,
    quoting: Option<Quoting>,
    encoding: &'static Encoding,
) -> String {
    let (mut decoded, mut unescaped) = (String::new(), Vec::new());
    let raw = record.field(span);
    let Some(text) = decode(raw, Traits::of(raw), encoding, &mut decoded) else { return String::new() };
    let whole = Span { start: 0, end: text.len(), is_escaped: span.is_escaped };
    let text = field(text, whole, quoting, &mut unescaped).trim();
    let bare = quoting.filter(|_| record.is_malformed).and_then(|quoting| {
        let quote = char::from(quoting.quote);
        text.strip_prefix(quote)?.strip_suffix(quote)
    });
    bare.unwrap_or(text).to_lowercase()
}
