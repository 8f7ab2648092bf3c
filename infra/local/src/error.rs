//! Why the local stack is not there.

use std::path::PathBuf;

use crate::postgres::PostgresError;
use crate::template::TemplateError;

/// Why the local stack did not start, or did not stop.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A stack runs already on this state folder.
    #[error("a local stack is running already (process {pid}); stop it with `penstock down`")]
    AlreadyRunning {
        /// Its process.
        pid: u32,
    },
    /// No stack runs on this state folder.
    #[error("no local stack is running on {}; start one with `penstock up`", state_dir.display())]
    NotRunning {
        /// The state folder.
        state_dir: PathBuf,
    },
    /// Something that must be installed or built first is missing.
    #[error("{what} is missing at {}: {remedy}", path.display())]
    Missing {
        /// What.
        what: String,
        /// Where it was looked for.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
    },
    /// The template could not be read or resolved.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// PostgreSQL did not start.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A server ended, or did not answer in time.
    #[error("{what} did not start; the end of {}:\n{tail}", log.display())]
    NotReady {
        /// The server.
        what: &'static str,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// A call to the emulated AWS failed.
    #[error("{operation}: {message}")]
    Aws {
        /// The call.
        operation: &'static str,
        /// What came back.
        message: String,
    },
    /// A run of a scheduled function failed.
    #[error("a run of {function} failed: {message}")]
    RunFailed {
        /// The function.
        function: String,
        /// What it said.
        message: String,
    },
    /// A file, socket or process.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The stack did not stop in time.
    #[error("process {pid} did not stop within {seconds} s")]
    StillRunning {
        /// The process.
        pid: u32,
        /// How long it was waited for.
        seconds: u64,
    },
}

/// Turns an I/O error into a [`LocalError`] that says what was tried.
pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> LocalError {
    let action = action.into();
    move |source| LocalError::Io { action, source }
}

/// Turns an SDK error into a [`LocalError`] that names the call, with the whole chain of causes.
pub(crate) fn aws<E: std::error::Error>(operation: &'static str) -> impl FnOnce(E) -> LocalError {
    move |error| LocalError::Aws { operation, message: causes(&error) }
}

/// The messages of an error and of what caused it; SDK errors say nothing in the first.
pub(crate) fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
