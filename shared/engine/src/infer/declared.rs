//! Infers columns from the schema of a Parquet or Avro file.

use std::io::Read;

use bytes::Bytes;
use penstock_contract::Compression;

use super::error::InferError;
use super::open::OpenSample;
use super::yaml::{DraftType, FileDraft, FileKind};
use crate::avro;
use crate::error::{ReadError, UnreadableCode};
use crate::format::{FileFormat, MAGIC_BYTES};
use crate::input::Input;
use crate::limits::Limits;
use crate::parquet;
use crate::schema_column::{SchemaColumn, SchemaType};

/// The maximum length of a Parquet sample. It is held in memory, as it is read from its end.
const MAX_PARQUET_BYTES: u64 = 1024 * 1024 * 1024;
/// The number of digits of the largest unsigned 64-bit integer.
const UNSIGNED_DIGITS: u32 = 20;

impl SchemaType {
    /// Returns the type for a contract; `None` for text, whose type is inferred from its values.
    pub(super) fn draft_type(self) -> Option<DraftType> {
        let kind = match self {
            Self::Text => return None,
            Self::Uuid => DraftType { format: Some("uuid"), ..DraftType::new("string", "uuid") },
            Self::Boolean => DraftType::new("boolean", "boolean"),
            Self::Integer => DraftType::new("integer", "integer"),
            Self::Bigint => DraftType::new("integer", "bigint"),
            Self::Unsigned => DraftType::new("number", format!("numeric({UNSIGNED_DIGITS},0)")),
            Self::Decimal { precision, scale } => {
                DraftType::new("number", format!("numeric({precision},{scale})"))
            }
            Self::Double => DraftType::new("number", "double precision"),
            Self::Date => DraftType::new("date", "date"),
            Self::Time => DraftType::new("time", "time"),
            Self::Timestamp { is_utc: true } => DraftType::new("timestamp", "timestamptz"),
            Self::Timestamp { is_utc: false } => DraftType::new("timestamp", "timestamp"),
            Self::Object => DraftType::document(false),
            Self::Array => DraftType::document(true),
        };
        Some(kind)
    }
}

/// Detects Parquet and Avro by the first bytes of the file; returns `None` for a text file.
pub(super) fn detect_format(
    open: &mut OpenSample<'_>,
    limits: &Limits,
) -> Result<Option<FileFormat>, InferError> {
    let mut input = Input::open(open().map_err(ReadError::Io)?, None, limits)?;
    Ok(FileFormat::by_magic(input.head(MAGIC_BYTES)?))
}

/// Checks that a file has the given format. `detected`: the format that its first bytes indicate.
///
/// # Errors
/// Returns an error if the file has another format.
pub(super) fn check_format(kind: FileFormat, detected: Option<FileFormat>) -> Result<(), ReadError> {
    if detected == Some(kind) || detected.is_none() && kind.is_text() {
        return Ok(());
    }
    let actual = detected.map_or_else(String::new, |detected| format!(", but {}", detected.title()));
    let message = format!("the file is not {}{actual}; specify the right `--format`", kind.title());
    Err(ReadError::Unreadable { code: UnreadableCode::WrongFormat, byte_offset: 0, message })
}

/// Reads the schema of a Parquet or Avro file, and returns its columns.
pub(super) fn read_schema(
    open: &mut OpenSample<'_>,
    limits: &Limits,
    kind: FileFormat,
) -> Result<(FileDraft, Vec<SchemaColumn>), InferError> {
    let draft = |kind, compression| FileDraft { kind, encoding: None, compression };
    let input = Input::open(open().map_err(ReadError::Io)?, None, limits)?;
    let compression = input.compression();
    if kind == FileFormat::Parquet {
        if compression != Compression::Plain {
            let message =
                "a Parquet file that is compressed as a whole is not supported; decompress it".to_owned();
            let code = UnreadableCode::WrongFormat;
            return Err(ReadError::Unreadable { code, byte_offset: 0, message }.into());
        }
        let columns = parquet::schema::columns(read_whole(open)?)?;
        return Ok((draft(FileKind::Parquet, None), columns));
    }
    let columns = avro::declared_columns(input)?;
    Ok((draft(FileKind::Avro, Some(compression)), columns))
}

/// Reads the whole sample into memory.
pub(super) fn read_whole(open: &mut OpenSample<'_>) -> Result<Bytes, InferError> {
    let mut bytes = Vec::new();
    let mut file = open().map_err(ReadError::Io)?.take(MAX_PARQUET_BYTES.saturating_add(1));
    file.read_to_end(&mut bytes).map_err(ReadError::Io)?;
    if bytes.len() as u64 > MAX_PARQUET_BYTES {
        return Err(InferError::TooLarge { max_bytes: MAX_PARQUET_BYTES });
    }
    Ok(bytes.into())
}
