//! A record and its position.

use std::ops::Range;

/// A record: a line, several lines if line ends are quoted, or an element of an array.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// The position of its first byte.
    pub(crate) position: RecordPosition,
    /// The range of its bytes in the buffer, without the line end.
    pub(super) bytes: Range<usize>,
    pub(crate) state: RecordState,
}

/// The position of a record in its file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordPosition {
    /// The line number, from 1.
    pub(crate) line: u64,
    /// The offset in the decompressed stream, from 0.
    pub(crate) byte_offset: u64,
}

/// The state of a record: whole, or the fault that makes it malformed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RecordState {
    Whole,
    TooLong,
    /// A quoted field has no closing quote, or none within the maximum length of a record.
    OpenQuote,
    /// A closing quote is followed by text instead of a delimiter or line end.
    TextAfterQuote,
    /// White space precedes a quoted field, and the contract does not declare whether it belongs to the field.
    SpaceBeforeQuote,
    /// An element of an array is missing.
    NoElement,
    /// No comma separates the element from the previous one.
    NoComma,
}
