//! JSON objects: the members that columns read.

use std::collections::HashMap;
use std::ops::Range;

use crate::cast::json::keys::{has_equal, word};
use crate::cast::json::{MAX_DEPTH, Scanner, key_text, plain, repeated, unquote};
use crate::cast::text::Traits;
use crate::program::{PlanColumn, Raw};

/// The keys that the columns read, and the members of the last object.
pub(crate) struct ObjectKeys {
    /// The slot of each column; `None` for columns that read no field.
    columns: Vec<Option<usize>>,
    members: Members,
    /// Hashes of the keys that no column reads.
    unexpected_words: Vec<u64>,
    /// The traits of the objects and arrays in the line.
    document_traits: Traits,
    /// Buffers for strings with escapes, by column.
    texts: Vec<String>,
}

/// The members of a line.
struct Members {
    slots: HashMap<String, usize>,
    names: Vec<String>,
    /// The range of each slot's value.
    values: Vec<Option<(usize, usize)>>,
    /// The members that no column reads: the ranges of the key without its quotes and of the value.
    unexpected: Vec<(Range<usize>, Range<usize>)>,
    /// The path of a key that occurs twice: in the line's object, or within a value that no column reads. The columns check the
    /// other values.
    repeated: Option<String>,
    /// The slot of the next key, if the keys are in the order of the contract.
    likely: usize,
    /// The traits of the line.
    traits: Traits,
    /// A buffer for a key with escapes.
    key_text: String,
}

impl ObjectKeys {
    pub(crate) fn new(columns: &[PlanColumn]) -> Self {
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
        let members = Members {
            slots,
            values: vec![None; names.len()],
            names,
            unexpected: Vec::new(),
            repeated: None,
            likely: 0,
            traits: Traits::UNKNOWN,
            key_text: String::new(),
        };
        Self {
            columns: of_columns,
            members,
            unexpected_words: Vec::new(),
            document_traits: Traits::UNKNOWN,
            texts: vec![String::new(); columns.len()],
        }
    }

    /// Returns the members of the last line that no column reads: the ranges of the key without its quotes and of the value.
    pub(crate) fn unexpected(&self) -> &[(Range<usize>, Range<usize>)] {
        &self.members.unexpected
    }

    /// Returns the path of a key that occurs twice in the last line: in its object, or within a value that no column reads.
    pub(crate) fn repeated(&self) -> Option<&str> {
        self.members.repeated.as_deref()
    }

    /// Reads a line. A key that occurs twice is [`repeated`](Self::repeated) and has its last value.
    ///
    /// # Errors
    /// If the line is not a JSON object, with the position of the fault.
    pub(crate) fn read(&mut self, line: &str, traits: Traits) -> Result<(), NoObject> {
        let Self { members, document_traits, .. } = self;
        members.start(traits);
        let is_plain = traits.is_plain
            && plain::object(line.as_bytes(), |key, value| members.enter(line, key, value)).is_some();
        if is_plain {
            *document_traits = traits;
        } else {
            *document_traits = Traits::UNKNOWN;
            members.read_thoroughly(line, traits)?;
        }
        if members.unexpected.len() > 1 && members.repeated.is_none() {
            members.compare_unexpected(line, &mut self.unexpected_words);
        }
        Ok(())
    }

    /// Returns whether the last line has one of the keys, or no column reads a key.
    pub(crate) fn has_any(&self) -> bool {
        let values = &self.members.values;
        values.is_empty() || values.iter().any(Option::is_some)
    }

    /// Returns the raw values of the last line, by column; `None` for columns that read no field.
    pub(crate) fn raws<'a>(&'a mut self, line: &'a str) -> impl Iterator<Item = Option<Raw<'a>>> {
        let Self { columns, members: Members { values, traits, .. }, document_traits, texts, .. } = self;
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

impl Members {
    fn start(&mut self, traits: Traits) {
        self.values.fill(None);
        self.unexpected.clear();
        self.repeated = None;
        self.likely = 0;
        self.traits = traits;
    }

    fn read_thoroughly(&mut self, line: &str, traits: Traits) -> Result<(), NoObject> {
        self.start(traits);
        let mut scanner = Scanner::new(line, traits.is_plain);
        scanner.skip_space();
        let read = scanner.object(|key, value| self.enter(line, key, value));
        if read.is_some() {
            scanner.skip_space();
        }
        if read.is_none() || !scanner.is_at_end() {
            let at = scanner.at.min(line.len());
            return Err(if scanner.is_too_deep { NoObject::TooDeep(at) } else { NoObject::Malformed(at) });
        }
        if scanner.may_repeat && self.repeated.is_none() {
            self.repeated = self.unexpected.iter().find_map(|(key, value)| {
                let path = repeated::key(line.get(value.clone())?)?;
                let dot = if path.starts_with('[') { "" } else { "." };
                Some(format!("{}{dot}{path}", key_text(line, key.clone())))
            });
        }
        Ok(())
    }

    /// Stores the range of a member.
    #[inline]
    fn enter(&mut self, line: &str, key: Range<usize>, value: Range<usize>) {
        let Self { slots, names, values, unexpected, repeated, likely, traits, key_text, .. } = self;
        let raw = line.get(key.clone()).expect("the key is within the line");
        let slot = if names.get(*likely).is_some_and(|name| name == raw) {
            Some(*likely)
        } else if traits.is_plain || !raw.contains('\\') {
            slots.get(raw).copied()
        } else {
            // Including its quotes.
            let literal = line.get(key.start.saturating_sub(1)..key.end.saturating_add(1));
            let name = literal.and_then(|literal| unquote(literal, key_text));
            name.and_then(|name| slots.get(name).copied())
        };
        if let Some(slot) = slot {
            let place = values.get_mut(slot).and_then(|place| place.replace((value.start, value.end)));
            if place.is_some() && repeated.is_none() {
                *repeated = names.get(slot).cloned();
            }
            *likely = slot.saturating_add(1);
        } else {
            unexpected.push((key, value));
        }
    }

    /// Compares the keys that no column reads with each other. `words` is a buffer for their hashes.
    fn compare_unexpected(&mut self, line: &str, words: &mut Vec<u64>) {
        let Self { unexpected, repeated, traits, .. } = self;
        words.clear();
        words.extend(unexpected.iter().map(|(key, _)| {
            let text = line.get(key.start..).expect("the key is within the line");
            if traits.is_plain {
                return word(text.as_bytes(), key.len());
            }
            let key = key_text(line, key.clone());
            word(key.as_bytes(), key.len())
        }));
        if has_equal(words) {
            *repeated = repeated::text(unexpected.iter().map(|(key, _)| key_text(line, key.clone())));
        }
    }
}

/// The reason for which a text is not a JSON object, with the position of the fault in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoObject {
    Malformed(usize),
    /// Objects or arrays are nested deeper than [`MAX_DEPTH`].
    TooDeep(usize),
}

impl NoObject {
    /// Returns the violated rule and what was found. `unit` is the name of the text: a line or an element.
    pub(crate) fn in_words(self, line: &str, unit: &str) -> (String, String) {
        match self {
            Self::Malformed(at) => {
                let rule = format!("one JSON object per {unit}");
                let found = if at == line.len() {
                    format!("the {unit} ends within the object")
                } else {
                    format!("unexpected character at byte {at} of the {unit}")
                };
                (rule, found)
            }
            Self::TooDeep(at) => (
                format!("objects and arrays nested at most {MAX_DEPTH} levels deep"),
                format!("a deeper level at byte {at} of the {unit}"),
            ),
        }
    }
}

fn raw<'a>(literal: &'a str, traits: Traits, document_traits: Traits, scratch: &'a mut String) -> Raw<'a> {
    match literal.as_bytes() {
        [b'n', ..] | [] => Raw::Missing,
        [b'"', ..] if traits.is_plain => {
            let inside = literal.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
            Raw::JsonText(inside.expect("a string has quotes on both sides"), traits)
        }
        [b'"', ..] => {
            unquote(literal, scratch).map_or(Raw::Malformed(literal), |text| Raw::JsonText(text, traits))
        }
        [b't' | b'f', ..] => Raw::JsonText(literal, traits),
        [b'{' | b'[', ..] => Raw::JsonDocument(literal, document_traits),
        _ => Raw::JsonNumber(literal),
    }
}
