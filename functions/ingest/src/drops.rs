//! Processes one drop under the contract of its claim, up to its published chunks.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use penstock_aws::commit::{self, progress, to_json, write_receipt};
use penstock_aws::deadline::Deadline;
use penstock_aws::jobs::Jobs;
use penstock_aws::listing::ObjectListing;
use penstock_aws::queue::Queue;
use penstock_aws::store::ObjectStore;
use penstock_contract::{Overwrite, Route};
use penstock_engine::ENGINE_VERSION;
use penstock_pipeline::commit::Progress;
use penstock_pipeline::{Batch, Drop, Manifest, Receipt, ReceiptChange, Terms, WaitsFor, layout};

use crate::bind::{BoundDrop, bind};
use crate::claims::{self, KeepDecision};
use crate::compiled::CompiledContract;
use crate::error::IngestError;
use crate::ingest::Ingest;
use crate::read::{ReadOutcome, read};
use crate::spark;

/// Processes a drop. Steps that were done before are not repeated.
///
/// # Errors
/// Returns an error if the drop must be retried, or an operator must intervene. A fault of the drop itself is not an
/// error: the drop is refused, and its receipt has the reason.
pub(crate) async fn process<S: ObjectStore + ObjectListing, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    drop: Drop,
    deadline: Deadline,
) -> Result<(), IngestError> {
    if deadline.is_past() {
        return Err(IngestError::OutOfTime);
    }
    let BoundDrop { claim, is_new, contract } = bind(ingest, drop).await?;
    let mut batch = claim.batch();
    let (store, queue, target) = (&ingest.store, &ingest.queue, &ingest.config.commit_target);
    if is_new {
        let receipt = Receipt::received(batch.clone(), Timestamp::now());
        write_receipt(store, &target.processed_bucket, &receipt, ReceiptChange::Receive).await?;
    } else if is_committed(ingest, &batch).await? {
        return Ok(());
    }
    let contract = match contract {
        Ok(compiled) if compiled.contract.overwrite == Overwrite::Keep => {
            match claims::claim(store, &target.processed_bucket, &batch).await? {
                KeepDecision::Load { replays } => {
                    batch.replays.extend(replays);
                    Ok(compiled)
                }
                KeepDecision::Refuse(refusal) => Err(refusal),
                KeepDecision::Wait(waits_for) => return Err(wait(ingest, batch, waits_for).await?),
            }
        }
        contract => contract,
    };
    let manifest = match contract {
        Err(refusal) => Manifest::refused(batch, ENGINE_VERSION, refusal),
        Ok(compiled) if is_for_spark(ingest, &batch.drop, compiled.contract.load.route) => {
            return spark::submit(ingest, batch, &compiled, claim.chunk_rows).await;
        }
        Ok(compiled) => read_to_manifest(ingest, batch, &compiled, claim.chunk_rows, deadline).await?,
    };
    let committed = commit::commit(store, queue, target, manifest, Timestamp::now()).await?;
    commit::report(&committed, &ingest.config.metrics);
    Ok(())
}

/// Returns whether the batch was committed before. If it was not published completely, publishes it.
async fn is_committed<S: ObjectStore, Q: Queue, J>(
    ingest: &Ingest<S, Q, J>,
    batch: &Batch,
) -> Result<bool, IngestError> {
    let (store, queue, target) = (&ingest.store, &ingest.queue, &ingest.config.commit_target);
    match progress(store, target, &batch.id).await? {
        Progress::Published => {
            tracing::info!(source = batch.source, batch_id = %batch.id, "batch is already published");
            Ok(true)
        }
        Progress::Committed(manifest) => {
            tracing::info!(source = batch.source, batch_id = %batch.id, "batch is already committed, publishing it");
            commit::publish(store, queue, target, &manifest, Timestamp::now()).await?;
            Ok(true)
        }
        Progress::Unread => Ok(false),
    }
}

/// Records in the receipt what the batch waits for. Returns the error with which its message is retried.
async fn wait<S: ObjectStore, Q, J>(
    ingest: &Ingest<S, Q, J>,
    batch: Batch,
    waits_for: WaitsFor,
) -> Result<IngestError, IngestError> {
    let Drop { bucket, key, .. } = batch.drop.clone();
    let receipt = Receipt { waits_for: Some(waits_for), ..Receipt::received(batch, Timestamp::now()) };
    let processed = &ingest.config.commit_target.processed_bucket;
    write_receipt(&ingest.store, processed, &receipt, ReceiptChange::Receive).await?;
    Ok(IngestError::Undecided { bucket, key })
}

fn is_for_spark<S, Q, J>(ingest: &Ingest<S, Q, J>, drop: &Drop, route: Route) -> bool {
    match route {
        Route::Auto => drop.size_bytes >= ingest.config.spark.min_bytes,
        Route::Lambda => false,
        Route::Spark => true,
    }
}

async fn read_to_manifest<S: ObjectStore, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    batch: Batch,
    compiled: &Arc<CompiledContract>,
    chunk_rows: u32,
    deadline: Deadline,
) -> Result<Manifest, IngestError> {
    let started_at = Timestamp::now();
    let wait_seconds = seconds_between(batch.drop.dropped_at, started_at);
    let outcome = read(ingest, &batch, compiled, chunk_rows, deadline).await?;
    let read_seconds = seconds_between(started_at, Timestamp::now());
    let seconds = BTreeMap::from([("wait".to_owned(), wait_seconds), ("read".to_owned(), read_seconds)]);

    match outcome {
        ReadOutcome::Complete(mut report) => {
            report.seconds = seconds;
            let key = layout::report(&batch.id, report.split.index);
            ingest.store.put(&ingest.config.commit_target.processed_bucket, &key, to_json(&report)).await?;
            Ok(Manifest::commit(batch, Terms::of(&compiled.contract), vec![*report])?)
        }
        ReadOutcome::Refused { refusal, partial } => {
            let mut manifest = Manifest::refused(batch, ENGINE_VERSION, refusal);
            manifest.seconds = seconds;
            manifest.totals = partial.totals;
            manifest.dialect = partial.dialect;
            manifest.parquet = partial.parquet;
            manifest.rejects = partial.rejects;
            Ok(manifest)
        }
    }
}

/// Returns seconds with millisecond precision. They are not negative even if the clocks of two services differ.
fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    (to.duration_since(from).as_secs_f64().max(0.0) * 1000.0).round() / 1000.0
}
