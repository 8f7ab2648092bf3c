//! The receipt: the outcome of a drop, for its producer. It contains no personal data and no row values.

use jiff::Timestamp;
use penstock_engine::{Dialect, QualityOutcome, ReasonCount};
use serde::{Deserialize, Serialize};

use crate::load_progress::{ChunkProgress, LoadProgress, MissingChunk, SupersededBy};
use crate::manifest::is_zero;
use crate::receipt_state::ReceiptState;
use crate::{Batch, BatchId, Drop, Manifest, ManifestState, NotExecuted, Refusal, Seconds};

/// The outcome of a drop. The JSON is stable: fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Format version of the receipt.
    pub receipt_version: u32,
    /// The batch.
    pub batch_id: BatchId,
    /// The source, which is the key's first segment; `_unknown` if the key has none.
    pub source: String,
    /// The contract's version; `None` if there is no contract.
    pub contract_version: Option<String>,
    /// The drop.
    pub drop: Drop,
    /// The generation of the drop's claim; 0 unless the batch is a replay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Batches whose rows this one replaces when it is loaded: those of a replayed drop, or partly loaded ones of earlier
    /// versions of the object.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replays: Vec<BatchId>,
    /// The state of the batch.
    pub state: ReceiptState,
    /// The reason why rows are not loaded, if `state` is `refused`, `failed` or `partly_loaded`.
    pub refusal: Option<Refusal>,
    /// The batch that must be decided before this one is read, if `state` is `received`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// Row counts. While the batch is being loaded, they count the applied chunks.
    pub rows: RowCounts,
    /// The number of applied chunks; missing before the batch is committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<ChunkProgress>,
    /// Chunks that are in the dead-letter queue. Their rows are not loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingChunk>,
    /// The batches of the newer rows that superseded rows of this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub superseded_by: Vec<SupersededBy>,
    /// Rejects by code and column.
    pub rejects_by_reason: Vec<ReasonCount>,
    /// The reject files, as `s3://` URIs.
    pub rejects: Vec<String>,
    /// The dialect with which the file was read, and which properties of it were assumed.
    pub dialect: Option<Dialect>,
    /// Results of the contract's quality checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<QualityOutcome>,
    /// Checks of the contract that Penstock does not execute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_executed: Vec<NotExecuted>,
    /// Earlier versions of the object that this batch replaced (`penstock.overwrite: replace`), set when the batch is
    /// loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Replaced>,
    /// The batch that replaced this one: a later version of the object, or a replay of the drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<BatchId>,
    /// Seconds by step.
    pub seconds: Seconds,
    /// The time at which this receipt was written.
    pub updated_at: Timestamp,
}

impl Receipt {
    /// The format version that this release writes.
    pub const VERSION: u32 = 1;

    /// Returns the receipt of a batch that has just been committed: `refused`, `read`, or `loaded` if it has no chunks to
    /// load.
    pub fn of_manifest(manifest: &Manifest, now: Timestamp) -> Self {
        let (state, refusal) = match &manifest.state {
            ManifestState::Refused(refusal) => (ReceiptState::Refused, Some(refusal.clone())),
            ManifestState::Committed { .. } if manifest.chunks.is_empty() => (ReceiptState::Loaded, None),
            ManifestState::Committed { .. } => (ReceiptState::Read, None),
        };
        let totals = &manifest.totals;
        Self {
            refusal,
            rows: RowCounts {
                read: totals.rows_read,
                accepted: totals.accepted,
                rejected: totals.rejected,
                blank: totals.blank,
                repeated_headers: totals.repeated_headers,
                ..RowCounts::default()
            },
            chunks: (!manifest.chunks.is_empty())
                .then(|| ChunkProgress { applied: 0, total: manifest.chunk_count() }),
            rejects_by_reason: totals.by_reason.clone(),
            rejects: manifest.rejects.clone(),
            dialect: manifest.dialect.clone(),
            quality: manifest.quality.clone(),
            not_executed: manifest.not_executed.clone(),
            seconds: manifest.seconds.clone(),
            ..Self::without_rows(manifest.batch(), state, now)
        }
    }

    /// Returns the receipt of a committed batch with this progress in the ledger.
    pub fn of_progress(manifest: &Manifest, progress: &LoadProgress, now: Timestamp) -> Self {
        let mut receipt = Self::of_manifest(manifest, now);
        let total = manifest.chunk_count();
        let mut totals = manifest.totals.clone();
        totals.merge(&progress.rejects.totals);
        receipt.rejects_by_reason = totals.by_reason;
        receipt.rejects.extend_from_slice(&progress.rejects.files);
        receipt.state = progress.state(total);
        receipt.rows = RowCounts {
            loaded: progress.loaded,
            deduplicated: progress.deduplicated,
            superseded: progress.superseded,
            rejected: totals.rejected,
            ..receipt.rows
        };
        receipt.chunks = Some(ChunkProgress { applied: progress.chunks, total });
        receipt.refusal = progress.refusal(total);
        receipt.missing.clone_from(&progress.missing);
        receipt.superseded_by.clone_from(&progress.superseded_by);
        receipt
    }

    /// Returns the receipt of a drop that has been received.
    pub fn received(batch: Batch, now: Timestamp) -> Self {
        Self::without_rows(batch, ReceiptState::Received, now)
    }

    /// Returns the receipt of a batch whose Spark job has been submitted.
    pub fn submitted(batch: Batch, now: Timestamp) -> Self {
        Self::without_rows(batch, ReceiptState::Submitted, now)
    }

    fn without_rows(batch: Batch, state: ReceiptState, now: Timestamp) -> Self {
        let Batch { id, source, contract_version, drop, generation, replays } = batch;
        Self {
            receipt_version: Self::VERSION,
            batch_id: id,
            source,
            contract_version,
            drop,
            generation,
            replays,
            state,
            refusal: None,
            waits_for: None,
            rows: RowCounts::default(),
            chunks: None,
            missing: Vec::new(),
            superseded_by: Vec::new(),
            rejects_by_reason: Vec::new(),
            rejects: Vec::new(),
            dialect: None,
            quality: Vec::new(),
            not_executed: Vec::new(),
            replaced: Vec::new(),
            replaced_by: None,
            seconds: Seconds::new(),
            updated_at: now,
        }
    }

    /// Returns this receipt in the state `failed`.
    pub fn failed(self, refusal: Refusal, now: Timestamp) -> Self {
        Self { state: ReceiptState::Failed, refusal: Some(refusal), updated_at: now, ..self }
    }

    /// Returns this receipt in the state `replaced`.
    pub fn replaced_by(self, batch: BatchId, now: Timestamp) -> Self {
        Self { state: ReceiptState::Replaced, replaced_by: Some(batch), updated_at: now, ..self }
    }

    /// Returns this receipt in the state `withdrawn`.
    pub fn withdrawn(self, now: Timestamp) -> Self {
        Self { state: ReceiptState::Withdrawn, updated_at: now, ..self }
    }

    /// Returns this receipt of a replaced batch in the state that it had before.
    pub fn reinstated(self, now: Timestamp) -> Self {
        let is_complete = self.missing.is_empty();
        let state = if is_complete { ReceiptState::Loaded } else { ReceiptState::PartlyLoaded };
        Self { state, replaced_by: None, updated_at: now, ..self }
    }

    /// Returns the batch of the receipt.
    pub fn batch(&self) -> Batch {
        Batch {
            id: self.batch_id,
            source: self.source.clone(),
            contract_version: self.contract_version.clone(),
            drop: self.drop.clone(),
            generation: self.generation,
            replays: self.replays.clone(),
        }
    }
}

/// The batch that a drop waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitsFor {
    /// The batch.
    pub batch_id: BatchId,
    /// The reason, and what to do if it takes long.
    pub message: String,
}

/// A batch of an earlier version of the object, whose rows were deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The batch.
    pub batch_id: BatchId,
    /// The number of its rows that were in the table when it was replaced and that the later version does not have.
    pub rows: u64,
}

/// Row counts of a batch. When it is loaded: read = loaded + rejected + deduplicated + superseded + blank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Records read, including malformed and blank ones.
    pub read: u64,
    /// Rows accepted by the contract.
    pub accepted: u64,
    /// Rows rejected by the contract.
    pub rejected: u64,
    /// Rows that were inserted or replaced an older row.
    pub loaded: u64,
    /// Rows that were replaced by another row of the same batch with the same key.
    pub deduplicated: u64,
    /// Rows that were not loaded because the table had a newer row with the same key.
    pub superseded: u64,
    /// Rows skipped because all of their fields are empty. Missing in receipts of releases that did not skip such rows.
    #[serde(default)]
    pub blank: u64,
    /// Records that repeat the header of a delimited file; they are not included in `read`.
    #[serde(default)]
    pub repeated_headers: u64,
}

impl RowCounts {
    /// Returns whether the accounting invariant is satisfied: every row read is accounted for exactly once.
    pub fn balance(&self) -> bool {
        let accounted = [self.rejected, self.deduplicated, self.superseded, self.blank]
            .iter()
            .try_fold(self.loaded, |sum, count| sum.checked_add(*count));
        accounted == Some(self.read)
    }
}
