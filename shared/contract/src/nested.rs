//! Members of objects and items of arrays, to any depth.

use std::collections::HashSet;

use crate::at::At;
use crate::error::{Errors, Read, quoted};
use crate::model::{Column, Harmonise, LogicalType, Nested, SqlType};
use crate::odcs;
use crate::options::{self, LogicalName};
use crate::property;
use crate::quality::{self, Scope};
use crate::sql_type::{self, PhysicalType};

/// Reads the `properties` and `items` of `at` into its logical type.
pub(crate) fn fill(at: &At<'_>, logical: &mut LogicalType, is_v3_0: bool, errors: &mut Errors) -> Read<()> {
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
                *item = Some(Box::new(read(&items, Part::Item, is_v3_0, errors)?));
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

/// True when the `physicalType` of a member says more of its values than is checked.
pub(crate) fn has_unapplied_type(member: &At<'_>, is_v3_0: bool) -> bool {
    let mut unheard = Errors::default();
    let Some(physical) = member.get("physicalType").and_then(|at| at.str(&mut unheard).ok()) else {
        return false;
    };
    let Ok(name) = logical_name(member, is_v3_0, &mut unheard) else { return false };
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
            format.is_none_or(|format| format.str(&mut unheard) != Ok("uuid"))
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

/// The first `classification` among all that is under `at`.
pub(crate) fn classification(at: &At<'_>) -> Option<String> {
    let mut unheard = Errors::default();
    let properties = at.get("properties").and_then(|list| list.items(&mut unheard).ok()).unwrap_or_default();
    properties.into_iter().chain(at.get("items")).find_map(|member| {
        let own = member.get("classification").and_then(|at| at.str(&mut unheard).ok().map(str::to_owned));
        own.or_else(|| classification(&member))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Member,
    Item,
}

fn members(list: &At<'_>, is_v3_0: bool, errors: &mut Errors) -> Read<Vec<Nested>> {
    let items = list.items(errors)?;
    let read: Vec<Read<Nested>> =
        items.iter().map(|item| self::read(item, Part::Member, is_v3_0, errors)).collect();
    let mut outcome = Ok(());
    let mut names: HashSet<&str> = HashSet::new();
    for (item, member) in items.iter().zip(&read) {
        if let Ok(member) = member
            && !names.insert(&member.name)
        {
            let at = item.get("name").unwrap_or_else(|| item.clone());
            outcome = Err(at.report(errors, format!("a second property {}", quoted(&member.name))));
        }
    }
    outcome?;
    read.into_iter().collect()
}

fn read(at: &At<'_>, part: Part, is_v3_0: bool, errors: &mut Errors) -> Read<Nested> {
    let name = match part {
        Part::Member => at.require("name", errors).and_then(|at| key(&at, errors)),
        Part::Item => Ok(String::new()),
    };
    let physical_name = match part {
        Part::Member => at.get("physicalName").map(|at| key(&at, errors)).transpose(),
        Part::Item => Ok(None),
    };
    let required = at.get("required").map(|at| at.bool(errors)).transpose();
    let unasked = columns_only(at, errors);
    let logical = logical_name(at, is_v3_0, errors);
    let checks = quality::read(at, Scope::Member, is_v3_0, errors);
    let mut options = logical.and_then(|name| options::read(at, name, is_v3_0, errors))?;
    fill(at, &mut options.logical, is_v3_0, errors)?;
    unasked?;
    let name = name?;
    let physical_name = physical_name?.unwrap_or_else(|| name.clone());
    // What a column's checks are held against, a member's are, too.
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
    property::apply_checks(at, &mut column, &checks?, errors)?;
    let Column { name, physical_name, logical_type, required, rules, .. } = column;
    Ok(Nested { name, physical_name, logical_type, required, rules })
}

/// Any key of JSON that `jsonb` can hold.
fn key(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let text = at.text(errors)?;
    if text.contains('\0') {
        return Err(at.report(errors, "has a NUL character, which PostgreSQL cannot hold"));
    }
    Ok(text.to_owned())
}

fn columns_only(at: &At<'_>, errors: &mut Errors) -> Read<()> {
    let mut outcome = Ok(());
    for (name, mend) in [
        ("primaryKey", "the key of a table is made of columns"),
        ("unique", "only columns are unique; use `uniqueItems` for the items of one array"),
    ] {
        if let Some(at) = at.get(name)
            && at.bool(errors) == Ok(true)
        {
            outcome = Err(at.report(errors, mend));
        }
    }
    outcome
}

/// The physical type of a member says nothing to PostgreSQL, which keeps the whole document as `jsonb`; where there is no
/// logical type it tells what the value is.
fn logical_name(at: &At<'_>, is_v3_0: bool, errors: &mut Errors) -> Read<LogicalName> {
    if let Some(logical) = at.get("logicalType") {
        let name = LogicalName::read(&logical, errors)?;
        return Ok(if is_v3_0 { name.of_v3_0(at) } else { name });
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
