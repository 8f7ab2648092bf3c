//! `penstock dead-letters list`

use anyhow::Result;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;

use super::letter::DeadLetterView;
use super::queue::{DeadLetterQueue, QueueWalk};
use super::selection::{DeadLetterQueues, FilterArgs, QueueArg};
use crate::exit::{Exit, SUCCESS};
use crate::render;

/// List the dead letters with their codes, reasons, sources and batches. Nothing is changed.
#[derive(Debug, Args)]
pub(crate) struct ListCommand {
    #[command(flatten)]
    queue: QueueArg,
    #[command(flatten)]
    filters: FilterArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ListCommand {
    pub(super) async fn run(self) -> Result<Exit> {
        let queues = DeadLetterQueues::find(&self.queue)?;
        let mut letters = Vec::new();
        for queue in &queues.queues {
            letters.extend(read(&queues, queue).await?);
        }
        letters.retain(|letter| self.filters.matches(letter));
        letters.sort_by(|a, b| (&a.queue, a.sent_at, &a.id).cmp(&(&b.queue, b.sent_at, &b.id)));
        if self.json {
            outln!("{:#}", json!({ "letters": letters }));
        } else {
            show(&letters);
        }
        Ok(SUCCESS)
    }
}

/// Returns the dead letters of one queue, and makes them visible again.
async fn read(queues: &DeadLetterQueues, queue: &DeadLetterQueue) -> Result<Vec<DeadLetterView>> {
    let mut walk = QueueWalk::start(&queues.sqs, &queue.url);
    let letters = read_all(&mut walk, queues, queue).await;
    walk.finish().await?;
    letters
}

async fn read_all(
    walk: &mut QueueWalk<'_>,
    queues: &DeadLetterQueues,
    queue: &DeadLetterQueue,
) -> Result<Vec<DeadLetterView>> {
    let mut letters = Vec::new();
    loop {
        let page = walk.next().await?;
        if page.is_empty() {
            return Ok(letters);
        }
        for message in &page {
            letters.push(DeadLetterView::of(&queue.name, message, &queues.batches).await?);
        }
    }
}

fn show(letters: &[DeadLetterView]) {
    if letters.is_empty() {
        outln!("no dead letters");
        return;
    }
    let now = Timestamp::now();
    let row = |letter: &DeadLetterView| {
        vec![
            letter.queue.clone(),
            letter.age(now),
            letter.code.clone().unwrap_or_else(|| "none".to_owned()),
            letter.source.clone().unwrap_or_else(|| "-".to_owned()),
            letter.batch_id.map_or_else(|| "-".to_owned(), |batch| batch.to_string()),
            letter.subject(),
            letter.id.clone(),
            render::short_text(&letter.reason),
        ]
    };
    let rows: Vec<Vec<String>> = letters.iter().map(row).collect();
    let headings = ["queue", "age", "code", "source", "batch", "about", "id", "reason"];
    out!("{}", render::table(&headings, &rows));
}
