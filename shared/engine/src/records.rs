//! Records out of a stream: a buffer that holds one record at the least, and the two formats that are read from it.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::io::Read;

use memchr::{memchr, memchr_iter};
use penstock_contract::{DelimitedDialect, FormatKind, Quote};
use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::check::Raw;
use crate::input::Input;
use crate::plan::Plan;
use crate::{Code, ReadError};

const READ_BYTES: usize = 256 * 1024;
const DELIMITERS: [u8; 4] = *b",;\t|";

/// The part of the stream that is in memory.
pub(crate) struct Window<R: Read> {
    input: Input<R>,
    buffer: Vec<u8>,
    start: usize,
    /// Offset of `buffer[start]` in the decompressed stream.
    pub(crate) offset: u64,
    ended: bool,
}

impl<R: Read> Window<R> {
    pub(crate) fn new(input: Input<R>) -> Self {
        Self { input, buffer: Vec::with_capacity(2 * READ_BYTES), start: 0, offset: 0, ended: false }
    }

    pub(crate) fn input(&self) -> &Input<R> {
        &self.input
    }

    pub(crate) fn ahead(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Reads on; false at the end of the stream.
    pub(crate) fn fill(&mut self) -> Result<bool, ReadError> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let held = self.buffer.len();
        self.buffer.resize(held.saturating_add(READ_BYTES), 0);
        let count = self.input.read(self.buffer.get_mut(held..).unwrap_or_default())?;
        self.buffer.truncate(held.saturating_add(count));
        self.ended = count == 0;
        Ok(!self.ended)
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start = self.start.saturating_add(bytes).min(self.buffer.len());
        self.offset = self.offset.saturating_add(bytes as u64);
    }

    /// Length of the next line with its end, and whether it is longer than `max_bytes` (then the length is
    /// what is in memory). `None` at the end.
    pub(crate) fn line(&mut self, max_bytes: usize) -> Result<Option<(usize, bool)>, ReadError> {
        let mut searched = 0;
        loop {
            let ahead = self.ahead();
            if let Some(at) = memchr(b'\n', ahead.get(searched..).unwrap_or_default()) {
                return Ok(Some((searched.saturating_add(at).saturating_add(1), false)));
            }
            searched = ahead.len();
            if searched > max_bytes {
                return Ok(Some((searched, true)));
            }
            if !self.fill()? {
                let rest = self.ahead().len();
                return Ok((rest > 0).then_some((rest, false)));
            }
        }
    }
}

/// Takes a line's end off.
pub(crate) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A file's format, with every part known.
pub(crate) enum Format {
    Delimited(Delimited),
    Ndjson(Ndjson),
}

/// A delimited file's dialect, and where each column of the plan stands.
pub(crate) struct Delimited {
    pub(crate) delimiter: u8,
    pub(crate) quote: Option<u8>,
    escape: Option<u8>,
    pub(crate) header: bool,
    /// Fields a record must have.
    fields: usize,
    /// For each column the field that it reads.
    positions: Vec<Option<usize>>,
}

/// A record's text, and its fields in it or beside it.
#[derive(Default)]
pub(crate) struct Fields {
    spans: Vec<(usize, usize)>,
    unquoted: String,
}

/// What the next bytes hold.
pub(crate) enum Quoted {
    /// A record of so many bytes, its line end included.
    Record(usize),
    /// The record does not end in what is in memory.
    Open,
    /// A quote in the wrong place.
    Malformed,
}

impl Delimited {
    /// Settles the dialect by the contract and the first line.
    pub(crate) fn settle(dialect: &DelimitedDialect, first: &[u8], assumed: &mut Vec<String>) -> Self {
        let mut assume = |part: &str, known: bool| {
            if !known {
                assumed.push(part.to_owned());
            }
        };
        assume("delimiter", dialect.delimiter.is_some());
        assume("quote", dialect.quote.is_some());
        assume("header", dialect.header.is_some());
        let most = |delimiter: &u8| memchr_iter(*delimiter, first).count();
        let delimiter = dialect
            .delimiter
            // Of equals the first of the list; `max_by_key` would take the last.
            .or_else(|| DELIMITERS.into_iter().rev().max_by_key(most))
            .unwrap_or(b',');
        let quote = match dialect.quote {
            Some(Quote::None) => None,
            Some(Quote::Byte(byte)) => Some(byte),
            None => Some(b'"'),
        };
        Self {
            delimiter,
            quote,
            escape: dialect.escape,
            header: dialect.header.unwrap_or(true),
            fields: 0,
            positions: Vec::new(),
        }
    }

    /// Finds each column's field.
    pub(crate) fn bind(&mut self, plan: &Plan, header: Option<&[String]>) -> Result<(), String> {
        let read = |column: &&crate::plan::PlanColumn| column.constant.is_none();
        let Some(header) = header else {
            let mut next = 0usize;
            self.positions = (plan.columns.iter())
                .map(|column| {
                    column.constant.is_none().then(|| {
                        let at = next;
                        next = next.saturating_add(1);
                        at
                    })
                })
                .collect();
            self.fields = next;
            return Ok(());
        };
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (at, name) in header.iter().enumerate() {
            if seen.insert(name.as_str(), at).is_some() {
                return Err(format!("the header names `{name}` twice"));
            }
        }
        let lacking: Vec<&str> = (plan.columns.iter())
            .filter(read)
            .filter(|column| column.default.is_none() && !seen.contains_key(column.physical_name.as_str()))
            .map(|column| column.physical_name.as_str())
            .collect();
        if !lacking.is_empty() {
            return Err(format!(
                "the header lacks {}; it has {}: mend the file, or the contract's physicalName",
                lacking.join(", "),
                header.join(", ")
            ));
        }
        self.positions = (plan.columns.iter())
            .map(|column| {
                seen.get(column.physical_name.as_str()).copied().filter(|_| column.constant.is_none())
            })
            .collect();
        self.fields = header.len();
        Ok(())
    }

    pub(crate) fn has_quote(&self, line: &[u8]) -> bool {
        self.quote.is_some_and(|quote| memchr(quote, line).is_some())
    }

    /// Splits a record without quotes.
    pub(crate) fn split(&self, record: &str, fields: &mut Fields) {
        fields.spans.clear();
        let mut from = 0;
        for at in memchr_iter(self.delimiter, record.as_bytes()) {
            fields.spans.push((from, at));
            from = at.saturating_add(1);
        }
        fields.spans.push((from, record.len()));
    }

    /// Finds the end of a record that holds quotes.
    pub(crate) fn quoted_end(&self, bytes: &[u8], ended: bool) -> Quoted {
        let quote = self.quote.unwrap_or(b'"');
        let mut at = 0usize;
        let mut inside = false;
        let mut field_start = true;
        while let Some(&byte) = bytes.get(at) {
            let next = bytes.get(at.saturating_add(1)).copied();
            if inside {
                if self.escape == Some(byte) && byte != quote && next.is_some() {
                    at = at.saturating_add(1);
                } else if byte == quote {
                    match next {
                        Some(next) if next == quote => at = at.saturating_add(1),
                        None if !ended => return Quoted::Open,
                        Some(next) if next != self.delimiter && next != b'\n' && next != b'\r' => {
                            return Quoted::Malformed;
                        }
                        Some(_) | None => inside = false,
                    }
                }
            } else if byte == b'\n' {
                return Quoted::Record(at.saturating_add(1));
            } else if byte == quote && field_start {
                inside = true;
            }
            field_start = !inside && byte == self.delimiter;
            at = at.saturating_add(1);
        }
        match (ended, inside) {
            (false, _) => Quoted::Open,
            (true, true) => Quoted::Malformed,
            (true, false) => Quoted::Record(bytes.len()),
        }
    }

    /// Splits a record with quotes; its fields are put into `fields.unquoted`.
    pub(crate) fn split_quoted(&self, record: &str, fields: &mut Fields) {
        fields.spans.clear();
        fields.unquoted.clear();
        let quote = char::from(self.quote.unwrap_or(b'"'));
        let (delimiter, escape) = (char::from(self.delimiter), self.escape.map(char::from));
        let (mut from, mut inside, mut field_start) = (0, false, true);
        let mut chars = record.chars().peekable();
        while let Some(char) = chars.next() {
            if inside {
                if escape == Some(char) && char != quote {
                    fields.unquoted.extend(chars.next());
                } else if char == quote {
                    if chars.next_if_eq(&quote).is_some() {
                        fields.unquoted.push(quote);
                    } else {
                        inside = false;
                    }
                } else {
                    fields.unquoted.push(char);
                }
            } else if char == delimiter {
                fields.spans.push((from, fields.unquoted.len()));
                from = fields.unquoted.len();
                field_start = true;
                continue;
            } else if char == quote && field_start {
                inside = true;
            } else {
                fields.unquoted.push(char);
            }
            field_start = false;
        }
        fields.spans.push((from, fields.unquoted.len()));
    }

    /// Too few or too many fields.
    pub(crate) fn count_fault(&self, fields: &Fields) -> Option<(Code, String)> {
        let rule = || format!("{} fields, not {}", self.fields, fields.spans.len());
        match fields.spans.len().cmp(&self.fields) {
            std::cmp::Ordering::Less => Some((Code::TooFewFields, rule())),
            std::cmp::Ordering::Greater => Some((Code::TooManyFields, rule())),
            std::cmp::Ordering::Equal => None,
        }
    }

    /// A column's value in a split record.
    pub(crate) fn value<'a>(
        &self,
        fields: &'a Fields,
        record: &'a str,
        column: usize,
        quoted: bool,
    ) -> Raw<'a> {
        let text = if quoted { fields.unquoted.as_str() } else { record };
        let span = self.positions.get(column).copied().flatten().and_then(|at| fields.spans.get(at));
        match span.and_then(|(from, to)| text.get(*from..*to)) {
            None | Some("") => Raw::Missing,
            Some(text) => Raw::Text(Cow::Borrowed(text)),
        }
    }

    /// The header's names.
    pub(crate) fn names(&self, record: &str) -> Vec<String> {
        let mut fields = Fields::default();
        let quoted = self.has_quote(record.as_bytes());
        if quoted {
            self.split_quoted(record, &mut fields);
        } else {
            self.split(record, &mut fields);
        }
        let text = if quoted { fields.unquoted.as_str() } else { record };
        fields
            .spans
            .iter()
            .filter_map(|(from, to)| text.get(*from..*to))
            .map(|name| name.trim().to_owned())
            .collect()
    }
}

/// Where each key's value belongs.
pub(crate) struct Ndjson {
    columns: HashMap<String, Vec<usize>>,
    count: usize,
}

impl Ndjson {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut columns: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, column) in plan.columns.iter().enumerate().filter(|(_, column)| column.constant.is_none())
        {
            columns.entry(column.physical_name.clone()).or_default().push(index);
        }
        Self { columns, count: plan.columns.len() }
    }

    /// A line's values by column; `None` when the line is no JSON object.
    pub(crate) fn values<'a>(&self, line: &'a str) -> Option<Vec<Raw<'a>>> {
        let mut deserializer = serde_json::Deserializer::from_str(line);
        let values = deserializer.deserialize_map(ObjectVisitor(self)).ok()?;
        deserializer.end().ok()?;
        Some(values)
    }
}

struct ObjectVisitor<'p>(&'p Ndjson);

impl<'de> Visitor<'de> for ObjectVisitor<'_> {
    type Value = Vec<Raw<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut values = vec![Raw::Missing; self.0.count];
        while let Some(key) = map.next_key::<CowKey<'de>>()? {
            let Some(columns) = self.0.columns.get(key.0.as_ref()) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let text = map.next_value::<&'de RawValue>()?.get();
            let value = json_value(text).ok_or_else(|| serde::de::Error::custom("broken string"))?;
            for column in columns {
                if let Some(slot) = values.get_mut(*column) {
                    *slot = value.clone();
                }
            }
        }
        Ok(values)
    }
}

#[derive(serde::Deserialize)]
struct CowKey<'a>(#[serde(borrow)] Cow<'a, str>);

fn json_value(text: &str) -> Option<Raw<'_>> {
    Some(match text.as_bytes().first()? {
        b'"' => {
            let CowKey(text) = serde_json::from_str(text).ok()?;
            if text.is_empty() { Raw::Missing } else { Raw::Text(text) }
        }
        b'{' | b'[' => Raw::Nested(text),
        b't' => Raw::Boolean(true),
        b'f' => Raw::Boolean(false),
        b'n' => Raw::Missing,
        _ => Raw::Text(Cow::Borrowed(text)),
    })
}

/// What the contract says of the format, with the first line at hand.
pub(crate) fn settle(plan: &Plan, first: &[u8], assumed: &mut Vec<String>) -> Format {
    match &plan.format.kind {
        FormatKind::Delimited(dialect) => Format::Delimited(Delimited::settle(dialect, first, assumed)),
        _ => Format::Ndjson(Ndjson::new(plan)),
    }
}
