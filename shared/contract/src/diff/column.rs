//! Compares columns, and the members of objects and arrays.

use super::change::Changes;
use super::rules;
use crate::model::{
    Column, Contract, DateFormat, DelimitedDialect, FormatKind, Harmonise, LogicalType, MissingColumns,
    NegativeStyle, Nested, NumericTime,
};

/// Compares columns by name. Their order is compared with the files.
pub(super) fn all(old: &Contract, new: &Contract, changes: &mut Changes) {
    let find = |contract: &Contract, name: &str| {
        contract.entity.columns.iter().find(|column| column.name == name).cloned()
    };
    for was in old.entity.columns.iter().filter(|column| !column.is_rescued()) {
        let path = format!("properties.{}", was.name);
        match find(new, &was.name) {
            Some(is) => column(&path, was, &is, changes),
            None => changes.breaking(&path, "the column is removed"),
        }
    }
    for is in new.entity.columns.iter().filter(|column| !column.is_rescued()) {
        if find(old, &is.name).is_none() {
            added(old, new, is, changes);
        }
    }
    let key = |contract: &Contract| {
        let entity = &contract.entity;
        entity.key_columns().map(|column| format!("`{}`", column.name)).collect::<Vec<_>>().join(", ")
    };
    changes.replaced("primaryKey", &key(old), &key(new), |key| {
        if key.is_empty() { "no key".to_owned() } else { key.clone() }
    });
}

/// Adds a new column. It is compatible if files that lack it can still be read. Values that a file already had under
/// its name were unexpected: the old contract promised nothing about them.
fn added(old: &Contract, new: &Contract, column: &Column, changes: &mut Changes) {
    let path = format!("properties.{}", column.name);
    let physical = &column.physical_name;
    if column.harmonise.constant.is_some() {
        return changes.compatible(&path, "a new column that is not read from the file");
    }
    let optional = "a new optional column; its values are checked if a file has it";
    if column.harmonise.default.is_some() {
        return changes.compatible(&path, optional);
    }
    if column.required {
        let what = "a new required column, which existing files lack: add a `penstock.default`";
        return changes.breaking(&path, what);
    }
    let is_read = |was: &Column| was.harmonise.constant.is_none() && was.physical_name == *physical;
    if old.entity.columns.iter().any(is_read) || !needs_header(new) {
        return changes.compatible(&path, optional);
    }
    let what = format!(
        "a new column; existing files lack the header `{physical}` and would be refused: add a \
         `penstock.default`, or set `penstock.missingColumns: null`"
    );
    changes.breaking(&path, what);
}

/// Returns true if a file that lacks a column is refused.
fn needs_header(contract: &Contract) -> bool {
    // Without a header, fields are assigned by the order of the columns, which is compared as a whole.
    let by_header = match contract.format.kind {
        FormatKind::Delimited(DelimitedDialect { header: None | Some(true), .. })
        | FormatKind::Parquet
        | FormatKind::Avro
        | FormatKind::Detected { json_only: false } => true,
        FormatKind::Delimited(DelimitedDialect { header: Some(false), .. })
        | FormatKind::Ndjson
        | FormatKind::JsonArray { .. }
        | FormatKind::Detected { json_only: true } => false,
    };
    by_header && contract.missing_columns == MissingColumns::Refuse
}

fn column(path: &str, old: &Column, new: &Column, changes: &mut Changes) {
    let Column {
        name: _,
        physical_name: _,
        logical_type: _,
        sql_type: _,
        required: _,
        unique: _,
        rules: _,
        harmonise: _,
        classification: _,
        pseudonymise: _,
    } = old;
    let at = |key: &str| format!("{path}.{key}");
    if old.harmonise.constant.is_none() && new.harmonise.constant.is_none() {
        changes.replaced(&at("physicalName"), &old.physical_name, &new.physical_name, |name| {
            format!("`{name}`")
        });
    }
    changes.replaced(&at("physicalType"), &old.sql_type, &new.sql_type, |sql| format!("`{sql}`"));
    logical_type(path, &old.logical_type, &new.logical_type, changes);
    required(&at("required"), old.required, new.required, changes);
    match (old.unique, new.unique) {
        (false, true) => changes.breaking(&at("unique"), "values must be unique"),
        (true, false) => changes.compatible(&at("unique"), "values may repeat"),
        (false, false) | (true, true) => {}
    }
    rules::all(path, &old.rules, &new.rules, &old.logical_type, changes);
    default(&at("penstock.default"), old, new, changes);
    harmonise(path, &old.harmonise, &new.harmonise, changes);
    match (&old.classification, &new.classification) {
        (None, Some(_)) => {
            changes.compatible(&at("classification"), "its values no longer appear in messages");
        }
        (Some(_), None) => changes.breaking(&at("classification"), "its values may appear in messages"),
        (None, None) | (Some(_), Some(_)) => {}
    }
    match (old.pseudonymise, new.pseudonymise) {
        (false, true) => changes.breaking(&at("penstock.pseudonymise"), "values are stored as pseudonyms"),
        (true, false) => changes.breaking(&at("penstock.pseudonymise"), "values are stored in plain text"),
        (false, false) | (true, true) => {}
    }
}

fn required(path: &str, old: bool, new: bool, changes: &mut Changes) {
    match (old, new) {
        (false, true) => changes.breaking(path, "rows without a value are rejected"),
        (true, false) => changes.breaking(path, "queries may return rows without a value"),
        (false, false) | (true, true) => {}
    }
}

/// Before, a missing value of a required column was rejected, and that of any other column was stored as NULL.
fn default(path: &str, old: &Column, new: &Column, changes: &mut Changes) {
    match (&old.harmonise.default, &new.harmonise.default) {
        (None, Some(default)) if old.required => {
            changes.compatible(path, format!("a missing value becomes `{default}`"));
        }
        (None, Some(default)) => {
            changes.breaking(path, format!("a missing value becomes `{default}` instead of NULL"));
        }
        (was, is) => {
            let words = |value: &Option<String>| {
                value.as_deref().map_or("nothing".to_owned(), |value| format!("`{value}`"))
            };
            changes.replaced(path, was, is, words);
        }
    }
}

/// Compares logical types with their members and formats.
fn logical_type(path: &str, old: &LogicalType, new: &LogicalType, changes: &mut Changes) {
    match (old, new) {
        (old, new) if old == new => {}
        (LogicalType::Object { properties: was }, LogicalType::Object { properties: is }) => {
            members(path, was, is, changes);
        }
        (LogicalType::Array { items: was }, LogicalType::Array { items: is }) => {
            let path = format!("{path}.items");
            match (was, is) {
                (Some(was), Some(is)) => nested(&path, was, is, changes),
                (None, Some(_)) => changes.breaking(&path, "the items are checked"),
                (Some(_), None) => changes.compatible(&path, "the items are no longer checked"),
                (None, None) => {}
            }
        }
        (LogicalType::Date { format: was }, LogicalType::Date { format: is })
        | (LogicalType::Time { format: was }, LogicalType::Time { format: is }) => {
            date_format(path, [old, new], was.as_ref(), is.as_ref(), changes);
        }
        (
            LogicalType::Timestamp { format: was, default_timezone: was_of },
            LogicalType::Timestamp { format: is, default_timezone: is_of },
        ) if was_of == is_of => date_format(path, [old, new], was.as_ref(), is.as_ref(), changes),
        (old, new) => other_type(path, [old, new], changes),
    }
}

fn other_type(path: &str, [old, new]: [&LogicalType; 2], changes: &mut Changes) {
    changes.breaking(&format!("{path}.logicalType"), format!("{old} → {new}"));
}

/// Compares patterns by the texts that they match. A pattern may be written differently, like `yyyy-MM-ddTHH:mm` and
/// `yyyy-MM-dd'T'HH:mm`, or match more texts.
fn date_format(
    path: &str,
    types: [&LogicalType; 2],
    old: Option<&DateFormat>,
    new: Option<&DateFormat>,
    changes: &mut Changes,
) {
    let (Some(was), Some(is)) = (old, new) else { return other_type(path, types, changes) };
    match (is.reads_all_of(was), was.reads_all_of(is)) {
        (true, true) => {
            let years = |format: &DateFormat| format.short_years().map_or(0, |(first, _)| first);
            let path = format!("{path}.penstock.yearPivot");
            changes.replaced(&path, &years(was), &years(is), |first| format!("`{first}`"));
        }
        (true, false) if was.short_years() == is.short_years() => {
            let what = format!("`{is}` accepts all texts that `{was}` accepts, and more");
            changes.compatible(&format!("{path}.logicalTypeOptions.format"), what);
        }
        (true | false, _) => other_type(path, types, changes),
    }
}

fn members(path: &str, old: &[Nested], new: &[Nested], changes: &mut Changes) {
    for was in old {
        let path = format!("{path}.properties.{}", was.name);
        match new.iter().find(|is| is.name == was.name) {
            Some(is) => nested(&path, was, is, changes),
            None if was.name == was.physical_name => {
                changes.compatible(&path, "no longer checked; it is stored unchanged");
            }
            None => changes.breaking(&path, format!("stored as `{}`", was.physical_name)),
        }
    }
    for is in new.iter().filter(|is| !old.iter().any(|was| was.name == is.name)) {
        changes.breaking(&format!("{path}.properties.{}", is.name), "checked if it is present");
    }
}

fn nested(path: &str, old: &Nested, new: &Nested, changes: &mut Changes) {
    let Nested { name: _, physical_name: _, logical_type: _, required: _, rules: _ } = old;
    changes.replaced(&format!("{path}.physicalName"), &old.physical_name, &new.physical_name, |name| {
        format!("`{name}`")
    });
    logical_type(path, &old.logical_type, &new.logical_type, changes);
    required(&format!("{path}.required"), old.required, new.required, changes);
    rules::all(path, &old.rules, &new.rules, &old.logical_type, changes);
}

fn harmonise(path: &str, old: &Harmonise, new: &Harmonise, changes: &mut Changes) {
    let Harmonise {
        constant: _,
        default: _,
        trim: _,
        null_values: _,
        extract: _,
        case: _,
        decimal_separator: _,
        group_separator: _,
        negative: _,
        percent: _,
        true_values: _,
        false_values: _,
        numeric_time: _,
    } = old;
    let at = |key: &str| format!("{path}.penstock.{key}");
    let value =
        |value: &Option<String>| value.as_deref().map_or("nothing".to_owned(), |value| format!("`{value}`"));
    changes.replaced(&at("constant"), &old.constant, &new.constant, value);
    changes.replaced(&at("trim"), &old.trim, &new.trim, ToString::to_string);
    changes.replaced(&at("extract"), &old.extract, &new.extract, value);
    changes.replaced(&at("case"), &old.case, &new.case, |case| {
        case.map_or("unchanged".to_owned(), |case| format!("{case:?}").to_lowercase())
    });
    let separator = |none: &'static str| {
        move |separator: &Option<char>| {
            separator.map_or(none.to_owned(), |separator| format!("`{separator}`"))
        }
    };
    changes.replaced(
        &at("decimalSeparator"),
        &old.decimal_separator,
        &new.decimal_separator,
        separator("`.`"),
    );
    changes.replaced(&at("groupSeparator"), &old.group_separator, &new.group_separator, separator("none"));
    negative(&at("negative"), old.negative, new.negative, changes);
    changes.replaced(&at("percent"), &old.percent, &new.percent, |style| {
        style.map_or("no percentages".to_owned(), |style| format!("`{}`", style.name()))
    });
    null_values(&at("nullValues"), &old.null_values, &new.null_values, changes);
    let numeric = |numeric: &Option<NumericTime>| {
        numeric.map_or("not a number".to_owned(), |numeric| numeric.to_string())
    };
    changes.replaced(&at("numericTime"), &old.numeric_time, &new.numeric_time, numeric);
    for (key, was, is) in [
        ("trueValues", &old.true_values, &new.true_values),
        ("falseValues", &old.false_values, &new.false_values),
    ] {
        for value in missing_from(is, was) {
            changes.breaking(&at(key), format!("`{value}` is rejected"));
        }
        for value in missing_from(was, is) {
            changes.compatible(&at(key), format!("`{value}` is accepted"));
        }
    }
}

/// Compares styles. `any` accepts the numbers of every style with the same value, so a change to it rejects nothing.
fn negative(path: &str, old: NegativeStyle, new: NegativeStyle, changes: &mut Changes) {
    match (old, new) {
        (old, new) if old == new => {}
        (_, NegativeStyle::Any) => changes.compatible(path, format!("`{}` → `any`", old.name())),
        (_, NegativeStyle::Leading | NegativeStyle::Trailing | NegativeStyle::Parentheses) => {
            changes.breaking(path, format!("`{}` → `{}`", old.name(), new.name()));
        }
    }
}

/// Compares null values. Without its entry, a spelling is an ordinary value.
pub(super) fn null_values(path: &str, old: &[String], new: &[String], changes: &mut Changes) {
    for value in missing_from(new, old) {
        changes.breaking(path, format!("`{value}` is no longer a missing value"));
    }
    for value in missing_from(old, new) {
        changes.breaking(path, format!("`{value}` is a missing value"));
    }
}

/// Returns the `values` that are not in `list`.
fn missing_from<'v>(list: &[String], values: &'v [String]) -> impl Iterator<Item = &'v String> {
    values.iter().filter(|value| !list.contains(value))
}
