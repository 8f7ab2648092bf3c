//! A private PostgreSQL cluster in a folder, on a port of 127.0.0.1. Its random password is stored in the folder only.
//!
//! ```no_run
//! use penstock_local::postgres::{Cluster, ClusterOptions};
//!
//! let cluster = Cluster::start(ClusterOptions::for_tests("/tmp/cluster"))?;
//! println!("{}", cluster.url());
//! # Ok::<(), penstock_local::postgres::PostgresError>(())
//! ```
//! Dropping the cluster stops it, and so does the end of this process, even by SIGKILL. The folder and its data remain
//! for the next start.

mod account;
mod binaries;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use account::Account;
pub use binaries::{BIN_VARIABLE, find};

use crate::process::{Guard, StopSignal, Supervised, free_port, tail};

/// The name of the superuser and of the database.
const NAME: &str = "penstock";
const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// The options of a cluster.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The cluster's folder, created when it is missing.
    pub folder: PathBuf,
    /// A Python virtual environment to search when the machine has no PostgreSQL.
    pub venv: Option<PathBuf>,
    /// The port; a free one when `None`.
    pub port: Option<u16>,
    /// Whether each commit is flushed to disk, as on RDS. `false` is much faster: a crash of the *machine* may lose data,
    /// a crash of the server does not.
    pub durable: bool,
    /// Settings that override the built-in ones.
    pub settings: Vec<(String, String)>,
}

impl ClusterOptions {
    /// Returns the options for a fast cluster that may lose data when the machine crashes.
    pub fn for_tests(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), venv: None, port: None, durable: false, settings: Vec::new() }
    }

    /// Returns the options for a cluster that flushes each commit to disk.
    pub fn durable(folder: impl Into<PathBuf>) -> Self {
        Self { durable: true, ..Self::for_tests(folder) }
    }
}

/// The reason why a cluster did not start or stop.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The server programs are not installed.
    #[error(
        "PostgreSQL was not found: install it (Debian: apt-get install postgresql, macOS: brew install postgresql), \
         run infra/local/setup.sh, or set {BIN_VARIABLE} to the folder of initdb and postgres"
    )]
    NotInstalled,
    /// An operation on a process or a file failed.
    #[error("{action}: {source}")]
    Io {
        /// The operation.
        action: String,
        /// The cause.
        source: std::io::Error,
    },
    /// `initdb` failed, or the database could not be created.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program.
        program: &'static str,
        /// Its output.
        output: String,
    },
    /// The server ended during its start, or was not ready in time.
    #[error("postgres did not start ({reason}); the last lines of {log}:\n{tail}")]
    NotReady {
        /// The exit status, or the time limit.
        reason: String,
        /// The path of the server's log.
        log: String,
        /// The last lines of the log.
        tail: String,
    },
}

/// A running cluster.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    bin: PathBuf,
    account: Account,
    port: u16,
    password: String,
    settings: Vec<(String, String)>,
    guard: Guard,
    server: Option<Supervised>,
}

impl Cluster {
    /// Starts the cluster. Creates it first if the folder has none.
    ///
    /// # Errors
    /// Returns an error if PostgreSQL is not installed or does not start. The message then has the last lines of the
    /// server's log.
    pub fn start(options: ClusterOptions) -> Result<Self, PostgresError> {
        let installed = find(options.venv.as_deref()).ok_or(PostgresError::NotInstalled)?;
        let account = Account::current();
        let bin = account.reachable_programs(&installed).map_err(io("copying the PostgreSQL programs"))?;
        let absolute = std::path::absolute(&options.folder).map_err(io("resolving the cluster's folder"))?;
        let folder = account.reachable(&absolute);
        let port = match options.port {
            Some(port) => port,
            None => free_port().map_err(io("finding a free port"))?,
        };
        let guard = Guard::start().map_err(io("starting sh"))?;
        let settings = settings(&options);
        let mut cluster =
            Self { folder, bin, account, port, password: String::new(), settings, guard, server: None };
        cluster.password = cluster.prepare()?;
        cluster.launch()?;
        Ok(cluster)
    }

    /// Removes the data of the cluster in `folder`, which must not be running. Does nothing when there is none.
    ///
    /// # Errors
    /// Returns an error if the data cannot be removed.
    pub fn remove(folder: &Path) -> Result<(), PostgresError> {
        let absolute = std::path::absolute(folder).map_err(io("resolving the cluster's folder"))?;
        match std::fs::remove_dir_all(Account::current().reachable(&absolute)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io("removing the cluster's folder")(error)),
        }
    }

    /// Returns `postgres://<user>:<password>@127.0.0.1:<port>/<database>`.
    pub fn url(&self) -> String {
        format!("postgres://{NAME}:{}@127.0.0.1:{}/{NAME}", self.password, self.port)
    }

    /// Returns the port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the superuser's name.
    pub fn user(&self) -> &'static str {
        NAME
    }

    /// Returns the superuser's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Returns the database's name.
    pub fn database(&self) -> &'static str {
        NAME
    }

    /// Returns the server's process id, or `None` while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Supervised::pid)
    }

    /// Returns the cluster's folder. It differs from the requested one when the server's account cannot access that.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the path of the server's log.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    /// Stops the server by a fast shutdown: open transactions are rolled back.
    ///
    /// # Errors
    /// Returns an error if the server cannot be waited for.
    pub fn stop(&mut self) -> Result<(), PostgresError> {
        match self.server.take() {
            Some(mut server) => server.stop(STOP_TIMEOUT).map(drop).map_err(io("stopping postgres")),
            None => Ok(()),
        }
    }

    /// Kills the server by SIGKILL, like a crash. Its sessions end, and the next start recovers from the log.
    ///
    /// # Errors
    /// Returns an error if the server cannot be waited for.
    pub fn kill(&mut self) -> Result<(), PostgresError> {
        match self.server.take() {
            Some(mut server) => server.kill().map(drop).map_err(io("killing postgres")),
            None => Ok(()),
        }
    }

    /// Stops the server if it is running, and starts it on the same port.
    ///
    /// # Errors
    /// Returns an error if it does not start.
    pub fn restart(&mut self) -> Result<(), PostgresError> {
        self.stop()?;
        self.launch()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Creates the cluster if there is none. Returns its password.
    fn prepare(&self) -> Result<String, PostgresError> {
        let password_file = self.folder.join("password");
        // The password is written last: without it, the creation of the cluster was interrupted.
        if let Ok(password) = std::fs::read_to_string(&password_file) {
            return Ok(password);
        }
        std::fs::create_dir_all(&self.folder).map_err(io("creating the cluster's folder"))?;
        self.account.own(&self.folder).map_err(io("changing the owner of the cluster's folder"))?;
        if self.data().exists() {
            std::fs::remove_dir_all(self.data()).map_err(io("removing an incomplete cluster"))?;
        }
        let password = uuid::Uuid::new_v4().simple().to_string();
        let draft = self.folder.join("password.new");
        self.write_private(&draft, password.as_bytes())?;
        self.initdb(&draft)?;
        self.create_database()?;
        std::fs::rename(&draft, &password_file).map_err(io("writing the cluster's password"))?;
        Ok(password)
    }

    fn initdb(&self, password_file: &Path) -> Result<(), PostgresError> {
        let output = self
            .program("initdb")
            .arg("--pgdata")
            .arg(self.data())
            .args(["--username", NAME, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"])
            .arg("--pwfile")
            .arg(password_file)
            .stdin(Stdio::null())
            .output()
            .map_err(io("starting initdb"))?;
        check("initdb", &output)
    }

    /// Creates the database in single-user mode, because a package of the server may have no client.
    fn create_database(&self) -> Result<(), PostgresError> {
        let mut child = self
            .program("postgres")
            .args(["--single", "-F", "-D"])
            .arg(self.data())
            .arg("postgres")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(io("starting postgres"))?;
        let mut stdin = child.stdin.take().expect("standard input is a pipe");
        stdin
            .write_all(format!("CREATE DATABASE {NAME};\n").as_bytes())
            .map_err(io("creating the database"))?;
        drop(stdin);
        let output = child.wait_with_output().map_err(io("creating the database"))?;
        check("postgres --single", &output)?;
        // Single-user mode exits with status 0 even when a statement fails.
        let errors = String::from_utf8_lossy(&output.stderr);
        if errors.contains("ERROR:") {
            return Err(PostgresError::Failed { program: "create database", output: errors.into_owned() });
        }
        Ok(())
    }

    fn launch(&mut self) -> Result<(), PostgresError> {
        let log_path = self.log_path();
        let log = File::options()
            .create(true)
            .append(true)
            .open(&log_path)
            .map_err(io("opening the server's log"))?;
        let mut command = self.program("postgres");
        command.arg("-D").arg(self.data());
        command.args(["-c", "listen_addresses=127.0.0.1", "-c", &format!("port={}", self.port)]);
        for (name, value) in &self.settings {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        let errors = log.try_clone().map_err(io("opening the server's log"))?;
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let mut server = Supervised::spawn(&mut command, &self.guard, StopSignal::Int)
                .map_err(io("starting postgres"))?;
            match self.wait_until_ready(&mut server, deadline) {
                Ok(()) => {
                    self.server = Some(server);
                    return Ok(());
                }
                // For a moment after a kill, the sessions of the killed server still use its shared memory.
                Err(_) if is_blocked_by_killed_server(&log_path) && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the server accepts connections: the last line of `postmaster.pid` is then `ready`.
    fn wait_until_ready(&self, server: &mut Supervised, deadline: Instant) -> Result<(), PostgresError> {
        let pid_file = self.data().join("postmaster.pid");
        loop {
            if let Some(status) = server.try_wait().map_err(io("waiting for postgres"))? {
                return Err(self.not_ready(status.to_string()));
            }
            // The file does not exist before the server writes it.
            let content = std::fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = content.lines();
            if lines.next() == Some(server.pid().to_string().as_str())
                && lines.last().is_some_and(|line| line.trim() == "ready")
            {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.not_ready(format!("not ready after {} s", START_TIMEOUT.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn not_ready(&self, reason: String) -> PostgresError {
        let log = self.log_path();
        PostgresError::NotReady { reason, tail: tail(&log, 12), log: log.display().to_string() }
    }

    /// Returns a command for one of the server's programs, with its account. Variables of this process such as
    /// `PGDATA` are not passed on.
    fn program(&self, name: &str) -> Command {
        let mut command = self.account.command(&self.bin.join(name));
        command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.folder)
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .current_dir("/");
        command
    }

    fn write_private(&self, path: &Path, content: &[u8]) -> Result<(), PostgresError> {
        let write = || {
            let mut file = File::create(path)?;
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
            self.account.own(path)?;
            file.write_all(content)
        };
        write().map_err(io("writing the cluster's password"))
    }
}

fn settings(options: &ClusterOptions) -> Vec<(String, String)> {
    let flush = if options.durable { "on" } else { "off" };
    [
        // TCP only: the length of a socket's path is limited.
        ("unix_socket_directories", ""),
        ("fsync", flush),
        ("full_page_writes", flush),
        ("timezone", "UTC"),
        ("max_wal_size", "4GB"),
        ("max_connections", "60"),
    ]
    .iter()
    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
    .chain(options.settings.iter().cloned())
    .collect()
}

fn is_blocked_by_killed_server(log: &Path) -> bool {
    let last_lines = tail(log, 3);
    last_lines.contains("pre-existing shared memory block")
        || last_lines.contains("lock file \"postmaster.pid\" already exists")
}

fn check(program: &'static str, output: &Output) -> Result<(), PostgresError> {
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    Err(PostgresError::Failed { program, output: String::from_utf8_lossy(&text).into_owned() })
}

fn io(action: &str) -> impl FnOnce(std::io::Error) -> PostgresError {
    let action = action.to_owned();
    move |source| PostgresError::Io { action, source }
}
