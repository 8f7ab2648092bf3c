//! Schedules of functions.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::error::{TemplateError, unsupported};
use super::spec::ScheduleSpec;
use super::value::flag;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ScheduleProperties {
    schedule: String,
    name: Option<String>,
    #[serde(rename = "Description")]
    _description: Option<String>,
    #[serde(default)]
    enabled: Value,
}

/// Returns the schedule of the event `name` of the function `id`.
pub(super) fn schedule(id: &str, name: &str, properties: &Value) -> Result<ScheduleSpec, TemplateError> {
    let error = |problem: String| unsupported(id, format!("event {name}: {problem}"));
    let properties =
        ScheduleProperties::deserialize(properties).map_err(|problem| error(problem.to_string()))?;
    let every = rate(&properties.schedule).ok_or_else(|| {
        error(format!(
            "{:?} is not a rate such as rate(15 minutes), the only supported schedule",
            properties.schedule
        ))
    })?;
    Ok(ScheduleSpec {
        rule_name: properties.name.unwrap_or_else(|| format!("{id}{name}")),
        every,
        enabled: flag(id, &properties.enabled, "Enabled")?,
    })
}

/// Parses `rate(1 hour)` or `rate(15 minutes)`. EventBridge requires the singular for 1 and the plural for other
/// numbers.
///
/// <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html#eb-rate-expressions>
fn rate(text: &str) -> Option<Duration> {
    let (count, unit) = text.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    let singular = if count == 1 { unit } else { unit.strip_suffix('s')? };
    let seconds = match singular {
        "minute" => 60,
        "hour" => 3_600,
        "day" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(count.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_parsed_as_by_eventbridge() {
        for (text, seconds) in [
            ("rate(1 minute)", Some(60)),
            ("rate(15 minutes)", Some(900)),
            ("rate(1 hour)", Some(3_600)),
            ("rate(2 days)", Some(172_800)),
            ("rate(1 minutes)", None),
            ("rate(2 minute)", None),
            ("rate(0 minutes)", None),
            ("rate(-1 minutes)", None),
            ("rate(30 seconds)", None),
            ("rate(15minutes)", None),
            ("rate(18446744073709551615 days)", None),
            ("cron(0 12 * * ? *)", None),
            ("", None),
        ] {
            assert_eq!(rate(text), seconds.map(Duration::from_secs), "{text}");
        }
    }
}
