//! One execution environment: a process of the function's binary with its own Runtime API.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::runtime_api::{InitState, Invocation, RuntimeApi};
use super::usage::{self, Usage};
use crate::process::{Guard, Signal, StopSignal, signal_group};

/// AWS's limit for the initialisation, until the first request for an invocation.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(200);

/// The program and the configuration that a deployment sets.
#[derive(Debug)]
pub(super) struct Release {
    pub(super) program: PathBuf,
    /// All environment variables except `AWS_LAMBDA_RUNTIME_API` and `AWS_LAMBDA_LOG_STREAM_NAME`.
    pub(super) variables: BTreeMap<String, String>,
}

/// The parameters of a function's execution environments that all releases share.
#[derive(Debug)]
pub(super) struct LaunchConfig {
    pub(super) function_arn: String,
    pub(super) timeout: Duration,
    pub(super) log: File,
    pub(super) guard: Guard,
}

/// The reason why an invocation has no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvocationFailure {
    /// The handler returned this error.
    #[error("the function failed: {0}")]
    Function(String),
    /// The process ended during the invocation, with this status.
    #[error("the process ended: {0}")]
    Exited(String),
    /// The invocation exceeded the function's timeout in seconds, and the process was killed.
    #[error("timed out after {0} s")]
    TimedOut(u64),
    /// The process did not start, ended, or reported an error before it requested an invocation.
    #[error("initialisation failed: {0}")]
    Init(String),
}

#[derive(Debug)]
pub(super) struct Environment {
    pub(super) pid: u32,
    pub(super) last_used: Instant,
    pub(super) invocations: u64,
    /// From the start of the process to its first request for an invocation.
    pub(super) init_duration: Duration,
    /// The release that it runs.
    pub(super) release: Arc<Release>,
    api: RuntimeApi,
    exited: watch::Receiver<Option<String>>,
    usage: Arc<Mutex<Usage>>,
}

impl Environment {
    /// Starts a process and waits until it has requested an invocation: a cold start.
    pub(super) async fn start(
        launch: &LaunchConfig,
        release: Arc<Release>,
        log_stream: &str,
    ) -> Result<Self, InvocationFailure> {
        let not_started = |error: std::io::Error| InvocationFailure::Init(error.to_string());
        let api = RuntimeApi::start().await.map_err(not_started)?;
        let started = Instant::now();
        let output = || launch.log.try_clone().map_err(not_started);
        let mut child = tokio::process::Command::new(&release.program)
            .env_clear()
            .envs(&release.variables)
            .env("AWS_LAMBDA_RUNTIME_API", api.authority())
            .env("AWS_LAMBDA_LOG_STREAM_NAME", log_stream)
            .current_dir(release.program.parent().unwrap_or_else(|| std::path::Path::new("/")))
            .stdin(Stdio::null())
            .stdout(output()?)
            .stderr(output()?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(not_started)?;
        let pid = child.id().expect("the process has not been waited for");
        launch.guard.add(pid, StopSignal::Kill).map_err(not_started)?;
        let (sender, exited) = watch::channel(None);
        let guard = launch.guard.clone();
        tokio::spawn(async move {
            let status = match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            if let Err(error) = guard.remove(pid) {
                tracing::warn!(%error, pid, "the watcher of child processes has ended");
            }
            sender.send_replace(Some(status));
        });
        let usage = Arc::new(Mutex::new(Usage::default()));
        let mut environment = Self {
            pid,
            last_used: started,
            invocations: 0,
            init_duration: Duration::ZERO,
            release,
            api,
            exited,
            usage,
        };
        environment.wait_for_init().await?;
        environment.init_duration = started.elapsed();
        Ok(environment)
    }

    async fn wait_for_init(&self) -> Result<(), InvocationFailure> {
        let mut init = self.api.init();
        let mut exited = self.exited.clone();
        let problem = tokio::select! {
            // The state comes before the exit: a process that reports an error ends right after it.
            biased;
            reached = init.wait_for(|init| *init != InitState::Starting) => match reached.as_deref() {
                Ok(InitState::Ready) => return Ok(()),
                Ok(InitState::Failed(reason)) => reason.clone(),
                Ok(InitState::Starting) | Err(_) => "the runtime API has ended".to_owned(),
            },
            status = exit_status(&mut exited) => status,
            () = tokio::time::sleep(INIT_TIMEOUT) => {
                format!("no request for an invocation within {} s", INIT_TIMEOUT.as_secs())
            }
        };
        self.kill();
        Err(InvocationFailure::Init(problem))
    }

    /// Runs one invocation. The environment cannot be used again after [`InvocationFailure::Exited`] and
    /// [`InvocationFailure::TimedOut`].
    pub(super) async fn invoke(
        &mut self,
        launch: &LaunchConfig,
        request_id: &str,
        payload: Bytes,
    ) -> Result<Bytes, InvocationFailure> {
        let (reply, response) = oneshot::channel();
        let invocation = Invocation {
            request_id: request_id.to_owned(),
            trace_id: trace_id(),
            function_arn: launch.function_arn.clone(),
            timeout: launch.timeout,
            payload,
            reply,
        };
        self.invocations += 1;
        self.api.send(invocation).await;
        let result = self.wait_for_response(response, launch.timeout).await;
        self.sample();
        self.last_used = Instant::now();
        result
    }

    async fn wait_for_response(
        &self,
        mut response: oneshot::Receiver<Result<Bytes, Bytes>>,
        timeout: Duration,
    ) -> Result<Bytes, InvocationFailure> {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut exited = self.exited.clone();
        loop {
            tokio::select! {
                biased;
                received = &mut response => return match received {
                    Ok(Ok(response)) => Ok(response),
                    Ok(Err(error)) => {
                        Err(InvocationFailure::Function(String::from_utf8_lossy(&error).into_owned()))
                    }
                    Err(_) => Err(InvocationFailure::Exited(
                        "the function requested another invocation without a response".to_owned(),
                    )),
                },
                status = exit_status(&mut exited) => return Err(InvocationFailure::Exited(status)),
                () = tokio::time::sleep_until(deadline) => {
                    self.sample();
                    self.kill();
                    return Err(InvocationFailure::TimedOut(timeout.as_secs()));
                }
                () = tokio::time::sleep(SAMPLE_INTERVAL) => self.sample(),
            }
        }
    }

    /// Returns whether the process is still running.
    pub(super) fn is_alive(&self) -> bool {
        self.exited.borrow().is_none()
    }

    /// Returns the last sample of the process's usage.
    pub(super) fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns a handle to the last sample, which can be read while this environment is busy.
    pub(super) fn shared_usage(&self) -> Arc<Mutex<Usage>> {
        self.usage.clone()
    }

    /// Kills the process by SIGKILL, as AWS does.
    pub(super) fn kill(&self) {
        if self.is_alive() {
            signal_group(self.pid, Signal::KILL);
        }
    }

    fn sample(&self) {
        // The last sample remains valid when the process has just ended.
        if let Some(used) = usage::of(self.pid) {
            *self.usage.lock().unwrap_or_else(PoisonError::into_inner) = used;
        }
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waits until the process has ended and returns its status as text.
async fn exit_status(exited: &mut watch::Receiver<Option<String>>) -> String {
    match exited.wait_for(Option::is_some).await {
        Ok(status) => status.clone().expect("the wait ends when the status is known"),
        Err(_) => "the status is unknown".to_owned(),
    }
}

/// Returns an X-Ray header: `Root=1-<seconds, 8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0`.
fn trace_id() -> String {
    let seconds = jiff::Timestamp::now().as_second();
    let root = uuid::Uuid::new_v4().simple().to_string();
    let parent = uuid::Uuid::new_v4().simple().to_string();
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &root[..24], &parent[..16])
}
