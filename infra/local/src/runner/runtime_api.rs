//! The Lambda Runtime API of one execution environment.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>: `GET invocation/next` waits for an invocation,
//! `POST invocation/<id>/response` and `…/error` end it, `POST init/error` reports a failed initialisation.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};

use crate::http_server::{Reply, Server, json, text};

const PREFIX: &str = "/2018-06-01/runtime/";

/// Receives the body of the response or of the error.
type ReplyTo = oneshot::Sender<Result<Bytes, Bytes>>;
/// The id and the receiver of the current invocation, if any.
type CurrentInvocation = Option<(String, ReplyTo)>;

/// An invocation of the function.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) request_id: String,
    pub(super) trace_id: String,
    pub(super) function_arn: String,
    /// The time limit, from the delivery to the process.
    pub(super) timeout: Duration,
    pub(super) payload: Bytes,
    pub(super) reply: ReplyTo,
}

/// The state of the function's initialisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InitState {
    Starting,
    /// The function requested its first invocation.
    Ready,
    /// The function reported this error.
    Failed(String),
}

/// The server of one environment.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    server: Server,
    invocations: mpsc::Sender<Invocation>,
    init: watch::Receiver<InitState>,
}

struct RuntimeSession {
    queue: tokio::sync::Mutex<mpsc::Receiver<Invocation>>,
    current: Mutex<CurrentInvocation>,
    init: watch::Sender<InitState>,
}

impl RuntimeApi {
    pub(super) async fn start() -> std::io::Result<Self> {
        let (invocations, queue) = mpsc::channel(1);
        let (sender, init) = watch::channel(InitState::Starting);
        let session = Arc::new(RuntimeSession {
            queue: tokio::sync::Mutex::new(queue),
            current: Mutex::new(None),
            init: sender,
        });
        let server = Server::start(move |request| handle(session.clone(), request)).await?;
        Ok(Self { server, invocations, init })
    }

    /// Returns the value of `AWS_LAMBDA_RUNTIME_API`.
    pub(super) fn authority(&self) -> String {
        self.server.authority()
    }

    /// Returns the state of the initialisation.
    pub(super) fn init(&self) -> watch::Receiver<InitState> {
        self.init.clone()
    }

    /// Queues an invocation, which is delivered when the process requests one.
    pub(super) async fn send(&self, invocation: Invocation) {
        let sent = self.invocations.send(invocation).await;
        assert!(sent.is_ok(), "the receiver lives as long as the server, which `self` owns");
    }
}

async fn handle(session: Arc<RuntimeSession>, request: Request<Bytes>) -> Reply {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    match (&parts.method, segments.as_slice()) {
        (&Method::GET, ["invocation", "next"]) => session.next().await,
        (&Method::POST, ["invocation", id, "response"]) => session.finish(id, Ok(body)),
        (&Method::POST, ["invocation", id, "error"]) => session.finish(id, Err(body)),
        (&Method::POST, ["init", "error"]) => {
            session.init.send_replace(InitState::Failed(String::from_utf8_lossy(&body).into_owned()));
            accepted()
        }
        _ => text(StatusCode::NOT_FOUND, "no such call"),
    }
}

impl RuntimeSession {
    async fn next(&self) -> Reply {
        self.init.send_if_modified(|init| {
            let is_first = *init == InitState::Starting;
            if is_first {
                *init = InitState::Ready;
            }
            is_first
        });
        let Some(invocation) = self.queue.lock().await.recv().await else {
            return text(StatusCode::GONE, "this environment is being stopped");
        };
        let deadline = SystemTime::now() + invocation.timeout;
        let deadline_ms = deadline.duration_since(UNIX_EPOCH).expect("the clock is after 1970").as_millis();
        let headers = [
            ("lambda-runtime-aws-request-id", invocation.request_id.clone()),
            ("lambda-runtime-deadline-ms", deadline_ms.to_string()),
            ("lambda-runtime-invoked-function-arn", invocation.function_arn),
            ("lambda-runtime-trace-id", invocation.trace_id),
            ("content-type", "application/json".to_owned()),
        ];
        let mut reply = Response::new(Full::new(invocation.payload));
        for (name, value) in headers {
            let value = HeaderValue::from_str(&value).expect("ids, numbers and ARNs are ASCII");
            reply.headers_mut().insert(HeaderName::from_static(name), value);
        }
        *self.current() = Some((invocation.request_id, invocation.reply));
        reply
    }

    fn finish(&self, id: &str, result: Result<Bytes, Bytes>) -> Reply {
        let mut current = self.current();
        match current.take() {
            Some((request_id, reply)) if request_id == id => {
                // The receiver has been dropped when the invocation timed out at the same moment.
                if reply.send(result).is_err() {
                    tracing::debug!(request.id = id, "a response arrived after the timeout");
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

    fn current(&self) -> std::sync::MutexGuard<'_, CurrentInvocation> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn accepted() -> Reply {
    json(StatusCode::ACCEPTED, &json!({"status": "OK"}))
}
