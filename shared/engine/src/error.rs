//! Errors of the engine.

/// Why a contract cannot be compiled into a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A regular expression of the contract does not compile.
    #[error("column `{column}`: {rule} is not a regular expression: {message}")]
    Pattern {
        /// The harmonised column.
        column: String,
        /// `pattern` or `extract`.
        rule: &'static str,
        /// What the compiler said.
        message: String,
    },
    /// A literal of the contract is not of the column's type.
    #[error("column `{column}`: {rule} `{literal}` is not a value of the column's type")]
    Literal {
        /// The harmonised column.
        column: String,
        /// The rule that holds the literal, e.g. `minimum`.
        rule: &'static str,
        /// The literal.
        literal: String,
    },
    /// The encoding is unknown, or not one that contains ASCII.
    #[error("encoding `{label}` cannot be read: give UTF-8 or a single-byte encoding such as windows-1252")]
    Encoding {
        /// The contract's label.
        label: String,
    },
    /// A time zone is unknown.
    #[error("column `{column}`: time zone `{timezone}` is unknown: give an IANA name such as Europe/Berlin")]
    Timezone {
        /// The harmonised column.
        column: String,
        /// The contract's name.
        timezone: String,
    },
    /// The contract asks for something that this engine does not do.
    #[error("{0}")]
    Unsupported(String),
}

/// Why a drop cannot be read, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input itself failed; whether another try may help is known to who gave it.
    #[error("reading failed: {0}")]
    Io(#[source] std::io::Error),
    /// There is not one byte, after decompression.
    #[error("the file is empty")]
    Empty,
    /// What makes the rest unreadable.
    #[error("at byte {byte_offset}: {message}")]
    Unreadable {
        /// Offset in the decompressed stream that was reached.
        byte_offset: u64,
        /// What was wrong and what to do.
        message: String,
    },
    /// The decompressed size passes the limit.
    #[error("more than {max_bytes} bytes after decompression")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
}
