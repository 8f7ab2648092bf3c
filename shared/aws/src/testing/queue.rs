//! Queues in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::faults::{Call, Fault, FaultPlan, lock};
use crate::queue::{Queue, QueueDepth, QueueError};

/// A message that was sent to a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Queue URL.
    pub url: String,
    /// Body of the message.
    pub body: String,
    /// Stable code.
    pub code: String,
    /// The reason.
    pub message: String,
}

#[derive(Debug, Default)]
struct QueueState {
    sent: Vec<(String, String)>,
    groups: Vec<Option<String>>,
    dead: Vec<DeadLetter>,
    delays: Vec<(String, Duration)>,
    depths: BTreeMap<String, u64>,
    faults: FaultPlan,
}

/// Queues that record the messages sent to them.
#[derive(Debug, Clone, Default)]
pub struct MemoryQueue(Arc<Mutex<QueueState>>);

impl MemoryQueue {
    /// Returns empty queues.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the bodies sent to `url`, in order.
    pub fn sent(&self, url: &str) -> Vec<String> {
        let state = lock(&self.0);
        state.sent.iter().filter(|(to, _)| to == url).map(|(_, body)| body.clone()).collect()
    }

    /// Removes the messages sent to `url` as a consumer does, and returns their bodies.
    pub fn take(&self, url: &str) -> Vec<String> {
        let mut state = lock(&self.0);
        let (taken, kept) = std::mem::take(&mut state.sent).into_iter().partition(|(to, _)| to == url);
        state.sent = kept;
        Vec::into_iter(taken).map(|(_, body)| body).collect()
    }

    /// Returns the groups of all messages that were sent, in order.
    pub fn groups(&self) -> Vec<Option<String>> {
        lock(&self.0).groups.clone()
    }

    /// Returns the dead letters, in order.
    pub fn dead(&self) -> Vec<DeadLetter> {
        lock(&self.0).dead.clone()
    }

    /// Returns the receipt handles with their delays, in order.
    pub fn delays(&self) -> Vec<(String, Duration)> {
        lock(&self.0).delays.clone()
    }

    /// Sets the number of messages in the queue at `url` in addition to those sent to it.
    pub fn set_depth(&self, url: &str, messages: u64) {
        lock(&self.0).depths.insert(url.to_owned(), messages);
    }

    /// Makes the next call on a queue whose URL contains `matching` fail.
    pub fn fail(&self, call: Call, matching: &str, fault: Fault) {
        lock(&self.0).faults.add_once(call, matching, fault);
    }

    fn call(&self, call: Call, url: &str, effect: impl FnOnce(&mut QueueState)) -> Result<(), QueueError> {
        let mut state = lock(&self.0);
        let fault = state.faults.next(call, url);
        let (url, message) = (url.to_owned(), "injected fault".to_owned());
        match fault {
            None => {
                effect(&mut state);
                Ok(())
            }
            Some(Fault::Refused | Fault::NotFound | Fault::Changed | Fault::Archived) => {
                Err(QueueError::Refused { url, message })
            }
            Some(Fault::Transient) => Err(QueueError::Transient { url, message }),
            Some(Fault::AfterEffect) => {
                effect(&mut state);
                Err(QueueError::Transient { url, message })
            }
        }
    }
}

impl Queue for MemoryQueue {
    async fn send_all(&self, url: &str, group: Option<&str>, bodies: Vec<String>) -> Result<(), QueueError> {
        self.call(Call::SendAll, url, |state| {
            state.groups.extend(bodies.iter().map(|_| group.map(str::to_owned)));
            state.sent.extend(bodies.into_iter().map(|body| (url.to_owned(), body)));
        })
    }

    async fn send_dead(&self, url: &str, body: &str, code: &str, message: &str) -> Result<(), QueueError> {
        self.call(Call::SendDead, url, |state| {
            state.dead.push(DeadLetter {
                url: url.to_owned(),
                body: body.to_owned(),
                code: code.to_owned(),
                message: message.to_owned(),
            });
        })
    }

    async fn depth(&self, url: &str) -> Result<QueueDepth, QueueError> {
        let mut depth = QueueDepth::default();
        self.call(Call::Depth, url, |state| {
            let sent = state.sent.iter().filter(|(to, _)| to == url).count() as u64;
            depth.waiting = state.depths.get(url).copied().unwrap_or(0) + sent;
        })?;
        Ok(depth)
    }

    async fn delay(&self, url: &str, receipt_handle: &str, delay: Duration) -> Result<(), QueueError> {
        self.call(Call::Delay, url, |state| state.delays.push((receipt_handle.to_owned(), delay)))
    }
}
