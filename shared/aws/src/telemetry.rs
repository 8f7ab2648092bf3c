//! Logs and metrics, both as lines of JSON on standard output, which Lambda transfers to CloudWatch.

use std::time::{SystemTime, UNIX_EPOCH};

use penstock_pipeline::metrics::{ENVIRONMENT, MetricDimensions, MetricValue, NAMESPACE};
use serde_json::{Map, Value, json};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Variables;

/// Starts logging, with one JSON object per line, with an event's fields at the top level and those of the current span
/// under `span`.
///
/// `RUST_LOG` is a list of `target=level`. The level is `info` when it is not set or not valid.
///
/// # Panics
/// Panics if logging was started before.
pub fn init() {
    let directives = std::env::var("RUST_LOG").ok().filter(|directives| !directives.is_empty());
    let targets = directives.as_deref().map(str::parse::<Targets>);
    let is_invalid = matches!(targets, Some(Err(_)));
    let filter =
        targets.and_then(Result::ok).unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_ansi(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    if is_invalid {
        tracing::warn!("RUST_LOG is not valid, logging at info");
    }
}

/// Emits the metrics of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    environment: String,
}

impl Metrics {
    /// Reads the environment's name from `PENSTOCK_ENVIRONMENT`.
    pub fn from_variables(variables: &mut Variables) -> Self {
        Self { environment: variables.required("PENSTOCK_ENVIRONMENT") }
    }

    /// Returns the metrics of the environment with this name.
    pub fn of(environment: &str) -> Self {
        Self { environment: environment.to_owned() }
    }

    /// Writes values that share their dimensions as one line in CloudWatch's [embedded metric format]. The environment
    /// precedes the dimensions.
    ///
    /// [embedded metric format]: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    ///
    /// # Panics
    /// Panics if the system's clock is set to a time before 1970.
    #[expect(clippy::disallowed_macros, reason = "this is the one place that writes metrics")]
    pub fn emit<D: MetricDimensions>(&self, dimensions: &D, values: &[MetricValue<D>]) {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970");
        println!("{}", self.line(since_epoch.as_millis(), dimensions, values));
    }

    fn line<D: MetricDimensions>(
        &self,
        timestamp_ms: u128,
        dimensions: &D,
        values: &[MetricValue<D>],
    ) -> Value {
        let names = [&[ENVIRONMENT], D::NAMES].concat();
        let metrics: Vec<Value> =
            values.iter().map(|value| json!({ "Name": value.name(), "Unit": value.unit() })).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": timestamp_ms,
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [names], "Metrics": metrics }],
            }),
        );
        line.insert(ENVIRONMENT.to_owned(), json!(self.environment));
        line.extend(
            D::NAMES
                .iter()
                .map(|name| (*name).to_owned())
                .zip(dimensions.values().into_iter().map(Value::from)),
        );
        line.extend(values.iter().map(|value| (value.name().to_owned(), json!(value.value()))));
        Value::Object(line)
    }
}

#[cfg(test)]
mod tests {
    use penstock_pipeline::metrics::{BatchDecision, BySourceAndState, READ_SECONDS, ROWS_READ};

    use super::*;

    #[test]
    fn a_metric_line_is_in_the_embedded_metric_format_and_names_its_environment() {
        let line = Metrics::of("dev").line(
            1_700_000_000_000,
            &BySourceAndState { source: "abt", state: BatchDecision::Committed },
            &[ROWS_READ.count(1_081), READ_SECONDS.value(0.5)],
        );
        let expected = json!({
            "_aws": {
                "Timestamp": 1_700_000_000_000u64,
                "CloudWatchMetrics": [{
                    "Namespace": "Penstock",
                    "Dimensions": [["environment", "source", "state"]],
                    "Metrics": [
                        { "Name": "rows_read", "Unit": "Count" },
                        { "Name": "read_seconds", "Unit": "Seconds" },
                    ],
                }],
            },
            "environment": "dev",
            "source": "abt",
            "state": "committed",
            "rows_read": 1081.0,
            "read_seconds": 0.5,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn metrics_without_an_environment_are_a_configuration_error() {
        let mut variables = Variables::new([]);
        let metrics = Metrics::from_variables(&mut variables);
        assert_eq!(variables.finish(metrics).unwrap_err().problems, ["PENSTOCK_ENVIRONMENT is not set"]);
    }
}
