//! The moto server: S3, SQS, EventBridge, Secrets Manager and SSM in one process.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::{LocalError, io};
use crate::process::{Guard, StopSignal, Supervised, free_port, tail};

/// The account id that moto uses.
pub(crate) const ACCOUNT_ID: &str = "123456789012";
/// moto's own server with fixes.
const SERVER: &str = include_str!("../moto_server.py");
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A running moto server. Dropping it stops the server.
#[derive(Debug)]
pub(crate) struct Moto {
    process: Supervised,
    port: u16,
}

impl Moto {
    /// Starts the server and waits until it accepts connections.
    pub(crate) async fn start(venv: &Path, logs: &Path, guard: &Guard) -> Result<Self, LocalError> {
        let installed = venv.join("bin/moto_server");
        if !installed.is_file() {
            let what = "moto, the AWS emulator,".to_owned();
            return Err(LocalError::Missing { what, path: installed, remedy: "run infra/local/setup.sh" });
        }
        let port = free_port().map_err(io("finding a free port"))?;
        let log_path = logs.join("moto.log");
        let log = File::create(&log_path).map_err(io("opening moto's log"))?;
        let errors = log.try_clone().map_err(io("opening moto's log"))?;
        let mut command = Command::new(venv.join("bin/python"));
        command.args(["-c", SERVER, "-H", "127.0.0.1", "-p", &port.to_string()]);
        // moto connects to a Docker engine for Lambda calls. This address makes it fail at once.
        command.env("DOCKER_HOST", "tcp://127.0.0.1:9").env("PYTHONUNBUFFERED", "1");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let process =
            Supervised::spawn(&mut command, guard, StopSignal::Term).map_err(io("starting moto"))?;
        let mut moto = Self { process, port };
        moto.wait_until_ready(&log_path).await?;
        Ok(moto)
    }

    /// Returns `127.0.0.1:<port>`.
    pub(crate) fn authority(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.authority())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    async fn wait_until_ready(&mut self, log: &Path) -> Result<(), LocalError> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                return Ok(());
            }
            let has_ended = self.process.try_wait().map_err(io("waiting for moto"))?.is_some();
            if has_ended || Instant::now() > deadline {
                return Err(LocalError::NotReady {
                    what: "moto",
                    log: log.to_path_buf(),
                    tail: tail(log, 12),
                });
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
