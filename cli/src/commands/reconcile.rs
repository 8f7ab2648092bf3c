//! `penstock reconcile`

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use penstock_aws::sqs::SqsQueue;
use penstock_pipeline::writer_command::{LedgerBatch, MAX_LEDGER_BATCHES};
use penstock_pipeline::{BatchId, Receipt, ReceiptState};
use serde::Serialize;
use serde_json::json;

use crate::batches::Batches;
use crate::exit::{Exit, REJECTS, SUCCESS};
use crate::render::{self, explain};
use crate::republication::{LedgerGap, chunk_numbers, lost_objects, send_chunks};
use crate::settings::StackSettings;
use crate::times::parse_time;
use crate::writer::WriterFunction;

/// Compare the receipts with the ledger after the database was restored to an earlier time, and send the chunks that the
/// ledger lacks. Stop nothing: chunks that are loaded are not loaded again.
#[derive(Debug, Args)]
pub(crate) struct ReconcileCommand {
    /// Check receipts written since this time: that of the backup, or earlier (2026-01-31T08:00Z, or 3h, 2d before now)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Timestamp,
    /// Check this source only
    #[arg(long)]
    source: Option<String>,
    /// Only print the differences
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A batch whose receipt and ledger differ.
#[derive(Debug, Serialize)]
struct Difference {
    batch_id: BatchId,
    source: String,
    /// The state of the receipt.
    state: &'static str,
    difference: String,
    /// Numbers of the chunks that were sent, or would be.
    chunks: Vec<u32>,
    /// Whether the command cannot repair it.
    needs_operator: bool,
}

impl ReconcileCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = StackSettings::find()?;
        let run = ReconcileRun {
            batches: Batches::of(&settings)?,
            writer: WriterFunction::find(&settings)?,
            queue: SqsQueue::new(&settings.aws()?),
            load_queue_url: settings.required("PENSTOCK_LOAD_QUEUE_URL")?,
            dry_run: self.dry_run,
        };
        explain(
            self.json,
            self.dry_run,
            &format!(
                "compares the receipts that were written since {} with the ledger, and sends the chunks that the ledger \
                 lacks to the load queue",
                self.since
            ),
        );
        let receipts = self.receipts(&run.batches).await?;
        let mut differences = Vec::new();
        for group in receipts.chunks(MAX_LEDGER_BATCHES) {
            let ids: Vec<BatchId> = group.iter().map(|receipt| receipt.batch_id).collect();
            let ledger = run.writer.ledger(&ids).await?;
            for receipt in group {
                differences.extend(run.reconcile(receipt, &ledger).await?);
            }
        }
        self.print(receipts.len(), &differences);
        let needs_operator = differences.iter().any(|one| one.needs_operator);
        Ok(if needs_operator { REJECTS } else { SUCCESS })
    }

    /// Returns the receipts since the given time whose batches have chunks in the ledger, or should have.
    async fn receipts(&self, batches: &Batches) -> Result<Vec<Receipt>> {
        let mut receipts = Vec::new();
        for listed in batches.list_receipts(self.source.as_deref()).await? {
            if listed.modified_at.is_some_and(|at| at < self.since) {
                continue;
            }
            let receipt = batches.listed_receipt(&listed).await?;
            receipts.extend(receipt.filter(|receipt| is_in_ledger(receipt.state)));
        }
        Ok(receipts)
    }

    fn print(&self, checked: usize, differences: &[Difference]) {
        if self.json {
            let report = json!({
                "since": self.since,
                "dry_run": self.dry_run,
                "checked": checked,
                "differences": differences,
            });
            outln!("{report:#}");
            return;
        }
        let row = |one: &Difference| {
            vec![one.source.clone(), one.batch_id.to_string(), one.state.to_owned(), one.difference.clone()]
        };
        if !differences.is_empty() {
            let rows: Vec<Vec<String>> = differences.iter().map(row).collect();
            out!("{}", render::table(&["source", "batch", "receipt", "difference"], &rows));
        }
        let chunks: usize = differences.iter().map(|one| one.chunks.len()).sum();
        let verb = if self.dry_run { "would be sent" } else { "were sent" };
        outln!("{checked} batches checked, {} differ, {chunks} chunks {verb}", differences.len());
    }
}

/// Returns whether a batch in this state may have chunks in the ledger.
fn is_in_ledger(state: ReceiptState) -> bool {
    match state {
        ReceiptState::Read
        | ReceiptState::Loading
        | ReceiptState::PartlyLoaded
        | ReceiptState::Loaded
        | ReceiptState::Withdrawn => true,
        // A replaced batch has no rows; the batch that replaced it is checked.
        ReceiptState::Replaced
        | ReceiptState::Received
        | ReceiptState::Submitted
        | ReceiptState::Refused
        | ReceiptState::Failed
        | ReceiptState::Unknown => false,
    }
}

struct ReconcileRun<'a> {
    batches: Batches,
    writer: WriterFunction,
    queue: SqsQueue,
    load_queue_url: &'a str,
    dry_run: bool,
}

impl ReconcileRun<'_> {
    /// Compares a batch with the ledger, and sends what is missing.
    async fn reconcile(
        &self,
        receipt: &Receipt,
        ledger: &BTreeMap<BatchId, LedgerBatch>,
    ) -> Result<Option<Difference>> {
        let found = ledger.get(&receipt.batch_id);
        if receipt.state == ReceiptState::Withdrawn {
            let is_withdrawn = found.is_none_or(|batch| batch.stopped || batch.chunks.is_empty());
            let text = "the ledger has the batch as loaded: withdraw it again with `penstock withdraw`";
            return Ok((!is_withdrawn).then(|| difference(receipt, text.to_owned(), &[], true)));
        }
        let Some(manifest) = self.batches.manifest(&receipt.batch_id).await? else {
            let text = "the batch has no manifest: drop the file again".to_owned();
            return Ok(Some(difference(receipt, text, &[], true)));
        };
        let gap = LedgerGap::of(&manifest, found, receipt.state == ReceiptState::Loaded);
        let chunks = gap.chunks_to_send(&manifest);
        let text = match &gap {
            LedgerGap::Complete => return Ok(None),
            // The messages of a batch that was just read wait in the load queue.
            LedgerGap::Missing(_) if receipt.state == ReceiptState::Read => return Ok(None),
            LedgerGap::Missing(indexes) => {
                format!("the ledger lacks chunks {} of {}", chunk_numbers(indexes), manifest.chunk_count())
            }
            LedgerGap::NotClosed => "every chunk is loaded, but the batch was not closed".to_owned(),
            LedgerGap::Stopped(reason) => format!("the ledger says that {reason}"),
        };
        let lost = lost_objects(&self.batches, &manifest, &chunks).await?;
        if let Some(first) = lost.first() {
            let text = format!("{text}, and {first} no longer exists: replay it with `penstock replay`");
            return Ok(Some(difference(receipt, text, &[], true)));
        }
        if !self.dry_run && !chunks.is_empty() {
            send_chunks(&self.queue, self.load_queue_url, &manifest, &chunks).await?;
        }
        let needs_operator = matches!(gap, LedgerGap::Stopped(_));
        Ok(Some(difference(receipt, text, &chunks, needs_operator)))
    }
}

fn difference(receipt: &Receipt, text: String, chunks: &[u32], needs_operator: bool) -> Difference {
    Difference {
        batch_id: receipt.batch_id,
        source: receipt.source.clone(),
        state: receipt.state.as_str(),
        difference: text,
        chunks: chunks.iter().map(|index| index.saturating_add(1)).collect(),
        needs_operator,
    }
}
