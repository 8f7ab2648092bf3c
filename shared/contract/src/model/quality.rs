//! What a batch as a whole must satisfy, and when it does.

use std::cmp::Ordering;
use std::fmt;

use serde::Serialize;

/// One quality check of the contract that counts over the whole batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QualityCheck {
    /// Where it stands in the contract, e.g. `schema[0].properties[2].quality[0]`. Names it where it has no `name`.
    pub path: String,
    /// ODCS `name`.
    pub name: Option<String>,
    /// ODCS `severity`, e.g. `warning`.
    pub severity: Option<String>,
    /// What is counted.
    pub metric: Metric,
    /// Index into the entity's columns; `None` for a check of the schema.
    pub column: Option<usize>,
    /// What the count must be.
    pub operator: Operator,
    /// Whether the count is compared as it is, or in percent of the batch's rows.
    pub unit: Unit,
}

/// A quality check of the contract that Penstock does not execute: one of type `sql`, `text` or `custom`, or by a rule of
/// another tool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SkippedCheck {
    /// Its position in the contract, e.g. `schema[0].properties[2].quality[0]`. Names it where it has no `name`.
    pub path: String,
    /// ODCS `name`.
    pub name: Option<String>,
    /// Why it is not executed: `sql`, `text`, `custom` with its engine, or `rule` with the rule's name.
    pub kind: String,
}

/// What a check counts, over the values after harmonising.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase", tag = "metric")]
pub enum Metric {
    /// Rows without a value.
    NullValues,
    /// Rows without a value, or with one of these.
    MissingValues {
        /// Further spellings of a missing value.
        values: Vec<String>,
    },
    /// Rows with a value that is not one of these, or that the pattern does not match. Missing values are none.
    InvalidValues {
        /// The values that are valid; any when empty.
        valid: Vec<String>,
        /// A regular expression that must match somewhere in the value.
        pattern: Option<String>,
    },
    /// Rows whose values in these columns an earlier row has: the rows beyond the first of each combination.
    /// Rows in which one of the values is missing are not counted.
    DuplicateValues {
        /// Indexes into the entity's columns, in the order of the contract's list.
        columns: Vec<usize>,
    },
    /// All rows.
    RowCount,
}

/// What a count must be; each operator as ODCS v3.1 defines it.
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
    /// Above the first and below the second: the standard defines it by `mustBeGreaterThan` and `mustBeLessThan`.
    MustBeBetween(Threshold, Threshold),
    /// Whatever `MustBeBetween` is not.
    MustNotBeBetween(Threshold, Threshold),
}

/// What a count is compared as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A number of rows.
    #[default]
    Rows,
    /// Percent of the batch's rows. An empty batch has 0 percent of anything.
    Percent,
}

/// An exact decimal: at most 18 digits, at most 9 of them after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct Threshold {
    /// The number times ten to the power of `scale`; of at most 18 digits.
    digits: i64,
    /// 0 to 9.
    scale: u32,
}

impl QualityCheck {
    /// Whether a batch that fails the check is refused. With the severity `warning` or `info` it is only reported.
    pub fn refuses(&self) -> bool {
        let severity = self.severity.as_deref().map(str::to_ascii_lowercase);
        !matches!(severity.as_deref(), Some("warning" | "info"))
    }

    /// True when the check holds for a batch of `rows` rows of which it counts `count`. Exact: percentages are
    /// compared without being rounded.
    pub fn holds(&self, count: u64, rows: u64) -> bool {
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
    /// True when whatever `stricter` allows is allowed by this.
    pub(crate) fn allows_all_of(&self, stricter: &Self) -> bool {
        let allowed = self.intervals();
        stricter.intervals().iter().all(|inner| allowed.iter().any(|outer| outer.contains(inner)))
    }

    /// The counts that it allows.
    fn intervals(&self) -> Vec<Counts> {
        let from_zero = (Threshold { digits: 0, scale: 0 }, true);
        let counts = |low, high| Counts { low, high };
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

/// The counts from `low` to `high`, each with whether it is one of them; all from `low` on without a `high`.
struct Counts {
    low: (Threshold, bool),
    high: Option<(Threshold, bool)>,
}

impl Counts {
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
    const MAX_DIGITS: usize = 18;
    const MAX_SCALE: usize = 9;

    /// Reads the digits before and after the point. `None` when there are too many of them.
    pub(crate) fn new(negative: bool, whole: &str, fraction: &str) -> Option<Self> {
        if whole.len().checked_add(fraction.len())? > Self::MAX_DIGITS || fraction.len() > Self::MAX_SCALE {
            return None;
        }
        let digits: i64 = format!("0{whole}{fraction}").parse().ok()?;
        let scale = u32::try_from(fraction.len()).ok()?;
        Some(Self { digits: if negative { digits.checked_neg()? } else { digits }, scale })
    }

    fn compare_with(&self, other: &Self) -> Ordering {
        let one = i128::from(self.digits).saturating_mul(10_i128.pow(other.scale));
        one.cmp(&i128::from(other.digits).saturating_mul(10_i128.pow(self.scale)))
    }

    /// How this stands to a whole number.
    pub(crate) fn compare_whole(&self, whole: i64) -> Ordering {
        i128::from(self.digits).cmp(&i128::from(whole).saturating_mul(10_i128.pow(self.scale)))
    }

    /// True for a number without a fraction.
    pub(crate) fn is_whole(&self) -> bool {
        i128::from(self.digits).checked_rem(10_i128.pow(self.scale)) == Some(0)
    }

    /// The product with `factor`, rounded up. `None` below zero and above what 64 bits hold.
    pub(crate) fn times(&self, factor: u64) -> Option<u64> {
        let product = u128::try_from(self.digits).ok()?.saturating_mul(u128::from(factor));
        u64::try_from(product.div_ceil(10_u128.pow(self.scale))).ok()
    }

    /// How the count, in its unit, stands to this.
    fn compare(&self, count: u64, rows: u64, unit: Unit) -> Ordering {
        let ten_to_scale = 10_i128.pow(self.scale);
        let digits = i128::from(self.digits);
        // No product exceeds 2^64 · 10^18 in magnitude, which is below 2^124.
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
    /// The metric as ODCS names it.
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
    /// In words, e.g. `at most 5`.
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
    /// In words, e.g. `the percentage of rows without a value is less than 1`.
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
                write!(f, " with another value than `{}`", valid.join("`, `"))
            }
            Metric::InvalidValues { valid, pattern: Some(pattern) } if valid.is_empty() => {
                write!(f, " with a value that does not match `{pattern}`")
            }
            Metric::InvalidValues { valid, pattern: Some(pattern) } => {
                write!(
                    f,
                    " with another value than `{}`, or one that does not match `{pattern}`",
                    valid.join("`, `")
                )
            }
            Metric::DuplicateValues { .. } => f.write_str(" that repeat the values of an earlier row"),
            Metric::RowCount => Ok(()),
        }?;
        write!(f, " is {}", self.operator)
    }
}
