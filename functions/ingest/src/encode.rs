//! The encoding stage: blocks of rows become chunks, Parquet parts and reject files.
//!
//! Blocks, on a thread of its own: while it compresses one block, the next one is checked.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::RecordBatch;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use penstock_aws::spill::TempFiles;
use penstock_engine::{
    AcceptedRows, Block, ChunkEncoder, DuplicateFinder, Duplicates, ParquetPart, Plan, Reject, RejectEncoder,
};
use penstock_pipeline::{BatchId, Chunk, ChunkBody, MAX_INLINE_BYTES, layout};
use tokio::sync::mpsc;

/// A Parquet or reject file is closed when it has come to this size.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// A batch of more chunks than this has none of them inline: its manifest would grow too large.
const MAX_INLINE_CHUNKS: usize = 4;
/// A batch has one split as yet.
const SPLIT: u32 = 0;

/// An object to write.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) body: Bytes,
}

/// What the names of a batch's objects are made of.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) batch_id: BatchId,
    pub(crate) source: String,
    pub(crate) entity: String,
    pub(crate) processed_bucket: String,
    pub(crate) quarantine_bucket: String,
    /// With more rejects than this the batch is refused: from then on only they are kept.
    pub(crate) max_reject_rows: Option<u64>,
}

/// What was written of a batch.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) chunks: Vec<Chunk>,
    /// First and last row of each.
    pub(crate) chunk_rows: Vec<RangeInclusive<u64>>,
    /// Rows that repeat the key of another.
    pub(crate) duplicates: Duplicates,
    pub(crate) parquet: Vec<String>,
    pub(crate) rejects: Vec<String>,
}

/// Why a batch was not encoded.
#[derive(Debug)]
pub(crate) enum EncodeError {
    /// The rows do not fit the format: a mistake of ours.
    Rows(String),
    /// There was no room for the keys in the temporary files.
    Spill(std::io::Error),
    /// Nobody takes the uploads any more; why, is known to the uploading side.
    Stopped,
}

pub(crate) struct Encoder {
    plan: Arc<Plan>,
    target: Target,
    uploads: mpsc::Sender<Upload>,
    rejected: u64,
    /// Made with the first chunk.
    chunk_encoder: Option<ChunkEncoder>,
    chunks: Vec<(Chunk, Option<Bytes>)>,
    /// First and last row of each chunk.
    chunk_rows: Vec<RangeInclusive<u64>>,
    duplicates: Option<DuplicateFinder<TempFiles>>,
    parquet: Option<ParquetPart>,
    parquet_keys: Vec<String>,
    rejects: Option<RejectEncoder>,
    reject_keys: Vec<String>,
}

impl Encoder {
    pub(crate) fn new(plan: Arc<Plan>, target: Target, uploads: mpsc::Sender<Upload>) -> Self {
        Self {
            target,
            uploads,
            rejected: 0,
            chunk_encoder: None,
            chunks: Vec::new(),
            chunk_rows: Vec::new(),
            duplicates: plan.finds_duplicates().then(|| DuplicateFinder::new(TempFiles::default())),
            plan,
            parquet: None,
            parquet_keys: Vec::new(),
            rejects: None,
            reject_keys: Vec::new(),
        }
    }

    /// Takes one block; gives its text back, which another block may be written into.
    pub(crate) fn push(&mut self, block: Block) -> Result<Vec<u8>, EncodeError> {
        let Block { mut rows, rejects } = block;
        for reject in &rejects {
            self.rejected = self.rejected.saturating_add(reject.rows);
            self.push_reject(reject)?;
        }
        if rows.count == 0 || self.is_refused() {
            return Ok(rows.copy_text);
        }
        if let Some(finder) = &mut self.duplicates {
            finder.add(&rows.keys).map_err(spill_error)?;
        }
        self.chunk_rows.push(rows.first_row..=rows.last_row);
        // The columns go before the text is compressed: the two are the largest things in memory.
        self.push_parquet(rows.record_batch.take())?;
        self.push_chunk(rows)
    }

    /// Closes what is open.
    pub(crate) fn finish(mut self) -> Result<Encoded, EncodeError> {
        self.close_rejects()?;
        if self.is_refused() {
            return Ok(self.abandon());
        }
        self.close_parquet()?;
        let duplicates =
            self.duplicates.take().map(|finder| finder.finish().map_err(spill_error)).transpose()?;
        let inline = |(mut chunk, bytes): (Chunk, Option<Bytes>)| {
            if let Some(bytes) = bytes {
                chunk.body = ChunkBody::Inline(BASE64.encode(bytes));
            }
            chunk
        };
        let chunks = self.chunks.into_iter().map(inline).collect();
        Ok(Encoded {
            chunks,
            chunk_rows: self.chunk_rows,
            duplicates: duplicates.unwrap_or_default(),
            parquet: self.parquet_keys,
            rejects: self.reject_keys,
        })
    }

    /// Leaves what is open, and says what has been written: the input broke off.
    pub(crate) fn abandon(self) -> Encoded {
        Encoded { parquet: self.parquet_keys, rejects: self.reject_keys, ..Encoded::default() }
    }

    fn is_refused(&self) -> bool {
        self.target.max_reject_rows.is_some_and(|max| self.rejected > max)
    }

    fn push_chunk(&mut self, rows: AcceptedRows) -> Result<Vec<u8>, EncodeError> {
        let chunk_encoder = match &mut self.chunk_encoder {
            Some(encoder) => encoder,
            None => self.chunk_encoder.insert(ChunkEncoder::new().map_err(rows_error)?),
        };
        let index = u32::try_from(self.chunks.len()).map_err(|_| rows_error("more than 2^32 chunks"))?;
        let count = rows.count;
        // Not kept between chunks: while the columns are written, there is no room for it.
        let mut in_order = Vec::new();
        let ordered = self.plan.order_by_key(&rows.copy_text, &mut in_order);
        let text = if ordered.is_some() { &in_order } else { &rows.copy_text };
        let deduplicated = ordered.map(|ordered| ordered.deduplicated);
        let text_bytes = text.len() as u64;
        let encoded = chunk_encoder.encode(text).map_err(rows_error)?;
        drop(in_order);
        let chunk = Chunk {
            index,
            rows: count,
            deduplicated,
            row_base: 0,
            sha256: encoded.sha256_hex(),
            text_bytes,
            body: ChunkBody::Object {
                bucket: self.target.processed_bucket.clone(),
                key: layout::chunk(&self.target.batch_id, SPLIT, index),
            },
        };
        let body = Bytes::from(encoded.bytes);
        if body.len() <= MAX_INLINE_BYTES && self.chunks.len() < MAX_INLINE_CHUNKS {
            self.chunks.push((chunk, Some(body)));
            return Ok(rows.copy_text);
        }
        self.upload_chunk(&chunk, body)?;
        self.chunks.push((chunk, None));
        if self.chunks.len() > MAX_INLINE_CHUNKS {
            self.upload_kept_chunks()?;
        }
        Ok(rows.copy_text)
    }

    /// The batch has turned out too large for inline chunks: those that were kept become objects too.
    fn upload_kept_chunks(&mut self) -> Result<(), EncodeError> {
        let mut chunks = std::mem::take(&mut self.chunks);
        for (chunk, bytes) in &mut chunks {
            if let Some(body) = bytes.take() {
                self.upload_chunk(chunk, body)?;
            }
        }
        self.chunks = chunks;
        Ok(())
    }

    fn upload_chunk(&self, chunk: &Chunk, body: Bytes) -> Result<(), EncodeError> {
        let key = layout::chunk(&self.target.batch_id, SPLIT, chunk.index);
        self.upload(self.target.processed_bucket.clone(), key, body)
    }

    fn push_parquet(&mut self, columns: Option<RecordBatch>) -> Result<(), EncodeError> {
        let batch = columns.ok_or_else(|| rows_error("rows without their columns"))?;
        let part = match &mut self.parquet {
            Some(part) => part,
            None => self.parquet.insert(ParquetPart::new(&self.plan).map_err(rows_error)?),
        };
        part.push(&batch).map_err(rows_error)?;
        if part.encoded_len() >= PART_BYTES { self.close_parquet() } else { Ok(()) }
    }

    fn close_parquet(&mut self) -> Result<(), EncodeError> {
        let Some(part) = self.parquet.take() else { return Ok(()) };
        let body = part.finish().map_err(rows_error)?;
        let Target { batch_id, source, entity, processed_bucket, .. } = &self.target;
        let key = layout::parquet(entity, source, batch_id, SPLIT, next_part(&self.parquet_keys)?);
        self.upload(processed_bucket.clone(), key.clone(), body.into())?;
        self.parquet_keys.push(key);
        Ok(())
    }

    fn push_reject(&mut self, reject: &Reject) -> Result<(), EncodeError> {
        let encoder = match &mut self.rejects {
            Some(encoder) => encoder,
            None => self.rejects.insert(RejectEncoder::new().map_err(rows_error)?),
        };
        encoder.push(reject).map_err(rows_error)?;
        if encoder.encoded_len() >= PART_BYTES { self.close_rejects() } else { Ok(()) }
    }

    fn close_rejects(&mut self) -> Result<(), EncodeError> {
        let Some(encoder) = self.rejects.take() else { return Ok(()) };
        let body = encoder.finish().map_err(rows_error)?;
        let Target { batch_id, source, quarantine_bucket, .. } = &self.target;
        let key = layout::rejects(source, batch_id, SPLIT, next_part(&self.reject_keys)?);
        let uri = format!("s3://{quarantine_bucket}/{key}");
        self.upload(quarantine_bucket.clone(), key, body.into())?;
        self.reject_keys.push(uri);
        Ok(())
    }

    fn upload(&self, bucket: String, key: String, body: Bytes) -> Result<(), EncodeError> {
        self.uploads.blocking_send(Upload { bucket, key, body }).map_err(|_| EncodeError::Stopped)
    }
}

fn next_part(keys: &[String]) -> Result<u32, EncodeError> {
    u32::try_from(keys.len()).map_err(|_| rows_error("more than 2^32 parts"))
}

fn spill_error(error: std::io::Error) -> EncodeError {
    EncodeError::Spill(error)
}

fn rows_error(error: impl std::fmt::Display) -> EncodeError {
    EncodeError::Rows(error.to_string())
}
