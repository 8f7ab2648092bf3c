//! A stand-in for EMR Serverless: the calls that Penstock makes, true states, client tokens, and an EventBridge event
//! for each change of state. It runs no Spark.

mod jobs;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use jobs::{Change, Job, Jobs, Refusal, StartRequest};
pub use jobs::{JobOutcome, JobState};
use serde_json::{Value, json};

use crate::error::causes;
use crate::http::{Reply, Server, json};

/// Between two states. EMR takes minutes; what matters is that the states come one after the other.
const STEP: Duration = Duration::from_millis(40);
const RELEASE_LABEL: &str = "emr-7.9.0";

/// Where the stand-in belongs to.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) region: String,
    pub(crate) account_id: String,
}

/// The running stand-in.
#[derive(Debug)]
pub(crate) struct Emr {
    server: Server,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    application: Application,
    events: aws_sdk_eventbridge::Client,
    jobs: Mutex<Jobs>,
    /// Wakes held jobs when they have been decided on.
    decided: tokio::sync::Notify,
}

impl Emr {
    pub(crate) async fn start(
        application: Application,
        events: aws_sdk_eventbridge::Client,
    ) -> std::io::Result<Self> {
        let (jobs, decided) = (Mutex::default(), tokio::sync::Notify::new());
        let shared = Arc::new(Shared { application, events, jobs, decided });
        let for_requests = shared.clone();
        let server = Server::start(move |request| handle(for_requests.clone(), request)).await?;
        Ok(Self { server, shared })
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// What becomes of jobs that are started from now on.
    pub(crate) fn set_outcome(&self, outcome: JobOutcome) {
        self.shared.jobs().outcome = outcome;
    }

    /// What becomes of one job; the reason why not, where there is no such job or it has ended.
    pub(crate) fn decide(&self, id: &str, outcome: JobOutcome) -> Result<(), String> {
        let decided = self.shared.jobs().decide(id, outcome);
        self.shared.decided.notify_waiters();
        decided.map_err(|refusal| refusal.parts().2)
    }

    /// Every job there is, as `GetJobRun` shows it.
    pub(crate) fn jobs(&self) -> Vec<Value> {
        self.shared.jobs().all().map(|job| self.shared.describe(job)).collect()
    }
}

async fn handle(shared: Arc<Shared>, request: Request<Bytes>) -> Reply {
    let (parts, body) = request.into_parts();
    let segments: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    let answer = match (&parts.method, segments.as_slice()) {
        (_, ["applications", application, ..]) if *application != shared.application.id => {
            Err(Refusal::NotFound(format!("application {application} does not exist")))
        }
        (&Method::POST, [_, _, "jobruns"]) => shared.start(&body),
        (&Method::GET, [_, _, "jobruns"]) => Ok(shared.list(parts.uri.query().unwrap_or_default())),
        (&Method::GET, [_, _, "jobruns", id]) => {
            shared.jobs().get(id).map(|job| json!({"jobRun": shared.describe(job)}))
        }
        (&Method::DELETE, [_, _, "jobruns", id]) => shared.cancel(id),
        _ => Err(Refusal::Invalid("this stand-in knows job runs only".to_owned())),
    };
    match answer {
        Ok(body) => json(StatusCode::OK, &body),
        Err(refusal) => {
            let (status, kind, message) = refusal.parts();
            let mut reply = json(status, &json!({ "message": message }));
            reply.headers_mut().insert("x-amzn-errortype", hyper::header::HeaderValue::from_static(kind));
            reply
        }
    }
}

impl Refusal {
    fn parts(self) -> (StatusCode, &'static str, String) {
        match self {
            Self::Conflict(message) => (StatusCode::CONFLICT, "ConflictException", message),
            Self::NotFound(message) => (StatusCode::NOT_FOUND, "ResourceNotFoundException", message),
            Self::Invalid(message) => (StatusCode::BAD_REQUEST, "ValidationException", message),
        }
    }
}

impl Shared {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start(self: &Arc<Self>, body: &[u8]) -> Result<Value, Refusal> {
        let request: StartRequest =
            serde_json::from_slice(body).map_err(|error| Refusal::Invalid(error.to_string()))?;
        let (job, change) = self.jobs().start(request, jiff::Timestamp::now())?;
        if let Some(change) = change {
            tokio::spawn(advance(Arc::downgrade(self), change));
        }
        let (application, id, arn) = (&self.application.id, &job.id, self.arn(&job));
        Ok(json!({"applicationId": application, "jobRunId": id, "arn": arn}))
    }

    fn cancel(self: &Arc<Self>, id: &str) -> Result<Value, Refusal> {
        let change = self.jobs().cancel(id, jiff::Timestamp::now())?;
        let shared = self.clone();
        tokio::spawn(async move {
            shared.publish(&change).await;
            // The job's own task takes it from here.
            shared.decided.notify_waiters();
        });
        Ok(json!({"applicationId": self.application.id, "jobRunId": id}))
    }

    fn list(&self, query: &str) -> Value {
        let states: Vec<&str> = query.split('&').filter_map(|pair| pair.strip_prefix("states=")).collect();
        let wanted = |job: &Value| {
            states.is_empty() || job["state"].as_str().is_some_and(|state| states.contains(&state))
        };
        let summary = |mut job: Value| {
            job["id"] = job["jobRunId"].take();
            job
        };
        let jobs = self.jobs();
        let runs: Vec<Value> = jobs.all().map(|job| self.describe(job)).filter(wanted).map(summary).collect();
        json!({ "jobRuns": runs })
    }

    fn arn(&self, job: &Job) -> String {
        let Application { id, region, account_id } = &self.application;
        format!("arn:aws:emr-serverless:{region}:{account_id}:/applications/{id}/jobruns/{}", job.id)
    }

    fn describe(&self, job: &Job) -> Value {
        // REST-JSON writes times as seconds.
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

    /// Tells EventBridge, in the form of EMR Serverless.
    /// <https://docs.aws.amazon.com/emr/latest/EMR-Serverless-UserGuide/using-eventbridge.html>
    async fn publish(&self, change: &Change) {
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
        let entry = PutEventsRequestEntry::builder()
            .source("aws.emr-serverless")
            .detail_type("EMR Serverless Job Run State Change")
            .detail(detail.to_string())
            .build();
        if let Err(error) = self.events.put_events().entries(entry).send().await {
            tracing::warn!(job = job.id, error = causes(&error), "a job's state could not be published");
        }
    }
}

/// Takes a job from state to state until its last.
async fn advance(shared: std::sync::Weak<Shared>, first: Change) {
    let id = first.job.id.clone();
    let mut change = Some(first);
    loop {
        let Some(shared) = shared.upgrade() else { return };
        if let Some(change) = change.take() {
            shared.publish(&change).await;
            if change.job.state.is_final() {
                return;
            }
        }
        // A held job is woken by a decision, or looked at again after a while should it have come in between.
        tokio::select! {
            () = tokio::time::sleep(STEP) => {}
            () = shared.decided.notified() => {}
        }
        change = shared.jobs().step(&id, jiff::Timestamp::now());
    }
}
