//! Collects statistics of a column's values, and infers its type from them.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::error::counted;
use super::names::words;
use super::numeric::{DigitCounts, sized};
use super::separators::{AMBIGUOUS, Separators, may_be_grouped};
use super::types::{Candidate, Precondition, Probe, TypeFamily, cast, is_implausibly_old};
use super::yaml::{ColumnDraft, DraftType, FileKind};
use crate::cast::{CastValue, Scratch};

/// Spellings of a missing value in columns whose other values have a type.
const NULL_SPELLINGS: [&str; 22] = [
    "NULL", "null", "Null", "N/A", "n/a", "NA", "#N/A", "NaN", "nan", "None", "none", "nil", "\\N", "-",
    "--", "---", "?", ".", "k. A.", "k.A.", "n.a.", "(null)",
];
/// Allowed values are listed only if they are few, each is frequent, and there are enough rows.
const MAX_ALLOWED: usize = 20;
const MIN_ALLOWED: usize = 2;
const MIN_ROWS_OF_ALLOWED: u64 = 200;
const MIN_ROWS_OF_EACH: u64 = 5;
const MAX_ALLOWED_CHARS: u64 = 40;
/// The minimum number of distinct values with valid check digits. Distinct values are counted up to [`MAX_ALLOWED`].
const MIN_CHECKED: usize = MAX_ALLOWED;
/// The maximum length of a key's values.
pub(super) const MAX_KEY_CHARS: u64 = 64;
const UUID_CHARS: u64 = 36;
/// The number of rows up to which uniqueness is checked.
const MAX_HASHES: usize = 1_000_000;

/// A text column nearly has a type if it has at least [`MIN_VALUES_OF_NEARLY`] values, of which at most one in
/// [`MIN_VALUES_A_MISFIT`] does not fit the type.
const MIN_VALUES_A_MISFIT: u64 = 100;
const MIN_VALUES_OF_NEARLY: u64 = 200;
/// The number of values that may not fit a type among the first rows before the type is ruled out.
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

/// Statistics of a column's values. Row counts cannot reach `u64::MAX`, so that the saturating additions are exact.
#[derive(Debug)]
pub(super) struct Profile {
    /// For each candidate, the number of values that do not fit it; `None` if they are too many.
    misfits: Vec<Option<u64>>,
    sizes: Vec<DigitCounts>,
    missing: u64,
    present: u64,
    /// Values that are spellings of a missing value, with their numbers of rows.
    null_spellings: BTreeMap<String, u64>,
    /// The distinct values with their numbers of rows; `None` if they are too many.
    distinct: Option<BTreeMap<String, u64>>,
    /// Hashes of the values; `None` after a value occurred twice.
    hashes: Option<HashSet<u64>>,
    min_chars: u64,
    max_chars: u64,
    /// Some number begins with a zero or a plus sign, so that the column is text.
    has_written_digits: bool,
    without_slashes: bool,
    /// Some value does not have the length of a UUID with hyphens. A digest has as many digits as a UUID, but no hyphens.
    without_hyphens: bool,
    without_offset: u64,
    /// For each of [`AMBIGUOUS`], whether some value has it in a position where it cannot separate groups of digits.
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

    /// Adds the value of a row.
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
                Some(value) if is_implausibly_old(&value) => *misfits = add_misfit(count, most),
                None => *misfits = add_misfit(count, most),
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
            // This hasher has fixed keys, so that the same sample yields the same contract.
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            if hashes.len() >= MAX_HASHES || !hashes.insert(hasher.finish()) {
                self.hashes = None;
            }
        }
    }

    /// Returns the column with its inferred type and rules. Adds ambiguities to the notes.
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
            statistics: Some(self.statistics(missing)),
            nearly,
            null_values,
            kind,
            ..plain
        }
    }

    /// Returns why the type of a column cannot be inferred, if it has no values.
    fn why_unknown(&self, plain: &ColumnDraft) -> Option<String> {
        let spelled: u64 = self.null_spellings.values().sum();
        match (&plain.declared, self.present) {
            (Some(_), _) => None,
            (None, 0) => Some("no row has a value: the type is unknown".to_owned()),
            (None, present) if present == spelled => {
                Some("all values are spellings of a missing value: the type is unknown".to_owned())
            }
            (None, _) => None,
        }
    }

    /// Returns the number of rows with NaN, if there are any.
    fn nan_rows(&self) -> Option<u64> {
        let rows = ["NaN", "nan"].iter().filter_map(|spelling| self.null_spellings.get(*spelling));
        Some(rows.sum()).filter(|rows| *rows > 0)
    }

    /// Returns a column of JSON objects or arrays. Its only rule is that it is required if every row has a value.
    pub(super) fn document(&self, plain: ColumnDraft) -> ColumnDraft {
        let statistics = format!("values: {}, missing: {}", self.present, self.missing);
        let required = self.missing == 0 && self.present > 0;
        ColumnDraft { required, statistics: Some(statistics), ..plain }
    }

    /// Returns the number of rows.
    pub(super) fn rows(&self) -> u64 {
        self.present.saturating_add(self.missing)
    }

    /// Returns the number of rows with a value.
    pub(super) fn present(&self) -> u64 {
        self.present
    }

    /// Returns the candidates that every value fits.
    fn fitting(
        &self,
        plain: &ColumnDraft,
        file: &FileKind,
        probe: &Probe,
    ) -> Vec<(&'static Candidate, DigitCounts)> {
        if self.present == self.null_spellings.values().sum::<u64>() {
            return Vec::new();
        }
        self.plausible(plain, file, probe)
            .filter(|(_, misfits, _)| *misfits == 0)
            .map(|(candidate, _, size)| (candidate, size))
            .collect()
    }

    /// Returns the decimal separator of the file, if the values of the column show it.
    pub(super) fn decimal_separator(
        &self,
        plain: &ColumnDraft,
        file: &FileKind,
        probe: &Probe,
    ) -> Option<char> {
        let fitting = self.fitting(plain, file, probe);
        let (first, size) = fitting.first().filter(|(first, _)| first.family == TypeFamily::Number)?;
        // Numbers in JSON have a decimal point in every country.
        let is_shown = !plain.has_json_numbers && self.ambiguous_separator(plain, &fitting).is_none();
        let decimal = first.kind.decimal_separator.unwrap_or('.');
        let has_group = first.kind.group_separator.is_some_and(|group| AMBIGUOUS.contains(&group));
        Some(decimal).filter(|_| is_shown && (size.fraction > 0 || has_group))
    }

    /// Returns the decimal separator of the first candidate, if it may also be a group separator.
    fn ambiguous_separator(
        &self,
        plain: &ColumnDraft,
        fitting: &[(&Candidate, DigitCounts)],
    ) -> Option<char> {
        let (first, size) = fitting.first().filter(|(first, _)| first.family == TypeFamily::Number)?;
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
                    "`{name}`: `{separator}` is read as the decimal separator, as in `{column}`"
                )),
                (Some((decimal, column)), Some(grouped)) => {
                    (first, size) = *grouped;
                    notes.push(format!(
                        "`{name}`: `{separator}` is read as a group separator, because `{decimal}` is the decimal separator in `{column}`"
                    ));
                }
                (Some(_) | None, _) => {
                    notes.push(format!(
                        "`{name}`: `{separator}` may be a decimal or a group separator; the column is text until the contract declares which"
                    ));
                    return DraftType::text();
                }
            }
        }
        if is_ambiguous(first, fitting.iter().map(|(candidate, _)| *candidate)) {
            notes.push(format!(
                "`{name}`: day and month cannot be distinguished; the column is text until the contract declares the format"
            ));
            return DraftType::text();
        }
        if first.kind.format.is_some_and(has_short_year) {
            notes.push(format!(
                "`{}`: two-digit years are read as 2000 to 2099; set `penstock.yearPivot` if that is wrong",
                plain.name
            ));
        }
        if first.family == TypeFamily::Timestamp && self.without_offset > 0 {
            let count = self.without_offset;
            notes.push(format!(
                "`{}`: {} without an offset, read as UTC; set `defaultTimezone` if that is wrong",
                plain.name,
                counted(count, "value")
            ));
        }
        sized(&first.kind, first.family, size)
    }

    /// Returns the plausible candidates, with the number of values that do not fit each.
    fn plausible<'p>(
        &'p self,
        plain: &'p ColumnDraft,
        file: &'p FileKind,
        probe: &'p Probe,
    ) -> impl Iterator<Item = (&'static Candidate, u64, DigitCounts)> + 'p {
        let counts = self.misfits.iter().zip(&self.sizes);
        probe.all().zip(counts).filter_map(move |((candidate, _), (misfits, size))| {
            let is_read = candidate.family != TypeFamily::Document || file.has_documents_in_text();
            let is_plausible = is_read && self.is_plausible(candidate, &plain.name);
            misfits.filter(|_| is_plausible).map(|misfits| (candidate, misfits, *size))
        })
    }

    /// Returns the type that nearly all values fit. The column is text nevertheless, as the contract accepts every row of
    /// the sample.
    fn nearly(&self, plain: &ColumnDraft, file: &FileKind, probe: &Probe) -> Option<String> {
        let spelled: u64 = self.null_spellings.values().sum();
        let values = self.present.saturating_sub(spelled);
        let is_nearly = |misfits: u64| {
            misfits > 0
                && values >= MIN_VALUES_OF_NEARLY
                && misfits.saturating_mul(MIN_VALUES_A_MISFIT) <= values
        };
        let mut candidates = self.plausible(plain, file, probe);
        let (candidate, misfits, _) = candidates.find(|(_, misfits, _)| is_nearly(*misfits))?;
        let DraftType { logical, format, .. } = &candidate.kind;
        let format = format.map(|format| format!(" ({format})")).unwrap_or_default();
        Some(format!("nearly {logical}{format}: {misfits} of {values} values do not fit"))
    }

    fn is_plausible(&self, candidate: &Candidate, name: &str) -> bool {
        let has = |known: &[&str]| words(name).any(|word| known.contains(&word));
        let is_satisfied = match candidate.precondition {
            Precondition::Always => true,
            Precondition::DateName => has(&DATE_NAMES),
            Precondition::FlagName => has(&FLAG_NAMES),
            Precondition::ManyDistinct => {
                self.distinct.as_ref().is_none_or(|distinct| distinct.len() >= MIN_CHECKED)
            }
            Precondition::BothSpellings => self.distinct.as_ref().is_some_and(|distinct| distinct.len() > 1),
        };
        is_satisfied
            && match candidate.family {
                TypeFamily::Integer | TypeFamily::Number => !self.has_written_digits && !has(&IDENTIFIERS),
                TypeFamily::Uuid => !self.without_hyphens,
                TypeFamily::Format => candidate.kind.format != Some("uri") || !self.without_slashes,
                TypeFamily::Boolean
                | TypeFamily::Date
                | TypeFamily::Timestamp
                | TypeFamily::Time
                | TypeFamily::CheckDigit
                | TypeFamily::Document => true,
            }
    }

    fn allowed(&self) -> Vec<String> {
        let Some(distinct) = &self.distinct else { return Vec::new() };
        let is_list = distinct.len() >= MIN_ALLOWED
            && self.present >= MIN_ROWS_OF_ALLOWED
            && distinct.values().all(|rows| *rows >= MIN_ROWS_OF_EACH);
        if is_list { distinct.keys().cloned().collect() } else { Vec::new() }
    }

    /// Returns the counts as a comment. It contains no values.
    fn statistics(&self, missing: u64) -> String {
        let spelled = missing.saturating_sub(self.missing);
        let mut statistics = format!("values: {}, missing: {missing}", self.present.saturating_sub(spelled));
        if self.present == 0 {
            return statistics;
        }
        if self.hashes.is_some() && self.present > 1 {
            statistics.push_str(", all distinct");
        } else if let Some(distinct) = &self.distinct {
            statistics.push_str(&format!(", distinct: {}", distinct.len()));
        }
        statistics + &format!(", characters: {} to {}", self.min_chars, self.max_chars)
    }

    /// Returns whether the column identifies the rows of the sample.
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

/// Whether the values of a column are unique, and whether it may be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uniqueness {
    Key,
    /// The values are unique, but too long for a key.
    TooLong,
    /// The values are unique, but neither texts nor whole numbers.
    OtherType,
    /// Some value is missing or not unique.
    Repeats,
}

/// Returns true for a format whose years have two digits.
fn has_short_year(format: &str) -> bool {
    format.matches('y').count() == 2
}

/// Counts another value that does not fit a candidate; returns `None` if they are too many.
fn add_misfit(misfits: u64, most: u64) -> Option<u64> {
    Some(misfits.saturating_add(1)).filter(|count| *count <= most)
}

/// Returns true if another candidate reads the same values with day and month swapped.
fn is_ambiguous<'c>(first: &Candidate, mut fitting: impl Iterator<Item = &'c Candidate>) -> bool {
    match first.family {
        TypeFamily::Date | TypeFamily::Timestamp => {
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
        TypeFamily::Uuid
        | TypeFamily::Boolean
        | TypeFamily::Integer
        | TypeFamily::Number
        | TypeFamily::Time
        | TypeFamily::Format
        | TypeFamily::CheckDigit
        | TypeFamily::Document => false,
    }
}
