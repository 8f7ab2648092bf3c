//! The cells of a batch's columns, as raw values and as JSON.

use arrow_array::types::{TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use parquet::schema::types::Type;

use super::texts::Texts;
use super::values::{Integers, Values, primitive};
use crate::cast::text::Traits;
use crate::cast::typed::{Typed, write_json_text, write_plain_json_text};
use crate::program::Raw;
use crate::rows::checked;

/// A column of a batch, or a member of a nested one.
pub(super) struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
    /// Of a field of the file.
    texts: Option<&'a Texts>,
}

/// The values of a column; missing ones are anything.
pub(super) enum Numbers<'a> {
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    /// With its scale.
    Decimal(&'a [i128], i8),
    /// Microseconds, and whether they are those of UTC.
    Timestamp(&'a [i64], bool),
}

impl<'a> Cells<'a> {
    /// The cells of a field of the file. `nanos`: those of an INT96 column, once more in nanoseconds.
    pub(super) fn new(
        array: &'a ArrayRef,
        field: &Type,
        nanos: Option<&'a ArrayRef>,
        texts: &'a Texts,
    ) -> Self {
        let values = match nanos {
            Some(nanos) => Values::Int96(
                primitive::<TimestampMicrosecondType>(array),
                primitive::<TimestampNanosecondType>(nanos),
            ),
            None => Values::of(array, Some(field)),
        };
        Self { nulls: array.nulls(), values, texts: Some(texts) }
    }

    pub(super) fn inner(array: &'a ArrayRef) -> Self {
        Self { nulls: array.nulls(), values: Values::of(array, None), texts: None }
    }

    /// True when a value's text has to be written before it can be one.
    pub(super) fn is_written(&self) -> bool {
        matches!(self.values, Values::Struct(_) | Values::List(..) | Values::Map(..) | Values::LongDecimal(_))
    }

    /// True when the values can be checked as a column: numbers and the like, and texts that stand side by side.
    pub(super) fn is_plain(&self) -> bool {
        match self.values {
            Values::Views(_) | Values::Coded(..) => self.texts().is_some(),
            Values::Null
            | Values::Boolean(_)
            | Values::Integers(_)
            | Values::Uint64(_)
            | Values::Float16(_)
            | Values::Float32(_)
            | Values::Float64(_)
            | Values::Date(_)
            | Values::TimeMillis(_)
            | Values::TimeMicros(_)
            | Values::TimeNanos(_)
            | Values::TimestampMillis(..)
            | Values::TimestampMicros(..)
            | Values::TimestampNanos(..)
            | Values::Int96(..)
            | Values::Decimal(..)
            | Values::Uuid(_)
            | Values::Foreign(_) => true,
            Values::LongDecimal(_)
            | Values::Bytes(_)
            | Values::Fixed(_)
            | Values::Struct(_)
            | Values::List(..)
            | Values::Map(..) => false,
        }
    }

    /// The values as numbers, where they are of a kind that is often and quickly taken.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are rare, or no numbers")]
    pub(super) fn numbers(&self) -> Option<Numbers<'_>> {
        match &self.values {
            Values::Integers(Integers::Int64(values)) => Some(Numbers::Int64(values)),
            Values::Integers(Integers::Int32(values)) => Some(Numbers::Int32(values)),
            Values::Decimal(values, scale) => Some(Numbers::Decimal(values, *scale)),
            Values::TimestampMicros(values, is_utc) => Some(Numbers::Timestamp(values, *is_utc)),
            _ => None,
        }
    }

    /// The texts of a column of texts, or of its dictionary.
    pub(super) fn texts(&self) -> Option<checked::Texts<'_>> {
        let is_text = matches!(self.values, Values::Views(_) | Values::Coded(..));
        if is_text { self.texts?.whole() } else { None }
    }

    /// The places in a dictionary, with its number.
    pub(super) fn codes(&self) -> Option<(&[i32], u64)> {
        let Values::Coded(codes, _) = self.values else { return None };
        Some((codes, self.texts?.dictionary()?))
    }

    /// Bytes of a value whose length is its own; 0 for others.
    #[inline]
    pub(super) fn length(&self, row: usize) -> usize {
        self.bytes(row).len()
    }

    /// The raw value. `written`: the text of a value that [`is_written`](Self::is_written).
    #[inline]
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are typed")]
    pub(super) fn raw<'r>(&'r self, row: usize, written: &'r Written) -> Raw<'r>
    where
        'a: 'r,
    {
        if self.is_null(row) {
            return Raw::Missing;
        }
        match &self.values {
            Values::Views(_) | Values::Coded(..) => match self.text(row) {
                Some((text, traits)) => Raw::Text(text, traits),
                None => bytes(self.bytes(row)),
            },
            Values::Bytes(array) => bytes(array.value(row)),
            Values::Fixed(array) => bytes(array.value(row)),
            Values::LongDecimal(_) => Raw::JsonNumber(&written.text),
            Values::Struct(_) | Values::List(..) | Values::Map(..) => match written.foreign {
                None => Raw::JsonDocument(&written.text, Traits::UNKNOWN),
                Some(foreign) => Raw::Typed(Typed::Foreign(foreign)),
            },
            values => values.typed(row).map_or(Raw::Missing, Raw::Typed),
        }
    }

    /// A value of a column of texts, if it is known to be one.
    #[inline]
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are no texts")]
    fn text(&self, row: usize) -> Option<(&'a str, Traits)> {
        let texts = self.texts?;
        match &self.values {
            Values::Views(_) => texts.get(row),
            Values::Coded(codes, _) => texts.get(codes.get(row)?.cast_unsigned() as usize),
            _ => None,
        }
    }

    /// A value of a column of texts, whatever it is; nothing of others.
    #[inline]
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are no texts")]
    fn bytes(&self, row: usize) -> &'a [u8] {
        match &self.values {
            Values::Views(array) => array.value(row),
            Values::Coded(codes, dictionary) => decoded(codes, dictionary, row),
            _ => &[],
        }
    }

    pub(super) fn nulls(&self) -> Option<&'a NullBuffer> {
        self.nulls
    }

    #[inline]
    pub(super) fn is_null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Writes a value as JSON.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all others are typed")]
    pub(super) fn write_json(&self, row: usize, out: &mut Written) {
        if self.is_null(row) {
            out.text.push_str("null");
            return;
        }
        match &self.values {
            Values::Views(_) | Values::Coded(..) => match self.text(row) {
                Some((text, traits)) if traits.is_plain => write_plain_json_text(text, &mut out.text),
                Some((text, _)) => write_json_text(text, &mut out.text),
                None => out.push_bytes(self.bytes(row)),
            },
            Values::Bytes(array) => out.push_bytes(array.value(row)),
            Values::Fixed(array) => out.push_bytes(array.value(row)),
            Values::LongDecimal(array) => out.text.push_str(&array.value_as_string(row)),
            Values::Struct(members) => {
                out.list('{', '}', members, |out, (name, cells)| {
                    write_json_text(name, &mut out.text);
                    out.text.push(':');
                    cells.write_json(row, out);
                });
            }
            Values::List(offsets, items) => {
                out.list('[', ']', range(offsets, row), |out, item| items.write_json(item, out));
            }
            Values::Map(offsets, keys, values) => {
                out.list('{', '}', range(offsets, row), |out, entry| {
                    keys.write_key(entry, out);
                    out.text.push(':');
                    values.write_json(entry, out);
                });
            }
            values => match values.typed(row) {
                None => out.text.push_str("null"),
                Some(typed) => {
                    if let Typed::Foreign(kind) = typed {
                        out.foreign = Some(kind);
                    }
                    typed.write_json(&mut out.text);
                }
            },
        }
    }

    /// Writes a key of a map: a string, whatever it is.
    fn write_key(&self, entry: usize, out: &mut Written) {
        let start = out.text.len();
        self.write_json(entry, out);
        if out.text.get(start..).is_some_and(|key| !key.starts_with('"')) {
            let key = out.text.split_off(start);
            write_json_text(&key, &mut out.text);
        }
    }
}

/// A text under construction.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) text: String,
    /// A part that JSON cannot hold.
    pub(super) foreign: Option<&'static str>,
}

impl Written {
    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.foreign = None;
    }

    fn push_bytes(&mut self, bytes: &[u8]) {
        match str::from_utf8(bytes) {
            Ok(text) => write_json_text(text, &mut self.text),
            Err(_) => {
                self.foreign = Some("bytes that are not UTF-8");
                Typed::Bytes(bytes).write_json(&mut self.text);
            }
        }
    }

    pub(super) fn list<T>(
        &mut self,
        open: char,
        close: char,
        parts: impl IntoIterator<Item = T>,
        mut part: impl FnMut(&mut Self, T),
    ) {
        self.text.push(open);
        for (index, item) in parts.into_iter().enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            part(self, item);
        }
        self.text.push(close);
    }
}

/// A value of a dictionary.
fn decoded<'a>(codes: &[i32], dictionary: &'a BinaryArray, row: usize) -> &'a [u8] {
    let code = codes.get(row).and_then(|code| usize::try_from(*code).ok());
    code.filter(|code| *code < dictionary.len()).map_or(&[], |code| dictionary.value(code))
}

#[inline]
fn bytes(bytes: &[u8]) -> Raw<'_> {
    match str::from_utf8(bytes) {
        Ok(text) => Raw::Text(text, Traits::of(bytes)),
        Err(_) => Raw::Typed(Typed::Bytes(bytes)),
    }
}

fn range(offsets: &OffsetBuffer<i32>, row: usize) -> std::ops::Range<usize> {
    let at = |index: usize| {
        offsets.get(index).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or_default()
    };
    at(row)..at(row.saturating_add(1))
}
