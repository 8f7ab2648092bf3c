//! Spellings of the texts of a column: letter case, signs, percentages.

use serde::Serialize;

/// Letter case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Case {
    /// `ABC`
    Upper,
    /// `abc`
    Lower,
}

/// The spelling of negative numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NegativeStyle {
    /// `-12`
    #[default]
    Leading,
    /// `12-`
    Trailing,
    /// `(12)`
    Parentheses,
    /// Any of the three.
    Any,
}

impl NegativeStyle {
    /// Every style, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Leading, Self::Trailing, Self::Parentheses, Self::Any];

    /// Returns the value of `penstock.negative`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leading => "leading",
            Self::Trailing => "trailing",
            Self::Parentheses => "parentheses",
            Self::Any => "any",
        }
    }
}

/// The conversion of a percentage such as `7%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PercentStyle {
    /// To 7.
    Points,
    /// To 0.07.
    Fraction,
}

impl PercentStyle {
    /// Every style, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Points, Self::Fraction];

    /// Returns the value of `penstock.percent`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Points => "points",
            Self::Fraction => "fraction",
        }
    }
}
