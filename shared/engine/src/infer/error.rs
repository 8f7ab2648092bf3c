//! The errors of inferring a contract.

use penstock_contract::ContractErrors;

use crate::error::{PlanError, ReadError, UnreadableCode};

/// The reason no contract can be inferred from a sample.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// The sample cannot be read.
    #[error("the sample cannot be read ({code}): {0}{hint}", code = .0.code(), hint = hint(.0))]
    Read(#[from] ReadError),
    /// A Parquet sample is too large for memory.
    #[error("the sample has more than {max_bytes} bytes, the maximum for Parquet; use a smaller file")]
    TooLarge {
        /// The maximum length of the sample.
        max_bytes: u64,
    },
    /// A sample without a header has more columns than a contract may have.
    #[error("the sample has no header and {columns} columns; a contract has at most {most}")]
    TooManyColumns {
        /// The number of columns in the sample.
        columns: usize,
        /// The maximum number of columns in a contract.
        most: usize,
    },
    /// An option does not apply to the format of the file.
    #[error("{0} was specified, but does not apply to files of this format")]
    Options(&'static str),
    /// The encoding is not defined by the WHATWG standard.
    #[error("unknown encoding `{0}`")]
    UnknownEncoding(String),
    /// The given dialect is invalid.
    #[error("the given dialect cannot be used: {0}")]
    Dialect(String),
    /// No column has a name that a contract can use.
    #[error("the sample has no named columns; {advice}")]
    NoColumns {
        /// What to provide instead.
        advice: &'static str,
    },
    /// No column of a contract can store the values of any column.
    #[error(
        "no column of the sample can be loaded: the values of {columns} are bytes that are not text, or have an unsupported type"
    )]
    OnlyBinary {
        /// The names of the columns, as the contract would have them.
        columns: String,
    },
    /// A JSON sample has no objects.
    #[error(
        "the sample has no JSON objects: {found}; provide one object per line, or an array of objects; for an array under a key, specify its path with `--path`"
    )]
    NoObjects {
        /// What the sample has instead.
        found: String,
    },
    /// The sample is a single JSON string, boolean or null.
    #[error(
        "the sample is a single value; provide a table with a header and rows, one JSON object per line, or an array of JSON objects"
    )]
    OneValue,
    /// The sample is neither text nor in another supported format.
    #[error("the sample is binary and has no supported format; use delimited text, JSON, Parquet or Avro")]
    Binary,
    /// The sample has columns, but no row that can be read.
    #[error("the sample has no row that can be read ({why}); {advice}")]
    NoRows {
        /// The reject codes of its rows with their numbers of rows, or what the sample has instead of rows.
        why: String,
        /// What to provide instead.
        advice: &'static str,
    },
    /// The inferred contract is invalid. This is a bug in Penstock.
    #[error("the inferred contract is invalid, please report this bug: {0}")]
    Contract(#[from] ContractErrors),
    /// The inferred contract cannot be compiled. This is a bug in Penstock.
    #[error("the inferred contract cannot be compiled, please report this bug: {0}")]
    Plan(#[from] PlanError),
}

impl InferError {
    /// Returns true if the content of the sample causes the error.
    pub(super) fn is_of_content(&self) -> bool {
        match self {
            Self::Read(ReadError::Unreadable { .. })
            | Self::TooManyColumns { .. }
            | Self::NoColumns { .. }
            | Self::OnlyBinary { .. }
            | Self::NoObjects { .. }
            | Self::OneValue
            | Self::Binary
            | Self::NoRows { .. } => true,
            Self::Read(ReadError::Io(_) | ReadError::Empty | ReadError::TooLarge { .. })
            | Self::TooLarge { .. }
            | Self::Options(_)
            | Self::UnknownEncoding(_)
            | Self::Dialect(_)
            | Self::Contract(_)
            | Self::Plan(_) => false,
        }
    }
}

/// Returns the option to use if an error advises to declare something in the contract, which does not exist yet.
fn hint(error: &ReadError) -> &'static str {
    match error {
        ReadError::Unreadable { code: UnreadableCode::UnknownEncoding, .. } => {
            "; to infer a contract, specify the encoding with `--encoding`"
        }
        ReadError::Io(_) | ReadError::Empty | ReadError::Unreadable { .. } | ReadError::TooLarge { .. } => "",
    }
}

/// Formats a count with its noun, as in `1 row` and `2 rows`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
