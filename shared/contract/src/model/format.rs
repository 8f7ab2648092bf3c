//! The format and dialect of a source's files.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The declarations of the first server of type `s3`. `None` means that nothing is declared and the value is detected
/// from each file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Format {
    /// The kind of file.
    pub kind: FormatKind,
    /// Label of the WHATWG encoding standard, e.g. `windows-1252`.
    pub encoding: Option<String>,
    /// The declared compression. A file with another compression is refused.
    pub compression: Option<Compression>,
    /// Spellings of a missing value in every column, in addition to the empty string.
    pub null_values: Vec<String>,
    /// The comparison of the names of a header, or of a Parquet or Avro schema, with those of the contract.
    pub header_case: HeaderCase,
    /// The treatment of a file without rows. `None`: a file of 0 bytes is refused, any other file is accepted.
    pub empty_file: Option<EmptyFile>,
}

/// The comparison of column names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderCase {
    /// Case-sensitively.
    #[default]
    Sensitive,
    /// Without regard to letter case.
    Insensitive,
}

impl HeaderCase {
    /// Returns the key by which names are compared: the name itself, or the case-folded name. Names are converted to
    /// upper case first, so that `ß` and `SS`, or the two small sigmas, are equal.
    pub fn key(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Sensitive => Cow::Borrowed(name),
            Self::Insensitive => {
                Cow::Owned(name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect())
            }
        }
    }
}

/// The treatment of a file without rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EmptyFile {
    /// It is loaded as a batch of 0 rows, even if it has 0 bytes.
    Accept,
    /// It is refused, even if it has a header.
    Refuse,
}

/// The kind of file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum FormatKind {
    /// Records of delimited fields.
    Delimited(DelimitedDialect),
    /// One JSON object per line.
    Ndjson,
    /// One JSON document with an array of objects.
    JsonArray {
        /// The keys that lead to the array; empty if the document is the array.
        path: Vec<String>,
    },
    /// Apache Parquet, whose columns are typed.
    Parquet,
    /// Avro object container files, whose records are typed.
    Avro,
    /// No format is declared. Each file is read by its first bytes; `json_only` is `format: json` without a
    /// `delimiter`.
    Detected {
        /// Whether formats other than JSON are refused.
        json_only: bool,
    },
}

impl FormatKind {
    /// Returns true for a declared format whose values are typed rather than text.
    pub fn has_types(&self) -> bool {
        match self {
            Self::Parquet | Self::Avro => true,
            Self::Delimited(_) | Self::Ndjson | Self::JsonArray { .. } | Self::Detected { .. } => false,
        }
    }
}

/// The dialect of a delimited file. `None` means that the value is detected.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DelimitedDialect {
    /// Field delimiter, one or more characters.
    pub delimiter: Option<String>,
    /// The character that encloses fields.
    pub quote: Option<Quote>,
    /// The character that escapes a quote inside a quoted field; the quote itself if only a doubled quote does.
    pub escape: Option<u8>,
    /// Whether white space around quoted fields and before unquoted ones is skipped.
    pub skip_initial_space: Option<bool>,
    /// Whether the first record names the columns. If not, the fields have the order of the contract.
    pub header: Option<bool>,
    /// The number of records that name the columns together, if it is declared; at least 1.
    pub header_rows: Option<u32>,
    /// The number of lines to skip before the header.
    pub skip_lines: Option<u32>,
    /// The beginning of lines to skip.
    pub comment: Option<String>,
    /// The treatment of a record with fewer or more fields than the header.
    pub ragged: Ragged,
    /// The treatment of a record whose fields are all empty.
    pub blank_rows: BlankRows,
    /// The treatment of a record that repeats the header.
    pub repeated_headers: RepeatedHeaders,
}

/// The treatment of a record with fewer or more fields than the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Ragged {
    /// It is rejected.
    #[default]
    Reject,
    /// Fields missing at its end are missing values. A record with more fields is rejected.
    Pad,
    /// Surplus fields are dropped. A record with fewer fields is rejected.
    Truncate,
    /// Surplus fields are stored in `_rescued`. A record with fewer fields is rejected.
    Rescue,
}

/// The treatment of a record whose fields are all empty or white space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum BlankRows {
    /// It is skipped and counted.
    #[default]
    Skip,
    /// It is rejected.
    Reject,
}

/// The treatment of a record that repeats the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum RepeatedHeaders {
    /// It is skipped and counted.
    #[default]
    Skip,
    /// It is read as a row.
    Keep,
}

/// Whether fields may be quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Quote {
    /// Quotes are ordinary characters.
    None,
    /// Fields may be enclosed in this ASCII character.
    Byte(u8),
}

/// The compression of the whole object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not compressed.
    Plain,
    /// gzip, also with several members.
    Gzip,
    /// Zstandard, also with several frames.
    Zstd,
    /// bzip2, also with several streams.
    Bzip2,
    /// xz, also with several streams.
    Xz,
    /// A zip archive with one member.
    Zip,
}
