//! Fetching, verifying and decompressing chunks.

use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::buf::Reader;
use bytes::{Buf as _, Bytes};
use penstock_aws::store::{ObjectStore, StoreError};
use penstock_pipeline::{Chunk, ChunkBody, LoadMessage, Manifest};
use sha2::{Digest as _, Sha256};
use zstd::stream::read::Decoder;

use crate::error::LoadError;

/// The size of a piece of COPY text. Larger pieces gain nothing and cost memory.
const PIECE_BYTES: usize = 128 * 1024;
/// The largest zstd window, as a power of two: 8 MiB, which every decoder has to support. Level 1 uses 512 KiB.
const MAX_WINDOW_LOG: u32 = 23;

/// A message with its batch's manifest and its chunk's encoded bytes, whose SHA-256 is that in the message.
#[derive(Debug, Clone)]
pub struct VerifiedChunk {
    /// The message.
    pub message: LoadMessage,
    /// The manifest of its batch.
    pub manifest: Arc<Manifest>,
    /// The COPY text, compressed with zstd.
    pub encoded: Bytes,
}

/// Fetches a message's chunk and verifies it.
///
/// # Errors
/// Returns an error if the chunk cannot be fetched, or its bytes do not have the message's SHA-256.
pub async fn fetch(
    store: &impl ObjectStore,
    message: LoadMessage,
    manifest: Arc<Manifest>,
) -> Result<VerifiedChunk, LoadError> {
    let encoded = match &message.chunk.body {
        ChunkBody::Inline(text) => STANDARD.decode(text).map(Bytes::from).map_err(|error| {
            LoadError::Chunk { location: location(&message.chunk), problem: format!("not base64: {error}") }
        })?,
        ChunkBody::Object { bucket, key } => store
            .get(bucket, key)
            .await?
            .ok_or_else(|| StoreError::NotFound { bucket: bucket.clone(), key: key.clone() })?,
    };
    let found = hex(&Sha256::digest(&encoded));
    if found != message.chunk.sha256 {
        let expected = message.chunk.sha256.clone();
        return Err(LoadError::Checksum { location: location(&message.chunk), expected, found });
    }
    Ok(VerifiedChunk { message, manifest, encoded })
}

fn location(chunk: &Chunk) -> String {
    match &chunk.body {
        ChunkBody::Inline(_) => format!("chunk {} (inline)", chunk.number()),
        ChunkBody::Object { bucket, key } => format!("s3://{bucket}/{key}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}

/// A chunk's COPY text, in pieces.
///
/// Reading fails when the text has another length or number of rows than its message specifies. Nothing beyond that
/// length is decompressed.
pub struct CopyText {
    decoder: Decoder<'static, Reader<Bytes>>,
    location: String,
    bytes_left: u64,
    rows_left: u64,
    prefix: Vec<u8>,
    at_row_start: bool,
    finished: bool,
}

impl CopyText {
    /// Returns the text unchanged.
    ///
    /// # Errors
    /// Returns an error if no decoder can be created.
    pub fn plain(chunk: &VerifiedChunk) -> Result<Self, LoadError> {
        Self::new(chunk, Vec::new())
    }

    /// Returns the text with `ordinal` as the first field of each row, which identifies the row's chunk.
    ///
    /// # Errors
    /// Returns an error if no decoder can be created.
    pub fn numbered(chunk: &VerifiedChunk, ordinal: usize) -> Result<Self, LoadError> {
        Self::new(chunk, format!("{ordinal}\t").into_bytes())
    }

    fn new(chunk: &VerifiedChunk, prefix: Vec<u8>) -> Result<Self, LoadError> {
        let details = &chunk.message.chunk;
        let location = location(details);
        let open = || {
            let mut decoder = Decoder::with_buffer(chunk.encoded.clone().reader())?;
            decoder.window_log_max(MAX_WINDOW_LOG)?;
            Ok(decoder)
        };
        let decoder = open()
            .map_err(|error: std::io::Error| invalid(&location, format!("no zstd decoder: {error}")))?;
        Ok(Self {
            decoder,
            location,
            bytes_left: details.text_bytes,
            rows_left: u64::from(details.text_rows()),
            prefix,
            at_row_start: true,
            finished: false,
        })
    }

    /// Returns the next piece, or `None` at the end.
    ///
    /// # Errors
    /// Returns an error if the bytes are not zstd, or the text has another number of bytes or rows than the message
    /// specifies.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, LoadError> {
        if self.finished {
            return Ok(None);
        }
        let mut piece = vec![0; PIECE_BYTES];
        let read = self.decoder.read(&mut piece);
        let length = read.map_err(|error| invalid(&self.location, format!("not zstd: {error}")))?;
        if length == 0 {
            self.finished = true;
            return self.check_end().map(|()| None);
        }
        piece.truncate(length);
        let too_much = || invalid(&self.location, "more bytes or rows than the message specifies".to_owned());
        self.bytes_left = self.bytes_left.checked_sub(length as u64).ok_or_else(too_much)?;
        let rows = memchr::memchr_iter(b'\n', &piece).count();
        self.rows_left = self.rows_left.checked_sub(rows as u64).ok_or_else(too_much)?;
        Ok(Some(if self.prefix.is_empty() { piece.into() } else { self.number(&piece, rows).into() }))
    }

    /// Inserts the ordinal in front of each row. A line end inside a value is escaped, so each `\n` ends a row.
    fn number(&mut self, piece: &[u8], rows: usize) -> Vec<u8> {
        let mut numbered = Vec::with_capacity(piece.len() + (rows + 1) * self.prefix.len());
        for line in LinesWithEnds(piece) {
            if self.at_row_start {
                numbered.extend_from_slice(&self.prefix);
            }
            numbered.extend_from_slice(line);
            self.at_row_start = line.ends_with(b"\n");
        }
        numbered
    }

    fn check_end(&self) -> Result<(), LoadError> {
        if self.bytes_left == 0 && self.rows_left == 0 {
            return Ok(());
        }
        let problem =
            format!("{} bytes and {} rows fewer than the message specifies", self.bytes_left, self.rows_left);
        Err(invalid(&self.location, problem))
    }
}

fn invalid(location: &str, problem: String) -> LoadError {
    LoadError::Chunk { location: location.to_owned(), problem }
}

/// The lines of a text, each with its line end.
struct LinesWithEnds<'a>(&'a [u8]);

impl<'a> Iterator for LinesWithEnds<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.0.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.0).map_or(self.0.len(), |at| at + 1);
        let (line, rest) = self.0.split_at(end);
        self.0 = rest;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use penstock_aws::testing::MemoryStore;
    use penstock_contract::TableName;
    use penstock_pipeline::{Batch, DeadCode, Drop, Refusal, RefusalCode};
    use uuid::Uuid;

    use super::*;

    fn message(text: &[u8], rows: u32) -> LoadMessage {
        let encoded = zstd::encode_all(text, 1).unwrap();
        LoadMessage {
            message_version: LoadMessage::VERSION,
            batch_id: Uuid::nil(),
            source: "s".into(),
            table: TableName { schema: "public".into(), table: "t".into() },
            contract_version: "1.0.0".into(),
            dropped_at: jiff::Timestamp::UNIX_EPOCH,
            chunk_count: 1,
            overwrites: None,
            chunk: Chunk {
                index: 0,
                rows,
                deduplicated: None,
                row_base: 0,
                sha256: hex(&Sha256::digest(&encoded)),
                text_bytes: text.len() as u64,
                body: ChunkBody::Inline(STANDARD.encode(&encoded)),
            },
        }
    }

    async fn fetched(message: LoadMessage) -> Result<VerifiedChunk, LoadError> {
        let drop = Drop {
            bucket: "raw".into(),
            key: "s/a.csv".into(),
            version_id: None,
            etag: "e".into(),
            size_bytes: 1,
            sequencer: None,
            dropped_at: message.dropped_at,
        };
        let none = Refusal::new(RefusalCode::Kept, "");
        let manifest = Manifest::refused(Batch::new(drop, Some("1.0.0")), "0", none);
        fetch(&MemoryStore::new(), message, Arc::new(manifest)).await
    }

    fn read(mut text: CopyText) -> Result<Vec<u8>, LoadError> {
        let mut all = Vec::new();
        while let Some(piece) = text.next_piece()? {
            all.extend_from_slice(&piece);
        }
        Ok(all)
    }

    #[tokio::test]
    async fn the_text_is_returned_and_rows_are_numbered_across_pieces() {
        let row = format!("{}\\n\t\\N\t7\n", "x".repeat(1000));
        let text = row.repeat(1000);
        let chunk = fetched(message(text.as_bytes(), 1000)).await.unwrap();
        assert_eq!(read(CopyText::plain(&chunk).unwrap()).unwrap(), text.as_bytes());
        let numbered = format!("12\t{row}").repeat(1000);
        assert_eq!(read(CopyText::numbered(&chunk, 12).unwrap()).unwrap(), numbered.as_bytes());
    }

    #[tokio::test]
    async fn a_chunk_without_rows_has_no_text() {
        let chunk = fetched(message(b"", 0)).await.unwrap();
        assert!(read(CopyText::numbered(&chunk, 0).unwrap()).unwrap().is_empty());
    }

    #[tokio::test]
    async fn bytes_that_do_not_match_the_message_are_an_error() {
        let mut other = message(b"a\t1\n", 1);
        other.chunk.sha256 = "00".repeat(32);
        assert_eq!(fetched(other).await.unwrap_err().code(), Some(DeadCode::ChecksumMismatch));

        let mut garbled = message(b"a\t1\n", 1);
        garbled.chunk.body = ChunkBody::Inline("not base64!".into());
        assert_eq!(fetched(garbled).await.unwrap_err().code(), Some(DeadCode::InvalidChunk));

        let mut missing = message(b"a\t1\n", 1);
        missing.chunk.body = ChunkBody::Object { bucket: "b".into(), key: "k".into() };
        assert_eq!(fetched(missing).await.unwrap_err().code(), Some(DeadCode::ChunkMissing));
    }

    #[tokio::test]
    async fn a_text_of_another_size_is_an_error() {
        for (rows, text_bytes) in [(2, 8), (1, 8), (3, 8), (2, 7), (2, 9)] {
            let mut message = message(b"a\t1\nb\t2\n", rows);
            message.chunk.text_bytes = text_bytes;
            let chunk = fetched(message).await.unwrap();
            let answer = read(CopyText::plain(&chunk).unwrap());
            assert_eq!(answer.is_ok(), (rows, text_bytes) == (2, 8), "{rows} rows, {text_bytes} bytes");
        }
    }

    #[tokio::test]
    async fn bytes_that_are_not_zstd_are_an_error() {
        let mut plain = message(b"a\t1\n", 1);
        plain.chunk.body = ChunkBody::Inline(STANDARD.encode(b"a\t1\n"));
        plain.chunk.sha256 = hex(&Sha256::digest(b"a\t1\n"));
        let chunk = fetched(plain).await.unwrap();
        let error = read(CopyText::plain(&chunk).unwrap()).unwrap_err();
        assert_eq!(error.code(), Some(DeadCode::InvalidChunk));
    }
}
