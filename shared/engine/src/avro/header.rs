//! The header of a container file: magic number, schema, codec and sync marker.

use std::io::Read;

use super::codec::Codec;
use super::schema::Schema;
use super::stream::{Marker, Stream, Varint};
use crate::error::{ReadError, UnreadableCode};
use crate::input::magic::{HEAD_BYTES, check_text};

const MAGIC: &[u8] = b"Obj\x01";
/// Longest entry of the header, such as the schema. Parsed JSON occupies many times its length in memory.
const MAX_ENTRY_BYTES: usize = 512 * 1024;
/// Longest header.
const MAX_HEADER_BYTES: u64 = 1024 * 1024;

/// The header of a container file.
#[derive(Debug)]
pub(super) struct ContainerHeader {
    pub(super) schema: Schema,
    pub(super) codec: Codec,
    pub(super) marker: Marker,
}

impl ContainerHeader {
    pub(super) fn read<R: Read>(stream: &mut Stream<R>) -> Result<Self, ReadError> {
        if stream.peek(MAGIC.len())? != MAGIC {
            let outer = stream.input().compression();
            let head = stream.peek(HEAD_BYTES)?;
            check_text(head, outer)?;
            let message = "the file is not an Avro object container file: it does not begin with `Obj` and the byte 1; \
                           deliver Avro, or correct `format` in the contract";
            let code = UnreadableCode::WrongFormat;
            return Err(ReadError::Unreadable { code, byte_offset: 0, message: message.to_owned() });
        }
        stream.consume(MAGIC.len());
        let (mut schema, mut codec) = (None, Codec::Null);
        loop {
            let count = number(stream)?;
            if count == 0 {
                break;
            }
            if count < 0 {
                // The size of the run in bytes, which is redundant.
                number(stream)?;
            }
            for _ in 0..count.unsigned_abs() {
                let key = entry(stream)?;
                let offset = stream.offset;
                let value = entry(stream)?;
                match key.as_slice() {
                    b"avro.schema" => schema = Some(read_schema(&value, offset)?),
                    b"avro.codec" => codec = read_codec(&value, offset)?,
                    // Applications may add entries of their own.
                    _ => {}
                }
            }
        }
        let marker = stream.peek(size_of::<Marker>())?.try_into();
        let marker = marker.map_err(|_| truncated(stream.offset))?;
        stream.consume(size_of::<Marker>());
        let schema = schema.ok_or_else(|| unreadable(stream.offset, "the header has no `avro.schema`"))?;
        Ok(Self { schema, codec, marker })
    }
}

fn read_schema(json: &[u8], offset: u64) -> Result<Schema, ReadError> {
    let schema = str::from_utf8(json).map_err(|_| "is not UTF-8".to_owned()).and_then(Schema::parse);
    schema.map_err(|message| unreadable(offset, format!("the schema {message}")))
}

fn read_codec(name: &[u8], offset: u64) -> Result<Codec, ReadError> {
    Codec::named(name).ok_or_else(|| {
        let name = String::from_utf8_lossy(name.get(..60).unwrap_or(name));
        let supported = "use null, deflate, snappy, zstandard, bzip2 or xz";
        unreadable(offset, format!("the codec `{name}` is not supported; {supported}"))
    })
}

fn number<R: Read>(stream: &mut Stream<R>) -> Result<i64, ReadError> {
    match stream.varint()? {
        Varint::Number(number, _) => Ok(number),
        Varint::Truncated => Err(truncated(stream.offset)),
        Varint::TooLong => Err(unreadable(stream.offset, "the header has a number of more than 64 bits")),
    }
}

/// Reads a key or a value.
fn entry<R: Read>(stream: &mut Stream<R>) -> Result<Vec<u8>, ReadError> {
    let length = number(stream)?;
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_ENTRY_BYTES);
    let Some(length) = length.filter(|_| stream.offset <= MAX_HEADER_BYTES) else {
        let message = format!(
            "the header has more than {MAX_HEADER_BYTES} bytes, or an entry of more than {MAX_ENTRY_BYTES} bytes"
        );
        return Err(unreadable(stream.offset, message));
    };
    let bytes = stream.peek(length)?.to_vec();
    if bytes.len() < length {
        return Err(truncated(stream.offset));
    }
    stream.consume(length);
    Ok(bytes)
}

fn truncated(byte_offset: u64) -> ReadError {
    unreadable(byte_offset, "the file ends inside its header; deliver the complete file")
}

fn unreadable(byte_offset: u64, message: impl Into<String>) -> ReadError {
    ReadError::Unreadable { code: UnreadableCode::MalformedHeader, byte_offset, message: message.into() }
}
