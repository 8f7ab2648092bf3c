//! Which rows of a batch repeat the key of another: exactly, for any number of rows, in bounded memory.
//!
//! Each accepted row leaves an entry of [`ENTRY_BYTES`] for each set of columns that should be unique. Entries are
//! parted by their hash; beyond [`MEMORY_BYTES`] they go to a [`Spill`], and in the end one part at a time is sorted.
//! So a batch of ten million keys takes 320 MB of disk, and of memory 2 MiB and then a sixty-fourth of that disk.

use std::hash::Hasher as _;
use std::io;
use std::ops::RangeInclusive;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{BooleanArray, RecordBatch};
use arrow_schema::ArrowError;
use arrow_select::filter::filter_record_batch;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use crate::error::EncodeError;

/// Bytes that a row takes for each set of columns.
pub const ENTRY_BYTES: usize = 32;
/// Entries beyond this are spilled.
pub const MEMORY_BYTES: usize = 2 * 1024 * 1024;
/// Into so many parts.
pub const PARTS: usize = 64;

/// The row number has the lower bits, the set the upper ones.
const ROW_BITS: u32 = 56;

/// What a row leaves behind of one set of its columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyEntry {
    /// Of the set and the values. Of 128 bits: that two of a billion keys share theirs is less likely than 10⁻²⁰.
    hash: u128,
    /// Event time, microseconds; 0 where there is none.
    time: i64,
    /// Set and row number.
    place: u64,
}

impl KeyEntry {
    /// `fields` are the values as COPY text has them, made one where PostgreSQL takes different texts for equal.
    pub(crate) fn new<'a>(set: u8, fields: impl Iterator<Item = &'a [u8]>, time: i64, row: u64) -> Self {
        let mut hasher = SipHasher13::new();
        for field in fields {
            // In one word, so that a field begins with the next one.
            hasher.write_u64(u64::from(set) << ROW_BITS | field.len() as u64);
            hasher.write(field);
        }
        let row = row & ((1 << ROW_BITS) - 1);
        Self { hash: hasher.finish128().as_u128(), time, place: u64::from(set) << ROW_BITS | row }
    }

    fn set(self) -> usize {
        usize::try_from(self.place >> ROW_BITS).unwrap_or(usize::MAX)
    }

    fn row(self) -> u64 {
        self.place & ((1 << ROW_BITS) - 1)
    }

    #[expect(clippy::arithmetic_side_effects, reason = "the divisor is a constant")]
    fn part(self) -> usize {
        usize::try_from(self.hash % PARTS as u128).unwrap_or_default()
    }

    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let (hash, rest) = bytes.split_at_mut(16);
        let (time, place) = rest.split_at_mut(8);
        hash.copy_from_slice(&self.hash.to_le_bytes());
        time.copy_from_slice(&self.time.to_le_bytes());
        place.copy_from_slice(&self.place.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Option<Self> {
        let (hash, rest) = bytes.split_first_chunk::<16>()?;
        let (time, rest) = rest.split_first_chunk::<8>()?;
        let place = rest.first_chunk::<8>()?;
        let (hash, time) = (u128::from_le_bytes(*hash), i64::from_le_bytes(*time));
        Some(Self { hash, time, place: u64::from_le_bytes(*place) })
    }
}

/// Where entries go that memory has no room for, such as temporary files.
pub trait Spill {
    /// Appends to a part, 0 to [`PARTS`].
    ///
    /// # Errors
    /// When there is no room.
    fn append(&mut self, part: usize, bytes: &[u8]) -> io::Result<()>;

    /// All that was appended to a part; nothing where nothing was.
    ///
    /// # Errors
    /// When it cannot be read.
    fn take(&mut self, part: usize) -> io::Result<Vec<u8>>;
}

/// Gathers the entries of a batch.
#[derive(Debug)]
pub struct DuplicateFinder<S> {
    spill: S,
    parts: Vec<Vec<u8>>,
    bytes: usize,
}

impl<S: Spill> DuplicateFinder<S> {
    /// Nothing yet.
    pub fn new(spill: S) -> Self {
        Self { spill, parts: vec![Vec::new(); PARTS], bytes: 0 }
    }

    /// Takes a block's entries.
    ///
    /// # Errors
    /// When the spill has no room.
    pub fn add(&mut self, entries: &[KeyEntry]) -> io::Result<()> {
        for entry in entries {
            if let Some(part) = self.parts.get_mut(entry.part()) {
                part.extend_from_slice(&entry.to_bytes());
            }
        }
        self.bytes = self.bytes.saturating_add(entries.len().saturating_mul(ENTRY_BYTES));
        if self.bytes < MEMORY_BYTES {
            return Ok(());
        }
        self.bytes = 0;
        for (index, part) in self.parts.iter_mut().enumerate() {
            self.spill.append(index, part)?;
            part.clear();
        }
        Ok(())
    }

    /// Looks for the rows that repeat a key.
    ///
    /// # Errors
    /// When the spill cannot be read.
    pub fn finish(mut self) -> io::Result<Duplicates> {
        let mut duplicates = Duplicates::default();
        for (index, part) in self.parts.iter().enumerate() {
            let mut bytes = self.spill.take(index)?;
            bytes.extend_from_slice(part);
            let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
            if !rest.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a spilled part is not whole"));
            }
            let mut entries: Vec<KeyEntry> = entries.iter().filter_map(KeyEntry::from_bytes).collect();
            drop(bytes);
            // Of one key the newest comes last, and of equally new ones the one that stands last.
            entries.sort_unstable();
            for (entry, next) in entries.iter().zip(entries.iter().skip(1)) {
                if entry.hash == next.hash {
                    duplicates.note(*entry);
                }
            }
        }
        Ok(duplicates)
    }
}

/// The rows of a batch that repeat a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// By set: rows beyond the first of each key.
    repeats: Vec<u64>,
    /// Bit `n` of word `m`: row `64 m + n` has the primary key of a newer one.
    replaced: Vec<u64>,
}

impl Duplicates {
    fn note(&mut self, entry: KeyEntry) {
        let set = entry.set();
        if self.repeats.len() <= set {
            self.repeats.resize(set.saturating_add(1), 0);
        }
        if let Some(count) = self.repeats.get_mut(set) {
            *count = count.saturating_add(1);
        }
        if set == PRIMARY_KEY {
            let word = usize::try_from(entry.row() / 64).unwrap_or(usize::MAX);
            if self.replaced.len() <= word {
                self.replaced.resize(word.saturating_add(1), 0);
            }
            if let Some(word) = self.replaced.get_mut(word) {
                *word |= 1 << (entry.row() % 64);
            }
        }
    }

    /// Rows of a set beyond the first of each key.
    pub(crate) fn repeats(&self, set: usize) -> u64 {
        self.repeats.get(set).copied().unwrap_or_default()
    }

    /// True when a newer row of the batch has the same primary key: later by event time, or as late and further on.
    pub fn is_replaced(&self, row: u64) -> bool {
        let word = usize::try_from(row / 64).ok().and_then(|word| self.replaced.get(word));
        word.is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// How many of these rows are replaced.
    pub fn replaced_in(&self, rows: RangeInclusive<u64>) -> u64 {
        rows.filter(|row| self.is_replaced(*row)).count() as u64
    }

    /// How many rows of the batch are replaced.
    pub fn replaced(&self) -> u64 {
        self.repeats(PRIMARY_KEY)
    }

    /// COPY text without the rows that are replaced. The row number is the last field of each line.
    pub fn without_replaced(&self, copy_text: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(copy_text.len());
        for line in copy_text.split_inclusive(|byte| *byte == b'\n') {
            if !row_number(line).is_some_and(|row| self.is_replaced(row)) {
                kept.extend_from_slice(line);
            }
        }
        kept
    }

    /// Arrow columns without the rows that are replaced. The row number is the last column.
    ///
    /// # Errors
    /// When the batch is none of [`crate::AcceptedRows`].
    pub fn batch_without_replaced(&self, batch: &RecordBatch) -> Result<RecordBatch, EncodeError> {
        let rows = batch.columns().last().and_then(|rows| rows.as_primitive_opt::<Int64Type>());
        let rows = rows.ok_or_else(|| ArrowError::SchemaError("no row numbers".to_owned()))?;
        let is_kept = |row: &i64| !self.is_replaced(u64::try_from(*row).unwrap_or(u64::MAX));
        let is_kept: BooleanArray = rows.values().iter().map(|row| Some(is_kept(row))).collect();
        Ok(filter_record_batch(batch, &is_kept)?)
    }
}

/// The set of the primary key's columns.
pub(crate) const PRIMARY_KEY: usize = 0;

fn row_number(line: &[u8]) -> Option<u64> {
    let digits = line.strip_suffix(b"\n")?.rsplit(|byte| *byte == b'\t').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Memory(HashMap<usize, Vec<u8>>);

    impl Spill for Memory {
        fn append(&mut self, part: usize, bytes: &[u8]) -> io::Result<()> {
            self.0.entry(part).or_default().extend_from_slice(bytes);
            Ok(())
        }

        fn take(&mut self, part: usize) -> io::Result<Vec<u8>> {
            Ok(self.0.remove(&part).unwrap_or_default())
        }
    }

    fn entry(set: u8, key: &str, time: i64, row: u64) -> KeyEntry {
        KeyEntry::new(set, std::iter::once(key.as_bytes()), time, row)
    }

    fn find(entries: &[KeyEntry]) -> Duplicates {
        let mut finder = DuplicateFinder::new(Memory::default());
        finder.add(entries).unwrap();
        finder.finish().unwrap()
    }

    #[test]
    fn the_newest_row_of_a_key_stays_and_of_equally_new_ones_the_last() {
        let found =
            find(&[entry(0, "a", 5, 1), entry(0, "a", 9, 2), entry(0, "a", 9, 3), entry(0, "b", 1, 4)]);
        assert_eq!((1..=4).map(|row| found.is_replaced(row)).collect::<Vec<_>>(), [true, true, false, false]);
        assert_eq!((found.replaced(), found.replaced_in(2..=4)), (2, 1));
        let left = found.without_replaced(b"a\t1\na\t2\na\t3\nb\t4\n");
        assert_eq!(left, b"a\t3\nb\t4\n");
    }

    #[test]
    fn sets_do_not_meet_and_only_the_primary_key_replaces() {
        let found =
            find(&[entry(0, "a", 0, 1), entry(1, "a", 0, 1), entry(1, "a", 0, 2), entry(1, "a", 0, 3)]);
        assert_eq!((found.repeats(0), found.repeats(1)), (0, 2));
        assert!(!found.is_replaced(1) && !found.is_replaced(2));
    }

    #[test]
    fn fields_are_not_joined() {
        let pair = |one: &'static [u8], other: &'static [u8], row| {
            KeyEntry::new(0, [one, other].into_iter(), 0, row)
        };
        assert_eq!(find(&[pair(b"ab", b"c", 1), pair(b"a", b"bc", 2)]).replaced(), 0);
    }

    #[test]
    fn what_was_spilled_counts_as_what_was_not() {
        let per_block = MEMORY_BYTES / ENTRY_BYTES / 2 + 1;
        let mut finder = DuplicateFinder::new(Memory::default());
        for block in 0..3_u64 {
            let keys =
                (0..per_block).map(|key| entry(0, &key.to_string(), 0, block * 1_000_000 + key as u64));
            finder.add(&keys.collect::<Vec<_>>()).unwrap();
        }
        assert!(!finder.spill.0.is_empty() && finder.bytes > 0, "some are spilled, some are not");
        let found = finder.finish().unwrap();
        assert_eq!(found.replaced(), 2 * per_block as u64);
        assert_eq!(found.replaced_in(2_000_000..=2_999_999), 0, "the last block stays");
    }

    proptest! {
        #[test]
        fn what_is_replaced_is_what_a_map_says(rows in prop::collection::vec((0u8..6, 0i64..4), 0..80)) {
            let mut newest: HashMap<u8, (i64, u64)> = HashMap::new();
            let mut entries = Vec::new();
            for ((key, time), row) in rows.iter().zip(1..) {
                entries.push(entry(0, &key.to_string(), *time, row));
                let best = newest.entry(*key).or_insert((*time, row));
                *best = (*best).max((*time, row));
            }
            let found = find(&entries);
            for ((key, _), row) in rows.iter().zip(1..) {
                prop_assert_eq!(found.is_replaced(row), newest[key].1 != row);
            }
        }
    }
}
