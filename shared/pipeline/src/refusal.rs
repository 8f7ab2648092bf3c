//! The reasons why no row of a batch is loaded.

use std::fmt;

use penstock_contract::MaxRejects;
use penstock_engine::{QualityOutcome, ReadError, Totals};
use serde::{Deserialize, Serialize, Serializer};

/// The reason why no row of a batch was loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable code.
    pub code: RefusalCode,
    /// The kind of fault, for codes with several: for `unreadable` an
    /// [`UnreadableCode`](penstock_engine::UnreadableCode), `too_large` or `io`; for `load_failed` the code of the dead
    /// letter. Missing in receipts of older releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The cause, its position and a suggested action.
    pub message: String,
}

impl Refusal {
    /// Returns a refusal without a kind of fault.
    pub fn new(code: RefusalCode, message: impl Into<String>) -> Self {
        Self { code, reason: None, message: message.into() }
    }

    /// Returns the refusal of a file that cannot be read to its end. The caller decides whether an I/O error is one.
    pub fn of_file(error: &ReadError) -> Self {
        let code = match error {
            ReadError::Empty => RefusalCode::Empty,
            ReadError::Io(_) | ReadError::Unreadable { .. } | ReadError::TooLarge { .. } => {
                RefusalCode::Unreadable
            }
        };
        let reason = error.code();
        let reason = (reason != code.as_str()).then(|| reason.to_owned());
        Self { code, reason, message: error.to_string() }
    }
}

/// The code of a refusal, a stable snake-case string in JSON.
///
/// [`RefusalCode::Unknown`] contains the text of a code that this release does not define. During a deploy, functions
/// of two releases read each other's manifests and receipts, so a new code must neither fail an older function nor get
/// lost when that function rewrites the receipt.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(from = "String")]
pub enum RefusalCode {
    /// `no_source`: the key does not name a source.
    NoSource,
    /// `no_contract`: the source has no published contract.
    NoContract,
    /// `invalid_contract`: the source's contract cannot be used.
    InvalidContract,
    /// `missing_object`: the object was deleted before it was read.
    MissingObject,
    /// `archived`: the object is in an archive storage class, from which it cannot be read before it is restored.
    Archived,
    /// `overwritten`: the object was overwritten before it was read, in a bucket without versions.
    Overwritten,
    /// `kept`: the contract keeps the first version of an object (`penstock.overwrite: keep`), and this is a later one.
    Kept,
    /// `empty`: the file has no bytes, or no rows where the contract requires some.
    Empty,
    /// `unreadable`: the file cannot be read to its end.
    Unreadable,
    /// `too_many_rejects`: more rows were rejected than the contract allows.
    TooManyRejects,
    /// `quality`: a quality check of the contract failed.
    Quality,
    /// `job_failed`: the Spark job failed, was cancelled, or did not write all of its reports.
    JobFailed,
    /// `load_failed`: a chunk was moved to the dead-letter queue.
    LoadFailed,
    /// A code of another release.
    Unknown(String),
}

impl RefusalCode {
    /// All codes of this release.
    pub const ALL: [Self; 13] = [
        Self::NoSource,
        Self::NoContract,
        Self::InvalidContract,
        Self::MissingObject,
        Self::Archived,
        Self::Overwritten,
        Self::Kept,
        Self::Empty,
        Self::Unreadable,
        Self::TooManyRejects,
        Self::Quality,
        Self::JobFailed,
        Self::LoadFailed,
    ];

    /// Returns the code as it is in JSON.
    pub fn as_str(&self) -> &str {
        match self {
            Self::NoSource => "no_source",
            Self::NoContract => "no_contract",
            Self::InvalidContract => "invalid_contract",
            Self::MissingObject => "missing_object",
            Self::Archived => "archived",
            Self::Overwritten => "overwritten",
            Self::Kept => "kept",
            Self::Empty => "empty",
            Self::Unreadable => "unreadable",
            Self::TooManyRejects => "too_many_rejects",
            Self::Quality => "quality",
            Self::JobFailed => "job_failed",
            Self::LoadFailed => "load_failed",
            Self::Unknown(code) => code,
        }
    }

    /// Returns whether the refusal is intended by the contract and requires no action.
    pub fn is_expected(&self) -> bool {
        match self {
            Self::Kept => true,
            Self::NoSource
            | Self::NoContract
            | Self::InvalidContract
            | Self::MissingObject
            | Self::Archived
            | Self::Overwritten
            | Self::Empty
            | Self::Unreadable
            | Self::TooManyRejects
            | Self::Quality
            | Self::JobFailed
            | Self::LoadFailed
            | Self::Unknown(_) => false,
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<String> for RefusalCode {
    fn from(text: String) -> Self {
        Self::ALL.into_iter().find(|code| code.as_str() == text).unwrap_or(Self::Unknown(text))
    }
}

impl Serialize for RefusalCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Returns the refusal of a batch with more rejects than `max` allows. Blank rows are not counted: with them, any
/// number of rejects would be a small percentage.
pub fn too_many_rejects(totals: &Totals, max: MaxRejects) -> Option<Refusal> {
    let (rows, rejected) = (totals.rows_with_values(), totals.rejected);
    let over_rows = max.rows.filter(|rows| rejected > *rows).map(|rows| format!("{rows} rows"));
    // Compared as products: 5 rejects of 100 rows do not exceed 5 %, however the division would be rounded.
    #[expect(clippy::cast_precision_loss, reason = "a batch has far fewer than 2^53 rows")]
    let is_over = |percent: &f64| rejected as f64 * 100.0 > percent * rows as f64;
    let over_percent = || max.percent.filter(is_over).map(|percent| format!("{percent} %"));
    let limit = over_rows.or_else(over_percent)?;
    Some(Refusal::new(
        RefusalCode::TooManyRejects,
        format!(
            "{rejected} of {rows} rows were rejected, but the contract allows at most {limit}: correct the file or \
             the contract, and drop the file again"
        ),
    ))
}

/// Returns the refusal of a batch that failed a quality check whose failure refuses the batch.
pub fn failed_quality(outcomes: &[QualityOutcome]) -> Option<Refusal> {
    let failed: Vec<String> = outcomes.iter().filter(|outcome| outcome.refuses).map(describe).collect();
    (!failed.is_empty()).then(|| {
        let message =
            format!("{}: correct the file or the contract, and drop the file again", failed.join("; "));
        Refusal::new(RefusalCode::Quality, message)
    })
}

fn describe(outcome: &QualityOutcome) -> String {
    let QualityOutcome { check, rule, column, count, rows, .. } = outcome;
    let column = column.as_ref().map(|column| format!(" of column `{column}`")).unwrap_or_default();
    format!(
        "quality check `{check}`{column} failed: it requires that {rule}, but counted {count} of {rows} rows"
    )
}
