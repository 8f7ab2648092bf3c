//! Encoding of blocks as chunks, Parquet files and reject files.

use std::io::Write;

use arrow_array::RecordBatch;
use arrow_schema::DataType;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use sha2::{Digest, Sha256};

use crate::columns::ROW_COLUMN;
use crate::error::EncodeError;
use crate::hex::hex;
use crate::outcome::Reject;
use crate::plan::Plan;

/// The compression level. Higher levels need half as much time again and save a few per cent of the size.
const ZSTD_LEVEL: i32 = 1;

/// An encoded chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// COPY text, compressed with zstd.
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`.
    pub sha256: [u8; 32],
}

impl Encoded {
    /// Returns the SHA-256 in lower-case hexadecimal.
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256)
    }
}

/// An encoder of chunks that reuses its zstd context.
pub struct ChunkEncoder {
    compressor: zstd::bulk::Compressor<'static>,
    /// A buffer for the worst case, which is reused.
    buffer: Vec<u8>,
}

impl std::fmt::Debug for ChunkEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkEncoder").finish_non_exhaustive()
    }
}

impl ChunkEncoder {
    /// Creates an encoder.
    ///
    /// # Errors
    /// If zstd cannot create a context.
    pub fn new() -> Result<Self, EncodeError> {
        let compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(EncodeError::Zstd)?;
        Ok(Self { compressor, buffer: Vec::new() })
    }

    /// Compresses COPY text.
    ///
    /// # Errors
    /// If zstd fails.
    pub fn encode(&mut self, copy_text: &[u8]) -> Result<Encoded, EncodeError> {
        self.buffer.clear();
        // `reserve` would allocate up to twice as much, which is not needed because the sizes of chunks are similar.
        self.buffer.reserve_exact(zstd::zstd_safe::compress_bound(copy_text.len()));
        self.compressor.compress_to_buffer(copy_text, &mut self.buffer).map_err(EncodeError::Zstd)?;
        let bytes = self.buffer.clone();
        let sha256 = Sha256::digest(&bytes).into();
        Ok(Encoded { bytes, sha256 })
    }
}

/// Decompresses a chunk.
///
/// # Errors
/// If the bytes are not a complete chunk, or decompress to more than `max_bytes`.
pub fn decode_chunk(bytes: &[u8], max_bytes: usize) -> Result<Vec<u8>, EncodeError> {
    use std::io::Read;
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(EncodeError::Zstd)?;
    let mut text = Vec::new();
    let limit = (max_bytes as u64).saturating_add(1);
    decoder.by_ref().take(limit).read_to_end(&mut text).map_err(EncodeError::Zstd)?;
    if text.len() > max_bytes { Err(EncodeError::TooLarge { max_bytes }) } else { Ok(text) }
}

/// Returns the SHA-256 of bytes in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A writer of a Parquet file, compressed with zstd. Each pushed batch is a row group.
pub struct ParquetPart {
    writer: ArrowWriter<Vec<u8>>,
}

impl std::fmt::Debug for ParquetPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetPart").field("encoded_len", &self.encoded_len()).finish_non_exhaustive()
    }
}

impl ParquetPart {
    /// Creates an empty file with the plan's columns.
    ///
    /// # Errors
    /// If Parquet does not have a column's type.
    pub fn new(plan: &Plan) -> Result<Self, EncodeError> {
        let schema = plan.arrow_schema();
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_created_by(format!("penstock {}", crate::ENGINE_VERSION))
            .set_statistics_enabled(EnabledStatistics::Chunk);
        for (index, field) in schema.fields().iter().enumerate() {
            // Statistics of texts are expensive to compute and rarely help to skip row groups, except for the key.
            let path = ColumnPath::from(field.name().as_str());
            // A dictionary does not pay if values are not repeated.
            if plan.key == [index] || field.name() == ROW_COLUMN {
                properties = properties.set_column_dictionary_enabled(path.clone(), false);
            }
            if *field.data_type() == DataType::Utf8 && !plan.key.contains(&index) {
                properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
            }
        }
        Ok(Self { writer: ArrowWriter::try_new(Vec::new(), schema, Some(properties.build()))? })
    }

    /// Adds a block's rows as a row group.
    ///
    /// # Errors
    /// If the batch does not have the plan's columns.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        self.writer.write(batch)?;
        Ok(self.writer.flush()?)
    }

    /// Returns the number of bytes written so far.
    pub fn encoded_len(&self) -> usize {
        self.writer.bytes_written()
    }

    /// Completes and returns the file.
    ///
    /// # Errors
    /// If the footer cannot be written.
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        Ok(self.writer.into_inner()?)
    }
}

/// A writer of a reject file: one JSON object per line, compressed with zstd.
pub struct RejectEncoder {
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
}

impl std::fmt::Debug for RejectEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RejectEncoder").field("encoded_len", &self.encoded_len()).finish_non_exhaustive()
    }
}

impl RejectEncoder {
    /// Creates an empty file.
    ///
    /// # Errors
    /// If zstd cannot create a context.
    pub fn new() -> Result<Self, EncodeError> {
        let encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL).map_err(EncodeError::Zstd)?;
        Ok(Self { encoder })
    }

    /// Appends a reject.
    ///
    /// # Errors
    /// If zstd fails.
    pub fn push(&mut self, reject: &Reject) -> Result<(), EncodeError> {
        serde_json::to_writer(&mut self.encoder, reject)?;
        self.encoder.write_all(b"\n").map_err(EncodeError::Zstd)
    }

    /// Returns the number of bytes written so far, without those in zstd's buffer.
    pub fn encoded_len(&self) -> usize {
        self.encoder.get_ref().len()
    }

    /// Completes and returns the file.
    ///
    /// # Errors
    /// If zstd fails.
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        self.encoder.finish().map_err(EncodeError::Zstd)
    }
}
