//! `penstock dead-letters show`

use anyhow::{Result, bail};
use clap::Args;
use jiff::Timestamp;
use penstock_aws::sqs_receive::ReceivedMessage;
use serde_json::json;

use super::letter::DeadLetterView;
use super::queue::QueueWalk;
use super::selection::{DeadLetterQueues, QueueArg};
use crate::exit::{Exit, SUCCESS};

/// Show one dead letter. Nothing is changed.
#[derive(Debug, Args)]
pub(crate) struct ShowCommand {
    /// The id of the message, which `list` prints
    id: String,
    #[command(flatten)]
    queue: QueueArg,
    /// Also print the message, which may contain rows
    #[arg(long)]
    body: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl ShowCommand {
    pub(super) async fn run(self) -> Result<Exit> {
        let queues = DeadLetterQueues::find(&self.queue)?;
        for queue in &queues.queues {
            let mut walk = QueueWalk::start(&queues.sqs, &queue.url);
            let found = self.find(&mut walk).await;
            walk.finish().await?;
            if let Some(message) = found? {
                let letter = DeadLetterView::of(&queue.name, &message, &queues.batches).await?;
                self.print(&letter, &message.body);
                return Ok(SUCCESS);
            }
        }
        bail!("no dead-letter queue has the message {}", self.id)
    }

    async fn find(&self, walk: &mut QueueWalk<'_>) -> Result<Option<ReceivedMessage>> {
        loop {
            let page = walk.next().await?;
            if page.is_empty() {
                return Ok(None);
            }
            if let Some(message) = page.into_iter().find(|message| message.message_id == self.id) {
                return Ok(Some(message));
            }
        }
    }

    fn print(&self, letter: &DeadLetterView, body: &str) {
        if self.json {
            let mut json = json!(letter);
            if self.body {
                json["body"] = json!(body);
            }
            outln!("{json:#}");
            return;
        }
        let none = || "-".to_owned();
        let lines = [
            ("id", letter.id.clone()),
            ("queue", letter.queue.clone()),
            ("age", letter.age(Timestamp::now())),
            ("code", letter.code.clone().unwrap_or_else(|| "none".to_owned())),
            ("reason", letter.reason.clone()),
            ("source", letter.source.clone().unwrap_or_else(none)),
            ("batch", letter.batch_id.map_or_else(none, |batch| batch.to_string())),
            ("about", letter.subject()),
            ("if lost", letter.loss()),
        ];
        for (name, value) in lines {
            outln!("{name:<9} {value}");
        }
        if self.body {
            outln!("{body}");
        }
    }
}
