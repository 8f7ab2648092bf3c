//! One JSON object a line.

use std::collections::HashMap;
use std::ops::Range;

use crate::cast::json::{Scanner, unquote};
use crate::cast::text::Traits;
use crate::program::{Column, Raw};

/// The keys that the columns read, and what a line says of them.
pub(crate) struct Keys {
    slots: HashMap<String, usize>,
    names: Vec<String>,
    /// The slot of each column; `None` for constants.
    pub(crate) columns: Vec<Option<usize>>,
    /// Where each slot's value is in the line that was read last.
    values: Vec<Option<(usize, usize)>>,
    /// The members that no column reads: key without its quotes and value, each by its place in the line.
    pub(crate) unexpected: Vec<(Range<usize>, Range<usize>)>,
    /// The texts of strings that hold escapes, by slot.
    texts: Vec<String>,
    /// The text of a key that holds escapes.
    key_text: String,
}

impl Keys {
    pub(crate) fn new(columns: &[Column]) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut slots = HashMap::new();
        let mut of_columns = Vec::with_capacity(columns.len());
        for column in columns {
            if column.reads_nothing() {
                of_columns.push(None);
                continue;
            }
            let slot = *slots.entry(column.physical_name.clone()).or_insert_with(|| {
                names.push(column.physical_name.clone());
                names.len().saturating_sub(1)
            });
            of_columns.push(Some(slot));
        }
        let (values, texts) = (vec![None; names.len()], vec![String::new(); names.len()]);
        Self {
            slots,
            names,
            columns: of_columns,
            values,
            unexpected: Vec::new(),
            texts,
            key_text: String::new(),
        }
    }

    /// Reads a line. Of a key that stands twice the last value counts.
    ///
    /// # Errors
    /// How far into the line it is JSON, in bytes.
    pub(crate) fn read(&mut self, line: &str, traits: Traits) -> Result<(), usize> {
        self.values.fill(None);
        self.unexpected.clear();
        let mut scanner = Scanner::new(line, traits.is_plain);
        scanner.skip_space();
        let Self { slots, names, values, unexpected, key_text, .. } = self;
        // Keys mostly come in the order of the contract.
        let mut likely = 0;
        let read = scanner.object(|key, value| {
            let raw = line.get(key.clone()).unwrap_or_default();
            let is_likely = |name: &str| names.get(likely).is_some_and(|likely| likely == name);
            let slot = if is_likely(raw) {
                Some(likely)
            } else if traits.is_plain || !raw.contains('\\') {
                slots.get(raw).copied()
            } else {
                // With its quotes.
                let literal = line.get(key.start.saturating_sub(1)..key.end.saturating_add(1));
                let name = literal.and_then(|literal| unquote(literal, key_text));
                name.and_then(|name| slots.get(name).copied())
            };
            if let Some(slot) = slot {
                if let Some(place) = values.get_mut(slot) {
                    *place = Some((value.start, value.end));
                }
                likely = slot.saturating_add(1);
            } else {
                unexpected.push((key, value));
            }
        });
        if read.is_some() {
            scanner.skip_space();
        }
        if read.is_some() && scanner.is_at_end() { Ok(()) } else { Err(scanner.at.min(line.len())) }
    }

    /// The raw values of the line that was read last, by slot.
    pub(crate) fn raw<'a>(&'a mut self, line: &'a str, raws: &mut Vec<Raw<'a>>) {
        raws.clear();
        for (value, text) in self.values.iter().zip(&mut self.texts) {
            raws.push(match value {
                None => Raw::Missing,
                Some((start, end)) => raw(&line[*start..*end], text),
            });
        }
    }
}

fn raw<'a>(literal: &'a str, scratch: &'a mut String) -> Raw<'a> {
    match literal.as_bytes().first() {
        Some(b'n') | None => Raw::Missing,
        Some(b'"') => unquote(literal, scratch).map_or(Raw::Malformed(literal), Raw::JsonText),
        Some(b't' | b'f') => Raw::JsonText(literal),
        Some(b'{' | b'[') => Raw::JsonDocument(literal),
        Some(_) => Raw::JsonNumber(literal),
    }
}
