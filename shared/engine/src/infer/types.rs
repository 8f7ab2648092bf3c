//! The types that a column may have, each compiled as a column of a plan: what a type reads is what the engine reads.

use std::sync::OnceLock;

use super::error::InferError;
use super::yaml::{ColumnDraft, Draft, DraftType, FileDraft};
use crate::cast::text::Traits;
use crate::cast::time::MICROS_PER_DAY;
use crate::cast::{CastValue, Scratch};
use crate::plan::Plan;
use crate::program::{PlanColumn, Raw};

/// 1000-01-01 in days since 1970-01-01.
const FIRST_PLAUSIBLE_DAY: i32 = -354_285;

/// A type that a column may have, and when it is thought of.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) kind: DraftType,
    pub(super) family: Family,
    pub(super) gate: Gate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Uuid,
    Boolean,
    Integer,
    Number,
    Date,
    Timestamp,
    Time,
    /// Text of a format.
    Format,
    /// Text with check digits: only a few texts are of the format by chance.
    CheckDigit,
    /// A JSON object or array, as text.
    Document,
}

/// What speaks for a type beside the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Always,
    /// The column's name is that of a date: its digits would be a number otherwise.
    DateName,
    /// The column's name is that of a flag: 0 and 1 would be numbers otherwise.
    FlagName,
    /// Both spellings were seen.
    BothSeen,
    /// Many distinct values were seen.
    ManySeen,
}

/// Formats of dates. A letter that is written once also reads two digits, so that those come last.
const DATES: [&str; 28] = [
    "dd.MM.yy",
    "dd.MM.yyyy",
    "dd/MM/yy",
    "MM/dd/yy",
    "dd/MM/yyyy",
    "MM/dd/yyyy",
    "dd-MM-yy",
    "MM-dd-yy",
    "dd-MM-yyyy",
    "MM-dd-yyyy",
    "yyyy/MM/dd",
    "dd-MMM-yyyy",
    "dd MMM yyyy",
    "MMM dd, yyyy",
    "d.M.yy",
    "d.M.yyyy",
    "d/M/yy",
    "M/d/yy",
    "d/M/yyyy",
    "M/d/yyyy",
    "d-M-yy",
    "M-d-yy",
    "d-M-yyyy",
    "M-d-yyyy",
    "yyyy/M/d",
    "d-MMM-yyyy",
    "d MMM yyyy",
    "MMM d, yyyy",
];

/// Formats of points in time, after ISO 8601.
const TIMESTAMPS: [&str; 26] = [
    "dd.MM.yyyy HH:mm:ss",
    "dd.MM.yyyy HH:mm",
    "dd/MM/yyyy HH:mm:ss",
    "MM/dd/yyyy HH:mm:ss",
    "dd/MM/yyyy HH:mm",
    "MM/dd/yyyy HH:mm",
    "dd/MM/yyyy hh:mm:ss a",
    "MM/dd/yyyy hh:mm:ss a",
    "dd/MM/yyyy hh:mm a",
    "MM/dd/yyyy hh:mm a",
    "yyyy/MM/dd HH:mm:ss",
    "yyyy/MM/dd HH:mm",
    "EEE, dd MMM yyyy HH:mm:ss Z",
    "d.M.yyyy H:mm:ss",
    "d.M.yyyy H:mm",
    "d/M/yyyy H:mm:ss",
    "M/d/yyyy H:mm:ss",
    "d/M/yyyy H:mm",
    "M/d/yyyy H:mm",
    "d/M/yyyy h:mm:ss a",
    "M/d/yyyy h:mm:ss a",
    "d/M/yyyy h:mm a",
    "M/d/yyyy h:mm a",
    "yyyy/M/d H:mm:ss",
    "yyyy/M/d H:mm",
    "EEE, d MMM yyyy HH:mm:ss Z",
];

/// Formats of times of day, after ISO 8601.
const TIMES: [&str; 4] = ["hh:mm a", "h:mm a", "H:mm:ss", "H:mm"];

/// Formats with check digits: ISBNs before the GTINs that they are, too.
const CHECK_DIGITS: [&str; 5] = ["isbn", "issn", "iban", "lei", "gtin"];

const BOOLEANS: [(&str, &str); 8] = [
    ("yes", "no"),
    ("y", "n"),
    ("t", "f"),
    ("on", "off"),
    ("ja", "nein"),
    ("j", "n"),
    ("oui", "non"),
    ("si", "no"),
];

/// Decimal and group separators, the plainest first.
const SEPARATORS: [(char, Option<char>); 6] =
    [('.', None), (',', None), ('.', Some(',')), (',', Some('.')), ('.', Some('\'')), (',', Some(' '))];

/// All candidates, in the order in which they are preferred.
fn candidates() -> Vec<Candidate> {
    let one = |family, gate, kind| Candidate { kind, family, gate };
    let formatted =
        |logical, physical, format| DraftType { format: Some(format), ..DraftType::new(logical, physical) };
    let boolean = |booleans| DraftType { booleans, ..DraftType::new("boolean", "boolean") };
    let mut all = vec![
        one(Family::Uuid, Gate::Always, formatted("string", "uuid", "uuid")),
        one(Family::Boolean, Gate::Always, boolean(None)),
        one(Family::Boolean, Gate::FlagName, boolean(Some(("1", "0")))),
        one(Family::Date, Gate::DateName, formatted("date", "date", "yyyyMMdd")),
        one(Family::Timestamp, Gate::DateName, formatted("timestamp", "timestamptz", "yyyyMMddHHmmss")),
        one(Family::Integer, Gate::Always, DraftType::new("integer", "bigint")),
    ];
    // Before the numbers that most of them are.
    let identifiers = CHECK_DIGITS.map(|format| formatted("string", "text", format));
    all.splice(1..1, identifiers.map(|kind| one(Family::CheckDigit, Gate::ManySeen, kind)));
    all.extend(SEPARATORS.iter().map(|(decimal, group)| {
        let kind = DraftType {
            decimal_separator: Some(*decimal).filter(|separator| *separator != '.'),
            group_separator: *group,
            ..DraftType::new("number", "numeric")
        };
        one(Family::Number, Gate::Always, kind)
    }));
    all.push(one(Family::Date, Gate::Always, DraftType::new("date", "date")));
    let dates = DATES.iter().map(|format| formatted("date", "date", format));
    all.extend(dates.map(|kind| one(Family::Date, Gate::Always, kind)));
    all.push(one(Family::Timestamp, Gate::Always, DraftType::new("timestamp", "timestamptz")));
    let timestamps = TIMESTAMPS.iter().map(|format| formatted("timestamp", "timestamptz", format));
    all.extend(timestamps.map(|kind| one(Family::Timestamp, Gate::Always, kind)));
    all.push(one(Family::Time, Gate::Always, DraftType::new("time", "time")));
    let times = TIMES.iter().map(|format| formatted("time", "time", format));
    all.extend(times.map(|kind| one(Family::Time, Gate::Always, kind)));
    let booleans = BOOLEANS.iter().map(|pair| boolean(Some(*pair)));
    all.extend(booleans.map(|kind| one(Family::Boolean, Gate::BothSeen, kind)));
    let formats = ["email", "uri", "ipv4", "ipv6"].map(|format| formatted("string", "text", format));
    all.extend(formats.map(|kind| one(Family::Format, Gate::Always, kind)));
    all.extend(
        [false, true].map(|is_array| one(Family::Document, Gate::Always, DraftType::document(is_array))),
    );
    all
}

/// The candidates, compiled.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    candidates: &'static [Candidate],
    columns: Vec<PlanColumn>,
}

impl Probe {
    pub(super) fn new() -> Result<Self, InferError> {
        static CANDIDATES: OnceLock<Vec<Candidate>> = OnceLock::new();
        let candidates = CANDIDATES.get_or_init(candidates);
        let draft = |(index, candidate): (usize, &Candidate)| {
            let name = format!("candidate_{index}");
            ColumnDraft { kind: candidate.kind.clone(), ..ColumnDraft::plain(name.clone(), name) }
        };
        let columns = candidates.iter().enumerate().map(draft).collect();
        let draft = Draft::probe(FileDraft::default(), columns);
        let contract = penstock_contract::parse("probe", &draft.yaml())?;
        let mut columns = Plan::compile(&contract)?.columns;
        columns.truncate(candidates.len());
        Ok(Self { candidates, columns })
    }

    /// The candidates with their columns.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static Candidate, &PlanColumn)> {
        self.candidates.iter().zip(&self.columns)
    }

    /// True for what is rather a value than the name of a column.
    pub(super) fn is_value(&self, text: &str) -> bool {
        let mut scratch = Scratch::default();
        self.all().any(|(candidate, column)| {
            let is_telling = !matches!(candidate.family, Family::Boolean)
                && candidate.kind.format != Some("uri")
                && candidate.gate == Gate::Always;
            is_telling && cast(column, text, &mut scratch).is_some()
        })
    }
}

/// The value of a text in a column; `None` when it is none.
pub(super) fn cast<'a>(
    column: &'a PlanColumn,
    text: &'a str,
    scratch: &'a mut Scratch,
) -> Option<CastValue<'a>> {
    let mut is_broken = false;
    let value = column.run(&Raw::Text(text, Traits::of(text.as_bytes())), scratch, &mut |_| is_broken = true);
    value.filter(|_| !is_broken)
}

/// True for a time before the year 1000: rather than that, its format is another one.
pub(super) fn is_ancient(value: &CastValue<'_>) -> bool {
    match value {
        CastValue::Date(days) => *days < FIRST_PLAUSIBLE_DAY,
        CastValue::Timestamp(micros) => {
            *micros < i64::from(FIRST_PLAUSIBLE_DAY).saturating_mul(MICROS_PER_DAY)
        }
        CastValue::Text(_)
        | CastValue::Integer(_)
        | CastValue::Decimal(_)
        | CastValue::Scaled(..)
        | CastValue::Double(_)
        | CastValue::Boolean(_)
        | CastValue::Time(_) => false,
    }
}
