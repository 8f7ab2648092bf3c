//! The interface of the queues.

use std::time::Duration;

use serde::Serialize;

/// An error of a queue, with its URL.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// A permanent failure: access denied, no such queue, an entry that is too large.
    #[error("queue {url}: {message}")]
    Refused {
        /// Queue URL.
        url: String,
        /// The service's message.
        message: String,
    },
    /// A transient failure: throttling, a timeout, or an internal error of the service.
    #[error("queue {url}: {message}")]
    Transient {
        /// Queue URL.
        url: String,
        /// The message of the service or of the connection.
        message: String,
    },
}

impl QueueError {
    /// Returns whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transient { .. } => true,
            Self::Refused { .. } => false,
        }
    }
}

/// The number of messages in a queue. SQS counts them approximately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct QueueDepth {
    /// Messages that can be received.
    pub waiting: u64,
    /// Messages that were received, and are neither deleted nor visible again.
    pub in_flight: u64,
    /// Messages that are delayed.
    pub delayed: u64,
}

impl QueueDepth {
    /// Returns the number of all messages.
    pub fn total(self) -> u64 {
        self.waiting.saturating_add(self.in_flight).saturating_add(self.delayed)
    }
}

/// The queues of the pipeline. Implemented over SQS, and in memory for tests.
pub trait Queue: Clone + Send + Sync + 'static {
    /// Sends all bodies, in batches. Entries that the service reports as failed are sent again; `Ok` means that all
    /// entries were accepted.
    ///
    /// When many messages of one `group` wait or are being processed, the queue delivers those of other groups first
    /// ([fair queues]). A group is the name of a source.
    ///
    /// [fair queues]: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
    fn send_all(
        &self,
        url: &str,
        group: Option<&str>,
        bodies: Vec<String>,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Sends a message to a dead-letter queue with its reason as the attributes `penstock.reason.code` and
    /// `penstock.reason.message`.
    fn send_dead(
        &self,
        url: &str,
        body: &str,
        code: &str,
        message: &str,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Returns the number of messages in a queue.
    fn depth(&self, url: &str) -> impl Future<Output = Result<QueueDepth, QueueError>> + Send;

    /// Makes a received message visible again after `delay`.
    fn delay(
        &self,
        url: &str,
        receipt_handle: &str,
        delay: Duration,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}
