//! Spark jobs: the name that links a job run to its batch, and the events about its state.

use serde::Deserialize;

use crate::{BatchId, EventError};

/// `detail-type` of a job run's state change.
const STATE_CHANGE: &str = "EMR Serverless Job Run State Change";

/// Returns the name of a batch's job run: `penstock/<source>/<batch>`. EMR Serverless includes it in every event.
pub fn job_name(source: &str, batch: &BatchId) -> String {
    format!("penstock/{source}/{batch}")
}

/// Returns the source and the batch of a job run's name, or `None` if the job is not one of Penstock's.
pub fn parse_job_name(name: &str) -> Option<(&str, BatchId)> {
    let (source, batch) = name.strip_prefix("penstock/")?.rsplit_once('/')?;
    Some((source, batch.parse().ok()?)).filter(|_| !source.is_empty())
}

/// A state change of a job run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// The application of the job run.
    pub application_id: String,
    /// The job run's id.
    pub job_run_id: String,
    /// The name with which it was submitted.
    pub job_run_name: Option<String>,
    /// The new state.
    pub state: JobState,
    /// Details of the state from EMR Serverless.
    pub state_details: Option<String>,
}

/// The state of a job run.
/// <https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/job-states.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// The job succeeded.
    Success,
    /// The job failed.
    Failed,
    /// The job was cancelled, by a user or because it exceeded its timeout.
    Cancelled,
    /// The job is not finished: submitted, pending, scheduled, running, cancelling. Has the state's name.
    Underway(String),
}

impl JobEvent {
    /// Parses a queue message's body. Returns `None` for another event of EMR Serverless.
    ///
    /// # Errors
    /// Returns an error if the body is not an event of EMR Serverless.
    pub fn parse(body: &str) -> Result<Option<Self>, EventError> {
        #[derive(Deserialize)]
        struct JobEventBody {
            source: Option<String>,
            #[serde(rename = "detail-type")]
            detail_type: Option<String>,
            detail: Option<serde_json::Value>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct JobEventDetail {
            application_id: String,
            job_run_id: String,
            job_run_name: Option<String>,
            state: String,
            state_details: Option<String>,
        }
        let malformed = |error: serde_json::Error| EventError::Malformed(error.to_string());
        let envelope: JobEventBody = serde_json::from_str(body).map_err(malformed)?;
        let (Some("aws.emr-serverless"), Some(detail_type), Some(detail)) =
            (envelope.source.as_deref(), envelope.detail_type, envelope.detail)
        else {
            return Err(EventError::UnknownShape);
        };
        if detail_type != STATE_CHANGE {
            return Ok(None);
        }
        let detail: JobEventDetail = serde_json::from_value(detail).map_err(malformed)?;
        let state = match detail.state.as_str() {
            "SUCCESS" => JobState::Success,
            "FAILED" => JobState::Failed,
            "CANCELLED" => JobState::Cancelled,
            _ => JobState::Underway(detail.state),
        };
        Ok(Some(Self {
            application_id: detail.application_id,
            job_run_id: detail.job_run_id,
            job_run_name: detail.job_run_name,
            state,
            state_details: detail.state_details.filter(|details| !details.is_empty()),
        }))
    }
}
