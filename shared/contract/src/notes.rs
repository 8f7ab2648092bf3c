//! Notes the valid parts of a contract that have no effect: parts of the standard that Penstock does not implement, and
//! properties of other systems.
//!
//! There is one note per kind of part and schema object, at its first occurrence. `quality` notes checks that are not
//! executed.

use crate::custom;
use crate::error::Errors;
use crate::nested;
use crate::node_ref::NodeRef;

/// Adds notes about everything under the root that has no effect.
pub(crate) fn add(root: &NodeRef<'_>, is_v3_0: bool, errors: &mut Errors) {
    let mut document = IneffectiveParts::default();
    document.custom(root);
    let members = |key: &str| {
        root.get(key).and_then(|list| list.items(&mut Errors::default()).ok()).unwrap_or_default()
    };
    for server in members("servers") {
        document.custom(&server);
    }
    document.report(errors);
    for object in members("schema") {
        let mut group = IneffectiveParts::default();
        group.element(&object, ElementKind::Object, is_v3_0);
        group.report(errors);
    }
}

/// The kind of an element of a schema object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ElementKind {
    Object,
    Column,
    /// A member of an object or array.
    Member,
}

/// The parts without effect in one schema object, or in the rest of the contract.
#[derive(Default)]
struct IneffectiveParts<'n> {
    custom: Vec<(String, NodeRef<'n>)>,
    relationships: Vec<NodeRef<'n>>,
    partitioned: Vec<NodeRef<'n>>,
    transformed: Vec<NodeRef<'n>>,
    encrypted: Vec<NodeRef<'n>>,
    physical: Vec<NodeRef<'n>>,
}

impl<'n> IneffectiveParts<'n> {
    /// Collects the parts of an object or a property, and of everything in it.
    fn element(&mut self, at: &NodeRef<'n>, depth: ElementKind, is_v3_0: bool) {
        let mut ignored = Errors::default();
        self.custom(at);
        if let Some(list) = at
            .get("relationships")
            .filter(|list| !matches!(list.items(&mut ignored), Ok(items) if items.is_empty()))
        {
            self.relationships.push(list);
        }
        if let Some(flag) = at.get("partitioned").filter(|flag| flag.bool(&mut ignored) == Ok(true)) {
            self.partitioned.push(flag);
        }
        self.transformed.extend(at.get("transformLogic"));
        self.encrypted.extend(at.get("encryptedName"));
        if depth == ElementKind::Member && nested::has_unapplied_type(at, is_v3_0) {
            self.physical.extend(at.get("physicalType"));
        }
        let below = match depth {
            ElementKind::Object => ElementKind::Column,
            ElementKind::Column | ElementKind::Member => ElementKind::Member,
        };
        let members = at.get("properties").and_then(|list| list.items(&mut ignored).ok()).unwrap_or_default();
        for member in members.into_iter().chain(at.get("items")) {
            self.element(&member, below, is_v3_0);
        }
    }

    fn custom(&mut self, at: &NodeRef<'n>) {
        let mut ignored = Errors::default();
        let list =
            at.get("customProperties").and_then(|list| list.items(&mut ignored).ok()).unwrap_or_default();
        for item in list {
            let Some(name) = item.get("property").and_then(|at| at.str(&mut ignored).ok()) else { continue };
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
            (relationships, "relationships are not checked, and no foreign key is created"),
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
