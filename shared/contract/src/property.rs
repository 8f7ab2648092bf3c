//! A property of the schema → a [`Column`].

use crate::at::At;
use crate::custom;
use crate::error::{Errors, Read, mend, nearest, quoted};
use crate::impossible;
use crate::literal;
use crate::model::{
    Case, Column, DateFormat, Harmonise, LogicalType, Metric, NegativeStyle, PercentStyle, QualityCheck,
    SqlType,
};
use crate::names;
use crate::nested;
use crate::node::{ScalarKind, Value};
use crate::numeric_time;
use crate::options::{self, LogicalName, Options};
use crate::quality::{self, Checks, Scope};
use crate::sql_type::{self, Flag, PhysicalType};

/// A column and its part in the primary key.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) column: Column,
    /// The property's own name.
    pub(crate) name: String,
    /// `primaryKeyPosition`; `Some(None)` for a key column without one.
    pub(crate) key: Option<Option<i64>>,
    /// What its values must satisfy over the whole batch.
    pub(crate) quality: Vec<QualityCheck>,
}

/// Reads one property.
pub(crate) fn read(at: &At<'_>, index: usize, is_v3_0: bool, errors: &mut Errors) -> Read<Property> {
    let name_at = at.require("name", errors);
    let property_name = name_at.clone().and_then(|at| at.str(errors));
    let name = names::column_name(at, errors);
    let physical_name = at.get("physicalName").map(|at| at.text(errors)).transpose();
    let required = at.get("required").map(|at| at.bool(errors)).transpose();
    let unique = at.get("unique").map(|at| at.bool(errors)).transpose();
    let classification = at.get("classification").map(|at| at.text(errors)).transpose();
    let key = key(at, errors);
    let pseudonymise = custom::find(at, "penstock.pseudonymise").map(|at| at.bool(errors)).transpose();
    let types = types(at, is_v3_0, errors);
    let checks = quality::read(at, Scope::Column, is_v3_0, errors);

    // What follows needs to know the type; without it, it would only tell of errors that are none.
    let Types { options, sql_type, flag, lists_values } = types?;
    let harmonise = harmonise(at, &options.logical, errors);
    let (property_name, name, checks, key) = (property_name?, name?, checks?, key?);
    let classification = classification?.map(str::to_owned).or_else(|| nested::classification(at));
    let mut column = Column {
        physical_name: physical_name?.map_or_else(|| name_at?.text(errors), Ok)?.to_owned(),
        name,
        logical_type: options.logical,
        sql_type,
        required: required?.unwrap_or(false) || key.is_some(),
        unique: unique?.unwrap_or(false),
        rules: options.rules,
        harmonise: harmonise?,
        classification,
        pseudonymise: pseudonymise?.unwrap_or(false),
    };
    if let Some(flag) = flag {
        flag.add_spellings(&mut column.harmonise);
    }
    apply_checks(at, &mut column, &checks, errors)?;
    impossible::note(&column, &checks, errors);
    if lists_values && column.rules.allowed.is_empty() {
        let message = "the values that it lists are not checked; for that, add a check `invalidValues` with `mustBe: 0`";
        at.get("physicalType").iter().for_each(|at| at.note(errors, message));
    }
    if column.pseudonymise {
        // After the checks, which are about the plain value.
        column.sql_type = pseudonym_type(at, &column, errors)?;
    }
    let quality = checks.batch.into_iter().map(|(check, _)| of_column(check, index)).collect();
    Ok(Property { column, name: property_name.to_owned(), key, quality })
}

/// The check, now that it is known which column it stands at.
fn of_column(check: QualityCheck, index: usize) -> QualityCheck {
    let compares = matches!(check.metric, Metric::DuplicateValues { .. });
    let metric = if compares { Metric::DuplicateValues { columns: vec![index] } } else { check.metric };
    QualityCheck { metric, column: Some(index), ..check }
}

/// Takes the row rules among the checks into the column, and holds all of them against its type.
pub(crate) fn apply_checks(
    at: &At<'_>,
    column: &mut Column,
    checks: &Checks<'_>,
    errors: &mut Errors,
) -> Read<()> {
    let pattern =
        checks.pattern.as_ref().map(|pattern| second_pattern(pattern, column, errors)).transpose()?;
    column.rules.pattern = column.rules.pattern.take().or(pattern);
    column.rules.allowed = checks.allowed.iter().map(|(value, _)| value.clone()).collect();
    check_literals(at, column, checks, errors)
}

/// A pseudonym is text, and made of text: of a number or a date there are several spellings, of which each would have
/// another one.
fn pseudonym_type(at: &At<'_>, column: &Column, errors: &mut Errors) -> Read<SqlType> {
    let physical = at.get("physicalType");
    let property = custom::find(at, "penstock.pseudonymise").unwrap_or_else(|| at.clone());
    if column.logical_type != LogicalType::String {
        let message = "only strings are pseudonymised, as other types have several spellings of a value; \
                       write `logicalType: string`";
        return Err(property.report(errors, message));
    }
    match physical {
        Some(physical) if column.sql_type != SqlType::Text => {
            Err(physical.report(errors, "a pseudonym is `text`; write that, or leave `physicalType` out"))
        }
        _ => Ok(SqlType::Text),
    }
}

/// The position in the primary key; `Some(None)` for a key column without one.
fn key(at: &At<'_>, errors: &mut Errors) -> Read<Option<Option<i64>>> {
    let is_key = at.get("primaryKey").map(|at| at.bool(errors)).transpose()?;
    let Some(position_at) = at.get("primaryKeyPosition") else {
        return Ok((is_key == Some(true)).then_some(None));
    };
    let position = position_at.integer::<i64>("that can be a position", errors)?;
    match is_key {
        // −1 is the standard's default: no position.
        Some(true) => Ok(Some((position >= 0).then_some(position))),
        None if position > 0 => Err(position_at.needs(errors, "has no effect; add `primaryKey: true`")),
        Some(false) if position > 0 => {
            position_at.note(errors, "has no effect without `primaryKey: true`");
            Ok(None)
        }
        Some(false) | None => Ok(None),
    }
}

/// What a property says about its type.
struct Types {
    options: Options,
    sql_type: SqlType,
    flag: Option<Flag>,
    lists_values: bool,
}

/// The logical type with its options, and the PostgreSQL type that goes with it.
fn types(at: &At<'_>, is_v3_0: bool, errors: &mut Errors) -> Read<Types> {
    let logical = at.get("logicalType").map(|at| LogicalName::read(&at, errors)).transpose();
    let declared = logical?.map(|name| if is_v3_0 { name.of_v3_0(at) } else { name });
    let physical = at.get("physicalType").map(|at| physical_type(&at, declared, errors)).transpose();
    let name = match (declared, &physical) {
        // An integer type under `number` says which numbers there are.
        (Some(LogicalName::Number), Ok(Some(physical))) if LogicalName::Integer.is_of(&physical.sql) => {
            LogicalName::Integer
        }
        (Some(name), _) => name,
        (None, Ok(Some(physical))) if physical.is_array => LogicalName::Array,
        (None, Ok(Some(physical))) => LogicalName::of(&physical.sql),
        (None, Ok(None)) => return Err(at.needs(errors, "add `logicalType`, e.g. `logicalType: string`")),
        (None, Err(reported)) => return Err(*reported),
    };
    let mut options = options::read(at, name, is_v3_0, errors)?;
    nested::fill(at, &mut options.logical, is_v3_0, errors)?;
    let Some(PhysicalType { sql, max_length, is_array: _, flag, lists_values }) = physical? else {
        let sql_type = options.derived.clone();
        return Ok(Types { options, sql_type, flag: None, lists_values: false });
    };
    if !name.fits(&sql) {
        let message = format!(
            "`{sql}` does not hold the logical type `{}`; write `{}`, or leave `physicalType` out",
            name.as_str(),
            options.derived
        );
        let at = at.get("physicalType").unwrap_or_else(|| at.clone());
        return Err(at.needs(errors, message));
    }
    options.rules.max_length = match (options.rules.max_length, max_length) {
        (Some(rule), Some(size)) => Some(rule.min(size)),
        (rule, size) => rule.or(size),
    };
    Ok(Types { options, sql_type: sql, flag, lists_values })
}

fn physical_type(at: &At<'_>, logical: Option<LogicalName>, errors: &mut Errors) -> Read<PhysicalType> {
    let text = at.text(errors)?;
    sql_type::parse(text, logical).map_err(|why| at.needs(errors, why))
}

/// The pattern of a quality check, which a column has in one place only.
fn second_pattern(at: &At<'_>, column: &Column, errors: &mut Errors) -> Read<String> {
    if column.rules.pattern.is_some() {
        return Err(
            at.report(errors, "a second pattern beside that of `logicalTypeOptions`; keep one of them")
        );
    }
    if column.logical_type != LogicalType::String {
        return Err(at.report(errors, "a pattern is for strings"));
    }
    options::regex(at, errors)
}

fn harmonise(at: &At<'_>, logical: &LogicalType, errors: &mut Errors) -> Read<Harmonise> {
    let find = |name: &str| custom::find(at, name);
    check_applicable(at, logical, errors);
    let text = |name: &str, errors: &mut Errors| {
        find(name).map(|at| at.literal(errors).map(str::to_owned)).transpose()
    };
    let list = |name: &str, errors: &mut Errors| find(name).map_or(Ok(Vec::new()), |at| strings(&at, errors));

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
fn check_booleans(at: &At<'_>, trues: &[String], falses: &[String], errors: &mut Errors) -> Read<()> {
    let find = |list: &[String], value: &str| list.iter().any(|other| other.eq_ignore_ascii_case(value));
    let mut outcome = Ok(());
    for (name, list, other) in
        [("penstock.trueValues", trues, "false"), ("penstock.falseValues", falses, "true")]
    {
        if let Some(at) = custom::find(at, name).filter(|_| find(list, other)) {
            outcome = Err(at.report(errors, format!("`{other}` always means {other}; leave it out here")));
        }
    }
    if let Some(both) = trues.iter().find(|value| find(falses, value)) {
        let at = custom::find(at, "penstock.trueValues").unwrap_or_else(|| at.clone());
        outcome = Err(at.report(errors, format!("{} is both true and false", quoted(both))));
    }
    outcome
}

/// Tells of properties that would have no effect: beside a constant, or on a column of another type.
fn check_applicable(at: &At<'_>, logical: &LogicalType, errors: &mut Errors) {
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
            at.report(errors, format!("`{name}` is for {what}"));
        }
    }
    let format = at.get("logicalTypeOptions").and_then(|at| at.get("format")).filter(|_| is_numeric_time);
    if let Some(format) = format {
        format.report(errors, "has no effect beside `penstock.numericTime`; keep one of them");
    }
    if custom::find(at, "penstock.constant").is_none() {
        return;
    }
    let others = custom::CUSTOM_PROPERTIES.iter().filter(|row| row.level == custom::Level::Property);
    for other in others.filter(|row| !["penstock.constant", names::COLUMN].contains(&row.name)) {
        if let Some(at) = custom::find(at, other.name) {
            at.report(errors, format!("`{}` has no effect beside `penstock.constant`", other.name));
        }
    }
}

/// A list of scalars, each as it is written; an unquoted `NULL` is the word, as in a list of null values.
pub(crate) fn strings(at: &At<'_>, errors: &mut Errors) -> Read<Vec<String>> {
    let items = at.items(errors)?;
    let read = |item: &At<'_>, errors: &mut Errors| match &item.node.value {
        Value::Scalar(ScalarKind::Null, text) if !text.is_empty() => Ok(text.clone()),
        Value::Scalar(..) | Value::List(_) | Value::Map(_) => item.literal(errors).map(str::to_owned),
    };
    let read: Vec<Read<String>> = items.iter().map(|item| read(item, errors)).collect();
    read.into_iter().collect()
}

fn extract(at: &At<'_>, errors: &mut Errors) -> Read<String> {
    let pattern = options::regex(at, errors)?;
    let groups = regex::Regex::new(&pattern).map_or(0, |regex| regex.captures_len());
    if groups < 2 {
        return Err(at.report(errors, "has no group; put what is to be taken into parentheses"));
    }
    Ok(pattern)
}

/// The value of a property that is one of a few words.
fn choice<T: Copy, const N: usize>(
    at: &At<'_>,
    name: &str,
    values: [(&'static str, T); N],
    errors: &mut Errors,
) -> Read<Option<T>> {
    let Some(at) = custom::find(at, name) else { return Ok(None) };
    let text = at.str(errors)?;
    if let Some((_, value)) = values.iter().find(|(word, _)| *word == text) {
        return Ok(Some(*value));
    }
    let words = values.map(|(word, _)| word);
    Err(at.report(errors, format!("{} is not a value of `{name}`{}", quoted(text), mend(text, &words))))
}

/// Reports a separator that is also a mark of the number's style.
fn check_marks(
    at: &At<'_>,
    separators: [Option<char>; 2],
    negative: NegativeStyle,
    percent: Option<PercentStyle>,
    errors: &mut Errors,
) -> Read<()> {
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
        let message = format!("`{separator}` is a separator, and a mark of `{property}`");
        let at = custom::find(at, property).unwrap_or_else(|| at.clone());
        return Err(at.report(errors, message));
    }
    Ok(())
}

fn case(at: &At<'_>, errors: &mut Errors) -> Read<Case> {
    match at.str(errors)? {
        "upper" => Ok(Case::Upper),
        "lower" => Ok(Case::Lower),
        other => {
            let mend = nearest(other, ["upper", "lower"]).map_or_else(
                || "; `upper` or `lower`".to_owned(),
                |near| format!("; did you mean `{near}`?"),
            );
            Err(at.report(errors, format!("{} is not a letter case{mend}", quoted(other))))
        }
    }
}

fn separator(at: &At<'_>, errors: &mut Errors) -> Read<char> {
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
            format!("{} is not a separator; one character that no number has", quoted(text)),
        )),
    }
}

/// Constants, defaults and allowed values must themselves satisfy the column.
fn check_literals(at: &At<'_>, column: &Column, checks: &Checks<'_>, errors: &mut Errors) -> Read<()> {
    let mut outcome = Ok(());
    let mut tell = |at: &At<'_>, value: &str, why: &str| {
        outcome = Err(at.report(errors, format!("{} {why}", quoted(value))))
    };
    for (name, value) in
        [("penstock.constant", &column.harmonise.constant), ("penstock.default", &column.harmonise.default)]
    {
        let (Some(value), Some(at)) = (value, custom::find(at, name)) else { continue };
        let allowed = &column.rules.allowed;
        if let Err(why) = literal::fits(value, column) {
            tell(&at, value, &why);
        } else if !allowed.is_empty() && !allowed.contains(value) {
            tell(&at, value, &format!("is not one of the values allowed: `{}`", allowed.join("`, `")));
        }
    }
    for (value, at) in &checks.allowed {
        if let Err(why) = literal::fits(value, column) {
            tell(at, value, &why);
        }
    }
    for (check, at) in &checks.batch {
        let Metric::InvalidValues { valid, pattern } = &check.metric else { continue };
        if let Some(pattern) = pattern
            && column.logical_type != LogicalType::String
        {
            tell(at, pattern, "is a pattern, which is for strings");
        }
        for value in valid {
            if let Err(why) = literal::fits(value, column) {
                tell(at, value, &why);
            }
        }
    }
    let counted = checks.batch.iter().filter_map(|(check, at)| match &check.metric {
        Metric::InvalidValues { valid, .. } => Some((valid.first()?, at)),
        Metric::NullValues
        | Metric::MissingValues { .. }
        | Metric::DuplicateValues { .. }
        | Metric::RowCount => None,
    });
    let compared = checks.allowed.first().map(|(value, at)| (value, at)).into_iter().chain(counted);
    for (value, at) in compared.filter(|_| quality::is_document(column)) {
        tell(at, value, "cannot be compared with a document");
    }
    outcome
}
