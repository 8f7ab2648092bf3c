//! Reads a contract: its head, and the contract of each object of its schema.

use std::collections::HashMap;

use crate::custom;
use crate::entity::{self, EntityParts};
use crate::error::{Errors, ReadResult, quoted};
use crate::model::{
    Column, Contract, DelimitedDialect, Entity, Format, FormatKind, HeaderCase, Ragged, UnexpectedColumns,
};
use crate::node_ref::NodeRef;
use crate::odcs;
use crate::row_size::{self, RowSize};
use crate::server;
use crate::settings::{self, SourceSettings};
use crate::sla;
use crate::source::{self, SchemaObject};
use crate::validate;

/// The version is part of the keys of S3 objects, which have at most 1,024 bytes.
const MAX_NAME_BYTES: usize = 63;

/// The parts that the objects of a document have in common.
struct ContractHead {
    id: String,
    version: String,
    is_retired: bool,
    format: Format,
}

/// Reads the contracts of a document: one for each object of its schema, or only that of the source `only`. If the
/// document has one object, its contract is returned regardless of its source; the caller compares it.
pub(crate) fn contracts(
    at: &NodeRef<'_>,
    only: Option<&str>,
    errors: &mut Errors,
) -> ReadResult<Vec<Contract>> {
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
    let read: Vec<ReadResult<Contract>> = objects
        .iter()
        .map(|object| contract(at, object, head.as_ref().map_err(|reported| *reported), is_v3_0, errors))
        .collect();
    read.into_iter().collect()
}

/// Without a version of the standard, the rules of the newest apply.
pub(crate) fn is_v3_0(at: &NodeRef<'_>) -> bool {
    let version = at.get("apiVersion").and_then(|at| at.str(&mut Errors::default()).ok());
    version.is_some_and(|version| version.starts_with("v3.0"))
}

fn head(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<ContractHead> {
    let api_version = at.require("apiVersion", errors).and_then(|at| api_version(&at, errors));
    let id = at.require("id", errors).and_then(|at| at.text(errors));
    let version = at.require("version", errors).and_then(|at| version(&at, errors));
    let status = at.require("status", errors).and_then(|at| at.text(errors));
    let format = server::read(at, errors);
    api_version?;
    let is_retired = status?.eq_ignore_ascii_case("retired");
    Ok(ContractHead { id: id?.to_owned(), version: version?, is_retired, format: format? })
}

fn contract(
    at: &NodeRef<'_>,
    object: &SchemaObject<'_>,
    head: ReadResult<&ContractHead>,
    is_v3_0: bool,
    errors: &mut Errors,
) -> ReadResult<Contract> {
    let scope = SourceSettings { contract: at, object };
    let skipped_before = errors.skipped.len();
    let max_rejects = settings::max_rejects(&scope, errors);
    let entity = entity::read(&object.at, is_v3_0, errors);
    let not_executed = errors.skipped.split_off(skipped_before);
    let files = settings::files(&scope, errors);
    let sla = sla::read(at, object, errors);
    let load = settings::load(&scope, entity.as_ref().map_err(|reported| *reported), errors);
    let ContractHead { id, version, is_retired, format } = head?;
    let files = files?;
    let rescue = check_rescue(at, format, files.unexpected_columns, errors);
    let EntityParts { mut entity, names: _, quality } = entity?;
    check_header_case(at, format, &entity, errors)?;
    rescue?;
    if files.unexpected_columns == UnexpectedColumns::Rescue {
        entity.columns.push(Column::rescued());
    }
    let source = object.source.clone()?;
    check_row_size(object, &source, &entity, errors)?;
    let mode = load.as_ref().ok().map(|load| load.mode);
    let max_key_bytes = settings::max_key_bytes(&scope, &entity, mode, errors);
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

/// Reports rescued fields without the column that stores them.
fn check_rescue(
    at: &NodeRef<'_>,
    format: &Format,
    unexpected: UnexpectedColumns,
    errors: &mut Errors,
) -> ReadResult<()> {
    let FormatKind::Delimited(DelimitedDialect { ragged: Ragged::Rescue, .. }) = format.kind else {
        return Ok(());
    };
    let message = match unexpected {
        UnexpectedColumns::Rescue => return Ok(()),
        UnexpectedColumns::Ignore => {
            "`rescue` needs the column `_rescued`, which does not exist with `penstock.unexpectedColumns: ignore`; write `truncate`"
        }
        UnexpectedColumns::Reject => {
            "`rescue` needs the column `_rescued`, which does not exist with `penstock.unexpectedColumns: reject`; write `reject`"
        }
    };
    Err(server_property(at, "penstock.ragged").report(errors, message))
}

/// Reports columns whose names differ only in letter case if names are compared without regard to it.
fn check_header_case(
    at: &NodeRef<'_>,
    format: &Format,
    entity: &Entity,
    errors: &mut Errors,
) -> ReadResult<()> {
    if format.header_case == HeaderCase::Sensitive {
        return Ok(());
    }
    let mut first_names = HashMap::new();
    let names = entity.columns.iter().filter(|column| column.reads_field());
    for name in names.map(|column| column.physical_name.as_str()) {
        let first = *first_names.entry(format.header_case.key(name)).or_insert(name);
        if first != name {
            let message = format!(
                "`insensitive` does not distinguish the columns {} and {}",
                quoted(first),
                quoted(name)
            );
            return Err(server_property(at, "penstock.headerCase").report(errors, message));
        }
    }
    Ok(())
}

/// Returns a custom property of the server that describes the files, or the contract itself if there is none.
fn server_property<'n>(contract: &NodeRef<'n>, name: &str) -> NodeRef<'n> {
    let servers = contract.get("servers").and_then(|servers| servers.items(&mut Errors::default()).ok());
    let found = servers.and_then(|servers| servers.iter().find_map(|server| custom::find(server, name)));
    found.unwrap_or_else(|| contract.clone())
}

fn api_version(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<()> {
    let text = at.str(errors)?;
    if odcs::API_VERSIONS.contains(&text) {
        return Ok(());
    }
    let message = if odcs::API.words.contains(&text) {
        let supported = crate::error::one_of(&odcs::API_VERSIONS);
        format!("{} is not a supported version of ODCS; {supported}", quoted(text))
    } else {
        odcs::API.fault(text)
    };
    Err(at.report(errors, message))
}

/// Reads the version as `major.minor.patch`. A `v` before it is removed, and missing parts are 0.
fn version(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
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
        format!("{} is not a valid version; write `major.minor.patch`, e.g. `1.0.0`", quoted(text)),
    ))
}

/// Reports rows that cannot fit in a page. The engine rejects rows that are too long, because they would prevent the
/// whole chunk from being loaded.
fn check_row_size(
    object: &SchemaObject<'_>,
    source: &str,
    entity: &Entity,
    errors: &mut Errors,
) -> ReadResult<()> {
    let size = RowSize::of(&entity.columns, source);
    if !size.may_exceed_page() {
        return Ok(());
    }
    let at = object.at.get("properties").unwrap_or_else(|| object.at.clone());
    let count = entity.columns.len();
    if size.least() > row_size::MAX_ROW_BYTES {
        let message = format!(
            "a row with a value in each of the {count} columns has at least {} bytes, but PostgreSQL's limit is {}: remove \
             columns, whose values are then stored in `_rescued`",
            size.least(),
            row_size::MAX_ROW_BYTES
        );
        return Err(at.needs(errors, message));
    }
    at.note(
        errors,
        format!(
            "a row with a value in each of the {count} columns has up to {} bytes; rows of more than {} \
             bytes, PostgreSQL's limit, are rejected (`too_long`)",
            size.most(),
            row_size::MAX_ROW_BYTES
        ),
    );
    Ok(())
}
