//! Queues: SQS, and what of it the pipeline needs.

use std::time::Duration;

use serde::Serialize;

/// Why a queue did not answer as hoped.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Refused for good: access denied, no such queue, an entry that is too large.
    #[error("queue {url}: {message}")]
    Refused {
        /// Queue URL.
        url: String,
        /// What the service said.
        message: String,
    },
    /// Throttled, timed out or the service's own fault: worth another try.
    #[error("queue {url}: {message}")]
    Transient {
        /// Queue URL.
        url: String,
        /// What the service or the connection said.
        message: String,
    },
}

impl QueueError {
    /// True when the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transient { .. } => true,
            Self::Refused { .. } => false,
        }
    }
}

/// How many messages a queue holds; approximate, as SQS counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Depth {
    /// To be received now.
    pub waiting: u64,
    /// Received and neither deleted nor back yet.
    pub in_flight: u64,
    /// To be received later.
    pub delayed: u64,
}

impl Depth {
    /// All of them.
    pub fn total(self) -> u64 {
        self.waiting.saturating_add(self.in_flight).saturating_add(self.delayed)
    }
}

/// What the pipeline asks of a queue. Implemented over SQS, and in memory by tests.
pub trait Queue: Clone + Send + Sync + 'static {
    /// Sends all bodies, in batches of what one call takes. Entries that the service lists as failed are
    /// sent again; `Ok` means that every one was taken.
    fn send_all(&self, url: &str, bodies: Vec<String>)
    -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Sends a message to a dead-letter queue with its reason as the attributes `penstock.reason.code` and
    /// `penstock.reason.message`.
    fn send_dead(
        &self,
        url: &str,
        body: &str,
        code: &str,
        message: &str,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// How many messages a queue holds.
    fn depth(&self, url: &str) -> impl Future<Output = Result<Depth, QueueError>> + Send;

    /// Lets a received message come back after `delay`.
    fn delay(
        &self,
        url: &str,
        receipt_handle: &str,
        delay: Duration,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}
