//! A schedule: invokes its function from time to time, or when asked to.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::task::JoinHandle;

use super::environment::Failure;
use super::function::{Function, Host};
use crate::template::ScheduleSpec;

/// A running schedule; stops when dropped. A run that fails is not repeated: the next one does its work.
#[derive(Debug)]
pub(crate) struct Schedule {
    runs: Arc<Runs>,
    timer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Runs {
    rule_arn: String,
    region: String,
    account_id: String,
    function: Arc<Function>,
}

impl Schedule {
    /// Begins to count, unless the template says that it is not enabled.
    pub(crate) fn start(spec: &ScheduleSpec, host: &Host, function: Arc<Function>) -> Self {
        let (region, account_id) = (host.region.clone(), host.account_id.clone());
        let rule_arn = format!("arn:aws:events:{region}:{account_id}:rule/{}", spec.rule_name);
        let runs = Arc::new(Runs { rule_arn, region, account_id, function });
        let timer = spec.enabled.then(|| {
            let runs = runs.clone();
            tokio::spawn(every(spec.every, async move || {
                if let Err(failure) = runs.run().await {
                    tracing::warn!(function = runs.function.name(), error = %failure, "a scheduled run failed");
                }
            }))
        });
        Self { runs, timer }
    }

    /// Runs it now; gives the function's response.
    pub(crate) async fn run(&self) -> Result<Bytes, Failure> {
        self.runs.run().await
    }
}

impl Drop for Schedule {
    fn drop(&mut self) {
        if let Some(timer) = &self.timer {
            timer.abort();
        }
    }
}

impl Runs {
    async fn run(&self) -> Result<Bytes, Failure> {
        self.function.invoke(Bytes::from(self.event().to_string())).await
    }

    /// The event, in the form that EventBridge gives it.
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

/// Does `run` for ever, first after `interval`; never twice at once.
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
    async fn a_run_begins_when_the_interval_is_over_and_not_before() {
        let (interval, begun, runs) = (Duration::from_millis(20), Instant::now(), Cell::new(0));
        let counted = every(interval, async || {
            runs.set(runs.get() + 1);
            assert!(begun.elapsed() >= interval * runs.get());
        });
        let ended = tokio::time::timeout(interval * 20, counted).await;
        assert!(ended.is_err(), "it goes on for ever");
        assert!((2..=20).contains(&runs.get()), "{}", runs.get());
    }
}
