//! The resolution of intrinsic functions with parameters, conditions and the template's resources.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::error::TemplateError;
use super::value::scalar;

/// The account and endpoint that the template is resolved for.
#[derive(Debug, Clone)]
pub struct DeploymentContext {
    /// The AWS region.
    pub region: String,
    /// The AWS account id.
    pub account_id: String,
    /// The endpoint of SQS, with which queue URLs begin.
    pub sqs_endpoint: String,
}

/// The maximum depth of nested references. A deeper one is treated as a cycle.
const MAX_DEPTH: usize = 32;

pub(super) struct Resolver<'a> {
    pub(super) context: &'a DeploymentContext,
    pub(super) parameters: &'a BTreeMap<String, Value>,
    pub(super) conditions: &'a Map<String, Value>,
    pub(super) resources: &'a Map<String, Value>,
}

impl Resolver<'_> {
    /// Returns the value with all intrinsic functions resolved, or `None` for `AWS::NoValue`.
    pub(super) fn resolve(&self, value: &Value) -> Result<Option<Value>, TemplateError> {
        self.at_depth(value, 0)
    }

    /// Returns whether the condition with this name is satisfied.
    pub(super) fn condition(&self, name: &str, depth: usize) -> Result<bool, TemplateError> {
        let condition = self
            .conditions
            .get(name)
            .ok_or_else(|| TemplateError::Unknown { what: "condition", name: name.to_owned() })?;
        self.truth(condition, depth + 1)
    }

    fn at_depth(&self, value: &Value, depth: usize) -> Result<Option<Value>, TemplateError> {
        if depth > MAX_DEPTH {
            return Err(TemplateError::Intrinsic {
                name: "Ref".to_owned(),
                problem: "is nested too deeply or refers to itself".to_owned(),
            });
        }
        match value {
            Value::Array(items) => {
                let resolved = items.iter().map(|item| self.at_depth(item, depth + 1));
                resolved
                    .filter_map(Result::transpose)
                    .collect::<Result<_, _>>()
                    .map(|list| Some(Value::Array(list)))
            }
            Value::Object(map) => match intrinsic(map) {
                Some((name, argument)) => self.call(name, argument, depth + 1),
                None => {
                    let mut resolved = Map::new();
                    for (key, value) in map {
                        if let Some(value) = self.at_depth(value, depth + 1)? {
                            resolved.insert(key.clone(), value);
                        }
                    }
                    Ok(Some(Value::Object(resolved)))
                }
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(Some(value.clone())),
        }
    }

    fn call(&self, name: &str, argument: &Value, depth: usize) -> Result<Option<Value>, TemplateError> {
        match (name, argument) {
            ("Ref", Value::String(target)) => self.reference(target, depth),
            ("Fn::GetAtt", Value::Array(path)) => match path.as_slice() {
                [Value::String(resource), Value::String(attribute)] => {
                    self.attribute(resource, attribute, depth).map(Some)
                }
                _ => Err(malformed(name)),
            },
            ("Fn::Sub", Value::String(text)) => self.substitute(text, &Map::new(), depth).map(Some),
            ("Fn::Sub", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(text), Value::Object(names)] => self.substitute(text, names, depth).map(Some),
                _ => Err(malformed(name)),
            },
            ("Fn::If", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(condition), yes, no] => {
                    let chosen = if self.condition(condition, depth)? { yes } else { no };
                    self.at_depth(chosen, depth)
                }
                _ => Err(malformed(name)),
            },
            ("Fn::Join", Value::Array(parts)) => match parts.as_slice() {
                [Value::String(separator), list] => self.join(separator, list, depth).map(Some),
                _ => Err(malformed(name)),
            },
            ("Fn::Equals" | "Fn::Not" | "Fn::And" | "Fn::Or" | "Condition", argument) => {
                self.truth(&json!({ name: argument }), depth).map(|truth| Some(truth.into()))
            }
            _ => Err(malformed(name)),
        }
    }

    fn reference(&self, target: &str, depth: usize) -> Result<Option<Value>, TemplateError> {
        let DeploymentContext { region, account_id, .. } = self.context;
        Ok(Some(match target {
            "AWS::NoValue" => return Ok(None),
            "AWS::Region" => region.as_str().into(),
            "AWS::AccountId" => account_id.as_str().into(),
            "AWS::Partition" => "aws".into(),
            "AWS::URLSuffix" => "amazonaws.com".into(),
            "AWS::StackName" => "penstock-local".into(),
            _ => match self.parameters.get(target) {
                Some(value) => value.clone(),
                None => self.attribute(target, "Ref", depth)?,
            },
        }))
    }

    /// Returns the value of a resource's attribute, or of a reference to it, as on AWS.
    fn attribute(&self, resource: &str, attribute: &str, depth: usize) -> Result<Value, TemplateError> {
        let body = self.resources.get(resource).ok_or_else(|| TemplateError::Unknown {
            what: "parameter or resource",
            name: resource.to_owned(),
        })?;
        let kind = body["Type"].as_str().expect("`Template::parse` has checked that there is a type");
        let DeploymentContext { region, account_id, sqs_endpoint } = self.context;
        let name = |property: &str| self.name(resource, &body["Properties"][property], depth);
        let arn = |service: &str, name: String| format!("arn:aws:{service}:{region}:{account_id}:{name}");
        Ok(match (kind, attribute) {
            ("AWS::SQS::Queue", "Ref" | "QueueUrl") => {
                format!("{sqs_endpoint}/{account_id}/{}", name("QueueName")?)
            }
            ("AWS::SQS::Queue", "Arn") => arn("sqs", name("QueueName")?),
            ("AWS::SQS::Queue", "QueueName") => name("QueueName")?,
            ("AWS::Events::Rule", "Ref") => name("Name")?,
            ("AWS::Events::Rule", "Arn") => arn("events", format!("rule/{}", name("Name")?)),
            ("AWS::Serverless::Function", "Ref") => name("FunctionName")?,
            ("AWS::Serverless::Function", "Arn") => {
                arn("lambda", format!("function:{}", name("FunctionName")?))
            }
            ("AWS::IAM::Role", "Arn") => {
                format!("arn:aws:iam::{account_id}:role/{}", name("RoleName")?)
            }
            ("AWS::Logs::LogGroup", "Ref") => name("LogGroupName")?,
            ("AWS::CloudWatch::Alarm", "Ref") => name("AlarmName")?,
            _ => {
                let name = format!("{resource}.{attribute} ({kind})");
                return Err(TemplateError::Unknown { what: "attribute", name });
            }
        }
        .into())
    }

    /// Returns a resource's name. Without one, CloudFormation generates a name; the local stack uses the logical id.
    fn name(&self, resource: &str, property: &Value, depth: usize) -> Result<String, TemplateError> {
        match self.at_depth(property, depth + 1)? {
            Some(Value::String(name)) => Ok(name),
            Some(_) | None => Ok(resource.to_owned()),
        }
    }

    fn substitute(
        &self,
        text: &str,
        names: &Map<String, Value>,
        depth: usize,
    ) -> Result<Value, TemplateError> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let (name, remainder) = after.split_once('}').ok_or_else(|| malformed("Fn::Sub"))?;
            rest = remainder;
            if let Some(literal) = name.strip_prefix('!') {
                result.push_str(&format!("${{{literal}}}"));
                continue;
            }
            let value = match (names.get(name), name.split_once('.')) {
                (Some(value), _) => self.at_depth(value, depth + 1)?,
                (None, Some((resource, attribute))) => {
                    self.attribute(resource, attribute, depth).map(Some)?
                }
                (None, None) => self.reference(name, depth)?,
            };
            result.push_str(&scalar(&value.unwrap_or(Value::Null)).ok_or_else(|| malformed("Fn::Sub"))?);
        }
        Ok(Value::String(result + rest))
    }

    fn join(&self, separator: &str, list: &Value, depth: usize) -> Result<Value, TemplateError> {
        match self.at_depth(list, depth)? {
            Some(Value::Array(items)) => {
                let parts: Option<Vec<String>> = items.iter().map(scalar).collect();
                Ok(parts.ok_or_else(|| malformed("Fn::Join"))?.join(separator).into())
            }
            Some(_) | None => Err(malformed("Fn::Join")),
        }
    }

    fn truth(&self, condition: &Value, depth: usize) -> Result<bool, TemplateError> {
        let call = condition.as_object().and_then(intrinsic);
        match call {
            Some(("Fn::Equals", Value::Array(sides))) if sides.len() == 2 => {
                let left = self.at_depth(&sides[0], depth + 1)?;
                let right = self.at_depth(&sides[1], depth + 1)?;
                // A parameter's value is text, and the template may compare it with a number or a boolean.
                Ok(left.as_ref().map(scalar) == right.as_ref().map(scalar))
            }
            Some(("Fn::Not", Value::Array(inner))) if inner.len() == 1 => {
                Ok(!self.truth(&inner[0], depth + 1)?)
            }
            Some(("Fn::And", Value::Array(inner))) => {
                inner.iter().try_fold(true, |all, one| Ok(self.truth(one, depth + 1)? && all))
            }
            Some(("Fn::Or", Value::Array(inner))) => {
                inner.iter().try_fold(false, |any, one| Ok(self.truth(one, depth + 1)? || any))
            }
            Some(("Condition", Value::String(name))) => self.condition(name, depth),
            Some((name, _)) => Err(malformed(name)),
            None => Err(malformed("Condition")),
        }
    }
}

fn intrinsic(map: &Map<String, Value>) -> Option<(&str, &Value)> {
    let (key, argument) = map.iter().next().filter(|_| map.len() == 1)?;
    // `Condition` is also a plain key of a policy statement, with an object as its value.
    let is_call = key == "Ref" || key.starts_with("Fn::") || (key == "Condition" && argument.is_string());
    is_call.then_some((key.as_str(), argument))
}

fn malformed(name: &str) -> TemplateError {
    let problem = "is not supported or malformed".to_owned();
    TemplateError::Intrinsic { name: name.to_owned(), problem }
}

#[cfg(test)]
mod tests {
    use super::super::yaml;
    use super::*;

    const TEMPLATE: &str = r#"
Conditions:
  Big: !Equals [!Ref Size, big]
  Small: !Not [!Condition Big]
  Both: !And [!Condition Big, !Condition Small]
Resources:
  Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub "${Size}-queue"}}
  Role: {Type: AWS::IAM::Role, Properties: {RoleName: reader}}
  Lines: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Sub "/aws/lambda/${Size}"}}
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {AlarmName: !Sub "${Size}-errors"}}
  Cycle: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref Cycle}}
"#;

    fn resolve(expression: &str) -> Result<Option<Value>, TemplateError> {
        let template = yaml::parse(TEMPLATE).unwrap();
        let context = DeploymentContext {
            region: "eu-central-1".to_owned(),
            account_id: "123456789012".to_owned(),
            sqs_endpoint: "http://127.0.0.1:1".to_owned(),
        };
        let resolver = Resolver {
            context: &context,
            parameters: &BTreeMap::from([
                ("Size".to_owned(), json!("big")),
                ("Ids".to_owned(), json!(["a", "b"])),
            ]),
            conditions: template["Conditions"].as_object().unwrap(),
            resources: template["Resources"].as_object().unwrap(),
        };
        resolver.resolve(&yaml::parse(expression).unwrap())
    }

    #[test]
    fn intrinsic_functions_are_resolved_as_by_cloudformation() {
        let cases = [
            ("!Ref Size", json!("big")),
            ("!Ref Queue", json!("http://127.0.0.1:1/123456789012/big-queue")),
            ("!GetAtt Queue.Arn", json!("arn:aws:sqs:eu-central-1:123456789012:big-queue")),
            ("!GetAtt Role.Arn", json!("arn:aws:iam::123456789012:role/reader")),
            ("!Ref Lines", json!("/aws/lambda/big")),
            ("!Ref Alarm", json!("big-errors")),
            ("!Sub '${Queue.QueueName} ${AWS::Region} ${!plain}'", json!("big-queue eu-central-1 ${plain}")),
            ("!Sub ['${x}-${Size}', {x: !Ref AWS::Partition}]", json!("aws-big")),
            ("!Join ['+', !Ref Ids]", json!("a+b")),
            ("!If [Big, 1, 2]", json!(1)),
            ("!If [Small, 1, 2]", json!(2)),
            ("!If [Both, 1, 2]", json!(2)),
            ("a: {b: !Ref AWS::NoValue, c: 1}", json!({"a": {"c": 1}})),
            ("[1, !Ref AWS::NoValue]", json!([1])),
            (
                "Condition: {StringEquals: {x: !Ref Size}}",
                json!({"Condition": {"StringEquals": {"x": "big"}}}),
            ),
        ];
        for (expression, expected) in cases {
            assert_eq!(resolve(expression).unwrap(), Some(expected), "{expression}");
        }
    }

    #[test]
    fn an_error_names_the_unknown_part() {
        for (expression, named) in [
            ("!Ref Nothing", "Nothing"),
            ("!GetAtt Queue.Colour", "Queue.Colour"),
            ("!Cidr [a, b]", "Fn::Cidr"),
            ("!If [Nothing, 1, 2]", "Nothing"),
            ("!Sub '${Size'", "Fn::Sub"),
            ("!Ref Cycle", "refers to itself"),
        ] {
            let error = resolve(expression).unwrap_err().to_string();
            assert!(error.contains(named), "{expression}: {error}");
        }
    }
}
