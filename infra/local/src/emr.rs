//! An EMR Serverless emulator: the calls that Penstock makes, job states, client tokens, and an EventBridge event for
//! each state change. It does not run Spark.

mod jobs;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use jobs::{Job, JobRuns, RequestError, StartRequest, StateChange};
pub use jobs::{JobOutcome, JobRunState};
use serde_json::{Value, json};

use crate::aws_json::{JsonClient, JsonService};
use crate::error::LocalError;
use crate::http_server::{Reply, Server, json};

/// The time between two states. EMR takes minutes.
const STEP: Duration = Duration::from_millis(40);
const RELEASE_LABEL: &str = "emr-7.9.0";

/// The EMR Serverless application that the emulator serves.
#[derive(Debug, Clone)]
pub(crate) struct EmrApplication {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) account_id: String,
}

/// A running emulator.
#[derive(Debug)]
pub(crate) struct Emr {
    server: Server,
    service: Arc<EmrService>,
}

#[derive(Debug)]
struct EmrService {
    application: EmrApplication,
    aws: JsonClient,
    jobs: Mutex<JobRuns>,
    /// Notified when the outcome of a job is set, which may be held.
    outcome_set: tokio::sync::Notify,
}

impl Emr {
    pub(crate) async fn start(application: EmrApplication, aws: JsonClient) -> std::io::Result<Self> {
        let (jobs, outcome_set) = (Mutex::default(), tokio::sync::Notify::new());
        let service = Arc::new(EmrService { application, aws, jobs, outcome_set });
        let for_requests = service.clone();
        let server = Server::start(move |request| handle(for_requests.clone(), request)).await?;
        Ok(Self { server, service })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Sets the outcome of jobs that start from now on.
    pub(crate) fn set_outcome(&self, outcome: JobOutcome) {
        self.service.jobs().outcome = outcome;
    }

    /// Sets the outcome of one job. The error message says that there is no such job or it has ended.
    pub(crate) fn set_job_outcome(&self, id: &str, outcome: JobOutcome) -> Result<(), String> {
        let result = self.service.jobs().set_job_outcome(id, outcome);
        self.service.outcome_set.notify_waiters();
        result.map_err(|error| error.parts().2)
    }

    /// Returns all jobs in the form of `GetJobRun`.
    pub(crate) fn jobs(&self) -> Vec<Value> {
        self.service.jobs().all().map(|job| self.service.describe(job)).collect()
    }
}

async fn handle(service: Arc<EmrService>, request: Request<Bytes>) -> Reply {
    let (parts, body) = request.into_parts();
    let segments: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    let result = match (&parts.method, segments.as_slice()) {
        (_, ["applications", application, ..]) if *application != service.application.id => {
            Err(RequestError::NotFound(format!("application {application} does not exist")))
        }
        (&Method::POST, [_, _, "jobruns"]) => service.start(&body),
        (&Method::GET, [_, _, "jobruns"]) => Ok(service.list(parts.uri.query().unwrap_or_default())),
        (&Method::GET, [_, _, "jobruns", id]) => {
            service.jobs().get(id).map(|job| json!({"jobRun": service.describe(job)}))
        }
        (&Method::DELETE, [_, _, "jobruns", id]) => service.cancel(id),
        _ => Err(RequestError::Invalid("the emulator supports job runs only".to_owned())),
    };
    match result {
        Ok(body) => json(StatusCode::OK, &body),
        Err(error) => {
            let (status, kind, message) = error.parts();
            let mut reply = json(status, &json!({ "message": message }));
            reply.headers_mut().insert("x-amzn-errortype", hyper::header::HeaderValue::from_static(kind));
            reply
        }
    }
}

impl RequestError {
    /// Returns the status, the error type and the message.
    fn parts(self) -> (StatusCode, &'static str, String) {
        match self {
            Self::Conflict(message) => (StatusCode::CONFLICT, "ConflictException", message),
            Self::NotFound(message) => (StatusCode::NOT_FOUND, "ResourceNotFoundException", message),
            Self::Invalid(message) => (StatusCode::BAD_REQUEST, "ValidationException", message),
        }
    }
}

impl EmrService {
    fn jobs(&self) -> MutexGuard<'_, JobRuns> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>, body: &[u8]) -> Result<Value, RequestError> {
        let request: StartRequest =
            serde_json::from_slice(body).map_err(|error| RequestError::Invalid(error.to_string()))?;
        let (job, change) = self.jobs().start(request, jiff::Timestamp::now())?;
        if let Some(change) = change {
            tokio::spawn(advance(Arc::downgrade(self), change));
        }
        let (application, id, arn) = (&self.application.id, &job.id, self.arn(&job));
        Ok(json!({"applicationId": application, "jobRunId": id, "arn": arn}))
    }

    fn cancel(self: &Arc<Self>, id: &str) -> Result<Value, RequestError> {
        let change = self.jobs().cancel(id, jiff::Timestamp::now())?;
        let service = self.clone();
        tokio::spawn(async move {
            service.publish(&change).await;
            // Wakes the job's task, which continues from the new state.
            service.outcome_set.notify_waiters();
        });
        Ok(json!({"applicationId": self.application.id, "jobRunId": id}))
    }

    fn list(&self, query: &str) -> Value {
        let states: Vec<&str> = query.split('&').filter_map(|pair| pair.strip_prefix("states=")).collect();
        let is_selected = |job: &Value| {
            states.is_empty() || job["state"].as_str().is_some_and(|state| states.contains(&state))
        };
        let summary = |mut job: Value| {
            job["id"] = job["jobRunId"].take();
            job
        };
        let jobs = self.jobs();
        let all = jobs.all().map(|job| self.describe(job));
        let runs: Vec<Value> = all.filter(is_selected).map(summary).collect();
        json!({ "jobRuns": runs })
    }

    fn arn(&self, job: &Job) -> String {
        let EmrApplication { id, region, account_id } = &self.application;
        format!("arn:aws:emr-serverless:{region}:{account_id}:/applications/{id}/jobruns/{}", job.id)
    }

    fn describe(&self, job: &Job) -> Value {
        // The REST-JSON protocol represents times as seconds.
        let seconds = |time: jiff::Timestamp| time.as_millisecond() as f64 / 1e3;
        json!({
            "applicationId": self.application.id,
            "jobRunId": job.id,
            "name": job.request.name,
            "arn": self.arn(job),
            "createdBy": format!("arn:aws:iam::{}:user/local", self.application.account_id),
            "createdAt": seconds(job.created_at),
            "updatedAt": seconds(job.updated_at),
            "executionRole": job.request.execution_role_arn,
            "state": job.state,
            "stateDetails": job.details,
            "releaseLabel": RELEASE_LABEL,
            "configurationOverrides": job.request.configuration_overrides,
            "jobDriver": job.request.job_driver,
            "tags": job.request.tags,
            "executionTimeoutMinutes": job.request.execution_timeout_minutes,
        })
    }

    /// Sends an event to EventBridge in the form of EMR Serverless.
    /// <https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/using-eventbridge.html>
    async fn publish(&self, change: &StateChange) {
        let job = &change.job;
        if let Err(error) = self.put_event(change).await {
            tracing::warn!(job = job.id, %error, "cannot publish a job's state");
        }
    }

    async fn put_event(&self, change: &StateChange) -> Result<(), LocalError> {
        let job = &change.job;
        let mut detail = json!({
            "jobRunId": job.id,
            "jobRunName": job.request.name,
            "applicationId": self.application.id,
            "arn": self.arn(job),
            "releaseLabel": RELEASE_LABEL,
            "state": job.state,
            "stateDetails": job.details,
            "createdBy": format!("arn:aws:iam::{}:user/local", self.application.account_id),
            "createdAt": job.created_at.to_string(),
            "updatedAt": job.updated_at.to_string(),
        });
        if let Some(previous) = change.previous {
            detail["previousState"] = json!(previous);
        }
        let entry = json!({
            "Source": "aws.emr-serverless",
            "DetailType": "EMR Serverless Job Run State Change",
            "Detail": detail.to_string(),
        });
        let input = json!({ "Entries": [entry] });
        let response = self.aws.call(JsonService::EventBridge, "PutEvents", &input).await?;
        if response["FailedEntryCount"] == 0 {
            return Ok(());
        }
        Err(LocalError::Aws { operation: "events PutEvents".to_owned(), message: response.to_string() })
    }
}

/// Moves a job from state to state until it has ended.
async fn advance(service: Weak<EmrService>, first: StateChange) {
    let id = first.job.id.clone();
    let mut change = Some(first);
    loop {
        let Some(service) = service.upgrade() else { return };
        if let Some(change) = change.take() {
            service.publish(&change).await;
            if change.job.state.is_final() {
                return;
            }
        }
        // The timer covers a notification that arrives before this task waits for it.
        tokio::select! {
            () = tokio::time::sleep(STEP) => {}
            () = service.outcome_set.notified() => {}
        }
        change = service.jobs().step(&id, jiff::Timestamp::now());
    }
}
