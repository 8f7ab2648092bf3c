//! `penstock republish`

use anyhow::{Context as _, Result, bail};
use clap::Args;
use penstock_aws::sqs::SqsQueue;
use penstock_pipeline::{BatchId, Manifest, ManifestState, ReceiptState};
use serde_json::json;

use crate::batches::Batches;
use crate::exit::{Exit, REFUSED, SUCCESS};
use crate::render::{self, explain};
use crate::republication::{LedgerGap, chunk_numbers, lost_objects, send_chunks};
use crate::settings::StackSettings;
use crate::writer::WriterFunction;

/// Send the chunks of a batch again that the ledger lacks, for example because their messages were deleted. Chunks that
/// are loaded are not sent.
#[derive(Debug, Args)]
pub(crate) struct RepublishCommand {
    /// The batch id, which is in the receipt
    batch: BatchId,
    /// Only print what would be sent
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RepublishCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = StackSettings::find()?;
        let batches = Batches::of(&settings)?;
        explain(
            self.json,
            self.dry_run,
            "compares the manifest of the batch with the ledger and sends the chunks that the ledger lacks to the load queue",
        );
        let manifest = batches.manifest(&self.batch).await?;
        let manifest = manifest.with_context(|| {
            format!(
                "batch {} has no manifest, so it was not committed: redrive its event with `penstock dead-letters \
                 redrive --batch {0}`, or replay it with `penstock replay {0}`",
                self.batch
            )
        })?;
        if let Some(reason) = self.refusal(&batches, &manifest).await? {
            return Ok(self.refuse(&reason));
        }
        let receipt = batches.receipt(&manifest.source, &self.batch).await?;
        let is_final = receipt.is_some_and(|receipt| receipt.state == ReceiptState::Loaded);
        let ledger = WriterFunction::find(&settings)?.ledger(&[self.batch]).await?;
        let gap = LedgerGap::of(&manifest, ledger.get(&self.batch), is_final);
        if let LedgerGap::Stopped(reason) = &gap {
            return Ok(
                self.refuse(&format!("no chunk of batch {} is applied any more: {reason}", self.batch))
            );
        }
        let chunks = gap.chunks_to_send(&manifest);
        let lost = lost_objects(&batches, &manifest, &chunks).await?;
        if !lost.is_empty() {
            bail!(
                "these chunks no longer exist: {}; replay the batch with `penstock replay {}`",
                lost.join(", "),
                self.batch
            );
        }
        if !self.dry_run && !chunks.is_empty() {
            let queue = SqsQueue::new(&settings.aws()?);
            send_chunks(&queue, settings.required("PENSTOCK_LOAD_QUEUE_URL")?, &manifest, &chunks).await?;
        }
        self.print(&manifest, &gap, &chunks);
        Ok(SUCCESS)
    }

    async fn refusal(&self, batches: &Batches, manifest: &Manifest) -> Result<Option<String>> {
        match &manifest.state {
            ManifestState::Refused(refusal) => Ok(Some(format!(
                "batch {} was refused and has no chunks: {}",
                self.batch,
                render::refusal(refusal)
            ))),
            ManifestState::Committed { .. } => batches.obstacle(&manifest.source, &self.batch).await,
        }
    }

    fn refuse(&self, reason: &str) -> Exit {
        if self.json {
            outln!(
                "{:#}",
                json!({ "batch_id": self.batch, "dry_run": self.dry_run, "refused": reason, "chunks": [] })
            );
        } else {
            outln!("refused: {reason}");
        }
        REFUSED
    }

    fn print(&self, manifest: &Manifest, gap: &LedgerGap, chunks: &[u32]) {
        let numbers: Vec<u32> = chunks.iter().map(|index| index.saturating_add(1)).collect();
        if self.json {
            let report = json!({
                "batch_id": self.batch,
                "source": manifest.source,
                "dry_run": self.dry_run,
                "refused": null,
                "complete": *gap == LedgerGap::Complete,
                "chunks": numbers,
                "chunk_count": manifest.chunk_count(),
            });
            outln!("{report:#}");
            return;
        }
        let verb = if self.dry_run { "would be sent" } else { "were sent" };
        match gap {
            LedgerGap::Complete => outln!("the ledger has every chunk of the batch: nothing to send"),
            LedgerGap::NotClosed => outln!(
                "the ledger has every chunk, but the batch was not closed: chunk {} {verb}, after which the writer closes it",
                chunk_numbers(chunks)
            ),
            LedgerGap::Missing(_) => {
                outln!("chunks {} of {} {verb}", chunk_numbers(chunks), manifest.chunk_count());
            }
            LedgerGap::Stopped(reason) => outln!("refused: {reason}"),
        }
    }
}
