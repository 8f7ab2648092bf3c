//! What SAM owns on AWS: the queues and rules of template.yaml, made in the emulated services.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use aws_sdk_eventbridge::types::{DeadLetterConfig, Target};
use aws_sdk_sqs::types::QueueAttributeName;

use crate::error::{LocalError, aws, io};
use crate::foundation::{Clients, ENVIRONMENT, ssm_name};
use crate::template::{Application, QueueSpec, RuleSpec, Surroundings, Template};

/// Most names that one `GetParameters` takes.
const SSM_BATCH: usize = 10;

/// Reads the template and resolves it, with the SSM parameters of the local environment. `given` goes before all.
pub(crate) async fn resolve(
    path: &Path,
    clients: &Clients,
    surroundings: &Surroundings,
    given: &BTreeMap<String, String>,
) -> Result<Application, LocalError> {
    let text = std::fs::read_to_string(path).map_err(io(format!("reading {}", path.display())))?;
    let template = Template::parse(&text)?;
    let mut values = BTreeMap::from([
        ("Environment".to_owned(), ENVIRONMENT.to_owned()),
        ("DatabaseAuth".to_owned(), "secret".to_owned()),
        ("DatabaseTls".to_owned(), "disable".to_owned()),
    ]);
    // The defaults are names of the dev environment; ours has the same ones under its own path.
    let from_ssm: Vec<(String, String)> = template
        .parameters()
        .into_iter()
        .filter(|parameter| parameter.from_ssm)
        .filter_map(|parameter| {
            let default = parameter.default?;
            Some((parameter.name, ssm_name(default.rsplit('/').next()?)))
        })
        .collect();
    let found = ssm_values(clients, from_ssm.iter().map(|(_, name)| name.clone()).collect()).await?;
    for (parameter, name) in from_ssm {
        values.insert(parameter, found[&name].clone());
    }
    values.extend(given.clone());
    Ok(template.resolve(&values, surroundings)?)
}

async fn ssm_values(clients: &Clients, names: Vec<String>) -> Result<BTreeMap<String, String>, LocalError> {
    let mut values = BTreeMap::new();
    for batch in names.chunks(SSM_BATCH) {
        let request = clients.ssm.get_parameters().set_names(Some(batch.to_vec()));
        let found = request.send().await.map_err(aws("ssm GetParameters"))?;
        if let Some(name) = found.invalid_parameters().first() {
            let message = format!("the local environment has no {name}, which template.yaml asks for");
            return Err(LocalError::Aws { operation: "ssm GetParameters", message });
        }
        for parameter in found.parameters.unwrap_or_default() {
            values.insert(parameter.name.unwrap_or_default(), parameter.value.unwrap_or_default());
        }
    }
    Ok(values)
}

/// Makes queues and rules. `visibility_timeout` replaces the template's on the queues that feed a function.
pub(crate) async fn create(
    application: &Application,
    clients: &Clients,
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
    // Only once all of them are there: a dead-letter queue must exist before it is named.
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

async fn create_queue(
    queue: &QueueSpec,
    clients: &Clients,
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
    Ok(created.queue_url.unwrap_or_default())
}

async fn create_rule(rule: &RuleSpec, clients: &Clients) -> Result<(), LocalError> {
    let request = clients.events.put_rule().name(&rule.name).event_pattern(&rule.event_pattern);
    request.send().await.map_err(aws("events PutRule"))?;
    let mut request = clients.events.put_targets().rule(&rule.name);
    for target in &rule.targets {
        let dead_letters = target
            .dead_letter_config
            .as_ref()
            .map(|config| DeadLetterConfig::builder().arn(&config.arn).build());
        let target =
            Target::builder().id(&target.id).arn(&target.arn).set_dead_letter_config(dead_letters).build();
        request = request.targets(target.map_err(aws("events PutTargets"))?);
    }
    let put = request.send().await.map_err(aws("events PutTargets"))?;
    match put.failed_entries().first() {
        None => Ok(()),
        Some(failed) => {
            let message = failed.error_message().unwrap_or("refused").to_owned();
            Err(LocalError::Aws { operation: "events PutTargets", message })
        }
    }
}
