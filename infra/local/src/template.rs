//! The SAM template, resolved: its functions, queues, rules and mappings.
//!
//! The local stack runs the template that is deployed. An unsupported resource, intrinsic function or event property is
//! an error, so that the local stack never differs from AWS unnoticed.

mod error;
mod function;
mod resolve;
mod schedule;
mod spec;
mod value;
mod yaml;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use error::TemplateError;
pub use resolve::DeploymentContext;
pub use spec::{
    Application, DeadLetterSpec, FunctionSpec, MappingSpec, QueueSpec, RuleSpec, ScheduleSpec, TargetSpec,
};

use error::unsupported;
use function::function;
use resolve::Resolver;
use value::scalar;

/// Resources that the local stack ignores: it has no IAM, no CloudWatch and no gradual deployment.
const IGNORED: [&str; 4] =
    ["AWS::SQS::QueuePolicy", "AWS::IAM::Role", "AWS::Logs::LogGroup", "AWS::CloudWatch::Alarm"];

/// A declared parameter.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// Whether the value is the name of an SSM parameter with the real value.
    pub from_ssm: bool,
    /// Whether the real value is a comma-separated list.
    pub is_list: bool,
    /// The default as text.
    pub default: Option<String>,
}

/// A parsed template whose intrinsic functions are not resolved.
#[derive(Debug, Clone)]
pub struct Template {
    document: Value,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// Returns an error if the text is not YAML or has no resources, or a parameter or a resource has no type.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let document = yaml::parse(text).map_err(TemplateError::Malformed)?;
        if !document["Resources"].is_object() {
            return Err(TemplateError::Malformed("it has no Resources".to_owned()));
        }
        for section in ["Parameters", "Resources"] {
            let mut entries = document[section].as_object().into_iter().flatten();
            if let Some((name, _)) = entries.find(|(_, body)| !body["Type"].is_string()) {
                return Err(TemplateError::Malformed(format!("{section}.{name} has no Type")));
            }
        }
        Ok(Self { document })
    }

    /// Returns the declared parameters.
    pub fn parameters(&self) -> Vec<Parameter> {
        let declared = self.document["Parameters"].as_object();
        let parameter = |(name, body): (&String, &Value)| {
            let kind = type_of(body);
            Parameter {
                name: name.clone(),
                from_ssm: kind.starts_with("AWS::SSM::Parameter::Value<"),
                is_list: kind.contains("List<") || kind == "CommaDelimitedList",
                default: scalar(&body["Default"]),
            }
        };
        declared.into_iter().flatten().map(parameter).collect()
    }

    /// Resolves the template with the parameters' real values as text.
    ///
    /// # Errors
    /// Returns an error if the template has an unsupported or undefined part.
    pub fn resolve(
        &self,
        values: &BTreeMap<String, String>,
        context: &DeploymentContext,
    ) -> Result<Application, TemplateError> {
        let parameters = self.parameter_values(values)?;
        let empty = Map::new();
        let section = |name: &str| self.document[name].as_object().unwrap_or(&empty);
        let resolver = Resolver {
            context,
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
            match type_of(body) {
                "AWS::SQS::Queue" => application.queues.push(queue(id, &properties(&body["Properties"])?)?),
                "AWS::Events::Rule" => application.rules.push(rule(id, &properties(&body["Properties"])?)?),
                "AWS::Serverless::Function" => {
                    let merged = properties(&merge(globals, &body["Properties"]))?;
                    application.functions.push(function(id, &body["Metadata"], &merged)?);
                }
                kind if IGNORED.contains(&kind) => {}
                kind => return Err(unsupported(id, format!("type {kind} is not supported locally"))),
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

/// Returns the type of a parameter or resource.
fn type_of(body: &Value) -> &str {
    body["Type"].as_str().expect("`Template::parse` has checked that there is a type")
}

/// Merges a function's properties into `Globals` as SAM does: maps are merged, lists are joined, other values are
/// replaced.
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
                let text = scalar(value).ok_or_else(|| unsupported(id, format!("property {key}")))?;
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
        return Err(unsupported(id, format!("target {} is not a queue", target.id)));
    }
    Ok(RuleSpec {
        name: rule.name.unwrap_or_else(|| id.to_owned()),
        event_pattern: rule.event_pattern.to_string(),
        targets: rule.targets,
    })
}

#[cfg(test)]
mod tests;
