//! Decides what becomes of each message of the job-events queue.

use jiff::Timestamp;
use penstock_aws::commit::{self, CommitError, get_json, progress, write_receipt};
use penstock_aws::queue::Queue;
use penstock_aws::sqs_event::{SqsBatchResponse, SqsEvent, SqsRecord, settle};
use penstock_aws::store::{ObjectStore, StoreError};
use penstock_contract::Contract;
use penstock_pipeline::commit::Progress;
use penstock_pipeline::{
    BatchId, DeadReason, EventError, JobEvent, JobState, Manifest, ManifestError, Outcome, Receipt,
    ReceiptChange, Refusal, RefusalCode, Report, Terms, layout, log_events, parse_job_name,
};

use crate::config::Config;

/// What the function works with; made once a cold start.
pub(crate) struct JobEvents<S, Q> {
    pub(crate) store: S,
    pub(crate) queue: Q,
    pub(crate) config: Config,
}

/// Why an event was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobEventError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Ingest writes it after the submit, and a short job may be faster.
    #[error("batch {batch} of {source_name} has no receipt yet")]
    NoReceipt { source_name: String, batch: BatchId },
    #[error("batch {batch} of {source_name} has no contract that can be read: {message}")]
    NoContract { source_name: String, batch: BatchId, message: String },
    #[error("batch {batch}: the job has succeeded, but {error}")]
    Reports { batch: BatchId, error: ManifestError },
}

impl JobEventError {
    /// True when the same event may be taken later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Commit(error) => error.is_transient(),
            Self::NoReceipt { .. } => true,
            Self::Event(_) | Self::NoContract { .. } | Self::Reports { .. } => false,
        }
    }

    fn outcome(&self, receive_count: u32) -> Outcome {
        if self.is_transient() {
            return Outcome::retry_after(receive_count);
        }
        let code = match self {
            Self::Event(_) => "invalid_event",
            Self::Commit(CommitError::Corrupt { .. }) => "corrupt_object",
            Self::Commit(_) => "commit_refused",
            Self::NoReceipt { .. } => "no_receipt",
            Self::NoContract { .. } => "no_contract",
            Self::Reports { .. } => "inconsistent_reports",
        };
        Outcome::Dead(DeadReason { code, message: self.to_string() })
    }
}

impl From<StoreError> for JobEventError {
    fn from(error: StoreError) -> Self {
        Self::Commit(error.into())
    }
}

/// Takes every message. Those that are not finished are in the answer.
pub(crate) async fn handle<S: ObjectStore, Q: Queue>(
    job_events: &JobEvents<S, Q>,
    event: SqsEvent,
) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for record in &event.records {
        let outcome = outcome_of(job_events, record).await;
        settle(&job_events.queue, &job_events.config.job_events, record, outcome, &mut response).await;
    }
    response
}

async fn outcome_of<S: ObjectStore, Q: Queue>(job_events: &JobEvents<S, Q>, record: &SqsRecord) -> Outcome {
    match take(job_events, &record.body).await {
        Ok(()) => Outcome::Done,
        Err(error) => {
            let (receive_count, transient) = (record.receive_count(), error.is_transient());
            tracing::warn!(message_id = record.message_id, receive_count, %error, transient, "{}", log_events::JOB_EVENT_NOT_PROCESSED);
            error.outcome(receive_count)
        }
    }
}

async fn take<S: ObjectStore, Q: Queue>(
    job_events: &JobEvents<S, Q>,
    body: &str,
) -> Result<(), JobEventError> {
    let Some(event) = JobEvent::parse(body)? else {
        tracing::info!("event is no state change of a job run");
        return Ok(());
    };
    let job_run_id = event.job_run_id.as_str();
    let Some((source, batch)) = event.job_run_name.as_deref().and_then(parse_job_name) else {
        tracing::info!(job_run_id, "job run is not one of ours");
        return Ok(());
    };
    tracing::info!(source, batch_id = %batch, job_run_id, state = ?event.state, "job run changed its state");
    match &event.state {
        JobState::Underway(_) => Ok(()),
        JobState::Success => publish(job_events, source, &batch).await,
        JobState::Failed | JobState::Cancelled => {
            let receipt = receipt(job_events, source, &batch).await?;
            let refusal = job_failed(&event);
            write_failed(job_events, receipt, refusal).await
        }
    }
}

/// Commits and publishes what the job has read, from wherever an earlier try has come to.
async fn publish<S: ObjectStore, Q: Queue>(
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
            let receipt = receipt(job_events, source, batch).await?;
            let contract = contract(job_events, &receipt).await?;
            let reports = reports(job_events, batch).await?;
            let manifest = match Manifest::commit(receipt.batch(), Terms::of(&contract), reports) {
                Ok(manifest) => manifest,
                Err(error) => return Err(fail(job_events, receipt, error).await?),
            };
            let standing =
                commit::commit(store, queue, &config.commit_target, manifest, Timestamp::now()).await?;
            commit::report(&standing, &config.metrics);
            Ok(())
        }
    }
}

/// The receipt of the submit. It says which drop and which contract version the batch is.
async fn receipt<S: ObjectStore, Q>(
    job_events: &JobEvents<S, Q>,
    source: &str,
    batch: &BatchId,
) -> Result<Receipt, JobEventError> {
    let key = layout::receipt(source, batch);
    let receipt =
        get_json(&job_events.store, &job_events.config.commit_target.processed_bucket, &key).await?;
    receipt.ok_or_else(|| JobEventError::NoReceipt { source_name: source.to_owned(), batch: *batch })
}

/// The contract that the job was submitted with. A job that was started by hand has none of its own: then it is
/// the published one of that version.
async fn contract<S: ObjectStore, Q>(
    job_events: &JobEvents<S, Q>,
    receipt: &Receipt,
) -> Result<Contract, JobEventError> {
    let (store, source, batch) = (&job_events.store, &receipt.source, receipt.batch_id);
    let no_contract =
        |message: String| JobEventError::NoContract { source_name: source.clone(), batch, message };
    let own_key = layout::batch_contract(&batch);
    let mut found = (store.get(&job_events.config.commit_target.processed_bucket, &own_key).await?, own_key);
    if let (None, Some(version)) = (&found.0, &receipt.contract_version) {
        let published_key = layout::contract_version(source, version);
        found = (store.get(&job_events.config.artifacts_bucket, &published_key).await?, published_key);
    }
    let (Some(text), key) = found else {
        return Err(no_contract("neither with the batch nor among the published ones".to_owned()));
    };
    let text = str::from_utf8(&text).map_err(|error| no_contract(format!("{key}: {error}")))?;
    penstock_contract::parse_source(&key, text, source).map_err(|errors| no_contract(errors.to_string()))
}

/// The reports that are there, from the first on. Whether they are all, the manifest decides.
async fn reports<S: ObjectStore, Q>(
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

/// A job that succeeds without its reports has failed, whatever it says: the producer is told, and the message
/// goes to the dead letters for somebody to look.
async fn fail<S: ObjectStore, Q>(
    job_events: &JobEvents<S, Q>,
    receipt: Receipt,
    error: ManifestError,
) -> Result<JobEventError, JobEventError> {
    let error = JobEventError::Reports { batch: receipt.batch_id, error };
    write_failed(job_events, receipt, Refusal::new(RefusalCode::JobFailed, error.to_string())).await?;
    Ok(error)
}

async fn write_failed<S: ObjectStore, Q>(
    job_events: &JobEvents<S, Q>,
    receipt: Receipt,
    refusal: Refusal,
) -> Result<(), JobEventError> {
    let bucket = &job_events.config.commit_target.processed_bucket;
    let receipt = receipt.failed(refusal, Timestamp::now());
    Ok(write_receipt(&job_events.store, bucket, &receipt, ReceiptChange::JobFailed).await?)
}

fn job_failed(event: &JobEvent) -> Refusal {
    let how = match event.state {
        JobState::Cancelled => "was cancelled",
        JobState::Failed | JobState::Success | JobState::Underway(_) => "has failed",
    };
    let details = event.state_details.as_deref().unwrap_or("no details were given");
    Refusal::new(
        RefusalCode::JobFailed,
        format!(
            "job run {} of application {} {how}: {details}: see its logs, and drop the file again",
            event.job_run_id, event.application_id
        ),
    )
}
