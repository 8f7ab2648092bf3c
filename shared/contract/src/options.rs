//! `logicalType` and `logicalTypeOptions` → the type's reading and its row rules.

mod number;

use crate::at::At;
use crate::custom;
use crate::error::{Errors, Read, nearest, quoted};
use crate::literal;
use crate::model::{Bound, DateFormat, LogicalType, Rules, SqlType, StringFormat};
use crate::node::{ScalarKind, Value};
use crate::odcs;
use crate::sql_type;

/// A logical type by its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogicalName {
    String,
    Integer,
    Number,
    Boolean,
    Date,
    Timestamp,
    Time,
    Object,
    Array,
}

const NAMES: [(&str, LogicalName); 9] = [
    ("string", LogicalName::String),
    ("integer", LogicalName::Integer),
    ("number", LogicalName::Number),
    ("boolean", LogicalName::Boolean),
    ("date", LogicalName::Date),
    ("timestamp", LogicalName::Timestamp),
    ("time", LogicalName::Time),
    ("object", LogicalName::Object),
    ("array", LogicalName::Array),
];

impl LogicalName {
    pub(crate) fn read(at: &At<'_>, errors: &mut Errors) -> Read<Self> {
        let text = at.str(errors)?;
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, name)| *name);
        found.ok_or_else(|| at.report(errors, odcs::logical_type_fault(text).unwrap_or_default()))
    }

    /// What v3.0 means by it: that has no timestamps and times, and writes them as dates with a format or a physical
    /// type of their own.
    pub(crate) fn of_v3_0(self, property: &At<'_>) -> Self {
        if self != Self::Date {
            return self;
        }
        let mut unheard = Errors::default();
        let physical = property.get("physicalType").and_then(|at| at.str(&mut unheard).ok());
        if let Some(physical) = physical.and_then(|text| sql_type::parse(text, None).ok()) {
            let name = Self::of(&physical.sql);
            return if matches!(name, Self::Timestamp | Self::Time) { name } else { self };
        }
        let format = property.get("logicalTypeOptions").and_then(|at| at.get("format"));
        let Some(format) = format.and_then(|at| at.str(&mut unheard).ok()) else { return self };
        match DateFormat::of_dates(format) {
            Ok(date) if date.has_time() => Self::Timestamp,
            Err(_) if DateFormat::of_times(format).is_ok() => Self::Time,
            Ok(_) | Err(_) => self,
        }
    }

    /// What a physical type alone says of the meaning.
    pub(crate) fn of(sql: &SqlType) -> Self {
        match sql {
            SqlType::Text | SqlType::Uuid => Self::String,
            SqlType::Smallint | SqlType::Integer | SqlType::Bigint => Self::Integer,
            SqlType::Numeric(_) | SqlType::DoublePrecision => Self::Number,
            SqlType::Boolean => Self::Boolean,
            SqlType::Date => Self::Date,
            SqlType::Time => Self::Time,
            SqlType::Timestamp | SqlType::Timestamptz => Self::Timestamp,
            SqlType::Jsonb => Self::Object,
        }
    }

    /// True when a column of this PostgreSQL type can hold every value, or say that it does not fit.
    pub(crate) fn fits(self, sql: &SqlType) -> bool {
        match self {
            Self::String => matches!(sql, SqlType::Text | SqlType::Uuid),
            Self::Integer => {
                matches!(sql, SqlType::Smallint | SqlType::Integer | SqlType::Bigint | SqlType::Numeric(_))
            }
            Self::Number => matches!(sql, SqlType::Numeric(_) | SqlType::DoublePrecision),
            Self::Boolean => *sql == SqlType::Boolean,
            Self::Date => *sql == SqlType::Date,
            Self::Timestamp => matches!(sql, SqlType::Timestamp | SqlType::Timestamptz),
            Self::Time => *sql == SqlType::Time,
            Self::Object | Self::Array => *sql == SqlType::Jsonb,
        }
    }

    /// True when a column of this PostgreSQL type has values of this kind and of no other.
    pub(crate) fn is_of(self, sql: &SqlType) -> bool {
        Self::of(sql) == self
    }

    pub(crate) fn as_str(self) -> &'static str {
        NAMES.iter().find(|(_, name)| *name == self).map_or("", |(text, _)| text)
    }
}

/// The custom property of the years that `yy` means.
pub(crate) const YEAR_PIVOT: &str = "penstock.yearPivot";

/// What the options say.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) logical: LogicalType,
    /// The PostgreSQL type where `physicalType` names none.
    pub(crate) derived: SqlType,
    pub(crate) rules: Rules,
}

/// Reads the options of a column of type `name`. `boolean_exclusive` is how v3.0 writes exclusive bounds.
pub(crate) fn read(
    property: &At<'_>,
    name: LogicalName,
    boolean_exclusive: bool,
    errors: &mut Errors,
) -> Read<Options> {
    let Some(at) = property.get("logicalTypeOptions") else {
        return Ok(plain(name));
    };
    match name {
        LogicalName::String => string(&at, errors),
        LogicalName::Integer | LogicalName::Number => number::read(&at, name, boolean_exclusive, errors),
        LogicalName::Date | LogicalName::Timestamp | LogicalName::Time => {
            temporal(property, &at, name, boolean_exclusive, errors)
        }
        LogicalName::Object => object(&at, errors),
        LogicalName::Array => array(&at, errors),
        LogicalName::Boolean => {
            at.note(errors, "the options of a boolean have no effect");
            Ok(plain(name))
        }
    }
}

fn plain(name: LogicalName) -> Options {
    let (logical, derived) = match name {
        LogicalName::String => (LogicalType::String, SqlType::Text),
        LogicalName::Integer => (LogicalType::Integer, SqlType::Bigint),
        LogicalName::Number => (LogicalType::Number, SqlType::Numeric(None)),
        LogicalName::Boolean => (LogicalType::Boolean, SqlType::Boolean),
        LogicalName::Date => (LogicalType::Date { format: None }, SqlType::Date),
        LogicalName::Timestamp => (
            LogicalType::Timestamp { format: None, default_timezone: "UTC".to_owned() },
            SqlType::Timestamptz,
        ),
        LogicalName::Time => (LogicalType::Time { format: None }, SqlType::Time),
        LogicalName::Object => (LogicalType::Object { properties: Vec::new() }, SqlType::Jsonb),
        LogicalName::Array => (LogicalType::Array { items: None }, SqlType::Jsonb),
    };
    Options { logical, derived, rules: Rules::default() }
}

fn string(at: &At<'_>, errors: &mut Errors) -> Read<Options> {
    let lengths = range(at, ["minLength", "maxLength"], errors);
    let pattern = at.get("pattern").map(|pattern| regex(&pattern, errors)).transpose();
    let format = at.get("format").map(|format| string_format(&format, errors)).transpose();
    let (min_length, max_length) = lengths?;
    let format = format?.flatten();
    let derived = if format == Some(StringFormat::Uuid) { SqlType::Uuid } else { SqlType::Text };
    let rules = Rules { min_length, max_length, pattern: pattern?, format, ..Rules::default() };
    Ok(Options { logical: LogicalType::String, derived, rules })
}

/// Formats of other standards whose names look like misspelled ones of those that are checked.
const OTHER_FORMATS: [&str; 2] = ["isin", "ismn"];

/// The standard names some formats as examples and allows any; `None` for one that is not checked.
fn string_format(at: &At<'_>, errors: &mut Errors) -> Read<Option<StringFormat>> {
    let text = at.text(errors)?;
    if let Some(format) = StringFormat::ALL.into_iter().find(|format| format.name() == text) {
        return Ok(Some(format));
    }
    match nearest(text, StringFormat::ALL.map(StringFormat::name)) {
        Some(near) if !OTHER_FORMATS.contains(&text) => Err(at.needs(
            errors,
            format!("{} is not a format that is checked; did you mean `{near}`?", quoted(text)),
        )),
        Some(_) | None => {
            at.note(errors, format!("values are not checked against the format {}", quoted(text)));
            Ok(None)
        }
    }
}

fn object(at: &At<'_>, errors: &mut Errors) -> Read<Options> {
    let sizes = range(at, ["minProperties", "maxProperties"], errors);
    let required = at.get("required").map_or(Ok(Vec::new()), |at| keys(&at, errors));
    let mut options = plain(LogicalName::Object);
    (options.rules.min_properties, options.rules.max_properties) = sizes?;
    options.rules.required_properties = required?;
    Ok(options)
}

/// Names without repetition, which the standard asks for.
fn keys(at: &At<'_>, errors: &mut Errors) -> Read<Vec<String>> {
    let read: Vec<Read<String>> =
        at.items(errors)?.iter().map(|item| item.str(errors).map(str::to_owned)).collect();
    read.into_iter().collect()
}

fn array(at: &At<'_>, errors: &mut Errors) -> Read<Options> {
    let sizes = range(at, ["minItems", "maxItems"], errors);
    let unique = at.get("uniqueItems").map(|at| at.bool(errors)).transpose();
    let mut options = plain(LogicalName::Array);
    (options.rules.min_items, options.rules.max_items) = sizes?;
    options.rules.unique_items = unique?.unwrap_or(false);
    Ok(options)
}

/// The least and the most of something that is counted.
fn range(
    at: &At<'_>,
    [low_key, high_key]: [&str; 2],
    errors: &mut Errors,
) -> Read<(Option<u64>, Option<u64>)> {
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

/// A regular expression that compiles.
pub(crate) fn regex(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let text = at.text(errors)?;
    match regex::Regex::new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            let text_of = |syntax: &str| {
                syntax.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
            };
            let why = if let regex::Error::Syntax(syntax) = &error {
                text_of(syntax)
            } else {
                "it is too large".to_owned()
            };
            Err(at.needs(
                errors,
                format!("{} is not a regular expression that can be run: {why}", quoted(text)),
            ))
        }
    }
}

fn temporal(
    property: &At<'_>,
    at: &At<'_>,
    name: LogicalName,
    boolean_exclusive: bool,
    errors: &mut Errors,
) -> Read<Options> {
    let mut options = plain(name);
    let format = at.get("format").map(|at| date_format(property, &at, name, errors)).transpose();
    let bounds = bounds(at, boolean_exclusive, errors, |at, errors| {
        let text = at.text(errors)?;
        let read = match name {
            LogicalName::Date => literal::iso_date(text),
            LogicalName::Time => literal::iso_time(text),
            LogicalName::Timestamp
            | LogicalName::String
            | LogicalName::Integer
            | LogicalName::Number
            | LogicalName::Boolean
            | LogicalName::Object
            | LogicalName::Array => literal::iso_timestamp(text),
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
        check_timezone(&at, name, format.as_ref(), errors)?;
    }
    options.logical = match name {
        LogicalName::Date => LogicalType::Date { format: format.filter(|format| !format.is_iso_date()) },
        LogicalName::Time => LogicalType::Time { format },
        LogicalName::Timestamp
        | LogicalName::String
        | LogicalName::Integer
        | LogicalName::Number
        | LogicalName::Boolean
        | LogicalName::Object
        | LogicalName::Array => LogicalType::Timestamp {
            format,
            default_timezone: default_timezone?.unwrap_or_else(|| "UTC".to_owned()),
        },
    };
    Ok(options)
}

/// Reports `timezone: true` where the values cannot have one.
fn check_timezone(
    at: &At<'_>,
    name: LogicalName,
    format: Option<&DateFormat>,
    errors: &mut Errors,
) -> Read<()> {
    if name == LogicalName::Time {
        return Err(at.needs(
            errors,
            "a time of day with a time zone means nothing without its date; write `logicalType: timestamp`",
        ));
    }
    if format.is_some_and(|format| !format.has_offset()) {
        return Err(at.needs(
            errors,
            "the values carry a time zone, but `format` has none; add `XXX`, or leave `timezone` out",
        ));
    }
    Ok(())
}

/// The compiled pattern, with the property's `penstock.yearPivot`.
fn date_format(property: &At<'_>, at: &At<'_>, name: LogicalName, errors: &mut Errors) -> Read<DateFormat> {
    let text = at.text(errors)?;
    let compile = if name == LogicalName::Time { DateFormat::of_times } else { DateFormat::of_dates };
    let format = compile(text).map_err(|why| at.needs(errors, why))?;
    match custom::find(property, YEAR_PIVOT) {
        // Without `yy` it is reported with the other properties that have no effect.
        Some(pivot) if format.has_short_year() => Ok(format.with_year_pivot(year_pivot(&pivot, errors)?)),
        Some(_) | None => Ok(format),
    }
}

fn year_pivot(at: &At<'_>, errors: &mut Errors) -> Read<u16> {
    const LAST: u16 = 9_900;
    let range = "from 1 to 9900: the first of the hundred years that `yy` means";
    let year = at.integer::<u16>(range, errors)?;
    if (1..=LAST).contains(&year) {
        return Ok(year);
    }
    Err(at.report(errors, format!("{} is not a whole number {range}", quoted(&year.to_string()))))
}

fn default_timezone(at: &At<'_>, errors: &mut Errors) -> Read<String> {
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

/// Reads both bounds. In v3.1 an exclusive bound is a value of its own; in v3.0 it may also be a boolean beside the
/// bound, as v3.0 has it.
fn bounds<O: Ord + Clone>(
    at: &At<'_>,
    boolean_exclusive: bool,
    errors: &mut Errors,
    mut read: impl FnMut(&At<'_>, &mut Errors) -> Read<(String, O)>,
) -> Read<(Option<Bound>, Option<Bound>)> {
    let minimum = bound(at, ["minimum", "exclusiveMinimum"], boolean_exclusive, errors, &mut read);
    let maximum = bound(at, ["maximum", "exclusiveMaximum"], boolean_exclusive, errors, &mut read);
    let (minimum, maximum) = (minimum?, maximum?);
    if let (Some((low, low_order)), Some((high, high_order))) = (&minimum, &maximum) {
        let none = low_order > high_order || low_order == high_order && (low.exclusive || high.exclusive);
        if none {
            let message = format!("no value lies between minimum {} and maximum {}", low.value, high.value);
            return Err(at.report(errors, message));
        }
    }
    Ok((minimum.map(|(bound, _)| bound), maximum.map(|(bound, _)| bound)))
}

fn bound<O>(
    at: &At<'_>,
    [key, exclusive_key]: [&str; 2],
    boolean_exclusive: bool,
    errors: &mut Errors,
    read: &mut impl FnMut(&At<'_>, &mut Errors) -> Read<(String, O)>,
) -> Read<Option<(Bound, O)>> {
    let inclusive = at.get(key).map(|at| read(&at, errors)).transpose();
    let exclusive = match at.get(exclusive_key) {
        None => None,
        Some(exclusive) if is_boolean(&exclusive) && boolean_exclusive => {
            let (is_exclusive, inclusive) = (exclusive.bool(errors)?, inclusive?);
            return match inclusive {
                Some((value, order)) => Ok(Some((Bound { value, exclusive: is_exclusive }, order))),
                None => Err(exclusive.report(errors, format!("is there without `{key}`"))),
            };
        }
        Some(exclusive) if is_boolean(&exclusive) => {
            return Err(exclusive.report(errors, odcs::BOUND_OF_V3_1));
        }
        Some(exclusive) => Some((read(&exclusive, errors), exclusive)),
    };
    match (inclusive?, exclusive) {
        (None, None) => Ok(None),
        (Some((value, order)), None) => Ok(Some((Bound { value, exclusive: false }, order))),
        (None, Some((read, _))) => read.map(|(value, order)| Some((Bound { value, exclusive: true }, order))),
        (Some(_), Some((_, exclusive))) => {
            Err(exclusive.report(errors, format!("is there beside `{key}`; keep one of them")))
        }
    }
}

fn is_boolean(at: &At<'_>) -> bool {
    matches!(at.node.value, Value::Scalar(ScalarKind::Bool, _))
}
