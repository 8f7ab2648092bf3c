//! What a local stack is started with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// What a local stack is started with. [`UpOptions::new`] fits a checkout.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// Where the state goes: `env`, `state.json`, `logs/`, the database. One stack a folder.
    pub state_dir: PathBuf,
    /// The SAM template to run.
    pub template: PathBuf,
    /// Where the functions' binaries are, each named as `BuildProperties.Binary` says.
    pub functions_dir: PathBuf,
    /// The Python virtual environment with moto.
    pub venv: PathBuf,
    /// Template parameters, over their defaults; those that come from SSM are the local stack's own.
    pub parameters: BTreeMap<String, String>,
    /// True: PostgreSQL flushes each commit, as RDS does. False: faster; see
    /// [`ClusterOptions::durable`](crate::postgres::ClusterOptions::durable).
    pub durable_database: bool,
    /// PostgreSQL settings, over the chosen ones.
    pub database_settings: Vec<(String, String)>,
    /// Replaces the template's visibility timeout of every queue that feeds a function. A message whose function was
    /// killed comes back only after it, which on AWS is right and in a test too long.
    pub visibility_timeout: Option<Duration>,
    /// Variables of all functions, over their own: endpoints above all, so that a proxy can stand between the functions
    /// and the services. Nobody else sees them.
    pub function_variables: BTreeMap<String, String>,
    /// An execution environment that was idle for so long is stopped.
    pub idle_timeout: Duration,
}

impl UpOptions {
    /// The stack of the checkout at `root`: its template, its `.venv`, its debug binaries, its `.penstock` folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            state_dir: root.join(".penstock"),
            template: root.join("template.yaml"),
            functions_dir: root.join("target/debug"),
            venv: root.join(".venv"),
            parameters: BTreeMap::new(),
            durable_database: true,
            database_settings: Vec::new(),
            visibility_timeout: None,
            function_variables: BTreeMap::new(),
            idle_timeout: Duration::from_secs(300),
        }
    }
}
