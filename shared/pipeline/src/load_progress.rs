//! The progress of loading a batch, as the ledger has it.

use penstock_engine::Totals;
use serde::{Deserialize, Serialize};

use crate::receipt_state::ReceiptState;
use crate::{BatchId, Refusal, RefusalCode};

/// The progress of a batch in the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadProgress {
    /// Number of applied chunks.
    pub chunks: u32,
    /// Rows of those chunks that were inserted or replaced an older row.
    pub loaded: u64,
    /// Rows of those chunks that lost to another row of the batch.
    pub deduplicated: u64,
    /// Rows of those chunks that lost to a newer row of another batch.
    pub superseded: u64,
    /// The batches of those newer rows, the one with the most rows first.
    pub superseded_by: Vec<SupersededBy>,
    /// Rows of those chunks that the database refused.
    pub rejects: DatabaseRejects,
    /// Chunks that are in the dead-letter queue, in their order.
    pub missing: Vec<MissingChunk>,
}

/// Rows of a batch that the database refused, in addition to those that the contract rejected.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DatabaseRejects {
    /// Their counts.
    pub totals: Totals,
    /// The files that have them, as `s3://` URIs.
    pub files: Vec<String>,
}

/// The number of applied chunks of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkProgress {
    /// Number of applied chunks.
    pub applied: u32,
    /// Number of all chunks.
    pub total: u32,
}

/// A chunk that is in the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingChunk {
    /// The chunk's number, from 1.
    pub chunk: u32,
    /// The number of its accepted rows.
    pub rows: u64,
    /// The code of the dead letter.
    pub code: String,
    /// The reason, and what to do.
    pub message: String,
}

/// A batch with newer rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupersededBy {
    /// The batch.
    pub batch_id: BatchId,
    /// The number of rows that its rows superseded.
    pub rows: u64,
}

impl LoadProgress {
    /// Returns the state of a batch with `total` chunks that has not been closed.
    pub fn state(&self, total: u32) -> ReceiptState {
        match (self.chunks, self.missing.is_empty()) {
            (chunks, _) if chunks >= total => ReceiptState::Loaded,
            (0, true) => ReceiptState::Read,
            (0, false) => ReceiptState::Failed,
            (_, true) => ReceiptState::Loading,
            (_, false) => ReceiptState::PartlyLoaded,
        }
    }

    /// Returns the reason why rows are missing: that of the first missing chunk.
    pub fn refusal(&self, total: u32) -> Option<Refusal> {
        let first = self.missing.first()?;
        let others = match self.missing.len() {
            1 => String::new(),
            missing => format!("; {} more chunks are missing", missing - 1),
        };
        Some(Refusal {
            code: RefusalCode::LoadFailed,
            reason: Some(first.code.clone()),
            message: format!(
                "chunk {} of {total} was not loaded: {} ({}){others}",
                first.chunk, first.message, first.code
            ),
        })
    }
}
