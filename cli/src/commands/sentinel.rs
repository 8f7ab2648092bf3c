//! `penstock sentinel`

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::exit::{Exit, SUCCESS};
use crate::render;
use crate::settings::Settings;

const CONTROL_URL: &str = "PENSTOCK_CONTROL_URL";

/// Look for late sources, missed drops and stuck batches at once, rather than when the local stack's schedule says.
#[derive(Debug, Args)]
pub(crate) struct Sentinel {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The function's answer.
#[derive(Debug, Deserialize)]
struct Run {
    sources: Vec<Source>,
}

#[derive(Debug, Deserialize)]
struct Source {
    source: String,
    late: Option<bool>,
    seconds_since_drop: Option<f64>,
    missed_drops: u32,
    stuck_batches: u32,
}

impl Sentinel {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = Settings::find()?;
        let Some(control_url) = settings.optional(CONTROL_URL) else {
            bail!(
                "{CONTROL_URL} is not set, so this is no local stack: in AWS the sentinel runs by its schedule; see the \
                 log group /aws/lambda/penstock-<environment>-sentinel"
            );
        };
        let answer = penstock_local::run_schedule(control_url, "sentinel").await?;
        if self.json {
            outln!("{answer}");
            return Ok(SUCCESS);
        }
        let run: Run = serde_json::from_str(&answer).context("reading the sentinel's answer")?;
        show(&run.sources);
        Ok(SUCCESS)
    }
}

fn show(sources: &[Source]) {
    if sources.is_empty() {
        outln!("no sources yet");
        return;
    }
    let row = |source: &Source| {
        let late = match source.late {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        let since_drop = source.seconds_since_drop.map(|seconds| format!("{seconds:.0}"));
        vec![
            source.source.clone(),
            late.to_owned(),
            since_drop.unwrap_or_else(|| "never".to_owned()),
            render::number(source.missed_drops.into()),
            render::number(source.stuck_batches.into()),
        ]
    };
    let rows: Vec<Vec<String>> = sources.iter().map(row).collect();
    let headings = ["source", "late", "seconds since a drop", "missed drops", "stuck batches"];
    out!("{}", render::table(&headings, &rows));
}
