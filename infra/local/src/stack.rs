//! A running stack: starts all parts in order and stops them in reverse order.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use penstock_aws::clients::Aws;

use crate::application;
use crate::control::{self, ControlTargets};
use crate::emr::{self, Emr};
use crate::error::{LocalError, io};
use crate::foundation::{self, AwsClients, DatabaseLogin, SPARK_APPLICATION_ID};
use crate::http_server::Server;
use crate::moto::{ACCOUNT_ID, Moto};
use crate::options::UpOptions;
use crate::postgres::{Cluster, ClusterOptions};
use crate::process::Guard;
use crate::runner::{HostConfig, Runner, RunnerStatus};
use crate::state::{Endpoints, ProcessRecord, StackState};
use crate::template::{Application, DeploymentContext};

/// Variables of the functions with these suffixes, the names of buckets and queues, are also in `.penstock/env`.
const SHARED_SUFFIXES: [&str; 2] = ["_BUCKET", "_QUEUE_URL"];
const REGION: &str = "eu-central-1";

/// A running stack. [`Stack::down`] stops it and returns errors; dropping it also stops it.
#[derive(Debug)]
pub struct Stack {
    // Fields are dropped in this order: each before the fields that it uses.
    _control: Server,
    runner: Arc<Runner>,
    _emr: Arc<Emr>,
    cluster: Arc<Mutex<Cluster>>,
    _moto: Moto,
    endpoints: Endpoints,
    _lock: File,
}

impl Stack {
    /// Starts all parts. First removes the state of an earlier stack from the folder: moto loses its state when it
    /// stops, so the database must start empty, too.
    ///
    /// # Errors
    /// Returns an error if something is missing or does not start. All parts that have started by then are stopped.
    pub async fn up(options: UpOptions) -> Result<Self, LocalError> {
        let state_dir = std::path::absolute(&options.state_dir).map_err(io("resolving the state folder"))?;
        let lock = prepare(&state_dir)?;
        let logs = state_dir.join("logs");
        let guard = Guard::start().map_err(io("starting sh"))?;
        let (moto, cluster) =
            tokio::try_join!(Moto::start(&options.venv, &logs, &guard), start_cluster(&options, &state_dir))?;
        let variables = aws_variables(&moto);
        let aws = Aws::new(variables.clone()).expect("the variables include region and credentials");
        let clients = AwsClients::new(&aws, &moto, REGION);
        let database = DatabaseLogin {
            port: cluster.port(),
            name: cluster.database().to_owned(),
            user: cluster.user().to_owned(),
            password: cluster.password().to_owned(),
        };
        foundation::create(&clients, REGION, &database).await?;
        let context = DeploymentContext {
            region: REGION.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            sqs_endpoint: moto.url(),
        };
        let application =
            application::resolve(&options.template, &clients, &context, &options.parameters).await?;
        application::create(&application, &clients, options.visibility_timeout).await?;

        let emr = Arc::new(start_emr(&clients).await?);
        let mut host = HostConfig {
            functions_dir: std::path::absolute(&options.functions_dir)
                .map_err(io("resolving the folder of the functions"))?,
            logs_dir: logs,
            variables,
            region: REGION.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            idle_timeout: options.idle_timeout,
            guard,
        };
        host.variables.insert("AWS_ENDPOINT_URL_EMR_SERVERLESS".to_owned(), emr.url());
        let shared_variables = host.variables.clone();
        host.variables.extend(options.function_variables);
        let queue_base = format!("{}/{ACCOUNT_ID}", moto.url());
        let runner = Arc::new(Runner::start(&application, &host, &clients.sqs, &queue_base)?);
        let children = vec![
            ProcessRecord::of("moto", moto.pid()),
            ProcessRecord::of("postgres", cluster.pid().expect("a started cluster has a process")),
        ];
        let database_url = cluster.url();
        let cluster = Arc::new(Mutex::new(cluster));
        let targets = ControlTargets { runner: runner.clone(), emr: emr.clone(), cluster: cluster.clone() };
        let control = control::start(targets).await.map_err(io("starting the control endpoint"))?;

        let endpoints = Endpoints {
            aws_url: moto.url(),
            emr_url: emr.url(),
            control_url: control.url(),
            variables: shell_variables(&application, shared_variables, &control, &database_url, &state_dir),
            database_url,
            region: REGION.to_owned(),
            state_dir: state_dir.clone(),
        };
        let owner = ProcessRecord::of("stack", std::process::id());
        StackState { owner, children, endpoints: endpoints.clone() }.write(&state_dir)?;
        Ok(Self { _control: control, runner, _emr: emr, cluster, _moto: moto, endpoints, _lock: lock })
    }

    /// Returns the addresses of the stack.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Returns the status of the functions and their mappings.
    pub fn status(&self) -> RunnerStatus {
        self.runner.status()
    }

    /// Returns the database server, which can be stopped, killed and restarted. Its methods block.
    pub fn cluster(&self) -> Arc<Mutex<Cluster>> {
        self.cluster.clone()
    }

    /// Restarts the database server, as a failover does. Returns when it accepts connections again.
    ///
    /// # Errors
    /// Returns an error if the server does not start again.
    pub async fn restart_database(&self) -> Result<(), LocalError> {
        let cluster = self.cluster();
        let restarted = tokio::task::spawn_blocking(move || {
            cluster.lock().unwrap_or_else(PoisonError::into_inner).restart()
        });
        let joined =
            restarted.await.map_err(|error| io("restarting PostgreSQL")(std::io::Error::other(error)))?;
        Ok(joined?)
    }

    /// Stops all parts and writes the last status to `functions.json`.
    ///
    /// # Errors
    /// Returns an error if the state files cannot be written or removed.
    pub async fn down(self) -> Result<(), LocalError> {
        let state_dir = self.endpoints.state_dir.clone();
        let status = serde_json::to_vec_pretty(&self.status()).expect("strings and numbers are valid JSON");
        // Stopping waits for processes and would block a thread of the runtime.
        tokio::task::spawn_blocking(move || drop(self)).await.map_err(|error| LocalError::Io {
            action: "stopping the stack".to_owned(),
            source: std::io::Error::other(error),
        })?;
        std::fs::write(state_dir.join("functions.json"), status).map_err(io("writing functions.json"))?;
        StackState::remove(&state_dir)
    }
}

/// Runs a stack until `shutdown` resolves. Calls `ready` once, when all parts are running.
///
/// # Errors
/// Returns an error if the stack does not start or its state files cannot be removed. A shutdown while it starts is not
/// an error.
pub async fn run(
    options: UpOptions,
    ready: impl FnOnce(&Endpoints),
    shutdown: impl Future<Output = ()>,
) -> Result<(), LocalError> {
    let mut shutdown = std::pin::pin!(shutdown);
    let stack = tokio::select! {
        stack = Box::pin(Stack::up(options)) => stack?,
        () = &mut shutdown => return Ok(()),
    };
    ready(stack.endpoints());
    shutdown.await;
    stack.down().await
}

/// Locks the state folder for this process and removes the state of an earlier stack.
fn prepare(state_dir: &Path) -> Result<File, LocalError> {
    std::fs::create_dir_all(state_dir.join("logs")).map_err(io("creating the state folder"))?;
    let lock = File::create(state_dir.join("lock")).map_err(io("opening the state folder's lock"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = StackState::read(state_dir).map(|state| state.owner.pid);
            return Err(LocalError::AlreadyRunning { pid });
        }
        Err(TryLockError::Error(error)) => return Err(io("locking the state folder")(error)),
    }
    StackState::remove(state_dir)?;
    Ok(lock)
}

async fn start_cluster(options: &UpOptions, state_dir: &Path) -> Result<Cluster, LocalError> {
    let cluster_options = ClusterOptions {
        folder: state_dir.join("postgres"),
        venv: Some(options.venv.clone()),
        port: None,
        durable: options.durable_database,
        settings: options.database_settings.clone(),
    };
    let started = tokio::task::spawn_blocking(move || {
        Cluster::remove(&cluster_options.folder)?;
        Cluster::start(cluster_options)
    });
    let joined = started.await.map_err(|error| io("starting PostgreSQL")(std::io::Error::other(error)))?;
    Ok(joined?)
}

async fn start_emr(clients: &AwsClients) -> Result<Emr, LocalError> {
    let application = emr::EmrApplication {
        id: SPARK_APPLICATION_ID.to_owned(),
        region: REGION.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
    };
    Emr::start(application, clients.json.clone()).await.map_err(io("starting the EMR Serverless emulator"))
}

/// Returns the region, credentials and endpoints. The emulator accepts any credentials.
fn aws_variables(moto: &Moto) -> BTreeMap<String, String> {
    let fixed = [
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_SESSION_TOKEN", "local"),
    ];
    let mut variables: BTreeMap<String, String> =
        fixed.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    variables.insert("AWS_ENDPOINT_URL".to_owned(), moto.url());
    variables
}

/// Returns the variables of `.penstock/env`.
fn shell_variables(
    application: &Application,
    mut variables: BTreeMap<String, String>,
    control: &Server,
    database_url: &str,
    state_dir: &Path,
) -> BTreeMap<String, String> {
    for function in &application.functions {
        let is_shared = |name: &str| SHARED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
        let of_function = function.environment.iter().filter(|(name, _)| is_shared(name));
        variables.extend(of_function.map(|(name, value)| (name.clone(), value.clone())));
    }
    let own = [
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("PENSTOCK_RAW_BUCKET", foundation::bucket("raw")),
        ("PENSTOCK_CONTROL_URL", control.url()),
        ("PENSTOCK_DATABASE_URL", database_url.to_owned()),
        ("PENSTOCK_STATE_DIR", state_dir.display().to_string()),
    ];
    variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
    variables
}
