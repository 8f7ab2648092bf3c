//! Counts how well a dialect fits the records of a delimited sample.

use std::collections::BTreeMap;
use std::io::Read;

use super::error::InferError;
use crate::delimited::{FirstRecord, Quoting, Span};
use crate::records::{RecordState, Records};

pub(super) const COMMON_QUOTE: u8 = b'"';
/// The number of records by which a header below a preamble is judged.
pub(super) const FEW_RECORDS: u64 = 50;

/// Counts of the records after the first one under a dialect.
#[derive(Debug, Default)]
pub(super) struct DialectTally {
    pub(super) all: u64,
    /// Records that are malformed, do not have the header's number of fields, or have a value that still has its quotes.
    pub(super) faults: u64,
    /// Well-formed records with another number of fields than the header has names, by that number.
    pub(super) widths: BTreeMap<usize, u64>,
    /// The records in `widths` that have one more field than the first record, which is empty.
    pub(super) trailing: u64,
    /// Some field is in quotes.
    pub(super) encloses: bool,
    /// Records that are a single field in quotes, which contains delimiters.
    pub(super) quoted_whole: u64,
    /// Records with a `"` that is an ordinary character.
    pub(super) ordinary_quotes: u64,
    /// For each column, the values of the first records that fit.
    pub(super) values: Vec<Vec<String>>,
}

/// Counts the records after the first one.
pub(super) fn tally<R: Read>(
    first: &FirstRecord,
    records: &mut Records<R>,
    max_records: u64,
) -> Result<DialectTally, InferError> {
    let FirstRecord { fields, delimiter, quoting } = first;
    let mut spans: Vec<Span> = Vec::new();
    let has_trailing = fields.len() > 1 && fields.last().is_some_and(String::is_empty);
    let names = fields.len().saturating_sub(usize::from(has_trailing));
    let mut tally = DialectTally { values: vec![Vec::new(); fields.len()], ..DialectTally::default() };
    while tally.all < max_records {
        let framing = delimiter.framing(*quoting, records.terminator());
        let Some(record) = records.next(framing, &mut spans)? else { break };
        tally.all = tally.all.saturating_add(1);
        let bytes = records.bytes(&record);
        let is_whole = record.state == RecordState::Whole;
        let ends_empty = spans.last().is_some_and(|span| span.start == span.end);
        // As in the reader, it does not matter whether the header ends with a delimiter, too.
        let is_trailing = ends_empty && spans.len() == names.saturating_add(1);
        let fits = spans.len() == names || is_trailing;
        let counts = |is_counted: bool| u64::from(is_counted);
        let is_ordinary =
            quoting.is_none_or(|quoting| quoting.quote != COMMON_QUOTE) && bytes.contains(&COMMON_QUOTE);
        let is_in_quotes = |span: &Span| {
            let before = span.start.checked_sub(1).and_then(|at| bytes.get(at));
            quoting.is_some_and(|quoting| before == Some(&quoting.quote))
        };
        tally.encloses |= is_whole && spans.iter().any(is_in_quotes);
        let is_quoted_whole = is_whole && spans.len() == 1 && quoting.is_some() && delimiter.is_in(bytes);
        tally.ordinary_quotes = tally.ordinary_quotes.saturating_add(counts(is_ordinary));
        tally.quoted_whole = tally.quoted_whole.saturating_add(counts(is_quoted_whole));
        let keeps_quotes = || {
            is_ordinary && is_enclosed(bytes) || spans.iter().any(|span| keeps_quotes(bytes, span, *quoting))
        };
        if is_whole && spans.len() != names && !(is_trailing && has_trailing) {
            let count = tally.widths.entry(spans.len()).or_default();
            *count = count.saturating_add(1);
            tally.trailing = tally.trailing.saturating_add(counts(is_trailing));
        }
        if !is_whole || !fits || keeps_quotes() {
            tally.faults = tally.faults.saturating_add(1);
        } else if tally.all <= FEW_RECORDS {
            for (column, span) in tally.values.iter_mut().zip(&spans) {
                let value =
                    bytes.get(span.start..span.end).expect("a field is within its record").trim_ascii();
                if !value.is_empty() {
                    column.push(String::from_utf8_lossy(value).into_owned());
                }
            }
        }
    }
    Ok(tally)
}

/// Returns true for a value that is enclosed in double quotes and read with them.
fn keeps_quotes(record: &[u8], span: &Span, quoting: Option<Quoting>) -> bool {
    let is_content = span.is_escaped && quoting.is_some();
    !is_content && is_enclosed(record.get(span.start..span.end).expect("a field is within its record"))
}

/// Returns true for text that is enclosed in double quotes.
pub(super) fn is_enclosed(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    text.len() > 1 && text.starts_with(b"\"") && text.ends_with(b"\"")
}
