//! The `logicalType` that a property declares.

use crate::error::{Errors, ReadResult};
use crate::logical_name::LogicalName;
use crate::model::DateFormat;
use crate::node_ref::NodeRef;
use crate::sql_type;

/// Reads the `logicalType` of a property, if it has one.
pub(crate) fn read(
    property: &NodeRef<'_>,
    is_v3_0: bool,
    errors: &mut Errors,
) -> ReadResult<Option<LogicalName>> {
    let name = property.get("logicalType").map(|at| LogicalName::read(&at, errors)).transpose()?;
    Ok(name.map(|name| if is_v3_0 { meaning_in_v3_0(name, property) } else { name }))
}

/// Returns the meaning of `name` in v3.0, which has neither timestamps nor times. It writes them as dates with a
/// `format` or a `physicalType` of their own.
fn meaning_in_v3_0(name: LogicalName, property: &NodeRef<'_>) -> LogicalName {
    if name != LogicalName::Date {
        return name;
    }
    let mut ignored = Errors::default();
    let physical = property.get("physicalType").and_then(|at| at.str(&mut ignored).ok());
    if let Some(physical) = physical.and_then(|text| sql_type::parse(text, None).ok()) {
        let of_physical = LogicalName::of(&physical.sql);
        return if matches!(of_physical, LogicalName::Timestamp | LogicalName::Time) {
            of_physical
        } else {
            name
        };
    }
    let format = property.get("logicalTypeOptions").and_then(|at| at.get("format"));
    let Some(format) = format.and_then(|at| at.str(&mut ignored).ok()) else { return name };
    match DateFormat::of_dates(format) {
        Ok(date) if date.has_time() => LogicalName::Timestamp,
        Err(_) if DateFormat::of_times(format).is_ok() => LogicalName::Time,
        Ok(_) | Err(_) => name,
    }
}
