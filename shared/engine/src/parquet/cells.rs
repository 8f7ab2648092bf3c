//! The cells of a batch's columns, as raw values and as JSON.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use parquet::schema::types::TypePtr;

use super::texts::ColumnTexts;
use super::values::{Cells, Integers, Values};
use super::written::WrittenCell;
use crate::cast::text::Traits;
use crate::cast::typed::{Typed, duration, write_json_text, write_plain_json_text};
use crate::program::Raw;
use crate::rows::checked;

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
    /// The cells of a field of the file with those leaves. `nanos`: the same once more with INT96 in nanoseconds.
    pub(super) fn new(
        array: &'a ArrayRef,
        leaves: &[TypePtr],
        nanos: Option<&'a ArrayRef>,
        texts: &'a ColumnTexts,
    ) -> Self {
        Self { texts: Some(texts), ..Self::inner(array, nanos, &mut leaves.iter()) }
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
            | Values::Bson(_)
            | Values::Interval(_)
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
    pub(super) fn texts(&self) -> Option<checked::TextColumn<'_>> {
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
    pub(super) fn raw<'r>(&'r self, row: usize, written: &'r WrittenCell) -> Raw<'r>
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
            Values::LongDecimal(_) => Raw::JsonNumber(written.text()),
            Values::Struct(_) | Values::List(..) | Values::Map(..) => match written.fault() {
                None => Raw::JsonDocument(written.text(), Traits::UNKNOWN),
                Some(unfit) => Raw::Unfit(unfit),
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
    pub(super) fn write_json(&self, row: usize, out: &mut WrittenCell) {
        if self.is_null(row) {
            out.push("null");
            return;
        }
        match &self.values {
            Values::Views(_) | Values::Coded(..) => match self.text(row) {
                Some((text, traits)) if traits.is_plain => write_plain_json_text(text, out.plain()),
                Some(_) | None => out.push_bytes(self.bytes(row)),
            },
            Values::Bytes(array) => out.push_bytes(array.value(row)),
            Values::Fixed(array) => out.push_bytes(array.value(row)),
            Values::LongDecimal(array) => out.push(&array.value_as_string(row)),
            Values::Bson(array) => out.push_foreign("BSON", binary(array, row)),
            Values::Interval(array) => match interval(array.value(row)) {
                Some(text) => out.push_duration(&text),
                None => out.push_foreign("INTERVAL", array.value(row)),
            },
            Values::Struct(members) => {
                out.list('{', '}', members, |out, (name, cells)| {
                    write_json_text(name, out.plain());
                    out.push(":");
                    cells.write_json(row, out);
                });
            }
            Values::List(offsets, items) => {
                out.list('[', ']', range(offsets, row), |out, item| items.write_json(item, out));
            }
            Values::Map(offsets, keys, values) => {
                out.list('{', '}', range(offsets, row), |out, entry| {
                    out.key(|out| keys.write_json(entry, out));
                    out.push(":");
                    values.write_json(entry, out);
                });
            }
            values => match values.typed(row) {
                None => out.push("null"),
                Some(typed) => out.push_typed(typed),
            },
        }
    }
}

/// A value of a dictionary.
fn decoded<'a>(codes: &[i32], dictionary: &'a BinaryArray, row: usize) -> &'a [u8] {
    let code = codes.get(row).and_then(|code| usize::try_from(*code).ok());
    code.filter(|code| *code < dictionary.len()).map_or(&[], |code| dictionary.value(code))
}

/// A value of a column of bytes, whichever way they are kept.
fn binary(array: &ArrayRef, row: usize) -> &[u8] {
    let views = array.as_binary_view_opt().map(|views| views.value(row));
    views.or_else(|| array.as_binary_opt::<i32>().map(|bytes| bytes.value(row))).unwrap_or_default()
}

/// The text of an INTERVAL: months, days and milliseconds, least significant byte first.
fn interval(bytes: &[u8]) -> Option<String> {
    let ([months, days, millis], []) = bytes.as_chunks::<4>() else { return None };
    let [months, days, millis] = [months, days, millis].map(|bytes| u32::from_le_bytes(*bytes));
    Some(duration(months, days, millis))
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
