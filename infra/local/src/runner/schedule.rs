//! A schedule: invokes its function periodically or on request.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::task::JoinHandle;

use super::environment::InvocationFailure;
use super::function::{Function, HostConfig};
use crate::template::ScheduleSpec;

/// A running schedule. Dropping it stops the timer. A failed run is not retried before the next interval.
#[derive(Debug)]
pub(crate) struct Schedule {
    target: Arc<ScheduledFunction>,
    timer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct ScheduledFunction {
    rule_arn: String,
    region: String,
    account_id: String,
    function: Arc<Function>,
}

impl Schedule {
    /// Starts the timer if the schedule is enabled.
    pub(crate) fn start(spec: &ScheduleSpec, host: &HostConfig, function: Arc<Function>) -> Self {
        let (region, account_id) = (host.region.clone(), host.account_id.clone());
        let rule_arn = format!("arn:aws:events:{region}:{account_id}:rule/{}", spec.rule_name);
        let target = Arc::new(ScheduledFunction { rule_arn, region, account_id, function });
        let timer = spec.enabled.then(|| {
            let target = target.clone();
            tokio::spawn(every(spec.every, async move || {
                if let Err(failure) = target.run().await {
                    tracing::warn!(function = target.function.name(), error = %failure, "a scheduled run failed");
                }
            }))
        });
        Self { target, timer }
    }

    /// Invokes the function now and returns its response.
    pub(crate) async fn run(&self) -> Result<Bytes, InvocationFailure> {
        self.target.run().await
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.abort();
        }
    }
}

impl ScheduledFunction {
    async fn run(&self) -> Result<Bytes, InvocationFailure> {
        self.function.invoke(Bytes::from(self.event().to_string())).await
    }

    /// Returns the event of a schedule in EventBridge's form.
    /// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-rule-schedule.html>
    fn event(&self) -> serde_json::Value {
        let now = jiff::Timestamp::now();
        json!({
            "version": "0",
            "id": uuid::Uuid::new_v4().to_string(),
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "account": self.account_id,
            "time": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            "region": self.region,
            "resources": [self.rule_arn],
            "detail": {},
        })
    }
}

/// Calls `run` forever, for the first time after `interval`. Calls do not overlap.
async fn every(interval: Duration, run: impl AsyncFn()) {
    loop {
        tokio::time::sleep(interval).await;
        run().await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_run_starts_only_after_the_interval() {
        let (interval, begun, runs) = (Duration::from_millis(20), Instant::now(), Cell::new(0));
        let counted = every(interval, async || {
            runs.set(runs.get() + 1);
            assert!(begun.elapsed() >= interval * runs.get());
        });
        let ended = tokio::time::timeout(interval * 20, counted).await;
        assert!(ended.is_err(), "the schedule never ends");
        assert!((2..=20).contains(&runs.get()), "{}", runs.get());
    }
}
