//! Accepted rows as Arrow columns.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Date32Type, Decimal128Type, Float64Type};
use arrow_array::types::{Int16Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Schema, TimeUnit};
use penstock_contract::SqlType;

use crate::cast::CastValue;
use crate::cast::text::Text;

/// The name of the column of row numbers.
pub(crate) const ROW_COLUMN: &str = "_row";
/// The most digits of `Decimal128`.
const MAX_DECIMAL_PRECISION: u16 = 38;

/// Returns the Arrow type of a PostgreSQL type. Types that Arrow and Parquet do not have are text.
pub(crate) fn data_type(sql_type: &SqlType) -> DataType {
    match sql_type {
        SqlType::Smallint => DataType::Int16,
        SqlType::Integer => DataType::Int32,
        SqlType::Bigint => DataType::Int64,
        SqlType::Numeric(Some((precision, scale))) if *precision <= MAX_DECIMAL_PRECISION => {
            let precision = u8::try_from(*precision).expect("the precision is at most 38");
            let scale = i8::try_from(*scale).expect("a scale is at most its precision");
            DataType::Decimal128(precision, scale)
        }
        SqlType::DoublePrecision => DataType::Float64,
        SqlType::Boolean => DataType::Boolean,
        SqlType::Date => DataType::Date32,
        SqlType::Time => DataType::Time64(TimeUnit::Microsecond),
        SqlType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        SqlType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        SqlType::Text | SqlType::Numeric(_) | SqlType::Jsonb | SqlType::Uuid => DataType::Utf8,
    }
}

/// A column under construction.
#[derive(Debug)]
pub(crate) struct ColumnBuffer {
    data: ColumnValues,
    is_valid: Vec<bool>,
    data_type: DataType,
    /// The capacity to reserve with the first value.
    capacity: BufferCapacity,
}

#[derive(Debug, Clone, Copy, Default)]
struct BufferCapacity {
    values: usize,
    /// The bytes of texts.
    bytes: usize,
}

#[derive(Debug)]
enum ColumnValues {
    Text { bytes: Vec<u8>, offsets: Vec<i32> },
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Decimal { values: Vec<i128>, scale: u16 },
    Float64(Vec<f64>),
    Boolean(Vec<bool>),
    Date32(Vec<i32>),
    Time(Vec<i64>),
    Timestamp(Vec<i64>),
}

impl ColumnBuffer {
    #[expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types; `data_type` returns these")]
    fn new(data_type: &DataType) -> Self {
        let data = match data_type {
            DataType::Int16 => ColumnValues::Int16(Vec::new()),
            DataType::Int32 => ColumnValues::Int32(Vec::new()),
            DataType::Int64 => ColumnValues::Int64(Vec::new()),
            DataType::Decimal128(_, scale) => {
                ColumnValues::Decimal { values: Vec::new(), scale: u16::from(scale.unsigned_abs()) }
            }
            DataType::Float64 => ColumnValues::Float64(Vec::new()),
            DataType::Boolean => ColumnValues::Boolean(Vec::new()),
            DataType::Date32 => ColumnValues::Date32(Vec::new()),
            DataType::Time64(_) => ColumnValues::Time(Vec::new()),
            DataType::Timestamp(..) => ColumnValues::Timestamp(Vec::new()),
            DataType::Utf8 => ColumnValues::Text { bytes: Vec::new(), offsets: vec![0] },
            other => unreachable!("`data_type` does not return {other}"),
        };
        Self { data, is_valid: Vec::new(), data_type: data_type.clone(), capacity: BufferCapacity::default() }
    }

    /// Returns an empty buffer that will reserve as much as this one contains, because the next chunk will have about
    /// the same size.
    fn next(&self) -> Self {
        let bytes = if let ColumnValues::Text { bytes, .. } = &self.data { bytes.len() } else { 0 };
        let capacity =
            BufferCapacity { values: self.is_valid.len(), bytes: bytes.saturating_add(bytes / 16) };
        Self { capacity, ..Self::new(&self.data_type) }
    }

    /// Reserves the capacity. This is done with the first value, because the last chunk's memory may be freed until
    /// then and can be reused.
    #[cold]
    fn reserve(&mut self) {
        let BufferCapacity { values, bytes: text_bytes } = std::mem::take(&mut self.capacity);
        self.is_valid.reserve(values);
        match &mut self.data {
            ColumnValues::Text { bytes, offsets } => {
                bytes.reserve(text_bytes);
                offsets.reserve(values);
            }
            ColumnValues::Int16(buffer) => buffer.reserve(values),
            ColumnValues::Int32(buffer) | ColumnValues::Date32(buffer) => buffer.reserve(values),
            ColumnValues::Int64(buffer) | ColumnValues::Time(buffer) | ColumnValues::Timestamp(buffer) => {
                buffer.reserve(values)
            }
            ColumnValues::Decimal { values: buffer, .. } => buffer.reserve(values),
            ColumnValues::Float64(buffer) => buffer.reserve(values),
            ColumnValues::Boolean(buffer) => buffer.reserve(values),
        }
    }

    /// Appends a value of the column's type, or a missing one.
    #[inline]
    pub(crate) fn push(&mut self, value: Option<&CastValue<'_>>) {
        if self.capacity.values > 0 {
            self.reserve();
        }
        self.is_valid.push(value.is_some());
        match &mut self.data {
            ColumnValues::Text { bytes, offsets } => {
                match value {
                    Some(CastValue::Text(Text { text, .. })) => bytes.extend_from_slice(text.as_bytes()),
                    Some(other) => crate::copy::write(other, false, bytes),
                    None => {}
                }
                offsets.push(offset(bytes));
            }
            ColumnValues::Int16(values) => values.push(i16::try_from(integer(value)).expect(IN_RANGE)),
            ColumnValues::Int32(values) => values.push(i32::try_from(integer(value)).expect(IN_RANGE)),
            ColumnValues::Int64(values) => values.push(integer(value)),
            ColumnValues::Decimal { values, scale } => {
                values.push(match value {
                    None => 0,
                    Some(CastValue::Decimal(number)) => number.to_i128(*scale).expect(IN_RANGE),
                    Some(CastValue::Scaled(unscaled, of)) => {
                        debug_assert_eq!(u16::from(*of), *scale, "a cast returns the scale of its column");
                        i128::from(*unscaled)
                    }
                    Some(_) => wrong_type(),
                });
            }
            ColumnValues::Float64(values) => values.push(match value {
                None => 0.0,
                Some(CastValue::Double(number)) => *number,
                Some(_) => wrong_type(),
            }),
            ColumnValues::Boolean(values) => values.push(match value {
                None => false,
                Some(CastValue::Boolean(value)) => *value,
                Some(_) => wrong_type(),
            }),
            ColumnValues::Date32(values) => values.push(match value {
                None => 0,
                Some(CastValue::Date(days)) => *days,
                Some(_) => wrong_type(),
            }),
            ColumnValues::Time(values) => values.push(match value {
                None => 0,
                Some(CastValue::Time(micros)) => *micros,
                Some(_) => wrong_type(),
            }),
            ColumnValues::Timestamp(values) => values.push(match value {
                None => 0,
                Some(CastValue::Timestamp(micros)) => *micros,
                Some(_) => wrong_type(),
            }),
        }
    }

    /// Appends rows of a buffer of the same type.
    fn extend(&mut self, other: &Self, rows: Range<usize>) {
        fn copy<T: Copy>(values: &mut Vec<T>, other: &[T], rows: Range<usize>) {
            values.extend_from_slice(other.get(rows).expect(IN_COLUMN));
        }
        if self.capacity.values > 0 {
            self.reserve();
        }
        copy(&mut self.is_valid, &other.is_valid, rows.clone());
        match (&mut self.data, &other.data) {
            (
                ColumnValues::Text { bytes, offsets },
                ColumnValues::Text { bytes: other, offsets: other_offsets },
            ) => {
                let at = |row: usize| {
                    let offset = *other_offsets.get(row).expect(IN_COLUMN);
                    usize::try_from(offset).expect("an offset is not negative")
                };
                for row in rows {
                    bytes.extend_from_slice(other.get(at(row)..at(row.saturating_add(1))).expect(IN_COLUMN));
                    offsets.push(offset(bytes));
                }
            }
            (ColumnValues::Int16(values), ColumnValues::Int16(other)) => copy(values, other, rows),
            (ColumnValues::Int32(values), ColumnValues::Int32(other))
            | (ColumnValues::Date32(values), ColumnValues::Date32(other)) => copy(values, other, rows),
            (ColumnValues::Int64(values), ColumnValues::Int64(other))
            | (ColumnValues::Time(values), ColumnValues::Time(other))
            | (ColumnValues::Timestamp(values), ColumnValues::Timestamp(other)) => copy(values, other, rows),
            (ColumnValues::Decimal { values, .. }, ColumnValues::Decimal { values: other, .. }) => {
                copy(values, other, rows)
            }
            (ColumnValues::Float64(values), ColumnValues::Float64(other)) => copy(values, other, rows),
            (ColumnValues::Boolean(values), ColumnValues::Boolean(other)) => copy(values, other, rows),
            (
                ColumnValues::Text { .. }
                | ColumnValues::Int16(_)
                | ColumnValues::Int32(_)
                | ColumnValues::Int64(_)
                | ColumnValues::Decimal { .. }
                | ColumnValues::Float64(_)
                | ColumnValues::Boolean(_)
                | ColumnValues::Date32(_)
                | ColumnValues::Time(_)
                | ColumnValues::Timestamp(_),
                _,
            ) => unreachable!("both buffers are of one column"),
        }
    }

    /// Appends texts and missing values to a column of texts.
    fn extend_texts<'a>(&mut self, texts: impl Iterator<Item = Option<&'a [u8]>>) {
        if self.capacity.values > 0 {
            self.reserve();
        }
        let ColumnValues::Text { bytes, offsets } = &mut self.data else { unreachable!("a column of texts") };
        for text in texts {
            self.is_valid.push(text.is_some());
            if let Some(text) = text {
                bytes.extend_from_slice(text);
            }
            offsets.push(offset(bytes));
        }
    }

    /// Removes the rows from `rows` on.
    fn truncate(&mut self, rows: usize) {
        self.is_valid.truncate(rows);
        match &mut self.data {
            ColumnValues::Text { bytes, offsets } => {
                offsets.truncate(rows.saturating_add(1));
                let end = offsets.last().expect("the first offset is never removed");
                bytes.truncate(usize::try_from(*end).expect("an offset is not negative"));
            }
            ColumnValues::Int16(values) => values.truncate(rows),
            ColumnValues::Int32(values) | ColumnValues::Date32(values) => values.truncate(rows),
            ColumnValues::Int64(values) | ColumnValues::Time(values) | ColumnValues::Timestamp(values) => {
                values.truncate(rows)
            }
            ColumnValues::Decimal { values, .. } => values.truncate(rows),
            ColumnValues::Float64(values) => values.truncate(rows),
            ColumnValues::Boolean(values) => values.truncate(rows),
        }
    }

    /// Returns the Arrow array.
    fn finish(self) -> ArrayRef {
        let nulls = (!self.is_valid.iter().all(|is_valid| *is_valid))
            .then(|| NullBuffer::from(BooleanBuffer::from(self.is_valid)));
        let data_type = &self.data_type;
        match self.data {
            ColumnValues::Text { bytes, offsets } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(StringArray::new(offsets, Buffer::from(bytes), nulls))
            }
            ColumnValues::Int16(values) => primitive::<Int16Type>(values, nulls, data_type),
            ColumnValues::Int32(values) => primitive::<Int32Type>(values, nulls, data_type),
            ColumnValues::Int64(values) => primitive::<Int64Type>(values, nulls, data_type),
            ColumnValues::Decimal { values, .. } => primitive::<Decimal128Type>(values, nulls, data_type),
            ColumnValues::Float64(values) => primitive::<Float64Type>(values, nulls, data_type),
            ColumnValues::Boolean(values) => Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)),
            ColumnValues::Date32(values) => primitive::<Date32Type>(values, nulls, data_type),
            ColumnValues::Time(values) => primitive::<Time64MicrosecondType>(values, nulls, data_type),
            ColumnValues::Timestamp(values) => {
                primitive::<TimestampMicrosecondType>(values, nulls, data_type)
            }
        }
    }
}

/// Why a number fits its column.
const IN_RANGE: &str = "a cast checks the range of its column's type";
/// Why rows can be copied.
const IN_COLUMN: &str = "the rows are in the column";

/// Returns the end of the texts as an offset.
fn offset(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).expect("`Limits` keeps the text of a block below 2 GiB")
}

/// Returns a whole number, or 0 for a missing value.
fn integer(value: Option<&CastValue<'_>>) -> i64 {
    match value {
        None => 0,
        Some(CastValue::Integer(number)) => *number,
        Some(_) => wrong_type(),
    }
}

/// Panics without the value, which must not be logged. Out of the loops over rows.
#[cold]
#[inline(never)]
fn wrong_type() -> ! {
    unreachable!("a cast returns values of its column's type")
}

fn primitive<T: ArrowPrimitiveType>(
    values: Vec<T::Native>,
    nulls: Option<NullBuffer>,
    data_type: &DataType,
) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type.clone()))
}

/// The columns of a block under construction.
#[derive(Debug)]
pub(crate) struct Columns {
    schema: Arc<Schema>,
    buffers: Vec<ColumnBuffer>,
    rows: Vec<i64>,
}

impl Columns {
    /// Returns empty columns. `schema` has the contract's columns and then the row number.
    pub(crate) fn new(schema: Arc<Schema>) -> Self {
        let (_, columns) = schema.fields().split_last().expect("the last column is the row number");
        let buffers = columns.iter().map(|field| ColumnBuffer::new(field.data_type())).collect();
        Self { schema, buffers, rows: Vec::new() }
    }

    /// Appends a value to the current row.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the columns are those of the schema")]
    pub(crate) fn push(&mut self, column: usize, value: Option<&CastValue<'_>>) {
        self.buffers[column].push(value);
    }

    /// Returns an empty buffer of the type of a column.
    #[expect(clippy::indexing_slicing, reason = "the columns are those of the schema")]
    pub(crate) fn like(&self, column: usize) -> ColumnBuffer {
        ColumnBuffer::new(&self.buffers[column].data_type)
    }

    /// Appends values of complete rows from another buffer.
    #[expect(clippy::indexing_slicing, reason = "the columns are those of the schema")]
    pub(crate) fn extend(&mut self, column: usize, values: &ColumnBuffer, rows: Range<usize>) {
        self.buffers[column].extend(values, rows);
    }

    /// Appends texts of complete rows.
    #[expect(clippy::indexing_slicing, reason = "the columns are those of the schema")]
    pub(crate) fn extend_texts<'a>(&mut self, column: usize, texts: impl Iterator<Item = Option<&'a [u8]>>) {
        self.buffers[column].extend_texts(texts);
    }

    /// Accepts the current row.
    pub(crate) fn accept(&mut self, row: u64) {
        self.rows.push(i64::try_from(row).expect("a file has fewer than 2^63 rows"));
    }

    /// Removes the current row, which was rejected.
    pub(crate) fn roll_back(&mut self) {
        for buffer in &mut self.buffers {
            buffer.truncate(self.rows.len());
        }
    }

    /// Returns the accepted rows and leaves empty columns.
    pub(crate) fn take(&mut self) -> RecordBatch {
        let next = Self {
            schema: Arc::clone(&self.schema),
            buffers: self.buffers.iter().map(ColumnBuffer::next).collect(),
            rows: Vec::new(),
        };
        let columns = std::mem::replace(self, next);
        let mut arrays: Vec<ArrayRef> = columns.buffers.into_iter().map(ColumnBuffer::finish).collect();
        arrays.push(primitive::<Int64Type>(columns.rows, None, &DataType::Int64));
        RecordBatch::try_new(columns.schema, arrays)
            .expect("the buffers were made from the schema, and required columns have no missing value")
    }
}
