//! A batch's splits, its chunks, and the manifest that commits them.

use penstock_engine::{Dialect, Totals};
use serde::{Deserialize, Serialize};

use crate::{BatchId, Drop, Refusal, Seconds};

/// A part of a drop that one invocation reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// Up to N accepted rows of a batch, encoded for loading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// Counts from 0 through the whole batch.
    pub index: u32,
    /// Accepted rows in it.
    pub rows: u32,
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

/// What became of one split. Chunk indexes and row bases count from the split's own start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The split.
    pub split: Split,
    /// Row counts and reasons.
    pub totals: Totals,
    /// The dialect as read.
    pub dialect: Dialect,
    /// The split's chunks.
    pub chunks: Vec<Chunk>,
    /// Keys of its Parquet files, in the processed bucket.
    pub parquet: Vec<String>,
    /// Keys of its reject files, in the quarantine bucket.
    pub rejects: Vec<String>,
    /// Seconds by step.
    pub seconds: Seconds,
}

/// Whether a batch's chunks may be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManifestState {
    /// Its chunks are loaded.
    Committed,
    /// None of its rows is loaded.
    Refused(Refusal),
}

/// A batch's commit record: written once, with `If-None-Match: *`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Format of this file.
    pub manifest_version: u32,
    /// The batch.
    pub batch_id: BatchId,
    /// The source.
    pub source: String,
    /// The contract's version.
    pub contract_version: String,
    /// Version of the engine that read the drop.
    pub engine_version: String,
    /// The drop.
    pub drop: Drop,
    /// Whether the chunks may be loaded.
    pub state: ManifestState,
    /// Row counts and reasons of the whole batch.
    pub totals: Totals,
    /// The dialect as read, of the first split; `None` when nothing could be read.
    pub dialect: Option<Dialect>,
    /// All chunks, with indexes and row bases of the whole batch.
    pub chunks: Vec<Chunk>,
    /// Keys of the Parquet files, in the processed bucket.
    pub parquet: Vec<String>,
    /// Keys of the reject files, in the quarantine bucket.
    pub rejects: Vec<String>,
    /// Seconds by step.
    pub seconds: Seconds,
}

impl Manifest {
    /// The format that this version writes.
    pub const VERSION: u32 = 1;
}
