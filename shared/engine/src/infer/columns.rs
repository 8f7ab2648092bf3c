//! What was seen of a column, and what it is taken for.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::error::counted;
use super::names::words;
use super::numeric::{DigitCounts, sized};
use super::separators::{AMBIGUOUS, Separators, may_be_grouped};
use super::types::{Candidate, Family, Gate, Probe, cast, is_ancient};
use super::yaml::{ColumnDraft, DraftType, FileKind};
use crate::cast::{CastValue, Scratch};

/// Spellings of a missing value in files whose other values are of a type.
const NULL_SPELLINGS: [&str; 22] = [
    "NULL", "null", "Null", "N/A", "n/a", "NA", "#N/A", "NaN", "nan", "None", "none", "nil", "\\N", "-",
    "--", "---", "?", ".", "k. A.", "k.A.", "n.a.", "(null)",
];
/// A list of values is only given when there are at most so many, each often enough, among enough rows.
const MAX_ALLOWED: usize = 20;
const MIN_ALLOWED: usize = 2;
const MIN_ROWS_OF_ALLOWED: u64 = 200;
const MIN_ROWS_OF_EACH: u64 = 5;
const MAX_ALLOWED_CHARS: u64 = 40;
/// Distinct values whose check digits must be right; at most as many as are counted.
const MIN_CHECKED: usize = MAX_ALLOWED;
/// A longer text is no key.
pub(super) const MAX_KEY_CHARS: u64 = 64;
const UUID_CHARS: u64 = 36;
/// Rows that uniqueness is followed over.
const MAX_HASHES: usize = 1_000_000;

/// A text column is nearly of a type when one of so many values is not, among at least so many.
const MIN_VALUES_A_MISFIT: u64 = 100;
const MIN_VALUES_OF_NEARLY: u64 = 200;
/// Values that a type may miss early on, before it is thought of no more.
const FREE_MISFITS: u64 = 20;

const IDENTIFIERS: [&str; 20] = [
    "gtin",
    "ean",
    "upc",
    "isbn",
    "issn",
    "asin",
    "zip",
    "plz",
    "postal",
    "postcode",
    "phone",
    "tel",
    "telephone",
    "mobile",
    "fax",
    "iban",
    "bic",
    "vat",
    "ssn",
    "barcode",
];
const DATE_NAMES: [&str; 10] =
    ["date", "datum", "day", "dt", "ts", "time", "timestamp", "updated", "created", "modified"];
const FLAG_NAMES: [&str; 10] =
    ["is", "has", "flag", "active", "enabled", "deleted", "available", "valid", "stock", "visible"];

/// What was seen of a column's values.
#[derive(Debug)]
pub(super) struct Profile {
    /// Of each candidate, in their order: the values that are not of it. `None`: too many.
    misfits: Vec<Option<u64>>,
    sizes: Vec<DigitCounts>,
    missing: u64,
    present: u64,
    /// Values that are spellings of a missing one, with their rows.
    null_spellings: BTreeMap<String, u64>,
    /// The distinct values with their rows, while they are few.
    distinct: Option<BTreeMap<String, u64>>,
    /// `None` when a value stood twice.
    hashes: Option<HashSet<u64>>,
    min_chars: u64,
    max_chars: u64,
    /// A number that begins with a zero or a plus sign: its digits are a text.
    has_written_digits: bool,
    without_slashes: bool,
    /// A value of another length than that of a UUID with its hyphens: digests have as many digits without.
    without_hyphens: bool,
    without_offset: u64,
    /// For each of [`AMBIGUOUS`]: some value has it and not between groups of digits.
    ungrouped: [bool; 2],
}

impl Profile {
    pub(super) fn new(probe: &Probe) -> Self {
        let count = probe.all().count();
        Self {
            misfits: vec![Some(0); count],
            sizes: vec![DigitCounts::default(); count],
            missing: 0,
            present: 0,
            null_spellings: BTreeMap::new(),
            distinct: Some(BTreeMap::new()),
            hashes: Some(HashSet::new()),
            min_chars: u64::MAX,
            max_chars: 0,
            has_written_digits: false,
            without_slashes: false,
            without_hyphens: false,
            without_offset: 0,
            ungrouped: [false; 2],
        }
    }

    /// Looks at the value of one more row.
    pub(super) fn observe(&mut self, value: Option<&str>, probe: &Probe, scratch: &mut Scratch) {
        let Some(text) = value else {
            self.missing = self.missing.saturating_add(1);
            return;
        };
        self.present = self.present.saturating_add(1);
        let chars = text.chars().count() as u64;
        self.min_chars = self.min_chars.min(chars);
        self.max_chars = self.max_chars.max(chars);
        self.count_distinct(text, chars);
        if NULL_SPELLINGS.contains(&text) {
            let rows = self.null_spellings.entry(text.to_owned()).or_default();
            *rows = rows.saturating_add(1);
            return;
        }
        let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
        self.has_written_digits |= matches!(digits, [b'0', b'0'..=b'9', ..] | [b'+', ..]);
        self.without_hyphens |= chars != UUID_CHARS;
        self.without_slashes |= !text.contains("://");
        let has_offset =
            text.ends_with(['Z', 'z']) || text.get(11..).is_some_and(|rest| rest.contains(['+', '-']));
        self.without_offset = self.without_offset.saturating_add(u64::from(!has_offset));
        for (is_ungrouped, separator) in self.ungrouped.iter_mut().zip(AMBIGUOUS) {
            *is_ungrouped = *is_ungrouped || !may_be_grouped(text, separator);
        }
        let most = FREE_MISFITS.saturating_add(self.present / MIN_VALUES_A_MISFIT);
        for (((_, column), misfits), size) in probe.all().zip(&mut self.misfits).zip(&mut self.sizes) {
            let Some(count) = *misfits else { continue };
            match cast(column, text, scratch) {
                Some(value) if is_ancient(&value) => *misfits = one_more(count, most),
                None => *misfits = one_more(count, most),
                Some(CastValue::Integer(number)) => {
                    let digits =
                        number.unsigned_abs().checked_ilog10().map_or(1, |log| log.saturating_add(1));
                    size.whole = size.whole.max(digits as usize);
                }
                Some(CastValue::Decimal(number)) => {
                    size.whole = size.whole.max(number.whole.len());
                    size.fraction = size.fraction.max(number.fraction.len());
                }
                Some(_) => {}
            }
        }
    }

    fn count_distinct(&mut self, text: &str, chars: u64) {
        if let Some(distinct) = &mut self.distinct {
            if let Some(rows) = distinct.get_mut(text) {
                *rows = rows.saturating_add(1);
            } else if distinct.len() < MAX_ALLOWED && chars <= MAX_ALLOWED_CHARS {
                distinct.insert(text.to_owned(), 1);
            } else {
                self.distinct = None;
            }
        }
        if let Some(hashes) = &mut self.hashes {
            // Its keys are fixed, so that the same sample gives the same contract.
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            if hashes.len() >= MAX_HASHES || !hashes.insert(hasher.finish()) {
                self.hashes = None;
            }
        }
    }

    /// The column as it was seen. What cannot be told goes to the notes.
    pub(super) fn draft(
        &self,
        plain: ColumnDraft,
        file: &FileKind,
        probe: &Probe,
        separators: &Separators,
        notes: &mut Vec<String>,
    ) -> ColumnDraft {
        let kind = match &plain.declared {
            Some(declared) => declared.clone(),
            None => self.kind(&plain, file, probe, separators, notes),
        };
        let is_typed = kind != DraftType::text();
        let nearly = if is_typed { None } else { self.nearly(&plain, file, probe) };
        let null_values: Vec<String> =
            if is_typed { self.null_spellings.keys().cloned().collect() } else { Vec::new() };
        let spelled: u64 = if is_typed { self.null_spellings.values().sum() } else { 0 };
        let missing = self.missing.saturating_add(spelled);
        ColumnDraft {
            nan_rows: self.nan_rows().filter(|_| is_typed),
            comments: self.why_unknown(&plain).into_iter().collect(),
            required: missing == 0 && self.present > 0,
            allowed: if is_typed { Vec::new() } else { self.allowed() },
            seen: Some(self.seen(missing)),
            nearly,
            null_values,
            kind,
            ..plain
        }
    }

    /// Why a column is text when no value says what it is.
    fn why_unknown(&self, plain: &ColumnDraft) -> Option<String> {
        let spelled: u64 = self.null_spellings.values().sum();
        match (&plain.declared, self.present) {
            (Some(_), _) => None,
            (None, 0) => Some("no row has a value: the type is not known".to_owned()),
            (None, present) if present == spelled => {
                Some("no row has a value but spellings of a missing one: the type is not known".to_owned())
            }
            (None, _) => None,
        }
    }

    /// Rows with NaN.
    fn nan_rows(&self) -> Option<u64> {
        let rows = ["NaN", "nan"].iter().filter_map(|spelling| self.null_spellings.get(*spelling));
        Some(rows.sum()).filter(|rows| *rows > 0)
    }

    /// A JSON object or array: nothing is asked of it but to be there when it always was.
    pub(super) fn document(&self, plain: ColumnDraft) -> ColumnDraft {
        let seen = format!("values: {}, missing: {}", self.present, self.missing);
        ColumnDraft { required: self.missing == 0 && self.present > 0, seen: Some(seen), ..plain }
    }

    /// Rows that were looked at.
    pub(super) fn rows(&self) -> u64 {
        self.present.saturating_add(self.missing)
    }

    /// Rows with a value.
    pub(super) fn present(&self) -> u64 {
        self.present
    }

    /// The candidates that read each value.
    fn fitting(
        &self,
        plain: &ColumnDraft,
        file: &FileKind,
        probe: &Probe,
    ) -> Vec<(&'static Candidate, DigitCounts)> {
        if self.present == self.null_spellings.values().sum::<u64>() {
            return Vec::new();
        }
        self.thought_of(plain, file, probe)
            .filter(|(_, misfits, _)| *misfits == 0)
            .map(|(candidate, _, size)| (candidate, size))
            .collect()
    }

    /// The decimal separator of the file, where the values of the column show it.
    pub(super) fn decimal_separator(
        &self,
        plain: &ColumnDraft,
        file: &FileKind,
        probe: &Probe,
    ) -> Option<char> {
        let fitting = self.fitting(plain, file, probe);
        let (first, size) = fitting.first().filter(|(first, _)| first.family == Family::Number)?;
        // Numbers of JSON have a point whatever the country.
        let is_shown = !plain.has_json_numbers && self.ambiguous_separator(plain, &fitting).is_none();
        let decimal = first.kind.decimal_separator.unwrap_or('.');
        let has_group = first.kind.group_separator.is_some_and(|group| AMBIGUOUS.contains(&group));
        Some(decimal).filter(|_| is_shown && (size.fraction > 0 || has_group))
    }

    /// The decimal separator of the first candidate, where it may as well separate groups.
    fn ambiguous_separator(
        &self,
        plain: &ColumnDraft,
        fitting: &[(&Candidate, DigitCounts)],
    ) -> Option<char> {
        let (first, size) = fitting.first().filter(|(first, _)| first.family == Family::Number)?;
        let decimal = first.kind.decimal_separator.unwrap_or('.');
        let index = AMBIGUOUS.iter().position(|separator| *separator == decimal)?;
        let may_be_group = first.kind.group_separator.is_none()
            && size.fraction > 0
            && self.ungrouped.get(index) == Some(&false);
        Some(decimal).filter(|_| may_be_group && !plain.has_json_numbers)
    }

    fn kind(
        &self,
        plain: &ColumnDraft,
        file: &FileKind,
        probe: &Probe,
        separators: &Separators,
        notes: &mut Vec<String>,
    ) -> DraftType {
        let fitting = self.fitting(plain, file, probe);
        let Some((mut first, mut size)) = fitting.first().copied() else { return DraftType::text() };
        let name = &plain.name;
        if let Some(separator) = self.ambiguous_separator(plain, &fitting) {
            let grouped = fitting.iter().find(|(other, _)| other.kind.group_separator == Some(separator));
            match (separators.decimal(), grouped) {
                (Some((decimal, column)), _) if decimal == separator => notes.push(format!(
                    "`{name}`: `{separator}` is read as the decimal separator, which it is in `{column}`"
                )),
                (Some((decimal, column)), Some(grouped)) => {
                    (first, size) = *grouped;
                    notes.push(format!(
                        "`{name}`: `{separator}` is read as a group separator, as `{decimal}` is the decimal separator in `{column}`"
                    ));
                }
                (Some(_) | None, _) => {
                    notes.push(format!(
                        "`{name}`: `{separator}` may be a decimal or a group separator; it is text until the contract says which"
                    ));
                    return DraftType::text();
                }
            }
        }
        if is_ambiguous(first, fitting.iter().map(|(candidate, _)| *candidate)) {
            notes.push(format!(
                "`{name}`: day and month cannot be distinguished; it is text until the contract says which"
            ));
            return DraftType::text();
        }
        if first.kind.format.is_some_and(has_short_year) {
            notes.push(format!(
                "`{}`: years of two digits are taken for 2000 to 2099; set `penstock.yearPivot` where that is wrong",
                plain.name
            ));
        }
        if first.family == Family::Timestamp && self.without_offset > 0 {
            let count = self.without_offset;
            notes.push(format!(
                "`{}`: {} without an offset, taken for UTC; set `defaultTimezone` where that is wrong",
                plain.name,
                counted(count, "value")
            ));
        }
        sized(&first.kind, first.family, size)
    }

    /// The candidates that the column may be of but for some values, whose number is told.
    fn thought_of<'p>(
        &'p self,
        plain: &'p ColumnDraft,
        file: &'p FileKind,
        probe: &'p Probe,
    ) -> impl Iterator<Item = (&'static Candidate, u64, DigitCounts)> + 'p {
        let seen = self.misfits.iter().zip(&self.sizes);
        probe.all().zip(seen).filter_map(move |((candidate, _), (misfits, size))| {
            let is_read = candidate.family != Family::Document || file.has_documents_in_text();
            let is_open = is_read && self.is_thought_of(candidate, &plain.name);
            misfits.filter(|_| is_open).map(|misfits| (candidate, misfits, *size))
        })
    }

    /// The type that all but a few values are of: every row of the sample is accepted, so that those make it text.
    fn nearly(&self, plain: &ColumnDraft, file: &FileKind, probe: &Probe) -> Option<String> {
        let spelled: u64 = self.null_spellings.values().sum();
        let values = self.present.saturating_sub(spelled);
        let is_nearly = |misfits: u64| {
            misfits > 0
                && values >= MIN_VALUES_OF_NEARLY
                && misfits.saturating_mul(MIN_VALUES_A_MISFIT) <= values
        };
        let mut candidates = self.thought_of(plain, file, probe);
        let (candidate, misfits, _) = candidates.find(|(_, misfits, _)| is_nearly(*misfits))?;
        let DraftType { logical, format, .. } = &candidate.kind;
        let format = format.map(|format| format!(" ({format})")).unwrap_or_default();
        Some(format!("nearly {logical}{format}: {misfits} of {values} values are not"))
    }

    fn is_thought_of(&self, candidate: &Candidate, name: &str) -> bool {
        let has = |known: &[&str]| words(name).any(|word| known.contains(&word));
        let is_open = match candidate.gate {
            Gate::Always => true,
            Gate::DateName => has(&DATE_NAMES),
            Gate::FlagName => has(&FLAG_NAMES),
            Gate::ManySeen => self.distinct.as_ref().is_none_or(|distinct| distinct.len() >= MIN_CHECKED),
            Gate::BothSeen => self.distinct.as_ref().is_some_and(|distinct| distinct.len() > 1),
        };
        is_open
            && match candidate.family {
                Family::Integer | Family::Number => !self.has_written_digits && !has(&IDENTIFIERS),
                Family::Uuid => !self.without_hyphens,
                Family::Format => candidate.kind.format != Some("uri") || !self.without_slashes,
                Family::Boolean
                | Family::Date
                | Family::Timestamp
                | Family::Time
                | Family::CheckDigit
                | Family::Document => true,
            }
    }

    fn allowed(&self) -> Vec<String> {
        let Some(distinct) = &self.distinct else { return Vec::new() };
        let is_list = distinct.len() >= MIN_ALLOWED
            && self.present >= MIN_ROWS_OF_ALLOWED
            && distinct.values().all(|rows| *rows >= MIN_ROWS_OF_EACH);
        if is_list { distinct.keys().cloned().collect() } else { Vec::new() }
    }

    /// Counts, never values.
    fn seen(&self, missing: u64) -> String {
        let spelled = missing.saturating_sub(self.missing);
        let mut seen = format!("values: {}, missing: {missing}", self.present.saturating_sub(spelled));
        if self.present == 0 {
            return seen;
        }
        if self.hashes.is_some() && self.present > 1 {
            seen.push_str(", each once");
        } else if let Some(distinct) = &self.distinct {
            seen.push_str(&format!(", distinct: {}", distinct.len()));
        }
        seen + &format!(", characters: {} to {}", self.min_chars, self.max_chars)
    }

    /// Whether the column identifies the rows of the sample.
    pub(super) fn uniqueness(&self, column: &ColumnDraft) -> Uniqueness {
        if !column.required || self.hashes.is_none() || self.present < 2 {
            Uniqueness::Repeats
        } else if !matches!(column.kind.logical, "string" | "integer") {
            Uniqueness::OtherType
        } else if self.max_chars > MAX_KEY_CHARS {
            Uniqueness::TooLong
        } else {
            Uniqueness::Key
        }
    }
}

/// Whether a column has another value in each row, and may be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uniqueness {
    Key,
    /// Its values are too long for a key.
    TooLong,
    /// Its values are neither texts nor whole numbers.
    OtherType,
    /// A row has no value, or that of another row.
    Repeats,
}

/// True for a format whose years have two digits.
fn has_short_year(format: &str) -> bool {
    format.matches('y').count() == 2
}

/// One value more that is not of a candidate; `None` when they are too many.
fn one_more(misfits: u64, most: u64) -> Option<u64> {
    Some(misfits.saturating_add(1)).filter(|count| *count <= most)
}

/// True when another candidate reads the same values with day and month swapped.
fn is_ambiguous<'c>(first: &Candidate, mut fitting: impl Iterator<Item = &'c Candidate>) -> bool {
    match first.family {
        Family::Date | Family::Timestamp => {
            let Some(format) = first.kind.format.filter(|format| format.starts_with('d')) else {
                return false;
            };
            let swap = |letter| match letter {
                'd' => 'M',
                'M' => 'd',
                other => other,
            };
            let swapped: String = format.chars().map(swap).collect();
            fitting.any(|other| other.kind.format == Some(swapped.as_str()))
        }
        Family::Uuid
        | Family::Boolean
        | Family::Integer
        | Family::Number
        | Family::Time
        | Family::Format
        | Family::CheckDigit
        | Family::Document => false,
    }
}
