//! What a running stack tells others: its endpoints, as JSON and as variables for a shell, and its processes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{LocalError, io};
use crate::process::{identity, is_same_process};

/// Where everything is, once a stack is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// S3, SQS, EventBridge, Secrets Manager, RDS and SSM.
    pub aws_url: String,
    /// EMR Serverless.
    pub emr_url: String,
    /// The runner's own: status, pausing, job outcomes.
    pub control_url: String,
    /// `postgres://…` with the password.
    pub database_url: String,
    /// AWS region.
    pub region: String,
    /// The state folder.
    pub state_dir: PathBuf,
    /// Everything that `.penstock/env` sets, by variable.
    pub variables: BTreeMap<String, String>,
}

impl Endpoints {
    /// The endpoints of the stack that runs on `state_dir`.
    ///
    /// # Errors
    /// [`LocalError::NotRunning`] when none does.
    pub fn load(state_dir: &Path) -> Result<Self, LocalError> {
        Ok(State::running(state_dir)?.endpoints)
    }

    /// One of the variables of `.penstock/env`, e.g. `PENSTOCK_RAW_BUCKET`.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// The lines of `.penstock/env`.
    fn to_shell(&self) -> String {
        let mut lines = String::from("# Written by `penstock up`. To use it: . .penstock/env\n");
        for (name, value) in &self.variables {
            lines.push_str(&format!("export {name}='{}'\n", value.replace('\'', r"'\''")));
        }
        lines
    }
}

/// A process that belongs to a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// What it is, e.g. `moto`.
    pub name: String,
    /// Process id.
    pub pid: u32,
    /// When it was started, as the system says it: tells it from a later process of the same id.
    pub started: String,
}

impl ProcessRecord {
    pub(crate) fn of(name: &str, pid: u32) -> Self {
        Self { name: name.to_owned(), pid, started: identity(pid).unwrap_or_default() }
    }

    /// True while that very process lives.
    pub fn is_alive(&self) -> bool {
        is_same_process(self.pid, &self.started)
    }
}

/// The content of `state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    /// The process that holds the stack.
    pub(crate) owner: ProcessRecord,
    /// The servers that it started.
    pub(crate) children: Vec<ProcessRecord>,
    pub(crate) endpoints: Endpoints,
}

impl State {
    /// The state of the stack that runs on `state_dir`.
    pub(crate) fn running(state_dir: &Path) -> Result<Self, LocalError> {
        Self::read(state_dir)
            .filter(|state| state.owner.is_alive())
            .ok_or_else(|| LocalError::NotRunning { state_dir: state_dir.to_path_buf() })
    }

    /// What the last stack left; nothing when there is none, or it is of another version of this program.
    pub(crate) fn read(state_dir: &Path) -> Option<Self> {
        let content = std::fs::read(path(state_dir)).ok()?;
        serde_json::from_slice(&content).ok()
    }

    /// Writes `env` and then `state.json`, whose presence says that the stack is ready.
    pub(crate) fn write(&self, state_dir: &Path) -> Result<(), LocalError> {
        write_private(&state_dir.join("env"), self.endpoints.to_shell().as_bytes())?;
        let json = serde_json::to_vec_pretty(self).expect("strings and numbers are always JSON");
        write_private(&path(state_dir), &json)
    }

    /// Removes what [`State::write`] wrote.
    pub(crate) fn remove(state_dir: &Path) -> Result<(), LocalError> {
        for file in [path(state_dir), state_dir.join("env")] {
            match std::fs::remove_file(&file) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(io(format!("removing {}", file.display()))(error)),
            }
        }
        Ok(())
    }
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("state.json")
}

/// Written beside and renamed, so that no reader sees half of it; readable by its owner only, since it holds the
/// database's password.
fn write_private(path: &Path, content: &[u8]) -> Result<(), LocalError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let draft = path.with_extension("new");
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).write(true).truncate(true).mode(0o600);
        options.open(&draft)?.write_all(content)?;
        std::fs::rename(&draft, path)
    };
    write().map_err(io(format!("writing {}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(pid: u32) -> State {
        let variables = [("PENSTOCK_RAW_BUCKET", "it's raw"), ("AWS_REGION", "eu-central-1")];
        State {
            owner: ProcessRecord::of("stack", pid),
            children: Vec::new(),
            endpoints: Endpoints {
                aws_url: String::new(),
                emr_url: String::new(),
                control_url: String::new(),
                database_url: String::new(),
                region: String::new(),
                state_dir: PathBuf::new(),
                variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            },
        }
    }

    #[test]
    fn a_shell_reads_the_variables_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        state(std::process::id()).write(folder.path()).unwrap();
        let script = ". ./env && printf %s \"$PENSTOCK_RAW_BUCKET\"";
        let output = std::process::Command::new("sh")
            .args(["-c", script])
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert_eq!(output.stdout, b"it's raw");
    }

    #[test]
    fn only_a_living_owner_counts_as_running() {
        let folder = tempfile::tempdir().unwrap();
        state(std::process::id()).write(folder.path()).unwrap();
        assert!(Endpoints::load(folder.path()).is_ok());

        let mut other_start = state(std::process::id());
        other_start.owner.started = "long ago".to_owned();
        other_start.write(folder.path()).unwrap();
        assert!(matches!(Endpoints::load(folder.path()), Err(LocalError::NotRunning { .. })));

        State::remove(folder.path()).unwrap();
        assert!(matches!(Endpoints::load(folder.path()), Err(LocalError::NotRunning { .. })));
    }
}
