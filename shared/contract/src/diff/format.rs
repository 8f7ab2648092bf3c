//! Compares the treatment of irregular files and rows.

use super::change::Changes;
use crate::model::{
    BlankRows, DelimitedDialect, EmptyFile, Format, FormatKind, HeaderCase, Ragged, RepeatedHeaders,
};

/// Returns the format without the properties that [`rows`] compares one by one.
pub(super) fn dialect(kind: &FormatKind) -> FormatKind {
    match kind {
        FormatKind::Delimited(dialect) => FormatKind::Delimited(DelimitedDialect {
            ragged: Ragged::default(),
            blank_rows: BlankRows::default(),
            repeated_headers: RepeatedHeaders::default(),
            ..dialect.clone()
        }),
        FormatKind::Ndjson
        | FormatKind::JsonArray { .. }
        | FormatKind::Parquet
        | FormatKind::Avro
        | FormatKind::Detected { .. } => kind.clone(),
    }
}

pub(super) fn rows(old: &Format, new: &Format, changes: &mut Changes) {
    if let (FormatKind::Delimited(was), FormatKind::Delimited(is)) = (&old.kind, &new.kind) {
        ragged(was.ragged, is.ragged, changes);
        let path = "servers.penstock.blankRows";
        match (was.blank_rows, is.blank_rows) {
            (BlankRows::Skip, BlankRows::Reject) => changes.breaking(path, "blank rows are rejected"),
            (BlankRows::Reject, BlankRows::Skip) => changes.compatible(path, "blank rows are skipped"),
            (BlankRows::Skip, BlankRows::Skip) | (BlankRows::Reject, BlankRows::Reject) => {}
        }
        let path = "servers.penstock.repeatedHeaders";
        changes.replaced(path, &was.repeated_headers, &is.repeated_headers, |rows| match rows {
            RepeatedHeaders::Skip => "skip".to_owned(),
            RepeatedHeaders::Keep => "keep".to_owned(),
        });
    }
    changes.replaced("servers.penstock.headerCase", &old.header_case, &new.header_case, |case| match case {
        HeaderCase::Sensitive => "sensitive".to_owned(),
        HeaderCase::Insensitive => "insensitive".to_owned(),
    });
    empty_file(old.empty_file, new.empty_file, changes);
}

/// Compares the treatment of ragged rows. Rows that are no longer rejected are compatible; rows that are read
/// differently are not.
fn ragged(old: Ragged, new: Ragged, changes: &mut Changes) {
    let words = |ragged: Ragged| match ragged {
        Ragged::Reject => "reject",
        Ragged::Pad => "pad",
        Ragged::Truncate => "truncate",
        Ragged::Rescue => "rescue",
    };
    if old == new {
        return;
    }
    let (path, what) = ("servers.penstock.ragged", format!("{} → {}", words(old), words(new)));
    match old {
        Ragged::Reject => changes.compatible(path, what),
        Ragged::Pad | Ragged::Truncate | Ragged::Rescue => changes.breaking(path, what),
    }
}

fn empty_file(old: Option<EmptyFile>, new: Option<EmptyFile>, changes: &mut Changes) {
    let path = "servers.penstock.emptyFile";
    // From the strictest to the most lenient.
    let rank = |empty_file: Option<EmptyFile>| match empty_file {
        Some(EmptyFile::Refuse) => 0,
        None => 1,
        Some(EmptyFile::Accept) => 2,
    };
    if rank(new) > rank(old) {
        changes.compatible(path, "more files without rows are accepted");
    } else if rank(new) < rank(old) {
        changes.breaking(path, "files without rows that were accepted are refused");
    }
}
