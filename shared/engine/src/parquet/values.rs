//! The values of a column by their Arrow type.

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

/// The leaves of a field as the file describes them, in the order in which Arrow's types have theirs.
pub(super) type Leaves<'l> = std::slice::Iter<'l, TypePtr>;

/// A column of a batch, or a member of a nested one.
pub(super) struct Cells<'a> {
    pub(super) nulls: Option<&'a NullBuffer>,
    pub(super) values: Values<'a>,
    /// Of a field of the file.
    pub(super) texts: Option<&'a ColumnTexts>,
}

impl<'a> Cells<'a> {
    pub(super) fn inner(array: &'a ArrayRef, nanos: Option<&'a ArrayRef>, leaves: &mut Leaves<'_>) -> Self {
        Self { nulls: array.nulls(), values: Values::of(array, nanos, leaves), texts: None }
    }
}

/// The values of a column by their Arrow type.
pub(super) enum Values<'a> {
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
    /// Places in a dictionary.
    Coded(&'a [i32], &'a BinaryArray),
    Bytes(&'a BinaryArray),
    Fixed(&'a FixedSizeBinaryArray),
    Uuid(&'a FixedSizeBinaryArray),
    Bson(&'a ArrayRef),
    Interval(&'a FixedSizeBinaryArray),
    Struct(Vec<(&'a str, Cells<'a>)>),
    List(&'a OffsetBuffer<i32>, Box<Cells<'a>>),
    Map(&'a OffsetBuffer<i32>, Box<Cells<'a>>, Box<Cells<'a>>),
    Foreign(&'static str),
}

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
    /// `nanos`: the same array with its INT96 leaves in nanoseconds, where it has such leaves.
    pub(super) fn of(array: &'a ArrayRef, nanos: Option<&'a ArrayRef>, leaves: &mut Leaves<'_>) -> Self {
        if let Some(nested) = Self::nested(array, nanos, leaves) {
            return nested;
        }
        let Some(leaf) = leaves.next() else { return Self::Foreign("unknown") };
        if leaf.get_physical_type() == Physical::INT96 {
            let micros = array.as_primitive_opt::<TimestampMicrosecondType>();
            let nanos = nanos.and_then(|nanos| nanos.as_primitive_opt::<TimestampNanosecondType>());
            return match micros.zip(nanos) {
                Some((micros, nanos)) => Self::Int96(micros.values(), nanos.values()),
                None => Self::Foreign("INT96"),
            };
        }
        Self::leaf(array, leaf)
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "all other types have no insides")]
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

    #[expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types; Parquet gives these")]
    fn leaf(array: &'a ArrayRef, leaf: &Type) -> Self {
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
            DataType::BinaryView | DataType::Binary if is_bson(leaf) => Self::Bson(array),
            DataType::BinaryView => Self::Views(array.as_binary_view()),
            DataType::Dictionary(..) => {
                coded(array).map_or(Self::Foreign("unknown"), |(codes, values)| Self::Coded(codes, values))
            }
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::FixedSizeBinary(16) if is_uuid(leaf) => Self::Uuid(array.as_fixed_size_binary()),
            DataType::FixedSizeBinary(12) if is_interval(leaf) => {
                Self::Interval(array.as_fixed_size_binary())
            }
            DataType::FixedSizeBinary(_) => Self::Fixed(array.as_fixed_size_binary()),
            _ => Self::Foreign("unknown"),
        }
    }

    /// The value, where it is no text and nothing is in it. `None`: it is missing.
    #[inline]
    pub(super) fn typed(&self, row: usize) -> Option<Typed<'_>> {
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
                at(values).map(|millis| Typed::timestamp_millis(millis, *is_utc))
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
            Self::Bson(_) => Some(Typed::Foreign("BSON")),
            Self::Interval(_) => Some(Typed::Foreign("INTERVAL")),
            Self::Foreign(kind) => Some(Typed::Foreign(kind)),
            Self::Null
            | Self::LongDecimal(_)
            | Self::Views(_)
            | Self::Coded(..)
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

pub(super) fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> &[T::Native] {
    array.as_primitive::<T>().values()
}

pub(super) fn is_bson(field: &Type) -> bool {
    let info = field.get_basic_info();
    matches!(info.logical_type_ref(), Some(LogicalType::Bson)) || info.converted_type() == ConvertedType::BSON
}

/// Months, days and milliseconds, each of four bytes.
pub(super) fn is_interval(field: &Type) -> bool {
    field.get_basic_info().converted_type() == ConvertedType::INTERVAL
}

fn is_uuid(field: &Type) -> bool {
    matches!(field.get_basic_info().logical_type_ref(), Some(LogicalType::Uuid))
}
