//! The runner's own endpoint on 127.0.0.1, for `penstock status`, the tests and the benchmark.
//! The crate's documentation lists its calls.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use serde_json::json;

use crate::emr::Emr;
use crate::http::{Reply, Server, json, text};
use crate::postgres::{Cluster, PostgresError};
use crate::runner::Runner;

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
        "invoke" => match function.invoke(body).await {
            Ok(response) => text(StatusCode::OK, String::from_utf8_lossy(&response)),
            Err(failure) => text(StatusCode::BAD_GATEWAY, failure.to_string()),
        },
        "kill" => json(StatusCode::OK, &json!({ "killed": function.kill() })),
        _ => text(StatusCode::NOT_FOUND, "no such call"),
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
