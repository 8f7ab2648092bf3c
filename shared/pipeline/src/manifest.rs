//! The manifest: the commit record of a batch.

use penstock_contract::{Contract, MaxRejects, Overwrite, SkippedCheck, TableName};
use penstock_engine::{Dialect, QualityOutcome, Totals};
use serde::{Deserialize, Serialize};

use crate::metrics::BatchDecision;
use crate::refusal::{failed_quality, too_many_rejects};
use crate::{Batch, BatchId, Chunk, Drop, DropSplit, Refusal, Report, Seconds};

/// The decision on a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestState {
    /// The chunks are loaded.
    Committed {
        /// The target table.
        table: TableName,
    },
    /// No row is loaded.
    Refused(Refusal),
}

/// The commit record of a batch, written once with `If-None-Match: *`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version of the manifest.
    pub manifest_version: u32,
    /// The batch.
    pub batch_id: BatchId,
    /// The source.
    pub source: String,
    /// The contract's version; `None` if there is no contract.
    pub contract_version: Option<String>,
    /// Version of the engine that read the drop.
    pub engine_version: String,
    /// The drop.
    pub drop: Drop,
    /// Whether the chunks are loaded.
    pub state: ManifestState,
    /// Whether the batch replaces earlier versions of its object: the writer deletes their rows when it loads the
    /// batch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
    /// The generation of the drop's claim; 0 unless the batch is a replay.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub generation: u32,
    /// Batches whose rows the writer deletes when it closes this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replays: Vec<BatchId>,
    /// Row counts and reject reasons of the whole batch.
    pub totals: Totals,
    /// The dialect with which the first split was read; `None` if nothing could be read.
    pub dialect: Option<Dialect>,
    /// Results of the contract's quality checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<QualityOutcome>,
    /// Checks of the contract that Penstock does not execute.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_executed: Vec<NotExecuted>,
    /// All chunks, with indexes and row bases that count from the start of the batch. Empty if the batch is refused.
    pub chunks: Vec<Chunk>,
    /// Keys of the Parquet files, in the processed bucket. The files of a refused batch are deleted.
    pub parquet: Vec<String>,
    /// The reject files in the quarantine bucket, as `s3://` URIs.
    pub rejects: Vec<String>,
    /// Seconds by step.
    pub seconds: Seconds,
}

/// Returns whether a field with this value is omitted.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(crate) fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// A quality check of the contract that Penstock does not execute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotExecuted {
    /// Its name in the contract, or its path if it has no name.
    pub check: String,
    /// Its type in the contract: `sql`, `text`, `custom` with its engine, or the rule of another tool.
    #[serde(rename = "type")]
    pub kind: String,
}

impl From<&SkippedCheck> for NotExecuted {
    fn from(check: &SkippedCheck) -> Self {
        let SkippedCheck { path, name, kind } = check;
        Self { check: name.as_ref().unwrap_or(path).clone(), kind: kind.clone() }
    }
}

/// The fields of a contract that the manifest depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The target table.
    pub table: TableName,
    /// The maximum number of rejects; a batch with more is refused.
    pub max_rejects: MaxRejects,
    /// Whether the batch replaces earlier versions of its object.
    pub replaces: bool,
    /// Checks that Penstock does not execute.
    pub not_executed: Vec<NotExecuted>,
}

impl Terms {
    /// Returns the terms of `contract`.
    pub fn of(contract: &Contract) -> Self {
        Self {
            table: contract.entity.table.clone(),
            max_rejects: contract.max_rejects,
            replaces: contract.overwrite == Overwrite::Replace,
            not_executed: contract.not_executed.iter().map(NotExecuted::from).collect(),
        }
    }
}

/// A fault in the reports of a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A split has no report.
    #[error("split {index} of {count} has no report")]
    MissingSplit {
        /// Index of the split.
        index: u32,
        /// Number of splits.
        count: u32,
    },
    /// Two reports of the same split, or reports with different numbers of splits.
    #[error("report {position} is of split {index} of {count}: the reports do not belong to one batch")]
    Inconsistent {
        /// Position among the reports.
        position: usize,
        /// The split that the report names.
        index: u32,
        /// The number of splits according to the report.
        count: u32,
    },
    /// A report whose chunks do not have as many rows as its totals.
    #[error(
        "the report of split {index} does not balance: {accepted} rows were accepted, but its chunks have {in_chunks}"
    )]
    Unbalanced {
        /// Index of the split.
        index: u32,
        /// Number of accepted rows according to the totals.
        accepted: u64,
        /// Number of accepted rows according to the chunks.
        in_chunks: u64,
    },
    /// The batch has more chunks than a `u32` counts, or more rows than a `u64` counts.
    #[error("the report of split {index} makes the batch too large: its chunks or rows cannot be numbered")]
    TooLarge {
        /// Index of the split.
        index: u32,
    },
}

impl Manifest {
    /// The format version that this release writes.
    pub const VERSION: u32 = 1;

    /// Returns the batch.
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

    /// Returns the number of chunks.
    pub fn chunk_count(&self) -> u32 {
        u32::try_from(self.chunks.len()).expect("chunks have u32 indexes")
    }

    /// Returns whether the writer deletes rows of other batches when it closes this one.
    pub fn replaces_others(&self) -> bool {
        self.replaces || !self.replays.is_empty()
    }

    /// Returns the decision on the batch, as it is counted. The alarm for refused batches does not count an expected
    /// refusal.
    pub fn decision(&self) -> BatchDecision {
        match &self.state {
            ManifestState::Committed { .. } => BatchDecision::Committed,
            ManifestState::Refused(refusal) if refusal.code.is_expected() => BatchDecision::Kept,
            ManifestState::Refused(_) => BatchDecision::Refused,
        }
    }

    /// Decides on a batch whose splits have all been read.
    ///
    /// A committed batch has the chunks of all splits, in the order of the splits and numbered through the batch. A
    /// batch is refused if it has more rejects than the contract allows, or fails a quality check. A batch that
    /// replaces others and has no rows gets one chunk without rows, because the writer only acts on chunks.
    ///
    /// # Errors
    /// Returns an error if a split has no report or two, a report contradicts itself, or the chunks or rows cannot be
    /// numbered.
    pub fn commit(batch: Batch, terms: Terms, mut reports: Vec<Report>) -> Result<Self, ManifestError> {
        let Terms { table, max_rejects, replaces, not_executed } = terms;
        reports.sort_by_key(|report| report.split.index);
        check_splits(&reports)?;

        let engine_version = &reports.first().expect("a batch has at least one split").engine_version;
        let mut manifest = Self::empty(batch, engine_version, ManifestState::Committed { table });
        manifest.replaces = replaces;
        manifest.not_executed = not_executed;
        reports.iter().for_each(|report| manifest.totals.merge(&report.totals));
        manifest.quality = reports.iter().flat_map(|report| report.quality.iter().cloned()).collect();
        let refusal =
            too_many_rejects(&manifest.totals, max_rejects).or_else(|| failed_quality(&manifest.quality));
        // For a refused batch, the reader may have counted the rows without encoding chunks.
        if refusal.is_none() {
            manifest.chunks = numbered_chunks(&reports)?;
        }
        for report in reports {
            manifest.dialect.get_or_insert(report.dialect);
            manifest.parquet.extend(report.parquet);
            manifest.rejects.extend(report.rejects);
            for (step, seconds) in report.seconds {
                *manifest.seconds.entry(step).or_default() += seconds;
            }
        }
        if let Some(refusal) = refusal {
            manifest.state = ManifestState::Refused(refusal);
        } else if manifest.replaces_others() && manifest.chunks.is_empty() {
            manifest.chunks.push(Chunk::without_rows());
        }
        Ok(manifest)
    }

    /// Returns the record of a batch that is refused for another reason than its rows.
    pub fn refused(batch: Batch, engine_version: &str, refusal: Refusal) -> Self {
        Self::empty(batch, engine_version, ManifestState::Refused(refusal))
    }

    fn empty(batch: Batch, engine_version: &str, state: ManifestState) -> Self {
        Self {
            manifest_version: Self::VERSION,
            batch_id: batch.id,
            source: batch.source,
            contract_version: batch.contract_version,
            engine_version: engine_version.to_owned(),
            drop: batch.drop,
            state,
            replaces: false,
            generation: batch.generation,
            replays: batch.replays,
            totals: Totals::default(),
            dialect: None,
            quality: Vec::new(),
            not_executed: Vec::new(),
            chunks: Vec::new(),
            parquet: Vec::new(),
            rejects: Vec::new(),
            seconds: Seconds::new(),
        }
    }
}

fn check_splits(reports: &[Report]) -> Result<(), ManifestError> {
    let count = reports.first().map_or(1, |report| report.split.count);
    let mut expected = 0u32;
    for (position, report) in reports.iter().enumerate() {
        let DropSplit { index, count: its_count, .. } = report.split;
        if index > expected && its_count == count && index < count {
            return Err(ManifestError::MissingSplit { index: expected, count });
        }
        if index != expected || its_count != count || index >= count {
            return Err(ManifestError::Inconsistent { position, index, count: its_count });
        }
        // Does not overflow: the index is less than the count.
        expected += 1;
    }
    if expected < count { Err(ManifestError::MissingSplit { index: expected, count }) } else { Ok(()) }
}

/// Returns the chunks of all splits with indexes and row bases that count from the start of the batch.
fn numbered_chunks(reports: &[Report]) -> Result<Vec<Chunk>, ManifestError> {
    let mut chunks = Vec::new();
    let mut rows_before = 0u64;
    for report in reports {
        check_rows(report)?;
        let too_large = || ManifestError::TooLarge { index: report.split.index };
        let chunks_before = u32::try_from(chunks.len()).map_err(|_| too_large())?;
        for chunk in &report.chunks {
            let index = chunks_before.checked_add(chunk.index).ok_or_else(too_large)?;
            let row_base = rows_before.checked_add(chunk.row_base).ok_or_else(too_large)?;
            chunks.push(Chunk { index, row_base, ..chunk.clone() });
        }
        rows_before = rows_before.checked_add(report.totals.rows_read).ok_or_else(too_large)?;
    }
    Ok(chunks)
}

/// The accounting starts here: rows of a chunk that is missing from its report would be missing from the table.
fn check_rows(report: &Report) -> Result<(), ManifestError> {
    let in_chunks = report.chunks.iter().map(|chunk| u64::from(chunk.rows)).sum();
    let Totals { rows_read, accepted, rejected, blank, .. } = report.totals;
    let accounted = accepted.checked_add(rejected).and_then(|rows| rows.checked_add(blank));
    if in_chunks == accepted && accounted == Some(rows_read) {
        return Ok(());
    }
    Err(ManifestError::Unbalanced { index: report.split.index, accepted, in_chunks })
}
