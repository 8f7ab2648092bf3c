//! Performs the commit protocol of [`penstock_pipeline::commit`], where its steps and decisions are defined.

use bytes::Bytes;
use jiff::Timestamp;
use penstock_pipeline::commit::{Progress, PublishStep, publish_steps};
use penstock_pipeline::metrics::{
    BATCHES, BYTES_READ, BySourceAndState, READ_SECONDS, ROWS_READ, ROWS_REJECTED,
};
use penstock_pipeline::{BatchId, Manifest, ManifestState, Receipt, ReceiptChange, layout};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::queue::{Queue, QueueError};
use crate::store::{ObjectStore, StoreError};
use crate::telemetry::Metrics;

/// Maximum number of attempts to change a receipt that other functions change at the same time.
const RECEIPT_ATTEMPTS: u32 = 10;

/// The bucket and the queue to which a batch is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitTarget {
    /// The processed bucket.
    pub processed_bucket: String,
    /// URL of the load queue.
    pub load_queue_url: String,
}

/// The reason why a batch was not committed or not published.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A request to the object store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A request to the load queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// One of Penstock's own JSON objects is malformed.
    #[error("s3://{bucket}/{key}: the object does not have the format that this release reads: {message}")]
    Corrupt {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
        /// The parser's message.
        message: String,
    },
}

impl CommitError {
    /// Returns whether the same commit may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Queue(error) => error.is_transient(),
            Self::Corrupt { .. } => false,
        }
    }
}

/// Returns the progress of `batch`.
///
/// # Errors
/// Returns an error if a request fails, or the manifest is malformed.
pub async fn progress(
    store: &impl ObjectStore,
    target: &CommitTarget,
    batch: &BatchId,
) -> Result<Progress, CommitError> {
    let bucket = &target.processed_bucket;
    let manifest = get_json(store, bucket, &layout::manifest(batch)).await?;
    let is_published = manifest.is_some() && store.get(bucket, &layout::published(batch)).await?.is_some();
    Ok(Progress::of(manifest, is_published))
}

/// Writes `manifest`, unless the batch has one already, and publishes the one that exists then. Returns that one.
///
/// # Errors
/// Returns an error if a request fails. The commit may be repeated.
pub async fn commit(
    store: &impl ObjectStore,
    queue: &impl Queue,
    target: &CommitTarget,
    manifest: Manifest,
    now: Timestamp,
) -> Result<Manifest, CommitError> {
    let (bucket, key) = (&target.processed_bucket, layout::manifest(&manifest.batch_id));
    let committed = if store.put_if_absent(bucket, &key, to_json(&manifest)).await? {
        manifest
    } else {
        get_json(store, bucket, &key)
            .await?
            .ok_or_else(|| StoreError::NotFound { bucket: bucket.clone(), key: key.clone() })?
    };
    publish(store, queue, target, &committed, now).await?;
    Ok(committed)
}

/// Performs the steps that publish `manifest`.
///
/// # Errors
/// Returns an error if a request fails. All steps may be repeated.
pub async fn publish(
    store: &impl ObjectStore,
    queue: &impl Queue,
    target: &CommitTarget,
    manifest: &Manifest,
    now: Timestamp,
) -> Result<(), CommitError> {
    let bucket = &target.processed_bucket;
    for step in publish_steps(manifest, now) {
        match step {
            PublishStep::WriteReceipt(receipt, change) => {
                write_receipt(store, bucket, &receipt, change).await?;
            }
            PublishStep::DeleteParquet(key) => store.delete(bucket, &key).await?,
            PublishStep::SendMessages(messages) => {
                let bodies = messages.iter().map(|message| {
                    serde_json::to_string(message).expect("a message has string keys and finite numbers only")
                });
                let group = Some(manifest.source.as_str());
                queue.send_all(&target.load_queue_url, group, bodies.collect()).await?;
            }
            PublishStep::WriteMark(mark) => {
                store.put(bucket, &layout::published(&manifest.batch_id), to_json(&mark)).await?;
            }
        }
    }
    Ok(())
}

/// Reports a batch that has been committed, in the log and as metrics. Only the function that commits a batch reports
/// it.
pub fn report(manifest: &Manifest, metrics: &Metrics) {
    let totals = &manifest.totals;
    let state = manifest.decision();
    let code = match &manifest.state {
        ManifestState::Committed { .. } => None,
        ManifestState::Refused(refusal) => Some(refusal.code.as_str()),
    };
    // A batch that was refused before it was read has no duration.
    let read_seconds = manifest.seconds.get("read").copied();
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
    let mut values = vec![
        BATCHES.count(1),
        ROWS_READ.count(totals.rows_read),
        ROWS_REJECTED.count(totals.rejected),
        BYTES_READ.count(totals.bytes_read),
    ];
    values.extend(read_seconds.map(|seconds| READ_SECONDS.value(seconds)));
    metrics.emit(&BySourceAndState { source: &manifest.source, state }, &values);
}

/// Writes a receipt, if `change` applies to the existing one. Returns whether it was written.
///
/// # Errors
/// Returns an error if a request fails, the existing receipt is malformed, or it changed during each attempt.
pub async fn write_receipt(
    store: &impl ObjectStore,
    processed_bucket: &str,
    receipt: &Receipt,
    change: ReceiptChange,
) -> Result<bool, CommitError> {
    let (source, batch) = (&receipt.source, &receipt.batch_id);
    if change.is_usually_first() {
        let key = layout::receipt(source, batch);
        if store.put_if_absent(processed_bucket, &key, to_json(receipt)).await? {
            return Ok(true);
        }
    }
    update_receipt(store, processed_bucket, source, batch, |current| {
        change.applies_to(current, receipt).then(|| receipt.clone())
    })
    .await
}

/// Replaces the receipt of a batch by the result of `update`, which is called with the existing receipt. `None` leaves it
/// as it is. Returns whether it was written.
///
/// The receipt is replaced with `If-Match`. If another function has changed it since it was read, it is read again.
///
/// # Errors
/// Returns an error if a request fails, the existing receipt is malformed, or it changed during each attempt.
pub async fn update_receipt(
    store: &impl ObjectStore,
    processed_bucket: &str,
    source: &str,
    batch: &BatchId,
    mut update: impl FnMut(Option<&Receipt>) -> Option<Receipt> + Send,
) -> Result<bool, CommitError> {
    let key = layout::receipt(source, batch);
    for _ in 0..RECEIPT_ATTEMPTS {
        let existing = store.get_tagged(processed_bucket, &key).await?;
        let current: Option<Receipt> = match &existing {
            Some(object) => Some(from_json(processed_bucket, &key, &object.body)?),
            None => None,
        };
        let Some(receipt) = update(current.as_ref()) else { return Ok(false) };
        let is_written = match &existing {
            Some(object) => {
                store.put_if_match(processed_bucket, &key, to_json(&receipt), &object.etag).await?
            }
            None => store.put_if_absent(processed_bucket, &key, to_json(&receipt)).await?,
        };
        if is_written {
            return Ok(true);
        }
    }
    let message = format!("the receipt changed during {RECEIPT_ATTEMPTS} attempts to write it");
    Err(StoreError::Transient { bucket: processed_bucket.to_owned(), key, message }.into())
}

/// Reads one of Penstock's own JSON objects; `None` if it does not exist.
///
/// # Errors
/// Returns an error if the request fails, or the object is not JSON of this type.
pub async fn get_json<T: DeserializeOwned>(
    store: &impl ObjectStore,
    bucket: &str,
    key: &str,
) -> Result<Option<T>, CommitError> {
    let Some(body) = store.get(bucket, key).await? else { return Ok(None) };
    from_json(bucket, key, &body).map(Some)
}

fn from_json<T: DeserializeOwned>(bucket: &str, key: &str, body: &[u8]) -> Result<T, CommitError> {
    serde_json::from_slice(body).map_err(|error| CommitError::Corrupt {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        message: error.to_string(),
    })
}

/// Returns a value as the bytes of a JSON object.
pub fn to_json(value: &impl Serialize) -> Bytes {
    let json = serde_json::to_vec(value).expect("our types have string keys and finite numbers only");
    Bytes::from(json)
}
