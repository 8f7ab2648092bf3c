//! The options of a local stack.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The options of a local stack. [`UpOptions::new`] returns those of a checkout.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// The folder of the stack's state: `env`, `state.json`, `logs/` and the database. One stack per folder.
    pub state_dir: PathBuf,
    /// The SAM template to run.
    pub template: PathBuf,
    /// The folder of the functions' binaries, each named as in `BuildProperties.Binary`.
    pub functions_dir: PathBuf,
    /// The Python virtual environment in which moto is installed.
    pub venv: PathBuf,
    /// Template parameters that override the defaults and the local values of SSM parameters.
    pub parameters: BTreeMap<String, String>,
    /// Whether PostgreSQL flushes each commit to disk, as RDS does. `false` is faster; see
    /// [`ClusterOptions::durable`](crate::postgres::ClusterOptions::durable).
    pub durable_database: bool,
    /// PostgreSQL settings that override the built-in ones.
    pub database_settings: Vec<(String, String)>,
    /// Replaces the template's visibility timeout of every queue that invokes a function. The message of a killed
    /// function is redelivered only after this time; the template's value is too long for a test.
    pub visibility_timeout: Option<Duration>,
    /// Environment variables of all functions that override their own, for example endpoints, so that a proxy can be
    /// placed between the functions and the services. They apply to the functions only.
    pub function_variables: BTreeMap<String, String>,
    /// The idle time after which an execution environment is stopped.
    pub idle_timeout: Duration,
}

impl UpOptions {
    /// Returns the options for the checkout at `root`: its template, `.venv`, debug binaries and `.penstock` folder.
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
