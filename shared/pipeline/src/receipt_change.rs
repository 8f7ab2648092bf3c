//! The transitions between the states of a receipt.

use crate::receipt::Receipt;
use crate::receipt_state::ReceiptState;

/// An event that changes a receipt: the transitions of its state machine.
///
/// | change | function | new state | replaces a receipt in state |
/// |---|---|---|---|
/// | `Receive` | ingest | `received` | `received` |
/// | `Submit` | ingest | `submitted` | `received` |
/// | `Commit` | ingest, job-events | `read`, `loaded` (no chunks) or `refused` | `received`, `submitted` |
/// | `JobFailed` | job-events | `failed` | `received`, `submitted` |
/// | `Progress` | writer | `loading`, `partly_loaded` or `failed` | an open state with fewer applied chunks, or as many and no more missing ones |
/// | `Load` | writer | `loaded` | an open state |
/// | `Replace` | writer | `replaced` | all but `withdrawn`; `replaced`, if fewer chunks were applied |
/// | `Reinstate` | writer | `loaded` or `partly_loaded` | `replaced` |
/// | `Withdraw` | writer | `withdrawn` | all but `withdrawn` |
///
/// Every change applies if there is no receipt. Open states are `received`, `submitted`, `read`, `loading`,
/// `partly_loaded` and `failed`: an operator may move a dead letter back to the load queue. `Commit` precedes the chunks'
/// messages and never replaces the writer's receipt when it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptChange {
    /// The drop was received.
    Receive,
    /// A Spark job was submitted.
    Submit,
    /// The manifest was written.
    Commit,
    /// The Spark job failed, was cancelled, or did not write all of its reports.
    JobFailed,
    /// Some chunks were applied, or moved to the dead-letter queue.
    Progress,
    /// All chunks were applied.
    Load,
    /// Another batch has replaced this one.
    Replace,
    /// An operator withdrew the batch that had replaced this one.
    Reinstate,
    /// An operator withdrew the batch.
    Withdraw,
}

impl ReceiptChange {
    /// All changes.
    pub const ALL: [Self; 9] = [
        Self::Receive,
        Self::Submit,
        Self::Commit,
        Self::JobFailed,
        Self::Progress,
        Self::Load,
        Self::Replace,
        Self::Reinstate,
        Self::Withdraw,
    ];

    /// Returns whether the batch usually has no receipt before this change.
    pub fn is_usually_first(self) -> bool {
        match self {
            Self::Receive => true,
            Self::Submit
            | Self::Commit
            | Self::JobFailed
            | Self::Progress
            | Self::Load
            | Self::Replace
            | Self::Reinstate
            | Self::Withdraw => false,
        }
    }

    /// Returns whether the receipt `new`, which has this change, replaces `current`; `None` means that there is no
    /// receipt.
    pub fn applies_to(self, current: Option<&Receipt>, new: &Receipt) -> bool {
        let Some(current) = current else { return true };
        let state = current.state;
        match self {
            Self::Receive => state == ReceiptState::Received,
            Self::Submit => state == ReceiptState::Received,
            Self::Commit | Self::JobFailed => {
                matches!(state, ReceiptState::Received | ReceiptState::Submitted)
            }
            Self::Progress => state.is_open() && progress(current) <= progress(new),
            Self::Load => state.is_open(),
            Self::Replace => match state {
                // The last chunks of a batch may be applied after it was replaced.
                ReceiptState::Replaced => progress(current) < progress(new),
                ReceiptState::Withdrawn | ReceiptState::Unknown => false,
                ReceiptState::Received
                | ReceiptState::Submitted
                | ReceiptState::Read
                | ReceiptState::Loading
                | ReceiptState::PartlyLoaded
                | ReceiptState::Loaded
                | ReceiptState::Refused
                | ReceiptState::Failed => true,
            },
            Self::Reinstate => state == ReceiptState::Replaced,
            Self::Withdraw => !matches!(state, ReceiptState::Withdrawn | ReceiptState::Unknown),
        }
    }
}

/// Returns the applied and the missing chunks. The number of applied chunks never decreases, and as long as it is the
/// same, the number of missing chunks does not decrease either.
fn progress(receipt: &Receipt) -> (u32, usize) {
    (receipt.chunks.map_or(0, |chunks| chunks.applied), receipt.missing.len())
}
