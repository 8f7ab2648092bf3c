//! The time at which an invocation must stop.

use std::time::{Duration, Instant, SystemTime};

/// The time at which an invocation must stop its work. It does not move if the system clock is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// Returns the deadline at which Lambda ends the invocation, `lambda_runtime::Context::deadline`. If that is in the
    /// past, the deadline is now.
    pub fn of_invocation(end: SystemTime) -> Self {
        let remaining = end.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
        Self(Instant::now() + remaining)
    }

    /// Returns the deadline that is `margin` earlier, to have time for the response.
    #[must_use]
    pub fn earlier_by(self, margin: Duration) -> Self {
        // An instant before the machine was started cannot be represented; it is in the past.
        Self(self.0.checked_sub(margin).unwrap_or_else(Instant::now))
    }

    /// Returns whether the deadline is in the past.
    pub fn is_past(self) -> bool {
        Instant::now() >= self.0
    }

    /// Returns the deadline as an instant.
    pub fn instant(self) -> Instant {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_past_when_its_margin_begins() {
        let deadline = Deadline::of_invocation(SystemTime::now() + Duration::from_secs(60));
        assert!(!deadline.is_past());
        assert!(!deadline.earlier_by(Duration::from_secs(30)).is_past());
        assert!(deadline.earlier_by(Duration::from_secs(61)).is_past());
        assert!(deadline.earlier_by(Duration::MAX).is_past());
    }

    #[test]
    fn an_invocation_that_has_ended_has_a_past_deadline() {
        assert!(Deadline::of_invocation(SystemTime::UNIX_EPOCH).is_past());
    }
}
