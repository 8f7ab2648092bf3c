//! Reads the objects of a schema, and the names of their sources.

use std::collections::HashSet;
use std::rc::Rc;

use crate::custom;
use crate::error::{Errors, ReadResult, quoted};
use crate::node_ref::NodeRef;

/// A source is part of the keys of S3 objects, which have at most 1,024 bytes.
const MAX_SOURCE_BYTES: usize = 63;
/// Each object is a source with its own table.
const MAX_OBJECTS: usize = 1_000;
const SOURCE: &str = "penstock.source";

/// An object of the schema.
#[derive(Debug, Clone)]
pub(crate) struct SchemaObject<'n> {
    pub(crate) at: NodeRef<'n>,
    /// The source of its rows.
    pub(crate) source: ReadResult<String>,
    /// Whether it is the only object of the schema.
    pub(crate) is_only: bool,
    /// The names of all objects of the schema.
    pub(crate) all_names: Rc<[String]>,
}

/// Reads the objects of the schema. There is at least one, and each has its own source.
pub(crate) fn objects<'n>(contract: &NodeRef<'n>, errors: &mut Errors) -> ReadResult<Vec<SchemaObject<'n>>> {
    const ADD: &str = "an object with its `name` and its `properties`, which are the columns";
    let Some(schema) = contract.get("schema") else {
        return Err(contract.needs(errors, format!("add `schema` with {ADD}")));
    };
    let items = schema.items(errors)?;
    if items.is_empty() {
        return Err(schema.needs(errors, format!("is empty; add {ADD}")));
    }
    if items.len() > MAX_OBJECTS {
        let message = format!("has {} objects; a contract has at most {MAX_OBJECTS}", items.len());
        return Err(schema.report(errors, message));
    }
    let is_only = items.len() == 1;
    let all_names: Rc<[String]> = items.iter().flat_map(names).collect();
    let mut taken: HashSet<String> = HashSet::new();
    let mut objects: Vec<SchemaObject<'n>> = Vec::new();
    for at in items {
        let source = if is_only { of_contract(contract, &at, errors) } else { of_object(&at, errors) };
        let source = match source {
            Ok(source) if !taken.insert(source.clone()) => {
                let message =
                    format!("second object of the source `{source}`; add the custom property `{SOURCE}`");
                Err(at.needs(errors, message))
            }
            source => source,
        };
        objects.push(SchemaObject { at, source, is_only, all_names: Rc::clone(&all_names) });
    }
    if let Some(at) = custom::find(contract, SOURCE).filter(|_| !is_only) {
        let message = format!("`{SOURCE}` names one source; with several objects, set it at each of them");
        return Err(at.report(errors, message));
    }
    Ok(objects)
}

/// Returns the names by which `slaProperties` and references may refer to an object.
pub(crate) fn names(object: &NodeRef<'_>) -> Vec<String> {
    let mut ignored = Errors::default();
    let keys = ["name", "physicalName"].into_iter();
    keys.filter_map(|key| object.get(key)?.str(&mut ignored).ok().map(str::to_owned)).collect()
}

/// Returns the source of a contract with one object.
fn of_contract(contract: &NodeRef<'_>, object: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    match (custom::find(contract, SOURCE), custom::find(object, SOURCE)) {
        (Some(_), Some(second)) => {
            Err(second.report(errors, format!("`{SOURCE}` is also set at the contract")))
        }
        (Some(at), None) | (None, Some(at)) => declared(&at, errors),
        (None, None) => match contract.get("name") {
            Some(name) => slug(&name, errors),
            None => {
                let message = format!(
                    "`name` is missing; add it, or the custom property `{SOURCE}`: it is the first \
                     segment of the keys of the source's files"
                );
                Err(contract.needs(errors, message))
            }
        },
    }
}

/// Returns the source of one of several objects.
fn of_object(object: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    match custom::find(object, SOURCE) {
        Some(at) => declared(&at, errors),
        None => object.require("name", errors).and_then(|name| slug(&name, errors)),
    }
}

fn declared(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let name = at.text(errors)?;
    if is_source(name) {
        return Ok(name.to_owned());
    }
    let message = format!(
        "{} is not a valid name of a source: write at most {MAX_SOURCE_BYTES} lower-case letters, digits, `_` and `-`, with a letter or \
         digit first. It is the first segment of the keys of the source's files",
        quoted(name)
    );
    Err(at.report(errors, message))
}

fn is_source(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.bytes().all(|byte| allowed(byte) || matches!(byte, b'_' | b'-'))
        && name.bytes().next().is_some_and(allowed)
        && name.len() <= MAX_SOURCE_BYTES
}

/// Derives the name of a source: lower case, with one `-` for each run of characters other than letters, digits and
/// `_`, and none at its ends. Names with letters outside ASCII are refused, because they have no unique
/// transliteration.
fn slug(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let name = at.text(errors)?;
    let mut slug = String::new();
    for next in name.chars() {
        let next = next.to_ascii_lowercase();
        if next.is_ascii_alphanumeric() || next == '_' {
            slug.push(next);
        } else if !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = if is_source(name) { name } else { slug.trim_matches(['-', '_']) };
    let is_ascii = !name.chars().any(|next| next.is_alphanumeric() && !next.is_ascii());
    if is_ascii && is_source(slug) {
        return Ok(slug.to_owned());
    }
    let message = format!(
        "{} cannot be converted to the name of a source; add the custom property `{SOURCE}`",
        quoted(name)
    );
    Err(at.needs(errors, message))
}
