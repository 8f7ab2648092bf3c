//! Limits on the bytes of a row, which PostgreSQL keeps in one page, and of its key.

use penstock_contract::Contract;
use penstock_contract::row_size::{MAX_ROW_BYTES, RowSize};

use crate::copy;
use crate::key_limit::KeyLimit;
use crate::outcome::{Code, Reason};

/// What the rows of a contract must fit.
#[derive(Debug, Clone)]
pub(crate) struct SizeLimits {
    key: Option<KeyLimit>,
    row: Option<RowSize>,
}

impl SizeLimits {
    /// `None` where every row that satisfies the contract fits.
    pub(crate) fn of(contract: &Contract) -> Option<Self> {
        let size = RowSize::of(&contract.entity.columns, &contract.source);
        let limits = Self { key: KeyLimit::of(contract), row: size.may_exceed_page().then_some(size) };
        (limits.key.is_some() || limits.row.is_some()).then_some(limits)
    }

    /// Whether the row is within the limits. `copy_bytes` is the length of its COPY text, or more, and `value` gives that of a column.
    #[inline]
    pub(crate) fn fit<'a>(&self, copy_bytes: usize, value: impl Fn(usize) -> Option<&'a [u8]>) -> bool {
        let has_key_that_fits = |limit: &KeyLimit| copy_bytes <= limit.max_bytes() || limit.fits(&value);
        self.key.as_ref().is_none_or(has_key_that_fits)
            && self.row.as_ref().is_none_or(|size| row_bytes(size, &value) <= MAX_ROW_BYTES)
    }

    /// False when no row is over a limit. `longest` returns the bytes of a column's longest COPY text.
    pub(crate) fn may_be_exceeded(&self, longest: impl Fn(usize) -> usize) -> bool {
        self.row.is_some() || self.key.as_ref().is_some_and(|limit| limit.may_be_exceeded(longest))
    }

    /// Why a row is refused that is over a limit.
    #[cold]
    pub(crate) fn reason<'a>(&self, value: impl Fn(usize) -> Option<&'a [u8]>) -> Option<Reason> {
        if let Some(limit) = self.key.as_ref().filter(|limit| !limit.fits(&value)) {
            return Some(limit.reason(value));
        }
        let bytes = row_bytes(self.row.as_ref()?, value);
        Some(Reason {
            code: Code::TooLong,
            column: None,
            rule: format!("a row of at most {MAX_ROW_BYTES} bytes, as a page of PostgreSQL holds").into(),
            found: Some(format!("{bytes} bytes")),
        })
    }
}

/// The bytes that PostgreSQL stores of a row, given its COPY text.
#[inline(never)]
fn row_bytes<'a>(size: &RowSize, value: impl Fn(usize) -> Option<&'a [u8]>) -> usize {
    size.bytes(|column| value(column).filter(|text| *text != copy::NULL).map(copy::unescaped))
}
