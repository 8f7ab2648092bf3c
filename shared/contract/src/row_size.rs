//! What fits PostgreSQL's pages: a row, and the index entry of its key.

use crate::ddl;
use crate::model::{Column, SqlType};

/// A page of 8 KiB without its header and one line pointer: `MaxHeapTupleSize`.
pub(crate) const MAX_ROW_BYTES: usize = 8_160;
/// The largest entry of a B-tree index, a third of a page: `BTMaxItemSize`.
const MAX_INDEX_ENTRY_BYTES: usize = 2_704;
/// A value that does not fit is stored elsewhere, and this is what the row has of it: `TOAST_POINTER_SIZE`.
const TOAST_POINTER_BYTES: usize = 18;
const ROW_HEADER_BYTES: usize = 23;
const ALIGNMENT: usize = 8;

/// The bytes of a row with a value in every column, the longer ones of which are stored elsewhere.
pub(crate) fn full_row_bytes(columns: &[Column]) -> usize {
    let system = ddl::SYSTEM_COLUMNS.iter().map(|(_, sql_type)| match *sql_type {
        "uuid" => (16, 1),
        "smallint" => (2, 2),
        "text" => (TOAST_POINTER_BYTES, 1),
        // `bigint`, `timestamptz`
        _ => (8, 8),
    });
    let count = columns.len().saturating_add(ddl::SYSTEM_COLUMNS.len());
    // A bit for each column says whether it is null.
    let header = ROW_HEADER_BYTES.saturating_add(count.div_ceil(8)).next_multiple_of(ALIGNMENT);
    let sizes = columns.iter().map(|column| width(&column.sql_type)).chain(system);
    sizes.fold(header, |at, (bytes, alignment)| at.next_multiple_of(alignment).saturating_add(bytes))
}

/// The most that `penstock.maxKeyBytes` may be: what an index entry holds beside what each column of the key costs.
pub(crate) fn max_key_bytes(columns: usize) -> usize {
    const ENTRY_HEADER_BYTES: usize = 8;
    // The header of a text, and a number that is shorter as text than as it is stored.
    const COLUMN_BYTES: usize = 16;
    let overhead = columns.saturating_mul(COLUMN_BYTES).saturating_add(ENTRY_HEADER_BYTES);
    MAX_INDEX_ENTRY_BYTES.saturating_sub(overhead)
}

/// Least bytes of a value that is there, and what its place is a multiple of.
fn width(sql_type: &SqlType) -> (usize, usize) {
    match sql_type {
        SqlType::Boolean => (1, 1),
        SqlType::Smallint => (2, 2),
        SqlType::Integer | SqlType::Date => (4, 4),
        SqlType::Bigint
        | SqlType::DoublePrecision
        | SqlType::Time
        | SqlType::Timestamp
        | SqlType::Timestamptz => (8, 8),
        SqlType::Uuid => (16, 1),
        SqlType::Text | SqlType::Jsonb | SqlType::Numeric(None) => (TOAST_POINTER_BYTES, 1),
        SqlType::Numeric(Some((precision, _))) => (numeric_bytes(*precision), 1),
    }
}

/// Four digits take two bytes; one group more where the point divides one, and three bytes of headers.
fn numeric_bytes(precision: u16) -> usize {
    let groups = usize::from(precision).div_ceil(4).saturating_add(1);
    groups.saturating_mul(2).saturating_add(3).min(TOAST_POINTER_BYTES)
}
