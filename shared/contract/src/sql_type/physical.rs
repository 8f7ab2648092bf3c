//! The parsed form of a `physicalType`.

use crate::model::{Harmonise, SqlType};

/// A physical type, with the length of `varchar(n)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhysicalType {
    pub(crate) sql: SqlType,
    pub(crate) max_length: Option<u64>,
    /// Whether the document is an array.
    pub(crate) is_array: bool,
    /// The spelling of booleans, if the type stores booleans in a system without a boolean type.
    pub(crate) flag: Option<BooleanEncoding>,
    /// Whether the type lists its values, as in `enum('a','b')`.
    pub(crate) lists_values: bool,
}

impl PhysicalType {
    /// Returns the physical type of a PostgreSQL type, without any limits.
    pub(crate) fn of(sql: SqlType) -> Self {
        Self { sql, max_length: None, is_array: false, flag: None, lists_values: false }
    }
}

/// The spelling of booleans in a system without a boolean type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BooleanEncoding {
    /// As `1` and `0`.
    Digit,
    /// As one character: `1` and `0`, or `Y` and `N`.
    Character,
}

impl BooleanEncoding {
    /// Adds the spellings of true and false, except those to which the contract gives another meaning.
    pub(crate) fn add_spellings(self, harmonise: &mut Harmonise) {
        let (trues, falses): (&[&str], &[&str]) = match self {
            Self::Digit => (&["1"], &["0"]),
            Self::Character => (&["1", "Y"], &["0", "N"]),
        };
        let Harmonise { true_values, false_values, null_values, .. } = harmonise;
        let is_free = |spelling: &str, lists: [&Vec<String>; 3]| {
            !lists.iter().any(|list| list.iter().any(|known| known.eq_ignore_ascii_case(spelling)))
        };
        for (spellings, is_true) in [(trues, true), (falses, false)] {
            for spelling in spellings {
                if is_free(spelling, [true_values, false_values, null_values]) {
                    let list = if is_true { &mut *true_values } else { &mut *false_values };
                    list.push((*spelling).to_owned());
                }
            }
        }
    }
}
