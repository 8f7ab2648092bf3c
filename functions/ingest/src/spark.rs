//! Hands a drop that is too large for Lambda to EMR Serverless.
//!
//! The job's arguments, each a flag with its value:
//!
//! | flag | value |
//! |---|---|
//! | `--bucket`, `--key` | the object |
//! | `--version-id` | its version; left out where the bucket keeps none |
//! | `--etag` | the ETag that it must still have |
//! | `--dropped-at` | when it arrived, RFC 3339 |
//! | `--batch-id` | the batch |
//! | `--source`, `--contract-version` | the contract |
//! | `--contract` | `s3://` URI of exactly that contract's text |
//! | `--processed-bucket`, `--quarantine-bucket`, `--artifacts-bucket` | where to write, and where artifacts are |
//! | `--chunk-rows` | accepted rows in a chunk, at most |
//!
//! The job writes chunks, Parquet and rejects where `penstock_pipeline::layout` says, and one report a split. The
//! `job-events` function commits them when the job has succeeded.

use jiff::Timestamp;
use penstock_aws::commit::write_receipt;
use penstock_aws::jobs::{JobRequest, Jobs};
use penstock_aws::queue::Queue;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::{Batch, Receipt, ReceiptChange, job_name, layout};

use crate::compiled::Compiled;
use crate::config::Config;
use crate::error::IngestError;
use crate::handler::Ingest;

/// A job that runs longer than this hangs.
const TIMEOUT_MINUTES: i64 = 12 * 60;

/// Submits the batch's job. Doing it again starts nothing new: the client token is the batch id.
pub(crate) async fn submit<S: ObjectStore, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    batch: Batch,
    compiled: &Compiled,
) -> Result<(), IngestError> {
    // The job, and whoever commits it, must find the contract that this batch was named with, even when
    // another version is published in the meantime.
    let contract_key = layout::batch_contract(&batch.id);
    let processed = &ingest.config.commit_target.processed_bucket;
    ingest.store.put_if_absent(processed, &contract_key, compiled.text.clone()).await?;

    let request = job_request(&ingest.config, &batch, &compiled.contract.version);
    let job_run_id = ingest.jobs.start(&request).await?;
    tracing::info!(source = batch.source, batch_id = %batch.id, job_run_id, "batch is submitted to spark");
    // After the submit: a receipt must not speak of a job that was never taken.
    let receipt = Receipt::submitted(batch, Timestamp::now());
    write_receipt(&ingest.store, processed, &receipt, ReceiptChange::Submit).await?;
    Ok(())
}

pub(crate) fn job_request(config: &Config, batch: &Batch, contract_version: &str) -> JobRequest {
    let Batch { id, source, drop, .. } = batch;
    let processed = &config.commit_target.processed_bucket;
    let mut arguments = Vec::new();
    let mut argument = |flag: &str, value: &str| arguments.extend([flag.to_owned(), value.to_owned()]);
    argument("--bucket", &drop.bucket);
    argument("--key", &drop.key);
    if let Some(version_id) = &drop.version_id {
        argument("--version-id", version_id);
    }
    argument("--etag", &drop.etag);
    argument("--dropped-at", &drop.dropped_at.to_string());
    argument("--batch-id", &id.to_string());
    argument("--source", source);
    argument("--contract-version", contract_version);
    argument("--contract", &format!("s3://{processed}/{}", layout::batch_contract(id)));
    argument("--processed-bucket", processed);
    argument("--quarantine-bucket", &config.quarantine_bucket);
    argument("--artifacts-bucket", &config.artifacts_bucket);
    argument("--chunk-rows", &config.chunk_rows.to_string());
    JobRequest {
        application_id: config.spark.application_id.clone(),
        execution_role_arn: config.spark.job_role_arn.clone(),
        name: job_name(source, id),
        client_token: id.to_string(),
        entry_point: config.spark.entry_point.clone(),
        arguments,
        timeout_minutes: TIMEOUT_MINUTES,
    }
}
