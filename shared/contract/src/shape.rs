//! Walks a document along the keys that ODCS knows and tells every key and kind of value that is not its.

use crate::at::At;
use crate::custom::{self, Level};
use crate::error::{Errors, nearest};
use crate::node::{ScalarKind, Value};

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Anything; not looked into.
    Any,
    Str,
    Bool,
    Int,
    Number,
    /// A string or a mapping or list of whatever: for keys that changed between versions.
    Scalar,
    List(&'static Kind),
    Map(&'static Shape),
    /// A mapping, or a list of mappings.
    MapOrList(&'static Shape, &'static Shape),
    /// A list of custom properties, of which Penstock's belong to this level.
    Custom(Level),
    /// The servers, whose keys depend on their type.
    Servers,
}

/// The keys of a mapping.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) keys: &'static [(&'static str, Kind)],
    /// Keys of another shape that this one has too.
    pub(crate) also: Option<&'static Shape>,
    pub(crate) required: &'static [&'static str],
}

impl Shape {
    fn keys(&self) -> impl Iterator<Item = &(&'static str, Kind)> {
        std::iter::successors(Some(self), |shape| shape.also).flat_map(|shape| shape.keys)
    }

    fn kind(&self, key: &str) -> Option<Kind> {
        self.keys().find(|(name, _)| *name == key).map(|(_, kind)| *kind)
    }
}

/// Checks a value and all that is in it.
pub(crate) fn check(at: &At<'_>, kind: Kind, errors: &mut Errors) {
    match kind {
        Kind::Any => {}
        Kind::Str => drop(at.str(errors)),
        Kind::Bool => drop(at.bool(errors)),
        Kind::Number => drop(at.number(errors)),
        Kind::Int => {
            if !matches!(at.node.value, Value::Scalar(ScalarKind::Int, _)) {
                at.wrong_kind("a whole number", errors);
            }
        }
        Kind::Scalar => {
            if !matches!(at.node.value, Value::Scalar(..)) {
                at.wrong_kind("a string, number or boolean", errors);
            }
        }
        Kind::List(kind) => check_list(at, *kind, errors),
        Kind::Map(shape) => check_map(at, shape, errors),
        Kind::MapOrList(map, item) => match &at.node.value {
            Value::List(_) => check_list(at, Kind::Map(item), errors),
            Value::Map(_) | Value::Scalar(..) => check_map(at, map, errors),
        },
        Kind::Custom(level) => {
            check_list(at, Kind::Map(&crate::odcs::CUSTOM_PROPERTY), errors);
            custom::check_names(at, level, errors);
        }
        Kind::Servers => {
            for server in at.items(errors).unwrap_or_default() {
                let kind = server.get("type").and_then(|kind| match &kind.node.value {
                    Value::Scalar(ScalarKind::Str, text) => Some(text.as_str()),
                    Value::Scalar(..) | Value::List(_) | Value::Map(_) => None,
                });
                check_map(&server, crate::odcs::server(kind), errors);
            }
        }
    }
}

fn check_list(at: &At<'_>, kind: Kind, errors: &mut Errors) {
    for item in at.items(errors).unwrap_or_default() {
        check(&item, kind, errors);
    }
}

/// Checks the keys of a mapping, and the values that they have.
pub(crate) fn check_map(at: &At<'_>, shape: &'static Shape, errors: &mut Errors) {
    let Value::Map(_) = at.node.value else {
        at.wrong_kind("a mapping", errors);
        return;
    };
    for key in shape.required {
        if at.get(key).is_none() {
            at.missing(key, errors);
        }
    }
    for (key, place, value) in at.entries() {
        match shape.kind(key) {
            Some(kind) => check(&value, kind, errors),
            None => {
                let message = if errors.is_full() { String::new() } else { unknown_key(key, shape) };
                errors.report(place, &value.path, message);
            }
        }
    }
}

fn unknown_key(key: &str, shape: &Shape) -> String {
    const FEW: usize = 10;
    let names: Vec<&str> = shape.keys().map(|(name, _)| *name).collect();
    let what = format!("`{key}` is not a key of ODCS v3.1 here");
    match (key, nearest(key, names.iter().copied())) {
        ("enum", _) => format!("{what}; {}", crate::quality::ENUM_MEND),
        ("<<", _) => format!("{what}; YAML 1.2 has no merge keys: write the values out"),
        (_, Some(name)) => format!("{what}; did you mean `{name}`?"),
        _ if key.starts_with(custom::PREFIX) => {
            format!("{what}; write it under `customProperties`, as `- property: {key}` with its `value`")
        }
        _ if names.len() <= FEW => format!("{what}; {}", crate::error::one_of(&names)),
        _ => format!("{what}; what is not in the standard goes into `customProperties`"),
    }
}
