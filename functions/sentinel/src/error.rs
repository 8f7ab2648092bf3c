//! Why a run, or what it did of one source, is not whole.

use penstock_aws::commit::CommitError;
use penstock_aws::queue::QueueError;
use penstock_aws::store::StoreError;

/// Problems of one source that are told one by one.
const MAX_PROBLEMS: usize = 3;

/// Why a run has failed. The next one looks at everything anew.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SentinelError {
    #[error("neither source nor detail-type are those of a schedule's event: {event_source}, {detail_type}")]
    NotScheduled { event_source: String, detail_type: String },
    /// Nobody must believe that the rest is well.
    #[error("{looked_at} of {sources} sources were looked at: {}", problems.join("; "))]
    Incomplete { looked_at: usize, sources: usize, problems: Vec<String> },
}

/// Why something of a source was not looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Receipt(#[from] CommitError),
    #[error("missed drops were not given to ingest again: {0}")]
    Queue(#[from] QueueError),
    #[error("{key}: {message}: publish a mended contract")]
    Contract { key: String, message: String },
    #[error("the time is over: raise the function's timeout, or take old drops out of the raw bucket")]
    OutOfTime,
}

/// What went wrong with one source; the first few of it in words.
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

    /// One sentence; `None` when there were none.
    pub(crate) fn told(&self, source: &str) -> Option<String> {
        let more = if self.more == 0 { String::new() } else { format!(", and {} more", self.more) };
        (!self.first.is_empty()).then(|| format!("{source}: {}{more}", self.first.join(", ")))
    }
}
