//! What the schema of a Parquet or Avro file says of its columns.

use std::io::Read;

use bytes::Bytes;
use penstock_contract::Compression;

use super::known::SampleKind;
use super::yaml::{FileDraft, FileKind, Kind};
use super::{InferError, Open};
use crate::avro;
use crate::error::{ReadError, UnreadableCode};
use crate::input::Input;
use crate::parquet;
use crate::reader::Limits;

/// A Parquet sample is in memory as a whole: it is read from its end.
const MAX_PARQUET_BYTES: u64 = 1024 * 1024 * 1024;
/// Digits of the largest unsigned number of 64 bits.
const UNSIGNED_DIGITS: u32 = 20;
/// PostgreSQL's types name no more digits.
const MAX_PRECISION: u32 = 1_000;

/// A column of a file whose schema tells the types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeclaredColumn {
    pub(crate) name: String,
    /// `None`: no column of a contract holds it.
    pub(crate) kind: Option<Declared>,
}

/// A type that a schema tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Declared {
    /// Text, or bytes that may be text: the values tell more.
    Text,
    Uuid,
    Boolean,
    /// Of at most 32 bits and a sign.
    Integer,
    Bigint,
    /// 64 bits without a sign.
    Unsigned,
    Decimal {
        precision: u32,
        scale: u32,
    },
    Double,
    Date,
    Time,
    Timestamp {
        is_utc: bool,
    },
    Object,
    Array,
}

impl Declared {
    pub(crate) fn decimal(precision: u32, scale: u32) -> Self {
        if precision <= MAX_PRECISION { Self::Decimal { precision, scale } } else { Self::Text }
    }

    /// `None` where the values have to tell it.
    pub(super) fn kind(self) -> Option<Kind> {
        let kind = match self {
            Self::Text => return None,
            Self::Uuid => Kind { format: Some("uuid"), ..Kind::new("string", "uuid") },
            Self::Boolean => Kind::new("boolean", "boolean"),
            Self::Integer => Kind::new("integer", "integer"),
            Self::Bigint => Kind::new("integer", "bigint"),
            Self::Unsigned => Kind::new("number", format!("numeric({UNSIGNED_DIGITS},0)")),
            Self::Decimal { precision, scale } => {
                Kind::new("number", format!("numeric({precision},{scale})"))
            }
            Self::Double => Kind::new("number", "double precision"),
            Self::Date => Kind::new("date", "date"),
            Self::Time => Kind::new("time", "time"),
            Self::Timestamp { is_utc: true } => Kind::new("timestamp", "timestamptz"),
            Self::Timestamp { is_utc: false } => Kind::new("timestamp", "timestamp"),
            Self::Object => Kind::document(false),
            Self::Array => Kind::document(true),
        };
        Some(kind)
    }
}

/// The kind of a file whose schema tells its columns, by its first bytes; `None` for a file of text.
pub(super) fn kind(open: &mut Open<'_>, limits: &Limits) -> Result<Option<SampleKind>, InferError> {
    let mut input = Input::open(open().map_err(ReadError::Io)?, None, limits)?;
    let mut magic = [0; 4];
    let mut length = 0_usize;
    while let Some(rest) = magic.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match input.read(rest)? {
            0 => break,
            count => length = length.saturating_add(count),
        }
    }
    Ok(match &magic {
        b"PAR1" | b"PARE" => Some(SampleKind::Parquet),
        b"Obj\x01" => Some(SampleKind::Avro),
        _ => None,
    })
}

/// Compares the kind that a file is said to be of with the one that its first bytes `found`.
///
/// # Errors
/// When it is of another.
pub(super) fn check(kind: SampleKind, found: Option<SampleKind>) -> Result<(), ReadError> {
    let is_text = |kind| match kind {
        SampleKind::Delimited | SampleKind::Ndjson | SampleKind::JsonArray => true,
        SampleKind::Parquet | SampleKind::Avro => false,
    };
    if found == Some(kind) || found.is_none() && is_text(kind) {
        return Ok(());
    }
    let name = |kind| match kind {
        SampleKind::Delimited => "delimited text",
        SampleKind::Ndjson | SampleKind::JsonArray => "JSON",
        SampleKind::Parquet => "Parquet",
        SampleKind::Avro => "Avro",
    };
    let is = found.map_or_else(String::new, |found| format!(", but {}", name(found)));
    let message = format!("the file is not {}{is}; give the right `--format`", name(kind));
    Err(ReadError::Unreadable { code: UnreadableCode::WrongFormat, byte_offset: 0, message })
}

/// The file and its columns, by its schema.
pub(super) fn look(
    open: &mut Open<'_>,
    limits: &Limits,
    kind: SampleKind,
) -> Result<(FileDraft, Vec<DeclaredColumn>), InferError> {
    let draft = |kind, compression| FileDraft { kind, encoding: None, compression };
    let input = Input::open(open().map_err(ReadError::Io)?, None, limits)?;
    let compression = input.compression();
    if kind == SampleKind::Parquet {
        if compression != Compression::Plain {
            let message =
                "a Parquet file that is compressed as a whole is not read; give it uncompressed".to_owned();
            let code = UnreadableCode::WrongFormat;
            return Err(ReadError::Unreadable { code, byte_offset: 0, message }.into());
        }
        let columns = parquet::schema::columns(whole(open)?)?;
        return Ok((draft(FileKind::Parquet, None), columns));
    }
    let columns = avro::declared_columns(input)?;
    Ok((draft(FileKind::Avro, Some(compression)), columns))
}

/// The whole sample.
pub(super) fn whole(open: &mut Open<'_>) -> Result<Bytes, InferError> {
    let mut bytes = Vec::new();
    let mut file = open().map_err(ReadError::Io)?.take(MAX_PARQUET_BYTES.saturating_add(1));
    file.read_to_end(&mut bytes).map_err(ReadError::Io)?;
    if bytes.len() as u64 > MAX_PARQUET_BYTES {
        return Err(InferError::TooLarge { max_bytes: MAX_PARQUET_BYTES });
    }
    Ok(bytes.into())
}
