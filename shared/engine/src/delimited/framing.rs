//! How a stream of bytes is cut into records.

use super::quoting::Quoting;
use super::scan::Marks;

/// How records are told apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Framing<'a> {
    /// One record a line.
    Lines,
    /// The elements of an array that has been entered.
    Elements,
    /// Delimited fields, which may be quoted and then hold line ends.
    Delimited {
        delimiter: u8,
        quoting: Option<Quoting>,
        /// What nearly every record is found by; `None` where that is not enough.
        marks: Option<Marks>,
    },
    /// The same with a delimiter of several bytes.
    DelimitedByMany(&'a [u8], Option<Quoting>),
}

impl Framing<'_> {
    /// How fields are quoted, where there are fields.
    #[inline]
    pub(crate) fn quoting(self) -> Option<Quoting> {
        match self {
            Self::Delimited { quoting, .. } | Self::DelimitedByMany(_, quoting) => quoting,
            Self::Lines | Self::Elements => None,
        }
    }
}
