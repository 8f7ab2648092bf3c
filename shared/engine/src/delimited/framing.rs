//! The rules by which a stream of bytes is split into records.

use super::quoting::Quoting;
use super::scan::Marks;

/// The rules by which a stream of bytes is split into records.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Framing<'a> {
    /// One record per line.
    Lines,
    /// The elements of a JSON array that has been entered.
    Elements,
    /// Records of delimited fields. A quoted field may contain line ends.
    Delimited {
        delimiter: u8,
        quoting: Option<Quoting>,
        /// The bytes that the fast path looks for; `None` if the dialect needs the slow path.
        marks: Option<Marks>,
    },
    /// Records of fields with a delimiter of several bytes.
    DelimitedByMany(&'a [u8], Option<Quoting>),
}

impl Framing<'_> {
    /// Returns the quoting of the fields, if records have fields and fields may be quoted.
    #[inline]
    pub(crate) fn quoting(self) -> Option<Quoting> {
        match self {
            Self::Delimited { quoting, .. } | Self::DelimitedByMany(_, quoting) => quoting,
            Self::Lines | Self::Elements => None,
        }
    }
}
