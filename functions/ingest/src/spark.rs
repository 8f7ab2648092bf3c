//! Submits a Spark job to EMR Serverless for a drop that is too large for Lambda.
//!
//! The arguments of the job are pairs of a flag and a value:
//!
//! | flag | value |
//! |---|---|
//! | `--bucket`, `--key` | the object |
//! | `--version-id` | its version id; omitted if the bucket is not versioned |
//! | `--etag` | the ETag that the object must have |
//! | `--dropped-at` | when the object was created, RFC 3339 |
//! | `--batch-id` | the batch |
//! | `--source`, `--contract-version` | the contract |
//! | `--contract` | `s3://` URI of the text of that contract |
//! | `--processed-bucket`, `--quarantine-bucket`, `--artifacts-bucket` | the buckets |
//! | `--chunk-rows` | maximum number of accepted rows in a chunk |
//!
//! The job writes chunks, Parquet files and rejects under the keys of `penstock_pipeline::layout`, and one report for
//! each split. The `job-events` function commits them when the job has succeeded.

use jiff::Timestamp;
use penstock_aws::commit::write_receipt;
use penstock_aws::jobs::{JobRequest, Jobs};
use penstock_aws::queue::Queue;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::{Batch, Receipt, ReceiptChange, job_name, layout};

use crate::compiled::CompiledContract;
use crate::config::IngestConfig;
use crate::error::IngestError;
use crate::ingest::Ingest;

/// The job is cancelled after this time: it does not terminate.
const TIMEOUT_MINUTES: i64 = 12 * 60;

/// Submits the job of a batch. Repeating this does not start another job, because the client token is the batch id.
pub(crate) async fn submit<S: ObjectStore, Q: Queue, J: Jobs>(
    ingest: &Ingest<S, Q, J>,
    batch: Batch,
    compiled: &CompiledContract,
    chunk_rows: u32,
) -> Result<(), IngestError> {
    // The job and the function that commits its result must use the contract of this batch, even if another version is
    // published in the meantime.
    let contract_key = layout::batch_contract(&batch.id);
    let processed = &ingest.config.commit_target.processed_bucket;
    ingest.store.put_if_absent(processed, &contract_key, compiled.text.clone()).await?;

    let request = job_request(&ingest.config, &batch, &compiled.contract.version, chunk_rows);
    let job_run_id = ingest.jobs.start(&request).await?;
    tracing::info!(source = batch.source, batch_id = %batch.id, job_run_id, "batch is submitted to spark");
    // After the submission, so that there is no receipt of a job that was not accepted.
    let receipt = Receipt::submitted(batch, Timestamp::now());
    write_receipt(&ingest.store, processed, &receipt, ReceiptChange::Submit).await?;
    Ok(())
}

fn job_request(config: &IngestConfig, batch: &Batch, contract_version: &str, chunk_rows: u32) -> JobRequest {
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
    argument("--chunk-rows", &chunk_rows.to_string());
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
