//! The status of a source, as part of the response and as metrics.

use jiff::Timestamp;
use penstock_pipeline::metrics::{
    BySource, LATE, MISSED_DROPS, MetricValue, SECONDS_SINCE_DROP, STUCK_BATCHES,
};
use serde::Serialize;

use crate::drop_status::age;

/// The status of a source.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct SourceStatus {
    /// The time at which its newest drop was created; `None` if there is none.
    pub newest: Option<Timestamp>,
    /// Whether it is late; `None` if its contract cannot be read.
    pub is_late: Option<bool>,
    /// Number of missed drops.
    pub missed: u32,
    /// Number of stuck batches.
    pub stuck: u32,
}

/// The status of a source in the response of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceSummary {
    /// The source.
    pub source: String,
    /// Whether it is late; `None` if its contract cannot be read.
    pub late: Option<bool>,
    /// Seconds since its newest drop; `None` if there is none.
    pub seconds_since_drop: Option<f64>,
    /// Number of missed drops.
    pub missed_drops: u32,
    /// Number of stuck batches.
    pub stuck_batches: u32,
}

impl SourceSummary {
    /// Returns the summary of a status at the time `now`.
    pub fn new(source: &str, status: &SourceStatus, now: Timestamp) -> Self {
        Self {
            source: source.to_owned(),
            late: status.is_late,
            seconds_since_drop: status.newest.map(|newest| age(newest, now).as_secs_f64()),
            missed_drops: status.missed,
            stuck_batches: status.stuck,
        }
    }

    /// Returns the metrics. Unknown values are omitted.
    pub fn metrics(&self) -> Vec<MetricValue<BySource<'static>>> {
        let late = self.late.map(|late| LATE.count(u64::from(late)));
        let since_drop = self.seconds_since_drop.map(|since| SECONDS_SINCE_DROP.value(since));
        let counts = [
            MISSED_DROPS.count(u64::from(self.missed_drops)),
            STUCK_BATCHES.count(u64::from(self.stuck_batches)),
        ];
        late.into_iter().chain(since_drop).chain(counts).collect()
    }
}
