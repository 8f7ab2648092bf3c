//! `penstock withdraw`

use anyhow::Result;
use clap::Args;
use penstock_pipeline::{BatchId, Receipt, ReceiptState};
use serde_json::json;

use crate::batches::Batches;
use crate::exit::{Exit, REFUSED, SUCCESS};
use crate::render::{self, explain};
use crate::settings::StackSettings;
use crate::writer::WriterFunction;

/// Withdraw a batch: delete its rows from the table, and restore the rows of earlier batches that they replaced.
#[derive(Debug, Args)]
pub(crate) struct WithdrawCommand {
    /// The batch id, which is in the receipt
    batch: BatchId,
    /// Only count the rows
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl WithdrawCommand {
    pub(crate) async fn run(self) -> Result<Exit> {
        let settings = StackSettings::find()?;
        let receipt = Batches::of(&settings)?.find_receipt(&self.batch).await?;
        if receipt.state == ReceiptState::Replaced {
            return Ok(self.refuse(&receipt));
        }
        let object = format!("s3://{}/{}", receipt.drop.bucket, receipt.drop.key);
        explain(
            self.json,
            self.dry_run,
            &format!(
                "deletes the rows of batch {} ({object}) from the table of {}, restores the rows that they replaced, and \
                 applies no further chunk of the batch",
                self.batch, receipt.source
            ),
        );
        let rows = WriterFunction::find(&settings)?.withdraw(self.batch, self.dry_run).await?;
        if self.json {
            let report = json!({
                "batch_id": self.batch,
                "source": receipt.source,
                "dry_run": self.dry_run,
                "refused": null,
                "deleted": rows.deleted,
                "restored": rows.restored,
            });
            outln!("{report:#}");
        } else {
            let verb = if self.dry_run { "would be " } else { "" };
            let restored = rows.restored.map_or_else(
                || "the rows of other batches that they replaced would be restored".to_owned(),
                |restored| format!("{} rows of other batches {verb}restored", render::number(restored)),
            );
            outln!("{} rows {verb}deleted, {restored}", render::number(rows.deleted));
        }
        Ok(SUCCESS)
    }

    fn refuse(&self, receipt: &Receipt) -> Exit {
        let by = receipt.replaced_by.map(|by| format!(" by batch {by}")).unwrap_or_default();
        let reason = format!("batch {} was replaced{by}, so its rows are not in the table", self.batch);
        if self.json {
            outln!("{:#}", json!({ "batch_id": self.batch, "dry_run": self.dry_run, "refused": reason }));
        } else {
            outln!("refused: {reason}");
        }
        REFUSED
    }
}
