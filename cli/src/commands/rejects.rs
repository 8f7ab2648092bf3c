//! `penstock rejects`

use std::io::{BufRead as _, BufReader};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use clap::Args;
use penstock_aws::s3::S3Store;
use penstock_aws::store::ObjectStore as _;
use penstock_engine::Reject;
use penstock_pipeline::{BatchId, Receipt, layout};

use crate::exit::{Exit, SUCCESS};
use crate::out;
use crate::settings::StackSettings;
use crate::sources::suggestion;

/// The maximum number of characters of a raw row that are printed.
const RAW_CHARS: usize = 100;

/// Show the rejected rows of a batch with their positions and reasons.
#[derive(Debug, Args)]
pub(crate) struct RejectsCommand {
    /// The batch id, which is in the receipt
    batch: BatchId,
    /// The source of the batch
    #[arg(long)]
    source: String,
    /// Show at most this many rows
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
}

impl RejectsCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = StackSettings::find()?;
        let store = S3Store::new(&settings.aws()?);
        let processed = settings.required("PENSTOCK_PROCESSED_BUCKET")?;
        let key = layout::receipt(&self.source, &self.batch);
        let Some(receipt) = store.get(processed, &key).await? else {
            let suggestion = suggestion(&store, &settings, &self.source).await?;
            bail!("source {} has no receipt for batch {}{suggestion}", self.source, self.batch);
        };
        let receipt: Receipt = serde_json::from_slice(&receipt).context("reading the receipt")?;
        let mut remaining = self.limit;
        for uri in receipt.rejects {
            if remaining == 0 || out::is_closed() {
                break;
            }
            let content = fetch(&store, &uri).await?;
            remaining -= self.show(&uri, &content, remaining)?;
        }
        Ok(SUCCESS)
    }

    /// Prints at most `limit` rows of one file and returns their number.
    fn show(&self, uri: &str, content: &Bytes, limit: usize) -> Result<usize> {
        let decoder = zstd::Decoder::new(content.as_ref()).with_context(|| uri.to_owned())?;
        let mut shown = 0;
        for line in BufReader::new(decoder).lines().take(limit) {
            let line = line.with_context(|| uri.to_owned())?;
            if self.json {
                outln!("{line}");
            } else {
                out!("{}", describe(&serde_json::from_str(&line).with_context(|| uri.to_owned())?));
            }
            if out::is_closed() {
                break;
            }
            shown += 1;
        }
        Ok(shown)
    }
}

async fn fetch(store: &S3Store, uri: &str) -> Result<Bytes> {
    let location = uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    let (bucket, key) = location.with_context(|| format!("{uri} is not an S3 URI"))?;
    store.get(bucket, key).await?.with_context(|| format!("{uri} no longer exists"))
}

fn describe(reject: &Reject) -> String {
    let raw: String = reject.raw.chars().take(RAW_CHARS).map(printable).collect();
    let cut = if reject.raw.chars().count() > RAW_CHARS { "…" } else { "" };
    let mut text = format!("row {}, line {}: {raw}{cut}\n", reject.row, reject.line);
    for reason in &reject.reasons {
        let column = reason.column.as_deref().unwrap_or("(record)");
        let found = reason.found.as_deref().map(|found| {
            let found: String = found.chars().take(RAW_CHARS / 2).map(printable).collect();
            format!(", found `{found}`")
        });
        let found = found.unwrap_or_default();
        text.push_str(&format!("  {column}: {} ({}){found}\n", reason.code, reason.rule));
    }
    text
}

/// Replaces control characters: the raw row is untrusted and a terminal would execute its control sequences.
fn printable(character: char) -> char {
    if character.is_control() { '␣' } else { character }
}
