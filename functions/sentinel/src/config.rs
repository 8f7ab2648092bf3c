//! Configuration: the table of variables stands in the README.

use jiff::SignedDuration;
use penstock_aws::config::{ConfigError, Variables};
use penstock_aws::telemetry::Metrics;

/// A drop's message that was received and not finished comes back after the queue's visibility timeout, 5400 s.
const DEFAULT_MISSED_AFTER_SECONDS: u32 = 7_200;
/// Three days.
const DEFAULT_LOOKBACK_SECONDS: u32 = 259_200;
/// Six hours.
const DEFAULT_STUCK_AFTER_SECONDS: u32 = 21_600;

/// All that the function is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(crate) metrics: Metrics,
    pub(crate) raw_bucket: String,
    pub(crate) artifacts_bucket: String,
    pub(crate) processed_bucket: String,
    pub(crate) drops_queue_url: String,
    pub(crate) drops_dead_letter_queue_url: String,
    /// A drop of at least this age that nothing is known of has been missed.
    pub(crate) missed_after: SignedDuration,
    /// Drops of at least this age are not looked at.
    pub(crate) lookback: SignedDuration,
    /// A receipt that says `submitted` or `loading` for longer than this is of a stuck batch.
    pub(crate) stuck_after: SignedDuration,
}

impl Config {
    pub(crate) fn from_env() -> Result<Self, ConfigError> {
        Self::new(Variables::from_env())
    }

    pub(crate) fn new(mut variables: Variables) -> Result<Self, ConfigError> {
        let config = Self {
            metrics: Metrics::take(&mut variables),
            raw_bucket: variables.required("PENSTOCK_RAW_BUCKET"),
            artifacts_bucket: variables.required("PENSTOCK_ARTIFACTS_BUCKET"),
            processed_bucket: variables.required("PENSTOCK_PROCESSED_BUCKET"),
            drops_queue_url: variables.required("PENSTOCK_DROPS_QUEUE_URL"),
            drops_dead_letter_queue_url: variables.required("PENSTOCK_DROPS_DEAD_LETTER_QUEUE_URL"),
            missed_after: seconds(
                variables.number_or("PENSTOCK_MISSED_AFTER_SECONDS", DEFAULT_MISSED_AFTER_SECONDS),
            ),
            lookback: seconds(variables.number_or("PENSTOCK_LOOKBACK_SECONDS", DEFAULT_LOOKBACK_SECONDS)),
            stuck_after: seconds(
                variables.number_or("PENSTOCK_STUCK_AFTER_SECONDS", DEFAULT_STUCK_AFTER_SECONDS),
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
