//! `penstock up`

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Args;
use penstock_local::{Endpoints, UpOptions};
use tracing_subscriber::filter::LevelFilter;

use crate::exit::{Exit, SUCCESS};
use crate::settings;

/// Start the local stack: S3, SQS, EventBridge, PostgreSQL, and the functions of template.yaml. Each start begins with an
/// empty state.
#[derive(Debug, Args)]
pub(crate) struct UpCommand {
    /// Start the stack in the background and return when it is ready
    #[arg(long)]
    detach: bool,
    /// Print the endpoints as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    stack: StackArgs,
}

/// The arguments of the stack, which a detached start passes on.
#[derive(Debug, Args)]
struct StackArgs {
    /// The stack's folder [default: the nearest .penstock]
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    /// Folder of the functions' binaries [default: the folder of penstock itself]
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,
    /// A parameter of template.yaml; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    parameter: Vec<(String, String)>,
    /// Do not flush each database commit to disk
    #[arg(long)]
    fast_database: bool,
    /// Redeliver the messages of a killed function after this many seconds instead of the template's time
    #[arg(long, value_name = "SECONDS")]
    visibility_timeout: Option<u64>,
    /// An environment variable for all functions, such as AWS_ENDPOINT_URL; can be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    function_variable: Vec<(String, String)>,
}

impl UpCommand {
    pub(crate) fn run(self) -> Result<Exit> {
        let options = self.stack.options()?;
        if self.detach {
            let program = std::env::current_exe().context("finding this program")?;
            let arguments = self.stack.arguments(&options);
            let endpoints = penstock_local::spawn_detached(&program, &arguments, &options.state_dir)?;
            self.show(&endpoints)?;
            return Ok(SUCCESS);
        }
        tracing_subscriber::fmt().with_max_level(LevelFilter::INFO).with_writer(std::io::stderr).init();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        runtime.context("starting the runtime")?.block_on(async {
            let shutdown = penstock_local::shutdown_signal()?;
            let ready = |endpoints: &Endpoints| {
                if let Err(error) = self.show(endpoints) {
                    tracing::warn!(%error, "cannot print the endpoints");
                }
            };
            penstock_local::run(options, ready, shutdown).await
        })?;
        Ok(SUCCESS)
    }

    fn show(&self, endpoints: &Endpoints) -> Result<()> {
        if self.json {
            let json = serde_json::to_string_pretty(endpoints).context("writing the endpoints")?;
            outln!("{json}");
            return Ok(());
        }
        let env = endpoints.state_dir.join("env");
        outln!("the stack is running");
        outln!("  S3, SQS, EventBridge  {}", endpoints.aws_url);
        outln!("  database              {}", endpoints.database_url);
        outln!("  control               {}", endpoints.control_url);
        outln!("  logs                  {}", endpoints.state_dir.join("logs").display());
        outln!("  variables             . {}", env.display());
        // The command as it was called, because it may not be in PATH.
        let penstock = std::env::args().next().unwrap_or_else(|| "penstock".to_owned());
        outln!("next steps");
        outln!("  {penstock} contract publish infra/contracts/*.yaml");
        outln!("  {penstock} drop FILE --source nordwind --wait");
        outln!("  {penstock} status");
        outln!("  . {} && psql \"$PENSTOCK_DATABASE_URL\" -c 'TABLE products LIMIT 5'", env.display());
        if self.detach {
            outln!("  {penstock} down");
        } else {
            outln!("press Ctrl-C to stop the stack");
        }
        Ok(())
    }
}

impl StackArgs {
    fn options(&self) -> Result<UpOptions> {
        let current = std::env::current_dir().context("finding the current folder")?;
        let root = settings::checkout(&current).context(
            "there is no template.yaml in this folder or above: run the command in a checkout of Penstock",
        )?;
        let program = std::env::current_exe().context("finding this program")?;
        let own_folder = program.parent().context("this program has no folder")?;
        let default_state_dir = || settings::state_dir();
        Ok(UpOptions {
            state_dir: self.state_dir.clone().map_or_else(default_state_dir, Ok)?,
            functions_dir: self.functions.clone().unwrap_or_else(|| own_folder.to_owned()),
            parameters: self.parameter.iter().cloned().collect(),
            durable_database: !self.fast_database,
            visibility_timeout: self.visibility_timeout.map(Duration::from_secs),
            function_variables: self.function_variable.iter().cloned().collect::<BTreeMap<_, _>>(),
            ..UpOptions::new(root)
        })
    }

    /// Returns the arguments with which `penstock` starts the same stack.
    fn arguments(&self, options: &UpOptions) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["up".into()];
        let mut add = |name: &str, value: OsString| arguments.extend([OsString::from(name), value]);
        add("--state-dir", options.state_dir.clone().into());
        add("--functions", options.functions_dir.clone().into());
        for (name, value) in &self.parameter {
            add("--parameter", format!("{name}={value}").into());
        }
        for (name, value) in &self.function_variable {
            add("--function-variable", format!("{name}={value}").into());
        }
        if let Some(seconds) = self.visibility_timeout {
            add("--visibility-timeout", seconds.to_string().into());
        }
        if self.fast_database {
            arguments.push("--fast-database".into());
        }
        arguments
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err("expected NAME=VALUE".to_owned()),
    }
}
