//! The position of a reader among the arrays of a file.

use super::keys::HashedKeys;

/// Where a reader is among the arrays of a file.
#[derive(Debug, Default)]
pub(super) struct Arrays {
    /// The keys under which each document has its array.
    pub(super) path: Vec<String>,
    /// The keys that the objects around the array have had so far, from the outermost to the innermost.
    pub(super) keys: Vec<HashedKeys>,
    pub(super) before: Before,
    /// The last element of the last array was read.
    pub(super) is_over: bool,
}

/// What was read last in an array.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    #[default]
    Bracket,
    Comma,
    Element,
    /// An element that ended where the next one may begin. A comma may be part of it.
    BrokenElement,
}
