//! Describes a contract in words: its table, and the requirements for each column and each batch.

mod files;
mod words;

use std::collections::HashMap;
use std::fmt;

use serde::Serialize;

use crate::ddl;
use crate::model::{
    Bound, Case, Column, Contract, DelimitedDialect, FormatKind, Harmonise, Load, LogicalType, MaxRejects,
    NegativeStyle, Nested, NumericTime, PercentStyle, Route, Rules, StringFormat, WriteMode,
};
use words::{counted, list};

/// A contract in words. Displays as a page of text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The source.
    pub source: String,
    /// ODCS `version`.
    pub version: String,
    /// The statements that create the target table.
    pub ddl: String,
    /// The files, one sentence each.
    pub files: Vec<String>,
    /// The loading of rows into the table, one sentence each.
    pub load: Vec<String>,
    /// The columns.
    pub columns: Vec<ColumnExplanation>,
    /// The conditions under which a batch is refused or a warning is reported, one sentence each.
    pub batch: Vec<String>,
    /// The promises of the producer, one sentence each.
    pub promises: Vec<String>,
}

/// A column in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnExplanation {
    /// The name of the column in the table.
    pub name: String,
    /// Its PostgreSQL type.
    pub sql_type: String,
    /// The source of its values and their changes, in that order.
    pub reads: Vec<String>,
    /// The requirements for a value.
    pub rules: Vec<String>,
}

/// Describes a contract in words.
pub fn explain(contract: &Contract) -> Explanation {
    let fields = field_numbers(contract);
    let field = |column: &Column| fields.get(column.physical_name.as_str()).copied();
    Explanation {
        source: contract.source.clone(),
        version: contract.version.clone(),
        ddl: ddl(contract),
        files: files::files(contract),
        load: load(contract),
        columns: contract
            .entity
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| !column.is_rescued())
            .map(|(index, column)| {
                explain_column(column, contract.entity.key.contains(&index), field(column))
            })
            .collect(),
        batch: batch(contract),
        promises: promises(contract),
    }
}

/// Returns, for a file without a header, the number of the field of each of the producer's columns; empty for other
/// files.
fn field_numbers(contract: &Contract) -> HashMap<&str, usize> {
    let mut numbers = HashMap::new();
    let FormatKind::Delimited(DelimitedDialect { header: Some(false), .. }) = &contract.format.kind else {
        return numbers;
    };
    let reads = |column: &&Column| column.harmonise.constant.is_none() && !column.is_rescued();
    for column in contract.entity.columns.iter().filter(reads) {
        let next = numbers.len().saturating_add(1);
        numbers.entry(column.physical_name.as_str()).or_insert(next);
    }
    numbers
}

/// Returns the statements that create the table and its index.
fn ddl(contract: &Contract) -> String {
    let statements = [Some(ddl::create_table(contract)), ddl::create_batch_index(contract)];
    statements.into_iter().flatten().collect::<Vec<_>>().join(";\n")
}

fn load(contract: &Contract) -> Vec<String> {
    let Load { mode, event_time, priority, route } = &contract.load;
    let key: Vec<String> = contract.entity.key_columns().map(|column| column.name.clone()).collect();
    let time = event_time.map(|index| format!("`{}`", contract.entity.column(index).name));
    let time = time.unwrap_or_else(|| "the time of the drop".to_owned());
    let mut load = match mode {
        WriteMode::Append => vec!["every row is inserted".to_owned(), format!("the event time is {time}")],
        WriteMode::Upsert => {
            let drop_time = if event_time.is_some() { ", then the time of the drop" } else { "" };
            vec![
                format!(
                    "a row replaces the row with the same {} unless the existing row is newer",
                    list(&key)
                ),
                format!("rows are compared by {time}, then the priority ({priority} here){drop_time}"),
                format!(
                    "a row whose key has more than {} is rejected",
                    counted(contract.max_key_bytes, "byte")
                ),
            ]
        }
    };
    load.push(match route {
        Route::Auto => "small files are processed by Lambda, large ones by Spark".to_owned(),
        Route::Lambda => "every file is processed by Lambda".to_owned(),
        Route::Spark => "every file is processed by Spark".to_owned(),
    });
    load
}

/// Describes a column. `field` is the number of its field if files have no header.
fn explain_column(column: &Column, is_key: bool, field: Option<usize>) -> ColumnExplanation {
    let mut rules = Vec::new();
    if column.harmonise.constant.is_none() {
        rules.push(match column.harmonise.numeric_time {
            Some(numeric) => format!("must be {numeric}{}", of_zone(numeric, &column.logical_type)),
            None => format!("must be {}", kind(&column.logical_type, &column.rules)),
        });
        if is_key {
            rules.push("required, as a part of the primary key".to_owned());
        } else if column.required {
            rules.push("required".to_owned());
        }
        self::rules(&column.rules, &mut rules);
        members(&column.logical_type, "", &mut rules);
    }
    if column.unique {
        rules.push("unique".to_owned());
    }
    if column.pseudonymise {
        rules.push("stored as its HMAC-SHA-256 only".to_owned());
    }
    if let Some(classification) = &column.classification {
        rules.push(format!("classified as {classification}: its values do not appear in messages"));
    }
    ColumnExplanation {
        name: column.name.clone(),
        sql_type: column.sql_type.to_string(),
        reads: reads(column, field),
        rules,
    }
}

/// Returns the format or the type of a value in words.
fn kind(logical: &LogicalType, rules: &Rules) -> String {
    let meaning = rules.format.and_then(StringFormat::meaning);
    meaning.map_or_else(|| logical.to_string(), str::to_owned)
}

/// Returns the time zone of a number that is a time without one.
fn of_zone(numeric: NumericTime, logical: &LogicalType) -> String {
    match logical {
        LogicalType::Timestamp { default_timezone, .. } if !numeric.is_utc() => {
            format!(", in {default_timezone}")
        }
        LogicalType::Date { .. } => ", without a time of day".to_owned(),
        LogicalType::Timestamp { .. }
        | LogicalType::String
        | LogicalType::Integer
        | LogicalType::Number
        | LogicalType::Boolean
        | LogicalType::Time { .. }
        | LogicalType::Object { .. }
        | LogicalType::Array { .. } => String::new(),
    }
}

fn reads(column: &Column, field: Option<usize>) -> Vec<String> {
    let Harmonise {
        constant,
        default,
        trim,
        null_values,
        extract,
        case,
        true_values,
        false_values,
        // `number_style` describes these.
        decimal_separator: _,
        group_separator: _,
        negative: _,
        percent: _,
        // It replaces the format of the type.
        numeric_time: _,
    } = &column.harmonise;
    if let Some(constant) = constant {
        return vec![format!("always `{constant}`")];
    }
    let mut reads = vec![match field {
        Some(number) => format!("from field {number}"),
        None => format!("from `{}`", column.physical_name),
    }];
    if !trim {
        reads.push("leading and trailing white space is retained".to_owned());
    }
    if !null_values.is_empty() {
        reads.push(format!("missing when it is {}", list(null_values)));
    }
    if let Some(extract) = extract {
        reads.push(format!("the value is the first group of `{extract}`"));
    }
    match case {
        Some(Case::Upper) => reads.push("in upper case".to_owned()),
        Some(Case::Lower) => reads.push("in lower case".to_owned()),
        None => {}
    }
    number_style(&column.harmonise, &mut reads);
    if !true_values.is_empty() {
        reads.push(format!("true when it is {}", list(true_values)));
    }
    if !false_values.is_empty() {
        reads.push(format!("false when it is {}", list(false_values)));
    }
    if let Some(default) = default {
        reads.push(format!("`{default}` when it is missing"));
    }
    reads
}

/// Adds how numbers are written.
fn number_style(harmonise: &Harmonise, reads: &mut Vec<String>) {
    let Harmonise { decimal_separator, group_separator, negative, percent, .. } = harmonise;
    if let Some(separator) = decimal_separator {
        reads.push(format!("the decimal separator is `{separator}`"));
    }
    if let Some(separator) = group_separator {
        reads.push(format!("the group separator is `{separator}`"));
    }
    match negative {
        NegativeStyle::Leading => {}
        NegativeStyle::Trailing => reads.push("a negative value has `-` after the digits".to_owned()),
        NegativeStyle::Parentheses => reads.push("a negative value is in parentheses".to_owned()),
        NegativeStyle::Any => {
            reads
                .push("a negative value has `-` before or after the digits, or is in parentheses".to_owned());
        }
    }
    match percent {
        None => {}
        Some(PercentStyle::Points) => reads.push("a percentage: `7%` becomes 7".to_owned()),
        Some(PercentStyle::Fraction) => reads.push("a percentage: `7%` becomes 0.07".to_owned()),
    }
}

fn rules(rules: &Rules, words: &mut Vec<String>) {
    // Exhaustive, so that a new rule does not compile until it is described.
    let Rules {
        min_length,
        max_length,
        pattern,
        minimum,
        maximum,
        multiple_of,
        allowed,
        // It is part of the type.
        format: _,
        min_items,
        max_items,
        unique_items,
        min_properties,
        max_properties,
        required_properties,
    } = rules;
    let mut push = |text: String| words.push(text);
    let counts = [
        (*min_length, *max_length, "character"),
        (*min_items, *max_items, "item"),
        (*min_properties, *max_properties, "member"),
    ];
    for (least, most, what) in counts {
        match (least, most) {
            (Some(least), Some(most)) if least == most => push(format!("exactly {}", counted(least, what))),
            (least, most) => {
                least.into_iter().for_each(|least| push(format!("at least {}", counted(least, what))));
                most.into_iter().for_each(|most| push(format!("at most {}", counted(most, what))));
            }
        }
    }
    let bound = |bound: &Bound, words: [&str; 2]| {
        format!("{} {}", if bound.exclusive { words[1] } else { words[0] }, bound.value)
    };
    minimum.iter().for_each(|minimum| push(bound(minimum, ["at least", "above"])));
    maximum.iter().for_each(|maximum| push(bound(maximum, ["at most", "below"])));
    multiple_of.iter().for_each(|multiple| push(format!("a multiple of {multiple}")));
    pattern.iter().for_each(|pattern| push(format!("matches `{pattern}`")));
    if !allowed.is_empty() {
        push(format!("one of {}", list(allowed)));
    }
    if *unique_items {
        push("items are unique".to_owned());
    }
    if !required_properties.is_empty() {
        push(format!("has the keys {}", list(required_properties)));
    }
}

/// Adds the rules of the members of an object or array, each with its path.
fn members(logical: &LogicalType, path: &str, words: &mut Vec<String>) {
    let mut member = |nested: &Nested, path: String| {
        let mut rules = vec![kind(&nested.logical_type, &nested.rules)];
        if nested.required {
            rules.push("required".to_owned());
        }
        self::rules(&nested.rules, &mut rules);
        words.push(format!("`{path}`: {}", rules.join(", ")));
        members(&nested.logical_type, &path, words);
    };
    match logical {
        LogicalType::Object { properties } => {
            for nested in properties {
                member(nested, format!("{path}.{}", nested.physical_name));
            }
        }
        LogicalType::Array { items } => {
            if let Some(nested) = items {
                member(nested, format!("{path}[]"));
            }
        }
        LogicalType::String
        | LogicalType::Integer
        | LogicalType::Number
        | LogicalType::Boolean
        | LogicalType::Date { .. }
        | LogicalType::Timestamp { .. }
        | LogicalType::Time { .. } => {}
    }
}

fn batch(contract: &Contract) -> Vec<String> {
    let mut batch = Vec::new();
    let MaxRejects { rows, percent } = contract.max_rejects;
    if let Some(rows) = rows {
        batch.push(format!("refused if it has more than {}", counted(rows, "reject")));
    }
    if let Some(percent) = percent {
        batch.push(format!("refused if more than {percent} percent of its rows are rejected"));
    }
    for check in &contract.quality {
        let columns: Vec<String> = contract.columns_of(check).into_iter().map(str::to_owned).collect();
        let about = if columns.is_empty() { String::new() } else { format!("{}: ", list(&columns)) };
        let name = check.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let warns = if check.refuses() { "" } else { " (warning only)" };
        batch.push(format!("checked{name}: {about}{check}{warns}"));
    }
    for check in &contract.not_executed {
        let name = check.name.as_deref().unwrap_or(&check.path);
        batch.push(format!("not executed ({name}): a check of the type {}", check.kind));
    }
    batch
}

fn promises(contract: &Contract) -> Vec<String> {
    let promise = |sla: &crate::model::Sla| {
        let unit = sla.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
        let element = sla.element.as_ref().map(|element| format!(" of {element}")).unwrap_or_default();
        format!("{}{element}: {}{unit}", sla.property, sla.value)
    };
    let retired = contract.is_retired.then(|| "retired: no more drops are expected".to_owned());
    contract.sla.iter().map(promise).chain(retired).collect()
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}\n\n{};", self.source, self.version, self.ddl)?;
        let section = |f: &mut fmt::Formatter<'_>, title: &str, sentences: &[String]| {
            if sentences.is_empty() {
                return Ok(());
            }
            writeln!(f, "\n{title}")?;
            sentences.iter().try_for_each(|sentence| writeln!(f, "  {sentence}"))
        };
        section(f, "Files", &self.files)?;
        section(f, "Rows", &self.load)?;
        writeln!(f, "\nColumns")?;
        for column in &self.columns {
            writeln!(f, "  {} {}", column.name, column.sql_type)?;
            for sentence in column.reads.iter().chain(&column.rules) {
                writeln!(f, "    {sentence}")?;
            }
        }
        section(f, "Batch", &self.batch)?;
        section(f, "Promises", &self.promises)
    }
}
