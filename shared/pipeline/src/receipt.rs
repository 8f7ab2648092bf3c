//! The receipt: the outcome of a drop, for its producer. It contains no personal data and no row values.

use jiff::Timestamp;
use penstock_engine::{Dialect, QualityOutcome, ReasonCount};
use serde::{Deserialize, Serialize};

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
    /// The state of the batch.
    pub state: ReceiptState,
    /// The reason why no row was loaded, if `state` is `refused` or `failed`.
    pub refusal: Option<Refusal>,
    /// Row counts.
    pub rows: RowCounts,
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
    /// The later version of the object that replaced this batch before it was loaded. A replacement after that is only
    /// in the receipt of the later version.
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

    /// Returns the receipt of a batch that has just been committed: `refused`, `loading`, or `loaded` if it has no
    /// chunks to load.
    pub fn of_manifest(manifest: &Manifest, now: Timestamp) -> Self {
        let (state, refusal) = match &manifest.state {
            ManifestState::Refused(refusal) => (ReceiptState::Refused, Some(refusal.clone())),
            ManifestState::Committed { .. } if manifest.chunks.is_empty() => (ReceiptState::Loaded, None),
            ManifestState::Committed { .. } => (ReceiptState::Loading, None),
        };
        let totals = &manifest.totals;
        Self {
            receipt_version: Self::VERSION,
            batch_id: manifest.batch_id,
            source: manifest.source.clone(),
            contract_version: manifest.contract_version.clone(),
            drop: manifest.drop.clone(),
            state,
            refusal,
            rows: RowCounts {
                read: totals.rows_read,
                accepted: totals.accepted,
                rejected: totals.rejected,
                blank: totals.blank,
                repeated_headers: totals.repeated_headers,
                ..RowCounts::default()
            },
            rejects_by_reason: totals.by_reason.clone(),
            rejects: manifest.rejects.clone(),
            dialect: manifest.dialect.clone(),
            quality: manifest.quality.clone(),
            not_executed: manifest.not_executed.clone(),
            replaced: Vec::new(),
            replaced_by: None,
            seconds: manifest.seconds.clone(),
            updated_at: now,
        }
    }

    /// Returns the receipt of a batch whose Spark job has been submitted.
    pub fn submitted(batch: Batch, now: Timestamp) -> Self {
        Self {
            receipt_version: Self::VERSION,
            batch_id: batch.id,
            source: batch.source,
            contract_version: batch.contract_version,
            drop: batch.drop,
            state: ReceiptState::Submitted,
            refusal: None,
            rows: RowCounts::default(),
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

    /// Returns the batch of the receipt.
    pub fn batch(&self) -> Batch {
        Batch {
            id: self.batch_id,
            source: self.source.clone(),
            contract_version: self.contract_version.clone(),
            drop: self.drop.clone(),
        }
    }
}

/// The state of a batch. [`ReceiptChange`] has the transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// An EMR Serverless job was submitted.
    Submitted,
    /// The batch was read and committed; its chunks are being loaded.
    Loading,
    /// Every accepted row has been applied.
    Loaded,
    /// No row is loaded, by a rule of the contract. The producer must correct the file.
    Refused,
    /// The batch could not be processed, or not loaded completely. An operator must intervene.
    Failed,
}

impl ReceiptState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Submitted, Self::Loading, Self::Loaded, Self::Refused, Self::Failed];

    /// Returns whether the batch is finished, unless an operator intervenes.
    pub fn is_final(self) -> bool {
        match self {
            Self::Submitted | Self::Loading => false,
            Self::Loaded | Self::Refused | Self::Failed => true,
        }
    }
}

/// An event that changes a receipt: the transitions of its state machine.
///
/// | change | function | new state | replaces a receipt in state |
/// |---|---|---|---|
/// | `Submit` | ingest | `submitted` | none |
/// | `Commit` | ingest, job-events | `loading`, `loaded` (no chunks) or `refused` | `submitted` |
/// | `JobFailed` | job-events | `failed` | `submitted` |
/// | `LoadFailed` | writer | `failed` | all but `loaded` |
/// | `Load` | writer | `loaded` | all but `loaded` |
///
/// Every change applies if there is no receipt. `Commit` precedes the chunks' messages and never replaces the writer's
/// receipt when it is repeated. `Load` replaces `failed`, because an operator may move a dead letter back to the load
/// queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptChange {
    /// A Spark job was submitted.
    Submit,
    /// The manifest was written.
    Commit,
    /// The Spark job failed, was cancelled, or did not write all of its reports.
    JobFailed,
    /// A chunk was moved to the dead-letter queue.
    LoadFailed,
    /// All chunks were applied.
    Load,
}

impl ReceiptChange {
    /// All changes.
    pub const ALL: [Self; 5] = [Self::Submit, Self::Commit, Self::JobFailed, Self::LoadFailed, Self::Load];

    /// Returns whether the change is made if the receipt is in state `current`; `None` means that there is no receipt.
    pub fn applies_to(self, current: Option<ReceiptState>) -> bool {
        let Some(current) = current else { return true };
        match (self, current) {
            (Self::Submit, _) => false,
            (Self::Commit | Self::JobFailed, ReceiptState::Submitted) => true,
            (
                Self::Commit | Self::JobFailed,
                ReceiptState::Loading | ReceiptState::Loaded | ReceiptState::Refused | ReceiptState::Failed,
            ) => false,
            (Self::LoadFailed | Self::Load, ReceiptState::Loaded) => false,
            (
                Self::LoadFailed | Self::Load,
                ReceiptState::Submitted
                | ReceiptState::Loading
                | ReceiptState::Refused
                | ReceiptState::Failed,
            ) => true,
        }
    }
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
