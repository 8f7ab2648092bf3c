//! Which tables a writer leaves alone for a while, so that a locked or slow table of one source does not stop the others.
//!
//! This module has neither a clock nor random numbers: both are passed in, the time as the duration since a fixed
//! moment.

use std::collections::HashMap;
use std::time::Duration;

use penstock_contract::TableName;

/// The delay after the first lock timeout. It doubles with each further one.
const FIRST_DELAY: Duration = Duration::from_secs(2);
/// The longest delay: a table is loaded again soon after it has been unlocked.
const MAX_DELAY: Duration = Duration::from_secs(24);
/// The longest delay while another writer loads a slow table.
const BUSY_DELAY: Duration = Duration::from_secs(4);
/// A transaction that takes longer, and has fewer rows per second than [`SLOW_ROWS_PER_SECOND`], is slow.
const SLOW_TRANSACTION: Duration = Duration::from_secs(5);
const SLOW_ROWS_PER_SECOND: u64 = 2_000;

/// The tables with recent lock timeouts or slow transactions.
#[derive(Debug, Clone, Default)]
pub struct TableGate(HashMap<TableName, TableHistory>);

/// What is known about a table.
#[derive(Debug, Clone, Default)]
struct TableHistory {
    /// Lock timeouts since the last success.
    lock_timeouts: u32,
    closed_until: Duration,
    is_slow: bool,
}

impl TableGate {
    /// Returns the time for which the table is left alone, or `None` if it may be loaded.
    pub fn remaining(&self, table: &TableName, now: Duration) -> Option<Duration> {
        let history = self.0.get(table)?;
        (history.closed_until > now).then(|| history.closed_until.saturating_sub(now))
    }

    /// Returns whether only one writer at a time may load the table.
    pub fn is_slow(&self, table: &TableName) -> bool {
        self.0.get(table).is_some_and(|history| history.is_slow)
    }

    /// Returns whether the last attempt to lock the table has timed out.
    pub fn has_timed_out(&self, table: &TableName) -> bool {
        self.0.get(table).is_some_and(|history| history.lock_timeouts > 0)
    }

    /// Returns whether the table should be loaded after the others, because it may take long or time out.
    pub fn is_doubtful(&self, table: &TableName) -> bool {
        self.is_slow(table) || self.has_timed_out(table)
    }

    /// Records a lock timeout or a deadlock, and returns the delay for which the table is left alone: it doubles each
    /// time, and `entropy` selects a value from its upper half.
    pub fn locked(&mut self, table: &TableName, now: Duration, entropy: u64) -> Duration {
        let history = self.0.entry(table.clone()).or_default();
        let doublings = history.lock_timeouts.min(10);
        history.lock_timeouts = history.lock_timeouts.saturating_add(1);
        let longest = FIRST_DELAY.saturating_mul(1 << doublings).min(MAX_DELAY);
        history.close(now, longest, entropy)
    }

    /// Records that another writer is loading the slow table, and returns the delay for which it is left alone.
    pub fn busy(&mut self, table: &TableName, now: Duration, entropy: u64) -> Duration {
        self.0.entry(table.clone()).or_default().close(now, BUSY_DELAY, entropy)
    }

    /// Records that a transaction and the close of its batches did not wait too long for a lock.
    pub fn unlocked(&mut self, table: &TableName) {
        let Some(history) = self.0.get_mut(table) else { return };
        *history = TableHistory { is_slow: history.is_slow, ..TableHistory::default() };
        if !history.is_slow {
            self.0.remove(table);
        }
    }

    /// Records the duration of a transaction, with 0 rows if it did not end. A quick one without rows says nothing about
    /// the table.
    pub fn measured(&mut self, table: &TableName, rows: u64, took: Duration) {
        let is_long = took > SLOW_TRANSACTION;
        if !is_long && (rows == 0 || !self.0.contains_key(table)) {
            return;
        }
        let least_rows = u128::from(SLOW_ROWS_PER_SECOND) * took.as_millis() / 1_000;
        let history = self.0.entry(table.clone()).or_default();
        history.is_slow = is_long && u128::from(rows) < least_rows;
    }
}

impl TableHistory {
    /// Closes the table for a time between half of `longest` and `longest`.
    fn close(&mut self, now: Duration, longest: Duration, entropy: u64) -> Duration {
        let delay = longest / 2 + (longest / 2).mul_f64((entropy % 1_024) as f64 / 1_023.0);
        self.closed_until = self.closed_until.max(now + delay);
        delay
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn table(name: &str) -> TableName {
        TableName { schema: "public".into(), table: name.into() }
    }

    #[test]
    fn delays_double_up_to_a_limit_and_begin_again_after_a_success() {
        let (mut gate, orders) = (TableGate::default(), table("orders"));
        let mut now = seconds(100);
        for expected in [2, 4, 8, 16, 24, 24] {
            assert_eq!(gate.locked(&orders, now, 1_023), seconds(expected));
            assert_eq!(gate.remaining(&orders, now), Some(seconds(expected)));
            now += seconds(expected);
            assert_eq!(gate.remaining(&orders, now), None);
        }
        assert!(gate.is_doubtful(&orders) && gate.has_timed_out(&orders));
        gate.unlocked(&orders);
        assert!(!gate.is_doubtful(&orders) && !gate.has_timed_out(&orders));
        assert_eq!(gate.locked(&orders, now, 1_023), seconds(2));
    }

    #[test]
    fn any_number_of_lock_timeouts_and_any_entropy_give_a_delay_within_the_limits() {
        let (mut gate, orders) = (TableGate::default(), table("orders"));
        let mut delays = std::collections::BTreeSet::new();
        for entropy in (0..2_000).chain([u64::MAX]) {
            let delay = gate.locked(&orders, Duration::ZERO, entropy);
            assert!((seconds(1)..=MAX_DELAY).contains(&delay), "{delay:?}");
            delays.insert(delay);
        }
        assert!(delays.len() > 500, "{} delays", delays.len());
    }

    #[test]
    fn other_tables_are_not_affected() {
        let mut gate = TableGate::default();
        gate.locked(&table("orders"), Duration::ZERO, 0);
        gate.measured(&table("orders"), 0, seconds(60));
        for other in [table("items"), TableName { schema: "sales".into(), table: "orders".into() }] {
            assert_eq!(gate.remaining(&other, Duration::ZERO), None);
            assert!(!gate.is_slow(&other) && !gate.is_doubtful(&other));
        }
    }

    #[test]
    fn a_shorter_delay_does_not_end_a_longer_one() {
        let (mut gate, orders) = (TableGate::default(), table("orders"));
        for _ in 0..5 {
            gate.locked(&orders, Duration::ZERO, 1_023);
        }
        assert!((seconds(2)..=BUSY_DELAY).contains(&gate.busy(&orders, Duration::ZERO, 7)));
        assert_eq!(gate.remaining(&orders, Duration::ZERO), Some(MAX_DELAY));
    }

    #[test]
    fn a_table_is_slow_after_a_long_transaction_with_few_rows_until_a_faster_one() {
        let (mut gate, orders) = (TableGate::default(), table("orders"));
        for (rows, took, is_slow) in [
            (50_000, seconds(6), false),
            (11_999, seconds(6), true),
            (0, Duration::from_millis(3), true),
            (12_000, seconds(6), false),
            (0, seconds(120), true),
            (1, seconds(5), false),
        ] {
            gate.measured(&orders, rows, took);
            assert_eq!(gate.is_slow(&orders), is_slow, "{rows} rows in {took:?}");
        }
        gate.measured(&orders, 1, seconds(7));
        gate.unlocked(&orders);
        assert!(gate.is_slow(&orders));
    }
}
