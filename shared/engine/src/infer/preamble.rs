//! Classifies the lines above a header: the preamble of a report, or the rows of another table.

use super::tally::COMMON_QUOTE;
use super::types::Probe;
use crate::delimited::{FieldDelimiter, QuotedSplit, Quoting, Span};

pub(super) const COMMON_DELIMITERS: [&str; 4] = [",", ";", "\t", "|"];

/// Returns true for a line above a header of that width that cannot be a header itself: it is a comment, has few fields,
/// or has fields that are empty or values.
pub(super) fn is_preamble(
    line: &[u8],
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    width: usize,
    probe: &Probe,
) -> bool {
    let cells = cells(line, delimiter, quoting);
    let is_sparse = cells.len() < 2 || cells.len().saturating_mul(2) <= width;
    let is_empty_or_value = |cell: &String| cell.is_empty() || probe.is_value(cell);
    line.starts_with(b"#") || is_sparse || cells.len() <= width && cells.iter().any(is_empty_or_value)
}

/// Returns the cells of a line without enclosing quotes.
fn cells(line: &[u8], delimiter: &FieldDelimiter, quoting: Option<Quoting>) -> Vec<String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut spans: Vec<Span> = Vec::new();
    let split = quoting.map(|quoting| delimiter.split_quoted(line, true, quoting, b'\n', &mut spans));
    if !matches!(split, Some(QuotedSplit::Record { .. })) {
        delimiter.split_line(line, &mut spans);
    }
    let cell = |span: &Span| line.get(span.start..span.end).expect("a field is within its line");
    spans.iter().map(|span| String::from_utf8_lossy(cell(span)).trim().to_owned()).collect()
}

/// Consecutive lines that look like a table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TableCandidate {
    /// The number of lines before its first line, which may be its header.
    pub(super) start: usize,
    /// The number of lines after the first one.
    pub(super) rows: u64,
    /// Some column has a value of a type other than text in all rows.
    pub(super) is_typed: bool,
}

/// Returns the table with most rows among the lines, under any common delimiter.
pub(super) fn find_table(lines: &[Vec<u8>], probe: &Probe) -> TableCandidate {
    let tables = COMMON_DELIMITERS.iter().flat_map(|delimiter| tables(lines, delimiter, probe));
    tables.fold(TableCandidate::default(), |most, table| if table.rows > most.rows { table } else { most })
}

/// Returns the runs of lines that have the same number of cells, of which more than half have a value.
fn tables(lines: &[Vec<u8>], delimiter: &str, probe: &Probe) -> Vec<TableCandidate> {
    let delimiter = FieldDelimiter::of(delimiter);
    let rows: Vec<Vec<String>> =
        lines.iter().map(|line| cells(line, &delimiter, Some(Quoting::by(COMMON_QUOTE)))).collect();
    let is_row = |cells: &Vec<String>| {
        let filled = cells.iter().filter(|cell| !cell.is_empty()).count();
        cells.len() > 1 && filled.saturating_mul(2) > cells.len()
    };
    let mut start = 0_usize;
    let mut tables = Vec::new();
    for run in rows.chunk_by(|one, next| is_row(one) && is_row(next) && one.len() == next.len()) {
        if let Some((_, below)) = run.split_first()
            && !below.is_empty()
        {
            let is_typed = |index: usize| {
                below.iter().all(|row| row.get(index).is_some_and(|cell| probe.is_value(cell)))
            };
            let width = below.first().map_or(0, Vec::len);
            let is_typed = (0..width).any(is_typed);
            tables.push(TableCandidate { start, rows: below.len() as u64, is_typed });
        }
        start = start.saturating_add(run.len());
    }
    tables
}
