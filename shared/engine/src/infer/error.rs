//! Why no contract can be inferred from a sample.

use penstock_contract::ContractErrors;

use crate::error::{PlanError, ReadError, UnreadableCode};

/// What keeps a contract from being inferred.
#[derive(Debug, thiserror::Error)]
pub enum InferError {
    /// The sample cannot be read.
    #[error("the sample cannot be read ({code}): {0}{hint}", code = .0.code(), hint = hint(.0))]
    Read(#[from] ReadError),
    /// A Parquet sample that is too large to be looked at.
    #[error(
        "the sample has more than {max_bytes} bytes, and Parquet is looked at as a whole; give a smaller file"
    )]
    TooLarge {
        /// Bytes that a sample may have.
        max_bytes: u64,
    },
    /// More columns than a contract may have, in a file that is read by their order.
    #[error("the sample has no header and {columns} columns; a contract has at most {most}")]
    TooManyColumns {
        /// Columns of the sample.
        columns: usize,
        /// Columns that a contract may have.
        most: usize,
    },
    /// An option that is not for this kind of file.
    #[error("{0} was given, which files of this format do not have")]
    Options(&'static str),
    /// The encoding is none of the WHATWG standard.
    #[error("unknown encoding `{0}`")]
    UnknownEncoding(String),
    /// What is known of the dialect contradicts itself, or is none.
    #[error("the given dialect cannot be used: {0}")]
    Dialect(String),
    /// No column has a name that a contract can carry.
    #[error("the sample has no named columns; {advice}")]
    NoColumns {
        /// What to give instead.
        advice: &'static str,
    },
    /// Every column has values that no column of a contract holds.
    #[error(
        "no column of the sample can be loaded: the values of {columns} are bytes that are not text, or of a type that no column holds"
    )]
    OnlyBinary {
        /// Names of the columns, as the contract would have them.
        columns: String,
    },
    /// A sample of JSON without objects.
    #[error(
        "the sample has no JSON objects: {found}; give one object a line, or an array of objects; for an array under a key, give its path with `--path`"
    )]
    NoObjects {
        /// What the sample has instead.
        found: String,
    },
    /// A single text, boolean or null in the notation of JSON.
    #[error(
        "the sample is a single value; give a table with a header and rows, one JSON object a line, or an array of JSON objects"
    )]
    OneValue,
    /// Bytes that are neither text nor a format that is read.
    #[error(
        "the sample is binary, and of no format that is read; give delimited text, JSON, Parquet or Avro"
    )]
    Binary,
    /// There are columns and no row that can be read.
    #[error("the sample has no row that can be read ({why}); {advice}")]
    NoRows {
        /// The reject codes of its rows, with the number of rows for each, or what there is instead of rows.
        why: String,
        /// What to give instead.
        advice: &'static str,
    },
    /// The contract that was made is none. This is a fault of Penstock: please report it.
    #[error("the inferred contract is faulty, please report it: {0}")]
    Contract(#[from] ContractErrors),
    /// The contract that was made cannot be carried out. This is a fault of Penstock: please report it.
    #[error("the inferred contract cannot be compiled, please report it: {0}")]
    Plan(#[from] PlanError),
}

impl InferError {
    /// True when the content of the sample is the reason.
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

/// The option that replaces what an error advises to declare in the contract, which is not there yet.
fn hint(error: &ReadError) -> &'static str {
    match error {
        ReadError::Unreadable { code: UnreadableCode::UnknownEncoding, .. } => {
            "; to infer a contract, give the encoding with `--encoding`"
        }
        ReadError::Io(_) | ReadError::Empty | ReadError::Unreadable { .. } | ReadError::TooLarge { .. } => "",
    }
}

/// `1 row`, `2 rows`.
pub(super) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
