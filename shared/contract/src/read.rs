//! The contract as a whole: its head, and for each object of its schema the entity and how rows are loaded.

use std::collections::HashMap;

use crate::at::At;
use crate::custom;
use crate::error::{Errors, Read, quoted};
use crate::model::{
    Column, Contract, DelimitedDialect, Entity, Format, FormatKind, HeaderCase, Load, LogicalType,
    MaxRejects, MissingColumns, Overwrite, QualityCheck, Ragged, Route, TableName, UnexpectedColumns,
    WriteMode,
};
use crate::names::{self, ColumnNames, MAX_IDENTIFIER_BYTES};
use crate::odcs;
use crate::property::{self, Property};
use crate::quality::{self, Scope};
use crate::row_size::{self, RowSize};
use crate::server;
use crate::sla;
use crate::source::{self, Object};
use crate::validate;

/// PostgreSQL's limit is 1,600, some of which are Penstock's own.
const MAX_COLUMNS: usize = 1_500;
/// Rejects in percent that a batch may have when the contract does not say.
const DEFAULT_MAX_REJECTS_PERCENT: f64 = 10.0;
/// Bytes that a key may have when the contract does not say.
const DEFAULT_MAX_KEY_BYTES: u32 = 2_048;
/// The version is a part of the keys of S3 objects, which have at most 1,024 bytes.
const MAX_NAME_BYTES: usize = 63;

/// What the objects of a document have in common.
struct Head {
    id: String,
    version: String,
    is_retired: bool,
    format: Format,
}

/// Reads the contracts of a document: one for each object of its schema, or the one of the source `only`. A document with
/// one object has that one, whatever `only` is: the caller compares.
pub(crate) fn contracts(at: &At<'_>, only: Option<&str>, errors: &mut Errors) -> Read<Vec<Contract>> {
    validate::document(at, is_v3_0(at), errors);
    let head = head(at, errors);
    let mut objects = source::objects(at, errors)?;
    if let Some(only) = only.filter(|_| objects.len() > 1) {
        let names: Vec<&str> = objects.iter().filter_map(|object| object.source.as_deref().ok()).collect();
        let message = format!("describes the sources `{}`, not {}", names.join("`, `"), quoted(only));
        objects.retain(|object| object.source.as_deref() == Ok(only));
        if objects.is_empty() {
            return Err(at.clone().strict().report(errors, message));
        }
    }
    let is_v3_0 = is_v3_0(at);
    let read: Vec<Read<Contract>> = objects
        .iter()
        .map(|object| contract(at, object, head.as_ref().map_err(|reported| *reported), is_v3_0, errors))
        .collect();
    read.into_iter().collect()
}

/// Without a version of the standard, the newest reports the most.
pub(crate) fn is_v3_0(at: &At<'_>) -> bool {
    let version = at.get("apiVersion").and_then(|at| at.str(&mut Errors::default()).ok());
    version.is_some_and(|version| version.starts_with("v3.0"))
}

fn head(at: &At<'_>, errors: &mut Errors) -> Read<Head> {
    let api_version = at.require("apiVersion", errors).and_then(|at| api_version(&at, errors));
    let id = at.require("id", errors).and_then(|at| at.text(errors));
    let version = at.require("version", errors).and_then(|at| version(&at, errors));
    let status = at.require("status", errors).and_then(|at| at.text(errors));
    let format = server::read(at, errors);
    api_version?;
    let is_retired = status?.eq_ignore_ascii_case("retired");
    Ok(Head { id: id?.to_owned(), version: version?, is_retired, format: format? })
}

fn contract(
    at: &At<'_>,
    object: &Object<'_>,
    head: Read<&Head>,
    is_v3_0: bool,
    errors: &mut Errors,
) -> Read<Contract> {
    let scope = Settings { contract: at, object };
    let skipped_before = errors.skipped.len();
    let max_rejects = max_rejects(&scope, errors);
    let entity = entity(&object.at, is_v3_0, errors);
    let not_executed = errors.skipped.split_off(skipped_before);
    let files = files(&scope, errors);
    let sla = sla::read(at, object, errors);
    let load = load(&scope, entity.as_ref().map_err(|reported| *reported), errors);
    let Head { id, version, is_retired, format } = head?;
    let files = files?;
    let rescue = surplus_fields(at, format, files.unexpected_columns, errors);
    let Described { mut entity, names: _, quality } = entity?;
    one_name_in_any_case(at, format, &entity, errors)?;
    rescue?;
    if files.unexpected_columns == UnexpectedColumns::Rescue {
        entity.columns.push(Column::rescued());
    }
    let source = object.source.clone()?;
    check_row_size(object, &source, &entity, errors)?;
    let mode = load.as_ref().ok().map(|load| load.mode);
    let max_key_bytes = max_key_bytes(&scope, &entity, mode, errors);
    Ok(Contract {
        id: id.clone(),
        source,
        version: version.clone(),
        is_retired: *is_retired,
        entity,
        format: format.clone(),
        load: load?,
        max_rejects: max_rejects?,
        max_key_bytes: max_key_bytes?,
        quality,
        not_executed,
        sla: sla?,
        unexpected_columns: files.unexpected_columns,
        missing_columns: files.missing_columns,
        overwrite: files.overwrite,
    })
}

/// Fields that are rescued need the column that keeps them.
fn surplus_fields(
    at: &At<'_>,
    format: &Format,
    unexpected: UnexpectedColumns,
    errors: &mut Errors,
) -> Read<()> {
    let FormatKind::Delimited(DelimitedDialect { ragged: Ragged::Rescue, .. }) = format.kind else {
        return Ok(());
    };
    let message = match unexpected {
        UnexpectedColumns::Rescue => return Ok(()),
        UnexpectedColumns::Ignore => {
            "`rescue` needs the column `_rescued`, which `penstock.unexpectedColumns: ignore` leaves out; write `truncate`"
        }
        UnexpectedColumns::Reject => {
            "`rescue` needs the column `_rescued`, which `penstock.unexpectedColumns: reject` leaves out; write `reject`"
        }
    };
    Err(server_property(at, "penstock.ragged").report(errors, message))
}

/// Without regard to letter case, one header must not be that of two names.
fn one_name_in_any_case(at: &At<'_>, format: &Format, entity: &Entity, errors: &mut Errors) -> Read<()> {
    if format.header_case == HeaderCase::Sensitive {
        return Ok(());
    }
    let mut seen = HashMap::new();
    let names = entity.columns.iter().filter(|column| column.reads_field());
    for name in names.map(|column| column.physical_name.as_str()) {
        let first = *seen.entry(format.header_case.key(name)).or_insert(name);
        if first != name {
            let message =
                format!("`insensitive` cannot tell the columns {} and {} apart", quoted(first), quoted(name));
            return Err(server_property(at, "penstock.headerCase").report(errors, message));
        }
    }
    Ok(())
}

/// A custom property of the server that describes the files, or the contract where it cannot be found.
fn server_property<'n>(contract: &At<'n>, name: &str) -> At<'n> {
    let servers = contract.get("servers").and_then(|servers| servers.items(&mut Errors::default()).ok());
    let found = servers.and_then(|servers| servers.iter().find_map(|server| custom::find(server, name)));
    found.unwrap_or_else(|| contract.clone())
}

fn api_version(at: &At<'_>, errors: &mut Errors) -> Read<()> {
    let text = at.str(errors)?;
    if odcs::API_VERSIONS.contains(&text) {
        return Ok(());
    }
    let message = if odcs::API.words.contains(&text) {
        let read = crate::error::one_of(&odcs::API_VERSIONS);
        format!("{} is a version of ODCS that is not read; {read}", quoted(text))
    } else {
        odcs::API.fault(text)
    };
    Err(at.report(errors, message))
}

/// The version as `major.minor.patch`. A `v` before it is left out, and parts that it lacks are 0.
fn version(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let text = at.text(errors)?;
    let plain = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (numbers, suffix) =
        plain.split_once('-').map_or((plain, None), |(numbers, suffix)| (numbers, Some(suffix)));
    let number =
        |part: &str| !part.is_empty() && part.len() <= 9 && part.bytes().all(|byte| byte.is_ascii_digit());
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let parts = numbers.split('.').count();
    let valid = (1..=3).contains(&parts)
        && numbers.split('.').all(number)
        && suffix.is_none_or(|suffix| parts == 3 && suffix.split('.').all(word));
    let missing = ".0".repeat(3_usize.saturating_sub(parts));
    let version =
        format!("{numbers}{missing}{}", suffix.map(|suffix| format!("-{suffix}")).unwrap_or_default());
    if valid && version.len() <= MAX_NAME_BYTES {
        return Ok(version);
    }
    Err(at.needs(
        errors,
        format!(
            "{} is not a version that can be compared; write `major.minor.patch`, e.g. `1.0.0`",
            quoted(text)
        ),
    ))
}

/// The entity, the names of its columns, and what a batch of it must satisfy.
struct Described {
    entity: Entity,
    names: ColumnNames,
    quality: Vec<QualityCheck>,
}

fn entity(at: &At<'_>, is_v3_0: bool, errors: &mut Errors) -> Read<Described> {
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
    let read: Vec<Read<Property>> =
        numbered.map(|(index, item)| property::read(item, index, is_v3_0, errors)).collect();
    let duplicates = names::check_unique(&items, errors);
    let properties: Vec<Property> = read.into_iter().collect::<Read<_>>()?;
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
    let of_schema = quality::read(at, Scope::Schema(&columns, &names), is_v3_0, errors)?;
    quality.extend(of_schema.batch.into_iter().map(|(check, _)| check));
    let entity = Entity { name: name?.to_owned(), table: table?, columns, key };
    Ok(Described { entity, names, quality })
}

/// A column of the key, and where the contract says so.
struct KeyColumn<'a, 'n> {
    position: Option<i64>,
    index: usize,
    at: &'a At<'n>,
    column: &'a Column,
}

/// Indexes of the key columns by position. Columns without positions, or of one position, are in the order of the contract.
fn key(items: &[At<'_>], properties: &[Property], errors: &mut Errors) -> Read<Vec<usize>> {
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

fn table(at: &At<'_>, errors: &mut Errors) -> Read<TableName> {
    let text = at.text(errors)?;
    let (schema, table) = text.split_once('.').unwrap_or(("public", text));
    let valid = |part: &str| names::is_identifier(part) && part.len() <= MAX_IDENTIFIER_BYTES;
    if !valid(schema) || !valid(table) {
        let message = format!(
            "{} is not a table; set `physicalName: schema.table` of letters, digits and `_`, each part at most {MAX_IDENTIFIER_BYTES} bytes",
            quoted(text)
        );
        return Err(at.needs(errors, message));
    }
    if schema == "penstock" || schema == "information_schema" || schema.starts_with("pg_") {
        return Err(
            at.needs(errors, format!("the schema `{schema}` is not for feeds; use another, e.g. `public`"))
        );
    }
    Ok(TableName { schema: schema.to_owned(), table: table.to_owned() })
}

/// Where the settings of a source are: at the contract, and at the object of its schema.
struct Settings<'a, 'n> {
    contract: &'a At<'n>,
    object: &'a Object<'n>,
}

impl<'n> Settings<'_, 'n> {
    /// A custom property. Where the contract has several objects, that of the object replaces that of the contract.
    fn find(&self, name: &str, errors: &mut Errors) -> Read<Option<At<'n>>> {
        match (custom::find(self.contract, name), custom::find(&self.object.at, name)) {
            (Some(_), Some(second)) if self.object.is_only => {
                Err(second.report(errors, format!("`{name}` is set at the contract, too")))
            }
            (first, second) => Ok(second.or(first)),
        }
    }
}

fn load(settings: &Settings<'_, '_>, described: Read<&Described>, errors: &mut Errors) -> Read<Load> {
    let write = settings.find("penstock.write", errors);
    let write = write.and_then(|at| at.map(|at| Ok((write_mode(&at, errors)?, at))).transpose());
    let event_time = settings.find("penstock.eventTime", errors);
    let priority = settings
        .find("penstock.priority", errors)
        .and_then(|at| at.map(|at| at.integer::<i16>("of -32768 to 32767", errors)).transpose());
    let route =
        settings.find("penstock.route", errors).and_then(|at| at.map(|at| route(&at, errors)).transpose());
    // Both need the columns. Where those could not be read, that was told.
    let Described { entity, names, quality: _ } = described?;
    let event_time =
        event_time.and_then(|at| at.map(|at| event_time_column(&at, entity, names, errors)).transpose());
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
    at.choice("a way to write", &[("upsert", WriteMode::Upsert), ("append", WriteMode::Append)], errors)
}

fn route(at: &At<'_>, errors: &mut Errors) -> Read<Route> {
    let routes = [("auto", Route::Auto), ("lambda", Route::Lambda), ("spark", Route::Spark)];
    at.choice("a route", &routes, errors)
}

/// What the contract says of files that are not as it describes them.
struct Files {
    unexpected_columns: UnexpectedColumns,
    missing_columns: MissingColumns,
    overwrite: Overwrite,
}

fn files(settings: &Settings<'_, '_>, errors: &mut Errors) -> Read<Files> {
    let find = |name: &str, errors: &mut Errors| settings.find(name, errors);
    let unexpected = [
        ("rescue", UnexpectedColumns::Rescue),
        ("ignore", UnexpectedColumns::Ignore),
        ("reject", UnexpectedColumns::Reject),
    ];
    let missing = [("refuse", MissingColumns::Refuse), ("null", MissingColumns::Null)];
    let overwrite = [("add", Overwrite::Add), ("replace", Overwrite::Replace), ("keep", Overwrite::Keep)];
    let unexpected = find("penstock.unexpectedColumns", errors).and_then(|at| {
        at.map(|at| at.choice("what becomes of unexpected columns", &unexpected, errors)).transpose()
    });
    let missing = find("penstock.missingColumns", errors)
        .and_then(|at| at.map(|at| at.choice("what missing columns mean", &missing, errors)).transpose());
    let overwrite = find("penstock.overwrite", errors)
        .and_then(|at| at.map(|at| at.choice("what a second version means", &overwrite, errors)).transpose());
    Ok(Files {
        unexpected_columns: unexpected?.unwrap_or_default(),
        missing_columns: missing?.unwrap_or_default(),
        overwrite: overwrite?.unwrap_or_default(),
    })
}

fn event_time_column(at: &At<'_>, entity: &Entity, names: &ColumnNames, errors: &mut Errors) -> Read<usize> {
    let name = at.text(errors)?;
    let found = names.find(name).and_then(|index| Some((index, entity.columns.get(index)?)));
    let Some((index, column)) = found else {
        let near = names.nearest(name);
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

fn max_rejects(settings: &Settings<'_, '_>, errors: &mut Errors) -> Read<MaxRejects> {
    let find = |name: &str, errors: &mut Errors| settings.find(name, errors);
    let rows = find("penstock.maxRejects", errors)
        .and_then(|at| at.map(|at| at.integer::<u64>("of at least 0", errors)).transpose());
    let percent = find("penstock.maxRejectsPercent", errors)
        .and_then(|at| at.map(|at| percent(&at, errors)).transpose());
    let (rows, percent) = (rows?, percent?);
    Ok(MaxRejects { rows, percent: percent.or((rows.is_none()).then_some(DEFAULT_MAX_REJECTS_PERCENT)) })
}

/// A row must fit a page, or the whole chunk that it is in cannot be loaded: the engine rejects the rows that do not.
fn check_row_size(object: &Object<'_>, source: &str, entity: &Entity, errors: &mut Errors) -> Read<()> {
    let size = RowSize::of(&entity.columns, source);
    if !size.may_exceed_page() {
        return Ok(());
    }
    let at = object.at.get("properties").unwrap_or_else(|| object.at.clone());
    let count = entity.columns.len();
    if size.least() > row_size::MAX_ROW_BYTES {
        let message = format!(
            "a row with a value in each of the {count} columns has at least {} bytes, and a page of PostgreSQL holds a row \
             of {}: leave columns out, which keeps their values in `_rescued`",
            size.least(),
            row_size::MAX_ROW_BYTES
        );
        return Err(at.needs(errors, message));
    }
    at.note(
        errors,
        format!(
            "a row with a value in each of the {count} columns has up to {} bytes; one of more than {}, which a page of \
             PostgreSQL does not hold, is rejected (`too_long`)",
            size.most(),
            row_size::MAX_ROW_BYTES
        ),
    );
    Ok(())
}

fn max_key_bytes(
    settings: &Settings<'_, '_>,
    entity: &Entity,
    mode: Option<WriteMode>,
    errors: &mut Errors,
) -> Read<u32> {
    let most = row_size::max_key_bytes(entity.key.len());
    let Some(at) = settings.find("penstock.maxKeyBytes", errors)? else {
        let most = u32::try_from(most).unwrap_or(DEFAULT_MAX_KEY_BYTES);
        return Ok(DEFAULT_MAX_KEY_BYTES.min(most));
    };
    if mode == Some(WriteMode::Append) {
        return Err(at.report(errors, "has no effect where rows are appended: nothing is indexed by the key"));
    }
    let range = format!("from 1 to {most}, which is what an index entry of this key holds");
    let bytes = at.integer::<u32>(&range, errors)?;
    if (1..=most).contains(&(bytes as usize)) {
        return Ok(bytes);
    }
    Err(at.report(errors, format!("{bytes} is not a number {range}")))
}

fn percent(at: &At<'_>, errors: &mut Errors) -> Read<f64> {
    let text = at.number(errors)?;
    match text.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err(at.report(errors, format!("{} is not a percentage of 0 to 100", quoted(text)))),
    }
}
