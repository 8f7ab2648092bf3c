//! The throttle around a transaction: waiting, and measuring the load of the database before and after.

use std::time::Duration;

use penstock_aws::telemetry::Metrics;
use penstock_pipeline::log_events;
use penstock_pipeline::metrics::{BUDGET_ROWS_PER_SECOND, BySource, CONGESTED, THROTTLE_WAIT_SECONDS};

use crate::database::TargetDatabase;
use crate::error::LoadError;
use crate::throttle::Throttle;

/// Measures the load while the writer pauses, if the throttle needs it. `now` is the time of the throttle's clock.
///
/// # Errors
/// Returns an error if the session is lost, since the transaction would fail, too.
pub(crate) async fn before_transaction(
    throttle: &mut Throttle,
    database: &mut impl TargetDatabase,
    now: Duration,
) -> Result<(), LoadError> {
    if !throttle.needs_quiet_load(now) {
        return Ok(());
    }
    match database.measure_load().await {
        Ok(load) => throttle.observe_quiet(now, load),
        Err(error) if error.is_transient() => return Err(error),
        Err(error) => not_measured(&error),
    }
    Ok(())
}

/// A transaction that was committed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CommittedTransaction<'a> {
    pub(crate) source: &'a str,
    pub(crate) table: &'a str,
    pub(crate) rows: u64,
    pub(crate) waited: Duration,
    /// The time of the throttle's clock.
    pub(crate) began: Duration,
    pub(crate) took: Duration,
}

/// Records a transaction, adapts the budget if a measurement is due, and emits the metrics of both.
pub(crate) async fn after_transaction(
    throttle: &mut Throttle,
    database: &mut impl TargetDatabase,
    metrics: &Metrics,
    transaction: CommittedTransaction<'_>,
) {
    let CommittedTransaction { source, table, rows, waited, began, took } = transaction;
    throttle.spend(began, table, rows, took);
    let now = began.saturating_add(took);
    let dimensions = BySource { source };
    let mut values = vec![THROTTLE_WAIT_SECONDS.value(waited.as_secs_f64())];
    if throttle.needs_load(now) {
        match database.measure_load().await {
            Ok(load) => {
                let before = throttle.budget();
                throttle.decide(now, load);
                log_change(throttle, before);
                values.push(CONGESTED.count(u64::from(!throttle.congestion().is_empty())));
            }
            Err(error) => not_measured(&error),
        }
    }
    values.extend(throttle.budget().map(|budget| BUDGET_ROWS_PER_SECOND.count(budget)));
    metrics.emit(&dimensions, &values);
}

fn log_change(throttle: &Throttle, before: Option<u64>) {
    let after = throttle.budget();
    if before == after {
        return;
    }
    let signals: Vec<&str> = throttle.congestion().iter().map(|signal| signal.as_str()).collect();
    tracing::info!(
        budget_rows_per_second = after,
        before = before,
        congestion = signals.join(", "),
        "{}",
        log_events::BUDGET_CHANGED
    );
}

fn not_measured(error: &LoadError) {
    tracing::warn!(%error, "the load of the database was not measured");
}
