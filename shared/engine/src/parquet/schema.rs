//! The columns that the schema of a Parquet file declares.

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::file::reader::ChunkReader;
use parquet::schema::types::Type;

use super::footer::read_footer;
use super::shared::SharedFile;
use crate::error::ReadError;
use crate::schema_column::{SchemaColumn, SchemaType};

/// Returns the columns in the order of the file.
///
/// # Errors
/// Returns an error if the footer cannot be read.
pub(crate) fn columns<T: ChunkReader>(file: T) -> Result<Vec<SchemaColumn>, ReadError> {
    let footer = read_footer(&SharedFile::new(file))?;
    let column = |field: &Type| SchemaColumn { name: field.name().to_owned(), kind: declared(field) };
    Ok(footer.fields.iter().map(|field| column(field)).collect())
}

/// Returns the type of a field; `None` if no column can hold its values.
fn declared(field: &Type) -> Option<SchemaType> {
    let info = field.get_basic_info();
    let logical = info.logical_type_ref();
    let converted = info.converted_type();
    if info.has_repetition() && info.repetition() == Repetition::REPEATED {
        return Some(SchemaType::Array);
    }
    if field.is_group() {
        let is_list = matches!(logical, Some(LogicalType::List)) || converted == ConvertedType::LIST;
        return Some(if is_list { SchemaType::Array } else { SchemaType::Object });
    }
    match (logical, converted) {
        (Some(LogicalType::Bson), _) | (_, ConvertedType::BSON | ConvertedType::INTERVAL) => return None,
        (Some(LogicalType::Decimal { .. }), _) | (_, ConvertedType::DECIMAL) => return decimal(field),
        // All values are null; the physical type has no meaning.
        (Some(LogicalType::Unknown), _) => return Some(SchemaType::Text),
        (Some(LogicalType::Uuid), _) => return Some(SchemaType::Uuid),
        (Some(LogicalType::Float16), _) => return Some(SchemaType::Double),
        (Some(LogicalType::Date), _) | (_, ConvertedType::DATE) => return Some(SchemaType::Date),
        (Some(LogicalType::Time { .. }), _)
        | (_, ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS) => return Some(SchemaType::Time),
        (Some(LogicalType::Timestamp(timestamp)), _) => {
            return Some(SchemaType::Timestamp { is_utc: timestamp.is_adjusted_to_u_t_c });
        }
        (Some(LogicalType::Integer(integer)), _) if !integer.is_signed && integer.bit_width == 64 => {
            return Some(SchemaType::Unsigned);
        }
        (Some(LogicalType::Integer(integer)), _) if !integer.is_signed && integer.bit_width == 32 => {
            return Some(SchemaType::Bigint);
        }
        (_, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS) => {
            return Some(SchemaType::Timestamp { is_utc: true });
        }
        (_, ConvertedType::UINT_64) => return Some(SchemaType::Unsigned),
        (_, ConvertedType::UINT_32) => return Some(SchemaType::Bigint),
        // Other annotations do not change the type that the physical type implies.
        _ => {}
    }
    Some(match field.get_physical_type() {
        Physical::BOOLEAN => SchemaType::Boolean,
        Physical::INT32 => SchemaType::Integer,
        Physical::INT64 => SchemaType::Bigint,
        Physical::INT96 => SchemaType::Timestamp { is_utc: false },
        Physical::FLOAT | Physical::DOUBLE => SchemaType::Double,
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => SchemaType::Text,
    })
}

fn decimal(field: &Type) -> Option<SchemaType> {
    let precision = u32::try_from(field.get_precision()).ok()?;
    let scale = u32::try_from(field.get_scale()).ok()?;
    Some(SchemaType::decimal(precision, scale))
}
