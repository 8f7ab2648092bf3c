//! Looks at one source after the other, and says at the end which it could not look at.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use penstock_aws::listing::ObjectListing;
use penstock_aws::queue::Queue;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::metrics::BySource;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::error::{SentinelError, SourceError};
use crate::feeds::feeds;
use crate::source::{Told, look};

/// Left for the page that is being looked at, and for saying how far the run came.
const MARGIN: Duration = Duration::from_secs(30);

/// What the function works with; made once a cold start.
pub(crate) struct Sentinel<S, Q> {
    pub(crate) store: S,
    pub(crate) queue: Q,
    pub(crate) config: Config,
}

/// What EventBridge sends when a schedule's time has come.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ScheduledEvent {
    source: String,
    #[serde(rename = "detail-type")]
    detail_type: String,
}

impl ScheduledEvent {
    fn check(&self) -> Result<(), SentinelError> {
        if self.source == "aws.events" && self.detail_type == "Scheduled Event" {
            return Ok(());
        }
        let (event_source, detail_type) = (self.source.clone(), self.detail_type.clone());
        Err(SentinelError::NotScheduled { event_source, detail_type })
    }
}

/// What a run has seen, for whoever has started it by hand: EventBridge does not read it.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Run {
    /// By name.
    pub(crate) sources: Vec<Told>,
}

/// When to stop looking, so that the function says how far it came rather than being killed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StopAt(SystemTime);

impl StopAt {
    /// Half a minute before Lambda's deadline.
    pub(crate) fn before(deadline: SystemTime) -> Self {
        Self(deadline.checked_sub(MARGIN).unwrap_or(deadline))
    }

    pub(crate) fn is_past(self) -> bool {
        SystemTime::now() >= self.0
    }
}

/// Looks at every source, as it is at `now`.
///
/// # Errors
/// When anything of any source could not be looked at, or given to ingest again. All else has been done.
pub(crate) async fn handle<S: ObjectStore + ObjectListing, Q: Queue>(
    sentinel: &Sentinel<S, Q>,
    event: &ScheduledEvent,
    now: Timestamp,
    stop: StopAt,
) -> Result<Run, SentinelError> {
    event.check()?;
    let (feeds, mut problems) = feeds(sentinel).await;
    let (mut run, mut looked_at) = (Run { sources: Vec::new() }, 0);
    for feed in &feeds {
        if stop.is_past() {
            problems.push(format!("{}: {}", feed.source, SourceError::OutOfTime));
            break;
        }
        let (seen, problems_of_source) = Box::pin(look(sentinel, feed, now, stop)).await;
        if let Some(seen) = seen {
            let told = Told::of(&feed.source, &seen, now);
            sentinel.config.metrics.emit(&BySource { source: &told.source }, &told.values());
            run.sources.push(told);
        }
        match problems_of_source.told(&feed.source) {
            Some(problem) => problems.push(problem),
            None => looked_at += 1,
        }
    }
    tracing::info!(looked_at, sources = feeds.len(), "sources were looked at");
    if problems.is_empty() && looked_at == feeds.len() {
        return Ok(run);
    }
    Err(SentinelError::Incomplete { looked_at, sources: feeds.len(), problems })
}
