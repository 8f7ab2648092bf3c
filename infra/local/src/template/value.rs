//! Scalar values of a template.

use serde_json::Value;

use super::error::{TemplateError, unsupported};

/// Returns the text of a scalar in CloudFormation's form.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Returns a number, which may be the text of a parameter.
pub(super) fn number(id: &str, value: &Value, what: &str) -> Result<u32, TemplateError> {
    let number = scalar(value).and_then(|text| text.parse().ok());
    number.ok_or_else(|| unsupported(id, format!("{what} is not a number: {value}")))
}

/// Returns a boolean, which may be the text of a parameter and is true by default.
pub(super) fn flag(id: &str, value: &Value, what: &str) -> Result<bool, TemplateError> {
    match scalar(value).as_deref() {
        None if value.is_null() => Ok(true),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) | None => Err(unsupported(id, format!("{what} is not a boolean: {value}"))),
    }
}
