//! What blocks become: zstd COPY text, Parquet, NDJSON of rejects.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use sha2::{Digest as _, Sha256};

use crate::{Plan, Reject};

/// zstd level of everything that is written.
const ZSTD_LEVEL: i32 = 1;

/// An encoded chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The zstd frame.
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`.
    pub sha256: [u8; 32],
}

/// Why bytes were not encoded or decoded.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// zstd failed, or the text is longer than allowed.
    #[error("zstd: {0}")]
    Zstd(#[from] std::io::Error),
    /// Parquet failed.
    #[error("parquet: {0}")]
    Parquet(#[from] ParquetError),
    /// The decoded text is longer than the limit.
    #[error("more than {max_bytes} bytes after decompression")]
    TooLarge {
        /// The limit.
        max_bytes: usize,
    },
}

/// Compresses COPY text (zstd level 1, no checksum of its own: the SHA-256 is stronger).
///
/// # Errors
/// When zstd fails, which it does only for want of memory.
pub fn encode_chunk(copy_text: &[u8]) -> Result<Encoded, EncodeError> {
    let bytes = zstd::bulk::compress(copy_text, ZSTD_LEVEL)?;
    let sha256 = Sha256::digest(&bytes).into();
    Ok(Encoded { bytes, sha256 })
}

/// Decompresses a chunk of at most `max_bytes` of text.
///
/// # Errors
/// When the bytes are no zstd, or hold more than `max_bytes`.
pub fn decode_chunk(bytes: &[u8], max_bytes: usize) -> Result<Vec<u8>, EncodeError> {
    let mut text = Vec::new();
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
    decoder.take((max_bytes as u64).saturating_add(1)).read_to_end(&mut text)?;
    if text.len() > max_bytes { Err(EncodeError::TooLarge { max_bytes }) } else { Ok(text) }
}

/// One Parquet file in the making, in memory, compressed row group by row group (zstd level 1).
pub struct ParquetPart {
    writer: ArrowWriter<Vec<u8>>,
}

impl ParquetPart {
    /// Starts a file with the plan's schema.
    ///
    /// # Errors
    /// When the schema cannot be written as Parquet.
    pub fn new(plan: &Plan) -> Result<Self, EncodeError> {
        let level = ZstdLevel::try_new(ZSTD_LEVEL)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let schema: Arc<Schema> = plan.arrow_schema();
        Ok(Self { writer: ArrowWriter::try_new(Vec::new(), schema, Some(properties))? })
    }

    /// Writes one batch as a row group.
    ///
    /// # Errors
    /// When the batch is not of the schema.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        self.writer.write(batch)?;
        Ok(self.writer.flush()?)
    }

    /// Bytes so far.
    pub fn encoded_len(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Closes the file.
    ///
    /// # Errors
    /// When the footer cannot be written.
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        Ok(self.writer.into_inner()?)
    }
}

/// One file of rejects in the making: a JSON object a line, zstd.
pub struct RejectEncoder {
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
}

impl RejectEncoder {
    /// Starts a file.
    ///
    /// # Errors
    /// When zstd fails, for want of memory.
    pub fn new() -> Result<Self, EncodeError> {
        Ok(Self { encoder: zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)? })
    }

    /// Appends a reject.
    ///
    /// # Errors
    /// When zstd fails.
    pub fn push(&mut self, reject: &Reject) -> Result<(), EncodeError> {
        let mut line = serde_json::to_vec(reject).map_err(std::io::Error::from)?;
        line.push(b'\n');
        Ok(self.encoder.write_all(&line)?)
    }

    /// Bytes so far, without what zstd still holds.
    pub fn encoded_len(&self) -> usize {
        self.encoder.get_ref().len()
    }

    /// Closes the file.
    ///
    /// # Errors
    /// When zstd fails.
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        Ok(self.encoder.finish()?)
    }
}
