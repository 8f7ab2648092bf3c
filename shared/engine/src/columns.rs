//! COPY text to Arrow: the lake gets what the database gets, because it is made from it.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int16Builder, Int32Builder,
    Int64Builder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use memchr::memchr;
use penstock_contract::SqlType;

use crate::cast::time;
use crate::copy;
use crate::plan::{Plan, PlanColumn};

/// Largest precision of a 128-bit decimal.
const DECIMAL_DIGITS: u16 = 38;
/// Column that holds the row number.
const ROW: &str = "_row";

pub(crate) fn schema(columns: &[PlanColumn]) -> Schema {
    let fields = columns.iter().map(|column| Field::new(&column.name, data_type(&column.sql_type), true));
    Schema::new(fields.chain([Field::new(ROW, DataType::Int64, false)]).collect::<Vec<_>>())
}

fn data_type(sql_type: &SqlType) -> DataType {
    match sql_type {
        SqlType::Smallint => DataType::Int16,
        SqlType::Integer => DataType::Int32,
        SqlType::Bigint => DataType::Int64,
        SqlType::Numeric(Some((precision, scale))) if *precision <= DECIMAL_DIGITS => DataType::Decimal128(
            u8::try_from(*precision).unwrap_or(u8::MAX),
            i8::try_from(*scale).unwrap_or(i8::MAX),
        ),
        SqlType::DoublePrecision => DataType::Float64,
        SqlType::Boolean => DataType::Boolean,
        SqlType::Date => DataType::Date32,
        SqlType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        SqlType::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ => DataType::Utf8,
    }
}

enum Builder {
    Text(StringBuilder),
    Small(Int16Builder),
    Int(Int32Builder),
    Big(Int64Builder),
    Decimal(Decimal128Builder, i8),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Date(Date32Builder),
    Timestamp(TimestampMicrosecondBuilder),
}

impl Builder {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Int16 => Self::Small(Int16Builder::new()),
            DataType::Int32 => Self::Int(Int32Builder::new()),
            DataType::Int64 => Self::Big(Int64Builder::new()),
            DataType::Decimal128(_, scale) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(data_type.clone()), *scale)
            }
            DataType::Float64 => Self::Double(Float64Builder::new()),
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Date32 => Self::Date(Date32Builder::new()),
            DataType::Timestamp(_, _) => {
                Self::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(data_type.clone()))
            }
            _ => Self::Text(StringBuilder::new()),
        }
    }

    /// Appends one field of COPY text; false when it is not of the type.
    fn push(&mut self, field: &[u8]) -> bool {
        let value = copy::unescape(field);
        let text = value.as_deref().map(|bytes| std::str::from_utf8(bytes).ok());
        let Some(text) = text.transpose_option() else { return false };
        match self {
            Self::Text(builder) => builder.append_option(text),
            Self::Small(builder) => return append(text, |value| builder.append_option(value)),
            Self::Int(builder) => return append(text, |value| builder.append_option(value)),
            Self::Big(builder) => return append(text, |value| builder.append_option(value)),
            Self::Double(builder) => return append(text, |value| builder.append_option(value)),
            Self::Decimal(builder, scale) => {
                let value = text.map(|text| unscaled(text, *scale));
                builder.append_option(value.flatten());
                return value != Some(None);
            }
            Self::Boolean(builder) => builder.append_option(text.map(|text| text == "t")),
            Self::Date(builder) => {
                let days = text.map(|text| {
                    time::parse_iso_date(text.as_bytes()).and_then(|days| i32::try_from(days).ok())
                });
                builder.append_option(days.flatten());
                return days != Some(None);
            }
            Self::Timestamp(builder) => {
                let wall = text
                    .map(|text| time::parse_iso_timestamp(text.as_bytes()).ok().map(|parsed| parsed.wall_us));
                builder.append_option(wall.flatten());
                return wall != Some(None);
            }
        }
        true
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Small(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Big(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder, _) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
        }
    }
}

/// `Option<Option<T>>`, where the inner `None` is a fault: `None` then.
trait TransposeOption<T> {
    fn transpose_option(self) -> Option<Option<T>>;
}

impl<T> TransposeOption<T> for Option<Option<T>> {
    fn transpose_option(self) -> Option<Option<T>> {
        match self {
            None => Some(None),
            Some(None) => None,
            Some(Some(value)) => Some(Some(value)),
        }
    }
}

fn append<T: std::str::FromStr>(text: Option<&str>, mut push: impl FnMut(Option<T>)) -> bool {
    let value = text.map(|text| text.parse::<T>().ok());
    let is_read = !matches!(value, Some(None));
    push(value.flatten());
    is_read
}

/// A canonical decimal as a whole number of 10^-scale.
fn unscaled(text: &str, scale: i8) -> Option<i128> {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut digits = integer.bytes().filter(|byte| *byte != b'-').chain(fraction.bytes());
    let value = digits.try_fold(0i128, |sum, digit| {
        sum.checked_mul(10)?.checked_add(i128::from(digit.wrapping_sub(b'0')))
    })?;
    let missing = u32::try_from(scale).ok()?.checked_sub(u32::try_from(fraction.len()).ok()?)?;
    let value = value.checked_mul(10i128.checked_pow(missing)?)?;
    if integer.starts_with('-') { value.checked_neg() } else { Some(value) }
}

/// The rows of COPY text, typed.
pub(crate) fn record_batch(plan: &Plan, copy_text: &[u8]) -> Result<RecordBatch, ArrowError> {
    let schema = plan.arrow_schema();
    let mut builders: Vec<Builder> =
        schema.fields().iter().map(|field| Builder::new(field.data_type())).collect();
    let mut rest = copy_text;
    while !rest.is_empty() {
        let last = builders.len().saturating_sub(1);
        for (index, builder) in builders.iter_mut().enumerate() {
            let end = if index == last { b'\n' } else { b'\t' };
            let at = memchr(end, rest)
                .ok_or_else(|| ArrowError::ParseError("a row without its end".to_owned()))?;
            let (field, tail) = rest.split_at(at);
            rest = tail.get(1..).unwrap_or_default();
            if !builder.push(field) {
                return Err(ArrowError::ParseError(format!("field {index} is not of its column's type")));
            }
        }
    }
    RecordBatch::try_new(schema, builders.iter_mut().map(Builder::finish).collect())
}
