//! `penstock backfill`

mod unclaimed;

use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use jiff::Timestamp;
use penstock_aws::queue::Queue as _;
use penstock_aws::sqs::SqsQueue;
use penstock_pipeline::{Drop, IgnoredKeys, SQS_BATCH_MAX_ENTRIES, events};
use serde_json::json;

use self::unclaimed::UnclaimedSearch;
use crate::batches::Batches;
use crate::exit::{Exit, SUCCESS};
use crate::render::{self, explain};
use crate::settings::StackSettings;
use crate::sources::suggestion;
use crate::times::parse_time;

/// Process the files of a source that were in the bucket before the pipeline, or whose events were lost long ago. Files
/// that were received are not processed again.
#[derive(Debug, Args)]
pub(crate) struct BackfillCommand {
    /// The source
    #[arg(long)]
    source: String,
    /// Only files whose key continues with this after <source>/
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    /// Only files written since this time (2026-01-31T08:00Z, or 3h, 2d before now)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<Timestamp>,
    /// Patterns of keys that are not data, as in the template's parameter IgnoreKeys [default: PENSTOCK_IGNORE_KEYS]
    #[arg(long, value_name = "PATTERNS")]
    ignore: Option<IgnoredKeys>,
    /// Send at most this many files per second
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    per_second: u32,
    /// Only print the files
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl BackfillCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = StackSettings::find()?;
        let batches = Batches::of(&settings)?;
        let search = UnclaimedSearch {
            batches: &batches,
            artifacts_bucket: settings.required("PENSTOCK_ARTIFACTS_BUCKET")?,
            raw_bucket: settings.required("PENSTOCK_RAW_BUCKET")?,
            ignored_keys: self.ignored_keys(&settings)?,
            source: &self.source,
            prefix: &self.prefix,
            since: self.since,
        };
        if !search.has_contract().await? {
            let suggestion = suggestion(&batches.store, &settings, &self.source).await?;
            bail!("{} has no contract, so its files would be refused{suggestion}", self.source);
        }
        explain(
            self.json,
            self.dry_run,
            &format!(
                "sends an event for each version of each object under {}/{} that was never received, oldest first, at \
                 most {} per second; they are processed under the current contract",
                self.source, self.prefix, self.per_second
            ),
        );
        let drops = search.find().await?;
        if !self.dry_run {
            let queue = SqsQueue::new(&settings.aws()?);
            self.send(&queue, settings.required("PENSTOCK_DROPS_QUEUE_URL")?, &drops).await?;
        }
        self.print(&drops);
        Ok(SUCCESS)
    }

    fn ignored_keys(&self, settings: &StackSettings) -> Result<IgnoredKeys> {
        match &self.ignore {
            Some(ignored) => Ok(ignored.clone()),
            None => Ok(settings.optional("PENSTOCK_IGNORE_KEYS").unwrap_or_default().parse()?),
        }
    }

    /// Sends the events. If the program is interrupted, the next run continues with the files that were not received.
    async fn send(&self, queue: &SqsQueue, url: &str, drops: &[Drop]) -> Result<()> {
        let per_request = usize::try_from(self.per_second)?.min(SQS_BATCH_MAX_ENTRIES);
        let mut slices = drops.chunks(per_request).peekable();
        while let Some(slice) = slices.next() {
            queue.send_all(url, None, slice.iter().map(events::created).collect()).await?;
            if slices.peek().is_some() {
                let seconds = f64::from(u32::try_from(slice.len())?) / f64::from(self.per_second);
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            }
        }
        Ok(())
    }

    fn print(&self, drops: &[Drop]) {
        if self.json {
            outln!("{:#}", json!({ "source": self.source, "dry_run": self.dry_run, "drops": drops }));
            return;
        }
        for drop in drops {
            let version = drop.version_id.as_ref().map(|id| format!("  version {id}")).unwrap_or_default();
            let at = drop.dropped_at.strftime("%Y-%m-%d %H:%M:%S");
            outln!(
                "{at}  s3://{}/{}{version}  {} bytes",
                drop.bucket,
                drop.key,
                render::number(drop.size_bytes)
            );
        }
        let verb = if self.dry_run { "would be sent" } else { "were sent" };
        outln!("{} files {verb}", drops.len());
    }
}
