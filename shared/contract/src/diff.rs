//! The differences between two versions of a contract, and which of them are breaking.
//!
//! A change is breaking if a file that was accepted may now be refused or read differently, or if readers of the table
//! lose something: a column, its type, the guarantee that it is never empty, a promise. Fewer requirements are
//! compatible, and so are additions: values under the name of a new column were unexpected before, and nothing was
//! promised about them.

mod change;
mod column;
mod format;
mod order;
mod rules;

use std::cmp::Ordering;

use crate::model::{
    Contract, Entity, Format, Load, MaxRejects, MissingColumns, Overwrite, QualityCheck, Sla, SlaProperty,
    UnexpectedColumns, WriteMode,
};
use change::Changes;
pub use change::{Change, ChangeKind, is_breaking};

/// Returns every change that has an effect, in the order of the contract: head, files, settings, columns, checks,
/// promises. Descriptions have no effect. The order of the columns has one if files may lack a header.
pub fn diff(old: &Contract, new: &Contract) -> Vec<Change> {
    // Destructured in full, here and below: a new field does not compile until it is compared or declared to have no
    // effect.
    let Contract {
        id: _,
        source: _,
        version: _,
        is_retired: _,
        entity: _,
        format: _,
        load: _,
        max_rejects: _,
        max_key_bytes: _,
        quality: _,
        // Penstock does not execute them.
        not_executed: _,
        sla: _,
        unexpected_columns: _,
        missing_columns: _,
        overwrite: _,
    } = old;
    let mut changes = Changes::default();
    head(old, new, &mut changes);
    files(old, new, &mut changes);
    load(old, new, &mut changes);
    column::all(old, new, &mut changes);
    quality(old, new, &mut changes);
    sla(old, new, &mut changes);
    changes.into_vec()
}

/// Returns the reason why the version of the new contract does not match the changes, or `None` if it matches.
///
/// A breaking change needs a new major version (below `1.0.0` a new minor version), any other change a higher version.
/// The id of a batch is derived from the drop and the version: if a version had two meanings, two different batches
/// would have the same id.
pub fn version_fault(old: &Contract, new: &Contract, changes: &[Change]) -> Option<String> {
    if changes.is_empty() {
        return None;
    }
    let ([major, minor, patch], _) = parts(&old.version);
    let ([new_major, new_minor, _], _) = parts(&new.version);
    let next_major = if major == 0 {
        format!("0.{}.0", minor.saturating_add(1))
    } else {
        format!("{}.0.0", major.saturating_add(1))
    };
    let is_new_major = new_major > major || major == 0 && (new_major, new_minor) > (major, minor);
    if is_breaking(changes) && !is_new_major {
        return Some(format!(
            "breaking changes need a new major version: {} → {next_major}, not {}",
            old.version, new.version
        ));
    }
    if compare_versions(&old.version, &new.version).is_ge() {
        let next = format!("{major}.{minor}.{}", patch.saturating_add(1));
        return Some(format!(
            "the contract changed but its version did not increase: {} → at least {next}, not {}",
            old.version, new.version
        ));
    }
    None
}

/// Splits the version of a parsed contract into its three numbers and its suffix.
fn parts(version: &str) -> ([u64; 3], Option<&str>) {
    let (numbers, suffix) =
        version.split_once('-').map_or((version, None), |(numbers, suffix)| (numbers, Some(suffix)));
    let mut parts = [0; 3];
    for (part, text) in parts.iter_mut().zip(numbers.split('.')) {
        *part = text.parse().expect("a parsed contract has numbers of at most 9 digits");
    }
    (parts, suffix)
}

/// Compares versions in the order of semantic versions (<https://semver.org>, item 11).
fn compare_versions(one: &str, other: &str) -> Ordering {
    let ((numbers, suffix), (other_numbers, other_suffix)) = (parts(one), parts(other));
    let of_suffixes = || match (suffix, other_suffix) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(suffix), Some(other)) => {
            // Numbers sort before words.
            let key = |part: &str| match part.parse::<u64>() {
                Ok(number) => (false, number, String::new()),
                Err(_) => (true, 0, part.to_owned()),
            };
            suffix.split('.').map(key).cmp(other.split('.').map(key))
        }
    };
    numbers.cmp(&other_numbers).then_with(of_suffixes)
}

fn head(old: &Contract, new: &Contract, changes: &mut Changes) {
    changes.replaced("id", &old.id, &new.id, |id| format!("`{id}`"));
    changes.replaced("name", &old.source, &new.source, |source| format!("`{source}`"));
    // `column::all` compares `columns` and `key`.
    let Entity { name, table: _, columns: _, key: _ } = &old.entity;
    // The lake's table has the name of the entity.
    changes.replaced("schema.name", name, &new.entity.name, |name| format!("`{name}`"));
    let table = |contract: &Contract| crate::ddl::quoted_table(&contract.entity.table);
    changes.replaced("schema.physicalName", &table(old), &table(new), Clone::clone);
}

fn files(old: &Contract, new: &Contract, changes: &mut Changes) {
    let Format {
        kind: was_kind,
        encoding: was_encoding,
        compression: was_compression,
        null_values: was_nulls,
        header_case: _,
        empty_file: _,
    } = &old.format;
    let Format { kind, encoding, compression, null_values, header_case: _, empty_file: _ } = &new.format;
    if format::dialect(was_kind) != format::dialect(kind) {
        changes.breaking("servers", "the format or dialect of the files changed");
    } else {
        order::compare(old, new, changes);
    }
    // An encoding that is not declared is detected, and may differ from any declared one.
    let label = |label: &Option<String>| label.as_ref().map(|label| label.to_ascii_lowercase());
    let words = |label: &Option<String>| match label {
        Some(label) => format!("`{label}`"),
        None => "detected from the file".to_owned(),
    };
    changes.replaced("servers.penstock.encoding", &label(was_encoding), &label(encoding), words);
    match (was_compression, compression) {
        (was, is) if was == is => {}
        (Some(_), None) => {
            changes.compatible("servers.penstock.compression", "detected from the content");
        }
        (None | Some(_), Some(_)) | (None, None) => {
            changes.breaking("servers.penstock.compression", "files with another compression are refused");
        }
    }
    format::rows(&old.format, &new.format, changes);
    column::null_values("servers.penstock.nullValues", was_nulls, null_values, changes);
}

fn load(old: &Contract, new: &Contract, changes: &mut Changes) {
    let (one, other) = (&old.load, &new.load);
    let Load { mode: _, event_time: _, priority: _, route: _ } = one;
    let MaxRejects { rows: _, percent: _ } = old.max_rejects;
    changes.replaced("penstock.write", &one.mode, &other.mode, |mode| format!("{mode:?}").to_lowercase());
    let event_time = |contract: &Contract| {
        let column = contract.load.event_time.map(|index| contract.entity.column(index));
        column.map_or_else(|| "the time of the drop".to_owned(), |column| format!("`{}`", column.name))
    };
    changes.replaced("penstock.eventTime", &event_time(old), &event_time(new), Clone::clone);
    if one.priority != other.priority {
        changes.compatible("penstock.priority", format!("{} → {}", one.priority, other.priority));
    }
    if one.route != other.route {
        let what = format!("{:?} → {:?}", one.route, other.route).to_lowercase();
        changes.compatible("penstock.route", what);
    }
    let (was, is) = (old.max_rejects, new.max_rejects);
    let rows = |rows: Option<u64>| rows.map_or("no limit".to_owned(), |rows| rows.to_string());
    changes.at_most("penstock.maxRejects", was.rows, is.rows, rows);
    let percent = |percent: Option<f64>| percent.map_or("no limit".to_owned(), |percent| percent.to_string());
    changes.at_most("penstock.maxRejectsPercent", was.percent, is.percent, percent);
    // Without `upsert` there is no index of the key.
    if other.mode == WriteMode::Upsert {
        let bytes = |bytes: Option<u32>| bytes.map_or("no limit".to_owned(), |bytes| bytes.to_string());
        let (was, is) = (Some(old.max_key_bytes), Some(new.max_key_bytes));
        changes.at_most("penstock.maxKeyBytes", was, is, bytes);
    }
    unmatched_columns(old, new, changes);
}

fn unmatched_columns(old: &Contract, new: &Contract, changes: &mut Changes) {
    let path = "penstock.unexpectedColumns";
    match (old.unexpected_columns, new.unexpected_columns) {
        (was, is) if was == is => {}
        (UnexpectedColumns::Rescue, UnexpectedColumns::Ignore) => {
            changes.breaking(path, "unexpected columns are no longer stored in `_rescued`");
        }
        (_, UnexpectedColumns::Reject) => changes.breaking(path, "rows with unexpected columns are rejected"),
        (_, UnexpectedColumns::Ignore) => changes.compatible(path, "unexpected columns are ignored"),
        (_, UnexpectedColumns::Rescue) => {
            changes.compatible(path, "unexpected columns are stored in `_rescued`")
        }
    }
    match (old.missing_columns, new.missing_columns) {
        (MissingColumns::Null, MissingColumns::Refuse) => {
            changes.breaking("penstock.missingColumns", "files that lack columns are refused");
        }
        (MissingColumns::Refuse, MissingColumns::Null) => {
            changes.compatible("penstock.missingColumns", "columns that a file lacks are empty");
        }
        (MissingColumns::Refuse, MissingColumns::Refuse) | (MissingColumns::Null, MissingColumns::Null) => {}
    }
    let words = |overwrite: &Overwrite| format!("{overwrite:?}").to_lowercase();
    changes.replaced("penstock.overwrite", &old.overwrite, &new.overwrite, words);
}

/// Checks are identified by what they count, not by name or position. A check that only became more lenient is one
/// change.
fn quality(old: &Contract, new: &Contract, changes: &mut Changes) {
    let words = |contract: &Contract, check: &QualityCheck| {
        let names = contract.columns_of(check).join("`, `");
        let about = if names.is_empty() { String::new() } else { format!("`{names}`: ") };
        let only_reported = if check.refuses() { "" } else { " (warning only)" };
        format!("{about}{check}{only_reported}")
    };
    let is_stricter = |was: &QualityCheck, is: &QualityCheck| {
        // `words` covers the metric, the column and the unit. The name and the path have no effect.
        let QualityCheck { path: _, name: _, severity: _, metric: _, column: _, operator: _, unit: _ } = is;
        // A check that refused batches and now only warns is more lenient.
        let severity = if was.refuses() && !is.refuses() { &is.severity } else { &was.severity };
        let (severity, operator) = (severity.clone(), is.operator);
        let same = words(old, &QualityCheck { operator, severity, ..was.clone() }) == words(new, is);
        !(same && is.operator.allows_all_of(&was.operator))
    };
    for is in &new.quality {
        let covered = old.quality.iter().find(|was| !is_stricter(was, is));
        match covered {
            None if is.refuses() => changes.breaking("quality", format!("a new check: {}", words(new, is))),
            None => changes.compatible("quality", format!("a new check: {}", words(new, is))),
            Some(was) if words(old, was) != words(new, is) => {
                changes.compatible("quality", format!("{} → {}", words(old, was), words(new, is)));
            }
            Some(_) => {}
        }
    }
    for was in &old.quality {
        if new.quality.iter().all(|is| is_stricter(was, is)) {
            changes.compatible("quality", format!("no longer checked: {}", words(old, was)));
        }
    }
}

fn sla(old: &Contract, new: &Contract, changes: &mut Changes) {
    let words = |sla: &Sla| match &sla.unit {
        Some(unit) => format!("{} {unit}", sla.value),
        None => sla.value.clone(),
    };
    let same = |one: &Sla, other: &Sla| one.property == other.property && one.element == other.element;
    match (old.is_retired, new.is_retired) {
        (false, true) => changes.compatible("status", "retired: no more drops are expected"),
        (true, false) => changes.compatible("status", "no longer retired"),
        (false, false) | (true, true) => {}
    }
    // Promises of the same kind are matched by their order.
    let nth = |all: &[Sla], index: usize| {
        all.iter().zip(0..index).filter(|(sla, _)| all.get(index).is_some_and(|this| same(sla, this))).count()
    };
    let partner = |from: &[Sla], index: usize, to: &'_ [Sla]| -> Option<usize> {
        let this = from.get(index)?;
        let same_kind = to.iter().enumerate().filter(|(_, sla)| same(sla, this));
        same_kind.map(|(index, _)| index).nth(nth(from, index))
    };
    for (index, was) in old.sla.iter().enumerate() {
        let path = format!("slaProperties.{}", was.property);
        let Some(is) = partner(&old.sla, index, &new.sla).and_then(|index| new.sla.get(index)) else {
            changes.breaking(&path, format!("{} is no longer promised", words(was)));
            continue;
        };
        if (&is.value, &is.unit) == (&was.value, &was.unit) {
            continue;
        }
        let what = format!("{} → {}", words(was), words(is));
        let better = match was.property {
            SlaProperty::Frequency | SlaProperty::Latency => is.seconds <= was.seconds,
            SlaProperty::Retention => is.seconds >= was.seconds,
            SlaProperty::Other(_) => false,
        };
        if better { changes.compatible(&path, what) } else { changes.breaking(&path, what) }
    }
    let added = (0..new.sla.len()).filter(|index| partner(&new.sla, *index, &old.sla).is_none());
    for is in added.filter_map(|index| new.sla.get(index)) {
        changes.compatible(&format!("slaProperties.{}", is.property), format!("{} is promised", words(is)));
    }
}
