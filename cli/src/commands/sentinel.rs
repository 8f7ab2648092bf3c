//! `penstock sentinel`

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::exit::{Exit, SUCCESS};
use crate::render;
use crate::settings::StackSettings;

const CONTROL_URL: &str = "PENSTOCK_CONTROL_URL";

/// Run the local stack's sentinel now instead of at its next scheduled time: print each source with its late, missed
/// and stuck drops.
#[derive(Debug, Args)]
pub(crate) struct SentinelCommand {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The function's response.
#[derive(Debug, Deserialize)]
struct SentinelReport {
    sources: Vec<SourceReport>,
    orphans_removed: u64,
}

#[derive(Debug, Deserialize)]
struct SourceReport {
    source: String,
    late: Option<bool>,
    seconds_since_drop: Option<f64>,
    missed_drops: u32,
    stuck_batches: u32,
}

impl SentinelCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = StackSettings::find()?;
        let Some(control_url) = settings.optional(CONTROL_URL) else {
            bail!(
                "{CONTROL_URL} is not set: this command needs a local stack. In AWS the sentinel runs on its schedule; \
                 see the log group /aws/lambda/penstock-<environment>-sentinel"
            );
        };
        let response = penstock_local::run_schedule(control_url, "sentinel").await?;
        if self.json {
            outln!("{response}");
            return Ok(SUCCESS);
        }
        let report: SentinelReport =
            serde_json::from_str(&response).context("parsing the sentinel's response")?;
        show(&report.sources);
        if report.orphans_removed > 0 {
            outln!("{} objects that no manifest lists were removed", render::number(report.orphans_removed));
        }
        Ok(SUCCESS)
    }
}

fn show(sources: &[SourceReport]) {
    if sources.is_empty() {
        outln!("no sources yet");
        return;
    }
    let row = |source: &SourceReport| {
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
