//! Claims, which bind a drop to the contract version and the configuration with which it is first processed.
//!
//! The event of a drop may be delivered several times: S3 and SQS deliver at least once, and the sentinel sends events
//! again. Meanwhile another contract version or another configuration may be in force. Every delivery after the first
//! one continues the batch that the claim names, so that the rows of a drop are not loaded under two versions.
//!
//! The claims of a drop are numbered by generation and written with `If-None-Match: *`. Generation 0 is the first
//! processing. Each replay adds a generation; the newest one counts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Batch, BatchId, Drop, batch};

/// The claim of a drop, stored at [`layout::drop_claim`](crate::layout::drop_claim).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropClaim {
    /// Format version of the claim.
    pub claim_version: u32,
    /// The generation, from [`FIRST_GENERATION`](crate::FIRST_GENERATION).
    pub generation: u32,
    /// The batch.
    pub batch_id: BatchId,
    /// The source.
    pub source: String,
    /// The contract; `None` if the drop is refused because its source has no usable one.
    pub contract: Option<ClaimedContract>,
    /// Maximum number of rows in a chunk.
    pub chunk_rows: u32,
    /// The drop as its first event described it: the time of the event and the sequencer order its rows.
    pub drop: Drop,
    /// Batches of the drop that this one replaces. Only replays have some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<BatchId>,
    /// The time at which the claim was written.
    pub claimed_at: Timestamp,
}

/// The contract version of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimedContract {
    /// The version.
    pub version: String,
    /// SHA-256 of its text, in hexadecimal.
    pub sha256: String,
}

impl DropClaim {
    /// The format version that this release writes.
    pub const VERSION: u32 = 1;

    /// Returns the claim of the first processing of `drop`.
    pub fn first(drop: Drop, contract: Option<ClaimedContract>, chunk_rows: u32, now: Timestamp) -> Self {
        Self::of_generation(drop, contract, chunk_rows, batch::FIRST_GENERATION, Vec::new(), now)
    }

    /// Returns the claim of a replay of this claim's drop: the next generation, which replaces the batches of all
    /// generations before it.
    pub fn replay(&self, contract: Option<ClaimedContract>, chunk_rows: u32, now: Timestamp) -> Self {
        let generation = self.generation.checked_add(1).expect("a drop is replayed fewer than 2^32 times");
        let replaces = self.replaces.iter().copied().chain([self.batch_id]).collect();
        Self::of_generation(self.drop.clone(), contract, chunk_rows, generation, replaces, now)
    }

    fn of_generation(
        drop: Drop,
        contract: Option<ClaimedContract>,
        chunk_rows: u32,
        generation: u32,
        replaces: Vec<BatchId>,
        claimed_at: Timestamp,
    ) -> Self {
        let version = contract.as_ref().map(|contract| contract.version.as_str());
        let Batch { id, source, drop, .. } = Batch::of_generation(drop, version, generation);
        Self {
            claim_version: Self::VERSION,
            generation,
            batch_id: id,
            source,
            contract,
            chunk_rows,
            drop,
            replaces,
            claimed_at,
        }
    }

    /// Returns the batch of the claim.
    pub fn batch(&self) -> Batch {
        Batch {
            id: self.batch_id,
            source: self.source.clone(),
            contract_version: self.contract.as_ref().map(|contract| contract.version.clone()),
            drop: self.drop.clone(),
            generation: self.generation,
            replays: self.replaces.clone(),
        }
    }
}
