//! The contract's quality checks of a whole batch. Rows are counted while they are read, and the counts are evaluated
//! at the end.

use penstock_contract::{Contract, Metric, QualityCheck};
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::cast::CastValue;
use crate::duplicates::Duplicates;
use crate::error::PlanError;
use crate::outcome::Totals;
use crate::program::PlanColumn;
use crate::sets::{is_number, plain_number};

/// The outcome of a quality check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityOutcome {
    /// The name of the check in the contract, or its path if it has no name.
    pub check: String,
    /// A description of the rule.
    pub rule: String,
    /// The column, or `None` for a check of whole rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// The accepted rows that the check counts.
    pub count: u64,
    /// All accepted rows.
    pub rows: u64,
    /// Whether the check passed.
    pub holds: bool,
    /// Whether the batch is refused because of the check. False if it passed, or if the contract's `severity` is
    /// `warning` or `info`.
    pub refuses: bool,
}

/// The compiled checks of a contract.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quality {
    checks: Vec<CompiledCheck>,
    /// For each column, the indexes of the checks that count its values.
    by_column: Vec<Vec<usize>>,
}

#[derive(Debug, Clone)]
struct CompiledCheck {
    check: QualityCheck,
    column: Option<String>,
    counted: CountedRows,
}

/// The rows that a check counts.
#[derive(Debug, Clone)]
enum CountedRows {
    All,
    /// Rows that repeat values of a set of columns, by the number of the set.
    Repeats(usize),
    /// Rows without a value, or with one of these.
    Missing(Spellings),
    /// Rows whose value is not one of these, or does not match.
    Invalid(Spellings, Option<Regex>),
}

/// Values as COPY text, sorted. Numbers are [plain](plain_number).
#[derive(Debug, Clone, Default)]
struct Spellings {
    values: Vec<Vec<u8>>,
    is_number: bool,
}

impl Spellings {
    fn new(values: &[String], column: Option<&PlanColumn>) -> Self {
        let is_number = column.is_some_and(|column| is_number(&column.sql_type));
        let copy_text = |value: &String| column.and_then(|column| column.literal_copy_text(value));
        // A literal that is not of the column's type, such as `n/a` for a number, is equal to none of its values.
        let values =
            values.iter().map(|value| copy_text(value).unwrap_or_else(|| value.clone().into_bytes()));
        let plain = |text: Vec<u8>| if is_number { plain_number(&text).to_vec() } else { text };
        let mut values: Vec<Vec<u8>> = values.map(plain).collect();
        values.sort_unstable();
        Self { values, is_number }
    }

    fn contains(&self, text: &[u8]) -> bool {
        let text = if self.is_number { plain_number(text) } else { text };
        self.values.binary_search_by(|value| value.as_slice().cmp(text)).is_ok()
    }
}

impl Quality {
    /// Compiles the checks. `add_set` adds a set of columns whose duplicates are counted, with a name for errors, and
    /// returns its number.
    pub(crate) fn compile(
        contract: &Contract,
        columns: &[PlanColumn],
        mut add_set: impl FnMut(&[usize], &str) -> Result<usize, PlanError>,
    ) -> Result<Self, PlanError> {
        let mut quality = Self { checks: Vec::new(), by_column: vec![Vec::new(); columns.len()] };
        for check in &contract.quality {
            let column = check.column.map(|index| columns.get(index).expect(CHECKED_COLUMN));
            let counted = match &check.metric {
                Metric::RowCount => CountedRows::All,
                Metric::DuplicateValues { columns } => CountedRows::Repeats(add_set(columns, &check.path)?),
                Metric::NullValues => CountedRows::Missing(Spellings::default()),
                Metric::MissingValues { values } => CountedRows::Missing(Spellings::new(values, column)),
                Metric::InvalidValues { valid, pattern } => {
                    let pattern = pattern.as_deref().map(Regex::new).transpose();
                    let pattern = pattern.map_err(|error| PlanError::Column {
                        column: column.map_or_else(|| check.path.clone(), |column| column.name.clone()),
                        message: error.to_string(),
                    })?;
                    CountedRows::Invalid(Spellings::new(valid, column), pattern)
                }
            };
            if let Some(index) = check.column
                && matches!(counted, CountedRows::Missing(_) | CountedRows::Invalid(..))
            {
                quality.by_column.get_mut(index).expect(CHECKED_COLUMN).push(quality.checks.len());
            }
            let column = column.map(|column| column.name.clone());
            quality.checks.push(CompiledCheck { check: check.clone(), column, counted });
        }
        Ok(quality)
    }

    /// Returns true if [`Self::count_value`] may count values of the column.
    pub(crate) fn counts_values_of(&self, column: usize) -> bool {
        self.by_column.get(column).is_some_and(|checks| !checks.is_empty())
    }

    /// Returns the number of checks, which is that of the counts.
    pub(crate) fn len(&self) -> usize {
        self.checks.len()
    }

    /// Adds the indexes of the checks that count a row with this value to `counting`. `written` is the value as COPY
    /// text.
    #[inline]
    pub(crate) fn count_value(
        &self,
        column: usize,
        value: Option<&CastValue<'_>>,
        written: &[u8],
        counting: &mut Vec<usize>,
    ) {
        let Some(of_column) = self.by_column.get(column).filter(|checks| !checks.is_empty()) else { return };
        for index in of_column {
            let check = self.checks.get(*index).expect("`by_column` contains indexes of the checks");
            let is_counted = match &check.counted {
                CountedRows::Missing(spellings) => value.is_none() || spellings.contains(written),
                CountedRows::Invalid(valid, pattern) => match value {
                    None => false,
                    Some(value) => {
                        !valid.values.is_empty() && !valid.contains(written)
                            || pattern.as_ref().is_some_and(|pattern| !matches(pattern, value, written))
                    }
                },
                CountedRows::All | CountedRows::Repeats(_) => false,
            };
            if is_counted {
                counting.push(*index);
            }
        }
    }

    /// Returns the outcomes of the checks for a whole batch.
    pub(crate) fn judge(&self, totals: &Totals, duplicates: &Duplicates) -> Vec<QualityOutcome> {
        let judged =
            self.checks.iter().enumerate().map(|(index, CompiledCheck { check, column, counted })| {
                let count = match counted {
                    CountedRows::All => totals.accepted,
                    CountedRows::Repeats(set) => duplicates.repeats(*set),
                    // The totals of a batch without a reader have no counts.
                    CountedRows::Missing(_) | CountedRows::Invalid(..)
                        if totals.quality_counts.is_empty() =>
                    {
                        0
                    }
                    CountedRows::Missing(_) | CountedRows::Invalid(..) => {
                        *totals.quality_counts.get(index).expect("there is a count for each check")
                    }
                };
                let holds = check.passes(count, totals.accepted);
                QualityOutcome {
                    check: check.name.clone().unwrap_or_else(|| check.path.clone()),
                    rule: check.to_string(),
                    column: column.clone(),
                    count,
                    rows: totals.accepted,
                    holds,
                    refuses: !holds && check.refuses(),
                }
            });
        judged.collect()
    }
}

/// Why the column of a check exists.
const CHECKED_COLUMN: &str = "a check is of a column of the contract";

/// Matches a text itself, and other values as COPY text.
fn matches(pattern: &Regex, value: &CastValue<'_>, written: &[u8]) -> bool {
    if let CastValue::Text(text) = value {
        return pattern.is_match(text.text);
    }
    pattern.is_match(std::str::from_utf8(written).expect("COPY text is UTF-8"))
}
