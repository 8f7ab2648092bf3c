//! The progress of batches after a transaction: closed, or still loading, with chunks that cannot be loaded.

use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;
use penstock_aws::commit::{update_receipt, write_receipt};
use penstock_aws::store::ObjectStore;
use penstock_aws::telemetry::Metrics;
use penstock_pipeline::metrics::{ACCOUNTING_BROKEN, BATCHES_LOADED, BySource, DROP_TO_LOADED_SECONDS};
use penstock_pipeline::{
    BatchId, DeadReason, LoadMessage, LoadProgress, Manifest, MissingChunk, Receipt, ReceiptChange,
    log_events,
};

use crate::batches::BatchProgress;
use crate::database::TargetDatabase;
use crate::error::LoadError;
use crate::versions::ClosedBatch;

/// Closes the batches whose chunks are all in the ledger, and writes the receipts of all batches. Returns the batches for
/// which that failed.
///
/// It may be repeated. After a crash between the last commit and the receipt, the redelivery of a chunk closes the batch.
pub async fn close_finished<S: ObjectStore, D: TargetDatabase>(
    store: &S,
    bucket: &str,
    database: &mut D,
    metrics: &Metrics,
    manifests: &[Arc<Manifest>],
) -> Vec<(BatchId, LoadError)> {
    let (mut failures, mut updates) = (Vec::new(), Vec::new());
    for manifest in manifests {
        match update_of(database, metrics, manifest).await {
            Ok(update) => updates.push(update),
            Err(error) => failures.push((manifest.batch_id, error)),
        }
    }
    // Concurrent, because with many small files these requests take most of the time.
    let written = join_all(updates.iter().map(|update| write(store, bucket, update))).await;
    for (update, written) in updates.iter().zip(written) {
        failures.extend(written.err().map(|error| (update.receipt.batch_id, error)));
    }
    failures
}

/// Records that a chunk is moved to the dead-letter queue, in the ledger and in the receipt of its batch.
///
/// # Errors
/// Returns an error if a request to the store or a statement fails.
pub async fn fail<S: ObjectStore, D: TargetDatabase>(
    store: &S,
    bucket: &str,
    database: &mut D,
    manifest: &Manifest,
    message: &LoadMessage,
    reason: &DeadReason,
) -> Result<(), LoadError> {
    let progress = match record_failure(database, manifest, message, reason).await {
        Ok(progress) => progress,
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => {
            // The receipt must have the reason even if the ledger cannot be written. It does not replace a receipt with
            // more applied chunks.
            tracing::error!(batch_id = %manifest.batch_id, %error, "failure not recorded in the ledger");
            LoadProgress { missing: vec![missing(message, reason)], ..LoadProgress::default() }
        }
    };
    let receipt = Receipt::of_progress(manifest, &progress, Timestamp::now());
    write_receipt(store, bucket, &receipt, ReceiptChange::Progress).await?;
    Ok(())
}

async fn record_failure<D: TargetDatabase>(
    database: &mut D,
    manifest: &Manifest,
    message: &LoadMessage,
    reason: &DeadReason,
) -> Result<LoadProgress, LoadError> {
    database.fail(manifest, message, reason).await?;
    Ok(database.progress(&manifest.batch_id).await?.progress)
}

fn missing(message: &LoadMessage, reason: &DeadReason) -> MissingChunk {
    MissingChunk {
        chunk: message.chunk.number(),
        rows: message.chunk.rows.into(),
        code: reason.code.to_string(),
        message: reason.message.clone(),
    }
}

/// The receipts that a batch's progress changes.
struct ReceiptUpdate {
    receipt: Receipt,
    change: ReceiptChange,
}

/// Closes the batch in the database if its chunks are all in the ledger, and returns the change of its receipt.
async fn update_of<D: TargetDatabase>(
    database: &mut D,
    metrics: &Metrics,
    manifest: &Manifest,
) -> Result<ReceiptUpdate, LoadError> {
    let BatchProgress { rows, first_applied_at, progress } = database.progress(&manifest.batch_id).await?;
    let now = Timestamp::now();
    let mut receipt = Receipt::of_progress(manifest, &progress, now);
    if progress.chunks < manifest.chunk_count() {
        return Ok(ReceiptUpdate { receipt, change: ReceiptChange::Progress });
    }
    if let Some(first) = first_applied_at {
        receipt.seconds.insert("load".to_owned(), seconds_between(first, now));
    }
    receipt.seconds.insert("drop_to_loaded".to_owned(), seconds_between(manifest.drop.dropped_at, now));
    let balanced = receipt.rows.balance() && rows == receipt.rows.accepted;
    let ClosedBatch { is_new, replaced, replaced_by } = database.close(manifest, &progress, balanced).await?;
    receipt.replaced = replaced;
    if !balanced {
        tracing::error!(
            batch_id = %manifest.batch_id, source = manifest.source, read = receipt.rows.read,
            rejected = receipt.rows.rejected, accepted = receipt.rows.accepted, in_ledger = rows,
            loaded = receipt.rows.loaded, deduplicated = receipt.rows.deduplicated,
            superseded = receipt.rows.superseded, blank = receipt.rows.blank, "{}", log_events::ACCOUNTING_INVARIANT_BROKEN
        );
    }
    if is_new {
        report(metrics, &receipt, balanced, now);
    }
    Ok(match replaced_by {
        Some(later) => {
            ReceiptUpdate { receipt: receipt.replaced_by(later, now), change: ReceiptChange::Replace }
        }
        None => ReceiptUpdate { receipt, change: ReceiptChange::Load },
    })
}

/// Returns a duration of at least 0: the times come from the clocks of different machines.
fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

fn report(metrics: &Metrics, receipt: &Receipt, balanced: bool, now: Timestamp) {
    let lag = seconds_between(receipt.drop.dropped_at, now);
    tracing::info!(
        batch_id = %receipt.batch_id, source = receipt.source, rows = receipt.rows.loaded,
        deduplicated = receipt.rows.deduplicated, superseded = receipt.rows.superseded,
        drop_to_loaded_s = lag, "batch loaded"
    );
    metrics.emit(
        &BySource { source: &receipt.source },
        &[
            BATCHES_LOADED.count(1),
            ACCOUNTING_BROKEN.count(u64::from(!balanced)),
            DROP_TO_LOADED_SECONDS.value(lag),
        ],
    );
}

/// Writes the receipt of a batch, and those of the batches that it replaced.
async fn write<S: ObjectStore>(store: &S, bucket: &str, update: &ReceiptUpdate) -> Result<(), LoadError> {
    let ReceiptUpdate { receipt, change } = update;
    // Before the batch's own receipt: if this fails, the redelivery repeats both.
    for replaced in &receipt.replaced {
        let now = Timestamp::now();
        update_receipt(store, bucket, &receipt.source, &replaced.batch_id, |current| {
            let current = current?;
            let replaced = current.clone().replaced_by(receipt.batch_id, now);
            ReceiptChange::Replace.applies_to(Some(current), &replaced).then_some(replaced)
        })
        .await?;
    }
    write_receipt(store, bucket, receipt, *change).await?;
    Ok(())
}
