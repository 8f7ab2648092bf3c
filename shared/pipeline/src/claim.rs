//! Claims, which decide which version of an object is loaded if its contract keeps the first one
//! (`penstock.overwrite: keep`).
//!
//! The claims of an object are numbered from 0 and written with `If-None-Match: *`. A version owns the claim that it
//! wrote first. If the batch of a claim is refused or fails, the next number may be claimed, so that a corrected file
//! can be dropped under the key of the file that it corrects. The corrected file replaces the rows of a batch that is loaded
//! in part.

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
    /// Committed, but chunks of it are in the dead-letter queue. The others are loaded.
    LoadFailed,
    /// Refused, failed, replaced or withdrawn: none of its rows is loaded.
    GivenUp,
}

impl ClaimedBatch {
    /// Returns the state of a batch with this manifest and this receipt. A Spark job that failed leaves only a receipt.
    pub fn of(manifest: Option<&Manifest>, receipt: Option<&Receipt>) -> Self {
        let is_committed = match manifest.map(|manifest| &manifest.state) {
            Some(ManifestState::Refused(_)) => return Self::GivenUp,
            Some(ManifestState::Committed { .. }) => true,
            None => false,
        };
        match receipt.map(|receipt| receipt.state) {
            Some(ReceiptState::Failed | ReceiptState::PartlyLoaded) if is_committed => Self::LoadFailed,
            Some(
                ReceiptState::Failed
                | ReceiptState::Refused
                | ReceiptState::Replaced
                | ReceiptState::Withdrawn,
            ) => Self::GivenUp,
            Some(
                ReceiptState::Received
                | ReceiptState::Submitted
                | ReceiptState::Read
                | ReceiptState::Loading
                | ReceiptState::PartlyLoaded
                | ReceiptState::Loaded
                | ReceiptState::Unknown,
            )
            | None => {
                if is_committed {
                    Self::Committed
                } else {
                    Self::Pending
                }
            }
        }
    }
}

/// The action of a batch that finds a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimDecision {
    /// The claim is of the batch's own version. Later claims must be read too: another version may have been committed.
    Own {
        /// Whether the claim must be rewritten, because it names an earlier batch of the version, which a replay
        /// replaces. Other versions must wait for the new batch.
        rewrite: bool,
    },
    /// The batch of the claim is not loaded, or not completely: read the next claim.
    ReadNext {
        /// Whether the batch that finds the claim replaces the claim's batch, of which some rows may be loaded.
        replace: bool,
    },
    /// The batch of the claim is neither committed nor refused yet: retry later.
    Wait,
    /// Another version was committed: refuse the batch as [`RefusalCode::Kept`](crate::RefusalCode::Kept).
    Refuse,
}

impl ObjectClaim {
    /// Returns the action of a batch with the claim `own` that finds this claim, whose batch is in state `batch`.
    pub fn decide(&self, own: &Self, batch: ClaimedBatch) -> ClaimDecision {
        if self.version == own.version {
            return ClaimDecision::Own { rewrite: self.batch_id != own.batch_id };
        }
        match batch {
            ClaimedBatch::Pending => ClaimDecision::Wait,
            ClaimedBatch::Committed => ClaimDecision::Refuse,
            ClaimedBatch::LoadFailed => ClaimDecision::ReadNext { replace: true },
            ClaimedBatch::GivenUp => ClaimDecision::ReadNext { replace: false },
        }
    }
}
