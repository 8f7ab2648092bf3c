//! The resources of a resolved template.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

/// An SQS queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSpec {
    /// The logical id.
    pub id: String,
    /// The name.
    pub name: String,
    /// The attributes in the form of `CreateQueue`.
    pub attributes: BTreeMap<String, String>,
}

/// An EventBridge rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleSpec {
    /// The name.
    pub name: String,
    /// The event pattern as JSON.
    pub event_pattern: String,
    /// The targets.
    pub targets: Vec<TargetSpec>,
}

/// A target of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct TargetSpec {
    /// The id within the rule.
    pub id: String,
    /// The ARN of the queue.
    pub arn: String,
    /// The queue of undeliverable events.
    #[serde(default)]
    pub dead_letter_config: Option<DeadLetterSpec>,
}

/// The queue of undeliverable events.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct DeadLetterSpec {
    /// The ARN of the queue.
    pub arn: String,
}

/// A Lambda function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionSpec {
    /// The name of the binary, which identifies the function in the local stack: `ingest`.
    pub binary: String,
    /// The name on AWS.
    pub function_name: String,
    /// The time limit of an invocation.
    pub timeout_seconds: u32,
    /// The memory.
    pub memory_mb: u32,
    /// `_HANDLER`.
    pub handler: String,
    /// `JSON` or `Text`.
    pub log_format: String,
    /// The environment variables.
    pub environment: BTreeMap<String, String>,
    /// The queues that invoke the function.
    pub mappings: Vec<MappingSpec>,
    /// The schedules that invoke the function.
    pub schedules: Vec<ScheduleSpec>,
}

/// An event source mapping from SQS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingSpec {
    /// The name of the event in the template.
    pub name: String,
    /// The ARN of the queue.
    pub queue_arn: String,
    /// The maximum number of messages in one invocation.
    pub batch_size: u32,
    /// The batching window.
    pub window_seconds: u32,
    /// The maximum number of concurrent invocations.
    pub maximum_concurrency: u32,
    /// Whether the response contains the ids of failed messages.
    pub reports_item_failures: bool,
    /// Whether the mapping polls its queue.
    pub enabled: bool,
}

/// A schedule of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// The name of the rule that SAM creates.
    pub rule_name: String,
    /// The time between two invocations.
    pub every: Duration,
    /// Whether the schedule invokes the function by itself. A disabled one can be run on request.
    pub enabled: bool,
}

/// The resources of a template that the local stack runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The queues.
    pub queues: Vec<QueueSpec>,
    /// The rules.
    pub rules: Vec<RuleSpec>,
    /// The functions.
    pub functions: Vec<FunctionSpec>,
}
