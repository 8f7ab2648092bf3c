//! Checks all sources sequentially.

use std::time::Duration;

use jiff::Timestamp;
use penstock_aws::deadline::Deadline;
use penstock_aws::listing::ObjectListing;
use penstock_aws::queue::Queue;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::metrics::BySource;
use serde::{Deserialize, Serialize};

use crate::check::check;
use crate::error::{SentinelError, SourceError};
use crate::feeds::feeds;
use crate::sentinel::Sentinel;
use crate::status::SourceSummary;

/// Time to stop before the deadline, to finish the current page and to report the progress.
pub(crate) const MARGIN: Duration = Duration::from_secs(30);

/// The event that EventBridge sends for a schedule.
#[derive(Debug, Clone, Deserialize)]
pub struct ScheduledEvent {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
}

impl ScheduledEvent {
    fn validate(&self) -> Result<(), SentinelError> {
        if self.source == "aws.events" && self.detail_type == "Scheduled Event" {
            return Ok(());
        }
        let (event_source, detail_type) = (self.source.clone(), self.detail_type.clone());
        Err(SentinelError::NotScheduled { event_source, detail_type })
    }
}

/// The response of a run. EventBridge ignores it; `penstock sentinel` prints it.
#[derive(Debug, PartialEq, Serialize)]
pub struct SentinelRun {
    /// The sources, by name.
    pub sources: Vec<SourceSummary>,
}

/// Checks every source at the time `now`. `deadline` is when Lambda ends the invocation.
///
/// # Errors
/// Returns an error if any check or any re-queued drop failed. The other checks have been done.
pub async fn handle<S: ObjectStore + ObjectListing, Q: Queue>(
    sentinel: &Sentinel<S, Q>,
    event: &ScheduledEvent,
    now: Timestamp,
    deadline: Deadline,
) -> Result<SentinelRun, SentinelError> {
    event.validate()?;
    let deadline = deadline.earlier_by(MARGIN);
    let (feeds, mut problems) = feeds(sentinel).await;
    let (mut run, mut checked) = (SentinelRun { sources: Vec::new() }, 0);
    for feed in &feeds {
        if deadline.is_past() {
            problems.push(format!("{}: {}", feed.source, SourceError::OutOfTime));
            break;
        }
        let (status, problems_of_source) = Box::pin(check(sentinel, feed, now, deadline)).await;
        if let Some(status) = status {
            let summary = SourceSummary::new(&feed.source, &status, now);
            sentinel.config.metrics.emit(&BySource { source: &summary.source }, &summary.metrics());
            run.sources.push(summary);
        }
        match problems_of_source.describe(&feed.source) {
            Some(problem) => problems.push(problem),
            None => checked += 1,
        }
    }
    tracing::info!(checked, sources = feeds.len(), "sources were checked");
    if problems.is_empty() && checked == feeds.len() {
        return Ok(run);
    }
    Err(SentinelError::Incomplete { checked, sources: feeds.len(), problems })
}
