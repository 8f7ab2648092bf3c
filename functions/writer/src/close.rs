//! The end of a batch: all of its chunks have been applied, or one of them cannot be.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use jiff::Timestamp;
use penstock_aws::commit::{get_json, to_json};
use penstock_aws::store::ObjectStore;
use penstock_aws::telemetry::Metrics;
use penstock_pipeline::metrics::{ACCOUNTING_BROKEN, BATCHES_LOADED, BySource, DROP_TO_LOADED_SECONDS};
use penstock_pipeline::{
    BatchId, DeadReason, LoadMessage, Manifest, Receipt, ReceiptChange, ReceiptState, Refusal, RefusalCode,
    RowCounts, layout, log_events,
};

use crate::database::TargetDatabase;
use crate::error::LoadError;
use crate::ledger::BatchSums;

/// Closes the batches of the messages whose chunks are all in the ledger, and returns the batches for which that
/// failed.
///
/// Closing is idempotent. After a crash between the last commit and the receipt, the redelivery of a chunk closes the
/// batch.
pub async fn close_finished<S: ObjectStore, D: TargetDatabase>(
    store: &S,
    bucket: &str,
    database: &mut D,
    metrics: &Metrics,
    messages: &[&LoadMessage],
) -> Vec<(BatchId, LoadError)> {
    let mut failures = Vec::new();
    let mut finished = Vec::new();
    let mut seen = BTreeSet::new();
    for message in messages.iter().filter(|message| seen.insert(message.batch_id)) {
        match database.sums(&message.batch_id).await {
            Ok(sums) if sums.chunks >= u64::from(message.chunk_count) => finished.push((*message, sums)),
            Ok(_) => {}
            Err(error) => failures.push((message.batch_id, error)),
        }
    }
    // Concurrent, because with many small files these requests take most of the time.
    let records = join_all(finished.iter().map(|(message, _)| records(store, bucket, message))).await;
    let mut receipts = Vec::new();
    for ((message, sums), records) in finished.into_iter().zip(records) {
        match close_batch(database, metrics, records, &sums).await {
            Ok(receipt) => receipts.extend(receipt),
            Err(error) => failures.push((message.batch_id, error)),
        }
    }
    let written = join_all(receipts.iter().map(|receipt| write(store, bucket, receipt))).await;
    for (receipt, written) in receipts.iter().zip(written) {
        failures.extend(written.err().map(|error| (receipt.batch_id, error)));
    }
    failures
}

/// Writes a receipt with state `failed`, because a chunk cannot be loaded. The receipt of a loaded batch is not
/// changed.
///
/// # Errors
/// Returns an error if a request to the store fails.
pub async fn fail<S: ObjectStore>(
    store: &S,
    bucket: &str,
    message: &LoadMessage,
    reason: &DeadReason,
) -> Result<(), LoadError> {
    let now = Timestamp::now();
    let key = layout::receipt(&message.source, &message.batch_id);
    let receipt = match get_json::<Receipt>(store, bucket, &key).await? {
        Some(receipt) if !ReceiptChange::LoadFailed.applies_to(Some(receipt.state)) => return Ok(()),
        Some(receipt) => receipt,
        None => match get_json::<Manifest>(store, bucket, &layout::manifest(&message.batch_id)).await? {
            Some(manifest) => Receipt::of_manifest(&manifest, now),
            // The batch was never committed, so no producer waits for a receipt.
            None => return Ok(()),
        },
    };
    let refusal = Refusal {
        code: RefusalCode::LoadFailed,
        reason: Some(reason.code.to_string()),
        message: format!(
            "chunk {} of {} was not loaded: {} ({})",
            message.chunk.number(),
            message.chunk_count,
            reason.message,
            reason.code
        ),
    };
    write(store, bucket, &receipt.failed(refusal, now)).await
}

/// Returns the manifest and the current receipt of a finished batch.
async fn records<S: ObjectStore>(
    store: &S,
    bucket: &str,
    message: &LoadMessage,
) -> Result<(Manifest, Option<Receipt>), LoadError> {
    let (manifest_key, receipt_key) =
        (layout::manifest(&message.batch_id), layout::receipt(&message.source, &message.batch_id));
    let (manifest, receipt) =
        tokio::try_join!(get_json(store, bucket, &manifest_key), get_json(store, bucket, &receipt_key))?;
    let missing = || LoadError::NoManifest { bucket: bucket.to_owned(), key: manifest_key };
    Ok((manifest.ok_or_else(missing)?, receipt))
}

/// Closes the batch in the database, and returns the receipt to write, or `None` when it was written before.
async fn close_batch<D: TargetDatabase>(
    database: &mut D,
    metrics: &Metrics,
    records: Result<(Manifest, Option<Receipt>), LoadError>,
    sums: &BatchSums,
) -> Result<Option<Receipt>, LoadError> {
    let (manifest, current) = records?;
    let now = Timestamp::now();
    let receipt = loaded(&manifest, sums, now);
    let balanced = receipt.rows.balance() && sums.rows == receipt.rows.accepted;
    let closed = database.close(&manifest, sums, balanced).await?;
    let receipt = Receipt { replaced: closed.replaced, replaced_by: closed.replaced_by, ..receipt };
    if !balanced {
        tracing::error!(
            batch_id = %manifest.batch_id, source = manifest.source, read = receipt.rows.read,
            rejected = receipt.rows.rejected, accepted = receipt.rows.accepted, in_ledger = sums.rows,
            loaded = receipt.rows.loaded, deduplicated = receipt.rows.deduplicated,
            superseded = receipt.rows.superseded, blank = receipt.rows.blank, "{}", log_events::ACCOUNTING_INVARIANT_BROKEN
        );
    }
    if closed.is_new {
        report(metrics, &receipt, balanced, now);
    }
    let applies = ReceiptChange::Load.applies_to(current.map(|current| current.state));
    Ok(applies.then_some(receipt))
}

fn loaded(manifest: &Manifest, sums: &BatchSums, now: Timestamp) -> Receipt {
    let mut receipt = Receipt::of_manifest(manifest, now);
    receipt.state = ReceiptState::Loaded;
    receipt.refusal = None;
    receipt.rows = RowCounts {
        loaded: sums.counts.loaded,
        deduplicated: sums.counts.deduplicated,
        superseded: sums.counts.superseded,
        ..receipt.rows
    };
    if let Some(first) = sums.first_applied_at {
        receipt.seconds.insert("load".to_owned(), seconds_between(first, now));
    }
    receipt.seconds.insert("drop_to_loaded".to_owned(), seconds_between(manifest.drop.dropped_at, now));
    receipt
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

async fn write<S: ObjectStore>(store: &S, bucket: &str, receipt: &Receipt) -> Result<(), LoadError> {
    let key = layout::receipt(&receipt.source, &receipt.batch_id);
    Ok(store.put(bucket, &key, to_json(receipt)).await?)
}
