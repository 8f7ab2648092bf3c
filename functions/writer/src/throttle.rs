//! The limit of rows per second: spaces transactions by a budget that follows the load of the database.

mod baseline;
mod controller;

use std::time::Duration;

use penstock_pipeline::writer_state::{CongestionSignal, DatabaseLoad};

pub use self::controller::{BudgetController, BudgetLimits};

/// The least time between two measurements of the database's load.
const MEASURE_EVERY: Duration = Duration::from_secs(3);
/// The load is measured in a pause of the writer at least as often as this; without a pause, one is made.
const PAUSE_EVERY: Duration = Duration::from_secs(30);
/// The time after a transaction from which the sessions that it delayed have continued.
const PAUSE: Duration = Duration::from_millis(250);

/// Spaces transactions so that they load at most the budget of rows per second, regardless of their sizes.
///
/// The clock is passed in, as the time since a fixed moment. A transaction of n rows delays the next one by n / budget
/// seconds. Unused time does not accumulate, so there is no burst after a pause.
#[derive(Debug, Clone)]
pub struct Throttle {
    policy: BudgetPolicy,
    free_at: Duration,
    last_commit: Option<Duration>,
    last_pause: Option<Duration>,
    last_decision: Option<Duration>,
    load: Option<DatabaseLoad>,
}

/// The origin of the budget.
#[derive(Debug, Clone)]
enum BudgetPolicy {
    /// Rows per second; 0 is no limit.
    Fixed(u64),
    Adaptive(BudgetController, BudgetLimits),
}

impl Throttle {
    /// Returns a throttle with this budget; 0 is no limit.
    pub fn fixed(rows_per_second: u64) -> Self {
        Self::new(BudgetPolicy::Fixed(rows_per_second))
    }

    /// Returns a throttle whose budget follows the load of the database.
    pub fn adaptive(limits: BudgetLimits) -> Self {
        Self::new(BudgetPolicy::Adaptive(BudgetController::new(limits, Duration::ZERO), limits))
    }

    fn new(policy: BudgetPolicy) -> Self {
        Self {
            policy,
            free_at: Duration::ZERO,
            last_commit: None,
            last_pause: None,
            last_decision: None,
            load: None,
        }
    }

    /// Returns the time that the next transaction must wait.
    pub fn delay(&self, now: Duration) -> Duration {
        let delay = self.free_at.saturating_sub(now);
        if !self.needs_pause(now) {
            return delay;
        }
        let end_of_pause = self.last_commit.map_or(Duration::ZERO, |commit| commit + PAUSE);
        delay.max(end_of_pause.saturating_sub(now))
    }

    /// Returns whether the load is to be measured before the next transaction, in a pause of the writer.
    pub fn needs_quiet_load(&self, now: Duration) -> bool {
        let is_paused = self.last_commit.is_none_or(|commit| now.saturating_sub(commit) >= PAUSE);
        let is_due = self.last_pause.is_none_or(|pause| now.saturating_sub(pause) >= MEASURE_EVERY);
        self.is_adaptive() && is_paused && is_due
    }

    /// Returns whether the load is to be measured after a transaction.
    pub fn needs_load(&self, now: Duration) -> bool {
        let is_due = self.last_decision.is_none_or(|decision| now.saturating_sub(decision) >= MEASURE_EVERY);
        self.is_adaptive() && is_due
    }

    /// Records the load in a pause of the writer.
    pub fn observe_quiet(&mut self, now: Duration, load: DatabaseLoad) {
        self.last_pause = Some(now);
        if let BudgetPolicy::Adaptive(controller, _) = &mut self.policy {
            controller.observe_quiet(load);
        }
    }

    /// Adapts the budget to the load after a transaction.
    pub fn decide(&mut self, now: Duration, load: DatabaseLoad) {
        self.last_decision = Some(now);
        self.load = Some(load);
        if let BudgetPolicy::Adaptive(controller, _) = &mut self.policy {
            controller.decide(now, load);
        }
    }

    /// Records a transaction of `rows` into `table` that began at `began` and took `took`.
    pub fn spend(&mut self, began: Duration, table: &str, rows: u64, took: Duration) {
        self.last_commit = Some(began.saturating_add(took));
        if let BudgetPolicy::Adaptive(controller, _) = &mut self.policy
            && rows > 0
        {
            controller.committed(began.saturating_add(took), table, rows, took);
        }
        let Some(budget) = self.budget() else { return };
        let (seconds, rest) = (rows / budget, rows % budget);
        let nanos = u128::from(rest) * 1_000_000_000 / u128::from(budget);
        let nanos = u32::try_from(nanos).expect("the rest takes less than a second");
        let cost = Duration::new(seconds, nanos);
        self.free_at = self.free_at.max(began).saturating_add(cost);
    }

    /// Returns the budget in rows per second; `None` is no limit.
    pub fn budget(&self) -> Option<u64> {
        match &self.policy {
            BudgetPolicy::Fixed(0) => None,
            BudgetPolicy::Fixed(rows_per_second) => Some(*rows_per_second),
            BudgetPolicy::Adaptive(controller, _) => controller.budget().map(|budget| whole(budget).max(1)),
        }
    }

    /// Returns the maximum and the minimum of the budget, if they are limited.
    pub fn bounds(&self) -> (Option<u64>, Option<u64>) {
        match &self.policy {
            BudgetPolicy::Fixed(max) => ((*max > 0).then_some(*max), None),
            BudgetPolicy::Adaptive(_, limits) => {
                let max = limits.max_rows_per_second;
                ((max > 0).then_some(max), Some(limits.min_rows_per_second))
            }
        }
    }

    /// Returns the rows per second of the latest transactions, without the time between them.
    /// `None` before the first transaction, and if the budget is fixed.
    pub fn full_rate(&self) -> Option<u64> {
        match &self.policy {
            BudgetPolicy::Fixed(_) => None,
            BudgetPolicy::Adaptive(controller, _) => self.last_commit.map(|_| whole(controller.full_rate())),
        }
    }

    /// Returns the signals of congestion of the last decision.
    pub fn congestion(&self) -> &[CongestionSignal] {
        match &self.policy {
            BudgetPolicy::Fixed(_) => &[],
            BudgetPolicy::Adaptive(controller, _) => controller.congestion(),
        }
    }

    /// Returns the load of the last decision.
    pub fn load(&self) -> Option<DatabaseLoad> {
        self.load
    }

    fn is_adaptive(&self) -> bool {
        match self.policy {
            BudgetPolicy::Fixed(_) => false,
            BudgetPolicy::Adaptive(..) => true,
        }
    }

    fn needs_pause(&self, now: Duration) -> bool {
        self.is_adaptive() && self.last_pause.is_none_or(|pause| now.saturating_sub(pause) >= PAUSE_EVERY)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a rate is not negative; `as` saturates"
)]
fn whole(rate: f64) -> u64 {
    rate as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn spend(throttle: &mut Throttle, now: Duration, rows: u64) {
        throttle.spend(now, "t", rows, ms(0));
    }

    fn load(active_sessions: u32) -> DatabaseLoad {
        DatabaseLoad {
            active_sessions,
            recent_sessions: active_sessions,
            active_writers: 0,
            blocked_sessions: 0,
            replica_lag_seconds: None,
        }
    }

    fn adaptive() -> Throttle {
        let limits = BudgetLimits { max_rows_per_second: 0, min_rows_per_second: 1_000, busy_sessions: 4 };
        Throttle::adaptive(limits)
    }

    #[test]
    fn the_rate_is_respected_over_transactions_of_any_size() {
        let mut throttle = Throttle::fixed(1_000);
        let mut now = ms(500);
        let start = now;
        let mut rows = 0;
        for size in [1, 999, 5_000, 10, 10, 2_980] {
            now += throttle.delay(now);
            spend(&mut throttle, now, size);
            rows += size;
        }
        now += throttle.delay(now);
        assert_eq!(now - start, ms(rows));
    }

    #[test]
    fn time_of_a_pause_does_not_accumulate() {
        let mut throttle = Throttle::fixed(100);
        spend(&mut throttle, ms(0), 100);
        assert_eq!(throttle.delay(ms(400)), ms(600));
        spend(&mut throttle, ms(60_000), 50);
        assert_eq!(throttle.delay(ms(60_000)), ms(500));
    }

    #[test]
    fn without_a_limit_there_is_no_delay() {
        let mut throttle = Throttle::fixed(0);
        spend(&mut throttle, ms(0), u64::MAX);
        assert_eq!(throttle.delay(ms(0)), Duration::ZERO);
    }

    #[test]
    fn extreme_counts_do_not_overflow() {
        for mut throttle in [Throttle::fixed(1), adaptive()] {
            spend(&mut throttle, ms(0), u64::MAX);
            throttle.decide(ms(0), load(9));
            spend(&mut throttle, ms(0), u64::MAX);
            spend(&mut throttle, ms(0), u64::MAX);
            assert!(throttle.delay(ms(0)) > ms(1_000_000));
        }
    }

    #[test]
    fn a_writer_that_is_never_idle_pauses_for_a_measurement_every_30_seconds() {
        let mut throttle = adaptive();
        assert!(throttle.needs_quiet_load(ms(0)), "before the first transaction");
        throttle.observe_quiet(ms(0), load(0));
        let (mut now, mut pauses) = (ms(0), Vec::new());
        while now < ms(70_000) {
            let delay = throttle.delay(now);
            now += delay;
            if throttle.needs_quiet_load(now) {
                throttle.observe_quiet(now, load(0));
                pauses.push(delay);
            }
            throttle.spend(now, "t", 40_000, ms(400));
            now += ms(400);
        }
        assert_eq!(pauses, [PAUSE, PAUSE]);
    }

    #[test]
    fn the_load_is_measured_at_most_every_few_seconds() {
        let mut throttle = adaptive();
        assert!(throttle.needs_load(ms(0)));
        throttle.decide(ms(0), load(0));
        assert!(!throttle.needs_load(ms(2_999)));
        assert!(throttle.needs_load(ms(3_000)));
        let fixed = Throttle::fixed(5);
        assert!(!fixed.needs_load(ms(9_000)) && !fixed.needs_quiet_load(ms(9_000)));
    }

    #[test]
    fn congestion_delays_the_next_transaction() {
        let mut throttle = adaptive();
        throttle.spend(ms(0), "t", 40_000, ms(400));
        assert_eq!(throttle.delay(ms(400)), PAUSE.saturating_sub(ms(0)));
        throttle.decide(ms(400), load(9));
        assert_eq!(throttle.budget(), Some(50_000));
        throttle.spend(ms(650), "t", 40_000, ms(400));
        assert_eq!(
            throttle.delay(ms(1_050)),
            ms(400),
            "0.8 s for 40,000 rows, of which the transaction took half"
        );
    }
}
