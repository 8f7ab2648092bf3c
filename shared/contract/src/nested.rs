//! Reads the members of objects and the items of arrays, to any depth.

use std::collections::HashSet;

use crate::column_checks;
use crate::declared_type;
use crate::error::{Errors, ReadResult, quoted};
use crate::logical_name::LogicalName;
use crate::model::{Column, Harmonise, LogicalType, Nested, SqlType};
use crate::node_ref::NodeRef;
use crate::odcs;
use crate::options;
use crate::quality::{self, CheckScope};
use crate::sql_type::{self, PhysicalType};

/// Reads the `properties` and `items` of `at` into its logical type.
pub(crate) fn fill(
    at: &NodeRef<'_>,
    logical: &mut LogicalType,
    is_v3_0: bool,
    errors: &mut Errors,
) -> ReadResult<()> {
    let (properties, items) = (at.get("properties"), at.get("items"));
    match logical {
        LogicalType::Object { properties: members } => {
            if let Some(items) = items {
                return Err(items.report(errors, odcs::ITEMS_OF_ARRAY));
            }
            if let Some(list) = properties {
                *members = self::members(&list, is_v3_0, errors)?;
            }
        }
        LogicalType::Array { items: item } => {
            if let Some(properties) = properties {
                return Err(properties.report(errors, odcs::ARRAY_HAS_ITEMS));
            }
            if let Some(items) = items {
                *item = Some(Box::new(read(&items, NestedKind::Item, is_v3_0, errors)?));
            }
        }
        LogicalType::String
        | LogicalType::Integer
        | LogicalType::Number
        | LogicalType::Boolean
        | LogicalType::Date { .. }
        | LogicalType::Timestamp { .. }
        | LogicalType::Time { .. } => {
            let mut outcome = Ok(());
            for (at, wanted) in [(properties, "object"), (items, "array")] {
                if let Some(at) = at {
                    outcome = Err(at.report(errors, odcs::members_of(wanted)));
                }
            }
            return outcome;
        }
    }
    Ok(())
}

/// Returns true if the `physicalType` of a member limits its values more than the checks do.
pub(crate) fn has_unapplied_type(member: &NodeRef<'_>, is_v3_0: bool) -> bool {
    let mut ignored = Errors::default();
    let Some(physical) = member.get("physicalType").and_then(|at| at.str(&mut ignored).ok()) else {
        return false;
    };
    let Ok(name) = logical_name(member, is_v3_0, &mut ignored) else { return false };
    let Ok(physical) = sql_type::parse(physical, Some(name)) else {
        return !matches!(name, LogicalName::Object | LogicalName::Array);
    };
    let PhysicalType { sql, max_length, is_array: _, flag, lists_values } = physical;
    let is_limit = match sql {
        SqlType::Smallint
        | SqlType::Integer
        | SqlType::Bigint
        | SqlType::Numeric(Some(_))
        | SqlType::DoublePrecision => true,
        SqlType::Uuid => {
            let format = member.get("logicalTypeOptions").and_then(|options| options.get("format"));
            format.is_none_or(|format| format.str(&mut ignored) != Ok("uuid"))
        }
        SqlType::Numeric(None)
        | SqlType::Text
        | SqlType::Boolean
        | SqlType::Date
        | SqlType::Time
        | SqlType::Timestamp
        | SqlType::Timestamptz
        | SqlType::Jsonb => !name.fits(&sql),
    };
    is_limit || max_length.is_some() || flag.is_some() || lists_values
}

/// Returns the first `classification` of the members and items under `at`.
pub(crate) fn classification(at: &NodeRef<'_>) -> Option<String> {
    let mut ignored = Errors::default();
    let properties = at.get("properties").and_then(|list| list.items(&mut ignored).ok()).unwrap_or_default();
    properties.into_iter().chain(at.get("items")).find_map(|member| {
        let own = member.get("classification").and_then(|at| at.str(&mut ignored).ok().map(str::to_owned));
        own.or_else(|| classification(&member))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum NestedKind {
    Member,
    Item,
}

fn members(list: &NodeRef<'_>, is_v3_0: bool, errors: &mut Errors) -> ReadResult<Vec<Nested>> {
    let items = list.items(errors)?;
    let read: Vec<ReadResult<Nested>> =
        items.iter().map(|item| self::read(item, NestedKind::Member, is_v3_0, errors)).collect();
    let mut outcome = Ok(());
    let mut names: HashSet<&str> = HashSet::new();
    for (item, member) in items.iter().zip(&read) {
        if let Ok(member) = member
            && !names.insert(&member.name)
        {
            let at = item.get("name").unwrap_or_else(|| item.clone());
            outcome = Err(at.report(errors, format!("duplicate property {}", quoted(&member.name))));
        }
    }
    outcome?;
    read.into_iter().collect()
}

fn read(at: &NodeRef<'_>, part: NestedKind, is_v3_0: bool, errors: &mut Errors) -> ReadResult<Nested> {
    let name = match part {
        NestedKind::Member => at.require("name", errors).and_then(|at| key(&at, errors)),
        NestedKind::Item => Ok(String::new()),
    };
    let physical_name = match part {
        NestedKind::Member => at.get("physicalName").map(|at| key(&at, errors)).transpose(),
        NestedKind::Item => Ok(None),
    };
    let required = at.get("required").map(|at| at.bool(errors)).transpose();
    let column_options = self::column_options(at, errors);
    let logical = logical_name(at, is_v3_0, errors);
    let checks = quality::read(at, CheckScope::Member, is_v3_0, errors);
    let mut options = logical.and_then(|name| options::read(at, name, is_v3_0, errors))?;
    fill(at, &mut options.logical, is_v3_0, errors)?;
    column_options?;
    let name = name?;
    let physical_name = physical_name?.unwrap_or_else(|| name.clone());
    // The checks of a member are validated like those of a column.
    let mut column = Column {
        name,
        physical_name,
        logical_type: options.logical,
        sql_type: options.derived,
        required: required?.unwrap_or(false),
        unique: false,
        rules: options.rules,
        harmonise: Harmonise::default(),
        classification: None,
        pseudonymise: false,
    };
    column_checks::apply(at, &mut column, &checks?, errors)?;
    let Column { name, physical_name, logical_type, required, rules, .. } = column;
    Ok(Nested { name, physical_name, logical_type, required, rules })
}

/// Reads a key of a JSON object that `jsonb` can store.
fn key(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let text = at.text(errors)?;
    if text.contains('\0') {
        return Err(at.report(errors, "has a NUL character, which PostgreSQL cannot store"));
    }
    Ok(text.to_owned())
}

fn column_options(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<()> {
    let mut outcome = Ok(());
    for (name, suggestion) in [
        ("primaryKey", "only columns can be in a primary key"),
        ("unique", "only columns can be unique; use `uniqueItems` for the items of one array"),
    ] {
        if let Some(at) = at.get(name)
            && at.bool(errors) == Ok(true)
        {
            outcome = Err(at.report(errors, suggestion));
        }
    }
    outcome
}

/// Reads the logical type of a member. Its physical type matters only if there is no logical type: the whole document
/// is stored as `jsonb`.
fn logical_name(at: &NodeRef<'_>, is_v3_0: bool, errors: &mut Errors) -> ReadResult<LogicalName> {
    if let Some(name) = declared_type::read(at, is_v3_0, errors)? {
        return Ok(name);
    }
    let physical = at.get("physicalType").and_then(|at| {
        let text = at.str(&mut Errors::default()).ok()?;
        sql_type::parse(text, None).ok()
    });
    match physical {
        Some(physical) if physical.is_array => Ok(LogicalName::Array),
        Some(physical) => Ok(LogicalName::of(&physical.sql)),
        None => Err(at.needs(errors, "add `logicalType`, e.g. `logicalType: string`")),
    }
}
