//! The columns that the schema of an Avro file declares.

use std::io::Read;

use super::header::ContainerHeader;
use super::schema::{Schema, Type, TypeId};
use super::stream::Stream;
use crate::error::ReadError;
use crate::input::Input;
use crate::schema_column::{SchemaColumn, SchemaType};

/// Deepest nesting of unions.
const MAX_DEPTH: usize = 32;

/// Returns the fields of the top-level record.
///
/// # Errors
/// Returns an error if the header cannot be read.
pub(crate) fn declared_columns<R: Read>(input: Input<R>) -> Result<Vec<SchemaColumn>, ReadError> {
    let ContainerHeader { schema, .. } = ContainerHeader::read(&mut Stream::new(input))?;
    let fields = schema.fields.iter();
    Ok(fields
        .map(|field| SchemaColumn {
            name: field.name.clone(),
            kind: declared(&schema, field.kind, MAX_DEPTH),
        })
        .collect())
}

/// Returns the type of a field; `None` if no column can hold its values.
fn declared(schema: &Schema, kind: TypeId, depth: usize) -> Option<SchemaType> {
    let depth = depth.checked_sub(1)?;
    Some(match schema.get(kind) {
        Type::Null | Type::Bytes | Type::Text | Type::Fixed(_) | Type::Duration | Type::Enum(_) => {
            SchemaType::Text
        }
        Type::Boolean => SchemaType::Boolean,
        Type::Int => SchemaType::Integer,
        Type::Long => SchemaType::Bigint,
        Type::Float | Type::Double => SchemaType::Double,
        Type::Decimal { precision, scale, .. } => SchemaType::decimal(*precision, *scale),
        // Each value has its own scale.
        Type::BigDecimal => SchemaType::Text,
        Type::Date => SchemaType::Date,
        Type::TimeMillis | Type::TimeMicros => SchemaType::Time,
        Type::Timestamp { is_utc, .. } => SchemaType::Timestamp { is_utc: *is_utc },
        Type::Uuid => SchemaType::Uuid,
        Type::Array(_) => SchemaType::Array,
        Type::Map(_) | Type::Record(_) => SchemaType::Object,
        Type::Union(branches) => {
            let branches = branches.iter().filter(|branch| *schema.get(**branch) != Type::Null);
            let kinds: Vec<Option<SchemaType>> =
                branches.map(|branch| declared(schema, *branch, depth)).collect();
            return common_type(&kinds);
        }
    })
}

/// Returns a type that can hold the values of all `kinds`; `None` if there is none, as for documents and scalars.
fn common_type(kinds: &[Option<SchemaType>]) -> Option<SchemaType> {
    let Some((first, rest)) = kinds.split_first() else { return Some(SchemaType::Text) };
    if rest.iter().all(|kind| kind == first) {
        return *first;
    }
    let is_scalar =
        |kind: &Option<SchemaType>| !matches!(kind, None | Some(SchemaType::Array | SchemaType::Object));
    // Every scalar can be read as text. Whether all values are numbers is inferred from the values.
    kinds.iter().all(is_scalar).then_some(SchemaType::Text)
}
