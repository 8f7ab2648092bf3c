//! The receipt: what the producer of a drop is told. No personal data, no row values.

use std::collections::BTreeMap;

use jiff::Timestamp;
use penstock_engine::{Dialect, QualityOutcome, ReadError, ReasonCount};
use serde::{Deserialize, Serialize};

use crate::{Batch, BatchId, Drop, Manifest, ManifestState, NotExecuted};

/// Seconds by step, e.g. `read`, `publish`, `load`.
pub type Seconds = BTreeMap<String, f64>;

/// What became of a drop. Stable JSON: fields are added, never renamed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Format of this file.
    pub receipt_version: u32,
    /// The batch.
    pub batch_id: BatchId,
    /// The source, the key's first segment; `_unknown` when the key has none.
    pub source: String,
    /// The contract's version; `None` when there is no contract.
    pub contract_version: Option<String>,
    /// The drop.
    pub drop: Drop,
    /// How far the batch has come.
    pub state: ReceiptState,
    /// Why no row was loaded, when `state` is `refused` or `failed`.
    pub refusal: Option<Refusal>,
    /// What became of the rows.
    pub rows: Counts,
    /// Rejects by code and column.
    pub rejects_by_reason: Vec<ReasonCount>,
    /// Where the rejects are: `s3://` URIs.
    pub rejects: Vec<String>,
    /// The dialect as read, and what of it was assumed.
    pub dialect: Option<Dialect>,
    /// What came of the contract's quality checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<QualityOutcome>,
    /// Checks of the contract that are not executed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_executed: Vec<NotExecuted>,
    /// Earlier versions of the object that this batch stands for (`penstock.overwrite: replace`), from its end on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Replaced>,
    /// The later version of the object that stood for this one before its end. What is replaced after its end is told of
    /// by the receipt of the later version alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<BatchId>,
    /// Seconds by step.
    pub seconds: Seconds,
    /// When this receipt was written.
    pub updated_at: Timestamp,
}

impl Receipt {
    /// The format that this version writes.
    pub const VERSION: u32 = 1;

    /// The receipt of a batch that has just been committed: `loading`, at once `loaded` when no row was
    /// accepted, or `refused`.
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
            rows: Counts {
                read: totals.rows_read,
                accepted: totals.accepted,
                rejected: totals.rejected,
                blank: totals.blank,
                repeated_headers: totals.repeated_headers,
                ..Counts::default()
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

    /// The receipt of a batch that a Spark job was submitted for.
    pub fn submitted(batch: Batch, now: Timestamp) -> Self {
        Self {
            receipt_version: Self::VERSION,
            batch_id: batch.id,
            source: batch.source,
            contract_version: batch.contract_version,
            drop: batch.drop,
            state: ReceiptState::Submitted,
            refusal: None,
            rows: Counts::default(),
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

    /// This receipt, with the batch failed for good.
    pub fn failed(self, refusal: Refusal, now: Timestamp) -> Self {
        Self { state: ReceiptState::Failed, refusal: Some(refusal), updated_at: now, ..self }
    }

    /// The batch that the receipt is of.
    pub fn batch(&self) -> Batch {
        Batch {
            id: self.batch_id,
            source: self.source.clone(),
            contract_version: self.contract_version.clone(),
            drop: self.drop.clone(),
        }
    }
}

/// How far a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// An EMR Serverless job was submitted for it.
    Submitted,
    /// Read and committed; its chunks are being loaded.
    Loading,
    /// Every accepted row has been applied.
    Loaded,
    /// Nothing of it is loaded, by a rule. Drop a mended file.
    Refused,
    /// It could not be processed or loaded wholly; an operator must look.
    Failed,
}

impl ReceiptState {
    /// True when nothing more will happen to the batch by itself.
    pub fn is_final(self) -> bool {
        match self {
            Self::Submitted | Self::Loading => false,
            Self::Loaded | Self::Refused | Self::Failed => true,
        }
    }
}

/// A batch of an earlier version of the object, whose rows were taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The batch.
    pub batch_id: BatchId,
    /// Its rows that still stood when it was replaced, and that the later version does not have.
    pub rows: u64,
}

/// Why no row was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable code: `no_contract`, `invalid_contract`, `no_source`, `empty`, `unreadable`, `too_many_rejects`,
    /// `quality`, `overwritten`, `kept`, `missing_object`, `job_failed`, `load_failed`.
    pub code: String,
    /// The kind of fault, where the code has several: for `unreadable` an [`UnreadableCode`](penstock_engine::UnreadableCode),
    /// `too_large` or `io`; for `load_failed` the code of the dead letter. Receipts of releases that did not report it have
    /// none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was wrong, where, and what to do.
    pub message: String,
}

impl Refusal {
    /// The refusal of a file that cannot be read to its end. Whether a failure of the input is one is for the caller to
    /// decide.
    pub fn of_file(error: &ReadError) -> Self {
        let code = match error {
            ReadError::Empty => "empty",
            ReadError::Io(_) | ReadError::Unreadable { .. } | ReadError::TooLarge { .. } => "unreadable",
        };
        let reason = error.code();
        Self {
            code: code.to_owned(),
            reason: (reason != code).then(|| reason.to_owned()),
            message: error.to_string(),
        }
    }
}

/// What became of the rows. Once loaded: read = loaded + rejected + deduplicated + superseded + blank.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Records read, malformed and blank ones included.
    pub read: u64,
    /// Accepted by the contract.
    pub accepted: u64,
    /// Refused by the contract.
    pub rejected: u64,
    /// Inserted, or replaced an older row.
    pub loaded: u64,
    /// Another row of the same batch has the same key and won.
    pub deduplicated: u64,
    /// The table held a newer row of the same key.
    pub superseded: u64,
    /// Skipped because all of their fields are empty. Receipts of releases that did not skip such rows have none.
    #[serde(default)]
    pub blank: u64,
    /// Records that repeat the header of a delimited file; they are not among those read.
    #[serde(default)]
    pub repeated_headers: u64,
}

impl Counts {
    /// The accounting invariant: every row read is accounted for, once.
    pub fn balance(&self) -> bool {
        let accounted = [self.rejected, self.deduplicated, self.superseded, self.blank]
            .iter()
            .try_fold(self.loaded, |sum, count| sum.checked_add(*count));
        accounted == Some(self.read)
    }
}
