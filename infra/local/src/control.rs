//! The control endpoint on 127.0.0.1, for `penstock status`, the tests and the benchmark. The crate's documentation
//! lists its calls. [`run_schedule`] and [`invoke_function`] make some of them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, StatusCode};
use serde_json::json;

use crate::emr::Emr;
use crate::error::{LocalError, io};
use crate::http_client;
use crate::http_server::{Reply, Server, json, text};
use crate::postgres::{Cluster, PostgresError};
use crate::runner::{InvocationFailure, Runner};

/// The parts of the stack that the endpoint controls.
#[derive(Debug, Clone)]
pub(crate) struct ControlTargets {
    pub(crate) runner: Arc<Runner>,
    pub(crate) emr: Arc<Emr>,
    pub(crate) cluster: Arc<Mutex<Cluster>>,
}

pub(crate) async fn start(targets: ControlTargets) -> std::io::Result<Server> {
    Server::start(move |request| handle(targets.clone(), request)).await
}

async fn handle(targets: ControlTargets, request: Request<Bytes>) -> Reply {
    let (parts, body) = request.into_parts();
    let segments: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["status"]) => json(StatusCode::OK, &targets.runner.status()),
        (&Method::GET, ["jobs"]) => json(StatusCode::OK, &targets.emr.jobs()),
        (&Method::POST, ["functions", name, action]) => {
            function_action(&targets.runner, name, action, body).await
        }
        (&Method::POST, ["schedules", name, "run"]) => match targets.runner.schedule(name) {
            Some(schedule) => invocation_reply(schedule.run().await),
            None => text(StatusCode::NOT_FOUND, format!("no function {name} with a schedule")),
        },
        (&Method::POST, ["mappings", name, "pause"]) => ok_or_not_found(targets.runner.pause(name).await),
        (&Method::POST, ["mappings", name, "resume"]) => ok_or_not_found(targets.runner.resume(name)),
        (&Method::POST, ["jobs", rest @ ..]) => set_job_outcome(&targets.emr, rest, &body),
        (&Method::POST, ["postgres", action]) => postgres_action(targets.cluster.clone(), action).await,
        _ => text(StatusCode::NOT_FOUND, "no such call"),
    }
}

async fn function_action(runner: &Runner, name: &str, action: &str, body: Bytes) -> Reply {
    let Some(function) = runner.function(name) else { return ok_or_not_found(false) };
    match action {
        "invoke" => invocation_reply(function.invoke(body).await),
        "deploy" => match serde_json::from_slice(&body).map(|deployment| function.deploy(deployment)) {
            Ok(Ok(())) => ok_or_not_found(true),
            Ok(Err(error)) => text(StatusCode::NOT_FOUND, error.to_string()),
            Err(error) => text(StatusCode::BAD_REQUEST, error.to_string()),
        },
        "kill" => json(StatusCode::OK, &json!({ "killed": function.kill() })),
        _ => text(StatusCode::NOT_FOUND, "no such call"),
    }
}

fn invocation_reply(result: Result<Bytes, InvocationFailure>) -> Reply {
    match result {
        Ok(response) => text(StatusCode::OK, String::from_utf8_lossy(&response)),
        Err(failure) => text(StatusCode::BAD_GATEWAY, failure.to_string()),
    }
}

fn set_job_outcome(emr: &Emr, path: &[&str], body: &[u8]) -> Reply {
    let outcome = match serde_json::from_slice(body) {
        Ok(outcome) => outcome,
        Err(error) => return text(StatusCode::BAD_REQUEST, error.to_string()),
    };
    match path {
        ["outcome"] => {
            emr.set_outcome(outcome);
            ok_or_not_found(true)
        }
        [id, "outcome"] => match emr.set_job_outcome(id, outcome) {
            Ok(()) => ok_or_not_found(true),
            Err(message) => text(StatusCode::CONFLICT, message),
        },
        _ => text(StatusCode::NOT_FOUND, "no such call"),
    }
}

async fn postgres_action(cluster: Arc<Mutex<Cluster>>, action: &str) -> Reply {
    let act: fn(&mut Cluster) -> Result<(), PostgresError> = match action {
        "stop" => Cluster::stop,
        "kill" => Cluster::kill,
        "restart" => Cluster::restart,
        _ => return text(StatusCode::NOT_FOUND, "no such call"),
    };
    let result =
        tokio::task::spawn_blocking(move || act(&mut cluster.lock().unwrap_or_else(PoisonError::into_inner)));
    match result.await {
        Ok(Ok(())) => ok_or_not_found(true),
        Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn ok_or_not_found(exists: bool) -> Reply {
    if exists { json(StatusCode::OK, &json!({})) } else { text(StatusCode::NOT_FOUND, "no such function") }
}

/// Runs a function's schedule now, on the stack at `control_url`. Returns the function's response.
///
/// # Errors
/// Returns an error if the stack does not respond, the function has no schedule, or the run fails.
pub async fn run_schedule(control_url: &str, function: &str) -> Result<String, LocalError> {
    post(control_url, function, &format!("/schedules/{function}/run"), Bytes::new()).await
}

/// Invokes a function on the stack at `control_url`, and returns its response.
///
/// # Errors
/// Returns an error if the stack does not respond, or the invocation fails.
pub async fn invoke_function(
    control_url: &str,
    function: &str,
    payload: Bytes,
) -> Result<String, LocalError> {
    post(control_url, function, &format!("/functions/{function}/invoke"), payload).await
}

async fn post(control_url: &str, function: &str, path: &str, body: Bytes) -> Result<String, LocalError> {
    let reach = || format!("calling the local stack at {control_url}");
    let authority = control_url.strip_prefix("http://").unwrap_or(control_url);
    let request = Request::post(path).body(Full::new(body));
    let request = request.map_err(|error| io(reach())(std::io::Error::other(error)))?;
    let (status, body) = http_client::send(authority, request).await.map_err(io(reach()))?;
    let body = String::from_utf8_lossy(&body).into_owned();
    if status == StatusCode::OK {
        return Ok(body);
    }
    Err(LocalError::RunFailed { function: function.to_owned(), message: body })
}
