//! Blocks into what is stored: chunks, Parquet files, reject files.

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

/// Higher levels cost half as much again and save a few per cent.
const ZSTD_LEVEL: i32 = 1;

/// A chunk as it is stored and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// COPY text, zstd.
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`.
    pub sha256: [u8; 32],
}

impl Encoded {
    /// The SHA-256 in lower-case hexadecimal.
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256)
    }
}

/// Compresses one chunk after the other, with one context.
pub struct ChunkEncoder {
    compressor: zstd::bulk::Compressor<'static>,
    /// Room for the worst case, kept between chunks.
    buffer: Vec<u8>,
}

impl std::fmt::Debug for ChunkEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChunkEncoder").finish_non_exhaustive()
    }
}

impl ChunkEncoder {
    /// A new context.
    ///
    /// # Errors
    /// When zstd refuses.
    pub fn new() -> Result<Self, EncodeError> {
        let compressor = zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(EncodeError::Zstd)?;
        Ok(Self { compressor, buffer: Vec::new() })
    }

    /// Compresses COPY text.
    ///
    /// # Errors
    /// When zstd refuses.
    pub fn encode(&mut self, copy_text: &[u8]) -> Result<Encoded, EncodeError> {
        self.buffer.clear();
        // Exactly: chunks are of nearly one size, and room for twice the next one would not be used.
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
/// When the bytes are no whole chunk, or are more than `max_bytes` after decompression.
pub fn decode_chunk(bytes: &[u8], max_bytes: usize) -> Result<Vec<u8>, EncodeError> {
    use std::io::Read;
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes).map_err(EncodeError::Zstd)?;
    let mut text = Vec::new();
    let limit = (max_bytes as u64).saturating_add(1);
    decoder.by_ref().take(limit).read_to_end(&mut text).map_err(EncodeError::Zstd)?;
    if text.len() > max_bytes { Err(EncodeError::TooLarge { max_bytes }) } else { Ok(text) }
}

/// SHA-256 in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A Parquet file under construction, zstd, one row group a pushed batch.
pub struct ParquetPart {
    writer: ArrowWriter<Vec<u8>>,
}

impl std::fmt::Debug for ParquetPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetPart").field("encoded_len", &self.encoded_len()).finish_non_exhaustive()
    }
}

impl ParquetPart {
    /// An empty file for the plan's columns.
    ///
    /// # Errors
    /// When Parquet has no type for a column.
    pub fn new(plan: &Plan) -> Result<Self, EncodeError> {
        let schema = plan.arrow_schema();
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
            .set_created_by(format!("penstock {}", crate::ENGINE_VERSION))
            .set_statistics_enabled(EnabledStatistics::Chunk);
        for (index, field) in schema.fields().iter().enumerate() {
            // Nobody skips row groups by the least title, and finding it means comparing all of them.
            let path = ColumnPath::from(field.name().as_str());
            // A dictionary of values that do not repeat is built for nothing.
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
    /// When the batch is not of the plan's columns.
    pub fn push(&mut self, batch: &RecordBatch) -> Result<(), EncodeError> {
        self.writer.write(batch)?;
        Ok(self.writer.flush()?)
    }

    /// Bytes so far.
    pub fn encoded_len(&self) -> usize {
        self.writer.bytes_written()
    }

    /// The file.
    ///
    /// # Errors
    /// When the footer cannot be written.
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        Ok(self.writer.into_inner()?)
    }
}

/// A reject file under construction: one JSON object a line, zstd.
pub struct RejectEncoder {
    encoder: zstd::stream::write::Encoder<'static, Vec<u8>>,
}

impl std::fmt::Debug for RejectEncoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RejectEncoder").field("encoded_len", &self.encoded_len()).finish_non_exhaustive()
    }
}

impl RejectEncoder {
    /// An empty file.
    ///
    /// # Errors
    /// When zstd refuses.
    pub fn new() -> Result<Self, EncodeError> {
        let encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL).map_err(EncodeError::Zstd)?;
        Ok(Self { encoder })
    }

    /// Adds a reject.
    ///
    /// # Errors
    /// When zstd refuses.
    pub fn push(&mut self, reject: &Reject) -> Result<(), EncodeError> {
        serde_json::to_writer(&mut self.encoder, reject)?;
        self.encoder.write_all(b"\n").map_err(EncodeError::Zstd)
    }

    /// Bytes so far; those that zstd still holds do not count.
    pub fn encoded_len(&self) -> usize {
        self.encoder.get_ref().len()
    }

    /// The file.
    ///
    /// # Errors
    /// When zstd refuses.
    pub fn finish(self) -> Result<Vec<u8>, EncodeError> {
        self.encoder.finish().map_err(EncodeError::Zstd)
    }
}
