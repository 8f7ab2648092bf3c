//! `slaProperties` → what the producer promises.

use crate::at::At;
use crate::decimal::Decimal;
use crate::error::{Errors, Read, mend, quoted};
use crate::model::{Sla, SlaProperty};
use crate::node::{ScalarKind, Value};
use crate::source::{self, Object};

const DAY_SECONDS: u64 = 86_400;

/// Units of time with their spellings and their seconds; the standard names days and years, and leaves the rest to ISO.
const UNITS: [(&[&str], u64); 7] = [
    (&["s", "sec", "second", "seconds"], 1),
    (&["m", "min", "minute", "minutes"], 60),
    (&["h", "hr", "hour", "hours"], 3_600),
    (&["d", "day", "days"], DAY_SECONDS),
    (&["w", "wk", "week", "weeks"], 7 * DAY_SECONDS),
    (&["mo", "month", "months"], 30 * DAY_SECONDS),
    (&["y", "yr", "year", "years"], 365 * DAY_SECONDS),
];

/// Reads those of the contract that are about an object of its schema. One whose `element` is of another object is not.
pub(crate) fn read(contract: &At<'_>, object: &Object<'_>, errors: &mut Errors) -> Read<Vec<Sla>> {
    let Some(list) = contract.get("slaProperties") else { return Ok(Vec::new()) };
    let read: Vec<Read<Sla>> = list.items(errors)?.iter().map(|at| sla(at, errors)).collect();
    let mut slas: Vec<Sla> = read.into_iter().collect::<Read<_>>()?;
    let own = source::names(&object.at);
    slas.retain(|sla| {
        let element = sla.element.as_deref().and_then(|element| element.split('.').next());
        element.is_none_or(|element| {
            own.iter().any(|name| name == element) || !object.all_names.iter().any(|name| name == element)
        })
    });
    Ok(slas)
}

fn sla(at: &At<'_>, errors: &mut Errors) -> Read<Sla> {
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

/// The standard's names, in any letter case, and its synonyms.
fn property(text: &str) -> SlaProperty {
    match text.to_ascii_lowercase().as_str() {
        "frequency" | "fy" => SlaProperty::Frequency,
        "latency" | "ly" => SlaProperty::Latency,
        "retention" | "re" => SlaProperty::Retention,
        _ => SlaProperty::Other(text.to_owned()),
    }
}

/// A scalar as it is written; nothing for null.
fn scalar(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    match &at.node.value {
        Value::Scalar(ScalarKind::Null, _) => Ok(String::new()),
        Value::Scalar(_, text) => Ok(text.clone()),
        Value::List(_) | Value::Map(_) => Err(at.wrong_kind("a string, number or boolean", errors)),
    }
}

fn seconds(sla: &At<'_>, value: &At<'_>, errors: &mut Errors) -> Read<u64> {
    let amount = amount(value, errors).and_then(|text| {
        let amount = Decimal::parse(text).filter(Decimal::is_positive).and_then(|number| number.threshold());
        amount.ok_or_else(|| value.needs(errors, format!("{} is not a time above 0", quoted(text))))
    });
    let unit = match sla.get("unit") {
        Some(at) => {
            at.str(errors).and_then(|text| unit_seconds(text).ok_or_else(|| unknown(&at, text, errors)))
        }
        None => Err(sla.needs(errors, "`unit` is missing; e.g. `d` for days, `h` for hours")),
    };
    amount?.times(unit?).ok_or_else(|| value.needs(errors, "is too long a time"))
}

/// The number, which the standard allows as a string, too.
fn amount<'n>(value: &At<'n>, errors: &mut Errors) -> Read<&'n str> {
    match &value.node.value {
        Value::Scalar(ScalarKind::Int | ScalarKind::Float | ScalarKind::Str, text) => Ok(text),
        Value::Scalar(ScalarKind::Null | ScalarKind::Bool, text) => {
            Err(value.needs(errors, format!("{} is not a time; write a number above 0", quoted(text))))
        }
        Value::List(_) | Value::Map(_) => Err(value.wrong_kind("a number", errors)),
    }
}

fn unit_seconds(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    UNITS.iter().find(|(names, _)| names.contains(&text.as_str())).map(|(_, seconds)| *seconds)
}

fn unknown(at: &At<'_>, text: &str, errors: &mut Errors) -> crate::error::Reported {
    const LONG_NAMES: [&str; 7] = ["seconds", "minutes", "hours", "days", "weeks", "months", "years"];
    at.needs(errors, format!("{} is not a unit of time{}", quoted(text), mend(text, &LONG_NAMES)))
}
