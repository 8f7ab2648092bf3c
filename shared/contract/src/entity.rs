//! Reads an object of the schema: its table, its columns and its primary key.

use crate::error::{Errors, ReadResult, quoted};
use crate::model::{Column, Entity, QualityCheck, TableName};
use crate::names::{self, ColumnNames, MAX_IDENTIFIER_BYTES};
use crate::node_ref::NodeRef;
use crate::property::{self, Property};
use crate::quality::{self, CheckScope};

/// PostgreSQL's limit is 1,600, and Penstock adds columns of its own.
const MAX_COLUMNS: usize = 1_500;

/// An entity, the names of its columns, and the quality checks of its batches.
pub(crate) struct EntityParts {
    pub(crate) entity: Entity,
    pub(crate) names: ColumnNames,
    pub(crate) quality: Vec<QualityCheck>,
}

pub(crate) fn read(at: &NodeRef<'_>, is_v3_0: bool, errors: &mut Errors) -> ReadResult<EntityParts> {
    let name = at.require("name", errors).and_then(|at| at.text(errors));
    let table = match at.get("physicalName") {
        Some(physical) => table(&physical, errors),
        None => at.require("name", errors).and_then(|at| table(&at, errors)),
    };
    let Some(list) = at.get("properties") else {
        return Err(at.needs(errors, "add `properties`, with a `name` and a `logicalType` for each column"));
    };
    let items = list.items(errors)?;
    if items.is_empty() {
        return Err(list.needs(errors, "is empty; add a `name` and a `logicalType` for each column"));
    }
    if items.len() > MAX_COLUMNS {
        return Err(
            list.report(errors, format!("has {} columns; a table has 1 to {MAX_COLUMNS}", items.len()))
        );
    }
    let numbered = items.iter().enumerate();
    let read: Vec<ReadResult<Property>> =
        numbered.map(|(index, item)| property::read(item, index, is_v3_0, errors)).collect();
    let duplicates = names::check_unique(&items, errors);
    let properties: Vec<Property> = read.into_iter().collect::<ReadResult<_>>()?;
    duplicates?;
    let key = key(&items, &properties, errors)?;
    let mut quality = Vec::new();
    let mut columns = Vec::new();
    let mut names = ColumnNames::default();
    for property in properties {
        quality.extend(property.quality);
        names.push(property.name, property.column.name.clone());
        columns.push(property.column);
    }
    let of_schema = quality::read(at, CheckScope::Schema(&columns, &names), is_v3_0, errors)?;
    quality.extend(of_schema.batch.into_iter().map(|(check, _)| check));
    let entity = Entity { name: name?.to_owned(), table: table?, columns, key };
    Ok(EntityParts { entity, names, quality })
}

/// A column of the primary key, with its property.
struct KeyColumn<'a, 'n> {
    position: Option<i64>,
    index: usize,
    at: &'a NodeRef<'n>,
    column: &'a Column,
}

/// Returns the indexes of the key columns by position. Columns without positions, or with equal ones, are in the order
/// of the contract.
fn key(items: &[NodeRef<'_>], properties: &[Property], errors: &mut Errors) -> ReadResult<Vec<usize>> {
    let columns = items.iter().zip(properties).enumerate();
    let mut keys: Vec<KeyColumn<'_, '_>> = columns
        .filter_map(|(index, (at, property))| {
            Some(KeyColumn { position: property.key?, index, at, column: &property.column })
        })
        .collect();
    let is_positioned = keys.iter().any(|key| key.position.is_some());
    if let Some(without) = keys.iter().find(|key| is_positioned && key.position.is_none()) {
        let message = "add `primaryKeyPosition`: other columns of the key have one";
        return Err(without.at.report(errors, message));
    }
    keys.sort_by_key(|key| (key.position, key.index));
    if let Some(document) = keys.iter().find(|key| quality::is_document(key.column)) {
        return Err(document.at.report(errors, "an object or array cannot be in the primary key"));
    }
    Ok(keys.into_iter().map(|key| key.index).collect())
}

fn table(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<TableName> {
    let text = at.text(errors)?;
    let (schema, table) = text.split_once('.').unwrap_or(("public", text));
    let valid = |part: &str| names::is_identifier(part) && part.len() <= MAX_IDENTIFIER_BYTES;
    if !valid(schema) || !valid(table) {
        let message = format!(
            "{} is not a valid table name; set `physicalName: schema.table`, two names of letters, digits and `_` of at most {MAX_IDENTIFIER_BYTES} bytes each",
            quoted(text)
        );
        return Err(at.needs(errors, message));
    }
    if schema == "penstock" || schema == "information_schema" || schema.starts_with("pg_") {
        return Err(
            at.needs(errors, format!("the schema `{schema}` is reserved; use another, e.g. `public`"))
        );
    }
    Ok(TableName { schema: schema.to_owned(), table: table.to_owned() })
}
