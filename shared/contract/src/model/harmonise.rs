//! How a column's texts are written: letter case, signs, percentages.

use serde::Serialize;

/// Letter case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Case {
    /// `ABC`
    Upper,
    /// `abc`
    Lower,
}

/// How a text marks a number as negative.
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
    /// Any one of the three.
    Any,
}

impl NegativeStyle {
    /// Every style, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Leading, Self::Trailing, Self::Parentheses, Self::Any];

    /// The value of `penstock.negative`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Leading => "leading",
            Self::Trailing => "trailing",
            Self::Parentheses => "parentheses",
            Self::Any => "any",
        }
    }
}

/// The number that `7%` becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PercentStyle {
    /// 7
    Points,
    /// 0.07
    Fraction,
}

impl PercentStyle {
    /// Every style, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Points, Self::Fraction];

    /// The value of `penstock.percent`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Points => "points",
            Self::Fraction => "fraction",
        }
    }
}
