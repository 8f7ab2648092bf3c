//! The runner's own endpoint on 127.0.0.1, for `penstock status`, the tests and the benchmark.
//! The crate's documentation lists its calls. [`run_schedule`] makes one of them.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::json;

use crate::emr::Emr;
use crate::error::{LocalError, io};
use crate::http::{Reply, Server, json, text};
use crate::postgres::{Cluster, PostgresError};
use crate::runner::{Failure, Runner};

/// What the endpoint acts upon.
#[derive(Debug, Clone)]
pub(crate) struct Controlled {
    pub(crate) runner: Arc<Runner>,
    pub(crate) emr: Arc<Emr>,
    pub(crate) cluster: Arc<Mutex<Cluster>>,
}

pub(crate) async fn start(controlled: Controlled) -> std::io::Result<Server> {
    Server::start(move |request| handle(controlled.clone(), request)).await
}

async fn handle(controlled: Controlled, request: Request<Bytes>) -> Reply {
    let (parts, body) = request.into_parts();
    let segments: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["status"]) => json(StatusCode::OK, &controlled.runner.status()),
        (&Method::GET, ["jobs"]) => json(StatusCode::OK, &controlled.emr.jobs()),
        (&Method::POST, ["functions", name, action]) => {
            function(&controlled.runner, name, action, body).await
        }
        (&Method::POST, ["schedules", name, "run"]) => match controlled.runner.schedule(name) {
            Some(schedule) => answered(schedule.run().await),
            None => text(StatusCode::NOT_FOUND, format!("no function {name} with a schedule")),
        },
        (&Method::POST, ["mappings", name, "pause"]) => found(controlled.runner.pause(name).await),
        (&Method::POST, ["mappings", name, "resume"]) => found(controlled.runner.resume(name)),
        (&Method::POST, ["jobs", rest @ ..]) => outcome(&controlled.emr, rest, &body),
        (&Method::POST, ["postgres", action]) => postgres(controlled.cluster.clone(), action).await,
        _ => text(StatusCode::NOT_FOUND, "no such call"),
    }
}

async fn function(runner: &Runner, name: &str, action: &str, body: Bytes) -> Reply {
    let Some(function) = runner.function(name) else { return found(false) };
    match action {
        "invoke" => answered(function.invoke(body).await),
        "kill" => json(StatusCode::OK, &json!({ "killed": function.kill() })),
        _ => text(StatusCode::NOT_FOUND, "no such call"),
    }
}

fn answered(outcome: Result<Bytes, Failure>) -> Reply {
    match outcome {
        Ok(response) => text(StatusCode::OK, String::from_utf8_lossy(&response)),
        Err(failure) => text(StatusCode::BAD_GATEWAY, failure.to_string()),
    }
}

fn outcome(emr: &Emr, path: &[&str], body: &[u8]) -> Reply {
    let outcome = match serde_json::from_slice(body) {
        Ok(outcome) => outcome,
        Err(error) => return text(StatusCode::BAD_REQUEST, error.to_string()),
    };
    match path {
        ["outcome"] => {
            emr.set_outcome(outcome);
            found(true)
        }
        [id, "outcome"] => match emr.decide(id, outcome) {
            Ok(()) => found(true),
            Err(message) => text(StatusCode::CONFLICT, message),
        },
        _ => text(StatusCode::NOT_FOUND, "no such call"),
    }
}

async fn postgres(cluster: Arc<Mutex<Cluster>>, action: &str) -> Reply {
    let act: fn(&mut Cluster) -> Result<(), PostgresError> = match action {
        "stop" => Cluster::stop,
        "kill" => Cluster::kill,
        "restart" => Cluster::restart,
        _ => return text(StatusCode::NOT_FOUND, "no such call"),
    };
    let acted =
        tokio::task::spawn_blocking(move || act(&mut cluster.lock().unwrap_or_else(PoisonError::into_inner)));
    match acted.await {
        Ok(Ok(())) => found(true),
        Ok(Err(error)) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn found(found: bool) -> Reply {
    if found { json(StatusCode::OK, &json!({})) } else { text(StatusCode::NOT_FOUND, "no such function") }
}

/// Runs the schedule of a function of the stack at `control_url` at once; gives the function's response.
///
/// # Errors
/// When the stack does not answer, the function has no schedule, or the run fails.
pub async fn run_schedule(control_url: &str, function: &str) -> Result<String, LocalError> {
    let reach = || format!("reaching the local stack at {control_url}");
    let broken_off = |error: hyper::Error| io(reach())(std::io::Error::other(error));
    let authority = control_url.strip_prefix("http://").unwrap_or(control_url);
    let stream = tokio::net::TcpStream::connect(authority).await.map_err(io(reach()))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken_off)?;
    // It ends with the answer; what went wrong with it, the request says.
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("/schedules/{function}/run")).header(HOST, authority);
    let request = request.body(Full::new(Bytes::new()));
    let request = request.map_err(|error| io(reach())(std::io::Error::other(error)))?;
    let answer = sender.send_request(request).await.map_err(broken_off)?;
    let status = answer.status();
    let body = answer.into_body().collect().await.map_err(broken_off)?.to_bytes();
    connection.abort();
    let body = String::from_utf8_lossy(&body).into_owned();
    if status == StatusCode::OK {
        return Ok(body);
    }
    Err(LocalError::RunFailed { function: function.to_owned(), message: body })
}
