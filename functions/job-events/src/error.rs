//! The reasons why an event was not processed.

use penstock_aws::commit::CommitError;
use penstock_aws::store::StoreError;
use penstock_pipeline::{BatchId, DeadCode, EventError, ManifestError, Outcome};

/// The reason why an event was not processed.
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
        Outcome::of_error(self, self.is_transient(), self.code(), receive_count)
    }

    /// Returns the code of a dead letter, or `None` for an error that is always transient.
    fn code(&self) -> Option<DeadCode> {
        match self {
            Self::Event(_) => Some(DeadCode::InvalidEvent),
            Self::Commit(CommitError::Corrupt { .. }) => Some(DeadCode::CorruptObject),
            Self::Commit(CommitError::Store(_) | CommitError::Queue(_)) => Some(DeadCode::CommitRefused),
            Self::NoReceipt { .. } => None,
            Self::NoContract { .. } => Some(DeadCode::NoContract),
            Self::Reports { .. } => Some(DeadCode::InconsistentReports),
        }
    }
}

impl From<StoreError> for JobEventError {
    fn from(error: StoreError) -> Self {
        Self::Commit(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runbook_quotes_the_error_of_a_missing_receipt() {
        let error = JobEventError::NoReceipt { source_name: "abt".to_owned(), batch: BatchId::nil() };
        assert!(error.to_string().ends_with(" has no receipt yet"), "{error}");
        assert!(include_str!("../../../docs/runbook.md").contains("`has no receipt yet`"));
    }
}
