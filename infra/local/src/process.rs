//! Child processes that never outlive this one.
//!
//! A child is started as the leader of its own process group, so that Ctrl-C in the terminal reaches only us and we
//! decide the order of stopping. [`Guard`] covers the other case, in which we get no chance to decide: a small shell
//! waits on a pipe that closes when this process ends, however it ends, and then stops what is still registered.
//! (`PR_SET_PDEATHSIG` would do so on Linux only, and fires as soon as the *thread* that started the child ends.)

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, test_kill_process};

/// Reads `add PID SIGNAL` and `remove PID` until the pipe closes; then asks each group that is left to stop, and kills
/// after five seconds what did not.
const WATCH: &str = r#"
trap '' HUP INT TERM QUIT
entries=
while read -r verb pid signal; do
  kept=
  for entry in $entries; do
    case $entry in "$pid:"*) ;; *) kept="$kept $entry" ;; esac
  done
  entries=$kept
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

/// How a child is asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGTERM: what most servers understand.
    Term,
    /// SIGINT: PostgreSQL's fast shutdown.
    Int,
    /// SIGKILL: for what has nothing to save.
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

/// Stops the registered process groups when this process ends without having done so itself. Clones share one watcher.
#[derive(Debug, Clone)]
pub struct Guard {
    watcher: Arc<Mutex<Watcher>>,
}

#[derive(Debug)]
struct Watcher {
    child: Child,
    orders: Option<ChildStdin>,
}

impl Guard {
    /// Starts the watcher.
    ///
    /// # Errors
    /// When `sh` cannot be started.
    pub fn start() -> std::io::Result<Self> {
        let mut child = Command::new("sh")
            .args(["-c", WATCH])
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let orders = child.stdin.take();
        Ok(Self { watcher: Arc::new(Mutex::new(Watcher { child, orders })) })
    }

    /// Watches over the process group that `pid` leads.
    ///
    /// # Errors
    /// When the watcher is gone.
    pub fn add(&self, pid: u32, signal: StopSignal) -> std::io::Result<()> {
        self.order(&format!("add {pid} {}\n", signal.name()))
    }

    /// Forgets a process group; to be called once it has ended, since its number may be given to another.
    ///
    /// # Errors
    /// When the watcher is gone.
    pub fn remove(&self, pid: u32) -> std::io::Result<()> {
        self.order(&format!("remove {pid}\n"))
    }

    fn order(&self, line: &str) -> std::io::Result<()> {
        let mut watcher = self.watcher.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match watcher.orders.as_mut() {
            Some(orders) => orders.write_all(line.as_bytes()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        drop(self.orders.take());
        if let Err(error) = self.child.wait() {
            tracing::warn!(%error, "the watcher of child processes could not be waited for");
        }
    }
}

/// A child that leads its own process group, is registered with a [`Guard`], and is stopped when dropped.
#[derive(Debug)]
pub struct Supervised {
    child: Child,
    guard: Guard,
    signal: StopSignal,
    ended: bool,
}

impl Supervised {
    /// Starts `command` under the guard.
    ///
    /// # Errors
    /// When the program cannot be started, or the guard is gone.
    pub fn spawn(command: &mut Command, guard: &Guard, signal: StopSignal) -> std::io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        let supervised = Self { child, guard: guard.clone(), signal, ended: false };
        guard.add(supervised.pid(), signal)?;
        Ok(supervised)
    }

    /// Process id, which is also the id of its group.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The exit status once it has ended.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn try_wait(&mut self) -> std::io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() && !self.ended {
            self.ended = true;
            self.guard.remove(self.child.id())?;
        }
        Ok(status)
    }

    /// Asks it to stop, waits up to `patience`, then kills its group. The status is `None` only if even that did not
    /// end it.
    ///
    /// # Errors
    /// When the process cannot be waited for.
    pub fn stop(&mut self, patience: Duration) -> std::io::Result<Option<ExitStatus>> {
        if let Some(status) = self.try_wait()? {
            return Ok(Some(status));
        }
        signal_group(self.pid(), self.signal.signal());
        if let Some(status) = self.wait_until(Instant::now() + patience)? {
            return Ok(Some(status));
        }
        self.kill()
    }

    /// SIGKILL to the whole group.
    ///
    /// # Errors
    /// When the process cannot be waited for.
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
            tracing::warn!(%error, pid = self.pid(), "a child process could not be stopped");
        }
    }
}

/// Signals a process group; one that is gone already is as good as stopped.
pub fn signal_group(pid: u32, signal: Signal) {
    if let Some(pid) = to_pid(pid)
        && let Err(error) = rustix::process::kill_process_group(pid, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, pid = pid.as_raw_nonzero(), "a process group could not be signalled");
    }
}

/// Signals one process; one that is gone already is as good as stopped.
pub fn signal_process(pid: u32, signal: Signal) {
    if let Some(pid) = to_pid(pid)
        && let Err(error) = rustix::process::kill_process(pid, signal)
        && error != rustix::io::Errno::SRCH
    {
        tracing::warn!(%error, pid = pid.as_raw_nonzero(), "a process could not be signalled");
    }
}

/// When the process was started, as the system says it; `None` when there is no such process. Together with the id it
/// names a process for good, since ids are used again.
pub fn identity(pid: u32) -> Option<String> {
    if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name, in parentheses, may hold spaces and parentheses. State is the first field after it, the start in
        // clock ticks the twentieth; proc(5).
        let mut fields = stat.rsplit_once(") ")?.1.split(' ');
        let state = fields.next()?;
        return if state == "Z" { None } else { fields.nth(18).map(str::to_owned) };
    }
    let output = Command::new("ps").args(["-o", "lstart=", "-p", &pid.to_string()]).output().ok()?;
    let started = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (!started.is_empty()).then_some(started)
}

/// True while the process of that id is the one whose [`identity`] was taken.
pub fn is_same_process(pid: u32, identity_then: &str) -> bool {
    !identity_then.is_empty() && identity(pid).as_deref() == Some(identity_then)
}

/// The last lines of a log.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    // A log that is not there has no last lines, which is what the reader shall see.
    let content = std::fs::read(path).unwrap_or_default();
    let content = String::from_utf8_lossy(&content);
    let all: Vec<&str> = content.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// True while a process of that id exists.
pub fn is_alive(pid: u32) -> bool {
    to_pid(pid).is_some_and(|pid| test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// A port of 127.0.0.1 that was free a moment ago.
///
/// # Errors
/// When no port can be bound.
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

    fn gone_within(pid: u32, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
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
    fn a_process_is_told_from_another_of_the_same_id() {
        let mut child = sleeper().spawn().unwrap();
        let then = identity(child.id()).unwrap();
        assert!(is_same_process(child.id(), &then));
        assert!(!is_same_process(child.id(), "another start"));
        child.kill().unwrap();
        // A zombie has ended too: whoever should collect it may never do so.
        let deadline = Instant::now() + Duration::from_secs(5);
        while is_same_process(child.id(), &then) {
            assert!(Instant::now() < deadline);
        }
        child.wait().unwrap();
        assert_eq!(identity(child.id()), None);
    }

    #[test]
    fn the_guard_stops_what_was_left_behind_and_spares_what_was_removed() {
        let guard = Guard::start().unwrap();
        let mut left = sleeper().process_group(0).spawn().unwrap();
        let mut spared = sleeper().process_group(0).spawn().unwrap();
        guard.add(left.id(), StopSignal::Kill).unwrap();
        guard.add(spared.id(), StopSignal::Kill).unwrap();
        guard.remove(spared.id()).unwrap();
        // What the end of this process would do: the pipe closes. Zombies count as alive, hence the thread.
        let left_id = left.id();
        let reaper = std::thread::spawn(move || left.wait());
        drop(guard);
        assert!(gone_within(left_id, Duration::from_secs(5)));
        reaper.join().unwrap().unwrap();
        assert_eq!(spared.try_wait().unwrap(), None);
        spared.kill().unwrap();
        spared.wait().unwrap();
    }
}
