//! Functions with their event source mappings.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::error::{TemplateError, unsupported};
use super::schedule::schedule;
use super::spec::{FunctionSpec, MappingSpec};
use super::value::{flag, number, scalar};

/// AWS's limit of concurrent executions per account, which applies to a mapping without a maximum.
const ACCOUNT_CONCURRENCY: u32 = 1000;

/// Returns the function `id` of resolved properties.
pub(super) fn function(
    id: &str,
    metadata: &Value,
    properties: &Value,
) -> Result<FunctionSpec, TemplateError> {
    let text = |value: &Value, what: &str| {
        scalar(value).ok_or_else(|| unsupported(id, format!("{what} is missing or not a text")))
    };
    let binary = text(&metadata["BuildProperties"]["Binary"], "Metadata.BuildProperties.Binary")?;
    let mut environment = BTreeMap::new();
    for (name, value) in properties["Environment"]["Variables"].as_object().into_iter().flatten() {
        environment.insert(name.clone(), text(value, name)?);
    }
    let (mut mappings, mut schedules) = (Vec::new(), Vec::new());
    for (name, event) in properties["Events"].as_object().into_iter().flatten() {
        let properties = &event["Properties"];
        match event["Type"].as_str() {
            Some("SQS") => mappings.push(mapping(id, name, properties)?),
            Some("Schedule") => schedules.push(schedule(id, name, properties)?),
            Some(_) | None => {
                let kind = &event["Type"];
                return Err(unsupported(id, format!("event {name}: type {kind} is not supported locally")));
            }
        }
    }
    Ok(FunctionSpec {
        binary,
        function_name: scalar(&properties["FunctionName"]).unwrap_or_else(|| id.to_owned()),
        timeout_seconds: number(id, &properties["Timeout"], "Timeout")?,
        memory_mb: number(id, &properties["MemorySize"], "MemorySize")?,
        handler: text(&properties["Handler"], "Handler")?,
        log_format: scalar(&properties["LoggingConfig"]["LogFormat"]).unwrap_or_else(|| "Text".to_owned()),
        environment,
        mappings,
        schedules,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct MappingProperties {
    queue: String,
    #[serde(default)]
    batch_size: Value,
    #[serde(default)]
    maximum_batching_window_in_seconds: Value,
    #[serde(default)]
    function_response_types: Vec<String>,
    #[serde(default)]
    scaling_config: ScalingConfig,
    #[serde(default)]
    enabled: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ScalingConfig {
    #[serde(default)]
    maximum_concurrency: Value,
}

fn mapping(id: &str, name: &str, properties: &Value) -> Result<MappingSpec, TemplateError> {
    let properties = MappingProperties::deserialize(properties)
        .map_err(|error| unsupported(id, format!("event {name}: {error}")))?;
    let number_or = |value: &Value, default: u32, what: &str| {
        if value.is_null() { Ok(default) } else { number(id, value, what) }
    };
    if let Some(other) =
        properties.function_response_types.iter().find(|kind| *kind != "ReportBatchItemFailures")
    {
        return Err(unsupported(id, format!("event {name}: response type {other}")));
    }
    let window = &properties.maximum_batching_window_in_seconds;
    let concurrency = &properties.scaling_config.maximum_concurrency;
    Ok(MappingSpec {
        name: name.to_owned(),
        queue_arn: properties.queue,
        batch_size: number_or(&properties.batch_size, 10, "BatchSize")?,
        window_seconds: number_or(window, 0, "MaximumBatchingWindowInSeconds")?,
        maximum_concurrency: number_or(concurrency, ACCOUNT_CONCURRENCY, "MaximumConcurrency")?,
        reports_item_failures: !properties.function_response_types.is_empty(),
        enabled: flag(id, &properties.enabled, "Enabled")?,
    })
}
