//! The report of a check, as text and as JSON.

use penstock_contract::Contract;
use penstock_engine::{Dialect, QualityOutcome, ReadError, Totals};
use penstock_pipeline::{NotExecuted, Refusal, failed_quality, too_many_rejects};
use serde::Serialize;

use super::checked_input::CheckedInput;
use crate::exit::{self, Exit};
use crate::render;

/// The output of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct CheckReport {
    /// The verdict of the worst file.
    pub(super) verdict: Verdict,
    pub(super) files: Vec<FileReport>,
}

/// The verdict about a file, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// Every row would be loaded.
    Accepted,
    /// Some rows would be rejected, the others loaded.
    SomeRejected,
    /// A rule refuses the whole file, and no row would be loaded.
    Refused,
    /// The file cannot be read to its end.
    Unreadable,
}

/// The report of one file. `docs/check.md` describes each field.
#[derive(Debug, Serialize)]
pub(super) struct FileReport {
    pub(super) file: String,
    source: String,
    contract_version: String,
    pub(super) verdict: Verdict,
    refusal: Option<Refusal>,
    #[serde(flatten)]
    totals: Totals,
    /// The number of accepted rows that a newer row with the same key replaces.
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
    /// Returns the verdict, with the reason if no row would be loaded. `error` is the reason why the file was not read to
    /// its end.
    pub(crate) fn of(
        contract: &Contract,
        checked: &CheckedInput,
        error: Option<&ReadError>,
    ) -> (Self, Option<Refusal>) {
        if let Some(error) = error {
            let verdict = match error {
                ReadError::Empty => Self::Refused,
                ReadError::Io(_) | ReadError::Unreadable { .. } | ReadError::TooLarge { .. } => {
                    Self::Unreadable
                }
            };
            return (verdict, Some(Refusal::of_file(error)));
        }
        let CheckedInput { totals, quality, .. } = checked;
        match too_many_rejects(totals, contract.max_rejects).or_else(|| failed_quality(quality)) {
            Some(refusal) => (Self::Refused, Some(refusal)),
            None if totals.rejected > 0 => (Self::SomeRejected, None),
            None => (Self::Accepted, None),
        }
    }

    /// Returns the exit status.
    pub(super) fn exit(self) -> Exit {
        match self {
            Self::Accepted => exit::SUCCESS,
            Self::SomeRejected => exit::REJECTS,
            Self::Refused => exit::REFUSED,
            Self::Unreadable => exit::UNREADABLE,
        }
    }

    /// Returns whether the file's accepted rows would be loaded.
    pub(crate) fn loads(self) -> bool {
        match self {
            Self::Accepted | Self::SomeRejected => true,
            Self::Refused | Self::Unreadable => false,
        }
    }
}

impl FileReport {
    /// Creates the report. `error` is the reason why the file was not read to its end.
    pub(super) fn new(
        file: String,
        contract: &Contract,
        checked: &CheckedInput,
        error: Option<&ReadError>,
        seconds: f64,
    ) -> Self {
        let CheckedInput { totals, dialect, duplicates, quality } = checked;
        let (verdict, refusal) = Verdict::of(contract, checked, error);
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

/// Returns a file's report as text, one fact per line.
pub(super) fn describe(report: &FileReport) -> String {
    let totals = &report.totals;
    let verdict = match report.verdict {
        Verdict::Accepted => "accepted".to_owned(),
        Verdict::SomeRejected if totals.rejected == 1 => "accepted, 1 row rejected".to_owned(),
        Verdict::SomeRejected => format!("accepted, {} rows rejected", render::number(totals.rejected)),
        Verdict::Refused => "refused".to_owned(),
        Verdict::Unreadable => "unreadable".to_owned(),
    };
    let mut out = format!(
        "{}: {verdict}\nrows      {} read = {} accepted + {} rejected{}, {:.2} s, {} rows/s\n",
        report.file,
        render::number(totals.rows_read),
        render::number(totals.accepted),
        render::number(totals.rejected),
        render::blank(totals.blank),
        report.seconds,
        render::number(report.rows_per_second),
    );
    if report.deduplicated > 0 {
        let count = render::number(report.deduplicated);
        out.push_str(&format!(
            "repeated  {count} of the accepted rows are replaced by a newer row with the same key\n"
        ));
    }
    if totals.repeated_headers > 0 {
        out.push_str(&format!("headers   {}\n", render::repeated_headers(totals.repeated_headers)));
    }
    for check in &report.quality {
        let verdict = if check.holds { "passes" } else { "FAILS" };
        let QualityOutcome { check, rule, count, rows, .. } = check;
        out.push_str(&format!("check     {verdict}: {check}: {rule}; it is {count} of {rows}\n"));
    }
    for NotExecuted { check, kind } in &report.not_executed {
        out.push_str(&format!("check     not executed: {check}: a check of the type {kind}\n"));
    }
    if let Some(refusal) = &report.refusal {
        out.push_str(&format!("reason    {}\n", render::refusal(refusal)));
    }
    if let Some(dialect) = &report.dialect {
        out.push_str(&format!("read as   {}\n", render::dialect(dialect)));
        for suggestion in &dialect.suggestions {
            out.push_str(&format!("note      {suggestion}\n"));
        }
    }
    out + &render::reasons(&totals.by_reason)
}
