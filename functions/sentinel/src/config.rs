//! The configuration. The README of the repository has a table of the variables.

use jiff::SignedDuration;
use penstock_aws::config::{ConfigError, Variables};
use penstock_aws::telemetry::Metrics;
use penstock_pipeline::IgnoredKeys;

/// Two hours: more than the visibility timeout of the drops queue, 5400 s, after which a message is redelivered.
const DEFAULT_MISSED_AFTER_SECONDS: u32 = 7_200;
/// Three days.
const DEFAULT_LOOKBACK_SECONDS: u32 = 259_200;
/// Six hours.
const DEFAULT_STUCK_AFTER_SECONDS: u32 = 21_600;

/// Two days. An attempt to read a drop takes at most 15 minutes in Lambda, and a Spark job at most twelve hours.
const DEFAULT_ORPHAN_AFTER_SECONDS: u32 = 172_800;

/// The configuration of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentinelConfig {
    pub(crate) metrics: Metrics,
    pub(crate) raw_bucket: String,
    pub(crate) artifacts_bucket: String,
    pub(crate) processed_bucket: String,
    pub(crate) quarantine_bucket: String,
    pub(crate) drops_queue_url: String,
    /// The objects that are not drops.
    pub(crate) ignored_keys: IgnoredKeys,
    /// A drop of at least this age without any object of its batch was missed.
    pub missed_after: SignedDuration,
    /// Drops of at least this age are not checked.
    pub lookback: SignedDuration,
    /// A batch is stuck if its receipt is `submitted` or `loading` for longer than this.
    pub stuck_after: SignedDuration,
    /// An object of at least this age that no manifest lists is removed.
    pub orphan_after: SignedDuration,
}

impl SentinelConfig {
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
    /// Returns an error that lists every missing, malformed and unknown variable, and durations that contradict each
    /// other.
    pub fn new(mut variables: Variables) -> Result<Self, ConfigError> {
        let config = Self {
            metrics: Metrics::from_variables(&mut variables),
            raw_bucket: variables.required("PENSTOCK_RAW_BUCKET"),
            artifacts_bucket: variables.required("PENSTOCK_ARTIFACTS_BUCKET"),
            processed_bucket: variables.required("PENSTOCK_PROCESSED_BUCKET"),
            quarantine_bucket: variables.required("PENSTOCK_QUARANTINE_BUCKET"),
            drops_queue_url: variables.required("PENSTOCK_DROPS_QUEUE_URL"),
            ignored_keys: variables.parsed("PENSTOCK_IGNORE_KEYS"),
            missed_after: seconds(
                variables.number_or("PENSTOCK_MISSED_AFTER_SECONDS", DEFAULT_MISSED_AFTER_SECONDS),
            ),
            lookback: seconds(variables.number_or("PENSTOCK_LOOKBACK_SECONDS", DEFAULT_LOOKBACK_SECONDS)),
            stuck_after: seconds(
                variables.number_or("PENSTOCK_STUCK_AFTER_SECONDS", DEFAULT_STUCK_AFTER_SECONDS),
            ),
            orphan_after: seconds(
                variables.number_or("PENSTOCK_ORPHAN_AFTER_SECONDS", DEFAULT_ORPHAN_AFTER_SECONDS),
            ),
        };
        if config.lookback <= config.missed_after {
            variables.problem("PENSTOCK_LOOKBACK_SECONDS must be more than PENSTOCK_MISSED_AFTER_SECONDS");
        }
        if config.lookback <= config.stuck_after {
            variables.problem("PENSTOCK_LOOKBACK_SECONDS must be more than PENSTOCK_STUCK_AFTER_SECONDS");
        }
        variables.finish(config)
    }
}

fn seconds(seconds: u32) -> SignedDuration {
    SignedDuration::from_secs(seconds.into())
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
            "variables": SentinelConfig::new(Variables::new([])).unwrap_err().variables,
            "margin_seconds": crate::handler::MARGIN.as_secs(),
        });
        assert_dumped("functions/sentinel", &dump);
    }
}
