//! The states of a receipt.

use serde::{Deserialize, Serialize};

/// The state of a batch. [`ReceiptChange`](crate::ReceiptChange) has the transitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// The drop's event was received; the drop has not been read yet.
    Received,
    /// An EMR Serverless job was submitted.
    Submitted,
    /// The batch was read and committed; no chunk is loaded yet.
    Read,
    /// Some chunks are loaded.
    Loading,
    /// Some chunks are loaded, and some are in the dead-letter queue. An operator must intervene.
    PartlyLoaded,
    /// Every accepted row has been applied.
    Loaded,
    /// No row is loaded, by a rule of the contract. The producer must correct the file.
    Refused,
    /// The batch could not be processed; no row is loaded. An operator must intervene.
    Failed,
    /// Another batch replaced this one: a later version of the object, or a replay of the drop.
    Replaced,
    /// An operator withdrew the batch; its rows were deleted.
    Withdrawn,
    /// A state that a later release defined.
    #[serde(other)]
    Unknown,
}

impl ReceiptState {
    /// All states that this release defines.
    pub const ALL: [Self; 10] = [
        Self::Received,
        Self::Submitted,
        Self::Read,
        Self::Loading,
        Self::PartlyLoaded,
        Self::Loaded,
        Self::Refused,
        Self::Failed,
        Self::Replaced,
        Self::Withdrawn,
    ];

    /// Returns the state as in the receipt's JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Submitted => "submitted",
            Self::Read => "read",
            Self::Loading => "loading",
            Self::PartlyLoaded => "partly_loaded",
            Self::Loaded => "loaded",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Replaced => "replaced",
            Self::Withdrawn => "withdrawn",
            Self::Unknown => "unknown",
        }
    }

    /// Returns whether the batch is finished, unless an operator intervenes.
    pub fn is_final(self) -> bool {
        match self {
            Self::Received | Self::Submitted | Self::Read | Self::Loading | Self::Unknown => false,
            Self::PartlyLoaded
            | Self::Loaded
            | Self::Refused
            | Self::Failed
            | Self::Replaced
            | Self::Withdrawn => true,
        }
    }

    /// Returns whether chunks of the batch may still be applied.
    pub(crate) fn is_open(self) -> bool {
        match self {
            Self::Received
            | Self::Submitted
            | Self::Read
            | Self::Loading
            | Self::PartlyLoaded
            | Self::Failed => true,
            Self::Loaded | Self::Refused | Self::Replaced | Self::Withdrawn | Self::Unknown => false,
        }
    }
}
