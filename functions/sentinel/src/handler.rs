//! Checks all sources sequentially, queues the drops that were missed again, and removes orphans.

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
use crate::orphans::sweep;
use crate::requeue::{MissedDrops, queue_again, read_requeued};
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
    /// Number of objects that were removed because no manifest lists them.
    pub orphans_removed: u64,
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
    let (mut missed, errors) = missed_drops(sentinel, now).await;
    problems.extend(errors.iter().map(ToString::to_string));
    let (mut run, mut checked) = (SentinelRun { sources: Vec::new(), orphans_removed: 0 }, 0);
    for feed in &feeds {
        if deadline.is_past() {
            problems.push(format!("{}: {}", feed.source, SourceError::OutOfTime));
            break;
        }
        let (status, problems_of_source) = Box::pin(check(sentinel, feed, &mut missed, now, deadline)).await;
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
    // Drops that were found are queued again even if there was no time for the others, or runs that never have enough
    // time would never do that.
    problems.extend(queue_again(sentinel, missed).await.describe("missed drops"));
    let (removed, problems_of_sweep) = Box::pin(sweep(sentinel, now, deadline)).await;
    run.orphans_removed = removed;
    problems.extend(problems_of_sweep.describe("orphans"));
    tracing::info!(checked, sources = feeds.len(), "sources were checked");
    if problems.is_empty() && checked == feeds.len() {
        return Ok(run);
    }
    Err(SentinelError::Incomplete { checked, sources: feeds.len(), problems })
}

/// Returns the collector of the missed drops, and the errors. If the depth of the queue is unknown, drops may be queued,
/// so only those that were overtaken are sent again.
async fn missed_drops<S: ObjectStore, Q: Queue>(
    sentinel: &Sentinel<S, Q>,
    now: Timestamp,
) -> (MissedDrops, Vec<SourceError>) {
    let (requeued, error) = read_requeued(sentinel).await;
    let mut errors = Vec::from_iter(error);
    let waiting = match sentinel.queue.depth(&sentinel.config.drops_queue_url).await {
        Ok(depth) => depth.total(),
        Err(error) => {
            errors.push(SourceError::Queue(error));
            u64::MAX
        }
    };
    (MissedDrops::new(&sentinel.config, requeued, waiting, now), errors)
}
