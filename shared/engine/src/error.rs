//! What keeps a plan from being compiled, a drop from being read, or rows from being encoded.

use std::io;

use serde::{Deserialize, Serialize};

/// A contract that cannot be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The encoding is none of the WHATWG standard.
    #[error("unknown encoding `{0}`")]
    UnknownEncoding(String),
    /// Values are to be pseudonymised, and there is no key to do it with.
    #[error("columns are pseudonymised ({0}), and there is no key: give one")]
    NoPseudonymKey(String),
    /// A key that could be guessed.
    #[error("the pseudonym key is shorter than {min_bytes} bytes; make one with `openssl rand -hex 32`")]
    ShortPseudonymKey {
        /// Fewest bytes.
        min_bytes: usize,
    },
    /// A part of a column that cannot be carried out.
    #[error("column `{column}`: {message}")]
    Column {
        /// The harmonised column.
        column: String,
        /// What is wrong.
        message: String,
    },
}

/// What ends the reading of a drop. Rows that were read before stay read; the batch is not whole.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input itself failed, not its content. Whether a new try may succeed is for the caller to say.
    #[error("the input failed: {0}")]
    Io(#[source] io::Error),
    /// There are no bytes, or none after decompression; or no rows, where the contract refuses such files.
    #[error("the file is empty")]
    Empty,
    /// The content cannot be read, or not beyond this place. A new try ends the same way.
    #[error("{message} (at byte {byte_offset})")]
    Unreadable {
        /// The kind of fault.
        code: UnreadableCode,
        /// Offset into the decompressed stream.
        byte_offset: u64,
        /// What is wrong, for the producer.
        message: String,
    },
    /// More bytes after decompression than the limit.
    #[error("the file has more than {max_bytes} bytes after decompression")]
    TooLarge {
        /// The limit.
        max_bytes: u64,
    },
}

/// Why a drop cannot be read. The names are stable; receipts carry them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnreadableCode {
    /// The content is compressed in another way than the contract declares, twice, or in a way that is not read.
    WrongCompression,
    /// The compressed stream breaks off.
    TruncatedCompression,
    /// The compressed stream is damaged.
    CorruptCompression,
    /// Decompressed, the stream becomes too many times as large.
    CompressionRatio,
    /// The compressed stream asks for more memory than it gets.
    CompressionMemory,
    /// An archive of a kind that is not read, with no file or several, with a password, or of a method that is not read.
    UnsupportedArchive,
    /// A byte-order mark of UTF-32.
    UnsupportedEncoding,
    /// The contract declares no encoding, and the bytes do not show which one it is.
    UnknownEncoding,
    /// A JSON document without an array where the contract says.
    NoArray,
    /// The file ends within its JSON array.
    OpenArray,
    /// The JSON around the array is not well-formed, or something else than another JSON document follows it.
    MalformedDocument,
    /// An object around the array has a key twice.
    DuplicateMember,
    /// The header cannot be read.
    MalformedHeader,
    /// The header lacks columns of the contract.
    MissingColumns,
    /// The header names a column twice.
    DuplicateColumns,
    /// The file is not of the contract's format: a workbook, a web page, Parquet instead of CSV.
    WrongFormat,
    /// The file breaks off.
    TruncatedFile,
    /// The file contradicts itself, or is damaged.
    CorruptFile,
    /// A part of the format that is not read, such as encryption.
    UnsupportedFeature,
}

impl UnreadableCode {
    /// The name that receipts carry.
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
    /// A stable name for receipts: `io`, `empty`, `too_large`, or that of the [`UnreadableCode`].
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io(_) => "io",
            Self::Empty => "empty",
            Self::Unreadable { code, .. } => code.as_str(),
            Self::TooLarge { .. } => "too_large",
        }
    }
}

/// Rows that cannot be encoded, or encoded rows that cannot be decoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// zstd refused.
    #[error("zstd: {0}")]
    Zstd(#[source] io::Error),
    /// Decoded, the bytes are more than the limit.
    #[error("the chunk has more than {max_bytes} bytes after decompression")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
    /// The Parquet writer refused.
    #[error("parquet: {0}")]
    Parquet(#[from] parquet::errors::ParquetError),
    /// Columns that do not fit together.
    #[error("arrow: {0}")]
    Arrow(#[from] arrow_schema::ArrowError),
    /// A reject that is no JSON.
    #[error("json: {0}")]
    Json(#[from] serde_json::Error),
}
