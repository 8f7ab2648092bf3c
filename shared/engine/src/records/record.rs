//! A record and its position.

use std::ops::Range;

/// What stands between two line ends, or more of them where a field is quoted.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Where it starts.
    pub(crate) place: RecordPosition,
    /// Where its bytes are, without the line end.
    pub(super) bytes: Range<usize>,
    pub(crate) state: RecordState,
}

/// A record's place in the drop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordPosition {
    /// From 1.
    pub(crate) line: u64,
    /// From 0, in the decompressed stream.
    pub(crate) byte_offset: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordState {
    Whole,
    TooLong,
    /// A quoted field has no closing quote, or none within the longest record.
    OpenQuote,
    /// There is text between a closing quote and the next delimiter or line end.
    TextAfterQuote,
    /// There is white space before a quoted field, and nobody declares whether it belongs to it.
    SpaceBeforeQuote,
    /// There is nothing where an element of an array should be.
    NoElement,
    /// An element that no comma separates from the one before.
    NoComma,
}
