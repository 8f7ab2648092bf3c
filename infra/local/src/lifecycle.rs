//! Starting a stack in the background, and stopping it from another process.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{LocalError, io};
use crate::process::{Signal, signal_group, signal_process, tail};
use crate::state::{Endpoints, State};

/// How long a stack may take to come up: the first start of PostgreSQL on a slow disk, and room to spare.
const START_PATIENCE: Duration = Duration::from_secs(120);
const STOP_PATIENCE: Duration = Duration::from_secs(45);

/// Starts `program arguments…`, which must call [`run`](crate::run) on `state_dir`, in the background and waits until
/// its stack is ready. Its output goes to `logs/stack.log`.
///
/// # Errors
/// When a stack runs there already, or the program ends before its stack is ready; the message has the log's end.
pub fn spawn_detached<S: AsRef<OsStr>>(
    program: &Path,
    arguments: &[S],
    state_dir: &Path,
) -> Result<Endpoints, LocalError> {
    use std::os::unix::process::CommandExt as _;

    if let Ok(state) = State::running(state_dir) {
        return Err(LocalError::AlreadyRunning { pid: state.owner.pid });
    }
    let logs = state_dir.join("logs");
    std::fs::create_dir_all(&logs).map_err(io("making the folder for logs"))?;
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
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        if let Ok(state) = State::running(state_dir)
            && state.owner.pid == child.id()
        {
            return Ok(state.endpoints);
        }
        let ended = child.try_wait().map_err(io("waiting for the stack"))?.is_some();
        if ended || Instant::now() > deadline {
            signal_group(child.id(), Signal::TERM);
            return Err(LocalError::NotReady { what: "the stack", tail: tail(&log_path, 15), log: log_path });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Stops the stack that runs on `state_dir`, and whatever of it is left. A process that merely has the id of one of
/// ours is left alone.
///
/// # Errors
/// [`LocalError::NotRunning`] when there is nothing to stop; [`LocalError::StillRunning`] when it does not stop.
pub fn down(state_dir: &Path) -> Result<(), LocalError> {
    let state = State::read(state_dir)
        .filter(|state| state.owner.is_alive() || state.children.iter().any(|child| child.is_alive()))
        .ok_or_else(|| LocalError::NotRunning { state_dir: state_dir.to_path_buf() })?;
    if state.owner.is_alive() {
        signal_process(state.owner.pid, Signal::TERM);
        wait_until(STOP_PATIENCE, || !state.owner.is_alive());
        if state.owner.is_alive() {
            return Err(LocalError::StillRunning { pid: state.owner.pid, seconds: STOP_PATIENCE.as_secs() });
        }
    }
    // An owner that was killed leaves them to its watcher; here they are waited for, or stopped if that failed too.
    let left = || state.children.iter().filter(|child| child.is_alive());
    wait_until(Duration::from_secs(6), || left().count() == 0);
    left().for_each(|child| signal_group(child.pid, Signal::KILL));
    State::remove(state_dir)
}

fn wait_until(patience: Duration, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + patience;
    while !condition() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Resolves when this process is asked to stop: Ctrl-C, SIGTERM or the end of its terminal.
///
/// # Errors
/// When the signals cannot be listened to.
pub fn shutdown_signal() -> Result<impl Future<Output = ()> + Send, LocalError> {
    use tokio::signal::unix::{SignalKind, signal};

    let listen = |kind| signal(kind).map_err(io("listening to signals"));
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
