//! The shapes of mappings in the standard: their keys, the kinds of their values, and the keys that are required.

use crate::custom::Level;
use crate::error::{quoted, suggestion};

/// The kind of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ValueKind {
    /// Any value; it is not inspected.
    Any,
    Str,
    Bool,
    /// A whole number, which JSON also allows to be written as `2.0`.
    Int,
    /// A whole number that is not negative.
    Count,
    Number,
    /// A number greater than 0.
    Positive,
    /// Two different numbers.
    Range,
    /// A string, number, boolean or null.
    Scalar,
    /// One of the words of a list.
    Word(&'static WordList),
    /// A stable identifier: letters, digits, `_` and `-`.
    Id,
    /// A list of at least one string, without duplicates.
    Names,
    /// Any mapping.
    Object,
    StrOrObject,
    /// An exclusive bound: the bound itself, or a boolean in v3.0.
    Bound(&'static ValueKind),
    List(&'static ValueKind),
    Map(&'static MappingShape),
    /// A property. Its keys also depend on its `logicalType`.
    Property(&'static MappingShape),
    /// A mapping, or a list of mappings.
    MapOrList(&'static MappingShape, &'static MappingShape),
    /// A list of custom properties at this level.
    Custom(Level),
    /// The servers, whose keys depend on their type.
    Servers,
    /// A quality check, whose keys depend on its type.
    Check,
    /// A reference to another property, or a list of references.
    Reference,
    /// A relationship of an object. It names both ends, which have the same kind of value.
    ObjectRelationship,
    /// A relationship of a property, which is itself one of the ends.
    PropertyRelationship,
}

/// The words of an enumeration.
#[derive(Debug)]
pub(crate) struct WordList {
    /// The name of the enumeration in messages: `a type of check`.
    pub(crate) what: &'static str,
    pub(crate) words: &'static [&'static str],
}

impl WordList {
    /// Returns the error message for `text`, which is not one of the words.
    pub(crate) fn fault(&self, text: &str) -> String {
        format!("{} is not {}{}", quoted(text), self.what, suggestion(text, self.words))
    }
}

/// Whether a mapping may have keys that the standard does not define.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AdditionalKeys {
    Never,
    /// Only in v3.0.
    InV3_0,
    Always,
}

/// The keys of a mapping, and the kinds of their values.
#[derive(Debug)]
pub(crate) struct MappingShape {
    pub(crate) keys: &'static [(&'static str, ValueKind)],
    /// Another shape whose keys this one has, too.
    pub(crate) also: Option<&'static MappingShape>,
    pub(crate) required: &'static [&'static str],
    /// The keys that are required since v3.1.
    pub(crate) required_since_v3_1: &'static [&'static str],
    pub(crate) open: AdditionalKeys,
}

impl MappingShape {
    /// Returns a shape with these keys, which are all optional.
    pub(crate) const fn of(keys: &'static [(&'static str, ValueKind)]) -> Self {
        Self { keys, also: None, required: &[], required_since_v3_1: &[], open: AdditionalKeys::Never }
    }

    pub(crate) const fn also(self, shape: &'static MappingShape) -> Self {
        Self { also: Some(shape), ..self }
    }

    pub(crate) const fn requires(self, required: &'static [&'static str]) -> Self {
        Self { required, ..self }
    }

    pub(crate) const fn requires_since_v3_1(self, required: &'static [&'static str]) -> Self {
        Self { required_since_v3_1: required, ..self }
    }

    pub(crate) const fn open(self, open: AdditionalKeys) -> Self {
        Self { open, ..self }
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &(&'static str, ValueKind)> {
        std::iter::successors(Some(self), |shape| shape.also).flat_map(|shape| shape.keys)
    }

    pub(crate) fn kind(&self, key: &str) -> Option<ValueKind> {
        self.keys().find(|(name, _)| *name == key).map(|(_, kind)| *kind)
    }
}
