//! The format and dialect of a source's files.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What the first server of type `s3` says of the file. What it does not say is `None`, and sniffed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Format {
    /// The kind of file.
    pub kind: FormatKind,
    /// Encoding label of the WHATWG standard, e.g. `windows-1252`. UTF-8 is assumed when `None`.
    pub encoding: Option<String>,
    /// Declared compression. Told by content when `None`; a declared one must be what is found.
    pub compression: Option<Compression>,
    /// Spellings of a missing value in every column. The empty string always is one.
    pub null_values: Vec<String>,
    /// How the names of a header, or of a Parquet or Avro schema, are compared with those of the contract.
    pub header_case: HeaderCase,
    /// What happens to a file without rows. `None`: one of 0 bytes is refused, any other is accepted.
    pub empty_file: Option<EmptyFile>,
}

/// How column names are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeaderCase {
    /// Letter for letter.
    #[default]
    Sensitive,
    /// Without regard to letter case.
    Insensitive,
}

impl HeaderCase {
    /// What two names have in common when they are one: the name itself, or the name folded. Folding goes through upper
    /// case, so that `ß` and `SS`, or the two small sigmas, are the same.
    pub fn key(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Sensitive => Cow::Borrowed(name),
            Self::Insensitive => {
                Cow::Owned(name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect())
            }
        }
    }
}

/// What happens to a file without rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EmptyFile {
    /// It is loaded as a batch of 0 rows, also when it has 0 bytes.
    Accept,
    /// It is refused, also when it has a header.
    Refuse,
}

/// The kind of file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum FormatKind {
    /// Records of delimited fields.
    Delimited(DelimitedDialect),
    /// One JSON object a line.
    Ndjson,
    /// One JSON document with an array of objects.
    JsonArray {
        /// The keys that lead to the array; none when the document is the array.
        path: Vec<String>,
    },
    /// Apache Parquet, whose columns have types.
    Parquet,
    /// Avro object container files, whose records have types.
    Avro,
    /// None is declared: each file is read by its first bytes, with `json_only` (`format: json` without `delimiter`) as JSON.
    Detected {
        /// Other formats are refused.
        json_only: bool,
    },
}

impl FormatKind {
    /// True when the contract declares a format that says of each value what it is, so that no text is read.
    pub fn has_types(&self) -> bool {
        matches!(self, Self::Parquet | Self::Avro)
    }
}

/// The parts of a delimited file's dialect. `None` means: sniff it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DelimitedDialect {
    /// Field delimiter, one or more characters.
    pub delimiter: Option<String>,
    /// Quote.
    pub quote: Option<Quote>,
    /// Escape inside quotes; the quote itself where only a doubled quote is one.
    pub escape: Option<u8>,
    /// True when white space around quoted fields and before unquoted ones is skipped.
    pub skip_initial_space: Option<bool>,
    /// True when the first record names the columns; false takes the contract's order.
    pub header: Option<bool>,
    /// Records that name the columns together, where it is not one; at least 1.
    pub header_rows: Option<u32>,
    /// Lines before the header that are skipped.
    pub skip_lines: Option<u32>,
    /// Lines that begin with it are left out.
    pub comment: Option<String>,
    /// What happens to a record with fewer or more fields than the header.
    pub ragged: Ragged,
    /// What happens to a record whose fields are all empty.
    pub blank_rows: BlankRows,
    /// What happens to a record that repeats the header.
    pub repeated_headers: RepeatedHeaders,
}

/// What happens to a record with fewer or more fields than the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Ragged {
    /// It is rejected.
    #[default]
    Reject,
    /// Fields that it lacks at its end are missing values. A record with more fields is rejected.
    Pad,
    /// Fields beyond the header are dropped. A record with fewer fields is rejected.
    Truncate,
    /// Fields beyond the header are kept in `_rescued`. A record with fewer fields is rejected.
    Rescue,
}

/// What happens to a record whose fields are all empty or white space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum BlankRows {
    /// It is skipped and counted.
    #[default]
    Skip,
    /// It is rejected.
    Reject,
}

/// What happens to a record that repeats the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum RepeatedHeaders {
    /// It is skipped and counted.
    #[default]
    Skip,
    /// It is a row like any other.
    Keep,
}

/// Whether fields may be quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Quote {
    /// Quotes are ordinary characters.
    None,
    /// Fields may be enclosed in this ASCII byte.
    Byte(u8),
}

/// Compression of the whole object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// None.
    Plain,
    /// gzip, several members included.
    Gzip,
    /// Zstandard, several frames included.
    Zstd,
    /// bzip2, several streams included.
    Bzip2,
    /// xz, several streams included.
    Xz,
    /// A zip archive with one member.
    Zip,
}
