#![doc = include_str!("../README.md")]

mod batch;
mod chunk;
pub mod claim;
pub mod commit;
mod dead_code;
mod drop;
mod drop_claim;
pub mod events;
mod ignored_keys;
mod job;
pub mod layout;
mod load_progress;
pub mod log_events;
mod manifest;
mod manifest_object;
mod message;
pub mod metrics;
mod near_name;
mod outcome;
mod receipt;
mod receipt_change;
mod receipt_state;
mod refusal;
mod report;
mod sequencer;
pub mod writer_command;
pub mod writer_state;

pub use batch::{Batch, BatchId, FIRST_GENERATION, batch_id, drop_id, object_id, replay_batch_id};
pub use chunk::{Chunk, ChunkBody, DropSplit, SplitRange};
pub use dead_code::DeadCode;
pub use drop::{Drop, UNKNOWN_SOURCE};
pub use drop_claim::{ClaimedContract, DropClaim};
pub use events::{Event, EventError, Ignored, IncompleteDrop};
pub use ignored_keys::{IgnoredKey, IgnoredKeys, KeyPatternError};
pub use job::{JobEvent, JobState, job_name, parse_job_name};
pub use load_progress::{ChunkProgress, DatabaseRejects, LoadProgress, MissingChunk, SupersededBy};
pub use manifest::{Manifest, ManifestError, ManifestState, NotExecuted, Terms};
pub use manifest_object::{ManifestObject, is_database_rejects, parse_rejects};
pub use message::{
    LoadMessage, MAX_INLINE_BYTES, MessageError, Overwritten, SQS_BATCH_MAX_BYTES, SQS_BATCH_MAX_ENTRIES,
    sqs_batches,
};
pub use near_name::near_name;
pub use outcome::{DeadReason, Outcome, jittered};
pub use receipt::{Receipt, Replaced, RowCounts, WaitsFor};
pub use receipt_change::ReceiptChange;
pub use receipt_state::ReceiptState;
pub use refusal::{Refusal, RefusalCode, failed_quality, too_many_rejects};
pub use report::{Report, Seconds};
pub use sequencer::derived_sequencer;
