//! The reasons why a drop was not processed.

use penstock_aws::commit::CommitError;
use penstock_aws::jobs::JobError;
use penstock_aws::secrets::SecretError;
use penstock_aws::store::StoreError;
use penstock_pipeline::{DeadCode, ManifestError, Outcome};

/// The reason why a drop was not processed. A fault of the drop itself is not an error but refuses the batch.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IngestError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Job(#[from] JobError),
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("the reports are inconsistent: {0}")]
    Manifest(#[from] ManifestError),
    /// The deadline of the invocation is near. The next invocation begins again.
    #[error("stopped before the deadline of the invocation")]
    OutOfTime,
    /// The contract keeps an object's first version, and the batch of an earlier version is not committed or refused
    /// yet.
    #[error(
        "s3://{bucket}/{key}: an earlier version is being processed, and this one must wait for its result"
    )]
    Undecided { bucket: String, key: String },
    /// The contract version of the drop's claim.
    #[error("{key}: {problem}; publish that version again with its original text")]
    ClaimedContract { key: String, problem: String },
    /// Most likely a bug, but the message is retried.
    #[error("the {stage} stage panicked")]
    Panicked { stage: &'static str },
    /// Another execution environment may have more disk space.
    #[error("the keys of the batch could not be written to temporary files: {0}")]
    Spill(std::io::Error),
    #[error("rows could not be encoded: {0}")]
    Encode(String),
}

impl IngestError {
    /// Returns whether the same drop may be processed later.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Commit(error) => error.is_transient(),
            Self::Job(error) => error.is_transient(),
            Self::Secret(error) => error.is_transient(),
            Self::OutOfTime | Self::Undecided { .. } | Self::Panicked { .. } | Self::Spill(_) => true,
            Self::Manifest(_) | Self::Encode(_) | Self::ClaimedContract { .. } => false,
        }
    }

    /// Returns the outcome of the message.
    pub(crate) fn outcome(&self, receive_count: u32) -> Outcome {
        Outcome::of_error(self, self.is_transient(), self.code(), receive_count)
    }

    /// Returns the code of a dead letter, or `None` for an error that is always transient.
    fn code(&self) -> Option<DeadCode> {
        match self {
            Self::Store(_) => Some(DeadCode::StoreRefused),
            Self::Commit(CommitError::Corrupt { .. }) => Some(DeadCode::CorruptObject),
            Self::Commit(CommitError::Store(_) | CommitError::Queue(_)) => Some(DeadCode::CommitRefused),
            Self::Job(_) => Some(DeadCode::JobRefused),
            Self::Secret(_) => Some(DeadCode::SecretRefused),
            Self::Manifest(_) => Some(DeadCode::InconsistentReports),
            Self::Encode(_) => Some(DeadCode::NotEncodable),
            Self::ClaimedContract { .. } => Some(DeadCode::ContractUnusable),
            Self::OutOfTime | Self::Undecided { .. } | Self::Panicked { .. } | Self::Spill(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runbook_quotes_the_error_of_the_deadline() {
        let quoted = format!("`{}`", IngestError::OutOfTime);
        assert!(include_str!("../../../docs/runbook.md").contains(&quoted), "{quoted}");
    }
}
