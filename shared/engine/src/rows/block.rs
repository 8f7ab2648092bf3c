//! The parts of the current block that other modules see.

use arrow_array::RecordBatch;

use crate::duplicates::KeyEntry;
use crate::outcome::Reject;
use crate::records::RecordPosition;

/// Up to a chunk of accepted rows, and the rejects among them. Never both empty.
///
/// If there are many rejects, a block with rejects and no rows is returned. The rows accepted so far follow with a later
/// block, so that rejects do not make chunks smaller.
#[derive(Debug)]
pub struct Block {
    /// The accepted rows.
    pub rows: AcceptedRows,
    /// The rejects, in the order of the file.
    pub rejects: Vec<Reject>,
}

/// Accepted rows.
#[derive(Debug)]
pub struct AcceptedRows {
    /// COPY text: for each row the contract's columns in order, then the row number; separated by tabs, with `\N` for a
    /// missing value and a line feed after each row.
    pub copy_text: Vec<u8>,
    /// Number of rows.
    pub count: u32,
    /// Number of the first row in the drop, from 1; 0 for none.
    pub first_row: u64,
    /// Number of the last row in the drop; 0 for none.
    pub last_row: u64,
    /// The same rows as Arrow columns, if [`Limits::arrow`](crate::Limits::arrow) is set and there are any.
    pub record_batch: Option<RecordBatch>,
    /// The keys of these rows, for a [`DuplicateFinder`](crate::DuplicateFinder).
    pub keys: Vec<KeyEntry>,
}

/// A record in the form in which a reject reports it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RawRecord<'a> {
    pub(crate) position: RecordPosition,
    pub(crate) raw: &'a [u8],
    pub(crate) encoding: &'static encoding_rs::Encoding,
}
