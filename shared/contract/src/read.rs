//! The contract as a whole: its root, its entity, how rows are loaded.

use crate::at::At;
use crate::custom;
use crate::error::{Errors, Read, mend, nearest, quoted};
use crate::model::{
    Column, Contract, Entity, Load, LogicalType, MaxRejects, MissingColumns, Overwrite, QualityCheck, Route,
    TableName, UnexpectedColumns, WriteMode,
};
use crate::node::{ScalarKind, Value};
use crate::odcs;
use crate::property::{self, MAX_IDENTIFIER_BYTES, Property};
use crate::quality::{self, Scope};
use crate::server;
use crate::shape::{self, Kind};
use crate::sla;

/// PostgreSQL's limit is 1,600, some of which are Penstock's own.
const MAX_COLUMNS: usize = 1_500;
/// Rejects in percent that a batch may have when the contract does not say.
const DEFAULT_MAX_REJECTS_PERCENT: f64 = 10.0;
/// Both stand in the keys of S3 objects, which have at most 1,024 bytes.
const MAX_NAME_BYTES: usize = 63;

/// Reads a contract from its document.
pub(crate) fn contract(at: &At<'_>, errors: &mut Errors) -> Read<Contract> {
    shape::check(at, Kind::Map(&odcs::CONTRACT), errors);
    let api_version = at.require("apiVersion", errors).and_then(|at| api_version(&at, errors));
    // Without a version of the standard, the newest tells the most.
    let is_v3_0 = api_version.is_ok_and(|version| version.starts_with("v3.0"));
    let kind = at.require("kind", errors).and_then(|at| kind(&at, errors));
    let id = at.require("id", errors).and_then(|at| at.text(errors));
    let source = at.require("name", errors).and_then(|at| source(&at, errors));
    let version = at.require("version", errors).and_then(|at| version(&at, errors));
    let status = at.require("status", errors).and_then(|at| at.text(errors));
    let format = server::read(at, errors);
    let max_rejects = max_rejects(at, errors);
    let entity_at = one_entity(at, errors);
    let entity = entity_at.clone().and_then(|entity_at| entity(&entity_at, is_v3_0, errors));
    let files = files(at, entity_at.as_ref().ok(), errors);
    let sla = sla::read(at, errors);
    let (entity, quality) = match entity {
        Ok((entity, quality)) => (Ok(entity), quality),
        Err(reported) => (Err(reported), Vec::new()),
    };
    let load = entity_at
        .and_then(|entity_at| load(at, &entity_at, entity.as_ref().map_err(|reported| *reported), errors));
    api_version?;
    kind?;
    let is_retired = status?.eq_ignore_ascii_case("retired");
    let files = files?;
    let mut entity = entity?;
    if files.unexpected_columns == UnexpectedColumns::Rescue {
        entity.columns.push(Column::rescued());
    }
    Ok(Contract {
        id: id?.to_owned(),
        source: source?,
        version: version?,
        is_retired,
        entity,
        format: format?,
        load: load?,
        max_rejects: max_rejects?,
        quality,
        sla: sla?,
        unexpected_columns: files.unexpected_columns,
        missing_columns: files.missing_columns,
        overwrite: files.overwrite,
    })
}

fn api_version<'n>(at: &At<'n>, errors: &mut Errors) -> Read<&'n str> {
    let text = at.str(errors)?;
    if odcs::API_VERSIONS.contains(&text) {
        return Ok(text);
    }
    let message = format!(
        "{} is not a version of ODCS that is read; {}",
        quoted(text),
        crate::error::one_of(&odcs::API_VERSIONS)
    );
    Err(at.report(errors, message))
}

fn kind(at: &At<'_>, errors: &mut Errors) -> Read<()> {
    match at.str(errors)? {
        "DataContract" => Ok(()),
        other => {
            Err(at
                .report(errors, format!("{} is not a kind of document; write `DataContract`", quoted(other))))
        }
    }
}

fn source(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let name = at.text(errors)?;
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let valid = name.bytes().all(|byte| allowed(byte) || matches!(byte, b'_' | b'-'))
        && name.bytes().next().is_some_and(allowed);
    if valid && name.len() <= MAX_NAME_BYTES {
        return Ok(name.to_owned());
    }
    let message = format!(
        "{} cannot name a source: lower-case letters, digits, `_` and `-`, a letter or digit first, at most \
         {MAX_NAME_BYTES}. It is the first part of the keys that the files are dropped under",
        quoted(name)
    );
    Err(at.report(errors, message))
}

fn version(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let text = at.text(errors)?;
    let (numbers, suffix) =
        text.split_once('-').map_or((text, None), |(numbers, suffix)| (numbers, Some(suffix)));
    let number =
        |part: &str| !part.is_empty() && part.len() <= 9 && part.bytes().all(|byte| byte.is_ascii_digit());
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let valid = numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && suffix.is_none_or(|suffix| suffix.split('.').all(word));
    if valid && text.len() <= MAX_NAME_BYTES {
        return Ok(text.to_owned());
    }
    Err(at.report(
        errors,
        format!("{} is not a version; write `major.minor.patch`, e.g. `1.0.0`", quoted(text)),
    ))
}

fn one_entity<'n>(at: &At<'n>, errors: &mut Errors) -> Read<At<'n>> {
    let schema = at.require("schema", errors)?;
    let mut entities = schema.items(errors)?.into_iter();
    match (entities.next(), entities.next()) {
        (Some(entity), None) => Ok(entity),
        (None, _) => Err(schema.report(errors, "is empty; a contract describes one entity")),
        (Some(_), Some(second)) => Err(second.report(
            errors,
            "a second entity; one entity a contract, for now: write another contract for it",
        )),
    }
}

/// The entity, and what a batch of it must satisfy.
fn entity(at: &At<'_>, is_v3_0: bool, errors: &mut Errors) -> Read<(Entity, Vec<QualityCheck>)> {
    let name = at.require("name", errors).and_then(|at| at.text(errors));
    let table = match at.get("physicalName") {
        Some(physical) => table(&physical, errors),
        None => at.require("name", errors).and_then(|at| table(&at, errors)),
    };
    let list = at.require("properties", errors)?;
    let items = list.items(errors)?;
    if items.is_empty() || items.len() > MAX_COLUMNS {
        return Err(
            list.report(errors, format!("has {} columns; a table has 1 to {MAX_COLUMNS}", items.len()))
        );
    }
    let numbered = items.iter().enumerate();
    let read: Vec<Read<Property>> =
        numbered.map(|(index, item)| property::read(item, index, is_v3_0, errors)).collect();
    let duplicates = unique_names(&items, errors);
    let properties: Vec<Property> = read.into_iter().collect::<Read<_>>()?;
    duplicates?;
    let key = key(&items, &properties, errors)?;
    let mut quality = Vec::new();
    let mut columns = Vec::new();
    for property in properties {
        quality.extend(property.quality);
        columns.push(property.column);
    }
    let of_schema = quality::read(at, Scope::Schema(&columns), is_v3_0, errors)?;
    quality.extend(of_schema.batch.into_iter().map(|(check, _)| check));
    Ok((Entity { name: name?.to_owned(), table: table?, columns, key }, quality))
}

fn unique_names(items: &[At<'_>], errors: &mut Errors) -> Read<()> {
    let mut seen = std::collections::HashMap::new();
    let mut outcome = Ok(());
    for item in items {
        let mut unheard = Errors::default();
        let Some(at) = item.get("name") else { continue };
        let Ok(name) = at.str(&mut unheard) else { continue };
        if let Some(first) = seen.insert(name, item.path.clone()) {
            outcome =
                Err(at.report(errors, format!("a second column {}; the first is `{first}`", quoted(name))));
        }
    }
    outcome
}

/// A column of the key, and where the contract says so.
struct KeyColumn<'a, 'n> {
    position: Option<u32>,
    index: usize,
    at: &'a At<'n>,
    column: &'a Column,
}

/// Indexes of the key columns by position, or in the order of the columns where none has one.
fn key(items: &[At<'_>], properties: &[Property], errors: &mut Errors) -> Read<Vec<usize>> {
    let columns = items.iter().zip(properties).enumerate();
    let mut keys: Vec<KeyColumn<'_, '_>> = columns
        .filter_map(|(index, (at, property))| {
            Some(KeyColumn { position: property.key?, index, at, column: &property.column })
        })
        .collect();
    let is_positioned = keys.iter().any(|key| key.position.is_some());
    if let Some(without) = keys.iter().find(|key| is_positioned && key.position.is_none()) {
        let message = "`primaryKeyPosition` is missing; other columns of the key have one";
        return Err(without.at.report(errors, message));
    }
    keys.sort_by_key(|key| (key.position, key.index));
    for (first, second) in keys.iter().zip(keys.iter().skip(1)) {
        if let Some(position) = second.position.filter(|_| first.position == second.position) {
            let message = format!("a second column with `primaryKeyPosition: {position}`");
            return Err(second.at.report(errors, message));
        }
    }
    if let Some(document) = keys.iter().find(|key| quality::is_document(key.column)) {
        return Err(document.at.report(errors, "an object or array cannot be in the primary key"));
    }
    Ok(keys.into_iter().map(|key| key.index).collect())
}

fn table(at: &At<'_>, errors: &mut Errors) -> Read<TableName> {
    let text = at.text(errors)?;
    let (schema, table) = text.split_once('.').unwrap_or(("public", text));
    let valid = |part: &str| property::is_identifier(part) && part.len() <= MAX_IDENTIFIER_BYTES;
    if !valid(schema) || !valid(table) {
        let message = format!(
            "{} is not a table; write `schema.table` of letters, digits and `_`, each part at most {MAX_IDENTIFIER_BYTES} bytes",
            quoted(text)
        );
        return Err(at.report(errors, message));
    }
    if schema == "penstock" || schema == "information_schema" || schema.starts_with("pg_") {
        return Err(
            at.report(errors, format!("the schema `{schema}` is not for feeds; use another, e.g. `public`"))
        );
    }
    Ok(TableName { schema: schema.to_owned(), table: table.to_owned() })
}

/// A custom property of the contract, which stands at its root or at its entity.
fn setting<'n>(contract: &At<'n>, entity: &At<'n>, name: &str, errors: &mut Errors) -> Read<Option<At<'n>>> {
    match (custom::find(contract, name), custom::find(entity, name)) {
        (Some(_), Some(second)) => {
            Err(second.report(errors, format!("`{name}` is set at the contract, too")))
        }
        (first, second) => Ok(first.or(second)),
    }
}

fn load(contract: &At<'_>, entity_at: &At<'_>, entity: Read<&Entity>, errors: &mut Errors) -> Read<Load> {
    let write = setting(contract, entity_at, "penstock.write", errors);
    let write = write.and_then(|at| at.map(|at| Ok((write_mode(&at, errors)?, at))).transpose());
    let event_time = setting(contract, entity_at, "penstock.eventTime", errors);
    let priority = setting(contract, entity_at, "penstock.priority", errors)
        .and_then(|at| at.map(|at| at.integer::<i16>("of -32768 to 32767", errors)).transpose());
    let route = setting(contract, entity_at, "penstock.route", errors)
        .and_then(|at| at.map(|at| route(&at, errors)).transpose());
    // Both need the columns. Where those could not be read, that was told.
    let entity = entity?;
    let event_time =
        event_time.and_then(|at| at.map(|at| event_time_column(&at, entity, errors)).transpose());
    let mode = match write? {
        Some((WriteMode::Upsert, at)) if entity.key.is_empty() => {
            return Err(at.report(
                errors,
                "`upsert` needs a primary key; set `primaryKey: true` at its columns, or write `append`",
            ));
        }
        Some((mode, _)) => mode,
        None if entity.key.is_empty() => WriteMode::Append,
        None => WriteMode::Upsert,
    };
    Ok(Load {
        mode,
        event_time: event_time?,
        priority: priority?.unwrap_or(0),
        route: route?.unwrap_or(Route::Auto),
    })
}

fn write_mode(at: &At<'_>, errors: &mut Errors) -> Read<WriteMode> {
    choice(at, "a way to write", &[("upsert", WriteMode::Upsert), ("append", WriteMode::Append)], errors)
}

fn route(at: &At<'_>, errors: &mut Errors) -> Read<Route> {
    let routes = [("auto", Route::Auto), ("lambda", Route::Lambda), ("spark", Route::Spark)];
    choice(at, "a route", &routes, errors)
}

/// One of a few words.
fn choice<T: Copy>(at: &At<'_>, what: &str, words: &[(&str, T)], errors: &mut Errors) -> Read<T> {
    let text = match &at.node.value {
        // `null` is one of the words.
        Value::Scalar(ScalarKind::Null, text) if text.eq_ignore_ascii_case("null") => "null",
        Value::Scalar(..) | Value::List(_) | Value::Map(_) => at.str(errors)?,
    };
    if let Some((_, chosen)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*chosen);
    }
    let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Err(at.report(errors, format!("{} is not {what}{}", quoted(text), mend(text, &words))))
}

/// What the contract says of files that are not as it describes them.
struct Files {
    unexpected_columns: UnexpectedColumns,
    missing_columns: MissingColumns,
    overwrite: Overwrite,
}

fn files(contract: &At<'_>, entity: Option<&At<'_>>, errors: &mut Errors) -> Read<Files> {
    let find = |name: &str, errors: &mut Errors| match entity {
        Some(entity) => setting(contract, entity, name, errors),
        None => Ok(custom::find(contract, name)),
    };
    let unexpected = [
        ("rescue", UnexpectedColumns::Rescue),
        ("ignore", UnexpectedColumns::Ignore),
        ("reject", UnexpectedColumns::Reject),
    ];
    let missing = [("refuse", MissingColumns::Refuse), ("null", MissingColumns::Null)];
    let overwrite = [("add", Overwrite::Add), ("replace", Overwrite::Replace), ("keep", Overwrite::Keep)];
    let unexpected = find("penstock.unexpectedColumns", errors).and_then(|at| {
        at.map(|at| choice(&at, "what becomes of unexpected columns", &unexpected, errors)).transpose()
    });
    let missing = find("penstock.missingColumns", errors)
        .and_then(|at| at.map(|at| choice(&at, "what missing columns mean", &missing, errors)).transpose());
    let overwrite = find("penstock.overwrite", errors).and_then(|at| {
        at.map(|at| choice(&at, "what a second version means", &overwrite, errors)).transpose()
    });
    Ok(Files {
        unexpected_columns: unexpected?.unwrap_or_default(),
        missing_columns: missing?.unwrap_or_default(),
        overwrite: overwrite?.unwrap_or_default(),
    })
}

fn event_time_column(at: &At<'_>, entity: &Entity, errors: &mut Errors) -> Read<usize> {
    let name = at.text(errors)?;
    let mut columns = entity.columns.iter().enumerate();
    let Some((index, column)) = columns.find(|(_, column)| column.name == name) else {
        let near = nearest(name, entity.columns.iter().map(|column| column.name.as_str()));
        let mend = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(at.report(errors, format!("there is no column {}{mend}", quoted(name))));
    };
    if !matches!(column.logical_type, LogicalType::Date { .. } | LogicalType::Timestamp { .. }) {
        return Err(at.report(errors, format!("{} is not a date or timestamp", quoted(name))));
    }
    if !column.required {
        return Err(
            at.report(errors, format!("{} must be `required: true` to say which row is newer", quoted(name)))
        );
    }
    Ok(index)
}

fn max_rejects(contract: &At<'_>, errors: &mut Errors) -> Read<MaxRejects> {
    let entity = contract
        .get("schema")
        .and_then(|schema| schema.items(&mut Errors::default()).ok()?.into_iter().next());
    let entity = entity.unwrap_or_else(|| contract.clone());
    let find = |name: &str, errors: &mut Errors| {
        if entity.path.is_empty() {
            Ok(custom::find(contract, name))
        } else {
            setting(contract, &entity, name, errors)
        }
    };
    let rows = find("penstock.maxRejects", errors)
        .and_then(|at| at.map(|at| at.integer::<u64>("of at least 0", errors)).transpose());
    let percent = find("penstock.maxRejectsPercent", errors)
        .and_then(|at| at.map(|at| percent(&at, errors)).transpose());
    let (rows, percent) = (rows?, percent?);
    Ok(MaxRejects { rows, percent: percent.or((rows.is_none()).then_some(DEFAULT_MAX_REJECTS_PERCENT)) })
}

fn percent(at: &At<'_>, errors: &mut Errors) -> Read<f64> {
    let text = at.number(errors)?;
    match text.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err(at.report(errors, format!("{} is not a percentage of 0 to 100", quoted(text)))),
    }
}
