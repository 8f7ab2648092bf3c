//! The files that describe a running stack: `state.json` with its endpoints and processes, and `env` for a shell.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{LocalError, io};
use crate::process::{identity, is_same_process};

/// The addresses of a running stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoints {
    /// S3, SQS, EventBridge, Secrets Manager and SSM.
    pub aws_url: String,
    /// EMR Serverless.
    pub emr_url: String,
    /// The control endpoint: status, pausing, job outcomes.
    pub control_url: String,
    /// `postgres://…` with the password.
    pub database_url: String,
    /// AWS region.
    pub region: String,
    /// The state folder.
    pub state_dir: PathBuf,
    /// All variables of `.penstock/env`.
    pub variables: BTreeMap<String, String>,
}

impl Endpoints {
    /// Returns the endpoints of the stack that runs with `state_dir`.
    ///
    /// # Errors
    /// Returns [`LocalError::NotRunning`] if no stack is running.
    pub fn load(state_dir: &Path) -> Result<Self, LocalError> {
        Ok(StackState::running(state_dir)?.endpoints)
    }

    /// Returns a variable of `.penstock/env`, for example `PENSTOCK_RAW_BUCKET`.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Returns the text of `.penstock/env`.
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
    /// The program, for example `moto`.
    pub name: String,
    /// Process id.
    pub pid: u32,
    /// The [`identity`] of the process, which distinguishes it from a later one with the same id. `None` when it had
    /// already ended.
    pub started: Option<String>,
}

impl ProcessRecord {
    pub(crate) fn of(name: &str, pid: u32) -> Self {
        Self { name: name.to_owned(), pid, started: identity(pid) }
    }

    /// Returns whether the process is still running.
    pub fn is_alive(&self) -> bool {
        self.started.as_ref().is_some_and(|started| is_same_process(self.pid, started))
    }
}

/// The content of `state.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StackState {
    /// The process that runs the stack.
    pub(crate) owner: ProcessRecord,
    /// The servers that it started.
    pub(crate) children: Vec<ProcessRecord>,
    pub(crate) endpoints: Endpoints,
}

impl StackState {
    /// Returns the state of the stack that runs with `state_dir`.
    pub(crate) fn running(state_dir: &Path) -> Result<Self, LocalError> {
        Self::read(state_dir)
            .filter(|state| state.owner.is_alive())
            .ok_or_else(|| LocalError::NotRunning { state_dir: state_dir.to_path_buf() })
    }

    /// Returns the state that the last stack wrote. Returns `None` when there is none, or another version of this
    /// program wrote it.
    pub(crate) fn read(state_dir: &Path) -> Option<Self> {
        let content = std::fs::read(path(state_dir)).ok()?;
        serde_json::from_slice(&content).ok()
    }

    /// Writes `env` and then `state.json`, whose existence means that the stack is ready.
    pub(crate) fn write(&self, state_dir: &Path) -> Result<(), LocalError> {
        write_private(&state_dir.join("env"), self.endpoints.to_shell().as_bytes())?;
        let json = serde_json::to_vec_pretty(self).expect("strings and numbers are always JSON");
        write_private(&path(state_dir), &json)
    }

    /// Removes the files of [`StackState::write`].
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

/// Writes a file that only its owner can read, because it contains the database's password. A rename puts it in place,
/// so that no reader sees an incomplete file.
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

    fn state(pid: u32) -> StackState {
        let variables = [("PENSTOCK_RAW_BUCKET", "it's raw"), ("AWS_REGION", "eu-central-1")];
        StackState {
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
    fn a_shell_reads_the_variables_unchanged() {
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
    fn a_stack_is_running_only_while_its_owner_process_is() {
        let folder = tempfile::tempdir().unwrap();
        state(std::process::id()).write(folder.path()).unwrap();
        assert!(Endpoints::load(folder.path()).is_ok());

        let mut other_start = state(std::process::id());
        other_start.owner.started = Some("long ago".to_owned());
        other_start.write(folder.path()).unwrap();
        assert!(matches!(Endpoints::load(folder.path()), Err(LocalError::NotRunning { .. })));

        StackState::remove(folder.path()).unwrap();
        assert!(matches!(Endpoints::load(folder.path()), Err(LocalError::NotRunning { .. })));
    }
}
