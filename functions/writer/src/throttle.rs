//! The limit of rows per second.

use std::time::Duration;

/// Spaces transactions so that they load at most `rows_per_second`, regardless of their sizes.
///
/// The clock is passed in, as the time since a fixed moment. A transaction of n rows delays the next one by n / rate
/// seconds. Unused time does not accumulate, so there is no burst after a pause.
#[derive(Debug, Clone)]
pub struct Throttle {
    rows_per_second: u64,
    free_at: Duration,
}

impl Throttle {
    /// Returns a throttle with this limit; 0 is no limit.
    pub fn new(rows_per_second: u64) -> Self {
        Self { rows_per_second, free_at: Duration::ZERO }
    }

    /// Returns the time that the next transaction must wait.
    pub fn delay(&self, now: Duration) -> Duration {
        self.free_at.saturating_sub(now)
    }

    /// Records a transaction of `rows` that began at `now`.
    pub fn spend(&mut self, now: Duration, rows: u64) {
        if self.rows_per_second == 0 {
            return;
        }
        let (seconds, rest) = (rows / self.rows_per_second, rows % self.rows_per_second);
        let nanos = u128::from(rest) * 1_000_000_000 / u128::from(self.rows_per_second);
        let nanos = u32::try_from(nanos).expect("the rest takes less than a second");
        let cost = Duration::new(seconds, nanos);
        self.free_at = self.free_at.max(now).saturating_add(cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn the_rate_is_respected_over_transactions_of_any_size() {
        let mut throttle = Throttle::new(1_000);
        let mut now = ms(500);
        let start = now;
        let mut rows = 0;
        for size in [1, 999, 5_000, 10, 10, 2_980] {
            now += throttle.delay(now);
            throttle.spend(now, size);
            rows += size;
        }
        now += throttle.delay(now);
        assert_eq!(now - start, ms(rows));
    }

    #[test]
    fn time_of_a_pause_does_not_accumulate() {
        let mut throttle = Throttle::new(100);
        throttle.spend(ms(0), 100);
        assert_eq!(throttle.delay(ms(400)), ms(600));
        throttle.spend(ms(60_000), 50);
        assert_eq!(throttle.delay(ms(60_000)), ms(500));
    }

    #[test]
    fn without_a_limit_there_is_no_delay() {
        let mut throttle = Throttle::new(0);
        throttle.spend(ms(0), u64::MAX);
        assert_eq!(throttle.delay(ms(0)), Duration::ZERO);
    }

    #[test]
    fn extreme_counts_do_not_overflow() {
        let mut throttle = Throttle::new(1);
        throttle.spend(ms(0), u64::MAX);
        throttle.spend(ms(0), u64::MAX);
        assert!(throttle.delay(ms(0)) > ms(1_000_000));
    }
}
