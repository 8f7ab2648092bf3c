//! The errors of the local stack.

use std::path::PathBuf;

use crate::postgres::PostgresError;
use crate::template::TemplateError;

/// The reason why the local stack did not start or stop.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A stack is already running with this state folder.
    #[error(
        "a local stack is already running{}; stop it with `penstock down`",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    AlreadyRunning {
        /// The process id of the running stack; `None` while that stack is still starting.
        pid: Option<u32>,
    },
    /// No stack is running with this state folder.
    #[error("no local stack is running in {}; start one with `penstock up`", state_dir.display())]
    NotRunning {
        /// The state folder.
        state_dir: PathBuf,
    },
    /// Something that must be installed or built first is missing.
    #[error("{what} is missing at {}: {remedy}", path.display())]
    Missing {
        /// The missing program.
        what: String,
        /// The path where it was expected.
        path: PathBuf,
        /// The suggested fix.
        remedy: &'static str,
    },
    /// The template could not be parsed or resolved.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// PostgreSQL did not start.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A server ended, or was not ready in time.
    #[error("{what} did not start; the last lines of {}:\n{tail}", log.display())]
    NotReady {
        /// The server.
        what: &'static str,
        /// The path of its log.
        log: PathBuf,
        /// The last lines of its log.
        tail: String,
    },
    /// A call to the emulated AWS failed.
    #[error("{operation}: {message}")]
    Aws {
        /// The service and the operation.
        operation: String,
        /// The error that the service or the client reported.
        message: String,
    },
    /// A run of a scheduled function failed.
    #[error("a run of {function} failed: {message}")]
    RunFailed {
        /// The function.
        function: String,
        /// The error that it reported.
        message: String,
    },
    /// An operation on a file, a socket or a process failed.
    #[error("{action}: {source}")]
    Io {
        /// The operation.
        action: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The stack did not stop in time.
    #[error("process {pid} did not stop within {seconds} s")]
    StillRunning {
        /// The process id.
        pid: u32,
        /// The time limit.
        seconds: u64,
    },
}

/// Returns a function that adds the attempted action to an I/O error.
pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> LocalError {
    let action = action.into();
    move |source| LocalError::Io { action, source }
}

/// Returns a function that adds the operation to an SDK error and includes the whole chain of causes.
pub(crate) fn aws<E: std::error::Error>(operation: &'static str) -> impl FnOnce(E) -> LocalError {
    move |error| LocalError::Aws { operation: operation.to_owned(), message: causes(&error) }
}

/// Returns the messages of an error and of its causes. The outer message of an SDK error has no details.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
