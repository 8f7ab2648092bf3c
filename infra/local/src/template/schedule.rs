//! A function's schedule.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::{TemplateError, resolve, unsupported};

/// What invokes a function from time to time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// Name of the rule that SAM makes of it.
    pub rule_name: String,
    /// From one invocation to the next.
    pub every: Duration,
    /// False: it is there, but only invokes when asked to.
    pub enabled: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ScheduleEvent {
    schedule: String,
    name: Option<String>,
    #[serde(rename = "Description")]
    _description: Option<String>,
    #[serde(default)]
    enabled: Value,
}

/// The event `name` of the function `id`, which is of type `Schedule`.
pub(super) fn schedule(id: &str, name: &str, properties: &Value) -> Result<ScheduleSpec, TemplateError> {
    let refused = |problem: String| unsupported(id, format!("event {name}: {problem}"));
    let properties = ScheduleEvent::deserialize(properties).map_err(|error| refused(error.to_string()))?;
    let every = rate(&properties.schedule).ok_or_else(|| {
        refused(format!(
            "{:?} is no rate such as rate(15 minutes), the only schedule known here",
            properties.schedule
        ))
    })?;
    Ok(ScheduleSpec {
        rule_name: properties.name.unwrap_or_else(|| format!("{id}{name}")),
        every,
        enabled: resolve::scalar(&properties.enabled).is_none_or(|text| text == "true"),
    })
}

/// `rate(1 hour)`, `rate(15 minutes)`: one is singular and more are plural, or EventBridge refuses it.
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
    fn a_rate_is_read_as_eventbridge_reads_it() {
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
