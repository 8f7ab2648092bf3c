//! The end of a batch: when all of its chunks have been applied, or one of them never will be.

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

use crate::database::Database;
use crate::error::LoadError;
use crate::ledger::BatchSums;

/// Closes those of the messages' batches whose chunks are all in the ledger; gives the batches where that failed.
///
/// May be done again at any time: after a crash between the last commit and the receipt, a chunk's redelivery finds
/// it in the ledger and comes here.
pub async fn close_finished<S: ObjectStore, D: Database>(
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
    // S3 is asked for all of them at once: with many small files that is most of the time.
    let records = join_all(finished.iter().map(|(message, _)| records(store, bucket, message))).await;
    let mut receipts = Vec::new();
    for ((message, sums), records) in finished.into_iter().zip(records) {
        match enter(database, metrics, records, &sums).await {
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

/// Tells the producer that a chunk will not be loaded. A batch that is loaded wholly stays so.
///
/// # Errors
/// When the store does not answer.
pub async fn fail<S: ObjectStore>(
    store: &S,
    bucket: &str,
    message: &LoadMessage,
    reason: &DeadReason,
) -> Result<(), LoadError> {
    let now = Timestamp::now();
    let key = layout::receipt(&message.source, &message.batch_id);
    let standing: Option<Receipt> = get_json(store, bucket, &key).await?;
    let receipt = match standing {
        Some(receipt) if !ReceiptChange::LoadFailed.applies_to(Some(receipt.state)) => return Ok(()),
        Some(receipt) => receipt,
        None => match get_json::<Manifest>(store, bucket, &layout::manifest(&message.batch_id)).await? {
            Some(manifest) => Receipt::of_manifest(&manifest, now),
            // A message of a batch that nobody committed: there is no producer to tell.
            None => return Ok(()),
        },
    };
    let refusal = Refusal {
        code: RefusalCode::LoadFailed,
        reason: Some(reason.code.to_string()),
        message: format!(
            "chunk {} of {} was not loaded: {} ({})",
            message.chunk.index, message.chunk_count, reason.message, reason.code
        ),
    };
    write(store, bucket, &receipt.failed(refusal, now)).await
}

/// What stands in S3 of a finished batch.
async fn records<S: ObjectStore>(
    store: &S,
    bucket: &str,
    message: &LoadMessage,
) -> Result<(Manifest, Option<Receipt>), LoadError> {
    let (manifest_key, receipt_key) =
        (layout::manifest(&message.batch_id), layout::receipt(&message.source, &message.batch_id));
    let (manifest, receipt) =
        tokio::try_join!(get_json(store, bucket, &manifest_key), get_json(store, bucket, &receipt_key))?;
    let gone = || LoadError::NoManifest { bucket: bucket.to_owned(), key: manifest_key };
    Ok((manifest.ok_or_else(gone)?, receipt))
}

/// Enters the batch; gives the receipt that is to be written, `None` when it has been.
async fn enter<D: Database>(
    database: &mut D,
    metrics: &Metrics,
    records: Result<(Manifest, Option<Receipt>), LoadError>,
    sums: &BatchSums,
) -> Result<Option<Receipt>, LoadError> {
    let (manifest, standing) = records?;
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
    let applies = ReceiptChange::Load.applies_to(standing.map(|standing| standing.state));
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

/// Not below 0: the clocks are those of several machines.
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
