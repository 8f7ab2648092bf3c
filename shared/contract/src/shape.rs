//! What the standard says of a mapping: its keys, what each value may be, and which keys are required.

use crate::custom::Level;
use crate::error::{mend, quoted};

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Anything; not looked into.
    Any,
    Str,
    Bool,
    /// A whole number, which JSON allows to be written as `2.0`, too.
    Int,
    /// A whole number of at least 0.
    Count,
    Number,
    /// A number above 0.
    Positive,
    /// Two different numbers.
    Range,
    /// A string, number, boolean or null.
    Scalar,
    /// One of a few words.
    Word(&'static Words),
    /// A stable identifier: letters, digits, `_` and `-`.
    Id,
    /// At least one string, none of them twice.
    Names,
    /// Any mapping.
    Object,
    StrOrObject,
    /// An exclusive bound: a boolean in v3.0, since v3.1 the bound itself.
    Bound(&'static Kind),
    List(&'static Kind),
    Map(&'static Shape),
    /// A property, whose keys depend on its `logicalType`, too.
    Property(&'static Shape),
    /// A mapping, or a list of mappings.
    MapOrList(&'static Shape, &'static Shape),
    /// A list of custom properties, of which Penstock's belong to this level.
    Custom(Level),
    /// The servers, whose keys depend on their type.
    Servers,
    /// A quality check, whose keys depend on its type.
    Check,
    /// A reference, or a list of references, to other properties.
    Reference,
    /// A relationship of an object, which names both of its ends with values of one kind.
    ObjectRelationship,
    /// A relationship of a property, which is one of its ends.
    PropertyRelationship,
}

/// The words that a value may be.
#[derive(Debug)]
pub(crate) struct Words {
    /// What they are: `a type of check`.
    pub(crate) what: &'static str,
    pub(crate) words: &'static [&'static str],
}

impl Words {
    /// Why `text` is refused, which is not one of the words.
    pub(crate) fn fault(&self, text: &str) -> String {
        format!("{} is not {}{}", quoted(text), self.what, mend(text, self.words))
    }
}

/// Whether a mapping may have keys that the standard does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    Never,
    /// In v3.0 only.
    InV3_0,
    Always,
}

/// The keys of a mapping.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) keys: &'static [(&'static str, Kind)],
    /// Keys of another shape that this one has too.
    pub(crate) also: Option<&'static Shape>,
    pub(crate) required: &'static [&'static str],
    /// Keys that are required since v3.1.
    pub(crate) required_since_v3_1: &'static [&'static str],
    pub(crate) open: Open,
}

impl Shape {
    /// A shape with these keys alone, none of which is required.
    pub(crate) const fn of(keys: &'static [(&'static str, Kind)]) -> Self {
        Self { keys, also: None, required: &[], required_since_v3_1: &[], open: Open::Never }
    }

    pub(crate) const fn also(self, shape: &'static Shape) -> Self {
        Self { also: Some(shape), ..self }
    }

    pub(crate) const fn requires(self, required: &'static [&'static str]) -> Self {
        Self { required, ..self }
    }

    pub(crate) const fn requires_since_v3_1(self, required: &'static [&'static str]) -> Self {
        Self { required_since_v3_1: required, ..self }
    }

    pub(crate) const fn open(self, open: Open) -> Self {
        Self { open, ..self }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &(&'static str, Kind)> {
        std::iter::successors(Some(self), |shape| shape.also).flat_map(|shape| shape.keys)
    }

    pub(crate) fn kind(&self, key: &str) -> Option<Kind> {
        self.keys().find(|(name, _)| *name == key).map(|(_, kind)| *kind)
    }
}
