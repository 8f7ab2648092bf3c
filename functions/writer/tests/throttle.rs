//! The budget of the throttle: its bounds, and how it reacts to load in a model of a database.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "seconds of a run, and small positive numbers"
)]

use std::time::Duration;

use penstock_pipeline::writer_state::{CongestionSignal, DatabaseLoad};
use penstock_writer::throttle::{BudgetController, BudgetLimits, Throttle};
use proptest::prelude::*;

const QUIET: DatabaseLoad = DatabaseLoad {
    active_sessions: 0,
    recent_sessions: 0,
    active_writers: 0,
    blocked_sessions: 0,
    replica_lag_seconds: None,
};

fn limits(max_rows_per_second: u64, min_rows_per_second: u64) -> BudgetLimits {
    BudgetLimits { max_rows_per_second, min_rows_per_second, busy_sessions: 4 }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Something that happens to a controller.
#[derive(Debug, Clone)]
enum Step {
    Committed(u64, u64),
    Quiet(DatabaseLoad),
    Load(DatabaseLoad),
}

fn any_load() -> impl Strategy<Value = DatabaseLoad> {
    (0..9u32, 0..3u32, 0..2u32, proptest::option::of(0.0..20.0)).prop_map(
        |(active_sessions, active_writers, blocked_sessions, replica_lag_seconds)| DatabaseLoad {
            active_sessions,
            recent_sessions: active_sessions,
            active_writers,
            blocked_sessions,
            replica_lag_seconds,
        },
    )
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..200_000u64, 0..20_000u64).prop_map(|(rows, ms)| Step::Committed(rows, ms)),
        any_load().prop_map(Step::Quiet),
        any_load().prop_map(Step::Load),
    ]
}

proptest! {
    #[test]
    fn the_budget_is_never_above_its_maximum_nor_below_its_minimum(
        max in prop_oneof![Just(0u64), 1..200_000u64],
        min in 0..50_000u64,
        steps in prop::collection::vec((any_step(), 0..60_000u64), 1..80),
    ) {
        let mut controller = BudgetController::new(limits(max, min), Duration::ZERO);
        let mut now = Duration::ZERO;
        for (step, ms) in steps {
            now += Duration::from_millis(ms);
            match step {
                Step::Committed(rows, ms) => controller.committed(now, "t", rows, Duration::from_millis(ms)),
                Step::Quiet(load) => controller.observe_quiet(load),
                Step::Load(load) => controller.decide(now, load),
            }
            let Some(budget) = controller.budget() else {
                prop_assert_eq!(max, 0, "only without a maximum there may be no limit");
                continue;
            };
            prop_assert!(budget.is_finite());
            prop_assert!(max == 0 || budget <= max as f64, "{} > {}", budget, max);
            let least = if max == 0 { min.max(1) } else { min.max(1).min(max) };
            prop_assert!(budget >= least as f64, "{} < {}", budget, least);
        }
    }

    #[test]
    fn congestion_halves_the_budget_once_per_transaction(
        rate in 1_000..200_000u64,
        measurements in 1..20usize,
    ) {
        let mut controller = BudgetController::new(limits(0, 1), Duration::ZERO);
        controller.committed(seconds(1.0), "t", rate, seconds(1.0));
        let congested = DatabaseLoad { blocked_sessions: 1, ..QUIET };
        for at in 0..measurements {
            controller.decide(seconds(3.0 * at as f64), congested);
        }
        prop_assert_eq!(controller.budget(), Some(rate as f64 / 2.0));
    }
}

#[test]
fn each_signal_alone_is_congestion_and_is_named() {
    let signals = [
        (DatabaseLoad { active_sessions: 5, ..QUIET }, CongestionSignal::ActiveSessions),
        (DatabaseLoad { blocked_sessions: 1, ..QUIET }, CongestionSignal::BlockedSessions),
        (DatabaseLoad { replica_lag_seconds: Some(10.5), ..QUIET }, CongestionSignal::ReplicaLag),
    ];
    for (load, signal) in signals {
        let mut controller = BudgetController::new(limits(0, 1_000), Duration::ZERO);
        controller.committed(seconds(1.0), "t", 40_000, seconds(0.4));
        controller.decide(seconds(1.0), load);
        assert_eq!(controller.congestion(), [signal]);
        assert_eq!(controller.budget(), Some(50_000.0));
    }
    let mut controller = BudgetController::new(limits(0, 1_000), Duration::ZERO);
    let acceptable = DatabaseLoad { active_sessions: 3, replica_lag_seconds: Some(10.0), ..QUIET };
    controller.committed(seconds(1.0), "t", 40_000, seconds(0.4));
    controller.decide(seconds(1.0), acceptable);
    assert_eq!((controller.budget(), controller.congestion()), (None, &[][..]));
}

/// Commits one transaction per second, and returns the congestion after the last one.
fn after(latencies_ms: impl IntoIterator<Item = u64>) -> Vec<CongestionSignal> {
    let mut controller = BudgetController::new(limits(0, 1_000), Duration::ZERO);
    for (at, ms) in latencies_ms.into_iter().enumerate() {
        let now = seconds(at as f64);
        controller.committed(now, "t", 40_000, Duration::from_millis(ms));
        controller.decide(now, QUIET);
    }
    controller.congestion().to_vec()
}

#[test]
fn transactions_that_take_twice_as_long_as_before_are_congestion_until_they_are_normal() {
    let slow = |count| std::iter::repeat_n(400, 30).chain(std::iter::repeat_n(1_600, count));
    assert_eq!(after(slow(1)), [], "a single one");
    assert_eq!(after(slow(6)), [CongestionSignal::TransactionLatency]);
    assert_eq!(after(slow(600)), [], "after ten minutes this is normal");
    assert_eq!(after(std::iter::repeat_n(1_600, 30)), [], "always");
}

#[test]
fn transactions_of_another_table_or_size_are_not_compared() {
    let mut controller = BudgetController::new(limits(0, 1_000), Duration::ZERO);
    for at in 0..60u32 {
        let now = seconds(f64::from(at));
        controller.committed(now, "narrow", 40_000, Duration::from_millis(400));
        controller.committed(now, "wide", 40_000, Duration::from_millis(4_000));
        controller.committed(now, "narrow", 200, Duration::from_millis(20));
        controller.decide(now, QUIET);
        assert_eq!(controller.congestion(), [], "{at}");
    }
}

#[test]
fn writers_count_as_active_sessions_only_while_others_are_active() {
    for (active_sessions, active_writers, is_congested) in
        [(0, 9, false), (1, 2, false), (1, 3, true), (3, 0, false), (4, 0, true)]
    {
        let mut controller = BudgetController::new(limits(0, 1_000), Duration::ZERO);
        controller.committed(seconds(1.0), "t", 40_000, seconds(0.4));
        controller.decide(seconds(1.0), DatabaseLoad { active_sessions, active_writers, ..QUIET });
        assert_eq!(
            !controller.congestion().is_empty(),
            is_congested,
            "{active_sessions} and {active_writers}"
        );
    }
}

#[test]
fn short_statements_of_others_count_although_none_is_active_when_it_is_measured() {
    let limits = BudgetLimits { busy_sessions: 2, ..limits(0, 1_000) };
    for (every, is_congested) in [(1, true), (10, false)] {
        let mut controller = BudgetController::new(limits, Duration::ZERO);
        let mut congested = 0;
        for at in 0..60u32 {
            controller.committed(seconds(f64::from(at)), "t", 40_000, Duration::from_millis(400));
            let recent_sessions = u32::from((at + 1) % every == 0);
            controller
                .decide(seconds(f64::from(at)), DatabaseLoad { recent_sessions, active_writers: 1, ..QUIET });
            congested += u32::from(!controller.congestion().is_empty());
        }
        assert_eq!(congested, if is_congested { 60 } else { 0 }, "every {every} measurements");
    }
}

#[test]
fn sessions_that_are_as_active_in_a_pause_are_not_caused_by_the_writer() {
    let busy = DatabaseLoad { active_sessions: 3, ..QUIET };
    for (quiet, is_congested) in [(busy, false), (QUIET, true)] {
        let mut controller = BudgetController::new(limits(0, 1_000), Duration::ZERO);
        for at in 0..20u32 {
            controller.observe_quiet(quiet);
            controller.committed(seconds(f64::from(at)), "t", 40_000, Duration::from_millis(400));
            controller.decide(seconds(f64::from(at)), busy);
        }
        assert_eq!(!controller.congestion().is_empty(), is_congested);
    }
}

/// A database with cores, on which writers and other sessions compete. Others arrive at a constant rate, and their
/// number in the server follows from the time that each takes.
struct Model {
    cores: f64,
    /// The cores that others use while they are alone.
    others: f64,
    /// Rows per second of a writer that has a core to itself.
    rows_per_core: f64,
}

impl Model {
    /// The factor by which everything takes longer while `writers` transactions run.
    fn slowdown(&self, writers: f64) -> f64 {
        ((self.others + writers) / self.cores).max(1.0)
    }

    /// The active sessions of others: their use of cores times the slowdown, which grows further where nothing is left.
    fn active(&self, writers: f64) -> u32 {
        let used = (self.others + writers) / self.cores;
        let queue = if used >= 1.0 { 1.0 / (1.0 - (self.others / self.cores).min(0.9)) } else { 1.0 };
        (self.others * self.slowdown(writers) * queue).round() as u32
    }
}

/// What one writer of a run did in each second.
struct Run {
    rows_per_second: Vec<f64>,
    budgets: Vec<Option<u64>>,
}

impl Run {
    fn mean_rate(&self, from_s: usize, to_s: usize) -> f64 {
        self.rows_per_second[from_s..to_s].iter().sum::<f64>() / (to_s - from_s) as f64
    }
}

const CHUNK_ROWS: u64 = 40_000;

/// Runs two writers, of which one is observed, with `others_at(second)` cores used by others.
fn run(throttle: &mut Throttle, total_s: u64, others_at: impl Fn(u64) -> f64) -> Run {
    let total = Duration::from_secs(total_s);
    let mut run = Run { rows_per_second: vec![0.0; total_s as usize], budgets: vec![None; total_s as usize] };
    let (mut now, mut other_writer) = (Duration::ZERO, 0.0);
    loop {
        now += throttle.delay(now);
        if now >= total {
            return run;
        }
        let model =
            |at: Duration| Model { cores: 2.0, others: others_at(at.as_secs()), rows_per_core: 100_000.0 };
        if throttle.needs_quiet_load(now) {
            throttle.observe_quiet(now, DatabaseLoad { active_sessions: model(now).active(0.0), ..QUIET });
        }
        // The other writer has the same budget: it works for the same share of the time.
        let full = model(now).rows_per_core;
        let share = throttle.budget().map_or(1.0, |budget| (budget as f64 / full).min(1.0));
        let rate = full / model(now).slowdown(1.0 + share);
        let took = seconds(CHUNK_ROWS as f64 / rate);
        throttle.spend(now, "t", CHUNK_ROWS, took);
        let began = now;
        now += took;
        if throttle.needs_load(now) {
            let active_sessions = model(now).active(1.0 + share);
            // Found at work in this share of the measurements.
            other_writer += share;
            let active_writers = u32::from(other_writer >= 1.0);
            other_writer -= f64::from(active_writers);
            let recent_sessions = active_sessions.max(u32::from(others_at(now.as_secs()) > 0.0));
            throttle.decide(now, DatabaseLoad { active_sessions, recent_sessions, active_writers, ..QUIET });
        }
        if let Some(rows) = run.rows_per_second.get_mut(began.as_secs() as usize) {
            *rows += CHUNK_ROWS as f64;
        }
        for second in began.as_secs()..total_s {
            run.budgets[second as usize] = throttle.budget();
        }
    }
}

#[test]
fn without_other_load_there_is_no_limit() {
    let mut throttle = Throttle::adaptive(limits(0, 2_000));
    let run = run(&mut throttle, 120, |_| 0.0);
    assert!(run.budgets.iter().all(Option::is_none));
    assert!(run.mean_rate(0, 120) > 95_000.0, "{}", run.mean_rate(0, 120));
}

#[test]
fn load_that_the_writers_do_not_disturb_does_not_limit_them() {
    let mut throttle = Throttle::adaptive(limits(0, 2_000));
    // A fifth of a core: nobody waits for one.
    let run = run(&mut throttle, 120, |_| 0.2);
    assert!(run.mean_rate(0, 120) > 80_000.0, "{}", run.mean_rate(0, 120));
}

#[test]
fn the_writers_give_way_within_seconds_and_recover_within_two_minutes() {
    let mut throttle = Throttle::adaptive(limits(0, 2_000));
    let run = run(&mut throttle, 600, |second| if (120..300).contains(&second) { 1.6 } else { 0.0 });
    assert!(run.mean_rate(0, 120) > 95_000.0, "before: {}", run.mean_rate(0, 120));
    assert!(run.mean_rate(150, 300) < 15_000.0, "under load: {}", run.mean_rate(150, 300));
    assert!(run.mean_rate(150, 300) >= 1_900.0, "the minimum: {}", run.mean_rate(150, 300));
    assert!(run.mean_rate(420, 600) > 90_000.0, "after: {}", run.mean_rate(420, 600));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_budget_settles_between_bounds_under_constant_load(
        others in 0.0..3.0f64,
        max in prop_oneof![Just(0u64), 5_000..150_000u64],
    ) {
        let mut throttle = Throttle::adaptive(limits(max, 2_000));
        let run = run(&mut throttle, 900, |_| others);
        let rate = |from, to| run.mean_rate(from, to);
        // Whatever the load, two periods of five minutes have rates of the same magnitude.
        let (earlier, later) = (rate(300, 600), rate(600, 900));
        prop_assert!(later >= 1_500.0 && earlier >= 1_500.0, "{earlier} {later}");
        prop_assert!(earlier <= later * 2.0 && later <= earlier * 2.0, "{earlier} {later}");
        if max > 0 {
            prop_assert!(rate(0, 900) <= max as f64 + CHUNK_ROWS as f64 / 900.0);
        }
    }

    #[test]
    fn the_budget_recovers_from_any_load(others in 0.5..6.0f64, until in 30..300u64) {
        let mut throttle = Throttle::adaptive(limits(0, 2_000));
        let run = run(&mut throttle, until + 240, |second| if second < until { others } else { 0.0 });
        let after = run.mean_rate(until as usize + 180, until as usize + 240);
        prop_assert!(after > 80_000.0, "{after}");
    }
}
