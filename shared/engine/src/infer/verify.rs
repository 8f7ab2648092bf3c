//! Verifies that a contract accepts its sample, and relaxes the rules that reject rows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::error::{InferError, counted};
use super::open::OpenSample;
use super::options::Inferred;
use super::trial::read;
use super::yaml::{ColumnDraft, ContractDraft, DraftType};
use crate::limits::Limits;
use crate::outcome::{Code, ReasonCount, Totals};

/// The default of `penstock.maxRejectsPercent`.
const DEFAULT_MAX_REJECTS_PERCENT: u64 = 10;

/// The codes for which values of a column were rejected.
#[derive(Debug, Default)]
struct ColumnFaults {
    codes: BTreeSet<Code>,
}

/// Reads the sample under the draft, and relaxes the columns whose values are rejected, until no more can be relaxed. This
/// terminates, as each round relaxes a column, and a column can be relaxed at most four times.
pub(super) fn verify(
    mut draft: ContractDraft,
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
            format!("`{name}` is assumed to be the event time, which decides which row of a key is newer")
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
    Some(format!("`{}`: NaN, which is not a number, is read as a missing value in {rows}", column.name))
}

fn list_note(column: &ColumnDraft) -> Option<String> {
    let values = counted(column.allowed.len() as u64, "value");
    let is_list = !column.allowed.is_empty();
    is_list
        .then(|| format!("`{}` may have only the {values} of the sample; others are rejected", column.name))
}

/// Reports the rows that no contract accepts, and raises the limit of rejects if the sample would be refused for them.
/// Returns false if there are none.
fn limit_rejects(draft: &mut ContractDraft, totals: &Totals, notes: &mut Vec<String>) -> bool {
    if totals.rejected == 0 {
        return false;
    }
    let rows = counted(totals.rows_read, "row");
    let rejects = format!("rejects in the sample: {} of {rows}", totals.rejected);
    let percent = u128::from(totals.rejected).saturating_mul(100).div_ceil(totals.rows_read.max(1).into());
    let percent = u64::try_from(percent).expect("at most 100, as rejected rows are counted as read");
    let limit = Some(percent).filter(|percent| *percent > DEFAULT_MAX_REJECTS_PERCENT);
    draft.max_rejects_percent = limit;
    let effect = limit
        .map_or(String::new(), |percent| format!("; `penstock.maxRejectsPercent` is therefore {percent}"));
    draft.comments.push(format!("{rejects} ({}).", reasons(totals)));
    notes.push(format!("{rejects} ({}){effect}", reasons(totals)));
    true
}

/// Formats the codes of the rejects with their numbers of rows, e.g. `too_many_fields 3, malformed_quote 1`.
pub(super) fn reasons(totals: &Totals) -> String {
    let reason = |reason: &ReasonCount| match &reason.column {
        Some(column) => format!("{} of `{column}` {}", reason.code, reason.rows),
        None => format!("{} {}", reason.code, reason.rows),
    };
    totals.by_reason.iter().map(reason).collect::<Vec<_>>().join(", ")
}

/// Relaxes a rule of a column by the codes of its rejects. Returns false if no rule can be relaxed.
fn relax_column(
    draft: &mut ContractDraft,
    name: &str,
    faults: &ColumnFaults,
    notes: &mut Vec<String>,
) -> bool {
    // Columns that the engine adds, such as `_rescued`, are not part of the draft.
    let Some(index) = draft.columns.iter().position(|column| column.name == name) else { return false };
    let is_last = draft.columns.len() == 1;
    let is_json = !draft.file.kind.has_documents_in_text();
    let column = draft.columns.get_mut(index).expect("the index of a column");
    let Some(what) = relax(column, faults, is_json) else { return false };
    if what == Relaxation::Omitted {
        if is_last {
            return false;
        }
        draft.columns.remove(index);
    }
    if draft.event_time.as_deref() == Some(name) {
        draft.event_time = None;
    }
    let what = match what {
        Relaxation::Optional => "may be missing",
        Relaxation::AnyValue => "may have any value",
        Relaxation::Text => "is text",
        Relaxation::Omitted => "is not in the contract, and its values are stored in `_rescued`",
    };
    let codes: Vec<String> = faults.codes.iter().map(Code::to_string).collect();
    notes.push(format!(
        "`{name}` {what}; otherwise rows of the sample would be rejected ({})",
        codes.join(", ")
    ));
    true
}

/// The effect of relaxing a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relaxation {
    Optional,
    AnyValue,
    Text,
    Omitted,
}

/// Relaxes one rule of a column. Returns `None` if no rule can be relaxed.
fn relax(column: &mut ColumnDraft, faults: &ColumnFaults, is_json: bool) -> Option<Relaxation> {
    if faults.codes.contains(&Code::MissingRequired) && column.required {
        column.required = false;
        column.key = None;
        return Some(Relaxation::Optional);
    }
    if faults.codes.contains(&Code::NotAllowed) && !column.allowed.is_empty() {
        column.allowed.clear();
        return Some(Relaxation::AnyValue);
    }
    if faults.codes.iter().all(|code| *code == Code::NulCharacter) {
        // No type accepts NUL.
        return None;
    }
    // A value of another kind is in a column of documents. The column can only become text if its documents are text in
    // the file.
    let is_nested = is_json || column.declared.as_ref().is_some_and(DraftType::is_document);
    if column.kind.is_document() && is_nested
        || column.kind == DraftType::text() && faults.codes.contains(&Code::WrongType)
    {
        return Some(Relaxation::Omitted);
    }
    if column.kind != DraftType::text() {
        column.kind = DraftType::text();
        column.null_values.clear();
        column.nan_rows = None;
        return Some(Relaxation::Text);
    }
    None
}
