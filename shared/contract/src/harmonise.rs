//! Reads the custom properties of a property that change the text of a value before it is cast.

use crate::custom;
use crate::error::{Errors, ReadResult, nearest, quoted, suggestion};
use crate::model::{Case, DateFormat, Harmonise, LogicalType, NegativeStyle, PercentStyle};
use crate::names;
use crate::node_ref::NodeRef;
use crate::numeric_time;
use crate::options;
use crate::pattern;

pub(crate) fn read(at: &NodeRef<'_>, logical: &LogicalType, errors: &mut Errors) -> ReadResult<Harmonise> {
    let find = |name: &str| custom::find(at, name);
    check_applicable(at, logical, errors);
    let text = |name: &str, errors: &mut Errors| {
        find(name).map(|at| at.literal(errors).map(str::to_owned)).transpose()
    };
    let list = |name: &str, errors: &mut Errors| find(name).map_or(Ok(Vec::new()), |at| at.strings(errors));

    let constant = text("penstock.constant", errors);
    let default = text("penstock.default", errors);
    let trim = find("penstock.trim").map(|at| at.bool(errors)).transpose();
    let null_values = list("penstock.nullValues", errors);
    let extract = find("penstock.extract").map(|at| extract(&at, errors)).transpose();
    let case = find("penstock.case").map(|at| case(&at, errors)).transpose();
    let decimal = find("penstock.decimalSeparator").map(|at| separator(&at, errors)).transpose();
    let group = find("penstock.groupSeparator").map(|at| separator(&at, errors)).transpose();
    let true_values = list("penstock.trueValues", errors);
    let false_values = list("penstock.falseValues", errors);
    let negative =
        choice(at, "penstock.negative", NegativeStyle::ALL.map(|style| (style.name(), style)), errors);
    let percent =
        choice(at, "penstock.percent", PercentStyle::ALL.map(|style| (style.name(), style)), errors);
    let numeric_time = choice(at, "penstock.numericTime", numeric_time::NAMES, errors);
    let (decimal_separator, group_separator) = (decimal?, group?);
    if group_separator.is_some() && group_separator == Some(decimal_separator.unwrap_or('.')) {
        let at = custom::find(at, "penstock.groupSeparator").unwrap_or_else(|| at.clone());
        return Err(at.report(errors, "`penstock.groupSeparator` and the decimal separator are the same"));
    }
    let (negative, percent) = (negative?.unwrap_or_default(), percent?);
    check_marks(at, [decimal_separator, group_separator], negative, percent, errors)?;
    let (true_values, false_values) = (true_values?, false_values?);
    check_booleans(at, &true_values, &false_values, errors)?;
    Ok(Harmonise {
        constant: constant?,
        default: default?,
        trim: trim?.unwrap_or(true),
        null_values: null_values?,
        extract: extract?,
        case: case?,
        decimal_separator,
        group_separator,
        negative,
        percent,
        true_values,
        false_values,
        numeric_time: numeric_time?,
    })
}

/// Reports a spelling of both true and false. `true` and `false` always have their own meaning.
fn check_booleans(
    at: &NodeRef<'_>,
    trues: &[String],
    falses: &[String],
    errors: &mut Errors,
) -> ReadResult<()> {
    let find = |list: &[String], value: &str| list.iter().any(|other| other.eq_ignore_ascii_case(value));
    let mut outcome = Ok(());
    for (name, list, other) in
        [("penstock.trueValues", trues, "false"), ("penstock.falseValues", falses, "true")]
    {
        if let Some(at) = custom::find(at, name).filter(|_| find(list, other)) {
            outcome = Err(at.report(errors, format!("`{other}` always means {other}; remove it here")));
        }
    }
    if let Some(both) = trues.iter().find(|value| find(falses, value)) {
        let at = custom::find(at, "penstock.trueValues").unwrap_or_else(|| at.clone());
        outcome = Err(at.report(errors, format!("{} is both true and false", quoted(both))));
    }
    outcome
}

/// Reports properties that would have no effect: together with a constant, or on a column of another type.
fn check_applicable(at: &NodeRef<'_>, logical: &LogicalType, errors: &mut Errors) {
    let (is_time, format) = match logical {
        LogicalType::Date { format } | LogicalType::Timestamp { format, .. } => (true, format.as_ref()),
        LogicalType::Time { format } => (false, format.as_ref()),
        LogicalType::String
        | LogicalType::Integer
        | LogicalType::Number
        | LogicalType::Boolean
        | LogicalType::Object { .. }
        | LogicalType::Array { .. } => (false, None),
    };
    let is_numeric_time = is_time && custom::find(at, "penstock.numericTime").is_some();
    let number = matches!(logical, LogicalType::Integer | LogicalType::Number);
    let has_short_year = format.is_some_and(DateFormat::has_short_year);
    let rules = [
        ("penstock.case", *logical == LogicalType::String, "strings"),
        ("penstock.decimalSeparator", number || is_numeric_time, "numbers"),
        ("penstock.groupSeparator", number || is_numeric_time, "numbers"),
        ("penstock.negative", number, "numbers"),
        ("penstock.percent", number, "numbers"),
        ("penstock.numericTime", is_time, "dates and timestamps"),
        (options::YEAR_PIVOT, has_short_year, "dates and timestamps whose `format` has `yy`"),
        ("penstock.trueValues", *logical == LogicalType::Boolean, "booleans"),
        ("penstock.falseValues", *logical == LogicalType::Boolean, "booleans"),
    ];
    for (name, applies, what) in rules {
        if let Some(at) = custom::find(at, name).filter(|_| !applies) {
            at.report(errors, format!("`{name}` applies only to {what}"));
        }
    }
    let format = at.get("logicalTypeOptions").and_then(|at| at.get("format")).filter(|_| is_numeric_time);
    if let Some(format) = format {
        format.report(errors, "has no effect together with `penstock.numericTime`; keep one of them");
    }
    if custom::find(at, "penstock.constant").is_none() {
        return;
    }
    let others = custom::CUSTOM_PROPERTIES.iter().filter(|row| row.level == custom::Level::Property);
    for other in others.filter(|row| !["penstock.constant", names::COLUMN].contains(&row.name)) {
        if let Some(at) = custom::find(at, other.name) {
            at.report(errors, format!("`{}` has no effect together with `penstock.constant`", other.name));
        }
    }
}

fn extract(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<String> {
    let pattern = pattern::read(at, errors)?;
    let regex = regex::Regex::new(&pattern).expect("the pattern compiled when it was read");
    // The whole match counts as a group.
    if regex.captures_len() < 2 {
        return Err(at.report(errors, "has no group; put the part to extract into parentheses"));
    }
    Ok(pattern)
}

/// Reads a property whose value is one of a few words.
fn choice<T: Copy, const N: usize>(
    at: &NodeRef<'_>,
    name: &str,
    values: [(&'static str, T); N],
    errors: &mut Errors,
) -> ReadResult<Option<T>> {
    let Some(at) = custom::find(at, name) else { return Ok(None) };
    let text = at.str(errors)?;
    if let Some((_, value)) = values.iter().find(|(word, _)| *word == text) {
        return Ok(Some(*value));
    }
    let words = values.map(|(word, _)| word);
    Err(at.report(errors, format!("{} is not a value of `{name}`{}", quoted(text), suggestion(text, &words))))
}

/// Reports a separator that is also a sign of the number's style.
fn check_marks(
    at: &NodeRef<'_>,
    separators: [Option<char>; 2],
    negative: NegativeStyle,
    percent: Option<PercentStyle>,
    errors: &mut Errors,
) -> ReadResult<()> {
    let has_parentheses = match negative {
        NegativeStyle::Parentheses | NegativeStyle::Any => true,
        NegativeStyle::Leading | NegativeStyle::Trailing => false,
    };
    for separator in separators.into_iter().flatten() {
        let property = match separator {
            '(' | ')' if has_parentheses => "penstock.negative",
            '%' if percent.is_some() => "penstock.percent",
            _ => continue,
        };
        let message = format!("`{separator}` is both a separator and a sign of `{property}`");
        let at = custom::find(at, property).unwrap_or_else(|| at.clone());
        return Err(at.report(errors, message));
    }
    Ok(())
}

fn case(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Case> {
    match at.str(errors)? {
        "upper" => Ok(Case::Upper),
        "lower" => Ok(Case::Lower),
        other => {
            let suggestion = nearest(other, ["upper", "lower"]).map_or_else(
                || "; `upper` or `lower`".to_owned(),
                |near| format!("; did you mean `{near}`?"),
            );
            Err(at.report(errors, format!("{} is not a letter case{suggestion}", quoted(other))))
        }
    }
}

fn separator(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<char> {
    let text = at.str(errors)?;
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None)
            if !one.is_ascii_alphanumeric() && !matches!(one, '-' | '+') && !one.is_control() =>
        {
            Ok(one)
        }
        _ => Err(at.report(
            errors,
            format!(
                "{} is not a separator; write one character that does not occur in numbers",
                quoted(text)
            ),
        )),
    }
}
