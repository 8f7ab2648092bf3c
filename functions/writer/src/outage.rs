//! A database that cannot be reached: when the next attempt is made, and whether RDS is the reason.
//!
//! RDS is asked only after a failure. Without permission, or without a route to RDS from the function's network, nothing
//! is known and each transaction tries to connect.

use std::time::{Duration, Instant};

use penstock_aws::rds::RdsInstance;

use crate::error::LoadError;

/// The time for which a status is not asked for again.
const STATUS_VALID: Duration = Duration::from_secs(15);
/// The same if RDS did not answer: each attempt takes up to three seconds, and the cause is a configuration.
const NO_ANSWER_VALID: Duration = Duration::from_secs(300);
/// The shortest delay of a message.
const MIN_DELAY: Duration = Duration::from_secs(2);
/// The longest delay of a message. SQS moves a message to the dead-letter queue after 1,000 deliveries, that is after
/// three days.
const MAX_DELAY: Duration = Duration::from_secs(300);

/// What is known about an outage.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    instance: Option<RdsInstance>,
    /// The first and the latest failure since the last success.
    failures: Option<(Instant, Instant)>,
    /// The last answer of RDS: the status, if the instance is not available.
    status: Option<String>,
    ask_again_at: Option<Instant>,
}

impl Outage {
    pub(crate) fn of_instance(instance: RdsInstance) -> Self {
        Self { instance: Some(instance), ..Self::default() }
    }

    /// Returns an error while RDS reports that the instance is not available. RDS is asked only if it did so before.
    pub(crate) async fn check(&mut self) -> Result<(), LoadError> {
        if self.status.is_some() {
            self.ask().await;
        }
        self.status.clone().map_or(Ok(()), |status| Err(LoadError::InstanceNotAvailable { status }))
    }

    /// Records a success.
    pub(crate) fn ended(&mut self) {
        if let Some((began, _)) = self.failures.take() {
            tracing::info!(seconds = began.elapsed().as_secs(), "the database is reachable again");
            (self.status, self.ask_again_at) = (None, None);
        }
    }

    /// Records a failure, and returns it with the status of the instance if that explains it.
    pub(crate) async fn explain(&mut self, error: LoadError) -> LoadError {
        if !error.is_outage() {
            return error;
        }
        self.record_failure(Instant::now());
        self.ask().await;
        let Some(status) = &self.status else { return error };
        tracing::warn!(%error, status, "the database instance is not available");
        LoadError::InstanceNotAvailable { status: status.clone() }
    }

    /// Failures that are further apart than the longest delay belong to different outages.
    fn record_failure(&mut self, now: Instant) {
        let began = match self.failures {
            Some((began, latest)) if now.saturating_duration_since(latest) <= 2 * MAX_DELAY => began,
            Some(_) | None => now,
        };
        self.failures = Some((began, now));
    }

    /// Updates the status, unless it was asked for recently.
    async fn ask(&mut self) {
        let Some(instance) = &self.instance else { return };
        if self.ask_again_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        let (status, valid) = match instance.status().await {
            Ok(status) if status.is_available() => (None, STATUS_VALID),
            Ok(status) => (Some(status.as_str().to_owned()), STATUS_VALID),
            Err(error) => {
                tracing::warn!(%error, "the status of the database instance is not known");
                (None, NO_ANSWER_VALID)
            }
        };
        self.status = status;
        self.ask_again_at = Some(Instant::now() + valid);
    }

    /// Returns the status of the instance while it is not available.
    pub(crate) fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }

    /// Returns the delay of a message: half of the time that the outage has taken, so that it is not retried long after
    /// the end. The number of deliveries does not matter, because the message is not the cause.
    pub(crate) fn delay(&self) -> Duration {
        self.failures.map_or(MIN_DELAY, |(began, _)| delay_after(began.elapsed()))
    }
}

fn delay_after(outage: Duration) -> Duration {
    (outage / 2).clamp(MIN_DELAY, MAX_DELAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_retried_at_most_half_an_outage_after_its_end() {
        let mut now = Duration::ZERO;
        for outage_s in [1u64, 30, 90, 600] {
            while now < Duration::from_secs(outage_s) {
                now += delay_after(now);
            }
            let late = now - Duration::from_secs(outage_s);
            assert!(late <= (Duration::from_secs(outage_s) / 2).max(MIN_DELAY), "{outage_s} s: {late:?}");
        }
    }

    #[test]
    fn a_message_survives_an_outage_of_three_days() {
        let (mut now, mut deliveries) = (Duration::ZERO, 1);
        while now < Duration::from_secs(3 * 86_400) {
            now += delay_after(now);
            deliveries += 1;
        }
        assert!(deliveries < 1_000, "{deliveries}");
    }
}
