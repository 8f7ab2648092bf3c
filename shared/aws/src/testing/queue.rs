//! Queues in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Call, Fault, Plan, Planned, lock};
use crate::queue::{Depth, Queue, QueueError};

/// A message that was sent to a dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Queue URL.
    pub url: String,
    /// The message's body.
    pub body: String,
    /// Stable code.
    pub code: String,
    /// What was wrong.
    pub message: String,
}

#[derive(Debug, Default)]
struct QueueState {
    sent: Vec<(String, String)>,
    dead: Vec<DeadLetter>,
    delays: Vec<(String, Duration)>,
    held: BTreeMap<String, u64>,
    plan: Plan,
}

/// Queues that keep what they are given.
#[derive(Debug, Clone, Default)]
pub struct MemoryQueue(Arc<Mutex<QueueState>>);

impl MemoryQueue {
    /// Empty queues.
    pub fn new() -> Self {
        Self::default()
    }

    /// Bodies sent to `url`, in order.
    pub fn sent(&self, url: &str) -> Vec<String> {
        let state = lock(&self.0);
        state.sent.iter().filter(|(to, _)| to == url).map(|(_, body)| body.clone()).collect()
    }

    /// Dead letters, in order.
    pub fn dead(&self) -> Vec<DeadLetter> {
        lock(&self.0).dead.clone()
    }

    /// Receipt handles with the delay that each was given, in order.
    pub fn delays(&self) -> Vec<(String, Duration)> {
        lock(&self.0).delays.clone()
    }

    /// Says of the queue at `url` that it holds so many messages.
    pub fn hold(&self, url: &str, messages: u64) {
        lock(&self.0).held.insert(url.to_owned(), messages);
    }

    /// Lets the next call on a queue whose URL contains `matching` fail.
    pub fn fail(&self, call: Call, matching: &str, fault: Fault) {
        let planned = Planned { call, matching: matching.to_owned(), skip: 0, times: 1, fault };
        lock(&self.0).plan.0.push(planned);
    }

    fn call(&self, call: Call, url: &str, effect: impl FnOnce(&mut QueueState)) -> Result<(), QueueError> {
        let mut state = lock(&self.0);
        let fault = state.plan.next(call, url);
        let (url, message) = (url.to_owned(), "injected fault".to_owned());
        match fault {
            None => {
                effect(&mut state);
                Ok(())
            }
            Some(Fault::Refused | Fault::NotFound | Fault::Changed) => {
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
    async fn send_all(&self, url: &str, bodies: Vec<String>) -> Result<(), QueueError> {
        self.call(Call::SendAll, url, |state| {
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

    async fn depth(&self, url: &str) -> Result<Depth, QueueError> {
        let mut depth = Depth::default();
        self.call(Call::Depth, url, |state| {
            depth.waiting = state.held.get(url).copied().unwrap_or_default();
        })?;
        Ok(depth)
    }

    async fn delay(&self, url: &str, receipt_handle: &str, delay: Duration) -> Result<(), QueueError> {
        self.call(Call::Delay, url, |state| state.delays.push((receipt_handle.to_owned(), delay)))
    }
}
