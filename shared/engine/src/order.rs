//! Sorting of a chunk's rows by key, with one row for each key. The database would need several times as long for it,
//! and the writers would have to wait.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use memchr::memchr;
use penstock_contract::{Contract, SqlType, WriteMode};

/// The columns of a contract that determine the order of rows.
#[derive(Debug, Clone)]
pub(crate) struct KeyOrder {
    key: Vec<(usize, KeyType)>,
    event_time: Option<usize>,
    /// One more than the index of the last column that is needed.
    columns: usize,
}

/// The comparison of a key column's texts that has the same result as PostgreSQL's comparison of its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyType {
    /// By bytes, for text with collation C, dates and UUIDs.
    Bytes,
    /// By value, for whole numbers.
    Integer,
}

/// The counts of a chunk's rows after they were sorted by key, with one row for each key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ordered {
    /// Rows that remain.
    pub rows: u32,
    /// Rows that were removed because another row with the same key has a later event time, or the same one and a later
    /// position.
    pub deduplicated: u32,
}

impl KeyOrder {
    /// Returns `None` if rows are not replaced by key, or if a key column's type is not supported here.
    pub(crate) fn of(contract: &Contract) -> Option<Self> {
        if contract.load.mode != WriteMode::Upsert || contract.entity.key.is_empty() {
            return None;
        }
        let key = (contract.entity.key.iter())
            .map(|index| Some((*index, key_type(&contract.entity.columns.get(*index)?.sql_type)?)))
            .collect::<Option<Vec<_>>>()?;
        let event_time = contract.load.event_time;
        let last = key.iter().map(|(index, _)| *index).chain(event_time).max()?;
        Some(Self { key, event_time, columns: last.saturating_add(1) })
    }

    /// Writes a chunk to `ordered`, sorted by key. Returns `None` if the order of a value cannot be determined from its
    /// text, such as one with an escape. The database then sorts the chunk.
    pub(crate) fn order(&self, copy_text: &[u8], ordered: &mut Vec<u8>) -> Option<Ordered> {
        let mut rows = self.rows(copy_text)?;
        let common = common_prefix(&rows);
        for row in &mut rows {
            row.head = head(row.key.get(common..).expect("each key has the common prefix"));
        }
        rows.sort_unstable_by(|a, b| {
            a.head.cmp(&b.head).then_with(|| a.key.cmp(&b.key)).then_with(|| a.newest_last(b))
        });
        ordered.clear();
        ordered.reserve(copy_text.len());
        let mut remaining = 0u32;
        for (at, row) in rows.iter().enumerate() {
            let next = rows.get(at.saturating_add(1));
            if next.is_some_and(|next| next.head == row.head && next.key == row.key) {
                continue;
            }
            ordered.extend_from_slice(copy_text.get(row.line.clone())?);
            remaining = remaining.checked_add(1)?;
        }
        let all = u32::try_from(rows.len()).ok()?;
        Some(Ordered { rows: remaining, deduplicated: all.checked_sub(remaining)? })
    }

    /// Returns the rows with their keys, in the order of the text.
    #[expect(clippy::arithmetic_side_effects, reason = "the positions are within a text in memory")]
    fn rows<'a>(&self, copy_text: &'a [u8]) -> Option<Vec<OrderedRow<'a>>> {
        let mut rows = Vec::with_capacity(copy_text.len() / 128);
        let mut spans = vec![0..0; self.columns];
        let mut start = 0;
        while let Some(rest) = copy_text.get(start..).filter(|rest| !rest.is_empty()) {
            let mut from = 0;
            for span in &mut spans {
                let at = from + memchr(b'\t', rest.get(from..)?)?;
                *span = from..at;
                from = at + 1;
            }
            let end = from + memchr(b'\n', rest.get(from..)?)? + 1;
            let field = |index: usize| rest.get(spans.get(index)?.clone());
            let event_time = match self.event_time {
                None => &[][..],
                Some(index) => field(index).filter(|text| is_common_era(text))?,
            };
            rows.push(OrderedRow {
                head: 0,
                key: self.key(rest, &spans)?,
                event_time,
                line: start..start + end,
            });
            start += end;
        }
        Some(rows)
    }

    /// Returns a row's key as bytes whose order is that of the keys.
    fn key<'a>(&self, row: &'a [u8], spans: &[Range<usize>]) -> Option<Cow<'a, [u8]>> {
        if let [(index, KeyType::Bytes)] = self.key.as_slice() {
            return plain(row.get(spans.get(*index)?.clone())?).map(Cow::Borrowed);
        }
        let mut key = Vec::with_capacity(32);
        for (index, key_type) in &self.key {
            let field = plain(row.get(spans.get(*index)?.clone())?)?;
            match key_type {
                KeyType::Bytes => {
                    key.extend_from_slice(field);
                    // NUL is less than each character of the text, so that `a` comes before `ab`.
                    key.push(0);
                }
                KeyType::Integer => {
                    let value: i64 = std::str::from_utf8(field).ok()?.parse().ok()?;
                    // With the sign bit flipped, the order of the bytes is that of the numbers.
                    key.extend_from_slice(&(value ^ i64::MIN).to_be_bytes());
                }
            }
        }
        Some(Cow::Owned(key))
    }
}

struct OrderedRow<'a> {
    /// The first eight bytes of the key after the prefix that all keys of the chunk have in common. Most comparisons
    /// need no more.
    head: u64,
    key: Cow<'a, [u8]>,
    event_time: &'a [u8],
    line: Range<usize>,
}

impl OrderedRow<'_> {
    /// Compares rows of the same key by event time, then by position.
    fn newest_last(&self, other: &Self) -> Ordering {
        (self.event_time.cmp(other.event_time)).then_with(|| self.line.start.cmp(&other.line.start))
    }
}

fn key_type(sql_type: &SqlType) -> Option<KeyType> {
    match sql_type {
        SqlType::Text | SqlType::Uuid | SqlType::Date => Some(KeyType::Bytes),
        SqlType::Smallint | SqlType::Integer | SqlType::Bigint => Some(KeyType::Integer),
        SqlType::Numeric(_)
        | SqlType::DoublePrecision
        | SqlType::Boolean
        | SqlType::Time
        | SqlType::Timestamp
        | SqlType::Timestamptz
        | SqlType::Jsonb => None,
    }
}

/// Returns the field unless it is null or contains an escape.
fn plain(field: &[u8]) -> Option<&[u8]> {
    memchr(b'\\', field).is_none().then_some(field)
}

/// Returns true for `YYYY-MM-DD…`, which can be compared by bytes, unlike years of five digits and years BC.
fn is_common_era(text: &[u8]) -> bool {
    text.get(4) == Some(&b'-') && text.first().is_some_and(u8::is_ascii_digit) && !text.ends_with(b"C")
}

fn common_prefix(rows: &[OrderedRow<'_>]) -> usize {
    let Some((first, rest)) = rows.split_first() else { return 0 };
    rest.iter().fold(first.key.len(), |length, row| {
        let same = first.key.iter().zip(row.key.iter()).take(length).take_while(|(a, b)| a == b).count();
        same.min(length)
    })
}

/// Returns the first eight bytes as a number with the same order. A shorter text is padded with zeros.
fn head(text: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    for (byte, source) in bytes.iter_mut().zip(text) {
        *byte = *source;
    }
    u64::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn by_text() -> KeyOrder {
        KeyOrder { key: vec![(0, KeyType::Bytes)], event_time: Some(1), columns: 2 }
    }

    fn order(order: &KeyOrder, text: &[u8]) -> Option<(Vec<u8>, Ordered)> {
        let mut ordered = b"from the last chunk".to_vec();
        let counts = order.order(text, &mut ordered)?;
        Some((ordered, counts))
    }

    #[test]
    fn the_newest_row_of_a_key_remains_or_the_last_of_equally_new_ones() {
        let text = b"b\t2026-01-02\tone\t1\na\t2026-01-01\ttwo\t2\nb\t2026-01-02\tthree\t3\nb\t2026-01-01\tfour\t4\n";
        let (remaining, ordered) = order(&by_text(), text).unwrap();
        assert_eq!(remaining, b"a\t2026-01-01\ttwo\t2\nb\t2026-01-02\tthree\t3\n");
        assert_eq!((ordered.rows, ordered.deduplicated), (2, 2));
    }

    #[test]
    fn a_fraction_of_a_second_is_later_than_none() {
        let text = b"a\t2026-01-01 10:00:00.5+00\t1\na\t2026-01-01 10:00:00+00\t2\n";
        assert_eq!(order(&by_text(), text).unwrap().0, b"a\t2026-01-01 10:00:00.5+00\t1\n");
    }

    #[test]
    fn whole_numbers_are_ordered_by_value() {
        let by_number = KeyOrder { key: vec![(0, KeyType::Integer)], event_time: None, columns: 1 };
        let (remaining, _) = order(&by_number, b"10\t1\n9\t2\n-3\t3\n-20\t4\n").unwrap();
        assert_eq!(remaining, b"-20\t4\n-3\t3\n9\t2\n10\t1\n");
    }

    #[test]
    fn a_key_of_two_columns_is_ordered_column_by_column() {
        let by_pair =
            KeyOrder { key: vec![(1, KeyType::Bytes), (0, KeyType::Bytes)], event_time: None, columns: 2 };
        let (remaining, _) = order(&by_pair, b"b\tx\t1\na\tx y\t2\na\tx\t3\n").unwrap();
        assert_eq!(remaining, b"a\tx\t3\nb\tx\t1\na\tx y\t2\n");
    }

    #[test]
    fn texts_that_do_not_determine_the_order_are_not_sorted() {
        assert_eq!(order(&by_text(), b"a\\tb\t2026-01-01\t1\n"), None);
        assert_eq!(order(&by_text(), b"a\t12026-01-01\t1\n"), None);
        assert_eq!(order(&by_text(), b"a\t0044-03-15 BC\t1\n"), None);
    }

    proptest! {
        #[test]
        fn the_rows_that_remain_are_those_of_a_sorted_map(
            rows in prop::collection::vec(("SKU-[a-c]{0,12}", 1u8..4), 0..60)
        ) {
            let mut text = String::new();
            let mut newest: BTreeMap<String, (u8, usize)> = BTreeMap::new();
            for (number, (key, day)) in rows.iter().enumerate() {
                text.push_str(&format!("{key}\t2026-01-0{day}\t{number}\n"));
                let row = newest.entry(key.clone()).or_insert((*day, number));
                if *day >= row.0 {
                    *row = (*day, number);
                }
            }
            let expected: String =
                newest.iter().map(|(key, (day, number))| format!("{key}\t2026-01-0{day}\t{number}\n")).collect();
            let (remaining, ordered) = order(&by_text(), text.as_bytes()).unwrap();
            prop_assert_eq!(String::from_utf8(remaining).unwrap(), expected);
            prop_assert_eq!(ordered.rows as usize, newest.len());
            prop_assert_eq!(ordered.deduplicated as usize, rows.len() - newest.len());
        }
    }
}
