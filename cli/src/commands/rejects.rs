//! `penstock rejects`

mod csv;

use std::io::{BufRead as _, BufReader};

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use clap::Args;
use penstock_engine::Reject;
use penstock_pipeline::{BatchId, Receipt};

use crate::batches::Batches;
use crate::exit::{Exit, SUCCESS};
use crate::objects::fetch;
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
    /// The source of the batch [default: the one that its manifest names]
    #[arg(long)]
    source: Option<String>,
    /// Show at most this many rows
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true)]
    limit: usize,
    /// Print JSON, one object per line
    #[arg(long)]
    json: bool,
    /// Print CSV with a header, one line per reason
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

impl RejectsCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = StackSettings::find()?;
        let batches = Batches::of(&settings)?;
        let receipt = self.receipt(&batches, &settings).await?;
        let mut remaining = self.limit;
        if self.csv {
            out!("{}", csv::header()?);
        }
        for uri in receipt.rejects {
            if remaining == 0 || out::is_closed() {
                break;
            }
            let content = fetch(&batches.store, &uri).await?;
            remaining -= self.show(&uri, &content, remaining)?;
        }
        Ok(SUCCESS)
    }

    async fn receipt(&self, batches: &Batches, settings: &StackSettings) -> Result<Receipt> {
        let Some(source) = &self.source else { return batches.find_receipt(&self.batch).await };
        if let Some(receipt) = batches.receipt(source, &self.batch).await? {
            return Ok(receipt);
        }
        let suggestion = suggestion(&batches.store, settings, source).await?;
        bail!("source {source} has no receipt for batch {}{suggestion}", self.batch);
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
                let reject: Reject = serde_json::from_str(&line).with_context(|| uri.to_owned())?;
                let text = if self.csv { csv::lines(&reject)? } else { describe(&reject) };
                out!("{text}");
            }
            if out::is_closed() {
                break;
            }
            shown += 1;
        }
        Ok(shown)
    }
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
