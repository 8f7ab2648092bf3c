//! What the schema of a file says of its columns.

use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::file::reader::ChunkReader;
use parquet::schema::types::Type;

use super::footer::read_footer;
use super::shared::Shared;
use crate::error::ReadError;
use crate::infer::declared::{Declared, DeclaredColumn};

/// The columns in the order of the file.
///
/// # Errors
/// When the footer cannot be read.
pub(crate) fn columns<T: ChunkReader>(file: T) -> Result<Vec<DeclaredColumn>, ReadError> {
    let footer = read_footer(&Shared::new(file))?;
    let column = |field: &Type| DeclaredColumn { name: field.name().to_owned(), kind: declared(field) };
    Ok(footer.fields.iter().map(|field| column(field)).collect())
}

fn declared(field: &Type) -> Option<Declared> {
    let info = field.get_basic_info();
    let logical = info.logical_type_ref();
    let converted = info.converted_type();
    if info.has_repetition() && info.repetition() == Repetition::REPEATED {
        return Some(Declared::Array);
    }
    if field.is_group() {
        let is_list = matches!(logical, Some(LogicalType::List)) || converted == ConvertedType::LIST;
        return Some(if is_list { Declared::Array } else { Declared::Object });
    }
    match (logical, converted) {
        (Some(LogicalType::Bson), _) | (_, ConvertedType::BSON | ConvertedType::INTERVAL) => return None,
        (Some(LogicalType::Decimal { .. }), _) | (_, ConvertedType::DECIMAL) => return decimal(field),
        // Of no value: the physical type says nothing.
        (Some(LogicalType::Unknown), _) => return Some(Declared::Text),
        (Some(LogicalType::Uuid), _) => return Some(Declared::Uuid),
        (Some(LogicalType::Float16), _) => return Some(Declared::Double),
        (Some(LogicalType::Date), _) | (_, ConvertedType::DATE) => return Some(Declared::Date),
        (Some(LogicalType::Time { .. }), _)
        | (_, ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS) => return Some(Declared::Time),
        (Some(LogicalType::Timestamp(timestamp)), _) => {
            return Some(Declared::Timestamp { is_utc: timestamp.is_adjusted_to_u_t_c });
        }
        (Some(LogicalType::Integer(integer)), _) if !integer.is_signed && integer.bit_width == 64 => {
            return Some(Declared::Unsigned);
        }
        (Some(LogicalType::Integer(integer)), _) if !integer.is_signed && integer.bit_width == 32 => {
            return Some(Declared::Bigint);
        }
        (_, ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS) => {
            return Some(Declared::Timestamp { is_utc: true });
        }
        (_, ConvertedType::UINT_64) => return Some(Declared::Unsigned),
        (_, ConvertedType::UINT_32) => return Some(Declared::Bigint),
        _ => {}
    }
    Some(match field.get_physical_type() {
        Physical::BOOLEAN => Declared::Boolean,
        Physical::INT32 => Declared::Integer,
        Physical::INT64 => Declared::Bigint,
        Physical::INT96 => Declared::Timestamp { is_utc: false },
        Physical::FLOAT | Physical::DOUBLE => Declared::Double,
        Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY => Declared::Text,
    })
}

fn decimal(field: &Type) -> Option<Declared> {
    let precision = u32::try_from(field.get_precision()).ok()?;
    let scale = u32::try_from(field.get_scale()).ok()?;
    Some(Declared::decimal(precision, scale))
}
