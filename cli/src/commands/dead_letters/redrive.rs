//! `penstock dead-letters redrive`

use anyhow::{Context as _, Result};
use clap::Args;
use penstock_aws::queue::Queue as _;
use penstock_aws::sqs_receive::ReceivedMessage;
use serde::Serialize;
use serde_json::json;

use super::letter::DeadLetterView;
use super::queue::{DeadLetterQueue, QueueWalk};
use super::selection::{DeadLetterQueues, SelectionArgs};
use crate::exit::{Exit, REFUSED, SUCCESS};
use crate::render::explain;

/// Send dead letters to the queues that they came from, after the cause is fixed. Those of a batch that was replaced or
/// withdrawn are refused.
#[derive(Debug, Args)]
pub(crate) struct RedriveCommand {
    #[command(flatten)]
    selection: SelectionArgs,
    /// Only print what would be done
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What was done with a dead letter.
#[derive(Debug, Serialize)]
struct RedrivenLetter {
    #[serde(flatten)]
    letter: DeadLetterView,
    redriven: bool,
    /// The reason why it was refused.
    refused: Option<String>,
}

impl RedriveCommand {
    pub(super) async fn run(self) -> Result<Exit> {
        self.selection.check()?;
        let queues = DeadLetterQueues::find(&self.selection.queue)?;
        explain(
            self.json,
            self.dry_run,
            "sends each selected dead letter to the queue that it came from, then deletes it; a chunk that is already \
             loaded is skipped there; those of batches that were replaced or withdrawn remain",
        );
        let mut letters = Vec::new();
        for queue in &queues.queues {
            let mut walk = QueueWalk::start(&queues.sqs, &queue.url);
            let redriven = self.redrive(&mut walk, &queues, queue, &mut letters).await;
            walk.finish().await?;
            redriven?;
        }
        let refused = letters.iter().filter(|letter| letter.refused.is_some()).count();
        if self.json {
            outln!("{:#}", json!({ "dry_run": self.dry_run, "letters": letters }));
        } else {
            let verb = if self.dry_run { "would be redriven" } else { "were redriven" };
            outln!("{} dead letters {verb}, {refused} were refused", letters.len() - refused);
        }
        Ok(if refused > 0 { REFUSED } else { SUCCESS })
    }

    async fn redrive(
        &self,
        walk: &mut QueueWalk<'_>,
        queues: &DeadLetterQueues,
        queue: &DeadLetterQueue,
        letters: &mut Vec<RedrivenLetter>,
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
                let refused = match (&letter.source, &letter.batch_id) {
                    (Some(source), Some(batch)) => queues.batches.obstacle(source, batch).await?,
                    (_, _) => None,
                };
                if refused.is_none() && !self.dry_run {
                    send_back(walk, queues, queue, &letter, &message).await?;
                }
                self.print(&letter, refused.as_deref());
                let redriven = refused.is_none() && !self.dry_run;
                letters.push(RedrivenLetter { letter, redriven, refused });
            }
        }
    }

    fn print(&self, letter: &DeadLetterView, refused: Option<&str>) {
        if self.json {
            return;
        }
        let subject = format!("{} {} ({})", letter.queue, letter.id, letter.subject());
        match (refused, self.dry_run) {
            (Some(reason), _) => outln!("refused   {subject}: {reason}"),
            (None, true) => outln!("would be redriven  {subject}"),
            (None, false) => outln!("redriven  {subject}"),
        }
    }
}

/// Sends a message to its queue and deletes it. If the program ends in between, it is in both queues, and processing it
/// twice has no effect.
async fn send_back(
    walk: &mut QueueWalk<'_>,
    queues: &DeadLetterQueues,
    queue: &DeadLetterQueue,
    letter: &DeadLetterView,
    message: &ReceivedMessage,
) -> Result<()> {
    let name = queue.name.to_uppercase().replace('-', "_");
    let url = queue.origin_url.as_ref();
    let url = url.with_context(|| format!("PENSTOCK_{name}_QUEUE_URL is not set"))?;
    // Chunks are grouped by source, as ingest sends them.
    let group = letter.source.as_deref().filter(|_| letter.chunk.is_some());
    queues.sqs.send_all(url, group, vec![message.body.clone()]).await?;
    walk.sent_back(message);
    Ok(walk.delete(message).await?)
}
