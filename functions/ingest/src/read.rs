//! Reads a drop: fetch, check, encode and upload, all at the same time, each with little in hand.
//!
//! ```text
//! ranged GET  ──pipe──► check ──blocks──► encode ──uploads──► PUTs
//!  (network)           (thread)          (thread)            (network)
//! ```
//!
//! Whichever stage ends early drops its ends of the channels, and the others follow.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use penstock_aws::spill::temp_copy;
use penstock_aws::store::{ObjectStore, StoreError};
use penstock_contract::EmptyFile;
use penstock_engine::{Block, Dialect, ENGINE_VERSION, Limits, Plan, ReadError, Reader, Totals};
use penstock_pipeline::{Batch, DropSplit, Refusal, RefusalCode, Report, Seconds};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet, spawn_blocking};

use crate::compiled::Compiled;
use crate::deduplicate::deduplicate;
use crate::encode::{EncodeError, Encoded, Encoder, Target, Upload};
use crate::error::IngestError;
use crate::handler::{Ingest, StopAt};
use crate::input::{PipeReader, fetch, pipe};

/// PUTs under way at once; each body is held until its PUT has ended.
const MAX_UPLOADS: usize = 2;

/// What came of reading a drop.
#[derive(Debug)]
pub(crate) enum Reading {
    /// All of it was read.
    Whole(Box<Report>),
    /// It cannot be read, or not to its end.
    Refused {
        refusal: Refusal,
        /// What there was up to there.
        partial: Box<Partial>,
    },
}

/// What was read and written before a drop turned out unreadable.
#[derive(Debug, Default)]
pub(crate) struct Partial {
    pub(crate) totals: Totals,
    pub(crate) dialect: Option<Dialect>,
    pub(crate) parquet: Vec<String>,
    pub(crate) rejects: Vec<String>,
}

/// Reads all of a batch's drop and writes what comes of it, except the report.
///
/// # Errors
/// When the store fails, or the time is nearly over. All of it may be done again: the same objects are
/// written with the same bytes.
pub(crate) async fn read<S: ObjectStore, Q, J>(
    ingest: &Ingest<S, Q, J>,
    batch: &Batch,
    compiled: &Compiled,
    stop: StopAt,
) -> Result<Reading, IngestError> {
    let accepts_empty = compiled.contract.format.empty_file == Some(EmptyFile::Accept);
    if batch.drop.size_bytes == 0 && !accepts_empty {
        let message = "the object has no bytes: drop a file with rows".to_owned();
        return Ok(refused(RefusalCode::Empty, message, Partial::default()));
    }
    let (plan, limits) = (Arc::clone(&compiled.plan), limits(ingest.config.chunk_rows));
    let (parts, input) = pipe();
    // No room: one block is checked while another is encoded, and no third one waits in memory.
    let (blocks_out, blocks_in) = sync_channel(0);
    let (uploads_out, uploads_in) = mpsc::channel(1);
    let encoder = Encoder::new(Arc::clone(&plan), target(ingest, batch, compiled), uploads_out);

    let fetching = fetch(ingest.store.clone(), batch.drop.clone(), parts, stop);
    let (texts_back, texts_done) = sync_channel(1);
    let checking = spawn_blocking(move || check(plan, limits, input, &blocks_out, &texts_done));
    let encoding = spawn_blocking(move || encode(encoder, &blocks_in, &texts_back));
    let uploading = upload(&ingest.store, uploads_in);
    let (fetched, checked, encoded, uploaded) = tokio::join!(fetching, checking, encoding, uploading);

    let checked = checked.map_err(|error| panicked("check", &error))?;
    let encoded = encoded.map_err(|error| panicked("encode", &error))?;
    // The ends of the line know why they stopped; the stages between them only that somebody did.
    uploaded?;
    let encoded = encoded.map_err(|error| match error {
        EncodeError::Rows(message) => IngestError::Encode(message),
        EncodeError::Spill(error) => IngestError::Spill(error),
        EncodeError::Stopped => IngestError::Panicked { stage: "upload" },
    })?;
    match fetched {
        Err(IngestError::Store(error)) => refused_by_store(error, encoded),
        Err(error) => Err(error),
        Ok(()) => {
            let mut encoded = encoded;
            deduplicate(&ingest.store, &mut encoded).await?;
            reading(checked, encoded, &compiled.plan)
        }
    }
}

/// What the check stage says when the input has ended, well or not.
#[derive(Debug)]
struct Checked {
    totals: Totals,
    dialect: Option<Dialect>,
    refusal: Option<Refusal>,
}

/// A stage ended because its neighbour did.
#[derive(Debug)]
struct Stopped;

fn reading(checked: Result<Checked, Stopped>, encoded: Encoded, plan: &Plan) -> Result<Reading, IngestError> {
    let Checked { totals, dialect, refusal } =
        checked.map_err(|Stopped| IngestError::Panicked { stage: "encode" })?;
    let Encoded { chunks, duplicates, parquet, rejects, .. } = encoded;
    match (refusal, dialect) {
        (Some(refusal), dialect) => {
            let partial = Box::new(Partial { totals, dialect, parquet, rejects });
            Ok(Reading::Refused { refusal, partial })
        }
        (None, Some(dialect)) => Ok(Reading::Whole(Box::new(Report {
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

fn target<S, Q, J>(ingest: &Ingest<S, Q, J>, batch: &Batch, compiled: &Compiled) -> Target {
    Target {
        batch_id: batch.id,
        source: batch.source.clone(),
        entity: compiled.contract.entity.name.clone(),
        processed_bucket: ingest.config.commit_target.processed_bucket.clone(),
        quarantine_bucket: ingest.config.quarantine_bucket.clone(),
        max_reject_rows: compiled.contract.max_rejects.rows,
    }
}

/// From the check stage to the encoding one.
enum Step {
    Block(Block),
    /// The input has ended: close what is open. Without it the encoder knows that nobody wants the rest.
    End,
}

fn check(
    plan: Arc<Plan>,
    limits: Limits,
    input: PipeReader,
    blocks: &SyncSender<Step>,
    texts_done: &Receiver<Vec<u8>>,
) -> Result<Checked, Stopped> {
    let checked = check_blocks(plan, limits, input, blocks, texts_done)?;
    blocks.send(Step::End).map_err(|_| Stopped)?;
    Ok(checked)
}

fn check_blocks(
    plan: Arc<Plan>,
    limits: Limits,
    input: PipeReader,
    blocks: &SyncSender<Step>,
    texts_done: &Receiver<Vec<u8>>,
) -> Result<Checked, Stopped> {
    let mut reader = match open(plan, limits, input)? {
        Ok(reader) => reader,
        Err(refusal) => {
            return Ok(Checked { totals: Totals::default(), dialect: None, refusal: Some(refusal) });
        }
    };
    let refusal = loop {
        if let Ok(text) = texts_done.try_recv() {
            reader.recycle(text);
        }
        match reader.next_block() {
            Ok(Some(block)) => blocks.send(Step::Block(block)).map_err(|_| Stopped)?,
            Ok(None) => break None,
            Err(error) => break Some(unreadable(&error).ok_or(Stopped)?),
        }
    };
    Ok(Checked { totals: reader.totals().clone(), dialect: Some(reader.dialect().clone()), refusal })
}

/// A file that is described by its end is copied first: its parts are then read wherever they are.
fn open(
    plan: Arc<Plan>,
    limits: Limits,
    mut input: PipeReader,
) -> Result<Result<Reader<'static>, Refusal>, Stopped> {
    let needs_seek = input.head(plan.seek_head_bytes()).map(|head| plan.needs_seek_by(head));
    let opened = if needs_seek.map_err(|_| Stopped)? {
        match temp_copy(&mut input) {
            Ok(file) => Reader::open_seekable(&plan, limits, file),
            Err(error) if error.kind() == ErrorKind::StorageFull => {
                let message = "the file has no room on the function's temporary disk: give its contract \
                               penstock.route: spark, or drop smaller files"
                    .to_owned();
                let (code, reason) = (RefusalCode::Unreadable, Some("too_large".to_owned()));
                return Ok(Err(Refusal { code, reason, message }));
            }
            Err(error) => Err(ReadError::Io(error)),
        }
    } else {
        Reader::open(&plan, limits, input)
    };
    opened.map(Ok).or_else(|error| unreadable(&error).map(Err).ok_or(Stopped))
}

fn encode(
    mut encoder: Encoder,
    blocks: &Receiver<Step>,
    texts_back: &SyncSender<Vec<u8>>,
) -> Result<Encoded, EncodeError> {
    while let Ok(step) = blocks.recv() {
        match step {
            // Nobody may want it any more, or there is one waiting already: then it is freed.
            Step::Block(block) => drop(texts_back.try_send(encoder.push(block)?)),
            Step::End => return encoder.finish(),
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

fn refused(code: RefusalCode, message: String, partial: Partial) -> Reading {
    Reading::Refused { refusal: Refusal::new(code, message), partial: Box::new(partial) }
}

/// What the store says of the drop itself is told to its producer; the rest is not the producer's matter.
fn refused_by_store(error: StoreError, written: Encoded) -> Result<Reading, IngestError> {
    let Encoded { parquet, rejects, .. } = written;
    let partial = Partial { parquet, rejects, ..Partial::default() };
    match error {
        StoreError::NotFound { .. } => {
            Ok(refused(RefusalCode::MissingObject, format!("{error}: drop the file again"), partial))
        }
        StoreError::Changed { .. } => Ok(refused(
            RefusalCode::Overwritten,
            format!("{error}: the newer version has a batch of its own"),
            partial,
        )),
        StoreError::Refused { .. } | StoreError::Transient { .. } => Err(error.into()),
    }
}

/// Why the drop is refused; `None` when the input broke off, which is no fault of the drop's.
fn unreadable(error: &ReadError) -> Option<Refusal> {
    match error {
        ReadError::Io(_) => None,
        ReadError::Empty | ReadError::Unreadable { .. } | ReadError::TooLarge { .. } => {
            Some(Refusal::of_file(error))
        }
    }
}
