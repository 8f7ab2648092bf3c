//! The configuration. The README of the repository has a table of the variables.

use penstock_aws::commit::CommitTarget;
use penstock_aws::config::{ConfigError, Variables};
use penstock_aws::sqs_event::InboundQueue;
use penstock_aws::telemetry::Metrics;
use penstock_pipeline::IgnoredKeys;

/// Default of the maximum number of accepted rows in a chunk.
const DEFAULT_CHUNK_ROWS: u32 = 40_000;

/// The configuration of the function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestConfig {
    pub(crate) metrics: Metrics,
    pub(crate) artifacts_bucket: String,
    pub(crate) quarantine_bucket: String,
    pub(crate) commit_target: CommitTarget,
    pub(crate) drops: InboundQueue,
    /// The objects that are not drops.
    pub(crate) ignored_keys: IgnoredKeys,
    pub(crate) spark: SparkConfig,
    pub(crate) chunk_rows: u32,
    /// Secret with the pseudonym key. Without it, contracts that pseudonymise are refused.
    pub(crate) pseudonym_secret_arn: Option<String>,
}

/// The Spark jobs for large drops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SparkConfig {
    pub(crate) application_id: String,
    pub(crate) job_role_arn: String,
    pub(crate) entry_point: String,
    /// Drops of at least this size are processed by Spark, unless the contract sets the route.
    pub(crate) min_bytes: u64,
}

impl IngestConfig {
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
            quarantine_bucket: variables.required("PENSTOCK_QUARANTINE_BUCKET"),
            commit_target: CommitTarget {
                processed_bucket: variables.required("PENSTOCK_PROCESSED_BUCKET"),
                load_queue_url: variables.required("PENSTOCK_LOAD_QUEUE_URL"),
            },
            drops: InboundQueue {
                url: variables.required("PENSTOCK_DROPS_QUEUE_URL"),
                dead_letter_url: variables.required("PENSTOCK_DROPS_DEAD_LETTER_QUEUE_URL"),
            },
            ignored_keys: variables.parsed("PENSTOCK_IGNORE_KEYS"),
            spark: SparkConfig {
                application_id: variables.required("PENSTOCK_SPARK_APPLICATION_ID"),
                job_role_arn: variables.required("PENSTOCK_SPARK_JOB_ROLE_ARN"),
                entry_point: variables.required("PENSTOCK_SPARK_ENTRY_POINT"),
                min_bytes: variables.number("PENSTOCK_SPARK_MIN_BYTES"),
            },
            chunk_rows: variables.number_or("PENSTOCK_CHUNK_ROWS", DEFAULT_CHUNK_ROWS),
            pseudonym_secret_arn: variables.optional("PENSTOCK_PSEUDONYM_SECRET_ARN"),
        };
        if config.chunk_rows == 0 {
            variables.problem("PENSTOCK_CHUNK_ROWS must be at least 1");
        }
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
            "variables": IngestConfig::new(Variables::new([])).unwrap_err().variables,
            "margin_seconds": crate::handler::MARGIN.as_secs(),
        });
        assert_dumped("functions/ingest", &dump);
    }
}
