//! The function against a store and queues in memory.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod orphans;
mod requeue;
mod sources;
mod support;
