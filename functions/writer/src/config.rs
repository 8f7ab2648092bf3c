//! Configuration, read from the environment variables that the repository's README lists.

use penstock_aws::config::{ConfigError, Variables};
use penstock_aws::database::DatabaseConfig;
use penstock_aws::sqs_event::InboundQueue;
use penstock_aws::telemetry::Metrics;

use crate::throttle::{BudgetLimits, Throttle};

/// The configuration of the writer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriterConfig {
    /// The metrics of the environment.
    pub metrics: Metrics,
    /// The bucket with the contracts.
    pub artifacts_bucket: String,
    /// The bucket with chunks, manifests and receipts.
    pub processed_bucket: String,
    /// The bucket for rejected rows.
    pub quarantine_bucket: String,
    /// The load queue.
    pub load: InboundQueue,
    /// The target database.
    pub database: DatabaseConfig,
    /// The maximum number of rows per second of this writer; 0 is no limit.
    pub rows_per_second: u64,
    /// Whether the writer loads fewer rows per second while others need the database.
    pub is_adaptive: bool,
    /// The minimum number of rows per second of an adaptive throttle.
    pub min_rows_per_second: u64,
    /// The number of active sessions, including writers, above which an adaptive throttle loads fewer rows.
    pub busy_sessions: u32,
    /// The identifier of the RDS instance; `None` if the database is not in RDS.
    pub instance: Option<String>,
}

impl WriterConfig {
    /// Reads the process's environment.
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
            processed_bucket: variables.required("PENSTOCK_PROCESSED_BUCKET"),
            quarantine_bucket: variables.required("PENSTOCK_QUARANTINE_BUCKET"),
            load: InboundQueue {
                url: variables.required("PENSTOCK_LOAD_QUEUE_URL"),
                dead_letter_url: variables.required("PENSTOCK_LOAD_DEAD_LETTER_QUEUE_URL"),
            },
            database: DatabaseConfig::from_variables(&mut variables),
            rows_per_second: variables.number_or("PENSTOCK_ROWS_PER_SECOND", 0),
            is_adaptive: variables.one_of("PENSTOCK_THROTTLE", &[("adaptive", true), ("fixed", false)]),
            min_rows_per_second: variables.number_or("PENSTOCK_MIN_ROWS_PER_SECOND", 2_000),
            busy_sessions: variables.number_or("PENSTOCK_BUSY_SESSIONS", 4),
            instance: variables.optional("PENSTOCK_DATABASE_INSTANCE"),
        };
        variables.finish(config)
    }

    /// Returns the throttle of a writer.
    pub fn throttle(&self) -> Throttle {
        if !self.is_adaptive {
            return Throttle::fixed(self.rows_per_second);
        }
        Throttle::adaptive(BudgetLimits {
            max_rows_per_second: self.rows_per_second,
            min_rows_per_second: self.min_rows_per_second,
            busy_sessions: self.busy_sessions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_missing_variables_are_reported_together() {
        let error = WriterConfig::new(Variables::new([])).unwrap_err();
        let missing = error.problems.iter().filter(|problem| problem.ends_with("is not set")).count();
        assert_eq!(missing, 13, "{error}");
    }
}
