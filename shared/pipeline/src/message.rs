//! The load queue's messages.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use penstock_contract::TableName;
use serde::{Deserialize, Serialize};

use crate::{BatchId, Chunk, Manifest, ManifestState};

/// Largest encoded chunk, in bytes before base64, that travels in its message.
pub const MAX_INLINE_BYTES: usize = 96 * 1024;
/// Most entries in one `SendMessageBatch`.
pub const SQS_BATCH_MAX_ENTRIES: usize = 10;
/// Most bytes in one `SendMessageBatch`, all bodies together (SQS quota: 1 MiB).
pub const SQS_BATCH_MAX_BYTES: usize = 1024 * 1024;

/// One chunk to load.
///
/// | version | a row of the chunk has |
/// |---|---|
/// | 1 | the contract's columns, without the one for what no other column reads, and the row number |
/// | 2 | the contract's columns, that one included where the contract keeps such values, and the row number |
/// | 3 | as 2; its batch stands for earlier versions of its object (`penstock.overwrite: replace`) |
/// | 4 | as 2, or as 3 where `overwrites` is set; its batch has blank rows, which an older writer would not account for |
///
/// While a deploy is under way, functions of two releases share the queue. So a release reads the version that the one
/// before it writes, and what every message needs is written only by the release after the first that reads it; what is
/// newer than a writer knows goes back to the queue, for one that does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadMessage {
    /// Format of this message.
    pub message_version: u32,
    /// The batch.
    pub batch_id: BatchId,
    /// The source.
    pub source: String,
    /// The target table.
    pub table: TableName,
    /// The contract's version.
    pub contract_version: String,
    /// When the drop arrived: the event time of rows that carry none, and the last tie-break.
    pub dropped_at: Timestamp,
    /// How many chunks the batch has.
    pub chunk_count: u32,
    /// The object whose earlier versions the batch stands for; only from version 3 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwrites: Option<Overwritten>,
    /// The chunk.
    pub chunk: Chunk,
}

/// An object that has been overwritten, or may have been, and what orders the version that a batch is of among its others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overwritten {
    /// Bucket name.
    pub bucket: String,
    /// Object key.
    pub key: String,
    /// Of versions that arrived at one time the one with the greater sequencer (hexadecimal, compared from its first digit
    /// on) is the later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
}

/// Why a body is no load message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Not the JSON of a load message.
    #[error("not a load message: {0}")]
    Malformed(String),
    /// A version that this writer does not read.
    #[error("load message version {found}, but this writer reads {} to {}", reads.start(), reads.end())]
    Version {
        /// The version found.
        found: u64,
        /// The versions that are read.
        reads: RangeInclusive<u32>,
    },
}

impl MessageError {
    /// True for a message of a later release: its own writer will read it.
    pub fn is_newer(&self) -> bool {
        match self {
            Self::Malformed(_) => false,
            Self::Version { found, reads } => *found > u64::from(*reads.end()),
        }
    }
}

impl LoadMessage {
    /// The format that this release writes.
    pub const VERSION: u32 = 2;
    /// The format of messages whose batch stands for earlier versions of its object.
    pub const OVERWRITING: u32 = 3;
    /// The format of messages whose batch has blank rows.
    pub const WITH_BLANK_ROWS: u32 = 4;
    /// The formats that this release reads.
    pub const READS: RangeInclusive<u32> = 1..=4;

    /// The messages of a manifest, in the order of its chunks. A refused batch has none.
    pub fn of(manifest: &Manifest) -> Vec<Self> {
        let ManifestState::Committed { table } = &manifest.state else { return Vec::new() };
        let chunk_count = u32::try_from(manifest.chunks.len()).unwrap_or(u32::MAX);
        let drop = &manifest.drop;
        let overwrites = manifest.replaces.then(|| Overwritten {
            bucket: drop.bucket.clone(),
            key: drop.key.clone(),
            sequencer: drop.sequencer.clone(),
        });
        let message_version = match (manifest.totals.blank, manifest.replaces) {
            (0, false) => Self::VERSION,
            (0, true) => Self::OVERWRITING,
            (1.., _) => Self::WITH_BLANK_ROWS,
        };
        let message = |chunk: &Chunk| Self {
            message_version,
            batch_id: manifest.batch_id,
            source: manifest.source.clone(),
            table: table.clone(),
            // A committed batch always has one: without a contract nothing is accepted.
            contract_version: manifest.contract_version.clone().unwrap_or_default(),
            dropped_at: drop.dropped_at,
            chunk_count,
            overwrites: overwrites.clone(),
            chunk: chunk.clone(),
        };
        manifest.chunks.iter().map(message).collect()
    }

    /// Whether the chunk has a column for what no other column reads, where the contract keeps such values.
    pub fn has_rescued(&self) -> bool {
        self.message_version >= 2
    }

    /// Reads the body of a message whose version is one of `reads`.
    ///
    /// # Errors
    /// When the body is not JSON, lacks a field or has one too many, or is of another version.
    pub fn parse(body: &str, reads: &RangeInclusive<u32>) -> Result<Self, MessageError> {
        #[derive(Deserialize)]
        struct Versioned {
            message_version: u64,
        }
        let malformed = |error: serde_json::Error| MessageError::Malformed(error.to_string());
        let Versioned { message_version } = serde_json::from_str(body).map_err(malformed)?;
        if !u32::try_from(message_version).is_ok_and(|version| reads.contains(&version)) {
            return Err(MessageError::Version { found: message_version, reads: reads.clone() });
        }
        serde_json::from_str(body).map_err(malformed)
    }
}

/// Groups bodies, in order, into batches that one `SendMessageBatch` takes: at most
/// [`SQS_BATCH_MAX_ENTRIES`] and [`SQS_BATCH_MAX_BYTES`] each. A body that is too large by itself stands alone.
pub fn sqs_batches(bodies: Vec<String>) -> Vec<Vec<String>> {
    let mut batches: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0usize;
    for body in bodies {
        let fits = bytes.saturating_add(body.len()) <= SQS_BATCH_MAX_BYTES;
        match batches.last_mut() {
            Some(batch) if fits && batch.len() < SQS_BATCH_MAX_ENTRIES => {
                bytes = bytes.saturating_add(body.len());
                batch.push(body);
            }
            _ => {
                bytes = body.len();
                batches.push(vec![body]);
            }
        }
    }
    batches
}
