//! The errors of a run and of the check of one source.

use penstock_aws::commit::CommitError;
use penstock_aws::queue::QueueError;
use penstock_aws::store::StoreError;

/// Maximum number of problems of one source in an error message.
const MAX_PROBLEMS: usize = 3;

/// The reason why a run failed. The next run checks everything again.
#[derive(Debug, thiserror::Error)]
pub enum SentinelError {
    /// The event is not that of a schedule.
    #[error("not the event of a schedule: source {event_source}, detail-type {detail_type}")]
    NotScheduled {
        /// `source` of the event.
        event_source: String,
        /// `detail-type` of the event.
        detail_type: String,
    },
    /// Some checks failed. The run fails, so that a source that was not checked does not appear to be healthy.
    #[error("{checked} of {sources} sources were checked: {}", problems.join("; "))]
    Incomplete {
        /// Number of sources that were checked completely.
        checked: usize,
        /// Number of sources.
        sources: usize,
        /// The problems, each with its source.
        problems: Vec<String>,
    },
}

/// A failed check of a source.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A request to the object store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A receipt, a manifest or the sentinel's own state could not be read.
    #[error(transparent)]
    Receipt(#[from] CommitError),
    /// A request to the drops queue failed.
    #[error("missed drops were not queued again: {0}")]
    Queue(#[from] QueueError),
    /// The current contract is invalid.
    #[error("{key}: {message}: publish a corrected contract")]
    Contract {
        /// Key of the contract.
        key: String,
        /// The first error.
        message: String,
    },
    /// The deadline of the invocation is near.
    #[error("out of time: raise the timeout of the function, or delete old objects from the raw bucket")]
    OutOfTime,
}

/// The problems of one source, or of a step. Only the first ones are stored as text.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    first: Vec<String>,
    more: usize,
}

impl Problems {
    pub(crate) fn add(&mut self, problem: &SourceError) {
        if self.first.len() < MAX_PROBLEMS {
            self.first.push(problem.to_string());
        } else {
            self.more += 1;
        }
    }

    /// Returns one sentence about all problems, or `None` if there are none.
    pub(crate) fn describe(&self, of: &str) -> Option<String> {
        let more = if self.more == 0 { String::new() } else { format!(", and {} more", self.more) };
        (!self.first.is_empty()).then(|| format!("{of}: {}{more}", self.first.join(", ")))
    }
}
