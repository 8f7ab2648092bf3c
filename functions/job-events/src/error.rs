//! The reasons for which an event was not processed.

use penstock_aws::commit::CommitError;
use penstock_aws::store::StoreError;
use penstock_pipeline::{BatchId, DeadReason, EventError, ManifestError, Outcome};

/// The reason for which an event was not processed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobEventError {
    #[error(transparent)]
    Event(#[from] EventError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// Ingest writes the receipt after the submission, so a short job may end before that.
    #[error("batch {batch} of source {source_name} has no receipt yet")]
    NoReceipt { source_name: String, batch: BatchId },
    #[error("the contract of batch {batch} of source {source_name} cannot be read: {message}")]
    NoContract { source_name: String, batch: BatchId, message: String },
    #[error("the job of batch {batch} succeeded, but {error}")]
    Reports { batch: BatchId, error: ManifestError },
}

impl JobEventError {
    /// Returns whether the same event may be processed later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Commit(error) => error.is_transient(),
            Self::NoReceipt { .. } => true,
            Self::Event(_) | Self::NoContract { .. } | Self::Reports { .. } => false,
        }
    }

    /// Returns the outcome of the message.
    pub(crate) fn outcome(&self, receive_count: u32) -> Outcome {
        if self.is_transient() {
            return Outcome::retry_after(receive_count);
        }
        let code = match self {
            Self::Event(_) => "invalid_event",
            Self::Commit(CommitError::Corrupt { .. }) => "corrupt_object",
            Self::Commit(CommitError::Store(_) | CommitError::Queue(_)) => "commit_refused",
            Self::NoReceipt { .. } => "no_receipt",
            Self::NoContract { .. } => "no_contract",
            Self::Reports { .. } => "inconsistent_reports",
        };
        Outcome::Dead(DeadReason { code, message: self.to_string() })
    }
}

impl From<StoreError> for JobEventError {
    fn from(error: StoreError) -> Self {
        Self::Commit(error.into())
    }
}
