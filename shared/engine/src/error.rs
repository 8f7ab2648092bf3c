//! Errors of compiling a plan, reading a drop and encoding rows.

use std::io;

use serde::{Deserialize, Serialize};

/// The reason for which a contract cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The WHATWG standard has no such encoding.
    #[error("unknown encoding `{0}`")]
    UnknownEncoding(String),
    /// Columns are pseudonymised, but there is no key.
    #[error("columns are pseudonymised ({0}), but there is no pseudonym key")]
    NoPseudonymKey(String),
    /// The key is short enough to be guessed.
    #[error("the pseudonym key is shorter than {min_bytes} bytes; create one with `openssl rand -hex 32`")]
    ShortPseudonymKey {
        /// The minimum length.
        min_bytes: usize,
    },
    /// An option of a column contradicts its type or another option.
    #[error("column `{column}`: {message}")]
    Column {
        /// The harmonised column.
        column: String,
        /// The contradiction.
        message: String,
    },
}

/// The reason for which reading a drop ended early. Blocks that were returned before remain valid, but the batch is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input failed, not its content. The caller decides whether to retry.
    #[error("the input failed: {0}")]
    Io(#[source] io::Error),
    /// There are no bytes, or none after decompression; or there are no rows and the contract refuses such files.
    #[error("the file is empty")]
    Empty,
    /// The content cannot be read, or not beyond this position. A retry ends the same way.
    #[error("{message} (at byte {byte_offset})")]
    Unreadable {
        /// The kind of fault.
        code: UnreadableCode,
        /// Offset into the decompressed stream.
        byte_offset: u64,
        /// A message for the producer.
        message: String,
    },
    /// The file decompresses to more bytes than the limit.
    #[error("the file decompresses to more than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
}

/// The reason for which a drop cannot be read. The names are stable and appear in receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnreadableCode {
    /// The content is not compressed as the contract declares, is compressed twice, or in an unsupported format.
    WrongCompression,
    /// The compressed stream ends early.
    TruncatedCompression,
    /// The compressed stream is damaged.
    CorruptCompression,
    /// The stream decompresses to too many times its size.
    CompressionRatio,
    /// The compressed stream requires more memory than the limit.
    CompressionMemory,
    /// An archive that is unsupported: its type, its method, a password, or no file or several files in it.
    UnsupportedArchive,
    /// A byte-order mark of UTF-32.
    UnsupportedEncoding,
    /// The contract declares no encoding, and the bytes do not show which one it is.
    UnknownEncoding,
    /// A JSON document without an array at the path that the contract declares.
    NoArray,
    /// The file ends within its JSON array.
    OpenArray,
    /// The JSON around the array is malformed, or is followed by something other than another JSON document.
    MalformedDocument,
    /// An object around the array contains a key twice.
    DuplicateMember,
    /// The header cannot be read.
    MalformedHeader,
    /// The header lacks columns of the contract.
    MissingColumns,
    /// The header names a column twice.
    DuplicateColumns,
    /// The file does not have the contract's format: a workbook, a web page, Parquet instead of CSV.
    WrongFormat,
    /// The file ends early.
    TruncatedFile,
    /// The file contradicts itself, or is damaged.
    CorruptFile,
    /// The file uses an unsupported part of its format, such as encryption.
    UnsupportedFeature,
}

impl UnreadableCode {
    /// Returns the name that receipts contain.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WrongCompression => "wrong_compression",
            Self::TruncatedCompression => "truncated_compression",
            Self::CorruptCompression => "corrupt_compression",
            Self::CompressionRatio => "compression_ratio",
            Self::CompressionMemory => "compression_memory",
            Self::UnsupportedArchive => "unsupported_archive",
            Self::UnsupportedEncoding => "unsupported_encoding",
            Self::UnknownEncoding => "unknown_encoding",
            Self::NoArray => "no_array",
            Self::OpenArray => "open_array",
            Self::MalformedDocument => "malformed_document",
            Self::DuplicateMember => "duplicate_member",
            Self::MalformedHeader => "malformed_header",
            Self::MissingColumns => "missing_columns",
            Self::DuplicateColumns => "duplicate_columns",
            Self::WrongFormat => "wrong_format",
            Self::TruncatedFile => "truncated_file",
            Self::CorruptFile => "corrupt_file",
            Self::UnsupportedFeature => "unsupported_feature",
        }
    }
}

impl std::fmt::Display for UnreadableCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl ReadError {
    /// Returns a stable name for receipts: `io`, `empty`, `too_large`, or that of the [`UnreadableCode`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "io",
            Self::Empty => "empty",
            Self::Unreadable { code, .. } => code.as_str(),
            Self::TooLarge { .. } => "too_large",
        }
    }
}

/// The reason for which rows cannot be encoded, or an encoded chunk cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// zstd returned an error.
    #[error("zstd: {0}")]
    Zstd(#[source] io::Error),
    /// The chunk decompresses to more bytes than the limit.
    #[error("the chunk decompresses to more than {max_bytes} bytes")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// The Parquet writer returned an error.
    #[error("parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Columns of different lengths or types.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// A reject cannot be written as JSON.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
}
