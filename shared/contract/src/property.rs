//! Reads a property of the schema into a [`Column`].

use crate::column_checks;
use crate::custom;
use crate::declared_type;
use crate::error::{Errors, ReadResult};
use crate::harmonise;
use crate::impossible;
use crate::logical_name::LogicalName;
use crate::model::{Column, LogicalType, Metric, QualityCheck, SqlType};
use crate::names;
use crate::nested;
use crate::node_ref::NodeRef;
use crate::options::{self, TypeOptions};
use crate::quality::{self, CheckScope};
use crate::sql_type::{self, BooleanEncoding, PhysicalType};

/// A column, with its position in the primary key and its quality checks.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) column: Column,
    /// The ODCS `name`.
    pub(crate) name: String,
    /// `primaryKeyPosition`; `Some(None)` for a key column without one.
    pub(crate) key: Option<Option<i64>>,
    /// The checks of a whole batch.
    pub(crate) quality: Vec<QualityCheck>,
}

/// Reads one property.
pub(crate) fn read(
    at: &NodeRef<'_>,
    index: usize,
    is_v3_0: bool,
    errors: &mut Errors,
) -> ReadResult<Property> {
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
    let checks = quality::read(at, CheckScope::Column, is_v3_0, errors);

    // The rest depends on the type. Without it, errors would be misleading.
    let ColumnTypes { options, sql_type, flag, lists_values } = types?;
    let harmonise = harmonise::read(at, &options.logical, errors);
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
    column_checks::apply(at, &mut column, &checks, errors)?;
    impossible::note(&column, &checks, errors);
    if lists_values && column.rules.allowed.is_empty() {
        let message =
            "the listed values are not checked; to check them, add a check `invalidValues` with `mustBe: 0`";
        at.get("physicalType").iter().for_each(|at| at.note(errors, message));
    }
    if column.pseudonymise {
        // The checks apply to the plain value, so they come first.
        column.sql_type = pseudonym_type(at, &column, errors)?;
    }
    let quality = checks.batch.into_iter().map(|(check, _)| of_column(check, index)).collect();
    Ok(Property { column, name: property_name.to_owned(), key, quality })
}

/// Completes a check with the index of its column.
fn of_column(check: QualityCheck, index: usize) -> QualityCheck {
    let compares = matches!(check.metric, Metric::DuplicateValues { .. });
    let metric = if compares { Metric::DuplicateValues { columns: vec![index] } } else { check.metric };
    QualityCheck { metric, column: Some(index), ..check }
}

/// Returns the type of a pseudonymised column. Only strings can be pseudonymised: a number or a date has several
/// spellings, and each would have another pseudonym.
fn pseudonym_type(at: &NodeRef<'_>, column: &Column, errors: &mut Errors) -> ReadResult<SqlType> {
    let physical = at.get("physicalType");
    let property = custom::find(at, "penstock.pseudonymise").unwrap_or_else(|| at.clone());
    if column.logical_type != LogicalType::String {
        let message = "only strings can be pseudonymised, because values of other types have several spellings; \
                       write `logicalType: string`";
        return Err(property.report(errors, message));
    }
    match physical {
        Some(physical) if column.sql_type != SqlType::Text => {
            Err(physical.report(errors, "a pseudonym is `text`; write that, or remove `physicalType`"))
        }
        _ => Ok(SqlType::Text),
    }
}

/// Returns the position in the primary key; `Some(None)` for a key column without a position.
fn key(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Option<Option<i64>>> {
    let is_key = at.get("primaryKey").map(|at| at.bool(errors)).transpose()?;
    let Some(position_at) = at.get("primaryKeyPosition") else {
        return Ok((is_key == Some(true)).then_some(None));
    };
    let position = position_at.integer::<i64>("that can be a position", errors)?;
    match is_key {
        // −1 is the standard's default and means no position.
        Some(true) => Ok(Some((position >= 0).then_some(position))),
        None if position > 0 => Err(position_at.needs(errors, "has no effect; add `primaryKey: true`")),
        Some(false) if position > 0 => {
            position_at.note(errors, "has no effect without `primaryKey: true`");
            Ok(None)
        }
        Some(false) | None => Ok(None),
    }
}

/// The type of a property.
struct ColumnTypes {
    options: TypeOptions,
    sql_type: SqlType,
    flag: Option<BooleanEncoding>,
    lists_values: bool,
}

/// Reads the logical type with its options, and determines the PostgreSQL type.
fn types(at: &NodeRef<'_>, is_v3_0: bool, errors: &mut Errors) -> ReadResult<ColumnTypes> {
    let declared = declared_type::read(at, is_v3_0, errors)?;
    let physical = at.get("physicalType").map(|at| physical_type(&at, declared, errors)).transpose();
    let name = match (declared, &physical) {
        // An integer type under `number` restricts the values to integers.
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
        return Ok(ColumnTypes { options, sql_type, flag: None, lists_values: false });
    };
    if !name.fits(&sql) {
        let message = format!(
            "`{sql}` cannot store the logical type `{}`; write `{}`, or remove `physicalType`",
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
    Ok(ColumnTypes { options, sql_type: sql, flag, lists_values })
}

fn physical_type(
    at: &NodeRef<'_>,
    logical: Option<LogicalName>,
    errors: &mut Errors,
) -> ReadResult<PhysicalType> {
    let text = at.text(errors)?;
    sql_type::parse(text, logical).map_err(|why| at.needs(errors, why))
}
