//! The Lambda Runtime API, as one execution environment sees it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>: `GET invocation/next` waits for work,
//! `POST invocation/<id>/response` and `…/error` end it, `POST init/error` says that there will be none.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use crate::http::{Reply, Server, json, text};

const PREFIX: &str = "/2018-06-01/runtime/";

/// Where an answer goes: the response's body, or the error's.
type ReplyTo = oneshot::Sender<Result<Bytes, Bytes>>;
/// The invocation that the process is busy with, if any.
type Current = Option<(String, ReplyTo)>;

/// One piece of work.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) trace_id: String,
    pub(super) function_arn: String,
    /// How long it may take from now.
    pub(super) timeout: Duration,
    pub(super) payload: Bytes,
    pub(super) reply: ReplyTo,
}

/// How far the runtime in the process has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Init {
    Starting,
    /// It asked for work, so its initialisation is over.
    Ready,
    /// It said itself that it cannot work.
    Failed(String),
}

/// The server of one environment.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    server: Server,
    invocations: mpsc::Sender<Invocation>,
    init: watch::Receiver<Init>,
}

struct Session {
    queue: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    current: Mutex<Current>,
    init: watch::Sender<Init>,
}

impl RuntimeApi {
    pub(super) async fn start() -> std::io::Result<Self> {
        let (invocations, queue) = mpsc::channel(1);
        let (sender, init) = watch::channel(Init::Starting);
        let session = Arc::new(Session {
            queue: tokio::sync::Mutex::new(queue),
            current: Mutex::new(None),
            init: sender,
        });
        let server = Server::start(move |request| handle(session.clone(), request)).await?;
        Ok(Self { server, invocations, init })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn authority(&self) -> String {
        self.server.authority()
    }

    /// Follows the initialisation.
    pub(super) fn init(&self) -> watch::Receiver<Init> {
        self.init.clone()
    }

    /// Hands over work; it is taken when the process asks for it.
    pub(super) async fn send(&self, invocation: Invocation) {
        // The receiver lives as long as the server, which `self` holds.
        let sent = self.invocations.send(invocation).await;
        debug_assert!(sent.is_ok());
    }
}

async fn handle(session: Arc<Session>, request: Request<Bytes>) -> Reply {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => session.next().await,
        (&Method::POST, ["invocation", id, "response"]) => session.finish(id, Ok(body)),
        (&Method::POST, ["invocation", id, "error"]) => session.finish(id, Err(body)),
        (&Method::POST, ["init", "error"]) => {
            session.init.send_replace(Init::Failed(String::from_utf8_lossy(&body).into_owned()));
            accepted()
        }
        _ => text(StatusCode::NOT_FOUND, "no such call"),
    }
}

impl Session {
    async fn next(&self) -> Reply {
        self.init.send_if_modified(|init| {
            let first = *init == Init::Starting;
            if first {
                *init = Init::Ready;
            }
            first
        });
        let Some(invocation) = self.queue.lock().await.recv().await else {
            return text(StatusCode::GONE, "this environment is being stopped");
        };
        let deadline = SystemTime::now() + invocation.timeout;
        let deadline_ms = deadline.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let headers = [
            ("lambda-runtime-aws-request-id", invocation.request_id.clone()),
            ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
            ("lambda-runtime-invoked-function-arn", invocation.function_arn),
            ("lambda-runtime-trace-id", invocation.trace_id),
            ("content-type", "application/json".to_owned()),
        ];
        let mut reply = Response::new(Full::new(invocation.payload));
        for (name, value) in headers {
            let value = HeaderValue::from_str(&value).expect("ids, numbers and ARNs are visible ASCII");
            reply.headers_mut().insert(HeaderName::from_static(name), value);
        }
        *self.current() = Some((invocation.request_id, invocation.reply));
        reply
    }

    fn finish(&self, id: &str, answer: Result<Bytes, Bytes>) -> Reply {
        let mut current = self.current();
        match current.take() {
            Some((request_id, reply)) if request_id == id => {
                // Nobody waits any more when the invocation timed out in this very moment.
                if reply.send(answer).is_err() {
                    tracing::debug!(request.id = id, "an answer came too late");
                }
                accepted()
            }
            other => {
                *current = other;
                let body = json!({"errorType": "InvalidRequestID", "errorMessage": "no such invocation"});
                json(StatusCode::BAD_REQUEST, &body)
            }
        }
    }

    fn current(&self) -> std::sync::MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accepted() -> Reply {
    json(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}
