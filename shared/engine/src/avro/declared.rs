//! What the schema of a file says of its columns.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::io::Read;

use super::header::ContainerHeader;
use super::schema::{Schema, Type, TypeId};
use super::stream::Stream;
use crate::error::ReadError;
use crate::input::Input;
use crate::schema_column::{SchemaColumn, SchemaType};

/// Unions within unions.
const MAX_DEPTH: usize = 32;

/// The fields of the record that a row is.
///
/// # Errors
/// When the header cannot be read.
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
        Type::Time(_) => SchemaType::Time,
        Type::Timestamp { is_utc, .. } => SchemaType::Timestamp { is_utc: *is_utc },
        Type::Uuid => SchemaType::Uuid,
        Type::Array(_) => SchemaType::Array,
        Type::Map(_) | Type::Record(_) => SchemaType::Object,
        Type::Union(branches) => {
            let branches = branches.iter().filter(|branch| *schema.get(**branch) != Type::Null);
            let kinds: Vec<Option<SchemaType>> =
                branches.map(|branch| declared(schema, *branch, depth)).collect();
            return one_of(&kinds);
        }
    })
}

/// What holds a value of either type. Documents and scalars have nothing in common.
fn one_of(kinds: &[Option<SchemaType>]) -> Option<SchemaType> {
    let Some((first, rest)) = kinds.split_first() else { return Some(SchemaType::Text) };
    if rest.iter().all(|kind| kind == first) {
        return *first;
    }
    let is_scalar =
        |kind: &Option<SchemaType>| !matches!(kind, None | Some(SchemaType::Array | SchemaType::Object));
    // As text each value is what it was; the values tell whether they are all numbers.
    kinds.iter().all(is_scalar).then_some(SchemaType::Text)
}
