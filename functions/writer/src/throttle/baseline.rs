//! What is normal: the latency per row of each table, and the number of active sessions while the writer pauses.

use std::collections::BTreeMap;
use std::time::Duration;

/// A transaction costs about as much as this many rows, in addition to its rows.
const ROWS_OF_A_TRANSACTION: f64 = 2_000.0;
/// The time in which a baseline approaches a higher latency. A new normal (another mix of rows, a larger index) is not
/// congestion for longer than this.
const RISE_SECONDS: f64 = 300.0;
/// The share by which a baseline approaches a lower latency with each transaction.
const FALL: f64 = 0.25;
/// The weight of the newest transaction or measurement.
const NEWEST: f64 = 0.3;
/// Latency is congested above this multiple of the baseline.
const LATENCY_RATIO: f64 = 2.0;
/// The transactions of a table before its latency is compared.
const MIN_TRANSACTIONS: u32 = 5;
/// From this average of recent sessions on, others need the database. They count as at least as many active ones: a
/// measurement finds few of many short statements. A query every ten seconds has a lower average.
const MIN_RECENT: f64 = 0.5;
/// Active sessions are congested above this multiple of those in a pause …
const SESSIONS_RATIO: f64 = 1.5;
/// … plus this number: single sessions that happen to be active are not congestion.
const SESSIONS_MARGIN: f64 = 0.75;
/// The maximum number of tables. A writer that loads more forgets all of them at once.
const MAX_TABLES: usize = 256;

/// The latency per row of each table.
#[derive(Debug, Clone, Default)]
pub(super) struct LatencyBaselines {
    tables: BTreeMap<String, TableLatency>,
    is_congested: bool,
}

#[derive(Debug, Clone, Copy)]
struct TableLatency {
    transactions: u32,
    recent: f64,
    baseline: f64,
    recorded_at: Duration,
}

impl LatencyBaselines {
    pub(super) fn record(&mut self, now: Duration, table: &str, rows: u64, took: Duration) {
        let latency = took.as_secs_f64() / (as_float(rows) + ROWS_OF_A_TRANSACTION);
        if self.tables.len() >= MAX_TABLES && !self.tables.contains_key(table) {
            self.tables.clear();
        }
        let first = TableLatency { transactions: 0, recent: latency, baseline: latency, recorded_at: now };
        let known = self.tables.entry(table.to_owned()).or_insert(first);
        let elapsed = now.saturating_sub(known.recorded_at).as_secs_f64();
        known.recorded_at = now;
        known.transactions = known.transactions.saturating_add(1);
        known.recent += NEWEST * (latency - known.recent);
        let share = if latency < known.baseline { FALL } else { 1.0 - (-elapsed / RISE_SECONDS).exp() };
        known.baseline += share * (latency - known.baseline);
        self.is_congested =
            known.transactions >= MIN_TRANSACTIONS && known.recent > LATENCY_RATIO * known.baseline;
    }

    /// Returns whether the table of the latest transaction is slower than normal.
    pub(super) fn is_congested(&self) -> bool {
        self.is_congested
    }
}

/// The active sessions of others while the writer pauses, and at the end of its transactions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SessionBaseline {
    quiet: Option<f64>,
    working: Option<f64>,
    recent: Option<f64>,
}

impl SessionBaseline {
    pub(super) fn record_quiet(&mut self, active: u32) {
        self.quiet = Some(average(self.quiet, f64::from(active)));
    }

    /// A measurement counts up to twice the limit: after a peak, the average is below the limit within a few.
    pub(super) fn record_working(&mut self, active: u32, recent: u32, busy_sessions: u32) {
        self.recent = Some(average(self.recent, f64::from(recent.max(active).min(1))));
        let most =
            self.in_pause().map_or(f64::from(busy_sessions), |in_pause| in_pause.min(busy_sessions.into()));
        self.working = Some(average(self.working, f64::from(active).min(2.0 * most)));
    }

    /// Returns whether others need the database, and together with this writer and `active_writers` more than the operator's
    /// limit; or more of them than in a pause.
    pub(super) fn is_congested(&self, active_writers: u32, busy_sessions: u32) -> bool {
        let Some(working) = self.working else { return false };
        let all = working.max(MIN_RECENT) + 1.0 + f64::from(active_writers);
        let is_needed = self.recent.is_some_and(|recent| recent >= MIN_RECENT);
        let is_busy = is_needed && all > f64::from(busy_sessions);
        is_busy || self.in_pause().is_some_and(|in_pause| working > in_pause)
    }

    /// Returns the number of sessions that may be active although the writer works, by those in its pauses.
    fn in_pause(&self) -> Option<f64> {
        self.quiet.map(|quiet| quiet * SESSIONS_RATIO + SESSIONS_MARGIN)
    }
}

fn average(known: Option<f64>, newest: f64) -> f64 {
    known.map_or(newest, |known| known + NEWEST * (newest - known))
}

#[expect(clippy::cast_precision_loss, reason = "a rate does not need more than 53 bits")]
pub(super) fn as_float(count: u64) -> f64 {
    count as f64
}
