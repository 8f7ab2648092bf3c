//! `penstock status`

mod writers;

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use jiff::Timestamp;
use penstock_aws::listing::ListedObject;
use penstock_aws::queue::{Queue as _, QueueDepth};
use penstock_aws::s3::S3Store;
use penstock_aws::sqs::SqsQueue;
use penstock_aws::store::ObjectStore as _;
use penstock_pipeline::Receipt;
use penstock_pipeline::layout::RECEIPTS;
use penstock_pipeline::writer_state::WriterState;
use serde_json::json;

use self::writers::{running_writers, show_writers};
use crate::exit::{Exit, SUCCESS};
use crate::out;
use crate::render;
use crate::settings::StackSettings;
use crate::sources::suggestion;

/// Pause between two statuses of `--watch`.
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Moves the cursor to the first line, and clears the screen.
const CLEAR_SCREEN: &str = "\x1b[H\x1b[2J";

/// Show recent receipts, queue depths and the budgets of the writers.
#[derive(Debug, Args)]
pub(crate) struct StatusCommand {
    /// Show the receipts of this source only
    #[arg(long)]
    source: Option<String>,
    /// Show at most this many receipts of each source
    #[arg(long, default_value_t = 5)]
    last: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print it again every 2 seconds, until Ctrl-C. With --json, one line each time
    #[arg(long)]
    watch: bool,
}

/// What the command shows at one moment.
struct StackStatus {
    receipts: BTreeMap<String, Vec<Receipt>>,
    queues: BTreeMap<String, QueueDepth>,
    writers: Vec<WriterState>,
    /// What is printed if there are no receipts.
    nothing: String,
}

impl StatusCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = StackSettings::find()?;
        if self.watch {
            return self.watch(&settings).await;
        }
        let status = self.status(&settings).await?;
        if self.json {
            outln!("{:#}", status.json());
        } else {
            status.show();
        }
        Ok(SUCCESS)
    }

    /// Prints the status again and again. It ends with Ctrl-C, or when the reader of the output ends.
    async fn watch(&self, settings: &StackSettings) -> Result<Exit> {
        let is_terminal = std::io::stdout().is_terminal();
        ensure!(
            self.json || is_terminal,
            "--watch draws on a terminal, and the output is none: add --json for one line each time"
        );
        loop {
            let status = self.status(settings).await?;
            if self.json {
                outln!("{}", status.json());
            } else {
                out!("{CLEAR_SCREEN}{} (UTC), Ctrl-C to end\n\n", Timestamp::now().strftime("%H:%M:%S"));
                status.show();
            }
            out::flush();
            if out::is_closed() {
                return Ok(SUCCESS);
            }
            tokio::select! {
                () = tokio::time::sleep(WATCH_INTERVAL) => {}
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted.context("waiting for Ctrl-C")?;
                    return Ok(SUCCESS);
                }
            }
        }
    }

    async fn status(&self, settings: &StackSettings) -> Result<StackStatus> {
        let aws = settings.aws()?;
        let queues = depths(&SqsQueue::new(&aws), settings).await?;
        let processed = settings.required("PENSTOCK_PROCESSED_BUCKET")?;
        let store = S3Store::new(&aws);
        let receipts = self.receipts(&store, processed).await?;
        let writers = running_writers(&store, processed).await?;
        let nothing = match &self.source {
            Some(source) if receipts.is_empty() && !self.json => {
                format!("no receipts of {source} yet{}", suggestion(&store, settings, source).await?)
            }
            Some(_) | None => "no receipts yet".to_owned(),
        };
        Ok(StackStatus { receipts, queues, writers, nothing })
    }

    /// Returns the newest receipts of each source, newest first.
    async fn receipts(&self, store: &S3Store, bucket: &str) -> Result<BTreeMap<String, Vec<Receipt>>> {
        let prefix =
            self.source.as_ref().map_or(RECEIPTS.to_owned(), |source| format!("{RECEIPTS}{source}/"));
        let mut by_source: BTreeMap<String, Vec<ListedObject>> = BTreeMap::new();
        for listed in store.list(bucket, &prefix).await? {
            let source = listed.key.strip_prefix(RECEIPTS).and_then(|rest| rest.split_once('/'));
            if let Some((source, _)) = source {
                by_source.entry(source.to_owned()).or_default().push(listed);
            }
        }
        let mut receipts = BTreeMap::new();
        for (source, mut listed) in by_source {
            listed.sort_by_key(|listed| std::cmp::Reverse(listed.modified_at));
            listed.truncate(self.last);
            let mut of_source: Vec<Receipt> = Vec::new();
            for ListedObject { key, .. } in listed {
                // A receipt may have been deleted since the listing.
                if let Some(json) = store.get(bucket, &key).await? {
                    let receipt = serde_json::from_slice(&json);
                    of_source.push(receipt.with_context(|| format!("s3://{bucket}/{key} is not a receipt"))?);
                }
            }
            of_source.sort_by_key(|receipt| std::cmp::Reverse(receipt.updated_at));
            receipts.insert(source, of_source);
        }
        Ok(receipts)
    }
}

impl StackStatus {
    fn json(&self) -> serde_json::Value {
        json!({ "receipts": self.receipts, "queues": self.queues, "writers": self.writers })
    }

    fn show(&self) {
        show(&self.receipts, &self.queues, &self.nothing);
        show_writers(&self.writers);
    }
}

async fn depths(queues: &SqsQueue, settings: &StackSettings) -> Result<BTreeMap<String, QueueDepth>> {
    let mut depths = BTreeMap::new();
    for (name, url) in settings.queue_urls() {
        depths.insert(name, queues.depth(url).await?);
    }
    Ok(depths)
}

/// Prints both tables; `nothing` is printed if there are no receipts.
fn show(receipts: &BTreeMap<String, Vec<Receipt>>, queues: &BTreeMap<String, QueueDepth>, nothing: &str) {
    let row = |receipt: &Receipt| {
        let rows = &receipt.rows;
        vec![
            receipt.source.clone(),
            receipt.updated_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            receipt.state.as_str().to_owned(),
            render::number(rows.read),
            render::number(rows.loaded),
            render::number(rows.rejected),
            receipt.batch_id.to_string(),
            receipt.refusal.as_ref().map(render::short_refusal).unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = receipts.values().flatten().map(row).collect();
    if rows.is_empty() {
        outln!("{nothing}");
    } else {
        let headings = ["source", "updated (UTC)", "state", "read", "loaded", "rejected", "batch", "reason"];
        out!("{}", render::table(&headings, &rows));
    }
    outln!();
    let row = |(name, depth): (&String, &QueueDepth)| {
        let counts = [depth.waiting, depth.in_flight, depth.delayed];
        [name.clone()].into_iter().chain(counts.map(render::number)).collect()
    };
    let rows: Vec<Vec<String>> = queues.iter().map(row).collect();
    out!("{}", render::table(&["queue", "waiting", "in flight", "delayed"], &rows));
}
