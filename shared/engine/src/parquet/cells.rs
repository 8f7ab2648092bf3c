//! The cells of a batch's columns, as raw values and as JSON.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float16Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, Time32MillisecondType, Time64MicrosecondType, Time64NanosecondType,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BinaryViewArray, BooleanArray, FixedSizeBinaryArray,
    PrimitiveArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, TimeUnit};
use parquet::basic::{ConvertedType, LogicalType};
use parquet::schema::types::Type;

use super::texts::Texts;
use crate::cast::text::Traits;
use crate::cast::typed::{Typed, write_json_text};
use crate::program::Raw;
use crate::rows::checked;

const MICROS_PER_MILLI: i64 = 1_000;

/// A column of a batch, or a member of a nested one.
pub(super) struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
    /// Of a field of the file.
    texts: Option<&'a Texts>,
}

enum Values<'a> {
    Null,
    Boolean(&'a BooleanArray),
    Integers(Integers<'a>),
    Uint64(&'a [u64]),
    Float16(&'a PrimitiveArray<Float16Type>),
    Float32(&'a [f32]),
    Float64(&'a [f64]),
    Date(&'a [i32]),
    TimeMillis(&'a [i32]),
    TimeMicros(&'a [i64]),
    TimeNanos(&'a [i64]),
    TimestampMillis(&'a [i64], bool),
    TimestampMicros(&'a [i64], bool),
    TimestampNanos(&'a [i64], bool),
    /// Microseconds, and the same time in nanoseconds as far as 64 bits hold it.
    Int96(&'a [i64], &'a [i64]),
    Decimal(&'a [i128], i8),
    /// More than 38 digits.
    LongDecimal(&'a PrimitiveArray<Decimal256Type>),
    Views(&'a BinaryViewArray),
    Bytes(&'a BinaryArray),
    Fixed(&'a FixedSizeBinaryArray),
    Uuid(&'a FixedSizeBinaryArray),
    Struct(Vec<(&'a str, Cells<'a>)>),
    List(&'a OffsetBuffer<i32>, Box<Cells<'a>>),
    Map(&'a OffsetBuffer<i32>, Box<Cells<'a>>, Box<Cells<'a>>),
    Foreign(&'static str),
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

enum Integers<'a> {
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Uint8(&'a [u8]),
    Uint16(&'a [u16]),
    Uint32(&'a [u32]),
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

    fn inner(array: &'a ArrayRef) -> Self {
        Self { nulls: array.nulls(), values: Values::of(array, None), texts: None }
    }

    /// True when a value's text has to be written before it can be one.
    pub(super) fn is_written(&self) -> bool {
        matches!(self.values, Values::Struct(_) | Values::List(..) | Values::Map(..) | Values::LongDecimal(_))
    }

    /// True when the values can be checked as a column: numbers and the like, and texts that stand side by side.
    pub(super) fn is_plain(&self) -> bool {
        match self.values {
            Values::Views(_) => self.whole().is_some(),
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

    /// The texts of a column of texts.
    pub(super) fn whole(&self) -> Option<checked::Texts<'_>> {
        if matches!(self.values, Values::Views(_)) { self.texts?.whole() } else { None }
    }

    /// Bytes of a value whose length is its own; 0 for others.
    #[inline]
    pub(super) fn length(&self, row: usize) -> usize {
        if let Values::Views(array) = &self.values { view_length(array, row) } else { 0 }
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
            Values::Views(array) => match self.texts.and_then(|texts| texts.get(row)) {
                Some((text, traits)) => Raw::Text(text, traits),
                None => bytes(array.value(row)),
            },
            Values::Bytes(array) => bytes(array.value(row)),
            Values::Fixed(array) => bytes(array.value(row)),
            Values::LongDecimal(_) => Raw::JsonNumber(&written.text),
            Values::Struct(_) | Values::List(..) | Values::Map(..) => match written.foreign {
                None => Raw::JsonDocument(&written.text),
                Some(foreign) => Raw::Typed(Typed::Foreign(foreign)),
            },
            values => values.typed(row).map_or(Raw::Missing, Raw::Typed),
        }
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
            Values::Views(array) => out.push_bytes(array.value(row)),
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

impl<'a> Values<'a> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types; Parquet gives these")]
    fn of(array: &'a ArrayRef, field: Option<&Type>) -> Self {
        match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean()),
            DataType::Int8 => Self::Integers(Integers::Int8(primitive::<Int8Type>(array))),
            DataType::Int16 => Self::Integers(Integers::Int16(primitive::<Int16Type>(array))),
            DataType::Int32 => Self::Integers(Integers::Int32(primitive::<Int32Type>(array))),
            DataType::Int64 => Self::Integers(Integers::Int64(primitive::<Int64Type>(array))),
            DataType::UInt8 => Self::Integers(Integers::Uint8(primitive::<UInt8Type>(array))),
            DataType::UInt16 => Self::Integers(Integers::Uint16(primitive::<UInt16Type>(array))),
            DataType::UInt32 => Self::Integers(Integers::Uint32(primitive::<UInt32Type>(array))),
            DataType::UInt64 => Self::Uint64(primitive::<UInt64Type>(array)),
            DataType::Float16 => Self::Float16(array.as_primitive()),
            DataType::Float32 => Self::Float32(primitive::<Float32Type>(array)),
            DataType::Float64 => Self::Float64(primitive::<Float64Type>(array)),
            DataType::Date32 => Self::Date(primitive::<Date32Type>(array)),
            DataType::Time32(TimeUnit::Millisecond) => {
                Self::TimeMillis(primitive::<Time32MillisecondType>(array))
            }
            DataType::Time64(TimeUnit::Microsecond) => {
                Self::TimeMicros(primitive::<Time64MicrosecondType>(array))
            }
            DataType::Time64(TimeUnit::Nanosecond) => {
                Self::TimeNanos(primitive::<Time64NanosecondType>(array))
            }
            DataType::Timestamp(unit, zone) => match unit {
                TimeUnit::Millisecond => {
                    Self::TimestampMillis(primitive::<TimestampMillisecondType>(array), zone.is_some())
                }
                TimeUnit::Microsecond => {
                    Self::TimestampMicros(primitive::<TimestampMicrosecondType>(array), zone.is_some())
                }
                TimeUnit::Nanosecond => {
                    Self::TimestampNanos(primitive::<TimestampNanosecondType>(array), zone.is_some())
                }
                TimeUnit::Second => Self::Foreign("timestamp in seconds"),
            },
            DataType::Decimal128(_, scale) => Self::Decimal(primitive::<Decimal128Type>(array), *scale),
            DataType::Decimal256(..) => Self::LongDecimal(array.as_primitive()),
            DataType::BinaryView if field.is_some_and(is_bson) => Self::Foreign("BSON"),
            DataType::BinaryView => Self::Views(array.as_binary_view()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::FixedSizeBinary(16) if field.is_some_and(is_uuid) => {
                Self::Uuid(array.as_fixed_size_binary())
            }
            DataType::FixedSizeBinary(_) => Self::Fixed(array.as_fixed_size_binary()),
            DataType::Struct(fields) => {
                let members = fields.iter().zip(array.as_struct().columns());
                Self::Struct(
                    members.map(|(field, array)| (field.name().as_str(), Cells::inner(array))).collect(),
                )
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                Self::List(list.offsets(), Box::new(Cells::inner(list.values())))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                Self::Map(
                    map.offsets(),
                    Box::new(Cells::inner(map.keys())),
                    Box::new(Cells::inner(map.values())),
                )
            }
            DataType::Interval(_) => Self::Foreign("INTERVAL"),
            _ => Self::Foreign("unknown"),
        }
    }

    /// The value, where it is no text and nothing is in it. `None`: it is missing.
    #[inline]
    fn typed(&self, row: usize) -> Option<Typed<'_>> {
        let at = |values: &[i64]| values.get(row).copied();
        let timestamp = |micros, is_utc| Typed::Timestamp { micros, is_utc };
        match self {
            Self::Boolean(array) => Some(Typed::Boolean(array.value(row))),
            Self::Integers(integers) => integers.at(row).map(Typed::Integer),
            Self::Uint64(values) => values.get(row).map(|number| Typed::Unsigned(*number)),
            Self::Float16(array) => Some(Typed::Float(f32::from(array.value(row)))),
            Self::Float32(values) => values.get(row).map(|number| Typed::Float(*number)),
            Self::Float64(values) => values.get(row).map(|number| Typed::Double(*number)),
            Self::Date(values) => values.get(row).map(|days| Typed::Date(*days)),
            Self::TimeMillis(values) => {
                values.get(row).map(|millis| Typed::Time(i64::from(*millis).saturating_mul(MICROS_PER_MILLI)))
            }
            Self::TimeMicros(values) => at(values).map(Typed::Time),
            Self::TimeNanos(values) => at(values).map(Typed::TimeNanos),
            // What is too large stays so.
            Self::TimestampMillis(values, is_utc) => {
                at(values).map(|millis| timestamp(millis.saturating_mul(MICROS_PER_MILLI), *is_utc))
            }
            Self::TimestampMicros(values, is_utc) => at(values).map(|micros| timestamp(micros, *is_utc)),
            Self::TimestampNanos(values, is_utc) => {
                at(values).map(|nanos| Typed::timestamp_nanos(nanos, *is_utc))
            }
            Self::Int96(micros, nanos) => {
                at(micros).zip(at(nanos)).map(|(micros, nanos)| int96(micros, nanos))
            }
            Self::Decimal(values, scale) => {
                values.get(row).map(|unscaled| Typed::Decimal { unscaled: (*unscaled).into(), scale: *scale })
            }
            Self::Uuid(array) => array.value(row).try_into().ok().map(Typed::Uuid),
            Self::Foreign(kind) => Some(Typed::Foreign(kind)),
            Self::Null
            | Self::LongDecimal(_)
            | Self::Views(_)
            | Self::Bytes(_)
            | Self::Fixed(_)
            | Self::Struct(_)
            | Self::List(..)
            | Self::Map(..) => None,
        }
    }
}

impl Integers<'_> {
    #[inline]
    fn at(&self, row: usize) -> Option<i64> {
        match self {
            Self::Int8(values) => values.get(row).map(|number| i64::from(*number)),
            Self::Int16(values) => values.get(row).map(|number| i64::from(*number)),
            Self::Int32(values) => values.get(row).map(|number| i64::from(*number)),
            Self::Int64(values) => values.get(row).copied(),
            Self::Uint8(values) => values.get(row).map(|number| i64::from(*number)),
            Self::Uint16(values) => values.get(row).map(|number| i64::from(*number)),
            Self::Uint32(values) => values.get(row).map(|number| i64::from(*number)),
        }
    }
}

/// INT96 has nanoseconds of more years than 64 bits hold: both were computed modulo 2^64, so that their difference is
/// exact.
fn int96(micros: i64, nanos: i64) -> Typed<'static> {
    let finer = nanos.wrapping_sub(micros.wrapping_mul(1_000));
    match u16::try_from(finer) {
        Ok(nanos @ 0..1_000) => Typed::TimestampNanos { micros, nanos, is_utc: false },
        Ok(_) | Err(_) => Typed::Foreign("INT96 that is no time"),
    }
}

/// Bytes of the texts of a column, of all and of the longest: what stands once in the file counts as often as it is a value.
pub(super) fn text_bytes(array: &ArrayRef) -> (u64, u64) {
    let Some(views) = array.as_binary_view_opt() else { return (0, 0) };
    let lengths = views.lengths().map(u64::from);
    lengths.fold((0, 0), |(sum, longest), length| (sum.saturating_add(length), length.max(longest)))
}

/// The length is in the lower half of a view's first word.
#[inline]
pub(super) fn view_length(array: &BinaryViewArray, row: usize) -> usize {
    array
        .views()
        .get(row)
        .map_or(0, |view| usize::try_from(view & u128::from(u32::MAX)).unwrap_or(usize::MAX))
}

#[inline]
fn bytes(bytes: &[u8]) -> Raw<'_> {
    match str::from_utf8(bytes) {
        Ok(text) => Raw::Text(text, Traits::of(bytes)),
        Err(_) => Raw::Typed(Typed::Bytes(bytes)),
    }
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

fn range(offsets: &OffsetBuffer<i32>, row: usize) -> std::ops::Range<usize> {
    let at = |index: usize| {
        offsets.get(index).and_then(|offset| usize::try_from(*offset).ok()).unwrap_or_default()
    };
    at(row)..at(row.saturating_add(1))
}

fn is_bson(field: &Type) -> bool {
    let info = field.get_basic_info();
    matches!(info.logical_type_ref(), Some(LogicalType::Bson)) || info.converted_type() == ConvertedType::BSON
}

fn is_uuid(field: &Type) -> bool {
    matches!(field.get_basic_info().logical_type_ref(), Some(LogicalType::Uuid))
}
