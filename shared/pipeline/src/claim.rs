//! Claims, which decide which version of an object is loaded if its contract keeps the first one
//! (`penstock.overwrite: keep`).
//!
//! The claims of an object are numbered from 0 and written with `If-None-Match: *`. A version owns the claim that it
//! wrote first. If the batch of a claim is refused or fails, the next number may be claimed, so that a corrected file
//! can be dropped under the key of the file that it corrects.

use serde::{Deserialize, Serialize};

use crate::{BatchId, Manifest, ManifestState, Receipt, ReceiptState};

/// The claim of a version, stored at [`layout::claim`](crate::layout::object_claim).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectClaim {
    /// The version, as returned by [`Drop::version`](crate::Drop::version).
    pub version: String,
    /// The batch of the version.
    pub batch_id: BatchId,
}

/// The state of the batch of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimedBatch {
    /// Neither committed nor refused yet.
    Pending,
    /// Committed: its rows are loaded.
    Committed,
    /// Refused or failed.
    GivenUp,
}

impl ClaimedBatch {
    /// Returns the state of a batch with this manifest.
    pub fn of_manifest(manifest: &Manifest) -> Self {
        match manifest.state {
            ManifestState::Committed { .. } => Self::Committed,
            ManifestState::Refused(_) => Self::GivenUp,
        }
    }

    /// Returns the state of a batch that has no manifest: a Spark job that failed leaves only a receipt.
    pub fn without_manifest(receipt: Option<&Receipt>) -> Self {
        match receipt.map(|receipt| receipt.state) {
            Some(ReceiptState::Failed) => Self::GivenUp,
            Some(
                ReceiptState::Submitted
                | ReceiptState::Loading
                | ReceiptState::Loaded
                | ReceiptState::Refused,
            )
            | None => Self::Pending,
        }
    }
}

/// The action of a batch that finds a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimDecision {
    /// The claim is of the batch's own version. Later claims must be read too: another version may have been committed.
    Own {
        /// Whether the claim must be rewritten, because it names the version's batch under an older contract version.
        /// Other versions must wait for the new batch.
        rewrite: bool,
    },
    /// The batch of the claim was refused or failed: read the next claim.
    ReadNext,
    /// The batch of the claim is neither committed nor refused yet: retry later.
    Wait,
    /// Another version was committed: refuse the batch as [`RefusalCode::Kept`](crate::RefusalCode::Kept).
    Refuse,
}

impl ObjectClaim {
    /// Returns the action of a batch with the claim `own` that finds this claim, whose batch is in state `batch`.
    pub fn decide(&self, own: &Self, batch: ClaimedBatch) -> ClaimDecision {
        if self.version == own.version {
            return ClaimDecision::Own { rewrite: self != own && batch != ClaimedBatch::Committed };
        }
        match batch {
            ClaimedBatch::Pending => ClaimDecision::Wait,
            ClaimedBatch::Committed => ClaimDecision::Refuse,
            ClaimedBatch::GivenUp => ClaimDecision::ReadNext,
        }
    }
}
