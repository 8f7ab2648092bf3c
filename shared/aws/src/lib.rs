//! The adapters: object store, queues, jobs, database, secrets, telemetry. No business rules.
//!
//! Each client is behind a feature, so that a function carries only the ones it calls.

#[cfg(feature = "jobs")]
pub mod jobs;
#[cfg(feature = "queue")]
pub mod queue;
#[cfg(feature = "store")]
pub mod store;
