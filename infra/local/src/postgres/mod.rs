//! A private PostgreSQL cluster in a folder, on a port of 127.0.0.1, with a password that only its folder knows.
//!
//! ```no_run
//! use penstock_local::postgres::{Cluster, ClusterOptions};
//!
//! let cluster = Cluster::start(ClusterOptions::for_tests("/tmp/cluster"))?;
//! println!("{}", cluster.url());
//! # Ok::<(), penstock_local::postgres::PostgresError>(())
//! ```
//! Dropping the cluster stops it; so does the end of this process, however it comes. The folder stays, and starting
//! it again finds the data.

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

/// The superuser and the database that a new cluster has.
const NAME: &str = "penstock";
const START_PATIENCE: Duration = Duration::from_secs(60);
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// Where and how a cluster runs.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The cluster's own folder; made when missing.
    pub folder: PathBuf,
    /// A Python virtual environment to look into when the machine has no PostgreSQL.
    pub venv: Option<PathBuf>,
    /// Port; a free one when `None`.
    pub port: Option<u16>,
    /// True: a commit is on disk, as on RDS. False: nothing is flushed, faster by far, and a crash of the *machine* may
    /// lose data; a crash of the server does not.
    pub durable: bool,
    /// Further settings, over those that are chosen here.
    pub settings: Vec<(String, String)>,
}

impl ClusterOptions {
    /// Quick to make and to write to; a crash of the machine may lose it.
    pub fn for_tests(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), venv: None, port: None, durable: false, settings: Vec::new() }
    }

    /// Flushes like a server that people rely on.
    pub fn durable(folder: impl Into<PathBuf>) -> Self {
        Self { durable: true, ..Self::for_tests(folder) }
    }
}

/// Why a cluster is not there.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// No server programs on this machine.
    #[error(
        "no PostgreSQL found: install it (Debian: apt-get install postgresql, macOS: brew install postgresql), \
         run infra/local/setup.sh, or name the folder of initdb and postgres in {BIN_VARIABLE}"
    )]
    NotInstalled,
    /// A program could not be started, or a file not be written.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why it failed.
        source: std::io::Error,
    },
    /// `initdb` or the making of the database failed.
    #[error("{program} failed: {output}")]
    Failed {
        /// The program.
        program: &'static str,
        /// What it said.
        output: String,
    },
    /// The server ended instead of starting, or did not become ready in time.
    #[error("postgres did not start ({reason}); the end of {log}:\n{tail}")]
    NotReady {
        /// Exit status, or that time ran out.
        reason: String,
        /// Path of the server's log.
        log: String,
        /// Its last lines.
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
    /// Makes the cluster unless its folder has one, and starts it.
    ///
    /// # Errors
    /// When there is no PostgreSQL, or it does not start; the message holds what the server said.
    pub fn start(options: ClusterOptions) -> Result<Self, PostgresError> {
        let found = find(options.venv.as_deref()).ok_or(PostgresError::NotInstalled)?;
        let account = Account::current();
        let bin = account.reachable_programs(&found).map_err(io("copying the PostgreSQL programs"))?;
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

    /// Removes the cluster that [`Cluster::start`] would find in `folder`; it must not run.
    ///
    /// # Errors
    /// When there is one and it cannot be removed.
    pub fn remove(folder: &Path) -> Result<(), PostgresError> {
        let absolute = std::path::absolute(folder).map_err(io("resolving the cluster's folder"))?;
        match std::fs::remove_dir_all(Account::current().reachable(&absolute)) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io("removing the cluster's folder")(error)),
        }
    }

    /// `postgres://user:password@127.0.0.1:port/database`
    pub fn url(&self) -> String {
        format!("postgres://{NAME}:{}@127.0.0.1:{}/{NAME}", self.password, self.port)
    }

    /// Port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's name.
    pub fn user(&self) -> &'static str {
        NAME
    }

    /// The superuser's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The database's name.
    pub fn database(&self) -> &'static str {
        NAME
    }

    /// Process id of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.server.as_ref().map(Supervised::pid)
    }

    /// The folder that really holds the cluster; another than the one asked for when that one is closed to the server's
    /// account.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The server's log.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("postgres.log")
    }

    /// Fast shutdown: open transactions are rolled back, committed ones are flushed.
    ///
    /// # Errors
    /// When the server cannot be waited for.
    pub fn stop(&mut self) -> Result<(), PostgresError> {
        match self.server.take() {
            Some(mut server) => server.stop(STOP_PATIENCE).map(drop).map_err(io("stopping postgres")),
            None => Ok(()),
        }
    }

    /// SIGKILL to the server: what a crash looks like. Its sessions end, and the next start recovers from the log.
    ///
    /// # Errors
    /// When the server cannot be waited for.
    pub fn kill(&mut self) -> Result<(), PostgresError> {
        match self.server.take() {
            Some(mut server) => server.kill().map(drop).map_err(io("killing postgres")),
            None => Ok(()),
        }
    }

    /// Stops the server if it runs, and starts it on the same port.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn restart(&mut self) -> Result<(), PostgresError> {
        self.stop()?;
        self.launch()
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Makes the cluster where there is none; gives its password.
    fn prepare(&self) -> Result<String, PostgresError> {
        let password_file = self.folder.join("password");
        // The password is written last, so a folder without one was left by an attempt that broke off.
        if let Ok(password) = std::fs::read_to_string(&password_file) {
            return Ok(password);
        }
        std::fs::create_dir_all(&self.folder).map_err(io("making the cluster's folder"))?;
        self.account.own(&self.folder).map_err(io("giving the cluster's folder to its account"))?;
        if self.data().exists() {
            std::fs::remove_dir_all(self.data()).map_err(io("removing a cluster that was left half made"))?;
        }
        let password = uuid::Uuid::new_v4().simple().to_string();
        let draft = self.folder.join("password.new");
        self.write_private(&draft, password.as_bytes())?;
        self.initdb(&draft)?;
        self.create_database()?;
        std::fs::rename(&draft, &password_file).map_err(io("keeping the cluster's password"))?;
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

    /// In single-user mode, since the package that carries the server may have no client.
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
        let mut stdin = child.stdin.take().expect("standard input was asked for");
        stdin
            .write_all(format!("CREATE DATABASE {NAME};\n").as_bytes())
            .map_err(io("creating the database"))?;
        drop(stdin);
        let output = child.wait_with_output().map_err(io("creating the database"))?;
        check("postgres --single", &output)?;
        // Single-user mode exits with success though a statement failed.
        match String::from_utf8_lossy(&output.stderr) {
            said if said.contains("ERROR:") => {
                Err(PostgresError::Failed { program: "create database", output: said.into_owned() })
            }
            _ => Ok(()),
        }
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
        let deadline = Instant::now() + START_PATIENCE;
        loop {
            let mut server = Supervised::spawn(&mut command, &self.guard, StopSignal::Int)
                .map_err(io("starting postgres"))?;
            match self.wait_until_ready(&mut server, deadline) {
                Ok(()) => {
                    self.server = Some(server);
                    return Ok(());
                }
                // After a kill, the sessions of the dead server hold its shared memory for a moment.
                Err(_) if left_by_a_dead_server(&log_path) && Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(100));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The last line of `postmaster.pid` says `ready` once connections are taken.
    fn wait_until_ready(&self, server: &mut Supervised, deadline: Instant) -> Result<(), PostgresError> {
        let pid_file = self.data().join("postmaster.pid");
        loop {
            if let Some(status) = server.try_wait().map_err(io("waiting for postgres"))? {
                return Err(self.not_ready(status.to_string()));
            }
            let content = std::fs::read_to_string(&pid_file).unwrap_or_default();
            let mut lines = content.lines();
            if lines.next() == Some(server.pid().to_string().as_str())
                && lines.last().is_some_and(|line| line.trim() == "ready")
            {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.not_ready(format!("not ready after {} s", START_PATIENCE.as_secs())));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn not_ready(&self, reason: String) -> PostgresError {
        let log = self.log_path();
        PostgresError::NotReady { reason, tail: tail(&log, 12), log: log.display().to_string() }
    }

    /// One of the server's programs, as its account, and with nothing of our environment that could lead it astray.
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
        write().map_err(io("keeping the cluster's password"))
    }
}

fn settings(options: &ClusterOptions) -> Vec<(String, String)> {
    let flush = if options.durable { "on" } else { "off" };
    [
        // TCP only: a socket's path must be short, and the folder's may not be.
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

fn left_by_a_dead_server(log: &Path) -> bool {
    let end = tail(log, 3);
    end.contains("pre-existing shared memory block")
        || end.contains("lock file \"postmaster.pid\" already exists")
}

fn check(program: &'static str, output: &Output) -> Result<(), PostgresError> {
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    Err(PostgresError::Failed { program, output: String::from_utf8_lossy(&said).into_owned() })
}

fn io(action: &str) -> impl FnOnce(std::io::Error) -> PostgresError {
    let action = action.to_owned();
    move |source| PostgresError::Io { action, source }
}
