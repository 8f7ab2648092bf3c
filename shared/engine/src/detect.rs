//! The format of a file, by its first bytes: for contracts that do not declare it.

use penstock_contract::{DelimitedDialect, FormatKind};

use crate::error::{ReadError, UnreadableCode};

/// First bytes by which Parquet is told from what can be read as a stream.
pub(crate) const SEEK_HEAD_BYTES: usize = 4;
/// First bytes that the format of a stream is detected by.
pub(crate) const HEAD_BYTES: usize = 1024;
const PARQUET_MAGIC: [&[u8]; 2] = [b"PAR1", b"PARE"];
const AVRO_MAGIC: &[u8] = b"Obj\x01";

/// True for a file that cannot be read as a stream.
pub(crate) fn needs_seek(head: &[u8]) -> bool {
    PARQUET_MAGIC.iter().any(|magic| head.starts_with(magic))
}

/// The format of a stream that begins with `head`. `json_only`: the contract says that it is JSON.
pub(crate) fn format(head: &[u8], json_only: bool) -> Result<FormatKind, ReadError> {
    if needs_seek(head) {
        // One that is not compressed as a whole was opened as Parquet.
        return Err(wrong_format(
            "a Parquet file that is compressed as a whole is not read: drop it uncompressed",
        ));
    }
    if head.starts_with(AVRO_MAGIC) && !json_only {
        return Ok(FormatKind::Avro);
    }
    // Neither a byte-order mark nor the zeros of UTF-16 are a part of what it begins with.
    let mut letters =
        without_mark(head).iter().copied().filter(|byte| !byte.is_ascii_whitespace() && *byte != 0);
    match (letters.next(), letters.next()) {
        (Some(b'{'), None | Some(b'"' | b'}')) => Ok(FormatKind::Ndjson),
        (Some(b'{'), Some(_)) if json_only => Ok(FormatKind::Ndjson),
        (Some(b'['), None | Some(b'{' | b']')) => Ok(FormatKind::JsonArray { path: Vec::new() }),
        _ if json_only => Err(wrong_format(
            "the file is not JSON, as the contract says: it begins with neither `{` nor an array of objects",
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
