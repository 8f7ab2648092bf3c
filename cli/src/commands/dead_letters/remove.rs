//! `penstock dead-letters drop`

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::letter::DeadLetterView;
use super::queue::{DeadLetterQueue, QueueWalk};
use super::selection::{DeadLetterQueues, SelectionArgs};
use crate::exit::{Exit, SUCCESS};
use crate::render::explain;

/// Delete dead letters, and print what is lost with each. Try it with --dry-run first.
#[derive(Debug, Args)]
pub(crate) struct RemoveCommand {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Only print what would be lost
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A dead letter that was deleted, or would be.
#[derive(Debug, Serialize)]
struct RemovedLetter {
    #[serde(flatten)]
    letter: DeadLetterView,
    lost: String,
}

impl RemoveCommand {
    pub(super) async fn run(self) -> Result<Exit> {
        self.selection.check()?;
        let queues = DeadLetterQueues::find(&self.selection.queue)?;
        explain(self.json, self.dry_run, "deletes each selected dead letter for good");
        let mut letters = Vec::new();
        for queue in &queues.queues {
            let mut walk = QueueWalk::start(&queues.sqs, &queue.url);
            let removed = self.remove(&mut walk, &queues, queue, &mut letters).await;
            walk.finish().await?;
            removed?;
        }
        if self.json {
            outln!("{:#}", json!({ "dry_run": self.dry_run, "letters": letters }));
        } else {
            let verb = if self.dry_run { "would be deleted" } else { "were deleted" };
            outln!("{} dead letters {verb}", letters.len());
        }
        Ok(SUCCESS)
    }

    async fn remove(
        &self,
        walk: &mut QueueWalk<'_>,
        queues: &DeadLetterQueues,
        queue: &DeadLetterQueue,
        letters: &mut Vec<RemovedLetter>,
    ) -> Result<()> {
        loop {
            let page = walk.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for message in page {
                let letter = DeadLetterView::of(&queue.name, &message, &queues.batches).await?;
                if !self.selection.filters.matches(&letter) {
                    continue;
                }
                if !self.dry_run {
                    walk.delete(&message).await?;
                }
                let lost = letter.loss();
                if !self.json {
                    let verb = if self.dry_run { "would be deleted" } else { "deleted" };
                    outln!("{verb}  {} {}: {lost}", letter.queue, letter.id);
                }
                letters.push(RemovedLetter { letter, lost });
            }
        }
    }
}
