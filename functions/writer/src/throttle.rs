//! The budget of rows a second: how long a transaction must wait so that the database is not pressed.

use std::time::Duration;

/// Spaces transactions so that their rows come to at most `rows_per_second`, however unequal they are.
///
/// Pure: the clock is passed in, as the time since any fixed moment. A transaction of n rows keeps the next one back
/// for n / rate seconds; time that was not used is not saved up, so that there is no burst after a pause.
#[derive(Debug, Clone)]
pub struct Throttle {
    rows_per_second: u64,
    free_at: Duration,
}

impl Throttle {
    /// A budget; 0 is no limit.
    pub fn new(rows_per_second: u64) -> Self {
        Self { rows_per_second, free_at: Duration::ZERO }
    }

    /// How long the next transaction must still wait.
    pub fn delay(&self, now: Duration) -> Duration {
        self.free_at.saturating_sub(now)
    }

    /// Notes a transaction of `rows` that began `now`.
    pub fn spend(&mut self, now: Duration, rows: u64) {
        if self.rows_per_second == 0 {
            return;
        }
        let nanos = u128::from(rows) * 1_000_000_000 / u128::from(self.rows_per_second);
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
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
    fn the_rate_holds_over_transactions_of_any_size() {
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
    fn a_pause_is_not_saved_up() {
        let mut throttle = Throttle::new(100);
        throttle.spend(ms(0), 100);
        assert_eq!(throttle.delay(ms(400)), ms(600));
        throttle.spend(ms(60_000), 50);
        assert_eq!(throttle.delay(ms(60_000)), ms(500));
    }

    #[test]
    fn no_limit_never_waits() {
        let mut throttle = Throttle::new(0);
        throttle.spend(ms(0), u64::MAX);
        assert_eq!(throttle.delay(ms(0)), Duration::ZERO);
    }

    #[test]
    fn absurd_counts_do_not_overflow() {
        let mut throttle = Throttle::new(1);
        throttle.spend(ms(0), u64::MAX);
        throttle.spend(ms(0), u64::MAX);
        assert!(throttle.delay(ms(0)) > ms(1_000_000));
    }
}
