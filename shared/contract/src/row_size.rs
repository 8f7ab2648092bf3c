//! The sizes of rows and index entries, and the limits that PostgreSQL's pages impose on them.
//!
//! A row is stored in one page. If it is too long, PostgreSQL compresses texts, documents and numbers, or moves them
//! out of the row, but only those larger than `MAXALIGN(TOAST_POINTER_SIZE)`, which is 24 bytes
//! (`heap_toast_insert_or_update` in `heaptoast.c`). The sizes here are upper bounds of the result.

use crate::ddl;
use crate::model::{Column, SqlType};

/// A page of 8 KiB without its header and one line pointer: `MaxHeapTupleSize`.
pub const MAX_ROW_BYTES: usize = 8_160;
/// The largest entry of a B-tree index, a third of a page: `BTMaxItemSize`.
const MAX_INDEX_ENTRY_BYTES: usize = 2_704;
/// The bytes in the row of a value that was moved out: `TOAST_POINTER_SIZE`.
const TOAST_POINTER_BYTES: usize = 18;
/// The maximum size, with its header of one byte, of a value that stays in the row unchanged. With a header of four
/// bytes it has 24.
const INLINE_BYTES: usize = 21;
/// The maximum size, with its header of one byte, of a value that stays in the row if it is copied from another table.
const COPIED_BYTES: usize = 24;
/// The bytes in the row, with alignment, of a value that is too small to be moved out after compression.
const COMPRESSED_BYTES: usize = COPIED_BYTES + 3;
/// The header of a value of at most 126 bytes.
const SHORT_HEADER_BYTES: usize = 1;
const ROW_HEADER_BYTES: usize = 23;
const ALIGNMENT: usize = 8;
/// A text with this number of different bytes cannot be compressed to [`COPIED_BYTES`]: a compressed value has a header
/// of 8 bytes, each different byte at least once, and two bytes for each repetition.
const INCOMPRESSIBLE_LETTERS: usize = 13;

/// The sizes of the rows of a contract in PostgreSQL, in bytes.
#[derive(Debug, Clone)]
pub struct RowSize {
    columns: Vec<StorageKind>,
    source_bytes: usize,
    least: usize,
    most: usize,
}

/// The storage of the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StorageKind {
    Fixed { bytes: usize, alignment: usize },
    Text,
    Numeric,
    Document,
}

impl RowSize {
    /// Returns the sizes of rows with these columns, from a source with this name.
    pub fn of(columns: &[Column], source: &str) -> Self {
        let stored: Vec<StorageKind> =
            columns.iter().map(|column| StorageKind::of(&column.sql_type)).collect();
        let mut size = Self { columns: stored, source_bytes: source.len(), least: 0, most: 0 };
        let bounds: Vec<(usize, usize)> = columns.iter().map(bounds).collect();
        size.least = size.total(bounds.iter().map(|(least, _)| Some(*least)));
        size.most = size.total(bounds.iter().map(|(_, most)| Some(*most)));
        size
    }

    /// Returns the size of the shortest row with a value in each column.
    pub fn least(&self) -> usize {
        self.least
    }

    /// Returns an upper bound for the size of any row.
    pub fn most(&self) -> usize {
        self.most
    }

    /// Returns true if a row may not fit in a page.
    pub fn may_exceed_page(&self) -> bool {
        self.most > MAX_ROW_BYTES
    }

    /// Returns an upper bound for the size of a row. `value` returns the text of a column by its index, `None` for a
    /// missing value.
    pub fn bytes<T: AsRef<[u8]>>(&self, value: impl Fn(usize) -> Option<T>) -> usize {
        let columns = || self.columns.iter().enumerate();
        let coarse =
            columns().map(|(index, stored)| value(index).map(|text| stored.coarse(text.as_ref().len())));
        let bytes = self.total(coarse);
        if bytes <= MAX_ROW_BYTES {
            return bytes;
        }
        self.total(columns().map(|(index, stored)| value(index).map(|text| stored.fine(text.as_ref()))))
    }

    /// Adds up the sizes of values. Each value begins at a multiple of its alignment.
    fn total(&self, values: impl Iterator<Item = Option<usize>>) -> usize {
        let system = ddl::SYSTEM_COLUMNS.iter().map(|(_, sql_type)| {
            let stored = StorageKind::of(sql_type);
            // The name of the source is the only value without a fixed size.
            (stored.coarse(self.source_bytes), stored.alignment())
        });
        let count = self.columns.len().saturating_add(ddl::SYSTEM_COLUMNS.len());
        // The null bitmap has one bit for each column.
        let header = ROW_HEADER_BYTES.saturating_add(count.div_ceil(8)).next_multiple_of(ALIGNMENT);
        let values =
            self.columns.iter().zip(values).filter_map(|(stored, bytes)| Some((bytes?, stored.alignment())));
        let end = values
            .chain(system)
            .fold(header, |at, (bytes, alignment)| at.next_multiple_of(alignment).saturating_add(bytes));
        end.next_multiple_of(ALIGNMENT)
    }
}

impl StorageKind {
    fn of(sql_type: &SqlType) -> Self {
        let fixed = |bytes, alignment| Self::Fixed { bytes, alignment };
        match sql_type {
            SqlType::Boolean => fixed(1, 1),
            SqlType::Smallint => fixed(2, 2),
            SqlType::Integer | SqlType::Date => fixed(4, 4),
            SqlType::Bigint
            | SqlType::DoublePrecision
            | SqlType::Time
            | SqlType::Timestamp
            | SqlType::Timestamptz => fixed(8, 8),
            SqlType::Uuid => fixed(16, 1),
            SqlType::Text => Self::Text,
            SqlType::Jsonb => Self::Document,
            SqlType::Numeric(_) => Self::Numeric,
        }
    }

    fn alignment(self) -> usize {
        match self {
            Self::Fixed { alignment, .. } => alignment,
            Self::Text | Self::Numeric | Self::Document => 1,
        }
    }

    /// Returns an upper bound for a value from the length of its text.
    fn coarse(self, length: usize) -> usize {
        match self {
            Self::Fixed { bytes, .. } => bytes,
            Self::Text => text_bytes(length),
            Self::Numeric => numeric_bytes(length),
            Self::Document => document_bytes(length),
        }
    }

    /// Returns an upper bound for a value from its text.
    fn fine(self, text: &[u8]) -> usize {
        match self {
            Self::Text if text.len() >= INLINE_BYTES && has_many_letters(text) => {
                let whole = text.len().saturating_add(SHORT_HEADER_BYTES);
                if whole <= COPIED_BYTES { whole } else { TOAST_POINTER_BYTES }
            }
            Self::Fixed { .. } | Self::Text | Self::Numeric | Self::Document => self.coarse(text.len()),
        }
    }
}

/// Returns an upper bound for a text: its size, or what remains in the row after it was moved out or compressed.
fn text_bytes(length: usize) -> usize {
    let whole = length.saturating_add(SHORT_HEADER_BYTES);
    if whole <= INLINE_BYTES { whole } else { COMPRESSED_BYTES }
}

/// Returns an upper bound for a number: two bytes for four digits, and the point may split a group.
fn numeric_bytes(length: usize) -> usize {
    const SIGN_BYTES: usize = 2;
    let groups = length.saturating_add(6) / 4;
    let whole = groups.saturating_mul(2).saturating_add(SHORT_HEADER_BYTES).saturating_add(SIGN_BYTES);
    if whole <= INLINE_BYTES { whole } else { COMPRESSED_BYTES }
}

/// Returns an upper bound for a document. As `jsonb` it may be longer than its text.
fn document_bytes(length: usize) -> usize {
    if length <= EMPTY_DOCUMENT_LENGTH {
        EMPTY_DOCUMENT_BYTES
    } else if length <= ONE_ITEM_LENGTH {
        ONE_ITEM_BYTES
    } else {
        COMPRESSED_BYTES
    }
}

/// `{}`: a header of one byte, and the header of the container.
const EMPTY_DOCUMENT_LENGTH: usize = 2;
const EMPTY_DOCUMENT_BYTES: usize = 5;
/// `[12]`: also 4 bytes for the item and 8 for a number of up to four digits. A text of this length is too short for
/// two items or a member.
const ONE_ITEM_LENGTH: usize = 4;
const ONE_ITEM_BYTES: usize = 17;

fn has_many_letters(text: &[u8]) -> bool {
    let mut occurs = [false; 256];
    let mut count = 0_usize;
    for byte in text {
        if let Some(occurs) = occurs.get_mut(usize::from(*byte))
            && !std::mem::replace(occurs, true)
        {
            count = count.saturating_add(1);
            if count >= INCOMPRESSIBLE_LETTERS {
                return true;
            }
        }
    }
    false
}

/// Returns the minimum and the maximum size of the values of a column.
fn bounds(column: &Column) -> (usize, usize) {
    /// Hexadecimal digits cannot be compressed to less than half of their length.
    const PSEUDONYM: (usize, usize) = (TOAST_POINTER_BYTES, TOAST_POINTER_BYTES);
    const UTF_8_BYTES: usize = 4;
    let stored = StorageKind::of(&column.sql_type);
    if let Some(constant) = column.harmonise.constant.as_deref().filter(|_| !column.pseudonymise) {
        let bytes = stored.coarse(constant.len());
        return (bytes.min(TOAST_POINTER_BYTES), bytes);
    }
    match stored {
        StorageKind::Fixed { bytes, .. } => (bytes, bytes),
        StorageKind::Text if column.pseudonymise => PSEUDONYM,
        StorageKind::Text => {
            let rules = &column.rules;
            let length = |length: u64| usize::try_from(length).expect("usize has 64 bits");
            let allowed = || rules.allowed.iter().map(String::len);
            let least = allowed().min().unwrap_or(rules.min_length.map_or(1, length).max(1));
            let longest = rules.max_length.map(|most| length(most).saturating_mul(UTF_8_BYTES));
            let most = allowed().max().or(longest).map_or(COMPRESSED_BYTES, text_bytes);
            (text_bytes(least).min(TOAST_POINTER_BYTES), most)
        }
        StorageKind::Numeric => {
            // Digits, a sign and a point.
            let length = |precision: u16| usize::from(precision).saturating_add(2);
            let most = if let SqlType::Numeric(Some((precision, _))) = &column.sql_type {
                numeric_bytes(length(*precision))
            } else {
                COMPRESSED_BYTES
            };
            (numeric_bytes(0), most)
        }
        StorageKind::Document => (EMPTY_DOCUMENT_BYTES, COMPRESSED_BYTES),
    }
}

/// Returns the maximum of `penstock.maxKeyBytes`: the size of an index entry without the overhead of each column of the
/// key.
pub(crate) fn max_key_bytes(columns: usize) -> usize {
    const ENTRY_HEADER_BYTES: usize = 8;
    // The header of a text, and the difference for numbers that are longer in storage than as text.
    const COLUMN_BYTES: usize = 16;
    let overhead = columns.saturating_mul(COLUMN_BYTES).saturating_add(ENTRY_HEADER_BYTES);
    MAX_INDEX_ENTRY_BYTES.saturating_sub(overhead)
}
