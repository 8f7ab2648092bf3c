//! What a check has found, for people and for programs.

use penstock_contract::Contract;
use penstock_engine::{Dialect, QualityOutcome, ReadError, Totals};
use penstock_pipeline::{NotExecuted, Refusal, failed_quality, too_many_rejects};
use serde::Serialize;

use super::Found;
use crate::exit::{self, Exit};
use crate::render;

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Answer {
    /// That of the worst file.
    pub(super) verdict: Verdict,
    pub(super) files: Vec<Outcome>,
}

/// What would become of a file, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Every row would be loaded.
    Accepted,
    /// Some rows would be rejected, the others loaded.
    SomeRejected,
    /// Nothing would be loaded, by a rule.
    Refused,
    /// The file cannot be read to its end.
    Unreadable,
}

/// What became of one file; `docs/check.md` tells each field.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) file: String,
    source: String,
    contract_version: String,
    pub(super) verdict: Verdict,
    refusal: Option<Refusal>,
    #[serde(flatten)]
    totals: Totals,
    /// Accepted rows that a newer row of the same key replaces.
    deduplicated: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    quality: Vec<QualityOutcome>,
    /// Checks of the contract that are not executed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    not_executed: Vec<NotExecuted>,
    dialect: Option<Dialect>,
    seconds: f64,
    rows_per_second: u64,
}

impl Verdict {
    /// What the shell is told.
    pub(super) fn exit(self) -> Exit {
        match self {
            Self::Accepted => exit::SUCCESS,
            Self::SomeRejected => exit::REJECTS,
            Self::Refused => exit::REFUSED,
            Self::Unreadable => exit::UNREADABLE,
        }
    }

    /// Whether the file's accepted rows would be loaded.
    pub(super) fn loads(self) -> bool {
        match self {
            Self::Accepted | Self::SomeRejected => true,
            Self::Refused | Self::Unreadable => false,
        }
    }
}

impl Outcome {
    /// Judges what was found of a file. `ended`: why it could not be read to its end.
    pub(super) fn new(
        file: String,
        contract: &Contract,
        found: &Found,
        ended: Option<&ReadError>,
        seconds: f64,
    ) -> Self {
        let Found { totals, dialect, duplicates, quality } = found;
        let (verdict, refusal) = match ended {
            Some(error) => {
                let verdict = match error {
                    ReadError::Empty => Verdict::Refused,
                    ReadError::Io(_) | ReadError::Unreadable { .. } | ReadError::TooLarge { .. } => {
                        Verdict::Unreadable
                    }
                };
                (verdict, Some(Refusal::of_file(error)))
            }
            None => {
                match too_many_rejects(totals, contract.max_rejects).or_else(|| failed_quality(quality)) {
                    Some(refusal) => (Verdict::Refused, Some(refusal)),
                    None if totals.rejected > 0 => (Verdict::SomeRejected, None),
                    None => (Verdict::Accepted, None),
                }
            }
        };
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let rows_per_second = (totals.rows_read as f64 / seconds.max(1e-6)) as u64;
        Self {
            file,
            source: contract.source.clone(),
            contract_version: contract.version.clone(),
            verdict,
            refusal,
            totals: totals.clone(),
            deduplicated: duplicates.replaced(),
            quality: quality.clone(),
            not_executed: contract.not_executed.iter().map(NotExecuted::from).collect(),
            dialect: dialect.clone(),
            seconds,
            rows_per_second,
        }
    }
}

/// A file's outcome, a fact a line.
pub(super) fn show(outcome: &Outcome) -> String {
    let totals = &outcome.totals;
    let verdict = match outcome.verdict {
        Verdict::Accepted => "accepted",
        Verdict::SomeRejected => "accepted, without the rejected rows",
        Verdict::Refused => "refused",
        Verdict::Unreadable => "unreadable",
    };
    let mut text = format!(
        "{}: {verdict}\nrows      {} read = {} accepted + {} rejected{}, {:.2} s, {} rows/s\n",
        outcome.file,
        render::number(totals.rows_read),
        render::number(totals.accepted),
        render::number(totals.rejected),
        render::blank(totals.blank),
        outcome.seconds,
        render::number(outcome.rows_per_second),
    );
    if outcome.deduplicated > 0 {
        let count = render::number(outcome.deduplicated);
        text.push_str(&format!("repeated  {count} of the accepted rows have the key of a newer one\n"));
    }
    if totals.repeated_headers > 0 {
        text.push_str(&format!("headers   {}\n", render::repeated_headers(totals.repeated_headers)));
    }
    for check in &outcome.quality {
        let verdict = if check.holds { "holds" } else { "FAILS" };
        let QualityOutcome { check, rule, count, rows, .. } = check;
        text.push_str(&format!("check     {verdict}: {check}: {rule}; it is {count} of {rows}\n"));
    }
    for NotExecuted { check, kind } in &outcome.not_executed {
        text.push_str(&format!("check     not executed: {check}: of the type {kind}\n"));
    }
    if let Some(refusal) = &outcome.refusal {
        text.push_str(&format!("why       {}\n", render::refusal(refusal)));
    }
    if let Some(dialect) = &outcome.dialect {
        text.push_str(&format!("read as   {}\n", render::dialect(dialect)));
        for suggestion in &dialect.suggestions {
            text.push_str(&format!("note      {suggestion}\n"));
        }
    }
    text + &render::reasons(&totals.by_reason)
}
