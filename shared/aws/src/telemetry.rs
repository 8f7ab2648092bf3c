//! Logs and metrics, both as lines of JSON on standard output, where Lambda hands them to CloudWatch.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::Variables;

/// Namespace of all metrics.
pub const NAMESPACE: &str = "Penstock";
/// The dimension that every metric has besides its own: a namespace is shared by all of an account's environments.
pub const ENVIRONMENT: &str = "Environment";

/// Unit of a metric, as CloudWatch spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// `Count`
    Count,
    /// `Bytes`
    Bytes,
    /// `Seconds`
    Seconds,
    /// `Milliseconds`
    Milliseconds,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Count => "Count",
            Self::Bytes => "Bytes",
            Self::Seconds => "Seconds",
            Self::Milliseconds => "Milliseconds",
        }
    }
}

/// Starts logging: one JSON object a line, fields at the top level, the current span's under `span`.
/// `RUST_LOG` is a list of `target=level`, `info` where it is missing or cannot be read.
///
/// # Panics
/// When logging has been started before.
pub fn init() {
    let asked = std::env::var("RUST_LOG").unwrap_or_default();
    let targets = asked.parse::<Targets>().ok().filter(|_| !asked.is_empty());
    let filter = targets.clone().unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_ansi(false);
    tracing_subscriber::registry().with(filter).with(lines).init();
    if targets.is_none() && !asked.is_empty() {
        tracing::warn!("RUST_LOG cannot be read, logging at info");
    }
}

/// The metrics of one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    environment: String,
}

impl Metrics {
    /// Takes `PENSTOCK_ENVIRONMENT`.
    pub fn take(variables: &mut Variables) -> Self {
        Self { environment: variables.required("PENSTOCK_ENVIRONMENT") }
    }

    /// Those of the environment of this name.
    pub fn of(environment: &str) -> Self {
        Self { environment: environment.to_owned() }
    }

    /// Writes values as one line in CloudWatch's embedded metric format, with one set of dimensions and the
    /// environment before them.
    ///
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>
    pub fn emit(&self, dimensions: &[(&str, &str)], values: &[(&str, Unit, f64)]) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let timestamp_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        println!("{}", self.line(timestamp_ms, dimensions, values));
    }

    fn line(&self, timestamp_ms: u64, dimensions: &[(&str, &str)], values: &[(&str, Unit, f64)]) -> Value {
        let dimensions = [&[(ENVIRONMENT, self.environment.as_str())], dimensions].concat();
        let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
        let metrics: Vec<Value> =
            values.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": unit.name() })).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": timestamp_ms,
                "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [names], "Metrics": metrics }],
            }),
        );
        line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        line.extend(values.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
        Value::Object(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_line_is_in_the_embedded_metric_format_and_names_its_environment() {
        let line = Metrics::of("dev").line(
            1_700_000_000_000,
            &[("source", "abt")],
            &[("rows_read", Unit::Count, 1081.0), ("read_seconds", Unit::Seconds, 0.5)],
        );
        let expected = json!({
            "_aws": {
                "Timestamp": 1_700_000_000_000u64,
                "CloudWatchMetrics": [{
                    "Namespace": "Penstock",
                    "Dimensions": [["Environment", "source"]],
                    "Metrics": [
                        { "Name": "rows_read", "Unit": "Count" },
                        { "Name": "read_seconds", "Unit": "Seconds" },
                    ],
                }],
            },
            "Environment": "dev",
            "source": "abt",
            "rows_read": 1081.0,
            "read_seconds": 0.5,
        });
        assert_eq!(line, expected);
    }

    #[test]
    fn metrics_of_no_environment_are_a_fault_of_the_configuration() {
        let mut variables = Variables::new([]);
        let metrics = Metrics::take(&mut variables);
        assert_eq!(variables.finish(metrics).unwrap_err().problems, ["PENSTOCK_ENVIRONMENT is not set"]);
    }
}
