//! Reads `logicalTypeOptions`: the details of the logical type, and its row rules.

mod bounds;
mod number;
mod type_options;

use crate::custom;
use crate::error::{Errors, ReadResult, nearest, quoted};
use crate::literal;
use crate::logical_name::LogicalName;
use crate::model::{DateFormat, LogicalType, Rules, SqlType, StringFormat};
use crate::node_ref::NodeRef;
use crate::pattern;
pub(crate) use type_options::TypeOptions;

/// The custom property of the first year that `yy` covers.
pub(crate) const YEAR_PIVOT: &str = "penstock.yearPivot";

/// Reads the options of a property with the logical type `name`. `boolean_exclusive` allows the exclusive bounds of
/// v3.0.
pub(crate) fn read(
    property: &NodeRef<'_>,
    name: LogicalName,
    boolean_exclusive: bool,
    errors: &mut Errors,
) -> ReadResult<TypeOptions> {
    let Some(at) = property.get("logicalTypeOptions") else {
        return Ok(TypeOptions::plain(name));
    };
    match name {
        LogicalName::String => string(&at, errors),
        LogicalName::Integer | LogicalName::Number => number::read(&at, name, boolean_exclusive, errors),
        LogicalName::Date => temporal(property, &at, Temporal::Date, boolean_exclusive, errors),
        LogicalName::Timestamp => temporal(property, &at, Temporal::Timestamp, boolean_exclusive, errors),
        LogicalName::Time => temporal(property, &at, Temporal::Time, boolean_exclusive, errors),
        LogicalName::Object => object(&at, errors),
        LogicalName::Array => array(&at, errors),
        LogicalName::Boolean => {
            at.note(errors, "the options of a boolean have no effect");
            Ok(TypeOptions::plain(name))
        }
    }
}

fn string(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<TypeOptions> {
    let lengths = range(at, ["minLength", "maxLength"], errors);
    let pattern = at.get("pattern").map(|pattern| pattern::read(&pattern, errors)).transpose();
    let format = at.get("format").map(|format| string_format(&format, errors)).transpose();
    let (min_length, max_length) = lengths?;
    let format = format?.flatten();
    let derived = if format == Some(StringFormat::Uuid) { SqlType::Uuid } else { SqlType::Text };
    let rules = Rules { min_length, max_length, pattern: pattern?, format, ..Rules::default() };
    Ok(TypeOptions { logical: LogicalType::String, derived, rules })
}

/// Formats of other standards whose names look like misspellings of supported ones.
const OTHER_FORMATS: [&str; 2] = ["isin", "ismn"];

/// Reads the format of a string. The standard allows any name and lists some as examples. Returns `None` for a format
/// that is not checked.
fn string_format(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Option<StringFormat>> {
    let text = at.text(errors)?;
    if let Some(format) = StringFormat::ALL.into_iter().find(|format| format.name() == text) {
        return Ok(Some(format));
    }
    match nearest(text, StringFormat::ALL.map(StringFormat::name)) {
        Some(near) if !OTHER_FORMATS.contains(&text) => {
            Err(at
                .needs(errors, format!("{} is not a supported format; did you mean `{near}`?", quoted(text))))
        }
        Some(_) | None => {
            at.note(errors, format!("values are not checked against the format {}", quoted(text)));
            Ok(None)
        }
    }
}

fn object(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<TypeOptions> {
    let sizes = range(at, ["minProperties", "maxProperties"], errors);
    let required = at.get("required").map_or(Ok(Vec::new()), |at| keys(&at, errors));
    let mut options = TypeOptions::plain(LogicalName::Object);
    (options.rules.min_properties, options.rules.max_properties) = sizes?;
    options.rules.required_properties = required?;
    Ok(options)
}

/// Reads a list of keys. The validation reports duplicates.
fn keys(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Vec<String>> {
    let read: Vec<ReadResult<String>> =
        at.items(errors)?.iter().map(|item| item.str(errors).map(str::to_owned)).collect();
    read.into_iter().collect()
}

fn array(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<TypeOptions> {
    let sizes = range(at, ["minItems", "maxItems"], errors);
    let unique = at.get("uniqueItems").map(|at| at.bool(errors)).transpose();
    let mut options = TypeOptions::plain(LogicalName::Array);
    (options.rules.min_items, options.rules.max_items) = sizes?;
    options.rules.unique_items = unique?.unwrap_or(false);
    Ok(options)
}

/// Reads the minimum and the maximum of a count.
fn range(
    at: &NodeRef<'_>,
    [low_key, high_key]: [&str; 2],
    errors: &mut Errors,
) -> ReadResult<(Option<u64>, Option<u64>)> {
    let mut count = |key: &str| at.get(key).map(|at| at.integer::<u64>("of at least 0", errors)).transpose();
    let (low, high) = (count(low_key), count(high_key));
    let (low, high) = (low?, high?);
    match (low, high) {
        (Some(min), Some(max)) if min > max => {
            Err(at.report(errors, format!("{low_key} {min} is more than {high_key} {max}")))
        }
        _ => Ok((low, high)),
    }
}

/// A logical type whose values are dates or times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Temporal {
    Date,
    Timestamp,
    Time,
}

impl Temporal {
    fn name(self) -> LogicalName {
        match self {
            Self::Date => LogicalName::Date,
            Self::Timestamp => LogicalName::Timestamp,
            Self::Time => LogicalName::Time,
        }
    }
}

fn temporal(
    property: &NodeRef<'_>,
    at: &NodeRef<'_>,
    kind: Temporal,
    boolean_exclusive: bool,
    errors: &mut Errors,
) -> ReadResult<TypeOptions> {
    let mut options = TypeOptions::plain(kind.name());
    let format = at.get("format").map(|at| date_format(property, &at, kind, errors)).transpose();
    let bounds = bounds::read(at, boolean_exclusive, errors, |at, errors| {
        let text = at.text(errors)?;
        let read = match kind {
            Temporal::Date => literal::iso_date(text),
            Temporal::Time => literal::iso_time(text),
            Temporal::Timestamp => literal::iso_timestamp(text),
        };
        let order = read.map_err(|why| at.report(errors, format!("{}: {why}", quoted(text))))?;
        Ok((text.to_owned(), order))
    });
    let timezone = at.get("timezone").map(|at| Ok((at.bool(errors)?, at))).transpose();
    let default_timezone = at.get("defaultTimezone").map(|at| default_timezone(&at, errors)).transpose();
    let (minimum, maximum) = bounds?;
    options.rules.minimum = minimum;
    options.rules.maximum = maximum;
    let format = format?;
    if let Some((true, at)) = timezone? {
        check_timezone(&at, kind, format.as_ref(), errors)?;
    }
    options.logical = match kind {
        Temporal::Date => LogicalType::Date { format: format.filter(|format| !format.is_iso_date()) },
        Temporal::Time => LogicalType::Time { format },
        Temporal::Timestamp => LogicalType::Timestamp {
            format,
            default_timezone: default_timezone?.unwrap_or_else(|| "UTC".to_owned()),
        },
    };
    Ok(options)
}

/// Reports `timezone: true` for values that cannot have a time zone.
fn check_timezone(
    at: &NodeRef<'_>,
    kind: Temporal,
    format: Option<&DateFormat>,
    errors: &mut Errors,
) -> ReadResult<()> {
    if kind == Temporal::Time {
        return Err(at.needs(
            errors,
            "a time of day with a time zone is ambiguous without a date; write `logicalType: timestamp`",
        ));
    }
    if format.is_some_and(|format| !format.has_offset()) {
        return Err(at.needs(
            errors,
            "the values have a time zone, but `format` has none; add `XXX`, or remove `timezone`",
        ));
    }
    Ok(())
}

/// Compiles the `format`, with the property's `penstock.yearPivot`.
fn date_format(
    property: &NodeRef<'_>,
    at: &NodeRef<'_>,
    kind: Temporal,
    errors: &mut Errors,
) -> ReadResult<DateFormat> {
    let text = at.text(errors)?;
    let compile = if kind == Temporal::Time { DateFormat::of_times } else { DateFormat::of_dates };
    let format = compile(text).map_err(|why| at.needs(errors, why))?;
    match custom::find(property, YEAR_PIVOT) {
        // Without `yy` it is reported with the other properties that have no effect.
        Some(pivot) if format.has_short_year() => Ok(format.with_year_pivot(year_pivot(&pivot, errors)?)),
        Some(_) | None => Ok(format),
    }
}

fn year_pivot(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<u16> {
    const LAST: u16 = 9_900;
    let range = "from 1 to 9900: the first of the hundred years that `yy` covers";
    let year = at.integer::<u16>(range, errors)?;
    if (1..=LAST).contains(&year) {
        return Ok(year);
    }
    Err(at.report(errors, format!("{} is not a whole number {range}", quoted(&year.to_string()))))
}

fn default_timezone(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let text = at.text(errors)?;
    if literal::is_time_zone(text) {
        return Ok(text.to_owned());
    }
    Err(at.needs(
        errors,
        format!(
            "{} is not a time zone; write a name such as `Europe/Berlin`, or an offset such as `+01:00`",
            quoted(text)
        ),
    ))
}
