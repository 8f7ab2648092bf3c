//! The candidate types of a column. Each is compiled as a column of a plan, so that it accepts the values that the engine
//! accepts.

use std::sync::OnceLock;

use super::error::InferError;
use super::yaml::{ColumnDraft, ContractDraft, DraftType, FileDraft};
use crate::cast::text::Traits;
use crate::cast::time::MICROS_PER_DAY;
use crate::cast::{CastValue, Scratch};
use crate::plan::Plan;
use crate::program::{PlanColumn, Raw};

/// 1000-01-01 in days since 1970-01-01.
const FIRST_PLAUSIBLE_DAY: i32 = -354_285;

/// A type that a column may have, and the condition under which it is plausible.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) kind: DraftType,
    pub(super) family: TypeFamily,
    pub(super) precondition: Precondition,
}

/// A group of similar types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeFamily {
    Uuid,
    Boolean,
    Integer,
    Number,
    Date,
    Timestamp,
    Time,
    /// Text with a format.
    Format,
    /// Text with check digits, which few texts have by chance.
    CheckDigit,
    /// A JSON object or array as text.
    Document,
}

/// A condition for a type besides that every value fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Precondition {
    Always,
    /// The column is named like a date. Otherwise its digits are a number.
    DateName,
    /// The column is named like a flag. Otherwise 0 and 1 are numbers.
    FlagName,
    /// The column has both spellings of the boolean.
    BothSpellings,
    /// The column has many distinct values.
    ManyDistinct,
}

/// Formats of dates. A single letter also accepts two digits, so formats with single letters come last.
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

/// Formats of timestamps that are tried after ISO 8601.
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

/// Formats of times of day that are tried after ISO 8601.
const TIMES: [&str; 4] = ["hh:mm a", "h:mm a", "H:mm:ss", "H:mm"];

/// Formats with check digits. ISBNs come before GTINs, as a 13-digit ISBN is also a GTIN.
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

/// Decimal and group separators, the simplest first.
const SEPARATORS: [(char, Option<char>); 6] =
    [('.', None), (',', None), ('.', Some(',')), (',', Some('.')), ('.', Some('\'')), (',', Some(' '))];

/// Returns all candidates in the order of preference.
fn candidates() -> Vec<Candidate> {
    let one = |family, precondition, kind| Candidate { kind, family, precondition };
    let formatted =
        |logical, physical, format| DraftType { format: Some(format), ..DraftType::new(logical, physical) };
    let boolean = |booleans| DraftType { booleans, ..DraftType::new("boolean", "boolean") };
    let mut all = vec![
        one(TypeFamily::Uuid, Precondition::Always, formatted("string", "uuid", "uuid")),
        one(TypeFamily::Boolean, Precondition::Always, boolean(None)),
        one(TypeFamily::Boolean, Precondition::FlagName, boolean(Some(("1", "0")))),
        one(TypeFamily::Date, Precondition::DateName, formatted("date", "date", "yyyyMMdd")),
        one(
            TypeFamily::Timestamp,
            Precondition::DateName,
            formatted("timestamp", "timestamptz", "yyyyMMddHHmmss"),
        ),
        one(TypeFamily::Integer, Precondition::Always, DraftType::new("integer", "bigint")),
    ];
    // Most identifiers are also numbers, so their formats come first.
    let identifiers = CHECK_DIGITS.map(|format| formatted("string", "text", format));
    all.splice(1..1, identifiers.map(|kind| one(TypeFamily::CheckDigit, Precondition::ManyDistinct, kind)));
    all.extend(SEPARATORS.iter().map(|(decimal, group)| {
        let kind = DraftType {
            decimal_separator: Some(*decimal).filter(|separator| *separator != '.'),
            group_separator: *group,
            ..DraftType::new("number", "numeric")
        };
        one(TypeFamily::Number, Precondition::Always, kind)
    }));
    all.push(one(TypeFamily::Date, Precondition::Always, DraftType::new("date", "date")));
    let dates = DATES.iter().map(|format| formatted("date", "date", format));
    all.extend(dates.map(|kind| one(TypeFamily::Date, Precondition::Always, kind)));
    all.push(one(TypeFamily::Timestamp, Precondition::Always, DraftType::new("timestamp", "timestamptz")));
    let timestamps = TIMESTAMPS.iter().map(|format| formatted("timestamp", "timestamptz", format));
    all.extend(timestamps.map(|kind| one(TypeFamily::Timestamp, Precondition::Always, kind)));
    all.push(one(TypeFamily::Time, Precondition::Always, DraftType::new("time", "time")));
    let times = TIMES.iter().map(|format| formatted("time", "time", format));
    all.extend(times.map(|kind| one(TypeFamily::Time, Precondition::Always, kind)));
    let booleans = BOOLEANS.iter().map(|pair| boolean(Some(*pair)));
    all.extend(booleans.map(|kind| one(TypeFamily::Boolean, Precondition::BothSpellings, kind)));
    let formats = ["email", "uri", "ipv4", "ipv6"].map(|format| formatted("string", "text", format));
    all.extend(formats.map(|kind| one(TypeFamily::Format, Precondition::Always, kind)));
    all.extend(
        [false, true]
            .map(|is_array| one(TypeFamily::Document, Precondition::Always, DraftType::document(is_array))),
    );
    all
}

/// The compiled candidates.
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
        let draft = ContractDraft::probe(FileDraft::default(), columns);
        let contract = penstock_contract::parse("probe", &draft.yaml())?;
        let mut columns = Plan::compile(&contract)?.columns;
        columns.truncate(candidates.len());
        Ok(Self { candidates, columns })
    }

    /// Returns the candidates with their compiled columns.
    pub(super) fn all(&self) -> impl Iterator<Item = (&'static Candidate, &PlanColumn)> {
        self.candidates.iter().zip(&self.columns)
    }

    /// Returns true if a text is probably a value rather than the name of a column.
    pub(super) fn is_value(&self, text: &str) -> bool {
        let mut scratch = Scratch::default();
        self.all().any(|(candidate, column)| {
            let is_evidence = !matches!(candidate.family, TypeFamily::Boolean)
                && candidate.kind.format != Some("uri")
                && candidate.precondition == Precondition::Always;
            is_evidence && cast(column, text, &mut scratch).is_some()
        })
    }
}

/// Casts a text to the type of a column. Returns `None` if it does not fit, or is a missing value.
pub(super) fn cast<'a>(
    column: &'a PlanColumn,
    text: &'a str,
    scratch: &'a mut Scratch,
) -> Option<CastValue<'a>> {
    let mut is_faulty = false;
    let value = column.run(&Raw::Text(text, Traits::of(text.as_bytes())), scratch, &mut |_| is_faulty = true);
    value.filter(|_| !is_faulty)
}

/// Returns true for a time before the year 1000. Such a year indicates that the value has another format.
pub(super) fn is_implausibly_old(value: &CastValue<'_>) -> bool {
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
