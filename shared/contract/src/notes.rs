//! What is valid but has no effect: parts of the standard that Penstock does not act on, properties of other systems.
//!
//! One note for each kind of thing and object, at the first of them. Checks that are not executed are noted by `quality`.

use crate::at::At;
use crate::custom;
use crate::error::Errors;
use crate::nested;

/// Notes everything under the root that has no effect.
pub(crate) fn add(root: &At<'_>, is_v3_0: bool, errors: &mut Errors) {
    let mut document = Group::default();
    document.custom(root);
    let members = |key: &str| {
        root.get(key).and_then(|list| list.items(&mut Errors::default()).ok()).unwrap_or_default()
    };
    for server in members("servers") {
        document.custom(&server);
    }
    document.report(errors);
    for object in members("schema") {
        let mut group = Group::default();
        group.element(&object, Depth::Object, is_v3_0);
        group.report(errors);
    }
}

/// Where in an object of the schema something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    Object,
    Column,
    /// Within a document.
    Member,
}

/// What was found in one object, or in the contract apart from its objects.
#[derive(Default)]
struct Group<'n> {
    custom: Vec<(String, At<'n>)>,
    relationships: Vec<At<'n>>,
    partitioned: Vec<At<'n>>,
    transformed: Vec<At<'n>>,
    encrypted: Vec<At<'n>>,
    physical: Vec<At<'n>>,
}

impl<'n> Group<'n> {
    /// An object or a property, with all that is in it.
    fn element(&mut self, at: &At<'n>, depth: Depth, is_v3_0: bool) {
        let mut unheard = Errors::default();
        self.custom(at);
        if let Some(list) = at
            .get("relationships")
            .filter(|list| !matches!(list.items(&mut unheard), Ok(items) if items.is_empty()))
        {
            self.relationships.push(list);
        }
        if let Some(flag) = at.get("partitioned").filter(|flag| flag.bool(&mut unheard) == Ok(true)) {
            self.partitioned.push(flag);
        }
        self.transformed.extend(at.get("transformLogic"));
        self.encrypted.extend(at.get("encryptedName"));
        if depth == Depth::Member && nested::has_unapplied_type(at, is_v3_0) {
            self.physical.extend(at.get("physicalType"));
        }
        let below = match depth {
            Depth::Object => Depth::Column,
            Depth::Column | Depth::Member => Depth::Member,
        };
        let members = at.get("properties").and_then(|list| list.items(&mut unheard).ok()).unwrap_or_default();
        for member in members.into_iter().chain(at.get("items")) {
            self.element(&member, below, is_v3_0);
        }
    }

    fn custom(&mut self, at: &At<'n>) {
        let mut unheard = Errors::default();
        let list =
            at.get("customProperties").and_then(|list| list.items(&mut unheard).ok()).unwrap_or_default();
        for item in list {
            let Some(name) = item.get("property").and_then(|at| at.str(&mut unheard).ok()) else { continue };
            if !name.starts_with(custom::PREFIX) && !self.custom.iter().any(|(known, _)| known == name) {
                self.custom.push((name.to_owned(), item));
            }
        }
    }

    fn report(self, errors: &mut Errors) {
        let Self { custom, relationships, partitioned, transformed, encrypted, physical } = self;
        if let Some((_, first)) = custom.first() {
            let names: Vec<&str> = custom.iter().map(|(name, _)| name.as_str()).collect();
            first.note(
                errors,
                format!("custom properties of other systems have no effect: `{}`", names.join("`, `")),
            );
        }
        for (found, what) in [
            (relationships, "relationships are not checked, and no foreign key is made"),
            (partitioned, "`partitioned` has no effect: the table is not partitioned"),
            (transformed, "`transformLogic` is not executed: values are read as the file has them"),
            (encrypted, "`encryptedName` has no effect; `penstock.pseudonymise` stores a pseudonym"),
            (
                physical,
                "the physical type of a member is not applied: a value is checked against `logicalType`, \
                 `logicalTypeOptions` and `quality` alone",
            ),
        ] {
            match found.as_slice() {
                [] => {}
                [only] => only.note(errors, what),
                [first, rest @ ..] => first.note(errors, format!("{what} (and {} more)", rest.len())),
            }
        }
    }
}
