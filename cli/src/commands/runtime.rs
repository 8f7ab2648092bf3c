//! The asynchronous runtime of the commands that call AWS.

use anyhow::{Context as _, Result};
use tokio::runtime::{Builder, Runtime};

/// Runs a command that calls AWS.
pub(crate) fn block_on<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    runtime()?.block_on(command)
}

/// Returns a runtime with a single thread.
pub(crate) fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_all().build().context("starting the runtime")
}
