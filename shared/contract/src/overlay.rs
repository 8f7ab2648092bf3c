//! Merges an overlay into a contract: a document of the same form that has only what is to be added or replaced.
//!
//! Mappings are merged key by key, lists of named things by their names. Any other value of the overlay replaces that of the
//! contract. So the producer's contract stays as it is, and its next version takes the same overlay.

use std::collections::HashMap;

use crate::custom;
use crate::error::{Errors, FaultKind, Place, Read, nearest, quoted};
use crate::node::{Entry, Node, ScalarKind, Value};

/// Lists whose members have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    /// `schema`, and `properties` of it and of a property.
    Named,
    /// `servers`, by `server`.
    Servers,
    /// `customProperties`, by `property`.
    Custom,
    /// `quality`, by `name`; one without a name is another check.
    Quality,
    /// `slaProperties`, by `property` and `element`.
    Sla,
}

impl List {
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

    /// The keys that name a member.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Named | Self::Quality => &["name"],
            Self::Servers => &["server"],
            Self::Custom => &["property"],
            Self::Sla => &["property", "element"],
        }
    }

    /// The name of a member; `None` where it has none.
    fn name(self, member: &Node) -> Option<Vec<&str>> {
        let mut keys = self.keys().iter();
        let first = text(member, keys.next()?)?;
        Some(std::iter::once(first).chain(keys.filter_map(|key| text(member, key))).collect())
    }
}

/// Returns the contract completed by the overlay. Each node that has a part of both knows the place in either.
pub(crate) fn merge(contract: Node, overlay: &Node, errors: &mut Errors) -> Read<Node> {
    for key in ["id", "kind"] {
        let (ours, theirs) = (entry(overlay, key), entry(&contract, key));
        if let (Some(ours), Some(theirs)) = (ours, theirs)
            && text(overlay, key) != text(&contract, key)
        {
            let message =
                format!("the overlay is for another contract: its `{key}` is not that of the contract");
            let related = Some(theirs.node.place);
            return Err(errors.report_kind(FaultKind::Invalid, ours.node.place, related, key, message));
        }
    }
    let mut merged = contract;
    let mut merge = Merge { errors, outcome: Ok(()) };
    merge.check_repeats(overlay, "");
    merge.node(&mut merged, overlay, "");
    merge.outcome.map(|()| merged)
}

struct Merge<'e> {
    errors: &'e mut Errors,
    outcome: Read<()>,
}

impl Merge<'_> {
    /// Reports members that the overlay lists twice: the second one would silently win.
    fn check_repeats(&mut self, overlay: &Node, path: &str) {
        let Value::Map(entries) = &overlay.value else { return };
        for Entry { key, node, .. } in entries {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let Value::List(members) = &node.value else {
                self.check_repeats(node, &path);
                continue;
            };
            let mut seen: HashMap<Vec<&str>, Place> = HashMap::new();
            for (index, member) in members.iter().enumerate() {
                let path = format!("{path}[{index}]");
                self.check_repeats(member, &path);
                let Some(name) = List::of(key).and_then(|list| list.name(member)) else { continue };
                if let Some(first) = seen.get(&name) {
                    let message = format!(
                        "{} is listed twice in the overlay, first in line {}; write one entry with both parts",
                        quoted(&name.join(", ")),
                        first.line
                    );
                    let kind = FaultKind::Invalid;
                    self.outcome = Err(self.errors.report_kind(kind, member.place, None, &path, message));
                } else {
                    seen.insert(name, member.place);
                }
            }
        }
    }

    fn node(&mut self, base: &mut Node, overlay: &Node, path: &str) {
        match (&mut base.value, &overlay.value) {
            (Value::Map(entries), Value::Map(added)) => {
                base.related = Some(overlay.place);
                for entry in added {
                    self.entry(entries, entry, path);
                }
            }
            (Value::Map(_), Value::Scalar(..) | Value::List(_)) => {
                self.report(overlay, base.place, path, "must be a mapping, as it is in the contract");
            }
            (Value::List(_) | Value::Scalar(..), _) => replace(base, overlay),
        }
    }

    fn entry(&mut self, entries: &mut Vec<Entry>, added: &Entry, path: &str) {
        let path = if path.is_empty() { added.key.clone() } else { format!("{path}.{}", added.key) };
        let Some(base) = entries.iter_mut().find(|entry| entry.key == added.key) else {
            entries.push(added.clone());
            return;
        };
        match List::of(&added.key) {
            Some(list) => self.list(list, &mut base.node, &added.node, &path),
            None => self.node(&mut base.node, &added.node, &path),
        }
    }

    fn list(&mut self, list: List, base: &mut Node, overlay: &Node, path: &str) {
        let (place, Value::List(members), Value::List(added)) = (base.place, &mut base.value, &overlay.value)
        else {
            self.report(overlay, base.place, path, "must be a list, as it is in the contract");
            return;
        };
        for (index, member) in added.iter().enumerate() {
            let path = format!("{path}[{index}]");
            let name = list.name(member);
            let found = name
                .as_ref()
                .and_then(|name| members.iter().position(|base| list.name(base).as_ref() == Some(name)));
            if list == List::Servers && self.has_no_effect(member, members, found, &path) {
                continue;
            }
            match (found.and_then(|index| members.get_mut(index)), name) {
                (Some(base), _) => self.node(base, member, &path),
                (None, Some(name)) if list == List::Named && !has_constant(member) => {
                    self.unknown(member, members, place, &path, name.first().copied().unwrap_or_default());
                }
                (None, None) if list != List::Quality => {
                    let keys = list.keys().first().copied().unwrap_or_default();
                    self.report(
                        member,
                        place,
                        &path,
                        &format!("`{keys}` is missing; it says what is completed"),
                    );
                }
                (None, Some(_) | None) => members.push(member.clone()),
            }
        }
    }

    /// The first server of type `s3` describes the files: another one after it would have no effect.
    fn has_no_effect(&mut self, member: &Node, members: &[Node], found: Option<usize>, path: &str) -> bool {
        let mut of_s3 = members.iter().enumerate().filter(|(_, base)| is_s3(base));
        let Some((index, first)) = of_s3.next() else { return false };
        let is_later = found.is_none_or(|found| found > index);
        let is_ours = is_s3(member) || found.is_some_and(|found| of_s3.any(|(index, _)| index == found));
        if !is_later || !is_ours {
            return false;
        }
        let name = quoted(text(first, "server").unwrap_or_default());
        let message = format!(
            "would have no effect: the contract's server {name}, the first of type `s3`, describes the files; write \
             `server: {}` to complete that one",
            name.trim_matches('`')
        );
        self.report(member, first.place, path, &message);
        true
    }

    /// The contract has no such object or property. Only one with a constant can be added: nothing is read for it.
    fn unknown(&mut self, member: &Node, members: &[Node], place: Place, path: &str, name: &str) {
        let names = members.iter().filter_map(|member| text(member, "name"));
        let fix = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "only a column with a `penstock.constant` can be added".to_owned(),
        };
        let message = format!("the contract has no {} here; {fix}", quoted(name));
        self.report(member, place, path, &message);
    }

    fn report(&mut self, overlay: &Node, base: Place, path: &str, message: &str) {
        let reported = self.errors.report_kind(FaultKind::Invalid, overlay.place, Some(base), path, message);
        self.outcome = Err(reported);
    }
}

/// Puts the overlay's value in the place of the contract's.
fn replace(base: &mut Node, overlay: &Node) {
    let place = base.place;
    *base = overlay.clone();
    base.related = Some(place);
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key == key)
}

fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    match &entry(node, key)?.node.value {
        Value::Scalar(ScalarKind::Str, text) => Some(text),
        Value::Scalar(..) | Value::List(_) | Value::Map(_) => None,
    }
}

fn is_s3(server: &Node) -> bool {
    text(server, "type") == Some("s3")
}

fn has_constant(member: &Node) -> bool {
    let at = crate::at::At::root(member);
    custom::find(&at, "penstock.constant").is_some()
}
