//! The proof that a contract accepts its sample, and what is given up to reach it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::yaml::{ColumnDraft, Draft, Kind};
use super::{InferError, Inferred, Open, read};
use crate::outcome::Code;
use crate::reader::Limits;

/// What a column was refused for.
#[derive(Debug, Default)]
struct Faults {
    codes: BTreeSet<Code>,
}

/// Reads the sample under the draft, and relaxes the columns that rows are refused for, until none is left. Each round
/// relaxes a column, and none can be relaxed more than four times, so that it ends.
pub(super) fn prove(
    mut draft: Draft,
    open: &mut Open<'_>,
    limits: &Limits,
    rows: u64,
    mut notes: Vec<String>,
) -> Result<Inferred, InferError> {
    loop {
        let yaml = draft.yaml();
        let mut faults: BTreeMap<Arc<str>, Faults> = BTreeMap::new();
        let totals = read(&yaml, open, limits, rows, &mut |block| {
            for reason in block.rejects.into_iter().flat_map(|reject| reject.reasons) {
                if let Some(column) = reason.column {
                    faults.entry(column).or_default().codes.insert(reason.code);
                }
            }
        })?;
        let mut is_relaxed = false;
        for (name, faults) in &faults {
            is_relaxed |= relax_column(&mut draft, name, faults, &mut notes);
        }
        if is_relaxed {
            continue;
        }
        if totals.rejected > 0 {
            notes.push(format!(
                "{} of {} rows are refused whatever the contract says: they are malformed or hold what no column can",
                totals.rejected, totals.rows_read
            ));
        }
        return Ok(Inferred { yaml, rows: totals.rows_read, notes });
    }
}

/// Relaxes a column by what it was refused for. False when nothing is left to relax.
fn relax_column(draft: &mut Draft, name: &str, faults: &Faults, notes: &mut Vec<String>) -> bool {
    let Some(index) = draft.columns.iter().position(|column| column.name == name) else { return false };
    let is_last = draft.columns.len() == 1;
    let is_json = !draft.file.kind.has_documents_in_text();
    let Some(column) = draft.columns.get_mut(index) else { return false };
    let Some(what) = relax(column, faults, is_json) else { return false };
    if what == Relaxed::LeftOut {
        if is_last {
            return false;
        }
        draft.columns.remove(index);
    }
    if draft.event_time.as_deref() == Some(name) {
        draft.event_time = None;
    }
    let what = match what {
        Relaxed::Optional => "may be missing",
        Relaxed::AnyValue => "may have any value",
        Relaxed::Text => "is text",
        Relaxed::LeftOut => "is left out of the contract, and kept in `_rescued`",
    };
    notes.push(format!("`{name}` {what}: rows of the sample were refused otherwise"));
    true
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relaxed {
    Optional,
    AnyValue,
    Text,
    LeftOut,
}

/// One thing less that the column asks for.
fn relax(column: &mut ColumnDraft, faults: &Faults, is_json: bool) -> Option<Relaxed> {
    if faults.codes.contains(&Code::MissingRequired) && column.required {
        column.required = false;
        column.is_key = false;
        return Some(Relaxed::Optional);
    }
    if faults.codes.contains(&Code::NotAllowed) && !column.allowed.is_empty() {
        column.allowed.clear();
        return Some(Relaxed::AnyValue);
    }
    if faults.codes.iter().all(|code| *code == Code::NulCharacter) {
        // Neither a type nor its absence helps.
        return None;
    }
    // A document stands where text did in the rows that were looked at first; one that is text itself can be that again.
    let is_nested = is_json || column.declared.as_ref().is_some_and(Kind::is_document);
    if column.kind.is_document() && is_nested
        || column.kind == Kind::text() && faults.codes.contains(&Code::WrongType)
    {
        return Some(Relaxed::LeftOut);
    }
    if column.kind != Kind::text() {
        column.kind = Kind::text();
        column.null_values.clear();
        return Some(Relaxed::Text);
    }
    None
}
