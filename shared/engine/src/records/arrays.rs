//! The position of a reader among the arrays of a file.

use super::keys::HashedKeys;

/// The position of a reader among the arrays of a file.
#[derive(Debug, Default)]
pub(super) struct ArrayCursor {
    /// The keys that lead to the array of each document.
    pub(super) path: Vec<String>,
    /// The keys read so far in each object around the array, from the outermost to the innermost.
    pub(super) keys: Vec<HashedKeys>,
    pub(super) before: PreviousToken,
    /// The last element of the last array was read.
    pub(super) is_over: bool,
}

/// The last token that was read in an array.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum PreviousToken {
    #[default]
    Bracket,
    Comma,
    Element,
    /// A malformed element, which ended where the next one may begin. It may include the comma after it.
    BrokenElement,
}
