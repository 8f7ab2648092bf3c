//! Child processes that never outlive this process.
//!
//! Each child leads its own process group. Ctrl-C in the terminal therefore reaches only this process, which stops the
//! children in the right order. [`Guard`] stops them when this process is killed: a shell waits on a pipe that closes
//! when this process ends, and then stops the process groups that are still registered. (`PR_SET_PDEATHSIG` exists on
//! Linux only, and its signal is sent when the *thread* that started the child ends.)

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, test_kill_process};

/// Reads `add PID SIGNAL` and `remove PID` until the pipe closes. Then sends its signal to each registered group, and
/// SIGKILL after five seconds to those that are still running.
const WATCH: &str = r#"
trap '' HUP INT TERM QUIT
entries=
while read -r verb pid signal; do
  others=
  for entry in $entries; do
    case $entry in "$pid:"*) ;; *) others="$others $entry" ;; esac
  done
  entries=$others
  if [ "$verb" = add ]; then entries="$entries $pid:$signal"; fi
done
for entry in $entries; do kill -s "${entry#*:}" -- "-${entry%%:*}"; done
tries=0
while [ "$tries" -lt 50 ]; do
  alive=
  for entry in $entries; do if kill -s 0 -- "-${entry%%:*}"; then alive="$alive $entry"; fi; done
  entries=$alive
  if [ -z "$entries" ]; then exit 0; fi
  tries=$((tries + 1))
  sleep 0.1
done
for entry in $entries; do kill -s KILL -- "-${entry%%:*}"; done
"#;

/// The signal that stops a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM: the shutdown signal of most servers.
    Term,
    /// SIGINT: PostgreSQL's fast shutdown.
    Int,
    /// SIGKILL: for a process without data to save.
    Kill,
}

impl StopSignal {
    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Kill => "KILL",
        }
    }

    fn signal(self) -> Signal {
        match self {
            Self::Term => Signal::TERM,
            Self::Int => Signal::INT,
            Self::Kill => Signal::KILL,
        }
    }
}

/// Stops the registered process groups if this process ends before it has stopped them. Clones share one watcher.
#[derive(Debug, Clone)]
pub struct Guard {
    watcher: Arc<Mutex<Watcher>>,
}

#[derive(Debug)]
struct Watcher {
    child: Child,
    commands: Option<ChildStdin>,
}

impl Guard {
    /// Starts the watcher.
    ///
    /// # Errors
    /// Returns an error if `sh` cannot be started.
    pub fn start() -> std::io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", WATCH])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let commands = child.stdin.take();
        Ok(Self { watcher: Arc::new(Mutex::new(Watcher { child, commands })) })
    }

    /// Registers the process group that `pid` leads.
    ///
    /// # Errors
    /// Returns an error if the watcher has ended.
    pub fn add(&self, pid: u32, signal: StopSignal) -> std::io::Result<()> {
        self.send(&format!("add {pid} {}\n", signal.name()))
    }

    /// Unregisters a process group. Must be called when the group has ended, because the system reuses its id.
    ///
    /// # Errors
    /// Returns an error if the watcher has ended.
    pub fn remove(&self, pid: u32) -> std::io::Result<()> {
        self.send(&format!("remove {pid}\n"))
    }

    fn send(&self, line: &str) -> std::io::Result<()> {
        let mut watcher = self.watcher.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match watcher.commands.as_mut() {
            Some(commands) => commands.write_all(line.as_bytes()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Err(error) = self.child.wait() {
            tracing::warn!(%error, "cannot wait for the watcher of child processes");
        }
    }
}

/// A child process that leads its own process group and is registered with a [`Guard`]. Dropping it stops the process.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    guard: Guard,
    signal: StopSignal,
    has_ended: bool,
}

impl Supervised {
    /// Starts `command` and registers it with `guard`.
    ///
    /// # Errors
    /// Returns an error if the program cannot be started, or the guard's watcher has ended.
    pub fn spawn(command: &mut Command, guard: &Guard, signal: StopSignal) -> std::io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let supervised = Self { child, guard: guard.clone(), signal, has_ended: false };
        guard.add(supervised.pid(), signal)?;
        Ok(supervised)
    }

    /// Returns the process id, which is also the id of the process group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the exit status if the process has ended.
    ///
    /// # Errors
    /// Returns an error if the process cannot be waited for.
    pub fn try_wait(&mut self) -> std::io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() && !self.has_ended {
            self.has_ended = true;
            self.guard.remove(self.child.id())?;
        }
        Ok(status)
    }

    /// Sends the stop signal, waits up to `timeout`, then kills the group. Returns `None` only if SIGKILL did not end
    /// the process either.
    ///
    /// # Errors
    /// Returns an error if the process cannot be waited for.
    pub fn stop(&mut self, timeout: Duration) -> std::io::Result<Option<ExitStatus>> {
        if let Some(status) = self.try_wait()? {
            return Ok(Some(status));
        }
        signal_group(self.pid(), self.signal.signal());
        if let Some(status) = self.wait_until(Instant::now() + timeout)? {
            return Ok(Some(status));
        }
        self.kill()
    }

    /// Sends SIGKILL to the whole group.
    ///
    /// # Errors
    /// Returns an error if the process cannot be waited for.
    pub fn kill(&mut self) -> std::io::Result<Option<ExitStatus>> {
        if let Some(status) = self.try_wait()? {
            return Ok(Some(status));
        }
        signal_group(self.pid(), Signal::KILL);
        self.wait_until(Instant::now() + Duration::from_secs(10))
    }

    fn wait_until(&mut self, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if let Err(error) = self.stop(Duration::from_secs(10)) {
            tracing::warn!(%error, pid = self.pid(), "cannot stop a child process");
        }
    }
}

/// Sends a signal to a process group. Does nothing when the group has ended.
pub fn signal_group(pid: u32, signal: Signal) {
    if let Some(pid) = to_pid(pid)
        && let Err(error) = rustix::process::kill_process_group(pid, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, pid = pid.as_raw_nonzero(), "cannot signal a process group");
    }
}

/// Sends a signal to a process. Does nothing when the process has ended.
pub fn signal_process(pid: u32, signal: Signal) {
    if let Some(pid) = to_pid(pid)
        && let Err(error) = rustix::process::kill_process(pid, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, pid = pid.as_raw_nonzero(), "cannot signal a process");
    }
}

/// Returns the start time of a process in the system's notation, or `None` when there is no such process. The system
/// reuses process ids; id and start time together identify a process.
pub fn identity(pid: u32) -> Option<String> {
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name is in parentheses and may contain spaces and parentheses. After it, the first field is the state and
        // the twentieth the start time in clock ticks; see proc(5).
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        return if state == "Z" { None } else { fields.nth(18).map(str::to_owned) };
    }
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let started = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!started.is_empty()).then_some(started)
}

/// Returns whether the process with this id is running and has this [`identity`].
pub fn is_same_process(pid: u32, identity_then: &str) -> bool {
    identity(pid).as_deref() == Some(identity_then)
}

/// Returns the last lines of a log.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let content = match std::fs::read(path) {
        Ok(content) => content,
        // The text is a part of an error message, which then shows why the lines are missing.
        Err(error) => return format!("(cannot read the log: {error})"),
    };
    let content = String::from_utf8_lossy(&content);
    let all: Vec<&str> = content.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Returns whether a process with this id exists.
pub fn is_alive(pid: u32) -> bool {
    to_pid(pid).is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Returns a port of 127.0.0.1 that was free at the time of the call.
///
/// # Errors
/// Returns an error if no port can be bound.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper() -> Command {
        let mut command = Command::new("sleep");
        command.arg("600");
        command
    }

    fn ends_within(pid: u32, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        while is_alive(pid) {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        true
    }

    #[test]
    fn a_dropped_child_is_stopped() {
        let guard = Guard::start().unwrap();
        let child = Supervised::spawn(&mut sleeper(), &guard, StopSignal::Term).unwrap();
        let pid = child.pid();
        drop(child);
        assert!(!is_alive(pid));
    }

    #[test]
    fn a_child_that_ignores_the_signal_is_killed() {
        let guard = Guard::start().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]).stdout(Stdio::piped());
        let mut child = Supervised::spawn(&mut command, &guard, StopSignal::Term).unwrap();
        let mut line = [0; 6];
        std::io::Read::read_exact(child.child.stdout.as_mut().unwrap(), &mut line).unwrap();
        assert!(child.stop(Duration::from_millis(50)).unwrap().is_some());
    }

    #[test]
    fn a_process_is_distinguished_from_a_later_one_with_the_same_id() {
        let mut child = sleeper().spawn().unwrap();
        let then = identity(child.id()).unwrap();
        assert!(is_same_process(child.id(), &then));
        assert!(!is_same_process(child.id(), "another start"));
        child.kill().unwrap();
        // A zombie counts as ended: its parent may never collect it.
        let deadline = Instant::now() + Duration::from_secs(5);
        while is_same_process(child.id(), &then) {
            assert!(Instant::now() < deadline);
        }
        child.wait().unwrap();
        assert_eq!(identity(child.id()), None);
    }

    #[test]
    fn the_guard_stops_registered_processes_only() {
        let guard = Guard::start().unwrap();
        let mut registered = sleeper().process_group(0).spawn().unwrap();
        let mut removed = sleeper().process_group(0).spawn().unwrap();
        guard.add(registered.id(), StopSignal::Kill).unwrap();
        guard.add(removed.id(), StopSignal::Kill).unwrap();
        guard.remove(removed.id()).unwrap();
        // Dropping the guard closes the pipe, as the end of this process does. The thread collects the zombie, which
        // would count as alive.
        let registered_id = registered.id();
        let reaper = std::thread::spawn(move || registered.wait());
        drop(guard);
        assert!(ends_within(registered_id, Duration::from_secs(5)));
        reaper.join().unwrap().unwrap();
        assert_eq!(removed.try_wait().unwrap(), None);
        removed.kill().unwrap();
        removed.wait().unwrap();
    }
}
