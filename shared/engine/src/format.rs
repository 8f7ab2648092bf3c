//! The file formats: names, properties, and detection by the first bytes of a file.
//!
//! A new variant of [`FileFormat`] does not compile until all of these are defined for it.

use penstock_contract::{DelimitedDialect, FormatKind};
use serde::Deserialize;

use crate::error::{ReadError, UnreadableCode};

/// Number of first bytes that distinguish formats with a signature from text.
pub(crate) const MAGIC_BYTES: usize = 4;
/// Number of first bytes from which the format of a stream is detected.
pub(crate) const HEAD_BYTES: usize = 1024;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// Records of delimited fields.
    Delimited,
    /// One JSON object per line.
    Ndjson,
    /// One JSON document with an array of objects.
    JsonArray,
    /// Apache Parquet.
    Parquet,
    /// Avro object container files.
    Avro,
}

impl FileFormat {
    /// Returns the format that a contract declares; `None` if the engine is to detect it.
    pub(crate) fn declared(kind: &FormatKind) -> Option<Self> {
        match kind {
            FormatKind::Delimited(_) => Some(Self::Delimited),
            FormatKind::Ndjson => Some(Self::Ndjson),
            FormatKind::JsonArray { .. } => Some(Self::JsonArray),
            FormatKind::Parquet => Some(Self::Parquet),
            FormatKind::Avro => Some(Self::Avro),
            FormatKind::Detected { .. } => None,
        }
    }

    /// Returns the format of a file with a signature in its first [`MAGIC_BYTES`]; `None` for text.
    pub(crate) fn by_magic(head: &[u8]) -> Option<Self> {
        match head {
            [b'P', b'A', b'R', b'1' | b'E', ..] => Some(Self::Parquet),
            [b'O', b'b', b'j', 1, ..] => Some(Self::Avro),
            _ => None,
        }
    }

    /// Returns the name that receipts and the CLI use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Delimited => "delimited",
            Self::Ndjson => "ndjson",
            Self::JsonArray => "json_array",
            Self::Parquet => "parquet",
            Self::Avro => "avro",
        }
    }

    /// Returns the name for messages.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Delimited => "delimited text",
            Self::Ndjson | Self::JsonArray => "JSON",
            Self::Parquet => "Parquet",
            Self::Avro => "Avro",
        }
    }

    /// Returns whether reading the format needs random access, because its metadata is at the end of the file.
    pub fn needs_seek(self) -> bool {
        match self {
            Self::Parquet => true,
            Self::Delimited | Self::Ndjson | Self::JsonArray | Self::Avro => false,
        }
    }

    /// Returns whether values are text and the file has no schema.
    pub(crate) fn is_text(self) -> bool {
        match self {
            Self::Delimited | Self::Ndjson | Self::JsonArray => true,
            Self::Parquet | Self::Avro => false,
        }
    }
}

/// Detects the format of a stream that begins with `head`. `json_only`: the contract declares JSON without a layout.
pub(crate) fn detect(head: &[u8], json_only: bool) -> Result<FormatKind, ReadError> {
    match FileFormat::by_magic(head) {
        // An uncompressed Parquet file is opened with random access, so this file was compressed as a whole.
        Some(FileFormat::Parquet) => {
            return Err(wrong_format(
                "a Parquet file that is compressed as a whole is not supported; deliver it uncompressed",
            ));
        }
        Some(FileFormat::Avro) if !json_only => return Ok(FormatKind::Avro),
        Some(FileFormat::Avro | FileFormat::Delimited | FileFormat::Ndjson | FileFormat::JsonArray)
        | None => {}
    }
    // Skips white space, a byte-order mark and the zero bytes of UTF-16.
    let mut characters =
        without_mark(head).iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != 0);
    match (characters.next(), characters.next()) {
        (Some(b'{'), None | Some(b'"' | b'}')) => Ok(FormatKind::Ndjson),
        (Some(b'{'), Some(_)) if json_only => Ok(FormatKind::Ndjson),
        (Some(b'['), None | Some(b'{' | b']')) => Ok(FormatKind::JsonArray { path: Vec::new() }),
        _ if json_only => Err(wrong_format(
            "the contract declares JSON, but the file begins with neither an object nor an array of objects; deliver JSON, or \
             correct `format` in the contract",
        )),
        _ => Ok(FormatKind::Delimited(DelimitedDialect::default())),
    }
}

fn without_mark(head: &[u8]) -> &[u8] {
    const MARKS: [&[u8]; 3] = [&[0xef, 0xbb, 0xbf], &[0xff, 0xfe], &[0xfe, 0xff]];
    MARKS.iter().find_map(|mark| head.strip_prefix(*mark)).unwrap_or(head)
}

fn wrong_format(message: &str) -> ReadError {
    ReadError::Unreadable { code: UnreadableCode::WrongFormat, byte_offset: 0, message: message.to_owned() }
}

/// A format whose values are text, as declared or detected.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TextFormat<'a> {
    Delimited(&'a DelimitedDialect),
    Ndjson,
    JsonArray {
        /// The keys that lead to the array.
        path: &'a [String],
    },
}

impl TextFormat<'_> {
    pub(crate) fn file_format(self) -> FileFormat {
        match self {
            Self::Delimited(_) => FileFormat::Delimited,
            Self::Ndjson => FileFormat::Ndjson,
            Self::JsonArray { .. } => FileFormat::JsonArray,
        }
    }
}
