//! One execution environment: a process of the function's binary and the Runtime API that it talks to.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::runtime_api::{Init, Invocation, RuntimeApi};
use super::usage::{self, Usage};
use crate::process::{Guard, Signal, StopSignal, signal_group};

/// AWS gives a process so long to ask for its first work.
const INIT_TIMEOUT: Duration = Duration::from_secs(10);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(200);

/// What every environment of a function is started with.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) program: PathBuf,
    /// The whole environment but `AWS_LAMBDA_RUNTIME_API` and the log stream's name.
    pub(super) variables: BTreeMap<String, String>,
    pub(super) function_arn: String,
    pub(super) timeout: Duration,
    pub(super) log: File,
    pub(super) guard: Guard,
}

/// Why an invocation has no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The handler returned an error; this is what it said.
    #[error("the function failed: {0}")]
    Function(String),
    /// The process ended in the middle.
    #[error("the process ended: {0}")]
    Exited(String),
    /// It took longer than the function's timeout, and was killed.
    #[error("timed out after {0} s")]
    TimedOut(u64),
    /// The process could not be started, or ended or gave up before it asked for work.
    #[error("initialisation failed: {0}")]
    Init(String),
}

#[derive(Debug)]
pub(super) struct Environment {
    pub(super) pid: u32,
    pub(super) last_used: Instant,
    pub(super) invocations: u64,
    /// From the start of the process to its first call for work.
    pub(super) init_duration: Duration,
    api: RuntimeApi,
    exited: watch::Receiver<Option<String>>,
    usage: Arc<Mutex<Usage>>,
}

impl Environment {
    /// A cold start: the process runs and has asked for work.
    pub(super) async fn start(launch: &Launch, log_stream: &str) -> Result<Self, Failure> {
        let could_not = |error: std::io::Error| Failure::Init(error.to_string());
        let api = RuntimeApi::start().await.map_err(could_not)?;
        let started = Instant::now();
        let output = || launch.log.try_clone().map_err(could_not);
        let mut child = tokio::process::Command::new(&launch.program)
            .env_clear()
            .envs(&launch.variables)
            .env("AWS_LAMBDA_RUNTIME_API", api.authority())
            .env("AWS_LAMBDA_LOG_STREAM_NAME", log_stream)
            .current_dir(launch.program.parent().unwrap_or_else(|| std::path::Path::new("/")))
            .stdin(Stdio::null())
            .stdout(output()?)
            .stderr(output()?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(could_not)?;
        let pid = child.id().ok_or_else(|| Failure::Init("it ended at once".to_owned()))?;
        launch.guard.add(pid, StopSignal::Kill).map_err(could_not)?;
        let (sender, exited) = watch::channel(None);
        let guard = launch.guard.clone();
        tokio::spawn(async move {
            let status = match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            };
            if let Err(error) = guard.remove(pid) {
                tracing::warn!(%error, pid, "the watcher of child processes is gone");
            }
            sender.send_replace(Some(status));
        });
        let usage = Arc::new(Mutex::new(Usage::default()));
        let mut environment = Self {
            pid,
            last_used: started,
            invocations: 0,
            init_duration: Duration::ZERO,
            api,
            exited,
            usage,
        };
        environment.wait_for_init().await?;
        environment.init_duration = started.elapsed();
        Ok(environment)
    }

    async fn wait_for_init(&self) -> Result<(), Failure> {
        let mut init = self.api.init();
        let mut exited = self.exited.clone();
        let problem = tokio::select! {
            // Asked first, since a process that gives up says why and then ends.
            biased;
            reached = init.wait_for(|init| *init != Init::Starting) => match reached.as_deref() {
                Ok(Init::Ready) => return Ok(()),
                Ok(Init::Failed(reason)) => reason.clone(),
                Ok(Init::Starting) | Err(_) => "the runtime API is gone".to_owned(),
            },
            status = exited.wait_for(Option::is_some) => {
                status.map(|status| status.clone().unwrap_or_default()).unwrap_or_default()
            }
            () = tokio::time::sleep(INIT_TIMEOUT) => format!("no call for work within {} s", INIT_TIMEOUT.as_secs()),
        };
        self.kill();
        Err(Failure::Init(problem))
    }

    /// Runs one invocation. After [`Failure::Exited`] and [`Failure::TimedOut`] the environment is of no more use.
    pub(super) async fn invoke(
        &mut self,
        launch: &Launch,
        request_id: &str,
        payload: Bytes,
    ) -> Result<Bytes, Failure> {
        let (reply, answer) = oneshot::channel();
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
        let outcome = self.wait_for_answer(answer, launch.timeout).await;
        self.sample();
        self.last_used = Instant::now();
        outcome
    }

    async fn wait_for_answer(
        &self,
        mut answer: oneshot::Receiver<Result<Bytes, Bytes>>,
        timeout: Duration,
    ) -> Result<Bytes, Failure> {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut exited = self.exited.clone();
        loop {
            tokio::select! {
                biased;
                answered = &mut answer => return match answered {
                    Ok(Ok(response)) => Ok(response),
                    Ok(Err(error)) => Err(Failure::Function(String::from_utf8_lossy(&error).into_owned())),
                    Err(_) => Err(Failure::Exited("it took the work and asked for more".to_owned())),
                },
                status = exited.wait_for(Option::is_some) => {
                    let status = status.map(|status| status.clone().unwrap_or_default());
                    return Err(Failure::Exited(status.unwrap_or_default()));
                }
                () = tokio::time::sleep_until(deadline) => {
                    self.sample();
                    self.kill();
                    return Err(Failure::TimedOut(timeout.as_secs()));
                }
                () = tokio::time::sleep(SAMPLE_INTERVAL) => self.sample(),
            }
        }
    }

    /// False once the process has ended.
    pub(super) fn is_alive(&self) -> bool {
        self.exited.borrow().is_none()
    }

    /// What the process had used when it was last looked at.
    pub(super) fn usage(&self) -> Usage {
        *self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last value for others to read while this environment is busy.
    pub(super) fn shared_usage(&self) -> Arc<Mutex<Usage>> {
        self.usage.clone()
    }

    /// SIGKILL, as AWS ends an environment.
    pub(super) fn kill(&self) {
        if self.is_alive() {
            signal_group(self.pid, Signal::KILL);
        }
    }

    fn sample(&self) {
        // A process that has just ended keeps the last sample.
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

/// `Root=1-<seconds, 8 hex>-<24 hex>;Parent=<16 hex>;Sampled=0`, the X-Ray header.
fn trace_id() -> String {
    let seconds = jiff::Timestamp::now().as_second();
    let root = uuid::Uuid::new_v4().simple().to_string();
    let parent = uuid::Uuid::new_v4().simple().to_string();
    format!("Root=1-{seconds:08x}-{};Parent={};Sampled=0", &root[..24], &parent[..16])
}
