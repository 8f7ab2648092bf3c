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

/// The column of the row numbers.
pub(crate) const ROW_COLUMN: &str = "_row";
/// `Decimal128` has no more digits.
const MAX_DECIMAL_PRECISION: u16 = 38;

/// The Arrow type of a PostgreSQL one. What Arrow and Parquet hold no type for is text.
pub(crate) fn data_type(sql_type: &SqlType) -> DataType {
    match sql_type {
        SqlType::Smallint => DataType::Int16,
        SqlType::Integer => DataType::Int32,
        SqlType::Bigint => DataType::Int64,
        SqlType::Numeric(Some((precision, scale))) if *precision <= MAX_DECIMAL_PRECISION => {
            match (u8::try_from(*precision), i8::try_from(*scale)) {
                (Ok(precision), Ok(scale)) => DataType::Decimal128(precision, scale),
                _ => DataType::Utf8,
            }
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
    /// To be made with the first value.
    room: Room,
}

#[derive(Debug, Clone, Copy, Default)]
struct Room {
    values: usize,
    /// Of text.
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
    #[expect(clippy::wildcard_enum_match_arm, reason = "Arrow has many types; `data_type` gives these")]
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
            _ => ColumnValues::Text { bytes: Vec::new(), offsets: vec![0] },
        };
        Self { data, is_valid: Vec::new(), data_type: data_type.clone(), room: Room::default() }
    }

    /// An empty one that will make room for as much as there is here: the next chunk will be about as long.
    fn next(&self) -> Self {
        let bytes = if let ColumnValues::Text { bytes, .. } = &self.data { bytes.len() } else { 0 };
        let room = Room { values: self.is_valid.len(), bytes: bytes.saturating_add(bytes / 16) };
        Self { room, ..Self::new(&self.data_type) }
    }

    /// Not before the first value comes: until then the last chunk's memory may be given back, to be used again here.
    #[cold]
    fn make_room(&mut self) {
        let Room { values, bytes: text_bytes } = std::mem::take(&mut self.room);
        self.is_valid.reserve(values);
        match &mut self.data {
            ColumnValues::Text { bytes, offsets } => {
                bytes.reserve(text_bytes);
                offsets.reserve(values);
            }
            ColumnValues::Int16(room) => room.reserve(values),
            ColumnValues::Int32(room) | ColumnValues::Date32(room) => room.reserve(values),
            ColumnValues::Int64(room) | ColumnValues::Time(room) | ColumnValues::Timestamp(room) => {
                room.reserve(values)
            }
            ColumnValues::Decimal { values: room, .. } => room.reserve(values),
            ColumnValues::Float64(room) => room.reserve(values),
            ColumnValues::Boolean(room) => room.reserve(values),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, value: Option<&CastValue<'_>>) {
        if self.room.values > 0 {
            self.make_room();
        }
        self.is_valid.push(value.is_some());
        match &mut self.data {
            ColumnValues::Text { bytes, offsets } => {
                match value {
                    Some(CastValue::Text(Text { text, .. })) => bytes.extend_from_slice(text.as_bytes()),
                    Some(other) => crate::copy::write(other, false, bytes),
                    None => {}
                }
                // `Limits` keeps a block's text below 2 GiB.
                offsets.push(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
            }
            ColumnValues::Int16(values) => values.push(i16::try_from(integer(value)).unwrap_or_default()),
            ColumnValues::Int32(values) => values.push(i32::try_from(integer(value)).unwrap_or_default()),
            ColumnValues::Int64(values) => values.push(integer(value)),
            ColumnValues::Decimal { values, scale } => {
                let number = match value {
                    Some(CastValue::Decimal(number)) => number.to_i128(*scale).unwrap_or_default(),
                    // Its scale is the column's.
                    Some(CastValue::Scaled(unscaled, _)) => i128::from(*unscaled),
                    _ => 0,
                };
                values.push(number);
            }
            ColumnValues::Float64(values) => {
                values.push(if let Some(CastValue::Double(number)) = value { *number } else { 0.0 });
            }
            ColumnValues::Boolean(values) => values.push(matches!(value, Some(CastValue::Boolean(true)))),
            ColumnValues::Date32(values) => {
                values.push(if let Some(CastValue::Date(days)) = value { *days } else { 0 });
            }
            ColumnValues::Time(values) => {
                values.push(if let Some(CastValue::Time(micros)) = value { *micros } else { 0 });
            }
            ColumnValues::Timestamp(values) => {
                values.push(if let Some(CastValue::Timestamp(micros)) = value { *micros } else { 0 });
            }
        }
    }

    /// Takes values of a column of the same type.
    fn extend(&mut self, other: &Self, rows: Range<usize>) {
        fn take<T: Copy>(values: &mut Vec<T>, other: &[T], rows: Range<usize>) {
            values.extend_from_slice(other.get(rows).unwrap_or_default());
        }
        if self.room.values > 0 {
            self.make_room();
        }
        take(&mut self.is_valid, &other.is_valid, rows.clone());
        match (&mut self.data, &other.data) {
            (ColumnValues::Text { bytes, offsets }, ColumnValues::Text { bytes: other, offsets: places }) => {
                let at = |row: usize| {
                    places.get(row).and_then(|place| usize::try_from(*place).ok()).unwrap_or_default()
                };
                for row in rows {
                    bytes
                        .extend_from_slice(other.get(at(row)..at(row.saturating_add(1))).unwrap_or_default());
                    offsets.push(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
                }
            }
            (ColumnValues::Int16(values), ColumnValues::Int16(other)) => take(values, other, rows),
            (ColumnValues::Int32(values), ColumnValues::Int32(other))
            | (ColumnValues::Date32(values), ColumnValues::Date32(other)) => {
                take(values, other, rows);
            }
            (ColumnValues::Int64(values), ColumnValues::Int64(other))
            | (ColumnValues::Time(values), ColumnValues::Time(other))
            | (ColumnValues::Timestamp(values), ColumnValues::Timestamp(other)) => take(values, other, rows),
            (ColumnValues::Decimal { values, .. }, ColumnValues::Decimal { values: other, .. }) => {
                take(values, other, rows)
            }
            (ColumnValues::Float64(values), ColumnValues::Float64(other)) => take(values, other, rows),
            (ColumnValues::Boolean(values), ColumnValues::Boolean(other)) => take(values, other, rows),
            _ => unreachable!("both are of one column"),
        }
    }

    /// Takes texts.
    fn extend_texts<'a>(&mut self, texts: impl Iterator<Item = Option<&'a [u8]>>) {
        if self.room.values > 0 {
            self.make_room();
        }
        let ColumnValues::Text { bytes, offsets } = &mut self.data else { unreachable!("a column of texts") };
        for text in texts {
            self.is_valid.push(text.is_some());
            bytes.extend_from_slice(text.unwrap_or_default());
            offsets.push(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
        }
    }

    /// Takes back what was pushed beyond `rows`.
    fn truncate(&mut self, rows: usize) {
        self.is_valid.truncate(rows);
        match &mut self.data {
            ColumnValues::Text { bytes, offsets } => {
                offsets.truncate(rows.saturating_add(1));
                let end = offsets.last().copied().unwrap_or_default();
                bytes.truncate(usize::try_from(end).expect("an offset is not negative"));
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

    fn finish(self) -> ArrayRef {
        let nulls = (!self.is_valid.iter().all(|is_valid| *is_valid))
            .then(|| NullBuffer::from(BooleanBuffer::from(self.is_valid)));
        let kind = &self.data_type;
        match self.data {
            ColumnValues::Text { bytes, offsets } => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(StringArray::new(offsets, Buffer::from(bytes), nulls))
            }
            ColumnValues::Int16(values) => primitive::<Int16Type>(values, nulls, kind),
            ColumnValues::Int32(values) => primitive::<Int32Type>(values, nulls, kind),
            ColumnValues::Int64(values) => primitive::<Int64Type>(values, nulls, kind),
            ColumnValues::Decimal { values, .. } => primitive::<Decimal128Type>(values, nulls, kind),
            ColumnValues::Float64(values) => primitive::<Float64Type>(values, nulls, kind),
            ColumnValues::Boolean(values) => Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)),
            ColumnValues::Date32(values) => primitive::<Date32Type>(values, nulls, kind),
            ColumnValues::Time(values) => primitive::<Time64MicrosecondType>(values, nulls, kind),
            ColumnValues::Timestamp(values) => primitive::<TimestampMicrosecondType>(values, nulls, kind),
        }
    }
}

fn integer(value: Option<&CastValue<'_>>) -> i64 {
    if let Some(CastValue::Integer(number)) = value { *number } else { 0 }
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
    /// `schema`: the contract's columns, then the row number.
    pub(crate) fn new(schema: Arc<Schema>) -> Self {
        let columns = schema.fields().split_last().map_or(&[][..], |(_, columns)| columns);
        let buffers = columns.iter().map(|field| ColumnBuffer::new(field.data_type())).collect();
        Self { schema, buffers, rows: Vec::new() }
    }

    /// The next value of a row under construction.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the columns are those of the schema")]
    pub(crate) fn push(&mut self, column: usize, value: Option<&CastValue<'_>>) {
        self.buffers[column].push(value);
    }

    /// An empty column of the same type as one of these.
    #[expect(clippy::indexing_slicing, reason = "the columns are those of the schema")]
    pub(crate) fn like(&self, column: usize) -> ColumnBuffer {
        ColumnBuffer::new(&self.buffers[column].data_type)
    }

    /// Takes values of whole rows, which were pushed to another column.
    #[expect(clippy::indexing_slicing, reason = "the columns are those of the schema")]
    pub(crate) fn extend(&mut self, column: usize, values: &ColumnBuffer, rows: Range<usize>) {
        self.buffers[column].extend(values, rows);
    }

    /// Takes texts of whole rows.
    #[expect(clippy::indexing_slicing, reason = "the columns are those of the schema")]
    pub(crate) fn extend_texts<'a>(&mut self, column: usize, texts: impl Iterator<Item = Option<&'a [u8]>>) {
        self.buffers[column].extend_texts(texts);
    }

    /// The row under construction is whole.
    pub(crate) fn accept(&mut self, row: u64) {
        self.rows.push(i64::try_from(row).unwrap_or(i64::MAX));
    }

    /// The row under construction is refused.
    pub(crate) fn roll_back(&mut self) {
        for buffer in &mut self.buffers {
            buffer.truncate(self.rows.len());
        }
    }

    /// The accepted rows; starts anew.
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
