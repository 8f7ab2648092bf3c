//! The limit of the size of a row's primary key. PostgreSQL stores it in an index entry, which must fit a third of a
//! page.

use penstock_contract::{Column, Contract, SqlType, WriteMode};

use crate::outcome::{Code, Reason};

/// The columns of the primary key, and the most bytes that their values may have in total.
#[derive(Debug, Clone)]
pub(crate) struct KeyLimit {
    columns: Vec<usize>,
    max_bytes: usize,
}

impl KeyLimit {
    /// Returns `None` if rows are not replaced by key, or if no key can be too long.
    pub(crate) fn of(contract: &Contract) -> Option<Self> {
        if contract.load.mode != WriteMode::Upsert {
            return None;
        }
        let columns = contract.entity.key.clone();
        let max_bytes = contract.max_key_bytes as usize;
        let column = |index: &usize| contract.entity.columns.get(*index).expect("a key consists of columns");
        let longest = columns.iter().map(|index| longest(column(index)));
        let longest = longest.sum::<Option<usize>>();
        (longest.is_none_or(|longest| longest > max_bytes)).then_some(Self { columns, max_bytes })
    }

    /// Returns the limit. No key of a row with at most as many bytes exceeds it.
    #[inline]
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// Returns false if no key exceeds the limit. `longest` returns the length of a column's longest COPY text.
    pub(crate) fn may_be_exceeded(&self, longest: impl Fn(usize) -> usize) -> bool {
        let bytes = self.columns.iter().map(|column| longest(*column)).fold(0, usize::saturating_add);
        bytes > self.max_bytes
    }

    /// Returns true if the key is within the limit. `value` returns a column's COPY text.
    #[inline]
    pub(crate) fn fits<'a>(&self, value: impl Fn(usize) -> Option<&'a [u8]>) -> bool {
        let written = |column: &usize| value(*column).expect(HAS_TEXT).len();
        let bytes = self.columns.iter().map(written).fold(0, usize::saturating_add);
        bytes <= self.max_bytes || self.bytes(value) <= self.max_bytes
    }

    /// Returns the size of the key's values. COPY text has an additional backslash for each escaped character.
    #[cold]
    fn bytes<'a>(&self, value: impl Fn(usize) -> Option<&'a [u8]>) -> usize {
        let plain = |column: &usize| {
            let mut bytes = value(*column).expect(HAS_TEXT).iter();
            let mut count = 0_usize;
            while let Some(byte) = bytes.next() {
                if *byte == b'\\' {
                    bytes.next();
                }
                count = count.saturating_add(1);
            }
            count
        };
        self.columns.iter().map(plain).fold(0, usize::saturating_add)
    }

    /// Returns the reason to reject a row whose key exceeds the limit.
    #[cold]
    pub(crate) fn reason<'a>(&self, value: impl Fn(usize) -> Option<&'a [u8]>) -> Reason {
        Reason {
            code: Code::TooLong,
            column: None,
            rule: format!("a primary key of at most {} bytes", self.max_bytes).into(),
            found: Some(format!("{} bytes", self.bytes(value))),
        }
    }
}

/// The COPY text of a missing value is `\N`.
const HAS_TEXT: &str = "each column of a row has a COPY text";

/// Returns the most bytes of the text of a column's values, or `None` if there is no limit.
fn longest(column: &Column) -> Option<usize> {
    const UTF_8_BYTES: u64 = 4;
    const HMAC_DIGITS: usize = 64;
    if column.pseudonymise {
        return Some(HMAC_DIGITS);
    }
    if let Some(constant) = &column.harmonise.constant {
        return Some(constant.len());
    }
    match &column.sql_type {
        SqlType::Text => {
            let bytes = column.rules.max_length?.checked_mul(UTF_8_BYTES)?;
            usize::try_from(bytes).ok()
        }
        // A sign and a point.
        SqlType::Numeric(Some((precision, _))) => Some(usize::from(*precision).saturating_add(3)),
        SqlType::Smallint | SqlType::Integer | SqlType::Bigint => Some(20),
        SqlType::DoublePrecision
        | SqlType::Timestamp
        | SqlType::Timestamptz
        | SqlType::Date
        | SqlType::Time => Some(40),
        SqlType::Boolean => Some(1),
        SqlType::Uuid => Some(36),
        SqlType::Numeric(None) | SqlType::Jsonb => None,
    }
}
