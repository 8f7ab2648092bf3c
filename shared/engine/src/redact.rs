//! Refused records without the values that may stand nowhere.

use std::borrow::Cow;
use std::collections::HashMap;

use penstock_contract::HeaderCase;

use crate::cast::json::{Scanner, unquote};
use crate::delimited::{Quoting, RecordLayout, Span, field};
use crate::program::{PlanColumn, key_of};
use crate::pseudonym::PseudonymKey;

/// Stands for a classified value that has no pseudonym.
const CLASSIFIED: &str = "[classified]";

/// A delimited record with stand-ins for the fields that hidden columns read.
pub(crate) fn delimited(
    record: &str,
    spans: &[Span],
    quoting: Option<Quoting>,
    layout: &RecordLayout,
    columns: &[PlanColumn],
) -> String {
    let mut redacted = String::with_capacity(record.len());
    let mut scratch = Vec::new();
    let mut at = 0;
    let secret = key_of(columns);
    let mut readers: HashMap<usize, Vec<&PlanColumn>> = HashMap::new();
    for (column, field) in
        columns.iter().zip(&layout.fields).filter_map(|(column, field)| Some((column, (*field)?)))
    {
        readers.entry(field).or_default().push(column);
    }
    for (index, span) in spans.iter().enumerate() {
        let readers = readers.get(&index).map(Vec::as_slice).unwrap_or_default();
        let value = field(record, *span, quoting, &mut scratch);
        let Some(stand_in) = stand_in(secret, readers, value) else { continue };
        redacted.push_str(record.get(at..span.start).unwrap_or_default());
        redacted.push_str(&stand_in);
        at = span.end;
    }
    redacted.push_str(record.get(at..).unwrap_or_default());
    redacted
}

/// A JSON object with stand-ins for the values that hidden columns read.
pub(crate) fn json(record: &str, columns: &[PlanColumn]) -> String {
    let mut redacted = String::with_capacity(record.len());
    let (mut key_text, mut value_text) = (String::new(), String::new());
    let mut at = 0;
    let secret = key_of(columns);
    let read: Vec<&PlanColumn> = columns.iter().filter(|column| !column.reads_nothing()).collect();
    let mut readers: HashMap<Cow<'_, str>, Vec<&PlanColumn>> = HashMap::new();
    for column in &read {
        readers.entry(column.header_case.key(&column.physical_name)).or_default().push(column);
    }
    let case = columns.first().map_or(HeaderCase::Sensitive, |column| column.header_case);
    let mut scanner = Scanner::new(record, false);
    scanner.skip_space();
    let scanned = scanner.object(|key, value| {
        // With its quotes.
        let key = record.get(key.start.saturating_sub(1)..key.end.saturating_add(1)).unwrap_or_default();
        let key = unquote(key, &mut key_text);
        let readers = match key {
            // A key that is no text may be anybody's.
            None => read.as_slice(),
            Some(key) => readers.get(&case.key(key)).map(Vec::as_slice).unwrap_or_default(),
        };
        let literal = record.get(value.clone()).unwrap_or_default();
        let plain = if literal.starts_with('"') { unquote(literal, &mut value_text) } else { Some(literal) };
        let Some(stand_in) = stand_in(secret, readers, plain.unwrap_or(literal)) else { return };
        redacted.push_str(record.get(at..value.start).unwrap_or_default());
        redacted.push_str(&if literal == "null" { "null".to_owned() } else { format!("\"{stand_in}\"") });
        at = value.end;
    });
    if scanned.is_none() {
        return String::new();
    }
    redacted.push_str(record.get(at..).unwrap_or_default());
    redacted
}

/// What stands for a value, by the columns that read it; `None` when it may be shown.
///
/// Where a contract pseudonymises, a value that no column reads is hidden, too: it may be one under a wrong name.
fn stand_in(secret: Option<&PseudonymKey>, readers: &[&PlanColumn], value: &str) -> Option<String> {
    let value = value.trim();
    let key = if readers.is_empty() {
        Some(secret?)
    } else {
        let hiding = readers.iter().filter(|column| column.is_hidden);
        hiding.max_by_key(|column| column.pseudonym.is_some())?.pseudonym.as_ref()
    };
    Some(match key {
        _ if value.is_empty() => String::new(),
        None => CLASSIFIED.to_owned(),
        Some(key) => key.pseudonym(value),
    })
}
