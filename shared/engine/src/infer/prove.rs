//! The proof that a contract accepts its sample, and what is given up to reach it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::{InferError, counted};
use super::open::OpenSample;
use super::options::Inferred;
use super::trial::read;
use super::yaml::{ColumnDraft, Draft, DraftType};
use crate::limits::Limits;
use crate::outcome::{Code, ReasonCount, Totals};

/// Rejects in percent that a contract allows when it does not say.
const DEFAULT_MAX_REJECTS_PERCENT: u64 = 10;

/// What a column was refused for.
#[derive(Debug, Default)]
struct ColumnFaults {
    codes: BTreeSet<Code>,
}

/// Reads the sample under the draft, and relaxes the columns that rows are refused for, until none is left. Each round
/// relaxes a column, and none can be relaxed more than four times, so that it ends.
pub(super) fn prove(
    mut draft: Draft,
    open: &mut OpenSample<'_>,
    limits: &Limits,
    rows: u64,
    mut notes: Vec<String>,
) -> Result<Inferred, InferError> {
    loop {
        let yaml = draft.yaml();
        let mut faults: BTreeMap<Arc<str>, ColumnFaults> = BTreeMap::new();
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
        notes.extend(draft.columns.iter().flat_map(|column| [nan_note(column), list_note(column)]).flatten());
        notes.extend(draft.event_time.iter().map(|name| {
            format!("`{name}` is taken for the event time, which decides which row of a key is the newer one")
        }));
        let yaml = match limit_rejects(&mut draft, &totals, &mut notes) {
            true => draft.yaml(),
            false => yaml,
        };
        return Ok(Inferred { yaml, rows: totals.rows_read, notes });
    }
}

fn nan_note(column: &ColumnDraft) -> Option<String> {
    let rows = counted(column.nan_rows?, "row");
    Some(format!("`{}`: NaN is no number, and is read as a missing value in {rows}", column.name))
}

fn list_note(column: &ColumnDraft) -> Option<String> {
    let values = counted(column.allowed.len() as u64, "value");
    let is_list = !column.allowed.is_empty();
    is_list.then(|| {
        format!("`{}` may have only the {values} of the sample: other ones are rejected", column.name)
    })
}

/// Reports the rows that no contract accepts, and raises the limit where it would refuse the sample for them. False when
/// there are none.
fn limit_rejects(draft: &mut Draft, totals: &Totals, notes: &mut Vec<String>) -> bool {
    if totals.rejected == 0 {
        return false;
    }
    let rows = counted(totals.rows_read, "row");
    let seen = format!("rejects in the sample: {} of {rows}", totals.rejected);
    let percent = u128::from(totals.rejected).saturating_mul(100).div_ceil(totals.rows_read.max(1).into());
    let percent = u64::try_from(percent).unwrap_or(100);
    let limit = Some(percent).filter(|percent| *percent > DEFAULT_MAX_REJECTS_PERCENT);
    draft.max_rejects_percent = limit;
    let effect = limit
        .map_or(String::new(), |percent| format!("; `penstock.maxRejectsPercent` is {percent} for that"));
    draft.comments.push(format!("{seen} ({}).", reasons(totals)));
    notes.push(format!("{seen} ({}){effect}", reasons(totals)));
    true
}

/// The codes of the rejects with their rows, e.g. `too_many_fields 3, malformed_quote 1`.
pub(super) fn reasons(totals: &Totals) -> String {
    let reason = |reason: &ReasonCount| match &reason.column {
        Some(column) => format!("{} of `{column}` {}", reason.code, reason.rows),
        None => format!("{} {}", reason.code, reason.rows),
    };
    totals.by_reason.iter().map(reason).collect::<Vec<_>>().join(", ")
}

/// Relaxes a column by what it was refused for. False when nothing is left to relax.
fn relax_column(draft: &mut Draft, name: &str, faults: &ColumnFaults, notes: &mut Vec<String>) -> bool {
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
    let codes: Vec<String> = faults.codes.iter().map(Code::to_string).collect();
    notes.push(format!("`{name}` {what}: rows of the sample were refused otherwise ({})", codes.join(", ")));
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
fn relax(column: &mut ColumnDraft, faults: &ColumnFaults, is_json: bool) -> Option<Relaxed> {
    if faults.codes.contains(&Code::MissingRequired) && column.required {
        column.required = false;
        column.key = None;
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
    let is_nested = is_json || column.declared.as_ref().is_some_and(DraftType::is_document);
    if column.kind.is_document() && is_nested
        || column.kind == DraftType::text() && faults.codes.contains(&Code::WrongType)
    {
        return Some(Relaxed::LeftOut);
    }
    if column.kind != DraftType::text() {
        column.kind = DraftType::text();
        column.null_values.clear();
        column.nan_rows = None;
        return Some(Relaxed::Text);
    }
    None
}
