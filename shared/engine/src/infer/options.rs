//! The input and output of [`infer`](super::infer).

use super::known::KnownFormat;
use crate::limits::Limits;

/// The options of [`infer`](super::infer).
#[derive(Debug, Clone)]
pub struct InferOptions {
    /// The maximum number of rows that are read, including rejects. Malformed rows directly after them are read, too. The
    /// contract is not checked against later rows.
    pub max_rows: u64,
    /// The limits of the reader. [`infer`](super::infer) sets `arrow` and `chunk_rows` itself.
    pub limits: Limits,
    /// The known parts of the sample's format.
    pub known: KnownFormat,
}

impl Default for InferOptions {
    /// Returns options with 100,000 rows and the default limits of the reader.
    fn default() -> Self {
        Self { max_rows: 100_000, limits: Limits::default(), known: KnownFormat::default() }
    }
}

/// An inferred contract with notes for its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inferred {
    /// The contract, in ODCS v3.1. The same sample yields the same text.
    pub yaml: String,
    /// The number of rows that were read, including those that no contract can accept.
    pub rows: u64,
    /// Notes about ambiguities and omissions. They contain names of columns and counts, but no values.
    pub notes: Vec<String>,
}
