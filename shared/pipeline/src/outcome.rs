//! The outcome of a queue message.

use std::fmt::Display;
use std::time::Duration;

use crate::DeadCode;

/// The outcome of a queue message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Processed: the message is deleted.
    Done,
    /// A transient fault: the message is retried after this delay.
    Retry(Duration),
    /// A permanent fault: the message is moved to the dead-letter queue, with the reason.
    Dead(DeadReason),
}

/// The reason why a message can never be processed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadReason {
    /// The kind of fault.
    pub code: DeadCode,
    /// The event, its position and a suggested action. It contains no row values.
    pub message: String,
}

impl Outcome {
    /// Returns the outcome of a message whose processing failed with `error`: a retry if the error is transient, or has no
    /// `code` because it always is.
    pub fn of_error(
        error: &impl Display,
        is_transient: bool,
        code: Option<DeadCode>,
        receive_count: u32,
    ) -> Self {
        match code.filter(|_| !is_transient) {
            Some(code) => Self::Dead(DeadReason { code, message: error.to_string() }),
            None => Self::retry_after(receive_count),
        }
    }

    /// Returns a retry with the delay before attempt `receive_count + 1`: it doubles from 2 s up to 15 minutes.
    pub fn retry_after(receive_count: u32) -> Self {
        let doublings = receive_count.saturating_sub(1).min(10);
        let seconds = 2u64.saturating_mul(1 << doublings).min(Self::max_delay().as_secs());
        Self::Retry(Duration::from_secs(seconds))
    }

    /// Returns the longest delay of a retry.
    const fn max_delay() -> Duration {
        Duration::from_secs(900)
    }
}

/// Returns a delay that is up to a quarter longer, but not longer than the longest delay of a retry: messages that failed
/// together are not retried together. `entropy` is any number that differs between messages and attempts.
pub fn jittered(delay: Duration, entropy: u64) -> Duration {
    let longer = delay.saturating_add((delay / 4).mul_f64((entropy % 1_024) as f64 / 1_023.0));
    longer.min(Outcome::max_delay().max(delay))
}
