//! The words of the pipeline as types: drop, batch, split, chunk, manifest, message, receipt, outcome.
//!
//! Pure: no aws-sdk, no tokio, no clock. Everything that crosses a process boundary is defined here once,
//! and versioned.

mod batch;
mod drop;
pub mod events;
mod job;
pub mod layout;
pub mod log_events;
mod manifest;
mod message;
pub mod metrics;
mod outcome;
mod receipt;

pub use batch::{Batch, BatchId, Taken, batch_id, object_id};
pub use drop::{Drop, UNKNOWN_SOURCE};
pub use events::{Event, EventError, Ignored};
pub use job::{JobEvent, JobState, job_name, parse_job_name};
pub use manifest::{
    Chunk, ChunkBody, Manifest, ManifestError, ManifestState, NotExecuted, Report, Split, SplitRange, Terms,
    failed_quality, too_many_rejects,
};
pub use message::{
    LoadMessage, MAX_INLINE_BYTES, MessageError, Overwritten, SQS_BATCH_MAX_BYTES, SQS_BATCH_MAX_ENTRIES,
    sqs_batches,
};
pub use outcome::{DeadReason, Outcome};
pub use receipt::{Counts, Receipt, ReceiptState, Refusal, Replaced, Seconds};
