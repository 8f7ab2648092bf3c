//! Compares the verdicts of a batch with those of a replay, without changing anything.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use penstock_engine::{Limits, Plan, Reject};
use penstock_pipeline::ManifestState;
use serde::Serialize;

use super::object::download;
use super::plan::ReplayPlan;
use crate::batches::Batches;
use crate::commands::check::checked_input::CheckedInput;
use crate::commands::check::report::Verdict;
use crate::commands::check::{open, random_key};
use crate::objects::fetch;
use crate::render;

/// The codes of the reject at each row, with the number of rows that it represents.
type RejectsByRow = BTreeMap<u64, (u64, Vec<String>)>;

/// The differences between a batch and its replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct VerdictChanges {
    /// `committed`, or the reason why the batch was refused; `unread` if it was not committed.
    before: String,
    /// `committed`, or the reason why the replay would be refused.
    after: String,
    /// Rows that the replay would read.
    rows_read: u64,
    /// Rows that the replay would reject.
    rejected: u64,
    /// Rows that were rejected and would be accepted, by the first code of the old reject.
    now_accepted: BTreeMap<String, u64>,
    /// Rows that were accepted and would be rejected, by the first code of the new reject.
    now_rejected: BTreeMap<String, u64>,
    /// Rows that would still be rejected, but for other reasons.
    other_reasons: u64,
}

impl VerdictChanges {
    pub(super) fn describe(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: String| {
            let _ = writeln!(text, "{name:<9} {value}");
        };
        line("before", self.before.clone());
        line("after", self.after.clone());
        line(
            "rows",
            format!("{} read, {} rejected", render::number(self.rows_read), render::number(self.rejected)),
        );
        for (name, rows) in [("accepted", &self.now_accepted), ("rejected", &self.now_rejected)] {
            let total: u64 = rows.values().sum();
            let codes: Vec<String> =
                rows.iter().map(|(code, rows)| format!("{code} {}", render::number(*rows))).collect();
            let codes = if codes.is_empty() { String::new() } else { format!(": {}", codes.join(", ")) };
            line("now", format!("{name} {}{codes}", render::number(total)));
        }
        line("reasons", format!("of {} rejected rows change", render::number(self.other_reasons)));
        text
    }
}

/// Reads the object under the contract of the replay, and compares its rejects with those of the batch.
pub(super) async fn compare(batches: &Batches, plan: &ReplayPlan) -> Result<VerdictChanges> {
    let manifest = batches.manifest(&plan.replaced).await?;
    let (before, mut old) = (manifest.as_ref().map(|manifest| &manifest.state), RejectsByRow::new());
    for uri in manifest.iter().flat_map(|manifest| &manifest.rejects) {
        let content = fetch(&batches.store, uri).await?;
        let decoder = zstd::Decoder::new(content.as_ref()).with_context(|| uri.clone())?;
        for line in BufReader::new(decoder).lines() {
            let line = line.with_context(|| uri.clone())?;
            add(&mut old, &serde_json::from_str(&line).with_context(|| uri.clone())?);
        }
    }
    let contract = &plan.contract.contract;
    let compiled = Arc::new(Plan::compile_with(contract, random_key(contract)?.as_ref())?);
    let file = download(&batches.store, &plan.claim.drop).await?;
    let (mut checked, mut new) = (CheckedInput::default(), RejectsByRow::new());
    let limits = Limits { arrow: false, ..Limits::default() };
    let error = checked.read(&compiled, open(&compiled, limits, &file)?, |block| {
        block.rejects.iter().for_each(|reject| add(&mut new, reject));
        Ok(())
    })?;
    let (verdict, refusal) = Verdict::of(contract, &checked, error.as_ref());
    let mut changes = changes(&old, &new);
    changes.before = match before {
        None => "unread".to_owned(),
        Some(ManifestState::Committed { .. }) => "committed".to_owned(),
        Some(ManifestState::Refused(refusal)) => render::refusal(refusal),
    };
    changes.after = match refusal.filter(|_| !verdict.loads()) {
        None => "committed".to_owned(),
        Some(refusal) => render::refusal(&refusal),
    };
    (changes.rows_read, changes.rejected) = (checked.totals.rows_read, checked.totals.rejected);
    Ok(changes)
}

fn add(rejects: &mut RejectsByRow, reject: &Reject) {
    let codes = reject.reasons.iter().map(|reason| reason.code.to_string()).collect();
    rejects.insert(reject.row, (reject.rows, codes));
}

/// Compares the rejects row by row. Rows have the same numbers in both, because they are counted in the file.
fn changes(old: &RejectsByRow, new: &RejectsByRow) -> VerdictChanges {
    let by_code = |rejects: &RejectsByRow, others: &RejectsByRow| {
        let mut counts = BTreeMap::new();
        for (_, (rows, codes)) in rejects.iter().filter(|(row, _)| !others.contains_key(row)) {
            let code = codes.first().cloned().unwrap_or_else(|| "none".to_owned());
            *counts.entry(code).or_default() += rows;
        }
        counts
    };
    let differs = |(row, (_, codes)): &(&u64, &(u64, Vec<String>))| {
        old.get(row).is_some_and(|(_, old_codes)| old_codes != codes)
    };
    VerdictChanges {
        before: String::new(),
        after: String::new(),
        rows_read: 0,
        rejected: 0,
        now_accepted: by_code(old, new),
        now_rejected: by_code(new, old),
        other_reasons: new.iter().filter(differs).map(|(_, (rows, _))| rows).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_change_verdict_are_counted_by_code() {
        let rejects = |rows: &[(u64, u64, &[&str])]| {
            let entry = |(row, rows, codes): &(u64, u64, &[&str])| {
                (*row, (*rows, codes.iter().map(|code| (*code).to_owned()).collect()))
            };
            rows.iter().map(entry).collect::<RejectsByRow>()
        };
        let old = rejects(&[(1, 1, &["too_long"]), (2, 1, &["too_long", "missing"]), (5, 10, &["block"])]);
        let new = rejects(&[(2, 1, &["missing"]), (3, 1, &["missing"]), (5, 10, &["block"])]);
        let changes = changes(&old, &new);
        assert_eq!(changes.now_accepted, BTreeMap::from([("too_long".to_owned(), 1)]));
        assert_eq!(changes.now_rejected, BTreeMap::from([("missing".to_owned(), 1)]));
        assert_eq!(changes.other_reasons, 1);
        assert!(changes.describe().contains("now       accepted 1: too_long 1\n"));
    }
}
