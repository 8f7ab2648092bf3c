//! Compares the columns that the fields of a file without a header are assigned to.

use super::change::Changes;
use crate::model::{Contract, DelimitedDialect, FormatKind, Ragged};

/// The assignment of the fields of a file to columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binding {
    /// By name.
    Names,
    /// By position.
    Order { pads: bool },
    /// By name if the file has a header, otherwise by position.
    Either,
}

impl Binding {
    fn of(kind: &FormatKind) -> Self {
        match kind {
            FormatKind::Delimited(DelimitedDialect { header: Some(false), ragged, .. }) => {
                Self::Order { pads: *ragged == Ragged::Pad }
            }
            // A declared number of header records also declares a header.
            FormatKind::Delimited(DelimitedDialect { header: None, header_rows: None, .. })
            | FormatKind::Detected { json_only: false } => Self::Either,
            FormatKind::Delimited(_)
            | FormatKind::Ndjson
            | FormatKind::JsonArray { .. }
            | FormatKind::Parquet
            | FormatKind::Avro
            | FormatKind::Detected { json_only: true } => Self::Names,
        }
    }
}

/// Compares the columns of files without a header. Both contracts must describe the same kind of file.
pub(super) fn compare(old: &Contract, new: &Contract, changes: &mut Changes) {
    let (was, is) = (read_order(old), read_order(new));
    if was == is {
        return;
    }
    match Binding::of(&new.format.kind) {
        Binding::Names => {}
        // The fields that a short row lacks are missing values.
        Binding::Order { pads: true } if is.starts_with(&was) => {}
        Binding::Order { .. } => changes.breaking("properties", what_changed(&was, &is)),
        Binding::Either => changes.breaking(
            "properties",
            format!(
                "{}; this affects only files without a header: declare `penstock.header: true` if every file has one",
                what_changed(&was, &is)
            ),
        ),
    }
}

fn what_changed(was: &[&str], is: &[&str]) -> String {
    if was.len() == is.len() {
        return "the fields of a file without a header are assigned by the order of the columns, which changed".to_owned();
    }
    format!("a file without a header must have {} fields a row instead of {}", is.len(), was.len())
}

/// Returns the producer's columns in the order of the fields of a file without a header.
fn read_order(contract: &Contract) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for column in contract.entity.columns.iter().filter(|column| column.reads_field()) {
        if !names.contains(&column.physical_name.as_str()) {
            names.push(&column.physical_name);
        }
    }
    names
}
