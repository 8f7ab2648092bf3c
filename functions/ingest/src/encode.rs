//! The encoding stage: encodes blocks of rows as chunks, Parquet files and reject files.
//!
//! It blocks and has its own thread: while it compresses one block, the next one is checked.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::RecordBatch;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use penstock_aws::spill::TempFiles;
use penstock_engine::{
    AcceptedRows, Block, ChunkEncoder, DuplicateFinder, Duplicates, ParquetPart, Plan, Reject, RejectEncoder,
    sha256_hex,
};
use penstock_pipeline::{BatchId, Chunk, ChunkBody, MAX_INLINE_BYTES, layout};
use tokio::sync::mpsc;

/// Size at which a Parquet or reject file is closed, in bytes.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Maximum number of inline chunks. If a batch has more chunks, none is inline, because its manifest would be too
/// large.
const MAX_INLINE_CHUNKS: usize = 4;
/// Index of the only split: this function reads a drop whole.
pub(crate) const SPLIT: u32 = 0;

/// An object to write.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) bucket: String,
    pub(crate) key: String,
    pub(crate) body: Bytes,
}

/// The buckets and the parts of the keys of a batch's objects.
#[derive(Debug, Clone)]
pub(crate) struct BatchTarget {
    pub(crate) batch_id: BatchId,
    pub(crate) source: String,
    pub(crate) entity: String,
    pub(crate) processed_bucket: String,
    pub(crate) quarantine_bucket: String,
    /// If the batch has more rejects, it is refused, and only rejects are encoded from then on.
    pub(crate) max_reject_rows: Option<u64>,
}

/// The encoded objects of a batch.
#[derive(Debug, Default)]
pub(crate) struct EncodedBatch {
    pub(crate) chunks: Vec<Chunk>,
    /// First and last row of each chunk.
    pub(crate) chunk_rows: Vec<RangeInclusive<u64>>,
    /// Rows with the same key as another row.
    pub(crate) duplicates: Duplicates,
    pub(crate) parquet: Vec<String>,
    pub(crate) rejects: Vec<String>,
}

/// The reason why a batch was not encoded.
#[derive(Debug)]
pub(crate) enum BatchEncodeError {
    /// The rows do not fit the format: a bug in Penstock.
    Rows(String),
    /// The keys could not be written to temporary files.
    Spill(std::io::Error),
    /// The upload stage stopped; its result has the reason.
    Stopped,
}

/// Encodes the blocks of one batch and sends the objects to the upload stage.
pub(crate) struct BatchEncoder {
    plan: Arc<Plan>,
    target: BatchTarget,
    uploads: mpsc::Sender<Upload>,
    rejected: u64,
    /// Created with the first chunk.
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

impl BatchEncoder {
    pub(crate) fn new(plan: Arc<Plan>, target: BatchTarget, uploads: mpsc::Sender<Upload>) -> Self {
        Self {
            target,
            uploads,
            rejected: 0,
            chunk_encoder: None,
            chunks: Vec::new(),
            chunk_rows: Vec::new(),
            duplicates: plan.finds_duplicates().then(|| plan.duplicate_finder(TempFiles::default())),
            plan,
            parquet: None,
            parquet_keys: Vec::new(),
            rejects: None,
            reject_keys: Vec::new(),
        }
    }

    /// Encodes one block. Returns its text buffer, which can be used for another block.
    pub(crate) fn push(&mut self, block: Block) -> Result<Vec<u8>, BatchEncodeError> {
        let Block { mut rows, rejects } = block;
        for reject in &rejects {
            self.rejected =
                self.rejected.checked_add(reject.rows).expect("the rejected rows were counted as u64");
            self.push_reject(reject)?;
        }
        if rows.count == 0 || self.is_refused() {
            return Ok(rows.copy_text);
        }
        if let Some(finder) = &mut self.duplicates {
            finder.add(&rows.keys).map_err(spill_error)?;
        }
        self.chunk_rows.push(rows.first_row..=rows.last_row);
        // The columns are freed before the text is compressed: both are large.
        self.push_parquet(rows.record_batch.take())?;
        self.push_chunk(rows)
    }

    /// Closes all open files and returns the encoded objects.
    pub(crate) fn finish(mut self) -> Result<EncodedBatch, BatchEncodeError> {
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
        Ok(EncodedBatch {
            chunks,
            chunk_rows: self.chunk_rows,
            // A plan without a key finds no duplicates.
            duplicates: duplicates.unwrap_or_default(),
            parquet: self.parquet_keys,
            rejects: self.reject_keys,
        })
    }

    /// Returns the objects that have been written. Open files and chunks are discarded, because the input failed or the
    /// batch is refused.
    pub(crate) fn abandon(self) -> EncodedBatch {
        EncodedBatch { parquet: self.parquet_keys, rejects: self.reject_keys, ..EncodedBatch::default() }
    }

    fn is_refused(&self) -> bool {
        self.target.max_reject_rows.is_some_and(|max| self.rejected > max)
    }

    fn push_chunk(&mut self, rows: AcceptedRows) -> Result<Vec<u8>, BatchEncodeError> {
        let chunk_encoder = match &mut self.chunk_encoder {
            Some(encoder) => encoder,
            None => self.chunk_encoder.insert(ChunkEncoder::new().map_err(rows_error)?),
        };
        let index = u32::try_from(self.chunks.len()).map_err(|_| rows_error("more than 2^32 chunks"))?;
        let count = rows.count;
        // Not reused between chunks, to save its memory while the columns are written.
        let mut sorted = Vec::new();
        let ordered = self.plan.order_by_key(&rows.copy_text, &mut sorted);
        let text = if ordered.is_some() { &sorted } else { &rows.copy_text };
        let deduplicated = ordered.map(|ordered| ordered.deduplicated);
        let text_bytes = text.len() as u64;
        let encoded = chunk_encoder.encode(text).map_err(rows_error)?;
        drop(sorted);
        let sha256 = encoded.sha256_hex();
        let chunk = Chunk {
            index,
            rows: count,
            deduplicated,
            row_base: 0,
            text_bytes,
            body: ChunkBody::Object {
                bucket: self.target.processed_bucket.clone(),
                key: layout::chunk(&self.target.batch_id, SPLIT, index, &sha256),
            },
            sha256,
        };
        let body = Bytes::from(encoded.bytes);
        if body.len() <= MAX_INLINE_BYTES && self.chunks.len() < MAX_INLINE_CHUNKS {
            self.chunks.push((chunk, Some(body)));
            return Ok(rows.copy_text);
        }
        self.upload_chunk(&chunk, body)?;
        self.chunks.push((chunk, None));
        if self.chunks.len() > MAX_INLINE_CHUNKS {
            self.upload_inline_chunks()?;
        }
        Ok(rows.copy_text)
    }

    /// Uploads the chunks that were to be inline, because the batch has too many chunks.
    fn upload_inline_chunks(&mut self) -> Result<(), BatchEncodeError> {
        let mut chunks = std::mem::take(&mut self.chunks);
        for (chunk, bytes) in &mut chunks {
            if let Some(body) = bytes.take() {
                self.upload_chunk(chunk, body)?;
            }
        }
        self.chunks = chunks;
        Ok(())
    }

    fn upload_chunk(&self, chunk: &Chunk, body: Bytes) -> Result<(), BatchEncodeError> {
        let key = layout::chunk(&self.target.batch_id, SPLIT, chunk.index, &chunk.sha256);
        self.upload(self.target.processed_bucket.clone(), key, body)
    }

    fn push_parquet(&mut self, columns: Option<RecordBatch>) -> Result<(), BatchEncodeError> {
        let batch = columns.ok_or_else(|| rows_error("a block of rows has no columns"))?;
        let part = match &mut self.parquet {
            Some(part) => part,
            None => self.parquet.insert(ParquetPart::new(&self.plan).map_err(rows_error)?),
        };
        part.push(&batch).map_err(rows_error)?;
        if part.encoded_len() >= PART_BYTES { self.close_parquet() } else { Ok(()) }
    }

    fn close_parquet(&mut self) -> Result<(), BatchEncodeError> {
        let Some(part) = self.parquet.take() else { return Ok(()) };
        let body = part.finish().map_err(rows_error)?;
        let BatchTarget { batch_id, source, entity, processed_bucket, .. } = &self.target;
        let part = next_part(&self.parquet_keys)?;
        let key = layout::parquet(entity, source, batch_id, SPLIT, part, &sha256_hex(&body));
        self.upload(processed_bucket.clone(), key.clone(), body.into())?;
        self.parquet_keys.push(key);
        Ok(())
    }

    fn push_reject(&mut self, reject: &Reject) -> Result<(), BatchEncodeError> {
        let encoder = match &mut self.rejects {
            Some(encoder) => encoder,
            None => self.rejects.insert(RejectEncoder::new().map_err(rows_error)?),
        };
        encoder.push(reject).map_err(rows_error)?;
        if encoder.encoded_len() >= PART_BYTES { self.close_rejects() } else { Ok(()) }
    }

    fn close_rejects(&mut self) -> Result<(), BatchEncodeError> {
        let Some(encoder) = self.rejects.take() else { return Ok(()) };
        let body = encoder.finish().map_err(rows_error)?;
        let BatchTarget { batch_id, source, quarantine_bucket, .. } = &self.target;
        let part = next_part(&self.reject_keys)?;
        let key = layout::rejects(source, batch_id, SPLIT, part, &sha256_hex(&body));
        let uri = format!("s3://{quarantine_bucket}/{key}");
        self.upload(quarantine_bucket.clone(), key, body.into())?;
        self.reject_keys.push(uri);
        Ok(())
    }

    fn upload(&self, bucket: String, key: String, body: Bytes) -> Result<(), BatchEncodeError> {
        self.uploads.blocking_send(Upload { bucket, key, body }).map_err(|_| BatchEncodeError::Stopped)
    }
}

fn next_part(keys: &[String]) -> Result<u32, BatchEncodeError> {
    u32::try_from(keys.len()).map_err(|_| rows_error("more than 2^32 parts"))
}

fn spill_error(error: std::io::Error) -> BatchEncodeError {
    BatchEncodeError::Spill(error)
}

fn rows_error(error: impl std::fmt::Display) -> BatchEncodeError {
    BatchEncodeError::Rows(error.to_string())
}
