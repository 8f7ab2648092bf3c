//! The commit of a batch, shared by all who commit one.
//!
//! 1. The manifest is written with `If-None-Match: *`. Whoever finds one there goes on with that one: it is
//!    the batch's only truth, whoever wrote it.
//! 2. The receipt says `loading` or `refused`. It is written before any message is sent, so that it never takes
//!    the place of the writer's final one.
//! 3. The chunks' messages are sent.
//! 4. `published.json` says that all of them were. Without it, all are sent again: the writer skips what it has.
//!
//! A crash between any two steps is mended by doing all of them again.

use bytes::Bytes;
use jiff::Timestamp;
use penstock_pipeline::metrics::{
    BATCHES, BYTES_READ, BatchDecision, BySourceAndState, READ_SECONDS, ROWS_READ, ROWS_REJECTED,
};
use penstock_pipeline::{BatchId, LoadMessage, Manifest, ManifestState, Receipt, ReceiptState, layout};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::queue::{Queue, QueueError};
use crate::store::{ObjectStore, StoreError};
use crate::telemetry::Metrics;

/// Where a batch is committed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// The processed bucket.
    pub processed_bucket: String,
    /// URL of the load queue.
    pub load_queue_url: String,
}

/// Why a batch was not committed, or not published.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The object store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The load queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// An object of ours that cannot be read.
    #[error("s3://{bucket}/{key}: not what this version writes: {message}")]
    Corrupt {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
        /// What was wrong.
        message: String,
    },
}

impl CommitError {
    /// True when the same commit may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Queue(error) => error.is_transient(),
            Self::Corrupt { .. } => false,
        }
    }
}

/// How far a batch has come before.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// No manifest: it is still to be read.
    Unread,
    /// A manifest, and perhaps some of its messages: they are to be sent again.
    Committed(Box<Manifest>),
    /// Nothing is left to do.
    Published,
}

/// The mark that every message of a manifest has been sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// How many messages.
    pub messages: usize,
    /// When the last one was sent.
    pub published_at: Timestamp,
}

/// How far `batch` has come.
///
/// # Errors
/// When the store does not answer, or its manifest cannot be read.
pub async fn progress(
    store: &impl ObjectStore,
    places: &Places,
    batch: &BatchId,
) -> Result<Progress, CommitError> {
    let bucket = &places.processed_bucket;
    let Some(manifest) = get_json(store, bucket, &layout::manifest(batch)).await? else {
        return Ok(Progress::Unread);
    };
    match store.get(bucket, &layout::published(batch)).await? {
        Some(_) => Ok(Progress::Published),
        None => Ok(Progress::Committed(Box::new(manifest))),
    }
}

/// Writes `manifest`, or takes the one that is there, and publishes it. Gives the one that holds.
///
/// # Errors
/// When a step fails; all of them may be done again.
pub async fn commit(
    store: &impl ObjectStore,
    queue: &impl Queue,
    places: &Places,
    manifest: Manifest,
    now: Timestamp,
) -> Result<Manifest, CommitError> {
    let (bucket, key) = (&places.processed_bucket, layout::manifest(&manifest.batch_id));
    let written = store.put_if_absent(bucket, &key, to_json(&manifest)).await?;
    let standing = if written {
        manifest
    } else {
        // Objects are never taken away before their lifecycle ends, so the one that was there is there.
        get_json(store, bucket, &key)
            .await?
            .ok_or_else(|| StoreError::NotFound { bucket: bucket.clone(), key: key.clone() })?
    };
    publish(store, queue, places, &standing, now).await?;
    Ok(standing)
}

/// Steps 2 to 4 for a manifest that stands.
///
/// # Errors
/// When a step fails; all of them may be done again.
pub async fn publish(
    store: &impl ObjectStore,
    queue: &impl Queue,
    places: &Places,
    manifest: &Manifest,
    now: Timestamp,
) -> Result<(), CommitError> {
    write_receipt(store, places, Receipt::of_manifest(manifest, now)).await?;
    let messages = LoadMessage::of(manifest);
    if let ManifestState::Refused(_) = manifest.state {
        // Its rows are not to be found in the lake either.
        for key in &manifest.parquet {
            store.delete(&places.processed_bucket, key).await?;
        }
    }
    let published = Published { messages: messages.len(), published_at: now };
    let bodies = messages.iter().map(|message| {
        serde_json::to_string(message).expect("a message has string keys and finite numbers only")
    });
    queue.send_all(&places.load_queue_url, bodies.collect()).await?;
    let key = layout::published(&manifest.batch_id);
    store.put(&places.processed_bucket, &key, to_json(&published)).await?;
    Ok(())
}

/// Tells of a batch that has been committed, in the log and as metrics. Who commits one says it once.
pub fn report(manifest: &Manifest, metrics: &Metrics) {
    let totals = &manifest.totals;
    let (state, code) = match &manifest.state {
        ManifestState::Committed { .. } => (BatchDecision::Committed, None),
        // As its contract has it: nothing for the alarm of refused batches.
        ManifestState::Refused(refusal) if refusal.code == "kept" => {
            (BatchDecision::Kept, Some(refusal.code.as_str()))
        }
        ManifestState::Refused(refusal) => (BatchDecision::Refused, Some(refusal.code.as_str())),
    };
    let read_seconds = manifest.seconds.get("read").copied().unwrap_or_default();
    tracing::info!(
        source = manifest.source,
        batch_id = %manifest.batch_id,
        state = state.as_str(),
        refusal = code,
        rows = totals.rows_read,
        rejected = totals.rejected,
        chunks = manifest.chunks.len(),
        read_seconds,
        "batch is committed"
    );
    metrics.emit(
        &BySourceAndState { source: &manifest.source, state },
        &[
            BATCHES.count(1),
            ROWS_READ.count(totals.rows_read),
            ROWS_REJECTED.count(totals.rejected),
            BYTES_READ.count(totals.bytes_read),
            READ_SECONDS.value(read_seconds),
        ],
    );
}

/// Writes a receipt where there is none, or only that of the submit to Spark.
///
/// Two of these at once may both find `submitted`, and the slower one take the place of what has come since. It
/// then sends the chunks' messages once more, and the writer, which finds the batch closed, writes the final
/// receipt again.
///
/// # Errors
/// When the store does not answer.
pub async fn write_receipt(
    store: &impl ObjectStore,
    places: &Places,
    receipt: Receipt,
) -> Result<(), CommitError> {
    let (bucket, key) = (&places.processed_bucket, layout::receipt(&receipt.source, &receipt.batch_id));
    if store.put_if_absent(bucket, &key, to_json(&receipt)).await? {
        return Ok(());
    }
    let standing: Option<Receipt> = get_json(store, bucket, &key).await?;
    let only_submitted = standing.is_none_or(|standing| standing.state == ReceiptState::Submitted);
    if only_submitted && receipt.state != ReceiptState::Submitted {
        store.put(bucket, &key, to_json(&receipt)).await?;
    }
    Ok(())
}

/// A JSON object of ours; `None` when it is not there.
///
/// # Errors
/// When the store does not answer, or the object is not of this type.
pub async fn get_json<T: DeserializeOwned>(
    store: &impl ObjectStore,
    bucket: &str,
    key: &str,
) -> Result<Option<T>, CommitError> {
    let Some(body) = store.get(bucket, key).await? else { return Ok(None) };
    serde_json::from_slice(&body).map(Some).map_err(|error| CommitError::Corrupt {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        message: error.to_string(),
    })
}

/// The bytes of a JSON object of ours.
pub fn to_json(value: &impl Serialize) -> Bytes {
    let json = serde_json::to_vec(value).expect("our types have string keys and finite numbers only");
    Bytes::from(json)
}
