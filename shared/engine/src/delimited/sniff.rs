//! The parts of a dialect that the contract does not say.

use super::split::{Quoting, Span, Split, split_line, split_quoted};
use crate::program::Column;

const CANDIDATES: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Records that are looked at.
const MAX_RECORDS: usize = 50;

/// The delimiter of the file that starts with `head`: the one under which most columns of the contract are found
/// in the first record, then the one that splits most records alike, then the one that gives most fields.
///
/// `is_whole`: `head` is all of the file.
pub(crate) fn sniff_delimiter(
    head: &[u8],
    is_whole: bool,
    quoting: Option<Quoting>,
    terminator: u8,
    columns: &[Column],
) -> u8 {
    let score = |delimiter: u8| {
        let widths = split_head(head, is_whole, delimiter, quoting, terminator);
        let Some((first, width)) = widths.first() else { return (0, 0, 0) };
        let found = columns.iter().filter(|column| {
            !column.is_constant() && first.iter().any(|name| name == column.physical_name.as_bytes())
        });
        let found = found.count();
        let alike = if *width > 1 { widths.iter().filter(|(_, other)| other == width).count() } else { 0 };
        (found, alike, *width)
    };
    // The first of equals: `max_by_key` would take the last.
    let best = CANDIDATES.into_iter().rev().max_by_key(|delimiter| score(*delimiter));
    best.unwrap_or(b',')
}

/// The first records' fields (of the first one only) and numbers of fields.
fn split_head(
    head: &[u8],
    is_whole: bool,
    delimiter: u8,
    quoting: Option<Quoting>,
    terminator: u8,
) -> Vec<(Vec<Vec<u8>>, usize)> {
    let mut rest = head;
    let mut spans: Vec<Span> = Vec::new();
    let mut records = Vec::new();
    while !rest.is_empty() && records.len() < MAX_RECORDS {
        let line_end = memchr::memchr(terminator, rest);
        let total = match quoting {
            Some(quoting) => match split_quoted(rest, is_whole, delimiter, quoting, terminator, &mut spans) {
                Split::Record { total, .. } => total,
                Split::Open => break,
                Split::Malformed => {
                    spans.clear();
                    line_end.map_or(rest.len(), |line_end| line_end + 1)
                }
            },
            None => {
                let Some(line_end) = line_end.or(is_whole.then_some(rest.len())) else { break };
                let line = &rest[..line_end];
                split_line(line.strip_suffix(b"\r").unwrap_or(line), delimiter, &mut spans);
                (line_end + 1).min(rest.len())
            }
        };
        let is_blank = spans.len() == 1 && spans[0].start == spans[0].end;
        if !is_blank {
            let fields = if records.is_empty() {
                spans.iter().map(|span| rest[span.start..span.end].trim_ascii().to_vec()).collect()
            } else {
                Vec::new()
            };
            records.push((fields, spans.len()));
        }
        rest = &rest[total..];
    }
    records
}
