//! The function against a store, queues and jobs in memory.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod handler;
mod overwrite;
mod pseudonyms;
mod refused;
mod spark;
mod support;
mod whole;
