//! A batch's splits, its chunks, and the manifest that commits them.

use penstock_contract::{Contract, MaxRejects, Overwrite, SkippedCheck, TableName};
use penstock_engine::{Dialect, QualityOutcome, Totals};
use serde::{Deserialize, Serialize};

use crate::{Batch, BatchId, Drop, Refusal, Seconds};

/// A part of a drop that one invocation reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// Counts from 0.
    pub index: u32,
    /// How many splits the batch has.
    pub count: u32,
    /// Which part of the object.
    pub range: SplitRange,
}

/// Which part of the object a split reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitRange {
    /// All of it.
    Whole,
    /// The records that start in `[start, end)`, in bytes of the object.
    Lines {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
}

impl Split {
    /// The whole drop as one split.
    pub fn whole() -> Self {
        Self { index: 0, count: 1, range: SplitRange::Whole }
    }
}

/// A zstd frame of no bytes, in base64: magic number, header with the size 0, an empty last block.
const EMPTY_FRAME: &str = "KLUv/SAAAQAA";
/// Its SHA-256.
const EMPTY_SHA256: &str = "6fb8543883dafcc2ed0934866b8b3f775231f5b0933add08bf502e9e84944cbd";

/// Up to N accepted rows of a batch, encoded for loading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Counts from 0 through the whole batch.
    pub index: u32,
    /// Accepted rows that it accounts for.
    pub rows: u32,
    /// `Some`: the text is in the order of the target's key and holds each key once; so many of `rows` were left out
    /// because another row of the chunk has their key and won. `None`: all rows, in the order of the drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplicated: Option<u32>,
    /// Added to each row number in the COPY text: the rows of the splits before this one.
    pub row_base: u64,
    /// SHA-256 of the encoded bytes (zstd), lower-case hexadecimal.
    pub sha256: String,
    /// Length of the COPY text before compression, in bytes.
    pub text_bytes: u64,
    /// Where the encoded bytes are.
    pub body: ChunkBody,
}

/// Where a chunk's encoded bytes are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkBody {
    /// Here: base64 of the zstd bytes.
    Inline(String),
    /// In S3 (claim check).
    Object {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
    },
}

impl Chunk {
    /// The only chunk of a batch that has no rows.
    fn without_rows() -> Self {
        Self {
            index: 0,
            rows: 0,
            deduplicated: None,
            row_base: 0,
            sha256: EMPTY_SHA256.to_owned(),
            text_bytes: 0,
            body: ChunkBody::Inline(EMPTY_FRAME.to_owned()),
        }
    }

    /// Rows of the text.
    pub fn text_rows(&self) -> u32 {
        self.rows.saturating_sub(self.deduplicated.unwrap_or(0))
    }
}

/// What became of one split. Chunk indexes and row bases count from the split's own start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The split.
    pub split: Split,
    /// Version of the engine that read it.
    pub engine_version: String,
    /// Row counts and reasons.
    pub totals: Totals,
    /// The dialect as read.
    pub dialect: Dialect,
    /// What came of the contract's quality checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<QualityOutcome>,
    /// The split's chunks.
    pub chunks: Vec<Chunk>,
    /// Keys of its Parquet files, in the processed bucket.
    pub parquet: Vec<String>,
    /// Its reject files in the quarantine bucket, as `s3://` URIs.
    pub rejects: Vec<String>,
    /// Seconds by step.
    pub seconds: Seconds,
}

/// Whether a batch's chunks may be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestState {
    /// Its chunks are loaded.
    Committed {
        /// The target table.
        table: TableName,
    },
    /// None of its rows is loaded.
    Refused(Refusal),
}

/// A batch's commit record: written once, with `If-None-Match: *`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format of this file.
    pub manifest_version: u32,
    /// The batch.
    pub batch_id: BatchId,
    /// The source.
    pub source: String,
    /// The contract's version; `None` when there is no contract.
    pub contract_version: Option<String>,
    /// Version of the engine that read the drop.
    pub engine_version: String,
    /// The drop.
    pub drop: Drop,
    /// Whether the chunks may be loaded.
    pub state: ManifestState,
    /// True when the batch stands for earlier versions of its object: their rows are taken out when it is loaded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replaces: bool,
    /// Row counts and reasons of the whole batch.
    pub totals: Totals,
    /// The dialect as read, of the first split; `None` when nothing could be read.
    pub dialect: Option<Dialect>,
    /// What came of the contract's quality checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<QualityOutcome>,
    /// Checks of the contract that are not executed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_executed: Vec<NotExecuted>,
    /// All chunks, with indexes and row bases of the whole batch. Empty when the batch is refused.
    pub chunks: Vec<Chunk>,
    /// Keys of the Parquet files, in the processed bucket. They are taken away when the batch is refused.
    pub parquet: Vec<String>,
    /// The reject files in the quarantine bucket, as `s3://` URIs.
    pub rejects: Vec<String>,
    /// Seconds by step.
    pub seconds: Seconds,
}

/// A quality check of the contract that Penstock does not execute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotExecuted {
    /// Its name in the contract, or else its path there.
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

/// What of a contract decides on a batch that has been read, or is reported with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// The target table.
    pub table: TableName,
    /// With more rejects the batch is refused.
    pub max_rejects: MaxRejects,
    /// Whether it stands for earlier versions of its object.
    pub replaces: bool,
    /// Checks that are not executed.
    pub not_executed: Vec<NotExecuted>,
}

impl Terms {
    /// Those of `contract`.
    pub fn of(contract: &Contract) -> Self {
        Self {
            table: contract.entity.table.clone(),
            max_rejects: contract.max_rejects,
            replaces: contract.overwrite == Overwrite::Replace,
            not_executed: contract.not_executed.iter().map(NotExecuted::from).collect(),
        }
    }
}

/// Why reports make no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A split has no report yet.
    #[error("split {index} of {count} has no report")]
    MissingSplit {
        /// The split.
        index: u32,
        /// How many there are.
        count: u32,
    },
    /// Two reports of one split, or reports that do not agree on how many splits there are.
    #[error("report {position} is of split {index} of {count}: the reports are not those of one batch")]
    Inconsistent {
        /// Position among the reports.
        position: usize,
        /// The split that the report names.
        index: u32,
        /// How many there are by the report.
        count: u32,
    },
    /// A report whose chunks do not hold the rows that it says were accepted, or a count too large for its type.
    #[error(
        "the report of split {index} does not add up: {accepted} rows accepted, {in_chunks} in its chunks"
    )]
    Unbalanced {
        /// The split.
        index: u32,
        /// Accepted rows by the totals.
        accepted: u64,
        /// Accepted rows by the chunks.
        in_chunks: u64,
    },
}

impl Manifest {
    /// The format that this version writes.
    pub const VERSION: u32 = 1;

    /// Decides on a batch whose splits have all been read: its chunks in the order of the splits, numbered
    /// through the batch, or a refusal when it has more rejects than the contract allows. A batch that takes the place of
    /// others and has no rows has a chunk without rows, so that the writer hears of it.
    ///
    /// # Errors
    /// When a split is missing or stands twice, or a report contradicts itself.
    pub fn commit(batch: Batch, terms: Terms, mut reports: Vec<Report>) -> Result<Self, ManifestError> {
        let Terms { table, max_rejects, replaces, not_executed } = terms;
        reports.sort_by_key(|report| report.split.index);
        check_splits(&reports)?;

        let engine_version = reports.first().map_or("", |report| &report.engine_version);
        let mut manifest = Self::empty(batch, engine_version, ManifestState::Committed { table });
        let mut row_base = 0u64;
        manifest.replaces = replaces;
        manifest.not_executed = not_executed;
        manifest.totals = totals(&reports);
        manifest.quality = reports.iter().flat_map(|report| report.quality.iter().cloned()).collect();
        let refusal =
            too_many_rejects(&manifest.totals, max_rejects).or_else(|| failed_quality(&manifest.quality));
        for report in reports {
            // A batch that was seen to be refused may have been read to its end for the counts only.
            if refusal.is_none() {
                check_rows(&report)?;
            }
            let first_chunk = u32::try_from(manifest.chunks.len()).unwrap_or(u32::MAX);
            manifest.chunks.extend(report.chunks.into_iter().map(|chunk| Chunk {
                index: first_chunk.saturating_add(chunk.index),
                row_base: row_base.saturating_add(chunk.row_base),
                ..chunk
            }));
            row_base = row_base.saturating_add(report.totals.rows_read);
            manifest.dialect.get_or_insert(report.dialect);
            manifest.parquet.extend(report.parquet);
            manifest.rejects.extend(report.rejects);
            for (step, seconds) in report.seconds {
                *manifest.seconds.entry(step).or_default() += seconds;
            }
        }
        if let Some(refusal) = refusal {
            manifest.state = ManifestState::Refused(refusal);
            manifest.chunks.clear();
        } else if replaces && manifest.chunks.is_empty() {
            manifest.chunks.push(Chunk::without_rows());
        }
        Ok(manifest)
    }

    /// The record of a batch that nothing is loaded of, for another reason than its rejects.
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
    for (position, report) in reports.iter().enumerate() {
        let Split { index, count: its_count, .. } = report.split;
        let expected = u32::try_from(position).unwrap_or(u32::MAX);
        if index > expected && its_count == count && index < count {
            return Err(ManifestError::MissingSplit { index: expected, count });
        }
        if index != expected || its_count != count || index >= count {
            return Err(ManifestError::Inconsistent { position, index, count: its_count });
        }
    }
    let found = u32::try_from(reports.len()).unwrap_or(u32::MAX);
    if found < count { Err(ManifestError::MissingSplit { index: found, count }) } else { Ok(()) }
}

/// The accounting starts here: a chunk that is missing from its report would be missing from the table.
fn check_rows(report: &Report) -> Result<(), ManifestError> {
    let in_chunks = report.chunks.iter().map(|chunk| u64::from(chunk.rows)).sum();
    let Totals { rows_read, accepted, rejected, blank, .. } = report.totals;
    let accounted = accepted.checked_add(rejected).and_then(|rows| rows.checked_add(blank));
    if in_chunks == accepted && accounted == Some(rows_read) {
        return Ok(());
    }
    Err(ManifestError::Unbalanced { index: report.split.index, accepted, in_chunks })
}

/// Why the whole batch is refused, when it has more rejects than `max` allows. Blank rows do not count: with them any
/// number of rejects would be few percent.
pub fn too_many_rejects(totals: &Totals, max: MaxRejects) -> Option<Refusal> {
    let (rows, rejected) = (totals.rows_with_values(), totals.rejected);
    let over_rows = max.rows.filter(|rows| rejected > *rows).map(|rows| format!("{rows} rows"));
    // Compared as products: 5 rejects of 100 rows are not over 5 %, whatever the division's rounding.
    #[expect(clippy::cast_precision_loss, reason = "a batch has far fewer than 2^53 rows")]
    let is_over = |percent: &f64| rejected as f64 * 100.0 > percent * rows as f64;
    let over_percent = || max.percent.filter(is_over).map(|percent| format!("{percent} %"));
    let limit = over_rows.or_else(over_percent)?;
    Some(Refusal {
        code: "too_many_rejects".to_owned(),
        reason: None,
        message: format!(
            "{rejected} of {rows} rows were rejected, the contract allows {limit}: correct the file, or the \
             contract, and drop it again"
        ),
    })
}

/// Why the whole batch is refused, when a quality check that matters does not hold.
pub fn failed_quality(outcomes: &[QualityOutcome]) -> Option<Refusal> {
    let failed: Vec<String> = outcomes.iter().filter(|outcome| outcome.refuses).map(in_words).collect();
    (!failed.is_empty()).then(|| Refusal {
        code: "quality".to_owned(),
        reason: None,
        message: format!("{}: correct the file, or the contract, and drop it again", failed.join("; ")),
    })
}

fn in_words(outcome: &QualityOutcome) -> String {
    let QualityOutcome { check, rule, column, count, rows, .. } = outcome;
    let column = column.as_ref().map(|column| format!(" of `{column}`")).unwrap_or_default();
    format!("the check `{check}`{column} asks that {rule}, and counts {count} of {rows} rows")
}

fn totals(reports: &[Report]) -> Totals {
    let mut sum = Totals::default();
    reports.iter().for_each(|report| sum.merge(&report.totals));
    sum
}
