//! What the schema of a file says of its columns.

#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::unwrap_used)]

use std::io::Read;

use super::header::Header;
use super::schema::{Schema, Type, TypeId};
use super::stream::Stream;
use crate::error::ReadError;
use crate::infer::declared::{Declared, DeclaredColumn};
use crate::input::Input;

/// Unions within unions.
const MAX_DEPTH: usize = 32;

/// The fields of the record that a row is.
///
/// # Errors
/// When the header cannot be read.
pub(crate) fn declared_columns<R: Read>(input: Input<R>) -> Result<Vec<DeclaredColumn>, ReadError> {
    let Header { schema, .. } = Header::read(&mut Stream::new(input))?;
    let fields = schema.fields.iter();
    Ok(fields
        .map(|field| DeclaredColumn {
            name: field.name.clone(),
            kind: declared(&schema, field.kind, MAX_DEPTH),
        })
        .collect())
}

fn declared(schema: &Schema, kind: TypeId, depth: usize) -> Option<Declared> {
    let depth = depth.checked_sub(1)?;
    Some(match schema.get(kind) {
        Type::Null | Type::Bytes | Type::Text | Type::Fixed(_) | Type::Duration | Type::Enum(_) => {
            Declared::Text
        }
        Type::Boolean => Declared::Boolean,
        Type::Int => Declared::Integer,
        Type::Long => Declared::Bigint,
        Type::Float | Type::Double => Declared::Double,
        Type::Decimal { precision, scale, .. } => Declared::decimal(*precision, *scale),
        // Each value has its own scale.
        Type::BigDecimal => Declared::Text,
        Type::Date => Declared::Date,
        Type::Time(_) => Declared::Time,
        Type::Timestamp { is_utc, .. } => Declared::Timestamp { is_utc: *is_utc },
        Type::Uuid => Declared::Uuid,
        Type::Array(_) => Declared::Array,
        Type::Map(_) | Type::Record(_) => Declared::Object,
        Type::Union(branches) => {
            let branches = branches.iter().filter(|branch| *schema.get(**branch) != Type::Null);
            let kinds: Vec<Option<Declared>> =
                branches.map(|branch| declared(schema, *branch, depth)).collect();
            return one_of(&kinds);
        }
    })
}

/// What holds a value of either type. Documents and scalars have nothing in common.
fn one_of(kinds: &[Option<Declared>]) -> Option<Declared> {
    let Some((first, rest)) = kinds.split_first() else { return Some(Declared::Text) };
    if rest.iter().all(|kind| kind == first) {
        return *first;
    }
    let is_scalar =
        |kind: &Option<Declared>| !matches!(kind, None | Some(Declared::Array | Declared::Object));
    // As text each value is what it was; the values tell whether they are all numbers.
    kinds.iter().all(is_scalar).then_some(Declared::Text)
}
