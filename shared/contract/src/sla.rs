//! Reads `slaProperties`, the promises of the producer.

use crate::decimal::Decimal;
use crate::error::{Errors, ReadResult, quoted, suggestion};
use crate::model::{Sla, SlaProperty};
use crate::node::{NodeValue, ScalarKind};
use crate::node_ref::NodeRef;
use crate::source::{self, SchemaObject};

const DAY_SECONDS: u64 = 86_400;

/// Units of time with their spellings and their seconds. The standard names days and years, and refers to ISO for
/// others.
const UNITS: [(&[&str], u64); 7] = [
    (&["s", "sec", "second", "seconds"], 1),
    (&["m", "min", "minute", "minutes"], 60),
    (&["h", "hr", "hour", "hours"], 3_600),
    (&["d", "day", "days"], DAY_SECONDS),
    (&["w", "wk", "week", "weeks"], 7 * DAY_SECONDS),
    (&["mo", "month", "months"], 30 * DAY_SECONDS),
    (&["y", "yr", "year", "years"], 365 * DAY_SECONDS),
];

/// Reads the promises for an object of the schema. Promises whose `element` belongs to another object are omitted.
pub(crate) fn read(
    contract: &NodeRef<'_>,
    object: &SchemaObject<'_>,
    errors: &mut Errors,
) -> ReadResult<Vec<Sla>> {
    let Some(list) = contract.get("slaProperties") else { return Ok(Vec::new()) };
    let read: Vec<ReadResult<Sla>> = list.items(errors)?.iter().map(|at| sla(at, errors)).collect();
    let mut slas: Vec<Sla> = read.into_iter().collect::<ReadResult<_>>()?;
    let own = source::names(&object.at);
    slas.retain(|sla| {
        let element = sla.element.as_deref().and_then(|element| element.split('.').next());
        element.is_none_or(|element| {
            own.iter().any(|name| name == element) || !object.all_names.iter().any(|name| name == element)
        })
    });
    Ok(slas)
}

fn sla(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Sla> {
    let property = at.require("property", errors).and_then(|at| at.text(errors)).map(property);
    let value_at = at.require("value", errors);
    let value = value_at.clone().and_then(|at| scalar(&at, errors));
    let value_ext = at.get("valueExt").map(|at| scalar(&at, errors)).transpose();
    let text =
        |key: &str, errors: &mut Errors| at.get(key).map(|at| at.str(errors).map(str::to_owned)).transpose();
    let (unit, element, driver) = (text("unit", errors), text("element", errors), text("driver", errors));
    let (property, unit) = (property?, unit?);
    let seconds = match property {
        SlaProperty::Frequency | SlaProperty::Latency | SlaProperty::Retention => {
            Some(seconds(at, &value_at?, errors)?)
        }
        SlaProperty::Other(_) => None,
    };
    Ok(Sla {
        property,
        value: value?,
        value_ext: value_ext?,
        unit,
        element: element?,
        driver: driver?,
        seconds,
    })
}

/// Returns the property for a name of the standard, in any letter case, or for one of its synonyms.
fn property(text: &str) -> SlaProperty {
    match text.to_ascii_lowercase().as_str() {
        "frequency" | "fy" => SlaProperty::Frequency,
        "latency" | "ly" => SlaProperty::Latency,
        "retention" | "re" => SlaProperty::Retention,
        _ => SlaProperty::Other(text.to_owned()),
    }
}

/// Reads a scalar as text; empty for null.
fn scalar(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    match &at.node.value {
        NodeValue::Scalar(ScalarKind::Null, _) => Ok(String::new()),
        NodeValue::Scalar(_, text) => Ok(text.clone()),
        NodeValue::List(_) | NodeValue::Map(_) => Err(at.wrong_kind("a string, number or boolean", errors)),
    }
}

fn seconds(sla: &NodeRef<'_>, value: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<u64> {
    let amount = amount(value, errors).and_then(|text| {
        let amount = Decimal::parse(text).filter(Decimal::is_positive).and_then(|number| number.threshold());
        amount.ok_or_else(|| {
            value.needs(errors, format!("{} is not a duration; write a number greater than 0", quoted(text)))
        })
    });
    let unit = match sla.get("unit") {
        Some(at) => {
            at.str(errors).and_then(|text| unit_seconds(text).ok_or_else(|| unknown(&at, text, errors)))
        }
        None => Err(sla.needs(errors, "`unit` is missing; e.g. `d` for days, `h` for hours")),
    };
    amount?.times(unit?).ok_or_else(|| value.needs(errors, "the duration is too long"))
}

/// Reads the number, which the standard also allows as a string.
fn amount<'n>(value: &NodeRef<'n>, errors: &mut Errors) -> ReadResult<&'n str> {
    match &value.node.value {
        NodeValue::Scalar(ScalarKind::Int | ScalarKind::Float | ScalarKind::Str, text) => Ok(text),
        NodeValue::Scalar(ScalarKind::Null | ScalarKind::Bool, text) => {
            Err(value
                .needs(errors, format!("{} is not a duration; write a number greater than 0", quoted(text))))
        }
        NodeValue::List(_) | NodeValue::Map(_) => Err(value.wrong_kind("a number", errors)),
    }
}

fn unit_seconds(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    UNITS.iter().find(|(names, _)| names.contains(&text.as_str())).map(|(_, seconds)| *seconds)
}

fn unknown(at: &NodeRef<'_>, text: &str, errors: &mut Errors) -> crate::error::Reported {
    const LONG_NAMES: [&str; 7] = ["seconds", "minutes", "hours", "days", "weeks", "months", "years"];
    at.needs(errors, format!("{} is not a unit of time{}", quoted(text), suggestion(text, &LONG_NAMES)))
}
