//! The objects of a schema, and the source that each of them describes.

use std::collections::HashSet;
use std::rc::Rc;

use crate::at::At;
use crate::custom;
use crate::error::{Errors, Read, quoted};

/// A source is a part of the keys of S3 objects, which have at most 1,024 bytes.
const MAX_SOURCE_BYTES: usize = 63;
/// Each object is a source with a table of its own.
const MAX_OBJECTS: usize = 1_000;
const SOURCE: &str = "penstock.source";

/// An object of the schema.
#[derive(Debug, Clone)]
pub(crate) struct Object<'n> {
    pub(crate) at: At<'n>,
    /// The source whose rows it describes.
    pub(crate) source: Read<String>,
    /// The schema has no other object.
    pub(crate) is_only: bool,
    /// Names of all objects of the schema.
    pub(crate) all_names: Rc<[String]>,
}

/// The objects of the schema; at least one, and no two of one source.
pub(crate) fn objects<'n>(contract: &At<'n>, errors: &mut Errors) -> Read<Vec<Object<'n>>> {
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
    let mut objects: Vec<Object<'n>> = Vec::new();
    for at in items {
        let source = if is_only { of_contract(contract, &at, errors) } else { of_object(&at, errors) };
        let source = match source {
            Ok(source) if !taken.insert(source.clone()) => {
                let message =
                    format!("a second object of the source `{source}`; add the custom property `{SOURCE}`");
                Err(at.needs(errors, message))
            }
            source => source,
        };
        objects.push(Object { at, source, is_only, all_names: Rc::clone(&all_names) });
    }
    if let Some(at) = custom::find(contract, SOURCE).filter(|_| !is_only) {
        let message = format!("`{SOURCE}` names one source; with several objects, set it at each of them");
        return Err(at.report(errors, message));
    }
    Ok(objects)
}

/// What `slaProperties` and references may call an object.
pub(crate) fn names(object: &At<'_>) -> Vec<String> {
    let mut unheard = Errors::default();
    let keys = ["name", "physicalName"].into_iter();
    keys.filter_map(|key| object.get(key)?.str(&mut unheard).ok().map(str::to_owned)).collect()
}

/// The source of a contract of one object.
fn of_contract(contract: &At<'_>, object: &At<'_>, errors: &mut Errors) -> Read<String> {
    match (custom::find(contract, SOURCE), custom::find(object, SOURCE)) {
        (Some(_), Some(second)) => {
            Err(second.report(errors, format!("`{SOURCE}` is set at the contract, too")))
        }
        (Some(at), None) | (None, Some(at)) => declared(&at, errors),
        (None, None) => match contract.get("name") {
            Some(name) => slug(&name, errors),
            None => {
                let message = format!(
                    "`name` is missing; add it, or the custom property `{SOURCE}`: it is the first \
                     part of the keys that files are dropped under"
                );
                Err(contract.needs(errors, message))
            }
        },
    }
}

/// The source of one of several objects.
fn of_object(object: &At<'_>, errors: &mut Errors) -> Read<String> {
    match custom::find(object, SOURCE) {
        Some(at) => declared(&at, errors),
        None => object.require("name", errors).and_then(|name| slug(&name, errors)),
    }
}

fn declared(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let name = at.text(errors)?;
    if is_source(name) {
        return Ok(name.to_owned());
    }
    let message = format!(
        "{} cannot name a source: lower-case letters, digits, `_` and `-`, a letter or digit first, at most \
         {MAX_SOURCE_BYTES}. It is the first part of the keys that files are dropped under",
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

/// The name in lower case, with one `-` for each run of other characters than letters, digits and `_`, and none at its
/// ends. A letter that is not of ASCII has no one spelling in it.
fn slug(at: &At<'_>, errors: &mut Errors) -> Read<String> {
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
    let message =
        format!("{} does not make a name of a source; add the custom property `{SOURCE}`", quoted(name));
    Err(at.needs(errors, message))
}
