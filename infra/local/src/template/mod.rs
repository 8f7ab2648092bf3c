//! The SAM template, resolved: which functions, queues, rules and mappings there are.
//!
//! The local stack reads the very file that is deployed. What it does not know, a resource, an intrinsic, a property of
//! an event source, is an error and not left out in silence, so that nothing runs here other than on AWS unnoticed.

mod resolve;
mod schedule;
mod yaml;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use resolve::Resolver;
pub use resolve::Surroundings;
pub use schedule::ScheduleSpec;

/// Resources that have no counterpart on one machine: there is no IAM, no CloudWatch and no gradual deployment here.
const WITHOUT_COUNTERPART: [&str; 4] =
    ["AWS::SQS::QueuePolicy", "AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::CloudWatch::Alarm"];

/// Why a template cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Not YAML, or not a template.
    #[error("template: {0}")]
    Malformed(String),
    /// A name that nothing in the template has.
    #[error("template: unknown {what} {name}")]
    Unknown {
        /// What it should be.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// An intrinsic function that is not known, or not well-formed.
    #[error("template: {name} {problem}")]
    Intrinsic {
        /// Its long name, e.g. `Fn::Sub`.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// A parameter without a value.
    #[error("template: parameter {0} has no default and no value was given")]
    NoValue(String),
    /// A resource that the local stack cannot give.
    #[error("template: resource {resource}: {problem}")]
    Unsupported {
        /// Its logical id.
        resource: String,
        /// What is not supported.
        problem: String,
    },
}

/// A parameter as declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// The value is the name of an SSM parameter that holds the real one.
    pub from_ssm: bool,
    /// The real value is a comma-separated list.
    pub is_list: bool,
    /// Default, as text.
    pub default: Option<String>,
}

/// A template that was parsed but not yet resolved.
#[derive(Debug, Clone)]
pub struct Template {
    document: Value,
}

/// An SQS queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSpec {
    /// Logical id.
    pub id: String,
    /// Name.
    pub name: String,
    /// Attributes as `CreateQueue` takes them.
    pub attributes: BTreeMap<String, String>,
}

/// An EventBridge rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// Name.
    pub name: String,
    /// Event pattern, JSON.
    pub event_pattern: String,
    /// Its targets.
    pub targets: Vec<TargetSpec>,
}

/// Where a rule sends its events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TargetSpec {
    /// Id within the rule.
    pub id: String,
    /// ARN of the queue.
    pub arn: String,
    /// Where events go that could not be delivered.
    #[serde(default)]
    pub dead_letter_config: Option<DeadLetterSpec>,
}

/// Where undeliverable events go.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DeadLetterSpec {
    /// ARN of the queue.
    pub arn: String,
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSpec {
    /// The name of its binary, which also names it here: `ingest`.
    pub binary: String,
    /// Its name on AWS.
    pub function_name: String,
    /// An invocation may take so many seconds.
    pub timeout_seconds: u32,
    /// Memory.
    pub memory_mb: u32,
    /// `_HANDLER`.
    pub handler: String,
    /// `JSON` or `Text`.
    pub log_format: String,
    /// Environment variables.
    pub environment: BTreeMap<String, String>,
    /// The queues that invoke it.
    pub mappings: Vec<MappingSpec>,
    /// The times that invoke it.
    pub schedules: Vec<ScheduleSpec>,
}

/// An event source mapping from SQS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingSpec {
    /// The event's name in the template.
    pub name: String,
    /// ARN of the queue.
    pub queue_arn: String,
    /// Most messages in one invocation.
    pub batch_size: u32,
    /// How long to gather a batch.
    pub window_seconds: u32,
    /// Most invocations at once.
    pub maximum_concurrency: u32,
    /// The response says which messages failed.
    pub reports_item_failures: bool,
    /// False: it is there, but does not poll.
    pub enabled: bool,
}

/// Everything of the template that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Queues.
    pub queues: Vec<QueueSpec>,
    /// Rules.
    pub rules: Vec<RuleSpec>,
    /// Functions.
    pub functions: Vec<FunctionSpec>,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// When it is not YAML, or has no resources.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let document = yaml::parse(text).map_err(TemplateError::Malformed)?;
        if document["Resources"].is_object() {
            return Ok(Self { document });
        }
        Err(TemplateError::Malformed("it has no Resources".to_owned()))
    }

    /// The declared parameters.
    pub fn parameters(&self) -> Vec<Parameter> {
        let declared = self.document["Parameters"].as_object();
        let parameter = |(name, body): (&String, &Value)| {
            let kind = body["Type"].as_str().unwrap_or_default();
            Parameter {
                name: name.clone(),
                from_ssm: kind.starts_with("AWS::SSM::Parameter::Value<"),
                is_list: kind.contains("List<") || kind == "CommaDelimitedList",
                default: resolve::scalar(&body["Default"]),
            }
        };
        declared.into_iter().flatten().map(parameter).collect()
    }

    /// Resolves everything, given each parameter's real value as text.
    ///
    /// # Errors
    /// When something is not known, see the module.
    pub fn resolve(
        &self,
        values: &BTreeMap<String, String>,
        surroundings: &Surroundings,
    ) -> Result<Application, TemplateError> {
        let parameters = self.parameter_values(values)?;
        let nothing = Map::new();
        let section = |name: &str| self.document[name].as_object().unwrap_or(&nothing);
        let resolver = Resolver {
            surroundings,
            parameters: &parameters,
            conditions: section("Conditions"),
            resources: section("Resources"),
        };
        let globals = &self.document["Globals"]["Function"];
        let mut application = Application { queues: Vec::new(), rules: Vec::new(), functions: Vec::new() };
        for (id, body) in section("Resources") {
            if let Some(condition) = body["Condition"].as_str()
                && !resolver.condition(condition, 0)?
            {
                continue;
            }
            let properties = |body: &Value| Ok(resolver.resolve(body)?.unwrap_or(Value::Null));
            match body["Type"].as_str().unwrap_or_default() {
                "AWS::SQS::Queue" => application.queues.push(queue(id, &properties(&body["Properties"])?)?),
                "AWS::Events::Rule" => application.rules.push(rule(id, &properties(&body["Properties"])?)?),
                "AWS::Serverless::Function" => {
                    let merged = properties(&merge(globals, &body["Properties"]))?;
                    application.functions.push(function(id, &body["Metadata"], &merged)?);
                }
                kind if WITHOUT_COUNTERPART.contains(&kind) => {}
                kind => return Err(unsupported(id, format!("no local counterpart of {kind}"))),
            }
        }
        Ok(application)
    }

    fn parameter_values(
        &self,
        values: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, Value>, TemplateError> {
        let declared = self.parameters();
        if let Some(name) =
            values.keys().find(|name| !declared.iter().any(|parameter| parameter.name == **name))
        {
            return Err(TemplateError::Unknown { what: "parameter", name: name.clone() });
        }
        declared
            .into_iter()
            .map(|parameter| {
                let given = values.get(&parameter.name).cloned().or(parameter.default);
                let text = given.ok_or_else(|| TemplateError::NoValue(parameter.name.clone()))?;
                let value = if parameter.is_list { text.split(',').collect() } else { Value::String(text) };
                Ok((parameter.name, value))
            })
            .collect()
    }
}

/// SAM's rule for `Globals`: maps are merged, lists are joined, anything else is replaced.
fn merge(global: &Value, own: &Value) -> Value {
    match (global, own) {
        (Value::Object(global), Value::Object(own)) => {
            let mut merged = global.clone();
            for (key, value) in own {
                let value = merged.get(key).map_or_else(|| value.clone(), |global| merge(global, value));
                merged.insert(key.clone(), value);
            }
            Value::Object(merged)
        }
        (Value::Array(global), Value::Array(own)) => global.iter().chain(own).cloned().collect(),
        (global, Value::Null) => global.clone(),
        (_, own) => own.clone(),
    }
}

fn queue(id: &str, properties: &Value) -> Result<QueueSpec, TemplateError> {
    let mut name = id.to_owned();
    let mut attributes = BTreeMap::new();
    for (key, value) in properties.as_object().into_iter().flatten() {
        match (key.as_str(), value) {
            ("QueueName", Value::String(given)) => name.clone_from(given),
            ("Tags", _) => {}
            ("RedrivePolicy" | "RedriveAllowPolicy", Value::Object(_)) => {
                attributes.insert(key.clone(), value.to_string());
            }
            _ => {
                let text =
                    resolve::scalar(value).ok_or_else(|| unsupported(id, format!("property {key}")))?;
                attributes.insert(key.clone(), text);
            }
        }
    }
    Ok(QueueSpec { id: id.to_owned(), name, attributes })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RuleProperties {
    name: Option<String>,
    #[serde(rename = "Description")]
    _description: Option<String>,
    event_pattern: Value,
    targets: Vec<TargetSpec>,
}

fn rule(id: &str, properties: &Value) -> Result<RuleSpec, TemplateError> {
    let rule = RuleProperties::deserialize(properties).map_err(|error| unsupported(id, error.to_string()))?;
    if let Some(target) = rule.targets.iter().find(|target| !target.arn.starts_with("arn:aws:sqs:")) {
        return Err(unsupported(id, format!("target {} is no queue", target.id)));
    }
    Ok(RuleSpec {
        name: rule.name.unwrap_or_else(|| id.to_owned()),
        event_pattern: rule.event_pattern.to_string(),
        targets: rule.targets,
    })
}

fn function(id: &str, metadata: &Value, properties: &Value) -> Result<FunctionSpec, TemplateError> {
    let text = |value: &Value, what: &str| {
        resolve::scalar(value).ok_or_else(|| unsupported(id, format!("{what} is missing or no text")))
    };
    let number = |value: &Value, what: &str| number(id, value, what);
    let binary = text(&metadata["BuildProperties"]["Binary"], "Metadata.BuildProperties.Binary")?;
    let mut environment = BTreeMap::new();
    for (name, value) in properties["Environment"]["Variables"].as_object().into_iter().flatten() {
        environment.insert(name.clone(), text(value, name)?);
    }
    let (mut mappings, mut schedules) = (Vec::new(), Vec::new());
    for (name, event) in properties["Events"].as_object().into_iter().flatten() {
        let properties = &event["Properties"];
        match event["Type"].as_str().unwrap_or_default() {
            "SQS" => mappings.push(mapping(id, name, properties)?),
            "Schedule" => schedules.push(schedule::schedule(id, name, properties)?),
            kind => {
                return Err(unsupported(id, format!("event {name}: no local counterpart of type {kind}")));
            }
        }
    }
    Ok(FunctionSpec {
        binary,
        function_name: resolve::scalar(&properties["FunctionName"]).unwrap_or_else(|| id.to_owned()),
        timeout_seconds: number(&properties["Timeout"], "Timeout")?,
        memory_mb: number(&properties["MemorySize"], "MemorySize")?,
        handler: text(&properties["Handler"], "Handler")?,
        log_format: resolve::scalar(&properties["LoggingConfig"]["LogFormat"])
            .unwrap_or_else(|| "Text".to_owned()),
        environment,
        mappings,
        schedules,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct SqsEvent {
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
    let properties = SqsEvent::deserialize(properties)
        .map_err(|error| unsupported(id, format!("event {name}: {error}")))?;
    let or = |value: &Value, default: u32, what: &str| {
        if value.is_null() { Ok(default) } else { number(id, value, what) }
    };
    if let Some(other) =
        properties.function_response_types.iter().find(|kind| *kind != "ReportBatchItemFailures")
    {
        return Err(unsupported(id, format!("event {name}: response type {other}")));
    }
    Ok(MappingSpec {
        name: name.to_owned(),
        queue_arn: properties.queue,
        batch_size: or(&properties.batch_size, 10, "BatchSize")?,
        window_seconds: or(
            &properties.maximum_batching_window_in_seconds,
            0,
            "MaximumBatchingWindowInSeconds",
        )?,
        // Without a maximum, AWS stops at the account's limit of concurrent executions.
        maximum_concurrency: or(&properties.scaling_config.maximum_concurrency, 1000, "MaximumConcurrency")?,
        reports_item_failures: !properties.function_response_types.is_empty(),
        enabled: resolve::scalar(&properties.enabled).is_none_or(|text| text == "true"),
    })
}

/// A number, or a parameter's text of one.
fn number(id: &str, value: &Value, what: &str) -> Result<u32, TemplateError> {
    let text = resolve::scalar(value).unwrap_or_default();
    text.parse().map_err(|_| unsupported(id, format!("{what} is no number: {text:?}")))
}

fn unsupported(resource: &str, problem: String) -> TemplateError {
    TemplateError::Unsupported { resource: resource.to_owned(), problem }
}

#[cfg(test)]
mod tests;
