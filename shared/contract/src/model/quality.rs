//! Quality checks of a whole batch.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

/// A quality check that counts over a whole batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualityCheck {
    /// The path in the contract, e.g. `schema[0].properties[2].quality[0]`. It identifies a check without a `name`.
    pub path: String,
    /// ODCS `name`.
    pub name: Option<String>,
    /// ODCS `severity`, e.g. `warning`. The standard allows any text; one that is neither `warning` nor `info` means
    /// `error`, and a note reports it.
    pub severity: Option<String>,
    /// The count that is compared.
    pub metric: Metric,
    /// The column, as an index into the entity's columns; `None` for a check of the schema.
    pub column: Option<usize>,
    /// The condition for the count.
    pub operator: Operator,
    /// Whether the count is compared as a number of rows or as a percentage of the batch's rows.
    pub unit: Unit,
}

/// A quality check that Penstock does not execute: one of type `sql`, `text` or `custom`, or with a rule of another
/// tool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SkippedCheck {
    /// The path in the contract, e.g. `schema[0].properties[2].quality[0]`. It identifies a check without a `name`.
    pub path: String,
    /// ODCS `name`.
    pub name: Option<String>,
    /// The reason: `sql`, `text`, `custom` with its engine, or `rule` with the name of the rule.
    pub kind: String,
}

/// The count of a check, over the values after harmonising.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "metric")]
pub enum Metric {
    /// Rows without a value.
    NullValues,
    /// Rows without a value, or with one of these values.
    MissingValues {
        /// Additional spellings of a missing value.
        values: Vec<String>,
    },
    /// Rows with a value that is not one of these, or that does not match the pattern. Missing values do not count.
    InvalidValues {
        /// The valid values; empty if any value is valid.
        valid: Vec<String>,
        /// A regular expression that must match somewhere in the value.
        pattern: Option<String>,
    },
    /// Rows that repeat the values of an earlier row in these columns, i.e. all but the first row of each combination.
    /// Rows with a missing value in one of the columns do not count.
    DuplicateValues {
        /// The columns, as indexes into the entity's columns, in the order of the contract.
        columns: Vec<usize>,
    },
    /// All rows.
    RowCount,
}

/// The condition for a count, as defined by ODCS v3.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Operator {
    /// `=`
    MustBe(Threshold),
    /// `≠`
    MustNotBe(Threshold),
    /// `>`
    MustBeGreaterThan(Threshold),
    /// `≥`
    MustBeGreaterOrEqualTo(Threshold),
    /// `<`
    MustBeLessThan(Threshold),
    /// `≤`
    MustBeLessOrEqualTo(Threshold),
    /// Greater than the first and less than the second. The standard defines it by `mustBeGreaterThan` and
    /// `mustBeLessThan`.
    MustBeBetween(Threshold, Threshold),
    /// The opposite of `MustBeBetween`.
    MustNotBeBetween(Threshold, Threshold),
}

/// The unit in which a count is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A number of rows.
    #[default]
    Rows,
    /// Percent of the batch's rows. The percentage of an empty batch is 0.
    Percent,
}

/// An exact decimal: at most 18 digits, at most 9 of them after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Threshold {
    /// The number times ten to the power of `scale`, with at most 18 digits.
    digits: i64,
    /// 0 to 9.
    scale: u32,
}

impl QualityCheck {
    /// Returns true if a batch that fails the check is refused. With the severity `warning` or `info`, a failure is
    /// only reported.
    pub fn refuses(&self) -> bool {
        let severity = self.severity.as_deref().map(str::to_ascii_lowercase);
        !matches!(severity.as_deref(), Some("warning" | "info"))
    }

    /// Returns true if a batch of `rows` rows with this `count` passes the check. The comparison is exact: percentages
    /// are not rounded.
    pub fn passes(&self, count: u64, rows: u64) -> bool {
        let is = |threshold: &Threshold| threshold.compare(count, rows, self.unit);
        match &self.operator {
            Operator::MustBe(threshold) => is(threshold).is_eq(),
            Operator::MustNotBe(threshold) => is(threshold).is_ne(),
            Operator::MustBeGreaterThan(threshold) => is(threshold).is_gt(),
            Operator::MustBeGreaterOrEqualTo(threshold) => is(threshold).is_ge(),
            Operator::MustBeLessThan(threshold) => is(threshold).is_lt(),
            Operator::MustBeLessOrEqualTo(threshold) => is(threshold).is_le(),
            Operator::MustBeBetween(low, high) => is(low).is_gt() && is(high).is_lt(),
            Operator::MustNotBeBetween(low, high) => is(low).is_le() || is(high).is_ge(),
        }
    }
}

impl Operator {
    /// Returns true if this operator allows every count that `stricter` allows.
    pub(crate) fn allows_all_of(&self, stricter: &Self) -> bool {
        let allowed = self.intervals();
        stricter.intervals().iter().all(|inner| allowed.iter().any(|outer| outer.contains(inner)))
    }

    /// Returns the counts that the operator allows.
    fn intervals(&self) -> Vec<CountInterval> {
        let from_zero = (Threshold::ZERO, true);
        let counts = |low, high| CountInterval { low, high };
        match *self {
            Self::MustBe(one) => vec![counts((one, true), Some((one, true)))],
            Self::MustNotBe(one) => {
                vec![counts(from_zero, Some((one, false))), counts((one, false), None)]
            }
            Self::MustBeGreaterThan(low) => vec![counts((low, false), None)],
            Self::MustBeGreaterOrEqualTo(low) => vec![counts((low, true), None)],
            Self::MustBeLessThan(high) => vec![counts(from_zero, Some((high, false)))],
            Self::MustBeLessOrEqualTo(high) => vec![counts(from_zero, Some((high, true)))],
            Self::MustBeBetween(low, high) => vec![counts((low, false), Some((high, false)))],
            Self::MustNotBeBetween(low, high) => {
                vec![counts(from_zero, Some((low, true))), counts((high, true), None)]
            }
        }
    }
}

/// The counts from `low` to `high`, each with whether it is included. Without a `high`, all counts from `low`.
struct CountInterval {
    low: (Threshold, bool),
    high: Option<(Threshold, bool)>,
}

impl CountInterval {
    fn contains(&self, other: &Self) -> bool {
        let starts_before = match self.low.0.compare_with(&other.low.0) {
            Ordering::Less => true,
            Ordering::Equal => self.low.1 || !other.low.1,
            Ordering::Greater => false,
        };
        let ends_after = match (self.high, other.high) {
            (None, Some(_) | None) => true,
            (Some(_), None) => false,
            (Some((high, includes)), Some((other, other_includes))) => match high.compare_with(&other) {
                Ordering::Less => false,
                Ordering::Equal => includes || !other_includes,
                Ordering::Greater => true,
            },
        };
        starts_before && ends_after
    }
}

impl Threshold {
    pub(crate) const ZERO: Self = Self { digits: 0, scale: 0 };
    const MAX_DIGITS: usize = 18;
    const MAX_SCALE: usize = 9;

    /// Parses the digits before and after the point. Returns `None` if there are too many.
    pub(crate) fn new(negative: bool, whole: &str, fraction: &str) -> Option<Self> {
        if whole.len().checked_add(fraction.len())? > Self::MAX_DIGITS || fraction.len() > Self::MAX_SCALE {
            return None;
        }
        let digits: i64 = format!("0{whole}{fraction}").parse().ok()?;
        let scale = u32::try_from(fraction.len()).ok()?;
        Some(Self { digits: if negative { digits.checked_neg()? } else { digits }, scale })
    }

    pub(crate) fn compare_with(&self, other: &Self) -> Ordering {
        let one = i128::from(self.digits).saturating_mul(10_i128.pow(other.scale));
        one.cmp(&i128::from(other.digits).saturating_mul(10_i128.pow(self.scale)))
    }

    /// Compares the threshold with a whole number.
    pub(crate) fn compare_whole(&self, whole: i64) -> Ordering {
        i128::from(self.digits).cmp(&i128::from(whole).saturating_mul(10_i128.pow(self.scale)))
    }

    /// Returns true for a number without a fraction.
    pub(crate) fn is_whole(&self) -> bool {
        i128::from(self.digits).checked_rem(10_i128.pow(self.scale)) == Some(0)
    }

    /// Returns the product with `factor`, rounded up. `None` if it is negative or exceeds 64 bits.
    pub(crate) fn times(&self, factor: u64) -> Option<u64> {
        let product = u128::try_from(self.digits).ok()?.saturating_mul(u128::from(factor));
        u64::try_from(product.div_ceil(10_u128.pow(self.scale))).ok()
    }

    /// Compares a count, in its unit, with the threshold.
    fn compare(&self, count: u64, rows: u64, unit: Unit) -> Ordering {
        let ten_to_scale = 10_i128.pow(self.scale);
        let digits = i128::from(self.digits);
        // No product exceeds 2^64 · 10^18 in magnitude, which is less than 2^124.
        match unit {
            Unit::Rows => i128::from(count).saturating_mul(ten_to_scale).cmp(&digits),
            Unit::Percent if rows == 0 => 0.cmp(&digits),
            Unit::Percent => {
                let percent = i128::from(count).saturating_mul(ten_to_scale).saturating_mul(100);
                percent.cmp(&digits.saturating_mul(i128::from(rows)))
            }
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.digits < 0 { "-" } else { "" };
        let digits = self.digits.unsigned_abs();
        let ten_to_scale = 10_u64.pow(self.scale);
        #[expect(clippy::arithmetic_side_effects, reason = "a power of ten is not zero")]
        let (whole, fraction) = (digits / ten_to_scale, digits % ten_to_scale);
        write!(f, "{sign}{whole}")?;
        match usize::try_from(self.scale) {
            Ok(places) if places > 0 => write!(f, ".{fraction:0places$}"),
            _ => Ok(()),
        }
    }
}

impl From<Threshold> for String {
    fn from(threshold: Threshold) -> Self {
        threshold.to_string()
    }
}

impl fmt::Display for Metric {
    /// Writes the name of the metric in ODCS.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NullValues => "nullValues",
            Self::MissingValues { .. } => "missingValues",
            Self::InvalidValues { .. } => "invalidValues",
            Self::DuplicateValues { .. } => "duplicateValues",
            Self::RowCount => "rowCount",
        })
    }
}

impl fmt::Display for Operator {
    /// Writes the condition in words, e.g. `at most 5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MustBe(threshold) => write!(f, "exactly {threshold}"),
            Self::MustNotBe(threshold) => write!(f, "anything but {threshold}"),
            Self::MustBeGreaterThan(threshold) => write!(f, "more than {threshold}"),
            Self::MustBeGreaterOrEqualTo(threshold) => write!(f, "at least {threshold}"),
            Self::MustBeLessThan(threshold) => write!(f, "less than {threshold}"),
            Self::MustBeLessOrEqualTo(threshold) => write!(f, "at most {threshold}"),
            Self::MustBeBetween(low, high) => write!(f, "more than {low} and less than {high}"),
            Self::MustNotBeBetween(low, high) => write!(f, "at most {low} or at least {high}"),
        }
    }
}

impl fmt::Display for QualityCheck {
    /// Writes the check in words, e.g. `the percentage of rows without a value is less than 1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.unit {
            Unit::Rows => "the number of rows",
            Unit::Percent => "the percentage of rows",
        })?;
        match &self.metric {
            Metric::NullValues => f.write_str(" without a value"),
            Metric::MissingValues { values } if values.is_empty() => f.write_str(" without a value"),
            Metric::MissingValues { values } => {
                write!(f, " without a value or with one of `{}`", values.join("`, `"))
            }
            Metric::InvalidValues { valid, pattern: None } => {
                write!(f, " with a value other than `{}`", valid.join("`, `"))
            }
            Metric::InvalidValues { valid, pattern: Some(pattern) } if valid.is_empty() => {
                write!(f, " with a value that does not match `{pattern}`")
            }
            Metric::InvalidValues { valid, pattern: Some(pattern) } => {
                write!(
                    f,
                    " with a value other than `{}`, or one that does not match `{pattern}`",
                    valid.join("`, `")
                )
            }
            Metric::DuplicateValues { .. } => f.write_str(" that repeat the values of an earlier row"),
            Metric::RowCount => Ok(()),
        }?;
        write!(f, " is {}", self.operator)
    }
}
