//! Processes the messages of the job-events queue.

use penstock_aws::queue::Queue;
use penstock_aws::sqs_event::{SqsBatchResponse, SqsEvent, SqsRecord, settle};
use penstock_aws::store::ObjectStore;
use penstock_pipeline::{JobEvent, JobState, Outcome, Refusal, RefusalCode, log_events, parse_job_name};

use crate::error::JobEventError;
use crate::job_events::JobEvents;
use crate::publish::{publish, read_receipt, write_failed};

/// Processes every message. The response has the messages that must be retried.
pub async fn handle<S: ObjectStore, Q: Queue>(
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
    match process(job_events, &record.body).await {
        Ok(()) => Outcome::Done,
        Err(error) => {
            let (receive_count, transient) = (record.receive_count(), error.is_transient());
            tracing::warn!(message_id = record.message_id, receive_count, %error, transient, "{}", log_events::JOB_EVENT_NOT_PROCESSED);
            error.outcome(receive_count)
        }
    }
}

async fn process<S: ObjectStore, Q: Queue>(
    job_events: &JobEvents<S, Q>,
    body: &str,
) -> Result<(), JobEventError> {
    let Some(event) = JobEvent::parse(body)? else {
        tracing::info!("event is not a state change of a job run");
        return Ok(());
    };
    let job_run_id = event.job_run_id.as_str();
    let Some((source, batch)) = event.job_run_name.as_deref().and_then(parse_job_name) else {
        tracing::info!(job_run_id, "job run does not belong to penstock");
        return Ok(());
    };
    tracing::info!(source, batch_id = %batch, job_run_id, state = ?event.state, "job run changed its state");
    let failure = match &event.state {
        JobState::Underway(_) => return Ok(()),
        JobState::Success => return publish(job_events, source, &batch).await,
        JobState::Failed => "failed",
        JobState::Cancelled => "was cancelled",
    };
    let receipt = read_receipt(job_events, source, &batch).await?;
    write_failed(job_events, receipt, job_failed(&event, failure)).await
}

fn job_failed(event: &JobEvent, failure: &str) -> Refusal {
    let details = event.state_details.as_deref().unwrap_or("there are no details");
    Refusal::new(
        RefusalCode::JobFailed,
        format!(
            "job run {} of application {} {failure}: {details}: see its logs, and drop the file again",
            event.job_run_id, event.application_id
        ),
    )
}
