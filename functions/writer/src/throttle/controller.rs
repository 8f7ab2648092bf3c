//! The budget of rows per second: additive increase, multiplicative decrease.
//!
//! The controller has no clock and no connection: times and measurements are passed in. A decision is made with each
//! measurement of the database's load. Congestion halves the budget; without congestion it grows by a fixed share of the
//! full rate per second, until the limit is removed or the configured maximum is reached.

use std::time::Duration;

use penstock_pipeline::writer_state::{CongestionSignal, DatabaseLoad};

use super::baseline::{LatencyBaselines, SessionBaseline, as_float};

/// The factor of a decrease.
const DECREASE: f64 = 0.5;
/// The increase per second, as a share of the full rate: from the minimum to the full rate in a minute.
const INCREASE_PER_SECOND: f64 = 1.0 / 60.0;
/// The longest time for which one decision increases the budget. A decision after a longer time says nothing about the
/// load in between.
const MAX_INCREASE_TIME: Duration = Duration::from_secs(10);
/// The limit is removed when the budget exceeds what transactions reach without a limit, by this factor.
const NO_EFFECT: f64 = 1.25;
/// A replica is congested when it is behind by more seconds than this.
const MAX_REPLICA_LAG_SECONDS: f64 = 10.0;
/// The weight of earlier transactions in the full rate.
const RATE_MEMORY: f64 = 0.8;

/// The bounds of the budget and the operator's limit of active sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BudgetLimits {
    /// The maximum budget in rows per second; 0 is no limit.
    pub max_rows_per_second: u64,
    /// The minimum budget in rows per second. At most the maximum is used.
    pub min_rows_per_second: u64,
    /// The number of active sessions, including those of writers, above which they delay one another: the number of
    /// vCPUs of the database. It matters only while others are active.
    pub busy_sessions: u32,
}

/// Controls the budget of one writer.
#[derive(Debug, Clone)]
pub struct BudgetController {
    limits: BudgetLimits,
    /// The budget; `None` while there is no limit below the maximum.
    budget: Option<f64>,
    latencies: LatencyBaselines,
    sessions: SessionBaseline,
    /// Decaying sums of rows and seconds of transactions.
    rows: f64,
    seconds: f64,
    decided_at: Duration,
    /// Whether a transaction has been committed under the present budget.
    has_been_tested: bool,
    congestion: Vec<CongestionSignal>,
}

impl BudgetController {
    /// Returns a controller without a limit below the maximum. `now` is the time since a fixed moment, as in all
    /// methods.
    pub fn new(limits: BudgetLimits, now: Duration) -> Self {
        Self {
            limits,
            budget: None,
            latencies: LatencyBaselines::default(),
            sessions: SessionBaseline::default(),
            rows: 0.0,
            seconds: 0.0,
            decided_at: now,
            has_been_tested: false,
            congestion: Vec::new(),
        }
    }

    /// Returns the budget in rows per second; `None` is no limit.
    pub fn budget(&self) -> Option<f64> {
        let max = self.max();
        self.budget.map_or(max, |budget| Some(max.map_or(budget, |max| budget.min(max))))
    }

    /// Returns the rows per second of the latest transactions, without the time between them; 0 before the first one.
    pub fn full_rate(&self) -> f64 {
        if self.seconds > 0.0 { self.rows / self.seconds } else { 0.0 }
    }

    /// Returns the signals of congestion of the last decision.
    pub fn congestion(&self) -> &[CongestionSignal] {
        &self.congestion
    }

    /// Records a committed transaction on a table.
    pub fn committed(&mut self, now: Duration, table: &str, rows: u64, took: Duration) {
        self.latencies.record(now, table, rows, took);
        self.has_been_tested = true;
        self.rows = self.rows * RATE_MEMORY + as_float(rows);
        self.seconds = self.seconds * RATE_MEMORY + took.as_secs_f64();
    }

    /// Records the load while the writer pauses, to compare with the load while it works. Decides nothing.
    pub fn observe_quiet(&mut self, load: DatabaseLoad) {
        self.sessions.record_quiet(load.active_sessions);
    }

    /// Decides by the load at the end of a transaction.
    pub fn decide(&mut self, now: Duration, load: DatabaseLoad) {
        let DatabaseLoad { active_sessions, recent_sessions, .. } = load;
        self.sessions.record_working(active_sessions, recent_sessions, self.limits.busy_sessions);
        self.congestion = self.signals(load);
        let elapsed = now.saturating_sub(self.decided_at).min(MAX_INCREASE_TIME);
        self.decided_at = now;
        if self.congestion.is_empty() {
            self.increase(elapsed);
        } else if self.has_been_tested {
            self.decrease();
            self.has_been_tested = false;
        }
    }

    fn signals(&self, load: DatabaseLoad) -> Vec<CongestionSignal> {
        let lags = load.replica_lag_seconds.is_some_and(|seconds| seconds > MAX_REPLICA_LAG_SECONDS);
        let signals = [
            (CongestionSignal::TransactionLatency, self.latencies.is_congested()),
            (
                CongestionSignal::ActiveSessions,
                self.sessions.is_congested(load.active_writers, self.limits.busy_sessions),
            ),
            (CongestionSignal::BlockedSessions, load.blocked_sessions > 0),
            (CongestionSignal::ReplicaLag, lags),
        ];
        signals.into_iter().filter(|(_, is_congested)| *is_congested).map(|(signal, _)| signal).collect()
    }

    fn increase(&mut self, elapsed: Duration) {
        let Some(budget) = self.budget else { return };
        let full = self.max().unwrap_or_else(|| self.full_rate());
        let increased = budget + full * INCREASE_PER_SECOND * elapsed.as_secs_f64();
        let is_at_max = self.max().is_some_and(|max| increased >= max);
        let has_no_effect = increased >= self.full_rate() * NO_EFFECT;
        self.budget = (!is_at_max && !has_no_effect).then_some(increased);
    }

    /// Halves the smaller of the budget and the rate that transactions reach: a budget above it has no effect.
    fn decrease(&mut self) {
        let full = self.full_rate();
        let budget = self.budget().map_or(full, |budget| budget.min(full));
        self.budget = Some((budget * DECREASE).max(self.min()));
    }

    fn max(&self) -> Option<f64> {
        (self.limits.max_rows_per_second > 0).then(|| as_float(self.limits.max_rows_per_second))
    }

    fn min(&self) -> f64 {
        let min = as_float(self.limits.min_rows_per_second.max(1));
        self.max().map_or(min, |max| min.min(max))
    }
}
