//! Refused records without the values that may stand nowhere.

use crate::cast::json::{Scanner, unquote};
use crate::delimited::{Layout, Quoting, Span, field};
use crate::program::Column;

/// Stands for a classified value that has no pseudonym.
const CLASSIFIED: &str = "[classified]";

/// A delimited record with stand-ins for the fields that hidden columns read.
pub(crate) fn delimited(
    record: &str,
    spans: &[Span],
    quoting: Option<Quoting>,
    layout: &Layout,
    columns: &[Column],
) -> String {
    let mut redacted = String::with_capacity(record.len());
    let mut scratch = Vec::new();
    let mut at = 0;
    for (index, span) in spans.iter().enumerate() {
        let readers = columns.iter().zip(&layout.fields).filter(|(_, field)| **field == Some(index));
        let Some(column) = hiding(readers.map(|(column, _)| column)) else { continue };
        redacted.push_str(record.get(at..span.start).unwrap_or_default());
        redacted.push_str(&stand_in(column, field(record, *span, quoting, &mut scratch)));
        at = span.end;
    }
    redacted.push_str(record.get(at..).unwrap_or_default());
    redacted
}

/// A JSON object with stand-ins for the values that hidden columns read.
pub(crate) fn json(record: &str, columns: &[Column]) -> String {
    let mut redacted = String::with_capacity(record.len());
    let (mut key_text, mut value_text) = (String::new(), String::new());
    let mut at = 0;
    let mut scanner = Scanner::new(record, false);
    scanner.skip_space();
    let read = scanner.object(|key, value| {
        // With its quotes.
        let key = record.get(key.start.saturating_sub(1)..key.end.saturating_add(1)).unwrap_or_default();
        let key = unquote(key, &mut key_text);
        let readers = columns.iter().filter(|column| key.is_none_or(|key| key == column.physical_name));
        let Some(column) = hiding(readers) else { return };
        redacted.push_str(record.get(at..value.start).unwrap_or_default());
        let literal = record.get(value.clone()).unwrap_or_default();
        let plain = if literal.starts_with('"') { unquote(literal, &mut value_text) } else { Some(literal) };
        let stand_in =
            if literal == "null" { None } else { Some(stand_in(column, plain.unwrap_or_default())) };
        redacted.push_str(&stand_in.map_or_else(|| "null".to_owned(), |text| format!("\"{text}\"")));
        at = value.end;
    });
    if read.is_none() {
        return String::new();
    }
    redacted.push_str(record.get(at..).unwrap_or_default());
    redacted
}

/// Of the columns that read a value the one that hides it, with its pseudonym where one of them has one.
fn hiding<'a>(readers: impl Iterator<Item = &'a Column>) -> Option<&'a Column> {
    readers
        .filter(|column| column.is_hidden && !column.is_constant())
        .max_by_key(|column| column.pseudonym.is_some())
}

fn stand_in(column: &Column, value: &str) -> String {
    let value = value.trim();
    match &column.pseudonym {
        _ if value.is_empty() => String::new(),
        None => CLASSIFIED.to_owned(),
        Some(key) => {
            let mut pseudonym = Vec::new();
            key.write(value.as_bytes(), &mut pseudonym);
            String::from_utf8_lossy(&pseudonym).into_owned()
        }
    }
}
