//! The input and output of [`infer`](super::infer).

use super::known::KnownFormat;
use crate::limits::Limits;

/// How much of the sample counts.
#[derive(Debug, Clone)]
pub struct InferOptions {
    /// Rows that are read, rejects included, and malformed ones beyond that up to the next row. The contract accepts those;
    /// later ones are not read.
    pub max_rows: u64,
    /// What the reader takes at most. Arrow columns and the rows of a block are set by [`infer`].
    pub limits: Limits,
    /// What is known of the sample's format.
    pub known: KnownFormat,
}

impl Default for InferOptions {
    /// 100,000 rows, and the reader's own limits.
    fn default() -> Self {
        Self { max_rows: 100_000, limits: Limits::default(), known: KnownFormat::default() }
    }
}

/// A contract, and what its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inferred {
    /// The contract, of ODCS v3.1. The same sample gives the same text.
    pub yaml: String,
    /// Rows that were read, those that cannot be accepted by any contract included.
    pub rows: u64,
    /// What could not be told, or was left out; with names of columns and counts, never values.
    pub notes: Vec<String>,
}
