//! Reads the custom properties of a source: how its rows are loaded, and the treatment of irregular files.

use crate::custom;
use crate::entity::EntityParts;
use crate::error::{Errors, ReadResult, quoted};
use crate::model::{
    Entity, Load, LogicalType, MaxRejects, MissingColumns, Overwrite, Route, UnexpectedColumns, WriteMode,
};
use crate::names::ColumnNames;
use crate::node_ref::NodeRef;
use crate::row_size;
use crate::source::SchemaObject;

/// The default of `penstock.maxRejectsPercent`, if `penstock.maxRejects` is not set either.
const DEFAULT_MAX_REJECTS_PERCENT: f64 = 10.0;
/// The default of `penstock.maxKeyBytes`.
const DEFAULT_MAX_KEY_BYTES: u32 = 2_048;

/// The parts of a contract that have the settings of a source: the contract and the object of its schema.
pub(crate) struct SourceSettings<'a, 'n> {
    pub(crate) contract: &'a NodeRef<'n>,
    pub(crate) object: &'a SchemaObject<'n>,
}

impl<'n> SourceSettings<'_, 'n> {
    /// Returns a custom property. If the contract has several objects, that of the object overrides that of the
    /// contract.
    fn find(&self, name: &str, errors: &mut Errors) -> ReadResult<Option<NodeRef<'n>>> {
        match (custom::find(self.contract, name), custom::find(&self.object.at, name)) {
            (Some(_), Some(second)) if self.object.is_only => {
                Err(second.report(errors, format!("`{name}` is also set at the contract")))
            }
            (first, second) => Ok(second.or(first)),
        }
    }
}

/// The treatment of irregular files.
pub(crate) struct FileSettings {
    pub(crate) unexpected_columns: UnexpectedColumns,
    pub(crate) missing_columns: MissingColumns,
    pub(crate) overwrite: Overwrite,
}

pub(crate) fn files(settings: &SourceSettings<'_, '_>, errors: &mut Errors) -> ReadResult<FileSettings> {
    let find = |name: &str, errors: &mut Errors| settings.find(name, errors);
    let unexpected = [
        ("rescue", UnexpectedColumns::Rescue),
        ("ignore", UnexpectedColumns::Ignore),
        ("reject", UnexpectedColumns::Reject),
    ];
    let missing = [("refuse", MissingColumns::Refuse), ("null", MissingColumns::Null)];
    let overwrite = [("add", Overwrite::Add), ("replace", Overwrite::Replace), ("keep", Overwrite::Keep)];
    let unexpected = find("penstock.unexpectedColumns", errors).and_then(|at| {
        at.map(|at| at.choice("a value of `penstock.unexpectedColumns`", &unexpected, errors)).transpose()
    });
    let missing = find("penstock.missingColumns", errors).and_then(|at| {
        at.map(|at| at.choice("a value of `penstock.missingColumns`", &missing, errors)).transpose()
    });
    let overwrite = find("penstock.overwrite", errors).and_then(|at| {
        at.map(|at| at.choice("a value of `penstock.overwrite`", &overwrite, errors)).transpose()
    });
    Ok(FileSettings {
        unexpected_columns: unexpected?.unwrap_or_default(),
        missing_columns: missing?.unwrap_or_default(),
        overwrite: overwrite?.unwrap_or_default(),
    })
}

pub(crate) fn load(
    settings: &SourceSettings<'_, '_>,
    described: ReadResult<&EntityParts>,
    errors: &mut Errors,
) -> ReadResult<Load> {
    let write = settings.find("penstock.write", errors);
    let write = write.and_then(|at| at.map(|at| Ok((write_mode(&at, errors)?, at))).transpose());
    let event_time = settings.find("penstock.eventTime", errors);
    let priority = settings
        .find("penstock.priority", errors)
        .and_then(|at| at.map(|at| at.integer::<i16>("of -32768 to 32767", errors)).transpose());
    let route =
        settings.find("penstock.route", errors).and_then(|at| at.map(|at| route(&at, errors)).transpose());
    // These two need the columns. If the columns could not be read, the reason was reported.
    let EntityParts { entity, names, quality: _ } = described?;
    let event_time =
        event_time.and_then(|at| at.map(|at| event_time_column(&at, entity, names, errors)).transpose());
    let mode = match write? {
        Some((WriteMode::Upsert, at)) if entity.key.is_empty() => {
            return Err(at.report(
                errors,
                "`upsert` needs a primary key; set `primaryKey: true` at its columns, or write `append`",
            ));
        }
        Some((mode, _)) => mode,
        None if entity.key.is_empty() => WriteMode::Append,
        None => WriteMode::Upsert,
    };
    Ok(Load {
        mode,
        event_time: event_time?,
        priority: priority?.unwrap_or(0),
        route: route?.unwrap_or(Route::Auto),
    })
}

fn event_time_column(
    at: &NodeRef<'_>,
    entity: &Entity,
    names: &ColumnNames,
    errors: &mut Errors,
) -> ReadResult<usize> {
    let name = at.text(errors)?;
    let found = names.find(name).and_then(|index| Some((index, entity.columns.get(index)?)));
    let Some((index, column)) = found else {
        let near = names.nearest(name);
        let suggestion = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(at.report(errors, format!("there is no column {}{suggestion}", quoted(name))));
    };
    if !matches!(column.logical_type, LogicalType::Date { .. } | LogicalType::Timestamp { .. }) {
        return Err(at.report(errors, format!("{} is not a date or timestamp", quoted(name))));
    }
    if !column.required {
        return Err(at.report(
            errors,
            format!("{} must be `required: true` to decide which row is newer", quoted(name)),
        ));
    }
    Ok(index)
}

fn write_mode(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<WriteMode> {
    at.choice(
        "a value of `penstock.write`",
        &[("upsert", WriteMode::Upsert), ("append", WriteMode::Append)],
        errors,
    )
}

fn route(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<Route> {
    let routes = [("auto", Route::Auto), ("lambda", Route::Lambda), ("spark", Route::Spark)];
    at.choice("a route", &routes, errors)
}

pub(crate) fn max_rejects(settings: &SourceSettings<'_, '_>, errors: &mut Errors) -> ReadResult<MaxRejects> {
    let find = |name: &str, errors: &mut Errors| settings.find(name, errors);
    let rows = find("penstock.maxRejects", errors)
        .and_then(|at| at.map(|at| at.integer::<u64>("of at least 0", errors)).transpose());
    let percent = find("penstock.maxRejectsPercent", errors)
        .and_then(|at| at.map(|at| percent(&at, errors)).transpose());
    let (rows, percent) = (rows?, percent?);
    Ok(MaxRejects { rows, percent: percent.or((rows.is_none()).then_some(DEFAULT_MAX_REJECTS_PERCENT)) })
}

pub(crate) fn max_key_bytes(
    settings: &SourceSettings<'_, '_>,
    entity: &Entity,
    mode: Option<WriteMode>,
    errors: &mut Errors,
) -> ReadResult<u32> {
    let most = row_size::max_key_bytes(entity.key.len());
    let Some(at) = settings.find("penstock.maxKeyBytes", errors)? else {
        let most = u32::try_from(most).expect("an index entry has at most 2,704 bytes");
        return Ok(DEFAULT_MAX_KEY_BYTES.min(most));
    };
    if mode == Some(WriteMode::Append) {
        return Err(at.report(errors, "has no effect with `append`, which does not index the key"));
    }
    let range = format!("from 1 to {most}, the limit for an index entry of this key");
    let bytes = at.integer::<u32>(&range, errors)?;
    if (1..=most).contains(&(bytes as usize)) {
        return Ok(bytes);
    }
    Err(at.report(errors, format!("{bytes} is not a whole number {range}")))
}

fn percent(at: &NodeRef<'_>, errors: &mut Errors) -> ReadResult<f64> {
    let text = at.number(errors)?;
    match text.parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent),
        _ => Err(at.report(errors, format!("{} is not a percentage of 0 to 100", quoted(text)))),
    }
}
