//! Access to the values of a column by its Arrow type.

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
use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::schema::types::{Type, TypePtr};

use super::texts::{ColumnTexts, coded};
use crate::cast::typed::Typed;

const MICROS_PER_MILLI: i64 = 1_000;

/// The leaf columns of a field in the file's schema, in the order of the leaves of the Arrow type.
pub(super) type Leaves<'l> = std::slice::Iter<'l, TypePtr>;

/// A column of a batch, or a member of a nested column.
pub(super) struct Cells<'a> {
    pub(super) nulls: Option<&'a NullBuffer>,
    pub(super) values: Values<'a>,
    /// The texts of the column; `None` for members of a nested column.
    pub(super) texts: Option<&'a ColumnTexts>,
}

impl<'a> Cells<'a> {
    pub(super) fn inner(array: &'a ArrayRef, nanos: Option<&'a ArrayRef>, leaves: &mut Leaves<'_>) -> Self {
        Self { nulls: array.nulls(), values: Values::of(array, nanos, leaves), texts: None }
    }
}

/// The values of a column, by the way in which they are read.
pub(super) enum Values<'a> {
    Null,
    Scalar(ScalarValues<'a>),
    Text(TextValues<'a>),
    /// A decimal of more than 38 digits.
    LongDecimal(&'a PrimitiveArray<Decimal256Type>),
    Bytes(&'a BinaryArray),
    Fixed(&'a FixedSizeBinaryArray),
    Bson(&'a ArrayRef),
    Interval(&'a FixedSizeBinaryArray),
    Struct(Vec<(&'a str, Cells<'a>)>),
    List(&'a OffsetBuffer<i32>, Box<Cells<'a>>),
    Map(&'a OffsetBuffer<i32>, Box<Cells<'a>>, Box<Cells<'a>>),
    /// A type that no column accepts.
    Foreign(&'static str),
}

/// Scalars that are not text. The `bool` of timestamps is true for UTC.
pub(super) enum ScalarValues<'a> {
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
    /// Microseconds, and the same time in nanoseconds modulo 2^64.
    Int96(&'a [i64], &'a [i64]),
    Decimal(&'a [i128], i8),
    Uuid(&'a FixedSizeBinaryArray),
}

/// Bytes that are usually text.
pub(super) enum TextValues<'a> {
    Views(&'a BinaryViewArray),
    /// Dictionary codes and the dictionary.
    Coded(&'a [i32], &'a BinaryArray),
}

/// Integers of all widths.
pub(super) enum Integers<'a> {
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    Uint8(&'a [u8]),
    Uint16(&'a [u16]),
    Uint32(&'a [u32]),
}

impl<'a> Values<'a> {
    /// Returns the values of an array. `nanos`: the same array with INT96 leaves in nanoseconds, if it has such leaves.
    pub(super) fn of(array: &'a ArrayRef, nanos: Option<&'a ArrayRef>, leaves: &mut Leaves<'_>) -> Self {
        if let Some(nested) = Self::nested(array, nanos, leaves) {
            return nested;
        }
        let Some(leaf) = leaves.next() else { return Self::Foreign("unknown") };
        if leaf.get_physical_type() == Physical::INT96 {
            let micros = array.as_primitive_opt::<TimestampMicrosecondType>();
            let nanos = nanos.and_then(|nanos| nanos.as_primitive_opt::<TimestampNanosecondType>());
            return match micros.zip(nanos) {
                Some((micros, nanos)) => Self::Scalar(ScalarValues::Int96(micros.values(), nanos.values())),
                None => Self::Foreign("INT96"),
            };
        }
        Self::leaf(array, leaf)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all other types have no members")]
    fn nested(array: &'a ArrayRef, nanos: Option<&'a ArrayRef>, leaves: &mut Leaves<'_>) -> Option<Self> {
        Some(match array.data_type() {
            DataType::Struct(fields) => {
                let nanos = nanos.and_then(|nanos| nanos.as_struct_opt());
                let members = fields.iter().zip(array.as_struct().columns()).enumerate();
                let members = members.map(|(index, (field, array))| {
                    let nanos = nanos.and_then(|nanos| nanos.columns().get(index));
                    (field.name().as_str(), Cells::inner(array, nanos, leaves))
                });
                Self::Struct(members.collect())
            }
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let nanos = nanos.and_then(|nanos| nanos.as_list_opt::<i32>()).map(|list| list.values());
                Self::List(list.offsets(), Box::new(Cells::inner(list.values(), nanos, leaves)))
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let nanos = nanos.and_then(|nanos| nanos.as_map_opt());
                let keys = Cells::inner(map.keys(), nanos.map(|map| map.keys()), leaves);
                let values = Cells::inner(map.values(), nanos.map(|map| map.values()), leaves);
                Self::Map(map.offsets(), Box::new(keys), Box::new(values))
            }
            _ => return None,
        })
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "Arrow has many types; the Parquet reader returns these"
    )]
    fn leaf(array: &'a ArrayRef, leaf: &Type) -> Self {
        let scalars = match array.data_type() {
            DataType::Boolean => ScalarValues::Boolean(array.as_boolean()),
            DataType::Int8 => ScalarValues::Integers(Integers::Int8(primitive::<Int8Type>(array))),
            DataType::Int16 => ScalarValues::Integers(Integers::Int16(primitive::<Int16Type>(array))),
            DataType::Int32 => ScalarValues::Integers(Integers::Int32(primitive::<Int32Type>(array))),
            DataType::Int64 => ScalarValues::Integers(Integers::Int64(primitive::<Int64Type>(array))),
            DataType::UInt8 => ScalarValues::Integers(Integers::Uint8(primitive::<UInt8Type>(array))),
            DataType::UInt16 => ScalarValues::Integers(Integers::Uint16(primitive::<UInt16Type>(array))),
            DataType::UInt32 => ScalarValues::Integers(Integers::Uint32(primitive::<UInt32Type>(array))),
            DataType::UInt64 => ScalarValues::Uint64(primitive::<UInt64Type>(array)),
            DataType::Float16 => ScalarValues::Float16(array.as_primitive()),
            DataType::Float32 => ScalarValues::Float32(primitive::<Float32Type>(array)),
            DataType::Float64 => ScalarValues::Float64(primitive::<Float64Type>(array)),
            DataType::Date32 => ScalarValues::Date(primitive::<Date32Type>(array)),
            DataType::Time32(TimeUnit::Millisecond) => {
                ScalarValues::TimeMillis(primitive::<Time32MillisecondType>(array))
            }
            DataType::Time64(TimeUnit::Microsecond) => {
                ScalarValues::TimeMicros(primitive::<Time64MicrosecondType>(array))
            }
            DataType::Time64(TimeUnit::Nanosecond) => {
                ScalarValues::TimeNanos(primitive::<Time64NanosecondType>(array))
            }
            DataType::Timestamp(TimeUnit::Millisecond, zone) => {
                ScalarValues::TimestampMillis(primitive::<TimestampMillisecondType>(array), zone.is_some())
            }
            DataType::Timestamp(TimeUnit::Microsecond, zone) => {
                ScalarValues::TimestampMicros(primitive::<TimestampMicrosecondType>(array), zone.is_some())
            }
            DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
                ScalarValues::TimestampNanos(primitive::<TimestampNanosecondType>(array), zone.is_some())
            }
            DataType::Decimal128(_, scale) => {
                ScalarValues::Decimal(primitive::<Decimal128Type>(array), *scale)
            }
            DataType::FixedSizeBinary(16) if is_uuid(leaf) => {
                ScalarValues::Uuid(array.as_fixed_size_binary())
            }
            _ => return Self::other_leaf(array, leaf),
        };
        Self::Scalar(scalars)
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "Arrow has many types; the Parquet reader returns these"
    )]
    fn other_leaf(array: &'a ArrayRef, leaf: &Type) -> Self {
        match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Timestamp(TimeUnit::Second, _) => Self::Foreign("timestamp in seconds"),
            DataType::Decimal256(..) => Self::LongDecimal(array.as_primitive()),
            DataType::BinaryView | DataType::Binary if is_bson(leaf) => Self::Bson(array),
            DataType::BinaryView => Self::Text(TextValues::Views(array.as_binary_view())),
            DataType::Dictionary(..) => match coded(array) {
                Some((codes, values)) => Self::Text(TextValues::Coded(codes, values)),
                None => Self::Foreign("unknown"),
            },
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::FixedSizeBinary(12) if is_interval(leaf) => {
                Self::Interval(array.as_fixed_size_binary())
            }
            DataType::FixedSizeBinary(_) => Self::Fixed(array.as_fixed_size_binary()),
            _ => Self::Foreign("unknown"),
        }
    }
}

impl ScalarValues<'_> {
    /// Returns the value of a row.
    #[inline]
    pub(super) fn at(&self, row: usize) -> Typed<'_> {
        match self {
            Self::Boolean(array) => Typed::Boolean(array.value(row)),
            Self::Integers(integers) => Typed::Integer(integers.at(row)),
            Self::Uint64(values) => Typed::Unsigned(at(values, row)),
            Self::Float16(array) => Typed::Float(f32::from(array.value(row))),
            Self::Float32(values) => Typed::Float(at(values, row)),
            Self::Float64(values) => Typed::Double(at(values, row)),
            Self::Date(values) => Typed::Date(at(values, row)),
            // No overflow: the value has 32 bits.
            Self::TimeMillis(values) => {
                Typed::Time(i64::from(at(values, row)).saturating_mul(MICROS_PER_MILLI))
            }
            Self::TimeMicros(values) => Typed::Time(at(values, row)),
            Self::TimeNanos(values) => Typed::TimeNanos(at(values, row)),
            Self::TimestampMillis(values, is_utc) => Typed::timestamp_millis(at(values, row), *is_utc),
            Self::TimestampMicros(values, is_utc) => {
                Typed::Timestamp { micros: at(values, row), is_utc: *is_utc }
            }
            Self::TimestampNanos(values, is_utc) => Typed::timestamp_nanos(at(values, row), *is_utc),
            Self::Int96(micros, nanos) => int96(at(micros, row), at(nanos, row)),
            Self::Decimal(values, scale) => {
                Typed::Decimal { unscaled: at(values, row).into(), scale: *scale }
            }
            Self::Uuid(array) => Typed::Uuid(array.value(row).try_into().expect("a UUID has 16 bytes")),
        }
    }
}

/// Returns the value of a row. The arrays of a batch have the same length, so the row exists in each of them.
#[inline]
fn at<T: Copy>(values: &[T], row: usize) -> T {
    *values.get(row).expect("a column has a value for each row of its batch")
}

impl Integers<'_> {
    #[inline]
    fn at(&self, row: usize) -> i64 {
        match self {
            Self::Int8(values) => at(values, row).into(),
            Self::Int16(values) => at(values, row).into(),
            Self::Int32(values) => at(values, row).into(),
            Self::Int64(values) => at(values, row),
            Self::Uint8(values) => at(values, row).into(),
            Self::Uint16(values) => at(values, row).into(),
            Self::Uint32(values) => at(values, row).into(),
        }
    }
}

/// Returns an INT96 timestamp. Its range in nanoseconds exceeds 64 bits. Both numbers are computed modulo 2^64, so
/// their difference is exact.
fn int96(micros: i64, nanos: i64) -> Typed<'static> {
    let below_micros = nanos.wrapping_sub(micros.wrapping_mul(1_000));
    match u16::try_from(below_micros) {
        Ok(nanos @ 0..1_000) => Typed::TimestampNanos { micros, nanos, is_utc: false },
        Ok(_) | Err(_) => Typed::Foreign("INT96 with an invalid time"),
    }
}

pub(super) fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

pub(super) fn is_bson(field: &Type) -> bool {
    let info = field.get_basic_info();
    matches!(info.logical_type_ref(), Some(LogicalType::Bson)) || info.converted_type() == ConvertedType::BSON
}

/// Returns whether a field is an INTERVAL: months, days and milliseconds of four bytes each.
pub(super) fn is_interval(field: &Type) -> bool {
    field.get_basic_info().converted_type() == ConvertedType::INTERVAL
}

fn is_uuid(field: &Type) -> bool {
    matches!(field.get_basic_info().logical_type_ref(), Some(LogicalType::Uuid))
}
