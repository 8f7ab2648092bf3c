//! The messages of the load queue.

use std::ops::RangeInclusive;

use jiff::Timestamp;
use penstock_contract::TableName;
use serde::{Deserialize, Serialize};

use crate::{BatchId, Chunk, Manifest, ManifestState};

/// Size of the largest encoded chunk that is sent in its message, in bytes before base64.
pub const MAX_INLINE_BYTES: usize = 96 * 1024;
/// Maximum number of entries in one `SendMessageBatch`.
pub const SQS_BATCH_MAX_ENTRIES: usize = 10;
/// Maximum size of all bodies in one `SendMessageBatch`, in bytes (SQS quota: 1 MiB).
pub const SQS_BATCH_MAX_BYTES: usize = 1024 * 1024;

/// One chunk to load.
///
/// | version | format |
/// |---|---|
/// | 1 | each row has the contract's columns, except the one for unexpected values, and the row number |
/// | 2 | each row has the contract's columns, including the one for unexpected values if the contract has one, and the row number |
/// | 3 | as 2; the batch replaces earlier versions of its object (`penstock.overwrite: replace`) |
/// | 4 | as 2, or as 3 if `overwrites` is set; the batch has blank rows, which an older writer would not account for |
/// | 5 | as 4; the batch is a replay, and the rows of the batches that its manifest lists are deleted when it is closed |
///
/// During a deploy, functions of two releases share the queue. Therefore a release reads the version that the release
/// before it writes, and a version that every message needs is written only by the release after the first one that
/// reads it. A writer returns a message with a newer version to the queue, where a writer of that release receives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadMessage {
    /// Format version of the message.
    pub message_version: u32,
    /// The batch.
    pub batch_id: BatchId,
    /// The source.
    pub source: String,
    /// The target table.
    pub table: TableName,
    /// The contract's version.
    pub contract_version: String,
    /// The time at which the drop was created. It is the event time of rows without one, and the last tie-breaker.
    pub dropped_at: Timestamp,
    /// Number of chunks of the batch.
    pub chunk_count: u32,
    /// The object whose earlier versions the batch replaces; only from version 3 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overwrites: Option<Overwritten>,
    /// The chunk.
    pub chunk: Chunk,
}

/// An object whose earlier versions a batch replaces, and the position of the batch among the versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overwritten {
    /// Bucket name.
    pub bucket: String,
    /// Object key.
    pub key: String,
    /// Orders versions that were created at the same time: the greater sequencer is later (hexadecimal, compared from
    /// the first digit).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
}

/// The reason why a body is not a load message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Not JSON of a load message, or a chunk with more duplicates than rows.
    #[error("not a load message: {0}")]
    Malformed(String),
    /// A format version that this writer does not read.
    #[error("load message has version {found}, but this writer reads versions {} to {}", reads.start(), reads.end())]
    Version {
        /// The version of the message.
        found: u64,
        /// The versions that this writer reads.
        reads: RangeInclusive<u32>,
    },
}

impl MessageError {
    /// Returns whether the message is of a later release, whose writer will read it.
    pub fn is_newer(&self) -> bool {
        match self {
            Self::Malformed(_) => false,
            Self::Version { found, reads } => *found > u64::from(*reads.end()),
        }
    }
}

impl LoadMessage {
    /// The format version that this release writes.
    pub const VERSION: u32 = 2;
    /// The format version of messages whose batch replaces earlier versions of its object.
    pub const OVERWRITING: u32 = 3;
    /// The format version of messages whose batch has blank rows.
    pub const WITH_BLANK_ROWS: u32 = 4;
    /// The format version of messages of a replay.
    pub const REPLAYING: u32 = 5;
    /// The format versions that this release reads.
    pub const READS: RangeInclusive<u32> = 1..=5;

    /// Returns the messages of a manifest, in the order of its chunks. A refused batch has none.
    ///
    /// # Panics
    /// Panics if a committed manifest has no contract version, which [`Manifest::commit`] never writes.
    pub fn of(manifest: &Manifest) -> Vec<Self> {
        let ManifestState::Committed { table } = &manifest.state else { return Vec::new() };
        let chunk_count = manifest.chunk_count();
        let drop = &manifest.drop;
        let overwrites = manifest.replaces.then(|| Overwritten {
            bucket: drop.bucket.clone(),
            key: drop.key.clone(),
            sequencer: drop.sequencer.clone(),
        });
        let message_version = match (manifest.replays.is_empty(), manifest.totals.blank, manifest.replaces) {
            (false, _, _) => Self::REPLAYING,
            (true, 0, false) => Self::VERSION,
            (true, 0, true) => Self::OVERWRITING,
            (true, 1.., _) => Self::WITH_BLANK_ROWS,
        };
        let message = |chunk: &Chunk| Self {
            message_version,
            batch_id: manifest.batch_id,
            source: manifest.source.clone(),
            table: table.clone(),
            contract_version: manifest
                .contract_version
                .clone()
                .expect("a batch without a contract is refused, so a committed one has a version"),
            dropped_at: drop.dropped_at,
            chunk_count,
            overwrites: overwrites.clone(),
            chunk: chunk.clone(),
        };
        manifest.chunks.iter().map(message).collect()
    }

    /// Returns whether the chunk has the column for unexpected values, if the contract has one.
    pub fn has_rescued(&self) -> bool {
        self.message_version >= 2
    }

    /// Parses the body of a message whose version is one of `reads`.
    ///
    /// # Errors
    /// Returns an error if the body is not JSON, has a missing or an unknown field, has a chunk with more duplicates
    /// than rows, or has another version.
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
        let message: Self = serde_json::from_str(body).map_err(malformed)?;
        match message.chunk.checked_text_rows() {
            Some(_) => Ok(message),
            None => Err(MessageError::Malformed("the chunk has more duplicates than rows".to_owned())),
        }
    }
}

/// Groups bodies, in order, into batches for `SendMessageBatch` of at most [`SQS_BATCH_MAX_ENTRIES`] entries and
/// [`SQS_BATCH_MAX_BYTES`] bytes. A body that is larger than that gets a batch of its own.
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
