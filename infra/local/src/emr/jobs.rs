//! Job runs and their states, without HTTP or a clock.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The states that EMR Serverless gives a job run.
/// <https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/job-states.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the names are EMR's own")]
pub enum JobState {
    Submitted,
    Pending,
    Scheduled,
    Running,
    Success,
    Failed,
    Cancelling,
    Cancelled,
}

impl JobState {
    /// True for the last state of a job.
    pub fn is_final(self) -> bool {
        match self {
            Self::Success | Self::Failed | Self::Cancelled => true,
            Self::Submitted | Self::Pending | Self::Scheduled | Self::Running | Self::Cancelling => false,
        }
    }
}

/// What becomes of a job once it runs. There is no Spark here, so someone has to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum JobOutcome {
    /// It ends well; whoever says so has written what the job would have written.
    Success,
    /// It fails.
    Failed {
        /// Shown as `stateDetails`.
        details: String,
    },
    /// It stays in RUNNING until told otherwise.
    Hold,
}

impl Default for JobOutcome {
    fn default() -> Self {
        let details =
            "this local stack has no Spark job installed; on AWS, EMR Serverless runs it".to_owned();
        Self::Failed { details }
    }
}

/// `StartJobRun`'s body.
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
    pub(super) state: JobState,
    pub(super) details: String,
    pub(super) outcome: JobOutcome,
    pub(super) created_at: jiff::Timestamp,
    pub(super) updated_at: jiff::Timestamp,
}

/// A change of state, to be told to EventBridge.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) job: Job,
    pub(super) previous: Option<JobState>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    Conflict(String),
    NotFound(String),
    Invalid(String),
}

#[derive(Debug, Default)]
pub(super) struct Jobs {
    by_id: BTreeMap<String, Job>,
    /// For jobs that start from now on.
    pub(super) outcome: JobOutcome,
}

impl Jobs {
    /// Submits a job. The same token with the same request gives the same job again, and no change.
    pub(super) fn start(
        &mut self,
        request: StartRequest,
        now: jiff::Timestamp,
    ) -> Result<(Job, Option<Change>), Refusal> {
        if request.client_token.is_empty()
            || request.execution_role_arn.is_empty()
            || request.job_driver.is_none()
        {
            let message = "clientToken, executionRoleArn and jobDriver are required".to_owned();
            return Err(Refusal::Invalid(message));
        }
        let same_token = |job: &&Job| job.request.client_token == request.client_token;
        if let Some(job) = self.by_id.values().find(same_token) {
            return if job.request == request {
                Ok((job.clone(), None))
            } else {
                Err(Refusal::Conflict(format!(
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
            state: JobState::Submitted,
            details: String::new(),
            created_at: now,
            updated_at: now,
        };
        self.by_id.insert(job.id.clone(), job.clone());
        Ok((job.clone(), Some(Change { job, previous: None })))
    }

    pub(super) fn get(&self, id: &str) -> Result<&Job, Refusal> {
        self.by_id.get(id).ok_or_else(|| Refusal::NotFound(format!("job run {id} does not exist")))
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Job> {
        self.by_id.values()
    }

    /// Begins to cancel a job that has not ended.
    pub(super) fn cancel(&mut self, id: &str, now: jiff::Timestamp) -> Result<Change, Refusal> {
        match self.get(id)?.state {
            state if state.is_final() || state == JobState::Cancelling => {
                Err(Refusal::Invalid(format!("job run {id} cannot be cancelled any more")))
            }
            _ => Ok(self.enter(id, JobState::Cancelling, "cancelled by request", now)?),
        }
    }

    /// Decides what becomes of one job, also while it is held.
    pub(super) fn decide(&mut self, id: &str, outcome: JobOutcome) -> Result<(), Refusal> {
        let unknown = || Refusal::NotFound(format!("job run {id} does not exist"));
        let job = self.by_id.get_mut(id).ok_or_else(unknown)?;
        if job.state.is_final() {
            return Err(Refusal::Invalid(format!("job run {id} has ended already")));
        }
        job.outcome = outcome;
        Ok(())
    }

    /// Takes a job one step on; nothing where it is held or has ended.
    pub(super) fn step(&mut self, id: &str, now: jiff::Timestamp) -> Option<Change> {
        let job = self.by_id.get(id)?;
        let (next, details) = match (job.state, &job.outcome) {
            (JobState::Submitted, _) => (JobState::Pending, String::new()),
            (JobState::Pending, _) => (JobState::Scheduled, String::new()),
            (JobState::Scheduled, _) => (JobState::Running, String::new()),
            (JobState::Running, JobOutcome::Success) => (JobState::Success, String::new()),
            (JobState::Running, JobOutcome::Failed { details }) => (JobState::Failed, details.clone()),
            (JobState::Running, JobOutcome::Hold) => return None,
            (JobState::Cancelling, _) => (JobState::Cancelled, job.details.clone()),
            (JobState::Success | JobState::Failed | JobState::Cancelled, _) => return None,
        };
        self.enter(id, next, &details, now).ok()
    }

    fn enter(
        &mut self,
        id: &str,
        state: JobState,
        details: &str,
        now: jiff::Timestamp,
    ) -> Result<Change, Refusal> {
        let unknown = || Refusal::NotFound(format!("job run {id} does not exist"));
        let job = self.by_id.get_mut(id).ok_or_else(unknown)?;
        let previous = Some(job.state);
        job.state = state;
        details.clone_into(&mut job.details);
        job.updated_at = now;
        Ok(Change { job: job.clone(), previous })
    }
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

    fn run_to_end(jobs: &mut Jobs, id: &str) -> Vec<JobState> {
        std::iter::from_fn(|| jobs.step(id, now())).map(|change| change.job.state).collect()
    }

    #[test]
    fn a_job_fails_here_unless_someone_says_otherwise() {
        use JobState::{Failed, Pending, Running, Scheduled, Success};
        let mut jobs = Jobs::default();
        let (job, change) = jobs.start(request("a", "n"), now()).unwrap();
        assert_eq!(change.unwrap().job.state, JobState::Submitted);
        assert_eq!(run_to_end(&mut jobs, &job.id), [Pending, Scheduled, Running, Failed]);
        assert!(jobs.get(&job.id).unwrap().details.contains("no Spark job"));

        jobs.outcome = JobOutcome::Success;
        let (job, _) = jobs.start(request("b", "n"), now()).unwrap();
        assert_eq!(run_to_end(&mut jobs, &job.id), [Pending, Scheduled, Running, Success]);
        assert!(matches!(jobs.decide(&job.id, JobOutcome::Hold), Err(Refusal::Invalid(_))));
    }

    #[test]
    fn the_same_token_starts_one_job_and_another_request_under_it_is_a_conflict() {
        let mut jobs = Jobs::default();
        let (first, _) = jobs.start(request("a", "n"), now()).unwrap();
        let (second, change) = jobs.start(request("a", "n"), now()).unwrap();
        assert_eq!(first.id, second.id);
        assert!(change.is_none());
        assert!(matches!(jobs.start(request("a", "other"), now()), Err(Refusal::Conflict(_))));
        assert!(matches!(jobs.start(request("", "n"), now()), Err(Refusal::Invalid(_))));
    }

    #[test]
    fn a_held_job_runs_until_it_is_decided_or_cancelled() {
        let mut jobs = Jobs { outcome: JobOutcome::Hold, ..Jobs::default() };
        let (job, _) = jobs.start(request("a", "n"), now()).unwrap();
        assert_eq!(run_to_end(&mut jobs, &job.id).last(), Some(&JobState::Running));
        jobs.decide(&job.id, JobOutcome::Success).unwrap();
        assert_eq!(run_to_end(&mut jobs, &job.id), [JobState::Success]);

        let (job, _) = jobs.start(request("b", "n"), now()).unwrap();
        run_to_end(&mut jobs, &job.id);
        assert_eq!(jobs.cancel(&job.id, now()).unwrap().previous, Some(JobState::Running));
        assert_eq!(run_to_end(&mut jobs, &job.id), [JobState::Cancelled]);
        assert!(matches!(jobs.cancel(&job.id, now()), Err(Refusal::Invalid(_))));
        assert!(matches!(jobs.cancel("none", now()), Err(Refusal::NotFound(_))));
    }
}
