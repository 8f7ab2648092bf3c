//! The configuration. The README of the repository has a table of the variables.

use penstock_aws::commit::CommitTarget;
use penstock_aws::config::{ConfigError, Variables};
use penstock_aws::sqs_event::InboundQueue;
use penstock_aws::telemetry::Metrics;

/// The configuration of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEventsConfig {
    pub(crate) metrics: Metrics,
    pub(crate) artifacts_bucket: String,
    pub(crate) commit_target: CommitTarget,
    pub(crate) job_events: InboundQueue,
}

impl JobEventsConfig {
    /// Reads the environment of the process.
    ///
    /// # Errors
    /// Returns an error that lists every missing, malformed and unknown variable.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::new(Variables::from_env())
    }

    /// Reads `variables`.
    ///
    /// # Errors
    /// Returns an error that lists every missing, malformed and unknown variable.
    pub fn new(mut variables: Variables) -> Result<Self, ConfigError> {
        let config = Self {
            metrics: Metrics::from_variables(&mut variables),
            artifacts_bucket: variables.required("PENSTOCK_ARTIFACTS_BUCKET"),
            commit_target: CommitTarget {
                processed_bucket: variables.required("PENSTOCK_PROCESSED_BUCKET"),
                load_queue_url: variables.required("PENSTOCK_LOAD_QUEUE_URL"),
            },
            job_events: InboundQueue {
                url: variables.required("PENSTOCK_JOB_EVENTS_QUEUE_URL"),
                dead_letter_url: variables.required("PENSTOCK_JOB_EVENTS_DEAD_LETTER_QUEUE_URL"),
            },
        };
        variables.finish(config)
    }
}

#[cfg(test)]
mod tests {
    use penstock_aws::testing::assert_dumped;
    use serde_json::json;

    use super::*;

    /// `tests/infra` compares the template and the README with the dump.
    #[test]
    fn the_dump_of_the_variables_is_current() {
        let dump = json!({
            "variables": JobEventsConfig::new(Variables::new([])).unwrap_err().variables,
            "margin_seconds": 0,
        });
        assert_dumped("functions/job-events", &dump);
    }
}
