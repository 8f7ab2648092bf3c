//! What a handler says of one message.

use std::time::Duration;

/// What becomes of one queue message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Finished: the message is deleted.
    Done,
    /// A passing fault: the message comes back after this long.
    Retry(Duration),
    /// It will never succeed: the message goes to the dead-letter queue, with the reason.
    Dead(DeadReason),
}

/// Why a message will never succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadReason {
    /// Stable code, e.g. `invalid_message`, `checksum_mismatch`, `constraint_violated`.
    pub code: &'static str,
    /// What was wrong, where, and what to do. No row values.
    pub message: String,
}

impl Outcome {
    /// The delay before attempt `receive_count + 1`: doubles from 2 s up to 15 minutes.
    pub fn retry_after(receive_count: u32) -> Self {
        let doublings = receive_count.saturating_sub(1).min(10);
        let seconds = 2u64.saturating_mul(1 << doublings).min(900);
        Self::Retry(Duration::from_secs(seconds))
    }
}
