//! One JSON object a line.

use std::collections::HashMap;
use std::ops::Range;

use crate::cast::json::{Scanner, plain, unquote};
use crate::cast::text::Traits;
use crate::program::{Column, Raw};

/// The keys that the columns read, and what a line says of them.
pub(crate) struct Keys {
    slots: HashMap<String, usize>,
    names: Vec<String>,
    /// The slot of each column; `None` for constants.
    columns: Vec<Option<usize>>,
    /// Where each slot's value is in the line that was read last.
    values: Vec<Option<(usize, usize)>>,
    /// The members that no column reads: key without its quotes and value, each by its place in the line.
    pub(crate) unexpected: Vec<(Range<usize>, Range<usize>)>,
    /// The slot of the key that comes next, if the keys are in the order of the contract.
    likely: usize,
    /// Of the line that was read last, and of the objects and arrays in it.
    traits: Traits,
    document_traits: Traits,
    /// The texts of strings that hold escapes, by column.
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
        Self {
            slots,
            values: vec![None; names.len()],
            names,
            columns: of_columns,
            unexpected: Vec::new(),
            likely: 0,
            traits: Traits::UNKNOWN,
            document_traits: Traits::UNKNOWN,
            texts: vec![String::new(); columns.len()],
            key_text: String::new(),
        }
    }

    /// Reads a line. Of a key that stands twice the last value counts.
    ///
    /// # Errors
    /// How far into the line it is JSON, in bytes.
    pub(crate) fn read(&mut self, line: &str, traits: Traits) -> Result<(), usize> {
        self.start();
        self.traits = traits;
        if traits.is_plain
            && plain::object(line.as_bytes(), |key, value| self.enter(line, key, value)).is_some()
        {
            self.document_traits = traits;
            return Ok(());
        }
        self.start();
        self.document_traits = Traits::UNKNOWN;
        let mut scanner = Scanner::new(line, traits.is_plain);
        scanner.skip_space();
        let read = scanner.object(|key, value| self.enter(line, key, value));
        if read.is_some() {
            scanner.skip_space();
        }
        if read.is_some() && scanner.is_at_end() { Ok(()) } else { Err(scanner.at.min(line.len())) }
    }

    fn start(&mut self) {
        self.values.fill(None);
        self.unexpected.clear();
        self.likely = 0;
    }

    /// Takes a member.
    #[inline]
    fn enter(&mut self, line: &str, key: Range<usize>, value: Range<usize>) {
        let Self { slots, names, values, unexpected, likely, traits, key_text, .. } = self;
        let raw = line.get(key.clone()).unwrap_or_default();
        let slot = if names.get(*likely).is_some_and(|name| name == raw) {
            Some(*likely)
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
            *likely = slot.saturating_add(1);
        } else {
            unexpected.push((key, value));
        }
    }

    /// True when the line that was read last has one of the keys, or there are none to have.
    pub(crate) fn has_any(&self) -> bool {
        self.values.is_empty() || self.values.iter().any(Option::is_some)
    }

    /// The raw values of the line that was read last, by column; `None` for columns that read nothing.
    pub(crate) fn raws<'a>(&'a mut self, line: &'a str) -> impl Iterator<Item = Option<Raw<'a>>> {
        let Self { columns, values, traits, document_traits, texts, .. } = self;
        columns.iter().zip(texts).map(|(slot, text)| {
            let place = values.get((*slot)?).copied().flatten();
            Some(
                place.map_or(Raw::Missing, |(start, end)| {
                    raw(&line[start..end], *traits, *document_traits, text)
                }),
            )
        })
    }
}

fn raw<'a>(literal: &'a str, traits: Traits, document_traits: Traits, scratch: &'a mut String) -> Raw<'a> {
    match literal.as_bytes() {
        [b'n', ..] | [] => Raw::Missing,
        [b'"', ..] if traits.is_plain => {
            let inside = literal.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            Raw::JsonText(inside.unwrap_or_default(), traits)
        }
        [b'"', ..] => {
            unquote(literal, scratch).map_or(Raw::Malformed(literal), |text| Raw::JsonText(text, traits))
        }
        [b't' | b'f', ..] => Raw::JsonText(literal, traits),
        [b'{' | b'[', ..] => Raw::JsonDocument(literal, document_traits),
        _ => Raw::JsonNumber(literal),
    }
}
