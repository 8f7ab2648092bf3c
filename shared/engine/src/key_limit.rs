//! A limit on the bytes of a row's primary key: PostgreSQL keeps each key in an index entry, which fits a third of a page.

use penstock_contract::{Column, Contract, SqlType, WriteMode};

use crate::outcome::{Code, Reason};

/// The columns whose texts count, and how many bytes they may have together.
#[derive(Debug, Clone)]
pub(crate) struct KeyLimit {
    columns: Vec<usize>,
    max_bytes: usize,
}

impl KeyLimit {
    /// `None` where rows are not replaced by key, or no key can be too long.
    pub(crate) fn of(contract: &Contract) -> Option<Self> {
        if contract.load.mode != WriteMode::Upsert {
            return None;
        }
        let columns = contract.entity.key.clone();
        let max_bytes = contract.max_key_bytes as usize;
        let longest = columns.iter().map(|index| contract.entity.columns.get(*index).and_then(longest));
        let longest = longest.sum::<Option<usize>>();
        (longest.is_none_or(|longest| longest > max_bytes)).then_some(Self { columns, max_bytes })
    }

    /// No key of a shorter row is over the limit.
    #[inline]
    pub(crate) fn max_bytes(&self) -> usize {
        self.max_bytes
    }

    /// False when no key is over the limit. `longest` returns the bytes of a column's longest COPY text.
    pub(crate) fn may_be_exceeded(&self, longest: impl Fn(usize) -> usize) -> bool {
        let bytes = self.columns.iter().map(|column| longest(*column)).fold(0, usize::saturating_add);
        bytes > self.max_bytes
    }

    /// Whether the key is within the limit. `value` gives a column's COPY text.
    #[inline]
    pub(crate) fn fits<'a>(&self, value: impl Fn(usize) -> Option<&'a [u8]>) -> bool {
        let written = |column: &usize| value(*column).map_or(0, <[u8]>::len);
        let bytes = self.columns.iter().map(written).fold(0, usize::saturating_add);
        bytes <= self.max_bytes || self.bytes(value) <= self.max_bytes
    }

    /// The bytes of the key's values: COPY text has a backslash more for each character that it escapes.
    #[cold]
    fn bytes<'a>(&self, value: impl Fn(usize) -> Option<&'a [u8]>) -> usize {
        let plain = |column: &usize| {
            let mut bytes = value(*column).unwrap_or_default().iter();
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

    /// Why a row is refused whose key is over the limit.
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

/// The most bytes that the text of a column's value has; `None` where there is no limit.
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
