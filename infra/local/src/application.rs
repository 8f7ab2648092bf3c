//! The resources that SAM owns on AWS: the queues and rules of template.yaml, created in the emulated services.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::json;

use crate::aws_json::{JsonService, text_field};
use crate::error::{LocalError, aws, io};
use crate::foundation::{AwsClients, ENVIRONMENT, ssm_name};
use crate::template::{Application, DeploymentContext, QueueSpec, RuleSpec, Template};

/// The maximum number of names in one `GetParameters` call.
const SSM_BATCH: usize = 10;

/// Parses the template and resolves it with the SSM parameters of the local environment. Values in `given` take
/// precedence.
pub(crate) async fn resolve(
    path: &Path,
    clients: &AwsClients,
    context: &DeploymentContext,
    given: &BTreeMap<String, String>,
) -> Result<Application, LocalError> {
    let text = std::fs::read_to_string(path).map_err(io(format!("reading {}", path.display())))?;
    let template = Template::parse(&text)?;
    let mut values = BTreeMap::from([
        ("Environment".to_owned(), ENVIRONMENT.to_owned()),
        ("DatabaseAuth".to_owned(), "secret".to_owned()),
        ("DatabaseTls".to_owned(), "disable".to_owned()),
    ]);
    // The defaults are names of the dev environment. The local one has the same names under its own path.
    let from_ssm: Vec<(String, String)> = template
        .parameters()
        .into_iter()
        .filter(|parameter| parameter.from_ssm)
        .filter_map(|parameter| {
            let default = parameter.default?;
            Some((parameter.name, ssm_name(default.rsplit('/').next()?)))
        })
        .collect();
    let ssm = ssm_values(clients, from_ssm.iter().map(|(_, name)| name.as_str()).collect()).await?;
    for (parameter, name) in from_ssm {
        values.insert(parameter, ssm[&name].clone());
    }
    values.extend(given.clone());
    Ok(template.resolve(&values, context)?)
}

async fn ssm_values(clients: &AwsClients, names: Vec<&str>) -> Result<BTreeMap<String, String>, LocalError> {
    const OPERATION: &str = "ssm GetParameters";
    let mut values = BTreeMap::new();
    for batch in names.chunks(SSM_BATCH) {
        let input = json!({ "Names": batch });
        let response = clients.json.call(JsonService::Ssm, "GetParameters", &input).await?;
        if let Some(name) = response["InvalidParameters"].get(0) {
            let message = format!("the local environment has no parameter {name}, which template.yaml uses");
            return Err(LocalError::Aws { operation: OPERATION.to_owned(), message });
        }
        for parameter in response["Parameters"].as_array().into_iter().flatten() {
            let name = text_field(parameter, "Name", OPERATION)?;
            values.insert(name, text_field(parameter, "Value", OPERATION)?);
        }
    }
    Ok(values)
}

/// Creates the queues and rules. `visibility_timeout` replaces the template's on the queues that invoke a function.
pub(crate) async fn create(
    application: &Application,
    clients: &AwsClients,
    visibility_timeout: Option<Duration>,
) -> Result<(), LocalError> {
    let mappings = application.functions.iter().flat_map(|function| &function.mappings);
    let sources: BTreeSet<&str> =
        mappings.filter_map(|mapping| mapping.queue_arn.rsplit(':').next()).collect();
    let mut urls = BTreeMap::new();
    for queue in &application.queues {
        let visibility = visibility_timeout.filter(|_| sources.contains(queue.name.as_str()));
        urls.insert(queue.name.as_str(), create_queue(queue, clients, visibility).await?);
    }
    // Set after all queues exist, because a redrive policy must name an existing dead-letter queue.
    for queue in &application.queues {
        if let Some(policy) = queue.attributes.get("RedrivePolicy") {
            let request = clients.sqs.set_queue_attributes().queue_url(&urls[queue.name.as_str()]);
            let request = request.attributes(QueueAttributeName::RedrivePolicy, policy);
            request.send().await.map_err(aws("sqs SetQueueAttributes"))?;
        }
    }
    for rule in &application.rules {
        create_rule(rule, clients).await?;
    }
    Ok(())
}

/// Creates a queue without its redrive policy and returns its URL.
async fn create_queue(
    queue: &QueueSpec,
    clients: &AwsClients,
    visibility_timeout: Option<Duration>,
) -> Result<String, LocalError> {
    let mut request = clients.sqs.create_queue().queue_name(&queue.name);
    for (name, value) in &queue.attributes {
        if name != "RedrivePolicy" {
            request = request.attributes(QueueAttributeName::from(name.as_str()), value);
        }
    }
    if let Some(timeout) = visibility_timeout {
        request = request.attributes(QueueAttributeName::VisibilityTimeout, timeout.as_secs().to_string());
    }
    let created = request.send().await.map_err(aws("sqs CreateQueue"))?;
    created.queue_url.ok_or_else(|| LocalError::Aws {
        operation: "sqs CreateQueue".to_owned(),
        message: "the response has no QueueUrl".to_owned(),
    })
}

async fn create_rule(rule: &RuleSpec, clients: &AwsClients) -> Result<(), LocalError> {
    let input = json!({"Name": rule.name, "EventPattern": rule.event_pattern});
    clients.json.call(JsonService::EventBridge, "PutRule", &input).await?;
    let targets: Vec<_> = rule
        .targets
        .iter()
        .map(|target| {
            let mut json = json!({"Id": target.id, "Arn": target.arn});
            if let Some(config) = &target.dead_letter_config {
                json["DeadLetterConfig"] = json!({"Arn": config.arn});
            }
            json
        })
        .collect();
    let input = json!({"Rule": rule.name, "Targets": targets});
    let response = clients.json.call(JsonService::EventBridge, "PutTargets", &input).await?;
    match response["FailedEntries"].get(0) {
        None => Ok(()),
        Some(failed) => {
            Err(LocalError::Aws { operation: "events PutTargets".to_owned(), message: failed.to_string() })
        }
    }
}
