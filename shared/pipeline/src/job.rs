//! Spark jobs: the name that ties one to its batch, and the events that tell of its state.

use serde::Deserialize;

use crate::{BatchId, EventError};

/// `detail-type` of the events that are read here.
const STATE_CHANGE: &str = "EMR Serverless Job Run State Change";

/// The name of a batch's job run: `penstock/<source>/<batch>`. EMR Serverless repeats it in every event.
pub fn job_name(source: &str, batch: &BatchId) -> String {
    format!("penstock/{source}/{batch}")
}

/// The source and batch of a job run's name; `None` when the job is not one of ours.
pub fn parse_job_name(name: &str) -> Option<(&str, BatchId)> {
    let (source, batch) = name.strip_prefix("penstock/")?.rsplit_once('/')?;
    Some((source, batch.parse().ok()?)).filter(|_| !source.is_empty())
}

/// A job run came into another state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// The application that the job runs in.
    pub application_id: String,
    /// The job run.
    pub job_run_id: String,
    /// The name that it was submitted under.
    pub job_run_name: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// What EMR Serverless says of it, where it says anything.
    pub state_details: Option<String>,
}

/// Where a job run stands.
/// <https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/job-states.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It has done all of its work.
    Success,
    /// It has not, and will not.
    Failed,
    /// Somebody stopped it, or it took too long.
    Cancelled,
    /// It is on its way: submitted, pending, scheduled, running, cancelling. Carries the state's name.
    Underway(String),
}

impl JobEvent {
    /// Reads a queue message's body. `None`: another event of EMR Serverless.
    ///
    /// # Errors
    /// When the body is not an event of EMR Serverless.
    pub fn parse(body: &str) -> Result<Option<Self>, EventError> {
        #[derive(Deserialize)]
        struct Envelope {
            source: Option<String>,
            #[serde(rename = "detail-type")]
            detail_type: Option<String>,
            detail: Option<serde_json::Value>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Detail {
            application_id: String,
            job_run_id: String,
            job_run_name: Option<String>,
            state: String,
            state_details: Option<String>,
        }
        let malformed = |error: serde_json::Error| EventError::Malformed(error.to_string());
        let envelope: Envelope = serde_json::from_str(body).map_err(malformed)?;
        let (Some("aws.emr-serverless"), Some(detail_type), Some(detail)) =
            (envelope.source.as_deref(), envelope.detail_type, envelope.detail)
        else {
            return Err(EventError::UnknownShape);
        };
        if detail_type != STATE_CHANGE {
            return Ok(None);
        }
        let detail: Detail = serde_json::from_value(detail).map_err(malformed)?;
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
