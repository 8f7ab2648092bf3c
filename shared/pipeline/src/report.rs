//! The report of one split.

use std::collections::BTreeMap;

use penstock_engine::{Dialect, QualityOutcome, Totals};
use serde::{Deserialize, Serialize};

use crate::{Chunk, DropSplit};

/// Seconds by step, e.g. `read`, `publish`, `load`.
pub type Seconds = BTreeMap<String, f64>;

/// The result of reading one split. Chunk indexes and row bases count from the start of the split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The split.
    pub split: DropSplit,
    /// Version of the engine that read the split.
    pub engine_version: String,
    /// Row counts and reject reasons.
    pub totals: Totals,
    /// The dialect with which the split was read.
    pub dialect: Dialect,
    /// Results of the contract's quality checks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quality: Vec<QualityOutcome>,
    /// The split's chunks.
    pub chunks: Vec<Chunk>,
    /// Keys of the split's Parquet files, in the processed bucket.
    pub parquet: Vec<String>,
    /// The split's reject files in the quarantine bucket, as `s3://` URIs.
    pub rejects: Vec<String>,
    /// Seconds by step.
    pub seconds: Seconds,
}
