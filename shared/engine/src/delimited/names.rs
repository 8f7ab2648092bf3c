//! The contract's names in the head of a file: where its header is.

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

/// Lines among which the header is searched.
const MAX_PREAMBLE_LINES: usize = 100;
/// Records whose fields are compared by their shape, and the fewest that show one.
const SHAPE_RECORDS: usize = 10;
const MIN_SHAPE_RECORDS: usize = 4;
/// Records that are found to name the columns together, when the contract does not declare their number.
const MAX_HEADER_ROWS: usize = 3;

/// The headers that a contract's columns read, without regard to letter case.
#[derive(Debug)]
pub(crate) struct Names {
    folded: HashSet<String>,
    /// Those of columns that no file may lack.
    needed: HashSet<String>,
    encoding: &'static Encoding,
    /// White space is a value of one of the columns.
    pub(super) keeps_space: bool,
}

impl Names {
    pub(crate) fn of(columns: &[PlanColumn], encoding: &'static Encoding) -> Self {
        let read = columns.iter().filter(|column| !column.reads_nothing());
        let folded = read.map(|column| column.physical_name.to_lowercase()).collect();
        let needed = columns.iter().filter(|column| column.needs_field());
        let needed = needed.map(|column| column.physical_name.to_lowercase()).collect();
        Self { folded, needed, encoding, keeps_space: keeps_space(columns) }
    }

    /// For a file without a header.
    pub(super) fn without_header(self) -> Self {
        Self { folded: HashSet::new(), needed: HashSet::new(), ..self }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// The least number of names that is no coincidence. Columns that a file may lack do not raise it, so that a contract
    /// with one more of them reads the files that it read before.
    pub(super) fn least(&self) -> usize {
        self.needed.len().clamp(1, 2)
    }

    /// True when a line has enough names to be the header, wherever it is.
    fn is_header(&self, line: &Located) -> bool {
        line.found >= self.least() && line.needed.saturating_mul(2) >= self.needed.len()
    }

    /// True when a line has every name that a file needs.
    fn is_complete(&self, line: &Located) -> bool {
        line.found >= self.folded.len().min(2) && line.needed == self.needed.len()
    }

    /// A header of these fields.
    fn locate(&self, lines: usize, rows: usize, header: &[String]) -> Located {
        // A name that occurs twice is counted once.
        let found: HashSet<&String> = header.iter().filter(|name| self.folded.contains(*name)).collect();
        Located {
            lines,
            rows,
            needed: found.iter().filter(|name| self.needed.contains(**name)).count(),
            found: found.len(),
            unnamed: header.iter().filter(|name| name.is_empty()).count(),
            doubtful: None,
        }
    }
}

/// Where the header is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Located {
    /// Lines before it that are neither blank nor comments, and the blank ones and comments among them; 0 when the first
    /// record may be the header.
    pub(crate) lines: usize,
    /// Records that name the columns together.
    pub(crate) rows: usize,
    /// Names of the contract in it.
    pub(crate) found: usize,
    /// Those of columns that no file may lack.
    needed: usize,
    /// Its empty fields.
    pub(crate) unnamed: usize,
    /// Lines before one that has names of the contract and yet is not taken for the header, as the lines before it look like rows.
    pub(crate) doubtful: Option<usize>,
}

/// The first of the lines that have most of the contract's names. `rows`: how many records name the columns together;
/// when that is not declared, several do only where they have every name that a file needs, and more names than fewer records have.
pub(super) fn locate(
    head: FileHead<'_>,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    names: &Names,
    rows: Option<usize>,
    searches: bool,
) -> Located {
    let with_rows = |lines: usize, line: FileHead<'_>, rows: usize| {
        names.locate(lines, rows, &header_of(line, delimiter, quoting, names.encoding, rows))
    };
    let at = |lines: usize, line: FileHead<'_>| {
        let located = with_rows(lines, line, rows.unwrap_or(1));
        if rows.is_some() || located.found == 0 || located.found == names.folded.len() {
            return located;
        }
        let more = (2..=MAX_HEADER_ROWS).map(|rows| with_rows(lines, line, rows));
        let more = more.filter(|more| more.found > located.found && more.needed == names.needed.len());
        more.max_by_key(|more| (more.found, Reverse(more.rows))).unwrap_or(located)
    };
    let mut lines = head.lines().take(if searches { MAX_PREAMBLE_LINES } else { 1 });
    let first = lines.next().map_or_else(Located::default, |(_, line)| at(0, line));
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
    // The rows of a header that lacks optional columns, before the header of a file that was appended.
    if names.is_complete(&first) && has_rows(0, 1) {
        return first;
    }
    if has_rows(best.lines, 0) {
        return Located { doubtful: Some(best.lines), ..first };
    }
    best
}

/// True when one of the lines is like a row of a table of this width: most of its fields have values.
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

/// True when the first record is a row: it has as many fields as the contract, none is the name of a column, and each
/// fits its column. Any text fits a text column, so that there must also be a value of another type, or a text of the
/// [shape](is_of_shape) of those below it.
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
        let Some(span) = first.spans.get(index) else { return false };
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
    is_typed || (0..layout.width).any(|index| is_of_shape(&records, index))
}

/// True when a column has texts such as `MG-8769` or `28/01/2018` that differ from record to record in their digits and
/// letters alone, the first record included: the name of a column has not the shape of its values. Plain numbers do not
/// count, as years are names of columns, too.
fn is_of_shape(records: &[HeadRecord<'_>], index: usize) -> bool {
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

/// The names of the columns in lower case: of several records, those of a column from top to bottom with spaces between.
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

/// A field in lower case, without the quotes that a malformed record still has; empty when it cannot be decoded.
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
