//! Changes of the columns that a file without a header is bound to.

use super::Changes;
use crate::model::{Contract, DelimitedDialect, FormatKind, Ragged};

/// How the fields of a file may be bound to the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binding {
    /// By the names that the file has.
    Names,
    /// By their order.
    Order { pads: bool },
    /// By their names if the file has a header, else by their order.
    Either,
}

impl Binding {
    fn of(kind: &FormatKind) -> Self {
        match kind {
            FormatKind::Delimited(DelimitedDialect { header: Some(false), ragged, .. }) => {
                Self::Order { pads: *ragged == Ragged::Pad }
            }
            // A declared number of header records declares the header, too.
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

/// Compares the columns that a file without a header has. Call it only if both contracts describe the same kind of file.
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
                "{}; this affects files without a header only: declare `penstock.header: true` if every file has one",
                what_changed(&was, &is)
            ),
        ),
    }
}

fn what_changed(was: &[&str], is: &[&str]) -> String {
    if was.len() == is.len() {
        return "a file without a header is bound by the order of the columns, which changed".to_owned();
    }
    format!("a file without a header must have {} fields a row instead of {}", is.len(), was.len())
}

/// The producer's columns in the order in which a file without a header has them.
fn read_order(contract: &Contract) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for column in contract.entity.columns.iter().filter(|column| column.reads_field()) {
        if !names.contains(&column.physical_name.as_str()) {
            names.push(&column.physical_name);
        }
    }
    names
}
