//! One JSON object a line.

use std::collections::HashMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::cast::json::unquote;
use crate::program::{Column, Raw};

/// The keys that the columns read, and what a line says of them.
pub(crate) struct Keys {
    slots: HashMap<String, usize>,
    names: Vec<String>,
    /// The slot of each column; `None` for constants.
    pub(crate) columns: Vec<Option<usize>>,
    /// Where each slot's value is in the line that was read last.
    values: Vec<Option<(usize, usize)>>,
    /// The texts of strings that hold escapes, by slot.
    texts: Vec<String>,
}

impl Keys {
    pub(crate) fn new(columns: &[Column]) -> Self {
        let mut names: Vec<String> = Vec::new();
        let mut slots = HashMap::new();
        let mut of_columns = Vec::with_capacity(columns.len());
        for column in columns {
            if column.is_constant() {
                of_columns.push(None);
                continue;
            }
            let slot = *slots.entry(column.physical_name.clone()).or_insert_with(|| {
                names.push(column.physical_name.clone());
                names.len() - 1
            });
            of_columns.push(Some(slot));
        }
        let (values, texts) = (vec![None; names.len()], vec![String::new(); names.len()]);
        Self { slots, names, columns: of_columns, values, texts }
    }

    /// Reads a line. Of a key that stands twice the last value counts.
    pub(crate) fn read(&mut self, line: &str) -> Result<(), serde_json::Error> {
        self.values.fill(None);
        let mut deserializer = serde_json::Deserializer::from_str(line);
        let Self { slots, names, values, .. } = self;
        deserializer.deserialize_map(Object { line, slots, names, values })?;
        deserializer.end()
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

struct Object<'a> {
    line: &'a str,
    slots: &'a HashMap<String, usize>,
    names: &'a [String],
    values: &'a mut [Option<(usize, usize)>],
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut likely = 0;
        loop {
            let key = Key { slots: self.slots, names: self.names, likely };
            match entries.next_key_seed(key)? {
                None => return Ok(()),
                Some(None) => drop(entries.next_value::<IgnoredAny>()?),
                Some(Some(slot)) => {
                    let value: &'de RawValue = entries.next_value()?;
                    // The value's text is a part of the line: the distance of their addresses is its place.
                    let start = value.get().as_ptr().addr() - self.line.as_ptr().addr();
                    self.values[slot] = Some((start, start + value.get().len()));
                    likely = slot + 1;
                }
            }
        }
    }
}

/// Looks up a key without copying it.
struct Key<'a> {
    slots: &'a HashMap<String, usize>,
    names: &'a [String],
    /// Keys mostly come in the order of the contract.
    likely: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        if self.names.get(self.likely).is_some_and(|name| name == key) {
            return Ok(Some(self.likely));
        }
        Ok(self.slots.get(key).copied())
    }
}
