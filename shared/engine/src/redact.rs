//! Rejected records without the values that rejects must not contain.

use std::borrow::Cow;
use std::collections::HashMap;

use penstock_contract::HeaderCase;

use crate::cast::json::{Scanner, slice, unquote};
use crate::delimited::{Quoting, RecordLayout, Span, field};
use crate::program::{PlanColumn, key_of};
use crate::pseudonym::PseudonymKey;

/// Replaces a classified value that has no pseudonym.
const CLASSIFIED: &str = "[classified]";

/// Returns a delimited record in which the fields that hidden columns read are replaced.
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
        // No column may read the field.
        let readers = readers.get(&index).map(Vec::as_slice).unwrap_or_default();
        let value = field(record, *span, quoting, &mut scratch);
        let Some(replacement) = replacement(secret, readers, value) else { continue };
        redacted.push_str(slice(record, at..span.start));
        redacted.push_str(&replacement);
        at = span.end;
    }
    redacted.push_str(slice(record, at..record.len()));
    redacted
}

/// Returns a JSON object in which the values that hidden columns read are replaced. A text that is not a JSON object is
/// hidden as a whole.
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
        let literal = slice(record, key.start.saturating_sub(1)..key.end.saturating_add(1));
        let key = unquote(literal, &mut key_text);
        let readers = match key {
            // A key with a lone surrogate may be that of any column.
            None => read.as_slice(),
            // No column may read the key.
            Some(key) => readers.get(&case.key(key)).map(Vec::as_slice).unwrap_or_default(),
        };
        let literal = slice(record, value.clone());
        let text = if literal.starts_with('"') { unquote(literal, &mut value_text) } else { Some(literal) };
        let Some(replacement) = replacement(secret, readers, text.unwrap_or(literal)) else { return };
        redacted.push_str(slice(record, at..value.start));
        redacted.push_str(&if literal == "null" { "null".to_owned() } else { format!("\"{replacement}\"") });
        at = value.end;
    });
    if scanned.is_none() {
        return String::new();
    }
    redacted.push_str(slice(record, at..record.len()));
    redacted
}

/// Returns the replacement of a value, given the columns that read it. `None` if the value may be shown.
///
/// If a contract pseudonymises values, those that no column reads are hidden, too, because they may have the wrong
/// name.
fn replacement(secret: Option<&PseudonymKey>, readers: &[&PlanColumn], value: &str) -> Option<String> {
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
