//! The limits of the sizes of a row, which PostgreSQL stores in one page, and of its key.

use penstock_contract::Contract;
use penstock_contract::row_size::{MAX_ROW_BYTES, RowSize};

use crate::copy;
use crate::key_limit::KeyLimit;
use crate::outcome::{Code, Reason};

/// The limits of the sizes of a contract's rows.
#[derive(Debug, Clone)]
pub(crate) struct SizeLimits {
    key: Option<KeyLimit>,
    row: Option<RowSize>,
}

impl SizeLimits {
    /// Returns `None` if each row that satisfies the contract fits.
    pub(crate) fn of(contract: &Contract) -> Option<Self> {
        let size = RowSize::of(&contract.entity.columns, &contract.source);
        let limits = Self { key: KeyLimit::of(contract), row: size.may_exceed_page().then_some(size) };
        (limits.key.is_some() || limits.row.is_some()).then_some(limits)
    }

    /// Returns true if the row is within the limits. `copy_bytes` is at least the length of its COPY text, and `value`
    /// returns a column's COPY text.
    #[inline]
    pub(crate) fn fit<'a>(&self, copy_bytes: usize, value: impl Fn(usize) -> Option<&'a [u8]>) -> bool {
        let has_key_that_fits = |limit: &KeyLimit| copy_bytes <= limit.max_bytes() || limit.fits(&value);
        self.key.as_ref().is_none_or(has_key_that_fits)
            && self.row.as_ref().is_none_or(|size| row_bytes(size, &value) <= MAX_ROW_BYTES)
    }

    /// Returns false if no row exceeds a limit. `longest` returns the length of a column's longest COPY text.
    pub(crate) fn may_be_exceeded(&self, longest: impl Fn(usize) -> usize) -> bool {
        self.row.is_some() || self.key.as_ref().is_some_and(|limit| limit.may_be_exceeded(longest))
    }

    /// Returns the reason to reject a row that exceeds a limit.
    #[cold]
    pub(crate) fn reason<'a>(&self, value: impl Fn(usize) -> Option<&'a [u8]>) -> Option<Reason> {
        if let Some(limit) = self.key.as_ref().filter(|limit| !limit.fits(&value)) {
            return Some(limit.reason(value));
        }
        let bytes = row_bytes(self.row.as_ref()?, value);
        Some(Reason {
            code: Code::TooLong,
            column: None,
            rule: format!("a row of at most {MAX_ROW_BYTES} bytes, which is what fits a page of PostgreSQL")
                .into(),
            found: Some(format!("{bytes} bytes")),
        })
    }
}

/// Returns the size of a row in PostgreSQL. `value` returns a column's COPY text.
#[inline(never)]
fn row_bytes<'a>(size: &RowSize, value: impl Fn(usize) -> Option<&'a [u8]>) -> usize {
    size.bytes(|column| value(column).filter(|text| *text != copy::NULL).map(copy::unescaped))
}
