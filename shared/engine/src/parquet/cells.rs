//! The cells of a column, as raw values and as JSON.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BinaryArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use parquet::schema::types::TypePtr;

use super::texts::ColumnTexts;
use super::values::{Cells, Integers, ScalarValues, TextValues, Values};
use super::written::WrittenCell;
use crate::cast::text::Traits;
use crate::cast::typed::{Typed, duration, write_json_text, write_plain_json_text};
use crate::program::Raw;
use crate::rows::checked;

/// Descriptions of types that no column accepts.
const BSON: &str = "BSON";
const INTERVAL: &str = "INTERVAL";

/// The numbers of a column. Those of null rows are arbitrary.
pub(super) enum Numbers<'a> {
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    /// Unscaled values and their scale.
    Decimal(&'a [i128], i8),
    /// Microseconds, and whether they are in UTC.
    Timestamp(&'a [i64], bool),
}

impl<'a> Cells<'a> {
    /// Returns the cells of a field. `leaves`: its leaf columns; `nanos`: the same array with INT96 in nanoseconds.
    pub(super) fn new(
        array: &'a ArrayRef,
        leaves: &[TypePtr],
        nanos: Option<&'a ArrayRef>,
        texts: &'a ColumnTexts,
    ) -> Self {
        Self { texts: Some(texts), ..Self::inner(array, nanos, &mut leaves.iter()) }
    }

    /// Returns whether values must be written as text before they can be checked.
    pub(super) fn is_written(&self) -> bool {
        matches!(self.values, Values::Struct(_) | Values::List(..) | Values::Map(..) | Values::LongDecimal(_))
    }

    /// Returns whether the values can be checked column by column: scalars, and texts that are stored in
    /// [`ColumnTexts`].
    pub(super) fn is_plain(&self) -> bool {
        match self.values {
            Values::Text(_) => self.texts().is_some(),
            Values::Null | Values::Scalar(_) | Values::Bson(_) | Values::Interval(_) | Values::Foreign(_) => {
                true
            }
            Values::LongDecimal(_)
            | Values::Bytes(_)
            | Values::Fixed(_)
            | Values::Struct(_)
            | Values::List(..)
            | Values::Map(..) => false,
        }
    }

    /// Returns the values as numbers, for the number types that have a fast path.
    pub(super) fn numbers(&self) -> Option<Numbers<'_>> {
        let Values::Scalar(scalars) = &self.values else { return None };
        match scalars {
            ScalarValues::Integers(Integers::Int64(values)) => Some(Numbers::Int64(values)),
            ScalarValues::Integers(Integers::Int32(values)) => Some(Numbers::Int32(values)),
            ScalarValues::Decimal(values, scale) => Some(Numbers::Decimal(values, *scale)),
            ScalarValues::TimestampMicros(values, is_utc) => Some(Numbers::Timestamp(values, *is_utc)),
            ScalarValues::Integers(
                Integers::Int8(_)
                | Integers::Int16(_)
                | Integers::Uint8(_)
                | Integers::Uint16(_)
                | Integers::Uint32(_),
            )
            | ScalarValues::Boolean(_)
            | ScalarValues::Uint64(_)
            | ScalarValues::Float16(_)
            | ScalarValues::Float32(_)
            | ScalarValues::Float64(_)
            | ScalarValues::Date(_)
            | ScalarValues::TimeMillis(_)
            | ScalarValues::TimeMicros(_)
            | ScalarValues::TimeNanos(_)
            | ScalarValues::TimestampMillis(..)
            | ScalarValues::TimestampNanos(..)
            | ScalarValues::Int96(..)
            | ScalarValues::Uuid(_) => None,
        }
    }

    /// Returns the texts of a text column or of its dictionary.
    pub(super) fn texts(&self) -> Option<checked::TextColumn<'_>> {
        if matches!(self.values, Values::Text(_)) { self.texts?.column() } else { None }
    }

    /// Returns the dictionary codes and the number of the dictionary.
    pub(super) fn codes(&self) -> Option<(&[i32], u64)> {
        let Values::Text(TextValues::Coded(codes, _)) = self.values else { return None };
        Some((codes, self.texts?.dictionary()?))
    }

    /// Returns the length of a text value; 0 for others.
    #[inline]
    pub(super) fn length(&self, row: usize) -> usize {
        if let Values::Text(values) = &self.values { values.bytes(row).len() } else { 0 }
    }

    /// Returns the raw value. `written`: the text of a value that [`is_written`](Self::is_written).
    #[inline]
    pub(super) fn raw<'r>(&'r self, row: usize, written: &'r WrittenCell) -> Raw<'r>
    where
        'a: 'r,
    {
        if self.is_null(row) {
            return Raw::Missing;
        }
        match &self.values {
            Values::Null => Raw::Missing,
            Values::Scalar(scalars) => Raw::Typed(scalars.at(row)),
            Values::Text(values) => match self.text(values, row) {
                Some((text, traits)) => Raw::Text(text, traits),
                None => bytes(values.bytes(row)),
            },
            Values::Bytes(array) => bytes(array.value(row)),
            Values::Fixed(array) => bytes(array.value(row)),
            Values::LongDecimal(_) => Raw::JsonNumber(written.text()),
            Values::Struct(_) | Values::List(..) | Values::Map(..) => match written.fault() {
                None => Raw::JsonDocument(written.text(), Traits::UNKNOWN),
                Some(unfit) => Raw::Unfit(unfit),
            },
            Values::Bson(_) => Raw::Typed(Typed::Foreign(BSON)),
            Values::Interval(_) => Raw::Typed(Typed::Foreign(INTERVAL)),
            Values::Foreign(kind) => Raw::Typed(Typed::Foreign(kind)),
        }
    }

    /// Returns a text that has been validated as part of its column.
    #[inline]
    fn text(&self, values: &TextValues<'_>, row: usize) -> Option<(&'a str, Traits)> {
        let texts = self.texts?;
        match values {
            TextValues::Views(_) => texts.get(row),
            TextValues::Coded(codes, _) => texts.get(codes.get(row)?.cast_unsigned() as usize),
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
    pub(super) fn write_json(&self, row: usize, out: &mut WrittenCell) {
        if self.is_null(row) {
            out.push("null");
            return;
        }
        match &self.values {
            Values::Null => out.push("null"),
            Values::Scalar(scalars) => out.push_typed(scalars.at(row)),
            Values::Text(values) => match self.text(values, row) {
                Some((text, traits)) if traits.is_plain => write_plain_json_text(text, out.plain()),
                Some(_) | None => out.push_bytes(values.bytes(row)),
            },
            Values::Bytes(array) => out.push_bytes(array.value(row)),
            Values::Fixed(array) => out.push_bytes(array.value(row)),
            Values::LongDecimal(array) => out.push(&array.value_as_string(row)),
            Values::Bson(array) => out.push_foreign(BSON, binary(array, row)),
            Values::Interval(array) => match interval(array.value(row)) {
                Some(text) => out.push_duration(&text),
                None => out.push_foreign(INTERVAL, array.value(row)),
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
            Values::Foreign(kind) => out.push_typed(Typed::Foreign(kind)),
        }
    }
}

impl<'a> TextValues<'a> {
    #[inline]
    fn bytes(&self, row: usize) -> &'a [u8] {
        match self {
            Self::Views(array) => array.value(row),
            Self::Coded(codes, dictionary) => decoded(codes, dictionary, row),
        }
    }
}

/// Returns the bytes of a dictionary-encoded value. The code of a null row may be out of range; it has no bytes. Those
/// of other rows are in range, as [`ColumnTexts::fill`] checks.
fn decoded<'a>(codes: &[i32], dictionary: &'a BinaryArray, row: usize) -> &'a [u8] {
    let code = codes.get(row).and_then(|code| usize::try_from(*code).ok());
    code.filter(|code| *code < dictionary.len()).map_or(&[], |code| dictionary.value(code))
}

/// Returns a value of a binary column.
fn binary(array: &ArrayRef, row: usize) -> &[u8] {
    match array.as_binary_view_opt() {
        Some(views) => views.value(row),
        None => array.as_binary::<i32>().value(row),
    }
}

/// Returns the text of an INTERVAL, which is three little-endian numbers: months, days and milliseconds.
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
        let offset = *offsets.get(index).expect("there is one more offset than rows");
        usize::try_from(offset).expect("Arrow's offsets are not negative")
    };
    at(row)..at(row.saturating_add(1))
}
