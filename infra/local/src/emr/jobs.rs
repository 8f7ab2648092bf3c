//! Job runs and their states, independent of HTTP and of the clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The states of a job run in EMR Serverless.
/// <https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/job-states.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are EMR's own")]
pub enum JobRunState {
    Submitted,
    Pending,
    Scheduled,
    Running,
    Success,
    Failed,
    Cancelling,
    Cancelled,
}

impl JobRunState {
    /// Returns whether the job has ended.
    pub fn is_final(self) -> bool {
        match self {
            Self::Success | Self::Failed | Self::Cancelled => true,
            Self::Submitted | Self::Pending | Self::Scheduled | Self::Running | Self::Cancelling => false,
        }
    }
}

/// The outcome of a job. It must be chosen, because the emulator does not run Spark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum JobOutcome {
    /// The job succeeds. The caller has written the job's output.
    Success,
    /// The job fails.
    Failed {
        /// The job's `stateDetails`.
        details: String,
    },
    /// The job stays in RUNNING until its outcome is set.
    Hold,
}

impl Default for JobOutcome {
    fn default() -> Self {
        let details = "the local stack does not run Spark jobs; on AWS, EMR Serverless does".to_owned();
        Self::Failed { details }
    }
}

/// The body of `StartJobRun`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartRequest {
    pub(super) client_token: String,
    pub(super) execution_role_arn: String,
    pub(super) job_driver: Option<Value>,
    pub(super) name: Option<String>,
    pub(super) execution_timeout_minutes: Option<i64>,
    pub(super) configuration_overrides: Option<Value>,
    pub(super) tags: Option<Value>,
}

#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) request: StartRequest,
    pub(super) state: JobRunState,
    pub(super) details: String,
    pub(super) outcome: JobOutcome,
    pub(super) created_at: jiff::Timestamp,
    pub(super) updated_at: jiff::Timestamp,
}

/// A change of a job's state, which is sent to EventBridge.
#[derive(Debug, Clone)]
pub(super) struct StateChange {
    pub(super) job: Job,
    pub(super) previous: Option<JobRunState>,
}

/// An error response of the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RequestError {
    Conflict(String),
    NotFound(String),
    Invalid(String),
}

#[derive(Debug, Default)]
pub(super) struct JobRuns {
    by_id: BTreeMap<String, Job>,
    /// The outcome of jobs that start from now on.
    pub(super) outcome: JobOutcome,
}

impl JobRuns {
    /// Submits a job. A repeated request with the same token returns the existing job and no change.
    pub(super) fn start(
        &mut self,
        request: StartRequest,
        now: jiff::Timestamp,
    ) -> Result<(Job, Option<StateChange>), RequestError> {
        if request.client_token.is_empty()
            || request.execution_role_arn.is_empty()
            || request.job_driver.is_none()
        {
            let message = "clientToken, executionRoleArn and jobDriver are required".to_owned();
            return Err(RequestError::Invalid(message));
        }
        let same_token = |job: &&Job| job.request.client_token == request.client_token;
        if let Some(job) = self.by_id.values().find(same_token) {
            return if job.request == request {
                Ok((job.clone(), None))
            } else {
                Err(RequestError::Conflict(format!(
                    "client token {} was used with other parameters",
                    request.client_token
                )))
            };
        }
        let job = Job {
            // EMR's ids are 16 characters of [0-9a-z], ascending.
            id: format!("00local{:09}", self.by_id.len() + 1),
            outcome: self.outcome.clone(),
            request,
            state: JobRunState::Submitted,
            details: String::new(),
            created_at: now,
            updated_at: now,
        };
        self.by_id.insert(job.id.clone(), job.clone());
        Ok((job.clone(), Some(StateChange { job, previous: None })))
    }

    pub(super) fn get(&self, id: &str) -> Result<&Job, RequestError> {
        self.by_id.get(id).ok_or_else(|| not_found(id))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Job> {
        self.by_id.values()
    }

    /// Starts the cancellation of a job that has not ended.
    pub(super) fn cancel(&mut self, id: &str, now: jiff::Timestamp) -> Result<StateChange, RequestError> {
        let job = self.get_mut(id)?;
        if job.state.is_final() || job.state == JobRunState::Cancelling {
            return Err(RequestError::Invalid(format!("job run {id} can no longer be cancelled")));
        }
        Ok(job.enter(JobRunState::Cancelling, "cancelled by request".to_owned(), now))
    }

    /// Sets the outcome of one job, which may be held.
    pub(super) fn set_job_outcome(&mut self, id: &str, outcome: JobOutcome) -> Result<(), RequestError> {
        let job = self.get_mut(id)?;
        if job.state.is_final() {
            return Err(RequestError::Invalid(format!("job run {id} has already ended")));
        }
        job.outcome = outcome;
        Ok(())
    }

    /// Moves a job to its next state. Returns `None` when it is held or has ended.
    pub(super) fn step(&mut self, id: &str, now: jiff::Timestamp) -> Option<StateChange> {
        let job = self.by_id.get_mut(id)?;
        let (next, details) = match (job.state, &job.outcome) {
            (JobRunState::Submitted, _) => (JobRunState::Pending, String::new()),
            (JobRunState::Pending, _) => (JobRunState::Scheduled, String::new()),
            (JobRunState::Scheduled, _) => (JobRunState::Running, String::new()),
            (JobRunState::Running, JobOutcome::Success) => (JobRunState::Success, String::new()),
            (JobRunState::Running, JobOutcome::Failed { details }) => (JobRunState::Failed, details.clone()),
            (JobRunState::Running, JobOutcome::Hold) => return None,
            (JobRunState::Cancelling, _) => (JobRunState::Cancelled, job.details.clone()),
            (JobRunState::Success | JobRunState::Failed | JobRunState::Cancelled, _) => return None,
        };
        Some(job.enter(next, details, now))
    }

    fn get_mut(&mut self, id: &str) -> Result<&mut Job, RequestError> {
        self.by_id.get_mut(id).ok_or_else(|| not_found(id))
    }
}

impl Job {
    fn enter(&mut self, state: JobRunState, details: String, now: jiff::Timestamp) -> StateChange {
        let previous = Some(self.state);
        self.state = state;
        self.details = details;
        self.updated_at = now;
        StateChange { job: self.clone(), previous }
    }
}

fn not_found(id: &str) -> RequestError {
    RequestError::NotFound(format!("job run {id} does not exist"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(token: &str, name: &str) -> StartRequest {
        serde_json::from_value(json!({
            "clientToken": token,
            "executionRoleArn": "arn:aws:iam::123456789012:role/spark",
            "jobDriver": {"sparkSubmit": {"entryPoint": "s3://a/b.py"}},
            "name": name,
        }))
        .unwrap()
    }

    fn now() -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn run_to_end(jobs: &mut JobRuns, id: &str) -> Vec<JobRunState> {
        std::iter::from_fn(|| jobs.step(id, now())).map(|change| change.job.state).collect()
    }

    #[test]
    fn a_job_fails_unless_another_outcome_is_set() {
        use JobRunState::{Failed, Pending, Running, Scheduled, Success};
        let mut jobs = JobRuns::default();
        let (job, change) = jobs.start(request("a", "n"), now()).unwrap();
        assert_eq!(change.unwrap().job.state, JobRunState::Submitted);
        assert_eq!(run_to_end(&mut jobs, &job.id), [Pending, Scheduled, Running, Failed]);
        assert!(jobs.get(&job.id).unwrap().details.contains("does not run Spark jobs"));

        jobs.outcome = JobOutcome::Success;
        let (job, _) = jobs.start(request("b", "n"), now()).unwrap();
        assert_eq!(run_to_end(&mut jobs, &job.id), [Pending, Scheduled, Running, Success]);
        assert!(matches!(jobs.set_job_outcome(&job.id, JobOutcome::Hold), Err(RequestError::Invalid(_))));
    }

    #[test]
    fn the_same_token_starts_one_job_and_another_request_under_it_is_a_conflict() {
        let mut jobs = JobRuns::default();
        let (first, _) = jobs.start(request("a", "n"), now()).unwrap();
        let (second, change) = jobs.start(request("a", "n"), now()).unwrap();
        assert_eq!(first.id, second.id);
        assert!(change.is_none());
        assert!(matches!(jobs.start(request("a", "other"), now()), Err(RequestError::Conflict(_))));
        assert!(matches!(jobs.start(request("", "n"), now()), Err(RequestError::Invalid(_))));
    }

    #[test]
    fn a_held_job_runs_until_its_outcome_is_set_or_it_is_cancelled() {
        let mut jobs = JobRuns { outcome: JobOutcome::Hold, ..JobRuns::default() };
        let (job, _) = jobs.start(request("a", "n"), now()).unwrap();
        assert_eq!(run_to_end(&mut jobs, &job.id).last(), Some(&JobRunState::Running));
        jobs.set_job_outcome(&job.id, JobOutcome::Success).unwrap();
        assert_eq!(run_to_end(&mut jobs, &job.id), [JobRunState::Success]);

        let (job, _) = jobs.start(request("b", "n"), now()).unwrap();
        run_to_end(&mut jobs, &job.id);
        assert_eq!(jobs.cancel(&job.id, now()).unwrap().previous, Some(JobRunState::Running));
        assert_eq!(run_to_end(&mut jobs, &job.id), [JobRunState::Cancelled]);
        assert!(matches!(jobs.cancel(&job.id, now()), Err(RequestError::Invalid(_))));
        assert!(matches!(jobs.cancel("none", now()), Err(RequestError::NotFound(_))));
    }
}
