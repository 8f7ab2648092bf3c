//! Reads a drop in four concurrent stages with small buffers between them: fetch, check, encode and upload.
//!
//! ```text
//! ranged GET  ──pipe──► check ──blocks──► encode ──uploads──► PUTs
//!  (network)           (thread)          (thread)            (network)
//! ```
//!
//! A stage that ends early drops its ends of the channels, which ends the others.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use penstock_aws::deadline::Deadline;
use penstock_aws::spill::temp_copy;
use penstock_aws::store::{ObjectStore, StoreError};
use penstock_contract::EmptyFile;
use penstock_engine::{Block, Dialect, ENGINE_VERSION, Limits, Plan, ReadError, Reader, Totals};
use penstock_pipeline::{Batch, DropSplit, Refusal, RefusalCode, Report, Seconds};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet, spawn_blocking};

use crate::compiled::CompiledContract;
use crate::deduplicate::deduplicate;
use crate::encode::{BatchEncodeError, BatchEncoder, BatchTarget, EncodedBatch, Upload};
use crate::error::IngestError;
use crate::ingest::Ingest;
use crate::input::{PipeReader, fetch, pipe};

/// Maximum number of concurrent PUTs. The body of each is in memory until it ends.
const MAX_UPLOADS: usize = 2;

/// The outcome of reading a drop.
#[derive(Debug)]
pub(crate) enum ReadOutcome {
    /// The drop was read completely.
    Complete(Box<Report>),
    /// The drop cannot be read to its end.
    Refused {
        refusal: Refusal,
        /// The part that was read.
        partial: Box<PartialRead>,
    },
}

/// The part of an unreadable drop that was read and written.
#[derive(Debug, Default)]
pub(crate) struct PartialRead {
    pub(crate) totals: Totals,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) parquet: Vec<String>,
    pub(crate) rejects: Vec<String>,
}

/// Reads the drop of a batch and writes its objects, except the report.
///
/// # Errors
/// Returns an error if a request fails, or the deadline is past. The read may be repeated: it writes the same objects
/// with the same bytes.
pub(crate) async fn read<S: ObjectStore, Q, J>(
    ingest: &Ingest<S, Q, J>,
    batch: &Batch,
    compiled: &CompiledContract,
    chunk_rows: u32,
    deadline: Deadline,
) -> Result<ReadOutcome, IngestError> {
    let accepts_empty = compiled.contract.format.empty_file == Some(EmptyFile::Accept);
    if batch.drop.size_bytes == 0 && !accepts_empty {
        let message = "the object is empty: drop a file with rows".to_owned();
        return Ok(refused(RefusalCode::Empty, message, PartialRead::default()));
    }
    let (plan, limits) = (Arc::clone(&compiled.plan), limits(chunk_rows));
    let (pieces, input) = pipe();
    // Without a buffer, one block is checked while another is encoded, and there is no third one in memory.
    let (blocks_out, blocks_in) = sync_channel(0);
    let (uploads_out, uploads_in) = mpsc::channel(1);
    let encoder = BatchEncoder::new(Arc::clone(&plan), target(ingest, batch, compiled), uploads_out);

    let fetching = fetch(ingest.store.clone(), batch.drop.clone(), pieces, deadline);
    let (texts_back, texts_done) = sync_channel(1);
    let checking = spawn_blocking(move || check(plan, limits, input, &blocks_out, &texts_done));
    let encoding = spawn_blocking(move || encode(encoder, &blocks_in, &texts_back));
    let uploading = upload(&ingest.store, uploads_in);
    let (fetched, checked, encoded, uploaded) = tokio::join!(fetching, checking, encoding, uploading);

    let checked = checked.map_err(|error| panicked("check", &error))?;
    let encoded = encoded.map_err(|error| panicked("encode", &error))?;
    // The first and the last stage return the reason if they stop. The stages between them only notice that another one
    // did.
    uploaded?;
    let encoded = encoded.map_err(|error| match error {
        BatchEncodeError::Rows(message) => IngestError::Encode(message),
        BatchEncodeError::Spill(error) => IngestError::Spill(error),
        BatchEncodeError::Stopped => IngestError::Panicked { stage: "upload" },
    })?;
    match fetched {
        Err(IngestError::Store(error)) => refused_by_store(error, encoded),
        Err(error) => Err(error),
        Ok(()) => {
            let mut encoded = encoded;
            deduplicate(&ingest.store, &batch.id, &mut encoded).await?;
            outcome(checked, encoded, &compiled.plan)
        }
    }
}

/// The result of the check stage when the input has ended or failed.
#[derive(Debug)]
struct CheckedDrop {
    totals: Totals,
    dialect: Option<Dialect>,
    refusal: Option<Refusal>,
}

/// A stage ended because the next or the previous one did.
#[derive(Debug)]
struct StageStopped;

fn outcome(
    checked: Result<CheckedDrop, StageStopped>,
    encoded: EncodedBatch,
    plan: &Plan,
) -> Result<ReadOutcome, IngestError> {
    let CheckedDrop { totals, dialect, refusal } =
        checked.map_err(|StageStopped| IngestError::Panicked { stage: "encode" })?;
    let EncodedBatch { chunks, duplicates, parquet, rejects, .. } = encoded;
    match (refusal, dialect) {
        (Some(refusal), dialect) => {
            let partial = Box::new(PartialRead { totals, dialect, parquet, rejects });
            Ok(ReadOutcome::Refused { refusal, partial })
        }
        (None, Some(dialect)) => Ok(ReadOutcome::Complete(Box::new(Report {
            split: DropSplit::whole(),
            engine_version: ENGINE_VERSION.to_owned(),
            quality: plan.judge(&totals, &duplicates),
            totals,
            dialect,
            chunks,
            parquet,
            rejects,
            seconds: Seconds::new(),
        }))),
        (None, None) => Err(IngestError::Panicked { stage: "check" }),
    }
}

fn limits(chunk_rows: u32) -> Limits {
    Limits { chunk_rows, arrow: true, ..Limits::default() }
}

fn target<S, Q, J>(ingest: &Ingest<S, Q, J>, batch: &Batch, compiled: &CompiledContract) -> BatchTarget {
    BatchTarget {
        batch_id: batch.id,
        source: batch.source.clone(),
        entity: compiled.contract.entity.name.clone(),
        processed_bucket: ingest.config.commit_target.processed_bucket.clone(),
        quarantine_bucket: ingest.config.quarantine_bucket.clone(),
        max_reject_rows: compiled.contract.max_rejects.rows,
    }
}

/// A message from the check stage to the encoding stage.
enum EncodeStep {
    Block(Block),
    /// The input has ended: the open files must be closed. If the channel closes without it, they are discarded.
    End,
}

fn check(
    plan: Arc<Plan>,
    limits: Limits,
    input: PipeReader,
    blocks: &SyncSender<EncodeStep>,
    texts_done: &Receiver<Vec<u8>>,
) -> Result<CheckedDrop, StageStopped> {
    let checked = check_blocks(plan, limits, input, blocks, texts_done)?;
    blocks.send(EncodeStep::End).map_err(|_| StageStopped)?;
    Ok(checked)
}

fn check_blocks(
    plan: Arc<Plan>,
    limits: Limits,
    input: PipeReader,
    blocks: &SyncSender<EncodeStep>,
    texts_done: &Receiver<Vec<u8>>,
) -> Result<CheckedDrop, StageStopped> {
    let mut reader = match open(plan, limits, input)? {
        Ok(reader) => reader,
        Err(refusal) => {
            return Ok(CheckedDrop { totals: Totals::default(), dialect: None, refusal: Some(refusal) });
        }
    };
    let refusal = loop {
        if let Ok(text) = texts_done.try_recv() {
            reader.recycle(text);
        }
        match reader.next_block() {
            Ok(Some(block)) => blocks.send(EncodeStep::Block(block)).map_err(|_| StageStopped)?,
            Ok(None) => break None,
            Err(error) => break Some(unreadable(&error).ok_or(StageStopped)?),
        }
    };
    Ok(CheckedDrop { totals: reader.totals().clone(), dialect: Some(reader.dialect().clone()), refusal })
}

/// Opens a reader. A file whose metadata is at its end is copied to a temporary file first, because it needs random
/// access.
fn open(
    plan: Arc<Plan>,
    limits: Limits,
    mut input: PipeReader,
) -> Result<Result<Reader<'static>, Refusal>, StageStopped> {
    let needs_seek = input.head(plan.seek_head_bytes()).map(|head| plan.needs_seek_by(head));
    let opened = if needs_seek.map_err(|_| StageStopped)? {
        match temp_copy(&mut input) {
            Ok(file) => Reader::open_seekable(&plan, limits, file),
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                let message = "the file does not fit on the function's temporary disk: set penstock.route: spark in its \
                               contract, or drop smaller files"
                    .to_owned();
                let (code, reason) = (RefusalCode::Unreadable, Some("too_large".to_owned()));
                return Ok(Err(Refusal { code, reason, message }));
            }
            Err(error) => Err(ReadError::Io(error)),
        }
    } else {
        Reader::open(&plan, limits, input)
    };
    opened.map(Ok).or_else(|error| unreadable(&error).map(Err).ok_or(StageStopped))
}

fn encode(
    mut encoder: BatchEncoder,
    blocks: &Receiver<EncodeStep>,
    texts_back: &SyncSender<Vec<u8>>,
) -> Result<EncodedBatch, BatchEncodeError> {
    while let Ok(step) = blocks.recv() {
        match step {
            // The text buffer is freed if the check stage has ended or has an unused one already.
            EncodeStep::Block(block) => drop(texts_back.try_send(encoder.push(block)?)),
            EncodeStep::End => return encoder.finish(),
        }
    }
    Ok(encoder.abandon())
}

async fn upload(store: &impl ObjectStore, mut uploads: mpsc::Receiver<Upload>) -> Result<(), IngestError> {
    let mut under_way = JoinSet::new();
    while let Some(Upload { bucket, key, body }) = uploads.recv().await {
        if under_way.len() >= MAX_UPLOADS {
            finish_one(&mut under_way).await?;
        }
        let store = store.clone();
        under_way.spawn(async move { store.put(&bucket, &key, body).await });
    }
    while !under_way.is_empty() {
        finish_one(&mut under_way).await?;
    }
    Ok(())
}

async fn finish_one(under_way: &mut JoinSet<Result<(), StoreError>>) -> Result<(), IngestError> {
    match under_way.join_next().await {
        Some(Ok(put)) => Ok(put?),
        Some(Err(error)) => Err(panicked("upload", &error)),
        None => Ok(()),
    }
}

fn panicked(stage: &'static str, error: &JoinError) -> IngestError {
    tracing::error!(stage, %error, "stage panicked");
    IngestError::Panicked { stage }
}

fn refused(code: RefusalCode, message: String, partial: PartialRead) -> ReadOutcome {
    ReadOutcome::Refused { refusal: Refusal::new(code, message), partial: Box::new(partial) }
}

/// Refuses the drop if the object is missing, archived or was overwritten. Other errors of the store are not faults of the drop.
fn refused_by_store(error: StoreError, written: EncodedBatch) -> Result<ReadOutcome, IngestError> {
    let EncodedBatch { parquet, rejects, .. } = written;
    let partial = PartialRead { parquet, rejects, ..PartialRead::default() };
    match error {
        StoreError::NotFound { .. } => {
            Ok(refused(RefusalCode::MissingObject, format!("{error}: drop the file again"), partial))
        }
        StoreError::Archived { .. } => Ok(refused(
            RefusalCode::Archived,
            format!(
                "{error}: restore it with `aws s3api restore-object`, then replay the drop or drop the file again"
            ),
            partial,
        )),
        StoreError::Changed { .. } => Ok(refused(
            RefusalCode::Overwritten,
            format!("{error}: the later version has its own batch"),
            partial,
        )),
        StoreError::Refused { .. } | StoreError::Transient { .. } => Err(error.into()),
    }
}

/// Returns the refusal of the drop, or `None` if the fetch failed, which is not a fault of the drop.
fn unreadable(error: &ReadError) -> Option<Refusal> {
    match error {
        ReadError::Io(_) => None,
        ReadError::Empty | ReadError::Unreadable { .. } | ReadError::TooLarge { .. } => {
            Some(Refusal::of_file(error))
        }
    }
}
