//! Commits and publishes the result of a Spark job.

use jiff::Timestamp;
use penstock_aws::commit::{self, get_json, progress, write_receipt};
use penstock_aws::queue::Queue;
use penstock_aws::store::ObjectStore;
use penstock_contract::Contract;
use penstock_pipeline::commit::Progress;
use penstock_pipeline::{
    BatchId, Manifest, ManifestError, Receipt, ReceiptChange, Refusal, RefusalCode, Report, Terms, layout,
};

use crate::error::JobEventError;
use crate::job_events::JobEvents;

/// Commits and publishes the result of a batch's job. Steps that were done before are not repeated.
pub(crate) async fn publish<S: ObjectStore, Q: Queue>(
    job_events: &JobEvents<S, Q>,
    source: &str,
    batch: &BatchId,
) -> Result<(), JobEventError> {
    let JobEvents { store, queue, config } = job_events;
    match progress(store, &config.commit_target, batch).await? {
        Progress::Published => Ok(()),
        Progress::Committed(manifest) => {
            Ok(commit::publish(store, queue, &config.commit_target, &manifest, Timestamp::now()).await?)
        }
        Progress::Unread => {
            let receipt = read_receipt(job_events, source, batch).await?;
            let contract = read_contract(job_events, &receipt).await?;
            let reports = read_reports(job_events, batch).await?;
            let manifest = match Manifest::commit(receipt.batch(), Terms::of(&contract), reports) {
                Ok(manifest) => manifest,
                Err(error) => return Err(fail(job_events, receipt, error).await?),
            };
            let committed =
                commit::commit(store, queue, &config.commit_target, manifest, Timestamp::now()).await?;
            commit::report(&committed, &config.metrics);
            Ok(())
        }
    }
}

/// Reads the receipt of the submission, which has the drop and the contract version of the batch.
pub(crate) async fn read_receipt<S: ObjectStore, Q>(
    job_events: &JobEvents<S, Q>,
    source: &str,
    batch: &BatchId,
) -> Result<Receipt, JobEventError> {
    let key = layout::receipt(source, batch);
    let receipt =
        get_json(&job_events.store, &job_events.config.commit_target.processed_bucket, &key).await?;
    receipt.ok_or_else(|| JobEventError::NoReceipt { source_name: source.to_owned(), batch: *batch })
}

/// Reads the contract with which the job was submitted, or the published one of that version if the job was started
/// manually.
async fn read_contract<S: ObjectStore, Q>(
    job_events: &JobEvents<S, Q>,
    receipt: &Receipt,
) -> Result<Contract, JobEventError> {
    let (store, source, batch) = (&job_events.store, &receipt.source, receipt.batch_id);
    let no_contract =
        |message: String| JobEventError::NoContract { source_name: source.clone(), batch, message };
    let own_key = layout::batch_contract(&batch);
    let mut object = (store.get(&job_events.config.commit_target.processed_bucket, &own_key).await?, own_key);
    if let (None, Some(version)) = (&object.0, &receipt.contract_version) {
        let published_key = layout::contract_version(source, version);
        object = (store.get(&job_events.config.artifacts_bucket, &published_key).await?, published_key);
    }
    let (Some(text), key) = object else {
        return Err(no_contract("there is none with the batch, and the version is not published".to_owned()));
    };
    let text = str::from_utf8(&text).map_err(|error| no_contract(format!("{key}: {error}")))?;
    penstock_contract::parse_source(&key, text, source).map_err(|errors| no_contract(errors.to_string()))
}

/// Reads the reports from the first one to the first missing one. [`Manifest::commit`] checks that they are complete.
async fn read_reports<S: ObjectStore, Q>(
    job_events: &JobEvents<S, Q>,
    batch: &BatchId,
) -> Result<Vec<Report>, JobEventError> {
    let bucket = &job_events.config.commit_target.processed_bucket;
    let (mut reports, mut count) = (Vec::new(), 1);
    for index in 0.. {
        if index >= count {
            break;
        }
        let report: Option<Report> =
            get_json(&job_events.store, bucket, &layout::report(batch, index)).await?;
        let Some(report) = report else { break };
        count = report.split.count;
        reports.push(report);
    }
    Ok(reports)
}

/// Fails a batch whose job succeeded without consistent reports. Returns the error with which the message is moved to
/// the dead-letter queue, for an operator.
async fn fail<S: ObjectStore, Q>(
    job_events: &JobEvents<S, Q>,
    receipt: Receipt,
    error: ManifestError,
) -> Result<JobEventError, JobEventError> {
    let error = JobEventError::Reports { batch: receipt.batch_id, error };
    write_failed(job_events, receipt, Refusal::new(RefusalCode::JobFailed, error.to_string())).await?;
    Ok(error)
}

/// Writes the receipt of a failed batch.
pub(crate) async fn write_failed<S: ObjectStore, Q>(
    job_events: &JobEvents<S, Q>,
    receipt: Receipt,
    refusal: Refusal,
) -> Result<(), JobEventError> {
    let bucket = &job_events.config.commit_target.processed_bucket;
    let receipt = receipt.failed(refusal, Timestamp::now());
    write_receipt(&job_events.store, bucket, &receipt, ReceiptChange::JobFailed).await?;
    Ok(())
}
