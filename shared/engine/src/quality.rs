//! The contract's checks of the whole batch: counted row by row, judged at the end.

use penstock_contract::{Contract, Metric, QualityCheck};
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::cast::CastValue;
use crate::duplicates::Duplicates;
use crate::error::PlanError;
use crate::outcome::Totals;
use crate::program::PlanColumn;
use crate::sets::{is_number, plain_number};

/// What came of one quality check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityOutcome {
    /// Its name in the contract, or else its path there.
    pub check: String,
    /// The rule in words.
    pub rule: String,
    /// The column; `None` for a check of the whole row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Accepted rows that it counts.
    pub count: u64,
    /// Accepted rows in all.
    pub rows: u64,
    /// Whether it holds.
    pub holds: bool,
    /// Where it does not: true when the batch is refused for it, false when the contract's `severity` is `warning` or
    /// `info`.
    pub refuses: bool,
}

/// The checks of a contract, compiled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Quality {
    checks: Vec<CompiledCheck>,
    /// Those that look at single values, by column.
    by_column: Vec<Vec<usize>>,
}

#[derive(Debug, Clone)]
struct CompiledCheck {
    check: QualityCheck,
    column: Option<String>,
    count: Count,
}

#[derive(Debug, Clone)]
enum Count {
    Rows,
    /// By its [`Duplicates`] set.
    Repeats(usize),
    Missing(Spellings),
    Invalid(Spellings, Option<Regex>),
}

/// Values as COPY text has them, sorted; numbers without zeros that say nothing.
#[derive(Debug, Clone, Default)]
struct Spellings {
    values: Vec<Vec<u8>>,
    is_number: bool,
}

impl Spellings {
    fn new(values: &[String], column: Option<&PlanColumn>) -> Self {
        let is_number = column.is_some_and(|column| is_number(&column.sql_type));
        let written = |value: &String| column.and_then(|column| column.written(value));
        let values = values.iter().map(|value| written(value).unwrap_or_else(|| value.clone().into_bytes()));
        let plain = |text: Vec<u8>| if is_number { plain_number(&text).to_vec() } else { text };
        let mut values: Vec<Vec<u8>> = values.map(plain).collect();
        values.sort_unstable();
        Self { values, is_number }
    }

    fn has(&self, text: &[u8]) -> bool {
        let text = if self.is_number { plain_number(text) } else { text };
        self.values.binary_search_by(|value| value.as_slice().cmp(text)).is_ok()
    }
}

impl Quality {
    /// `set` gives the number of a set of columns that is to be looked through for duplicates.
    pub(crate) fn compile(
        contract: &Contract,
        columns: &[PlanColumn],
        mut set: impl FnMut(&[usize]) -> usize,
    ) -> Result<Self, PlanError> {
        let mut quality = Self { checks: Vec::new(), by_column: vec![Vec::new(); columns.len()] };
        for check in &contract.quality {
            let column = check.column.and_then(|index| columns.get(index));
            let count = match &check.metric {
                Metric::RowCount => Count::Rows,
                Metric::DuplicateValues { columns } => Count::Repeats(set(columns)),
                Metric::NullValues => Count::Missing(Spellings::default()),
                Metric::MissingValues { values } => Count::Missing(Spellings::new(values, column)),
                Metric::InvalidValues { valid, pattern } => {
                    let pattern = pattern.as_deref().map(Regex::new).transpose();
                    let pattern = pattern.map_err(|error| PlanError::Column {
                        column: column.map_or_else(|| check.path.clone(), |column| column.name.clone()),
                        message: error.to_string(),
                    })?;
                    Count::Invalid(Spellings::new(valid, column), pattern)
                }
            };
            let looks_at_values = matches!(count, Count::Missing(_) | Count::Invalid(..));
            if let Some(of_column) = check.column.and_then(|index| quality.by_column.get_mut(index))
                && looks_at_values
            {
                of_column.push(quality.checks.len());
            }
            let column = column.map(|column| column.name.clone());
            quality.checks.push(CompiledCheck { check: check.clone(), column, count });
        }
        Ok(quality)
    }

    /// True when [`Self::note`] may count values of a column.
    pub(crate) fn looks_at(&self, column: usize) -> bool {
        self.by_column.get(column).is_some_and(|checks| !checks.is_empty())
    }

    /// How many counts [`Self::note`] and [`Self::judge`] work with.
    pub(crate) fn len(&self) -> usize {
        self.checks.len()
    }

    /// Adds the checks to `noted` that count a row for this value. `written`: the value as COPY text has it.
    #[inline]
    pub(crate) fn note(
        &self,
        column: usize,
        value: Option<&CastValue<'_>>,
        written: &[u8],
        noted: &mut Vec<usize>,
    ) {
        let Some(of_column) = self.by_column.get(column).filter(|checks| !checks.is_empty()) else { return };
        for index in of_column {
            let Some(check) = self.checks.get(*index) else { continue };
            let is_counted = match &check.count {
                Count::Missing(spellings) => value.is_none() || spellings.has(written),
                Count::Invalid(valid, pattern) => match value {
                    None => false,
                    Some(value) => {
                        !valid.values.is_empty() && !valid.has(written)
                            || pattern.as_ref().is_some_and(|pattern| !matches(pattern, value, written))
                    }
                },
                Count::Rows | Count::Repeats(_) => false,
            };
            if is_counted {
                noted.push(*index);
            }
        }
    }

    pub(crate) fn judge(&self, totals: &Totals, duplicates: &Duplicates) -> Vec<QualityOutcome> {
        let judged = self.checks.iter().enumerate().map(|(index, CompiledCheck { check, column, count })| {
            let count = match count {
                Count::Rows => totals.accepted,
                Count::Repeats(set) => duplicates.repeats(*set),
                Count::Missing(_) | Count::Invalid(..) => {
                    totals.quality_counts.get(index).copied().unwrap_or_default()
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

/// Text is matched as it is, other values as they are written.
fn matches(pattern: &Regex, value: &CastValue<'_>, written: &[u8]) -> bool {
    if let CastValue::Text(text) = value {
        return pattern.is_match(text.text);
    }
    std::str::from_utf8(written).is_ok_and(|text| pattern.is_match(text))
}
