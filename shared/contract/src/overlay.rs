//! Merges an overlay into a contract. An overlay is a document of the same form with only the parts to add or replace.
//!
//! Mappings are merged key by key, and lists of named entries by their names. Any other value of the overlay replaces
//! that of the contract. The producer's contract stays unchanged, and the overlay applies to its next version, too.

use std::collections::HashMap;

use crate::custom;
use crate::error::{Errors, FaultKind, FilePosition, ReadResult, nearest, quoted};
use crate::node::{Entry, Node, NodeValue, ScalarKind};

/// A list whose entries have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NamedList {
    /// `schema`, and the `properties` of an object or property.
    Named,
    /// `servers`, by `server`.
    Servers,
    /// `customProperties`, by `property`.
    Custom,
    /// `quality`, by `name`. A check without a name is added.
    Quality,
    /// `slaProperties`, by `property` and `element`.
    Sla,
}

impl NamedList {
    fn of(key: &str) -> Option<Self> {
        match key {
            "schema" | "properties" => Some(Self::Named),
            "servers" => Some(Self::Servers),
            "customProperties" => Some(Self::Custom),
            "quality" => Some(Self::Quality),
            "slaProperties" => Some(Self::Sla),
            _ => None,
        }
    }

    /// Returns the keys that name an entry.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Named | Self::Quality => &["name"],
            Self::Servers => &["server"],
            Self::Custom => &["property"],
            Self::Sla => &["property", "element"],
        }
    }

    /// Returns the name of an entry, or `None` if it has none.
    fn name(self, member: &Node) -> Option<Vec<&str>> {
        let mut keys = self.keys().iter();
        let first = text(member, keys.next()?)?;
        Some(std::iter::once(first).chain(keys.filter_map(|key| text(member, key))).collect())
    }
}

/// Returns the contract completed by the overlay. Each merged node has its positions in both files.
pub(crate) fn merge(contract: Node, overlay: &Node, errors: &mut Errors) -> ReadResult<Node> {
    for key in ["id", "kind"] {
        let (ours, theirs) = (entry(overlay, key), entry(&contract, key));
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && text(overlay, key) != text(&contract, key)
        {
            let message =
                format!("the overlay is for another contract: its `{key}` is not that of the contract");
            let related = Some(theirs.node.position);
            return Err(errors.report_kind(FaultKind::Invalid, ours.node.position, related, key, message));
        }
    }
    let mut merged = contract;
    let mut merge = Merger { errors, outcome: Ok(()) };
    merge.check_repeats(overlay, "");
    merge.node(&mut merged, overlay, "");
    merge.outcome.map(|()| merged)
}

struct Merger<'e> {
    errors: &'e mut Errors,
    outcome: ReadResult<()>,
}

impl Merger<'_> {
    /// Reports entries that the overlay lists twice: the second one would override the first silently.
    fn check_repeats(&mut self, overlay: &Node, path: &str) {
        let NodeValue::Map(entries) = &overlay.value else { return };
        for Entry { key, node, .. } in entries {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let NodeValue::List(members) = &node.value else {
                self.check_repeats(node, &path);
                continue;
            };
            let mut first_positions: HashMap<Vec<&str>, FilePosition> = HashMap::new();
            for (index, member) in members.iter().enumerate() {
                let path = format!("{path}[{index}]");
                self.check_repeats(member, &path);
                let Some(name) = NamedList::of(key).and_then(|list| list.name(member)) else { continue };
                if let Some(first) = first_positions.get(&name) {
                    let message = format!(
                        "{} is listed twice in the overlay, first on line {}; merge the two entries",
                        quoted(&name.join(", ")),
                        first.line
                    );
                    let kind = FaultKind::Invalid;
                    self.outcome = Err(self.errors.report_kind(kind, member.position, None, &path, message));
                } else {
                    first_positions.insert(name, member.position);
                }
            }
        }
    }

    fn node(&mut self, base: &mut Node, overlay: &Node, path: &str) {
        match (&mut base.value, &overlay.value) {
            (NodeValue::Map(entries), NodeValue::Map(added)) => {
                base.related = Some(overlay.position);
                for entry in added {
                    self.entry(entries, entry, path);
                }
            }
            (NodeValue::Map(_), NodeValue::Scalar(..) | NodeValue::List(_)) => {
                self.report(overlay, base.position, path, "must be a mapping, as it is in the contract");
            }
            (NodeValue::List(_) | NodeValue::Scalar(..), _) => replace(base, overlay),
        }
    }

    fn entry(&mut self, entries: &mut Vec<Entry>, added: &Entry, path: &str) {
        let path = if path.is_empty() { added.key.clone() } else { format!("{path}.{}", added.key) };
        let Some(base) = entries.iter_mut().find(|entry| entry.key == added.key) else {
            entries.push(added.clone());
            return;
        };
        match NamedList::of(&added.key) {
            Some(list) => self.list(list, &mut base.node, &added.node, &path),
            None => self.node(&mut base.node, &added.node, &path),
        }
    }

    fn list(&mut self, list: NamedList, base: &mut Node, overlay: &Node, path: &str) {
        let (position, NodeValue::List(members), NodeValue::List(added)) =
            (base.position, &mut base.value, &overlay.value)
        else {
            self.report(overlay, base.position, path, "must be a list, as it is in the contract");
            return;
        };
        for (index, member) in added.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let name = list.name(member);
            let found = name
                .as_ref()
                .and_then(|name| members.iter().position(|base| list.name(base).as_ref() == Some(name)));
            if list == NamedList::Servers && self.has_no_effect(member, members, found, &path) {
                continue;
            }
            match (found.and_then(|index| members.get_mut(index)), name) {
                (Some(base), _) => self.node(base, member, &path),
                (None, Some(name)) if list == NamedList::Named && !has_constant(member) => {
                    let name = name.first().copied().expect("a name has at least one part");
                    self.unknown(member, members, position, &path, name);
                }
                (None, None) if list != NamedList::Quality => {
                    let key = list.keys().first().copied().expect("each list has a key for names");
                    self.report(
                        member,
                        position,
                        &path,
                        &format!("`{key}` is missing; it identifies the entry to complete"),
                    );
                }
                (None, Some(_) | None) => members.push(member.clone()),
            }
        }
    }

    /// Reports a server of type `s3` after the first one, which describes the files: it would have no effect.
    fn has_no_effect(&mut self, member: &Node, members: &[Node], found: Option<usize>, path: &str) -> bool {
        let mut of_s3 = members.iter().enumerate().filter(|(_, base)| is_s3(base));
        let Some((index, first)) = of_s3.next() else { return false };
        let is_later = found.is_none_or(|found| found > index);
        let is_ours = is_s3(member) || found.is_some_and(|found| of_s3.any(|(index, _)| index == found));
        if !is_later || !is_ours {
            return false;
        }
        let fix = match text(first, "server") {
            Some(name) => format!("write `server: {name}` to complete that one"),
            None => "give that one a `server` to complete it".to_owned(),
        };
        let message = format!(
            "would have no effect: the contract's first server of type `s3` describes the files; {fix}"
        );
        self.report(member, first.position, path, &message);
        true
    }

    /// Reports an object or property that the contract does not have. Only a column with a constant can be added,
    /// because it reads nothing.
    fn unknown(&mut self, member: &Node, members: &[Node], position: FilePosition, path: &str, name: &str) {
        let names = members.iter().filter_map(|member| text(member, "name"));
        let fix = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "only a column with a `penstock.constant` can be added".to_owned(),
        };
        let message = format!("the contract has no {} here; {fix}", quoted(name));
        self.report(member, position, path, &message);
    }

    fn report(&mut self, overlay: &Node, base: FilePosition, path: &str, message: &str) {
        let reported =
            self.errors.report_kind(FaultKind::Invalid, overlay.position, Some(base), path, message);
        self.outcome = Err(reported);
    }
}

/// Replaces a value of the contract by that of the overlay.
fn replace(base: &mut Node, overlay: &Node) {
    let position = base.position;
    *base = overlay.clone();
    base.related = Some(position);
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    let NodeValue::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key == key)
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    match &entry(node, key)?.node.value {
        NodeValue::Scalar(ScalarKind::Str, text) => Some(text),
        NodeValue::Scalar(..) | NodeValue::List(_) | NodeValue::Map(_) => None,
    }
}

fn is_s3(server: &Node) -> bool {
    text(server, "type") == Some("s3")
}

fn has_constant(member: &Node) -> bool {
    let at = crate::node_ref::NodeRef::root(member);
    custom::find(&at, "penstock.constant").is_some()
}
