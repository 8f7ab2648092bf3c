//! Reads a dead-letter queue without losing a message.
//!
//! A received message is invisible to others for a while, and is deleted only after it was sent to another queue. The
//! messages that remain are made visible again at the end. If the program is interrupted, they become visible by
//! themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::Result;
use penstock_aws::queue::{Queue as _, QueueError};
use penstock_aws::sqs::SqsQueue;
use penstock_aws::sqs_receive::ReceivedMessage;
use penstock_engine::sha256_hex;

use crate::settings::StackSettings;

const SUFFIX: &str = "-dead-letters";
/// Time for which a received message is invisible. Must be longer than the time to act on the ten messages of a page.
const VISIBILITY: Duration = Duration::from_secs(120);

/// A dead-letter queue.
#[derive(Debug, Clone)]
pub(super) struct DeadLetterQueue {
    /// The name of the queue that the messages came from: `load`.
    pub(super) name: String,
    pub(super) url: String,
    /// URL of the queue that the messages came from, if it is known.
    pub(super) origin_url: Option<String>,
}

impl DeadLetterQueue {
    pub(super) fn all(settings: &StackSettings) -> Vec<Self> {
        let urls = settings.queue_urls();
        let queue = |(name, url): (&String, &&str)| {
            let name = name.strip_suffix(SUFFIX)?;
            let origin_url = urls.get(name).map(|url| (*url).to_owned());
            Some(Self { name: name.to_owned(), url: (*url).to_owned(), origin_url })
        };
        urls.iter().filter_map(queue).collect()
    }
}

/// A walk through the messages of a queue.
pub(super) struct QueueWalk<'a> {
    sqs: &'a SqsQueue,
    url: &'a str,
    seen: BTreeSet<String>,
    /// SHA-256 of the messages that were sent back. One that fails again at once returns as a new message, and is left for
    /// the next walk.
    sent_back: BTreeSet<String>,
    /// Receipt handles of the messages that remain in the queue, by message id.
    held: BTreeMap<String, String>,
}

impl<'a> QueueWalk<'a> {
    pub(super) fn start(sqs: &'a SqsQueue, url: &'a str) -> Self {
        Self { sqs, url, seen: BTreeSet::new(), sent_back: BTreeSet::new(), held: BTreeMap::new() }
    }

    /// Returns the next messages; an empty list at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<ReceivedMessage>> {
        loop {
            let mut page = self.sqs.receive(self.url, VISIBILITY).await?;
            for message in &page {
                self.held.insert(message.message_id.clone(), message.receipt_handle.clone());
            }
            // A message that is received again has become visible in the meantime: all others were received before it.
            page.retain(|message| self.seen.insert(message.message_id.clone()));
            let has_new = !page.is_empty();
            page.retain(|message| !self.sent_back.contains(&sha256_hex(message.body.as_bytes())));
            if !page.is_empty() || !has_new {
                return Ok(page);
            }
        }
    }

    /// Remembers that a message is in its queue again.
    pub(super) fn sent_back(&mut self, message: &ReceivedMessage) {
        self.sent_back.insert(sha256_hex(message.body.as_bytes()));
    }

    /// Deletes a message.
    pub(super) async fn delete(&mut self, message: &ReceivedMessage) -> Result<(), QueueError> {
        self.sqs.delete(self.url, &message.receipt_handle).await?;
        self.held.remove(&message.message_id);
        Ok(())
    }

    /// Makes the messages that remain visible again.
    pub(super) async fn finish(self) -> Result<()> {
        for handle in self.held.values() {
            match self.sqs.delay(self.url, handle, Duration::ZERO).await {
                Ok(()) => {}
                // The visibility timeout has ended, or another program has deleted the message.
                Err(QueueError::Refused { .. }) => {}
                Err(error @ QueueError::Transient { .. }) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
