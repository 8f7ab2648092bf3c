//! A function with its execution environments, which are started on demand, reused, and stopped when idle.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::environment::{Environment, InvocationFailure, LaunchConfig, Release};
use super::status::{EnvironmentStatus, FunctionStatus, InvocationTotals};
use super::usage::Usage;
use crate::error::{LocalError, io};
use crate::process::{Guard, Signal, signal_group};
use crate::template::FunctionSpec;

/// The parameters that all functions of a stack share.
#[derive(Debug, Clone)]
pub(crate) struct HostConfig {
    /// The folder of the binaries.
    pub(crate) functions_dir: PathBuf,
    /// The folder of the logs.
    pub(crate) logs_dir: PathBuf,
    /// Environment variables with region, credentials and endpoints.
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) idle_timeout: Duration,
    pub(crate) guard: Guard,
}

/// A change of a running function.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Deployment {
    /// The folder of the binary.
    functions_dir: Option<PathBuf>,
    /// Environment variables that override those of the first release.
    variables: BTreeMap<String, String>,
}

/// A Lambda function.
#[derive(Debug)]
pub(crate) struct Function {
    name: String,
    memory_mb: u32,
    launch: LaunchConfig,
    binary: String,
    /// The release that the stack was started with.
    first: Arc<Release>,
    state: Mutex<FunctionState>,
}

#[derive(Debug)]
struct FunctionState {
    /// The release that new environments run.
    release: Arc<Release>,
    idle: Vec<Environment>,
    /// Environments with a current invocation, by process id.
    busy: BTreeMap<u32, BusyEnvironment>,
    /// The usage of environments that have ended.
    ended_usage: Usage,
    totals: InvocationTotals,
    started: u64,
}

#[derive(Debug)]
struct BusyEnvironment {
    since: Instant,
    invocations: u64,
    usage: Arc<Mutex<Usage>>,
}

impl Function {
    /// Prepares a function. Its first environment starts with the first invocation.
    ///
    /// # Errors
    /// Returns an error if its binary is missing, or its log cannot be written.
    pub(crate) fn new(spec: &FunctionSpec, host: &HostConfig) -> Result<Arc<Self>, LocalError> {
        let program = program(&host.functions_dir, &spec.binary)?;
        let log_path = host.logs_dir.join(format!("{}.log", spec.binary));
        // Truncated for a new stack, then opened for appending, because several processes write to it.
        let log = File::create(&log_path).and_then(|_| File::options().append(true).open(&log_path));
        let first = Arc::new(Release { program, variables: variables(spec, host) });
        let launch = LaunchConfig {
            function_arn: format!(
                "arn:aws:lambda:{}:{}:function:{}",
                host.region, host.account_id, spec.function_name
            ),
            timeout: Duration::from_secs(spec.timeout_seconds.into()),
            log: log.map_err(io(format!("opening {}", log_path.display())))?,
            guard: host.guard.clone(),
        };
        let function = Arc::new(Self {
            name: spec.binary.clone(),
            memory_mb: spec.memory_mb,
            launch,
            binary: spec.binary.clone(),
            state: Mutex::new(FunctionState::new(first.clone())),
            first,
        });
        tokio::spawn(stop_idle(Arc::downgrade(&function), host.idle_timeout));
        Ok(function)
    }

    /// Returns the name of the function's binary.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Deploys a release: the binary in `functions_dir` (by default, that of the first release) and the variables of the
    /// first release with these changes. As on AWS, current invocations end on the release that they began on.
    ///
    /// # Errors
    /// Returns an error if the binary is missing.
    pub(crate) fn deploy(&self, deployment: Deployment) -> Result<(), LocalError> {
        let Deployment { functions_dir, variables: changes } = deployment;
        let program = match functions_dir {
            Some(folder) => program(&folder, &self.binary)?,
            None => self.first.program.clone(),
        };
        let mut variables = self.first.variables.clone();
        variables.extend(changes);
        let mut state = self.state();
        state.release = Arc::new(Release { program, variables });
        for environment in std::mem::take(&mut state.idle) {
            state.retire(&environment);
        }
        Ok(())
    }

    /// Runs one invocation, in an idle environment if there is one.
    pub(crate) async fn invoke(&self, payload: Bytes) -> Result<Bytes, InvocationFailure> {
        let request_id = uuid::Uuid::new_v4().to_string();
        let started = Instant::now();
        let mut environment = match self.acquire().await {
            Ok(environment) => environment,
            Err(failure) => {
                self.finish(None, &request_id, started.elapsed(), Some(&failure));
                return Err(failure);
            }
        };
        let started = Instant::now();
        let busy = BusyEnvironment {
            since: started,
            invocations: environment.invocations + 1,
            usage: environment.shared_usage(),
        };
        self.state().busy.insert(environment.pid, busy);
        let result = environment.invoke(&self.launch, &request_id, payload).await;
        self.finish(Some(environment), &request_id, started.elapsed(), result.as_ref().err());
        result
    }

    /// Returns an idle environment, or starts one.
    async fn acquire(&self) -> Result<Environment, InvocationFailure> {
        let (release, number) = {
            let mut state = self.state();
            while let Some(environment) = state.idle.pop() {
                if environment.is_alive() {
                    return Ok(environment);
                }
                state.retire(&environment);
            }
            state.started += 1;
            (state.release.clone(), state.started)
        };
        let log_stream = format!("local/[$LATEST]{number}");
        let environment = Environment::start(&self.launch, release, &log_stream).await?;
        self.state().totals.init_durations_ms.push(milliseconds(environment.init_duration));
        Ok(environment)
    }

    fn finish(
        &self,
        environment: Option<Environment>,
        request_id: &str,
        duration: Duration,
        failure: Option<&InvocationFailure>,
    ) {
        self.log_report(environment.as_ref(), request_id, duration, failure);
        let mut state = self.state();
        state.totals.count(duration, failure);
        let Some(environment) = environment else { return };
        state.busy.remove(&environment.pid);
        let has_ended = match failure {
            Some(
                InvocationFailure::Exited(_) | InvocationFailure::TimedOut(_) | InvocationFailure::Init(_),
            ) => true,
            // As on AWS, the environment is reused after the handler has returned an error.
            Some(InvocationFailure::Function(_)) | None => {
                !environment.is_alive() || !Arc::ptr_eq(&environment.release, &state.release)
            }
        };
        if has_ended { state.retire(&environment) } else { state.idle.push(environment) }
    }

    /// Writes a `platform.report` line to the function's log, as Lambda does.
    fn log_report(
        &self,
        environment: Option<&Environment>,
        request_id: &str,
        duration: Duration,
        failure: Option<&InvocationFailure>,
    ) {
        let status = match failure {
            None => "success",
            Some(InvocationFailure::TimedOut(_)) => "timeout",
            Some(
                InvocationFailure::Function(_) | InvocationFailure::Exited(_) | InvocationFailure::Init(_),
            ) => "error",
        };
        let mut metrics = json!({"durationMs": milliseconds(duration), "memorySizeMB": self.memory_mb});
        if let Some(environment) = environment {
            metrics["maxMemoryUsedMB"] = environment.usage().peak_memory_bytes.div_ceil(1024 * 1024).into();
            if environment.invocations == 1 {
                metrics["initDurationMs"] = milliseconds(environment.init_duration).into();
            }
        }
        let mut record = json!({"requestId": request_id, "status": status, "metrics": metrics});
        if let Some(failure) = failure {
            record["errorType"] = failure.to_string().into();
        }
        let time = jiff::Timestamp::now().to_string();
        let line = json!({"time": time, "type": "platform.report", "record": record});
        if let Err(error) = (&self.launch.log).write_all(format!("{line}\n").as_bytes()) {
            tracing::warn!(%error, function = self.name, "cannot write a report to the function's log");
        }
    }

    /// Returns the function's status.
    pub(crate) fn status(&self) -> FunctionStatus {
        let state = self.state();
        let idle = state.idle.iter().map(|environment| EnvironmentStatus {
            pid: environment.pid,
            busy_ms: None,
            invocations: environment.invocations,
            usage: environment.usage(),
        });
        let busy = state.busy.iter().map(|(pid, busy)| EnvironmentStatus {
            pid: *pid,
            busy_ms: Some(milliseconds(busy.since.elapsed())),
            invocations: busy.invocations,
            usage: *busy.usage.lock().unwrap_or_else(PoisonError::into_inner),
        });
        let environments: Vec<EnvironmentStatus> = idle.chain(busy).collect();
        let mut usage = state.ended_usage;
        for environment in &environments {
            usage = add(usage, environment.usage);
        }
        FunctionStatus { environments, usage, totals: state.totals.clone() }
    }

    /// Kills all environments by SIGKILL, like a crash of their machine. Returns the process ids.
    pub(crate) fn kill(&self) -> Vec<u32> {
        let mut state = self.state();
        let idle = std::mem::take(&mut state.idle);
        for environment in &idle {
            environment.kill();
            state.retire(environment);
        }
        // The current invocations detect, count and retire the busy environments.
        for pid in state.busy.keys() {
            signal_group(*pid, Signal::KILL);
        }
        idle.iter().map(|environment| environment.pid).chain(state.busy.keys().copied()).collect()
    }

    fn state(&self) -> MutexGuard<'_, FunctionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FunctionState {
    fn new(release: Arc<Release>) -> Self {
        Self {
            release,
            idle: Vec::new(),
            busy: BTreeMap::new(),
            ended_usage: Usage::default(),
            totals: InvocationTotals::default(),
            started: 0,
        }
    }

    /// Adds the usage of an environment that has ended.
    fn retire(&mut self, environment: &Environment) {
        self.ended_usage = add(self.ended_usage, environment.usage());
    }
}

/// Returns the path of the binary in `folder`.
fn program(folder: &Path, binary: &str) -> Result<PathBuf, LocalError> {
    let path = std::path::absolute(folder.join(binary)).map_err(io("resolving a binary"))?;
    if path.is_file() {
        return Ok(path);
    }
    let remedy = "build it: cargo build --bins";
    Err(LocalError::Missing { what: format!("function {binary}"), path, remedy })
}

/// Returns the sum of the CPU times and the larger of the peaks.
fn add(left: Usage, right: Usage) -> Usage {
    Usage {
        peak_memory_bytes: left.peak_memory_bytes.max(right.peak_memory_bytes),
        cpu_seconds: left.cpu_seconds + right.cpu_seconds,
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

/// Stops environments that have been idle for `idle_timeout`.
async fn stop_idle(function: Weak<Function>, idle_timeout: Duration) {
    loop {
        tokio::time::sleep(Duration::from_millis(500).min(idle_timeout)).await;
        let Some(function) = function.upgrade() else { return };
        let mut state = function.state();
        let (keep, stop): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.idle).into_iter().partition(|environment| {
                environment.is_alive() && environment.last_used.elapsed() < idle_timeout
            });
        state.idle = keep;
        stop.iter().for_each(|environment| state.retire(environment));
    }
}

/// Returns the environment variables that a process has on AWS, without those of this process.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>
fn variables(spec: &FunctionSpec, host: &HostConfig) -> BTreeMap<String, String> {
    let mut variables = spec.environment.clone();
    variables.extend(host.variables.clone());
    let task_root = host.functions_dir.display().to_string();
    let memory = spec.memory_mb.to_string();
    let log_group = format!("/aws/lambda/{}", spec.function_name);
    let reserved = [
        ("_HANDLER", spec.handler.as_str()),
        ("AWS_DEFAULT_REGION", &host.region),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", &memory),
        ("AWS_LAMBDA_FUNCTION_NAME", &spec.function_name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", &spec.log_format),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &log_group),
        ("AWS_REGION", &host.region),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("LAMBDA_TASK_ROOT", &task_root),
        ("LANG", "en_US.UTF-8"),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("TZ", ":UTC"),
    ];
    variables.extend(reserved.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if spec.log_format == "JSON" {
        variables.insert("AWS_LAMBDA_LOG_LEVEL".to_owned(), "INFO".to_owned());
    }
    variables
}
