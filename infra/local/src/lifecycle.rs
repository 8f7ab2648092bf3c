//! Starting a stack in the background, and stopping it from another process.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{LocalError, io};
use crate::process::{Signal, signal_group, signal_process, tail};
use crate::state::{Endpoints, StackState};

/// The first start of PostgreSQL on a slow disk takes most of this time.
const START_TIMEOUT: Duration = Duration::from_secs(120);
const STOP_TIMEOUT: Duration = Duration::from_secs(45);
const CHILDREN_STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// Starts `program arguments…` in the background and waits until its stack is ready. The program must call
/// [`run`](crate::run) with `state_dir`. Its output goes to `logs/stack.log`.
///
/// # Errors
/// Returns an error if a stack is already running there, or the program ends before its stack is ready. The message
/// then has the last lines of the log.
pub fn spawn_detached<S: AsRef<OsStr>>(
    program: &Path,
    arguments: &[S],
    state_dir: &Path,
) -> Result<Endpoints, LocalError> {
    use std::os::unix::process::CommandExt as _;

    if let Ok(state) = StackState::running(state_dir) {
        return Err(LocalError::AlreadyRunning { pid: Some(state.owner.pid) });
    }
    let logs = state_dir.join("logs");
    std::fs::create_dir_all(&logs).map_err(io("creating the folder of the logs"))?;
    let log_path = logs.join("stack.log");
    let log = File::create(&log_path).map_err(io("opening the stack's log"))?;
    let errors = log.try_clone().map_err(io("opening the stack's log"))?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(io(format!("starting {}", program.display())))?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        if let Ok(state) = StackState::running(state_dir)
            && state.owner.pid == child.id()
        {
            return Ok(state.endpoints);
        }
        let has_ended = child.try_wait().map_err(io("waiting for the stack"))?.is_some();
        if has_ended || Instant::now() > deadline {
            signal_group(child.id(), Signal::TERM);
            return Err(LocalError::NotReady { what: "the stack", tail: tail(&log_path, 15), log: log_path });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Stops the stack that runs with `state_dir`, and the remaining processes of a killed one. A later process with the
/// same id is not stopped.
///
/// # Errors
/// Returns [`LocalError::NotRunning`] if nothing is running, and [`LocalError::StillRunning`] if the stack does not
/// stop.
pub fn down(state_dir: &Path) -> Result<(), LocalError> {
    let state = StackState::read(state_dir)
        .filter(|state| state.owner.is_alive() || state.children.iter().any(|child| child.is_alive()))
        .ok_or_else(|| LocalError::NotRunning { state_dir: state_dir.to_path_buf() })?;
    if state.owner.is_alive() {
        signal_process(state.owner.pid, Signal::TERM);
        wait_until(STOP_TIMEOUT, || !state.owner.is_alive());
        if state.owner.is_alive() {
            return Err(LocalError::StillRunning { pid: state.owner.pid, seconds: STOP_TIMEOUT.as_secs() });
        }
    }
    // The watcher of a killed owner stops its children. Kill those that it did not stop.
    let remaining = || state.children.iter().filter(|child| child.is_alive());
    wait_until(CHILDREN_STOP_TIMEOUT, || remaining().count() == 0);
    remaining().for_each(|child| signal_group(child.pid, Signal::KILL));
    StackState::remove(state_dir)
}

fn wait_until(timeout: Duration, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + timeout;
    while !condition() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Returns a future that resolves when this process is asked to stop: by Ctrl-C, SIGTERM or the end of its terminal.
///
/// # Errors
/// Returns an error if the signal handlers cannot be installed.
pub fn shutdown_signal() -> Result<impl Future<Output = ()> + Send, LocalError> {
    use tokio::signal::unix::{SignalKind, signal};

    let listen = |kind| signal(kind).map_err(io("installing signal handlers"));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}
