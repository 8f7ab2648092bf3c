//! The stack: everything started in order, and stopped in the other.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use penstock_aws::clients::Aws;

use crate::application;
use crate::control::{self, Controlled};
use crate::emr::{self, Emr};
use crate::error::{LocalError, io};
use crate::foundation::{self, Clients, Database, SPARK_APPLICATION_ID};
use crate::http::Server;
use crate::moto::{ACCOUNT_ID, Moto};
use crate::options::UpOptions;
use crate::postgres::{Cluster, ClusterOptions};
use crate::process::Guard;
use crate::runner::{Host, Runner, RunnerStatus};
use crate::state::{Endpoints, ProcessRecord, State};
use crate::template::{Application, Surroundings};

/// The variables that hold names of buckets and queues, as the functions know them, are told to others too.
const SHARED_SUFFIXES: [&str; 2] = ["_BUCKET", "_QUEUE_URL"];
const REGION: &str = "eu-central-1";

/// A running stack. [`Stack::down`] stops it and tells of what went wrong; dropping it stops it too.
#[derive(Debug)]
pub struct Stack {
    // In the order in which they are dropped: first what uses the others.
    _control: Server,
    runner: Arc<Runner>,
    _emr: Arc<Emr>,
    cluster: Arc<Mutex<Cluster>>,
    _moto: Moto,
    endpoints: Endpoints,
    _lock: File,
}

impl Stack {
    /// Starts everything. What an earlier stack left behind in the state folder is removed first: moto forgets
    /// everything when it stops, so the database must too.
    ///
    /// # Errors
    /// When something is missing or does not start; what had started by then is stopped again.
    pub async fn up(options: UpOptions) -> Result<Self, LocalError> {
        let state_dir = std::path::absolute(&options.state_dir).map_err(io("resolving the state folder"))?;
        let lock = prepare(&state_dir)?;
        let logs = state_dir.join("logs");
        let guard = Guard::start().map_err(io("starting sh"))?;
        let (moto, cluster) =
            tokio::try_join!(Moto::start(&options.venv, &logs, &guard), start_cluster(&options, &state_dir))?;
        let variables = aws_variables(&moto);
        let aws = Aws::new(variables.clone()).expect("region and credentials are among the variables");
        let clients = Clients::new(&aws);
        let database = Database {
            port: cluster.port(),
            name: cluster.database().to_owned(),
            user: cluster.user().to_owned(),
            password: cluster.password().to_owned(),
        };
        foundation::create(&clients, REGION, &database).await?;
        let surroundings = Surroundings {
            region: REGION.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            sqs_endpoint: moto.url(),
        };
        let application =
            application::resolve(&options.template, &clients, &surroundings, &options.parameters).await?;
        application::create(&application, &clients, options.visibility_timeout).await?;

        let emr = Arc::new(start_emr(&clients).await?);
        let mut host = Host {
            functions_dir: std::path::absolute(&options.functions_dir).map_err(io("resolving a folder"))?,
            logs_dir: logs,
            variables,
            region: REGION.to_owned(),
            account_id: ACCOUNT_ID.to_owned(),
            idle_timeout: options.idle_timeout,
            guard,
        };
        host.variables.insert("AWS_ENDPOINT_URL_EMR_SERVERLESS".to_owned(), emr.url());
        let told = host.variables.clone();
        host.variables.extend(options.function_variables);
        let queue_base = format!("{}/{ACCOUNT_ID}", moto.url());
        let runner = Arc::new(Runner::start(&application, &host, &clients.sqs, &queue_base)?);
        let children = vec![
            ProcessRecord::of("moto", moto.pid()),
            ProcessRecord::of("postgres", cluster.pid().unwrap_or(0)),
        ];
        let database_url = cluster.url();
        let cluster = Arc::new(Mutex::new(cluster));
        let controlled = Controlled { runner: runner.clone(), emr: emr.clone(), cluster: cluster.clone() };
        let control = control::start(controlled).await.map_err(io("starting the control endpoint"))?;

        let endpoints = Endpoints {
            aws_url: moto.url(),
            emr_url: emr.url(),
            control_url: control.url(),
            variables: told_variables(&application, told, &control, &database_url, &state_dir),
            database_url,
            region: REGION.to_owned(),
            state_dir: state_dir.clone(),
        };
        let owner = ProcessRecord::of("stack", std::process::id());
        State { owner, children, endpoints: endpoints.clone() }.write(&state_dir)?;
        Ok(Self { _control: control, runner, _emr: emr, cluster, _moto: moto, endpoints, _lock: lock })
    }

    /// Where everything is.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What the functions have done so far.
    pub fn status(&self) -> RunnerStatus {
        self.runner.status()
    }

    /// The database server, to stop, kill or restart it. The calls block.
    pub fn cluster(&self) -> Arc<Mutex<Cluster>> {
        self.cluster.clone()
    }

    /// Restarts the database server as a failover would, and returns once it takes connections again.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn restart_database(&self) -> Result<(), LocalError> {
        let cluster = self.cluster();
        let restarted = tokio::task::spawn_blocking(move || {
            cluster.lock().unwrap_or_else(PoisonError::into_inner).restart()
        });
        let joined =
            restarted.await.map_err(|error| io("restarting PostgreSQL")(std::io::Error::other(error)))?;
        Ok(joined?)
    }

    /// Stops everything; `functions.json` keeps the last status.
    ///
    /// # Errors
    /// When the state folder cannot be tidied up.
    pub async fn down(self) -> Result<(), LocalError> {
        let state_dir = self.endpoints.state_dir.clone();
        let status = serde_json::to_vec_pretty(&self.status()).expect("strings and numbers are always JSON");
        // Stopping waits for processes, which must not hold up the threads that serve the others.
        tokio::task::spawn_blocking(move || drop(self)).await.map_err(|error| LocalError::Io {
            action: "stopping the stack".to_owned(),
            source: std::io::Error::other(error),
        })?;
        std::fs::write(state_dir.join("functions.json"), status).map_err(io("writing functions.json"))?;
        State::remove(&state_dir)
    }
}

/// Runs a stack until `shutdown`. `ready` is called once, when everything answers.
///
/// # Errors
/// When the stack does not start or cannot be tidied up. A shutdown while it starts is no error.
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

/// Takes the state folder for this process and empties it.
fn prepare(state_dir: &Path) -> Result<File, LocalError> {
    std::fs::create_dir_all(state_dir.join("logs")).map_err(io("making the state folder"))?;
    let lock = File::create(state_dir.join("lock")).map_err(io("opening the state folder's lock"))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let pid = State::read(state_dir).map_or(0, |state| state.owner.pid);
            return Err(LocalError::AlreadyRunning { pid });
        }
        Err(TryLockError::Error(error)) => return Err(io("locking the state folder")(error)),
    }
    State::remove(state_dir)?;
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

async fn start_emr(clients: &Clients) -> Result<Emr, LocalError> {
    let application = emr::Application {
        id: SPARK_APPLICATION_ID.to_owned(),
        region: REGION.to_owned(),
        account_id: ACCOUNT_ID.to_owned(),
    };
    Emr::start(application, clients.events.clone()).await.map_err(io("starting the EMR Serverless stand-in"))
}

/// Region, credentials (any will do) and endpoints.
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

/// What goes into `.penstock/env`.
fn told_variables(
    application: &Application,
    mut variables: BTreeMap<String, String>,
    control: &Server,
    database_url: &str,
    state_dir: &Path,
) -> BTreeMap<String, String> {
    for function in &application.functions {
        let shared = |name: &str| SHARED_SUFFIXES.iter().any(|suffix| name.ends_with(suffix));
        let of_function = function.environment.iter().filter(|(name, _)| shared(name));
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
