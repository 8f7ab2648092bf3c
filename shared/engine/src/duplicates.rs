//! Exact detection of the rows of a batch that repeat the key of another row, for any number of rows and in bounded
//! memory.
//!
//! Each accepted row has an entry of [`ENTRY_BYTES`] for each set of columns that should be unique. Entries are
//! partitioned by their hash. Beyond [`MEMORY_BYTES`] they are written to a [`Spill`], and at the end one partition at
//! a time is sorted. A batch of ten million keys needs 320 MB of disk and 2 MiB of memory, and for sorting a
//! sixty-fourth of the 320 MB.

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

/// Bytes of the entry of a row for a set of columns.
pub const ENTRY_BYTES: usize = 32;
/// Bytes of entries that are held in memory before they are spilled.
pub const MEMORY_BYTES: usize = 2 * 1024 * 1024;
/// The number of partitions of the entries.
pub const PARTITIONS: usize = 64;

/// The lower bits of [`KeyEntry::set_and_row`], which are the row number. The upper ones are the set.
const ROW_BITS: u32 = 56;

/// The entry of a row for a set of columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyEntry {
    /// The hash of the set and the values. The probability that two of a billion keys have the same 128 bits is below
    /// 10⁻²⁰.
    hash: u128,
    /// The event time in microseconds, or 0 if there is none.
    time: i64,
    /// The set and the row number.
    set_and_row: u64,
}

impl KeyEntry {
    /// Returns the entry of a row. `fields` are its values as COPY text, with one text for values that are equal in
    /// PostgreSQL.
    pub(crate) fn new<'a>(set: u8, fields: impl Iterator<Item = &'a [u8]>, time: i64, row: u64) -> Self {
        let mut hasher = SipHasher13::new();
        for field in fields {
            // The length before each field separates it from the others.
            hasher.write_u64(u64::from(set) << ROW_BITS | field.len() as u64);
            hasher.write(field);
        }
        debug_assert!(row >> ROW_BITS == 0, "a file has fewer than 2^56 rows");
        Self { hash: hasher.finish128().as_u128(), time, set_and_row: u64::from(set) << ROW_BITS | row }
    }

    fn set(self) -> usize {
        usize::try_from(self.set_and_row >> ROW_BITS).expect("a set has eight bits")
    }

    fn row(self) -> u64 {
        self.set_and_row & ((1 << ROW_BITS) - 1)
    }

    #[expect(clippy::arithmetic_side_effects, reason = "the divisor is a constant")]
    fn partition(self) -> usize {
        usize::try_from(self.hash % PARTITIONS as u128).expect("a remainder is below its divisor")
    }

    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let (hash, rest) = bytes.split_at_mut(16);
        let (time, set_and_row) = rest.split_at_mut(8);
        hash.copy_from_slice(&self.hash.to_le_bytes());
        time.copy_from_slice(&self.time.to_le_bytes());
        set_and_row.copy_from_slice(&self.set_and_row.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        const WHOLE: &str = "an entry has 32 bytes";
        let (hash, rest) = bytes.split_first_chunk::<16>().expect(WHOLE);
        let (time, rest) = rest.split_first_chunk::<8>().expect(WHOLE);
        let set_and_row = rest.first_chunk::<8>().expect(WHOLE);
        Self {
            hash: u128::from_le_bytes(*hash),
            time: i64::from_le_bytes(*time),
            set_and_row: u64::from_le_bytes(*set_and_row),
        }
    }
}

/// Storage for entries that exceed [`MEMORY_BYTES`], such as temporary files.
pub trait Spill {
    /// Appends bytes to a partition, which is less than [`PARTITIONS`].
    ///
    /// # Errors
    /// If the bytes cannot be stored.
    fn append(&mut self, partition: usize, bytes: &[u8]) -> io::Result<()>;

    /// Removes and returns all bytes of a partition.
    ///
    /// # Errors
    /// If they cannot be read.
    fn take(&mut self, partition: usize) -> io::Result<Vec<u8>>;
}

/// Collects the entries of a batch and detects duplicates.
#[derive(Debug)]
pub struct DuplicateFinder<S> {
    spill: S,
    /// The number of sets of columns.
    sets: usize,
    partitions: Vec<Vec<u8>>,
    /// The bytes in `partitions`.
    bytes: usize,
}

impl<S: Spill> DuplicateFinder<S> {
    /// Returns a finder without entries. `sets` is the number of sets of columns.
    pub(crate) fn new(spill: S, sets: usize) -> Self {
        Self { spill, sets, partitions: vec![Vec::new(); PARTITIONS], bytes: 0 }
    }

    /// Adds a block's entries.
    ///
    /// # Errors
    /// If entries cannot be spilled.
    pub fn add(&mut self, entries: &[KeyEntry]) -> io::Result<()> {
        for entry in entries {
            let partition =
                self.partitions.get_mut(entry.partition()).expect("a partition is below `PARTITIONS`");
            partition.extend_from_slice(&entry.to_bytes());
        }
        self.bytes = self.bytes.saturating_add(entries.len().saturating_mul(ENTRY_BYTES));
        if self.bytes < MEMORY_BYTES {
            return Ok(());
        }
        self.bytes = 0;
        for (index, partition) in self.partitions.iter_mut().enumerate() {
            self.spill.append(index, partition)?;
            partition.clear();
        }
        Ok(())
    }

    /// Returns the rows that repeat a key.
    ///
    /// # Errors
    /// If spilled entries cannot be read.
    ///
    /// # Panics
    /// If an entry is from another plan than the finder.
    pub fn finish(mut self) -> io::Result<Duplicates> {
        let mut duplicates = Duplicates { repeats: vec![0; self.sets], replaced: Vec::new() };
        for (index, partition) in self.partitions.iter().enumerate() {
            let mut bytes = self.spill.take(index)?;
            bytes.extend_from_slice(partition);
            let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
            if !rest.is_empty() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a spilled partition is truncated"));
            }
            let mut entries: Vec<KeyEntry> = entries.iter().map(KeyEntry::from_bytes).collect();
            drop(bytes);
            // The newest row of a key comes last, or the one with the last position if they are equally new.
            entries.sort_unstable();
            for (entry, next) in entries.iter().zip(entries.iter().skip(1)) {
                if entry.hash == next.hash {
                    duplicates.add(*entry);
                }
            }
        }
        Ok(duplicates)
    }
}

/// The rows of a batch that repeat a key. The default has no duplicates, for a batch without a [`DuplicateFinder`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Duplicates {
    /// For each set, the number of rows beyond the first of each key. Empty if no duplicates were searched for.
    repeats: Vec<u64>,
    /// Bit `n` of word `m` is set if row `64 m + n` has the primary key of a newer row.
    replaced: Vec<u64>,
}

impl Duplicates {
    fn add(&mut self, entry: KeyEntry) {
        let set = entry.set();
        let count = self.repeats.get_mut(set).expect("an entry is of one of the finder's sets");
        *count = count.saturating_add(1);
        if set == PRIMARY_KEY {
            let word = usize::try_from(entry.row() / 64).expect("a row number has 56 bits");
            if self.replaced.len() <= word {
                self.replaced.resize(word.saturating_add(1), 0);
            }
            *self.replaced.get_mut(word).expect("there is a bit for the row") |= 1 << (entry.row() % 64);
        }
    }

    /// Returns the number of rows of a set beyond the first of each key.
    pub(crate) fn repeats(&self, set: usize) -> u64 {
        if self.repeats.is_empty() {
            return 0;
        }
        *self.repeats.get(set).expect("there is a count for each set of the plan")
    }

    /// Returns true if a newer row of the batch has the same primary key: one with a later event time, or with the same
    /// one and a later position.
    pub fn is_replaced(&self, row: u64) -> bool {
        let word = usize::try_from(row / 64).ok().and_then(|word| self.replaced.get(word));
        word.is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Returns how many of the given rows are replaced.
    pub fn replaced_in(&self, rows: RangeInclusive<u64>) -> u64 {
        rows.filter(|row| self.is_replaced(*row)).count() as u64
    }

    /// Returns how many rows of the batch are replaced.
    pub fn replaced(&self) -> u64 {
        self.repeats(PRIMARY_KEY)
    }

    /// Returns COPY text without the rows that are replaced. The last field of each line must be the row number, as in
    /// [`crate::AcceptedRows`].
    ///
    /// # Panics
    /// If a line does not end with a row number.
    pub fn without_replaced(&self, copy_text: &[u8]) -> Vec<u8> {
        let mut remaining = Vec::with_capacity(copy_text.len());
        for line in copy_text.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_replaced(row_number(line).expect("the last field of a line is the row number")) {
                remaining.extend_from_slice(line);
            }
        }
        remaining
    }

    /// Returns Arrow columns without the rows that are replaced. The last column must be the row number, as in
    /// [`crate::AcceptedRows`].
    ///
    /// # Errors
    /// If the last column does not contain row numbers.
    pub fn batch_without_replaced(&self, batch: &RecordBatch) -> Result<RecordBatch, EncodeError> {
        let rows = batch.columns().last().and_then(|rows| rows.as_primitive_opt::<Int64Type>());
        let rows = rows.ok_or_else(|| ArrowError::SchemaError("no row numbers".to_owned()))?;
        let remains = |row: &i64| {
            let row = u64::try_from(*row);
            row.map(|row| !self.is_replaced(row))
                .map_err(|_| ArrowError::SchemaError("negative row number".to_owned()))
        };
        let remain = rows.values().iter().map(remains).collect::<Result<Vec<bool>, _>>()?;
        Ok(filter_record_batch(batch, &BooleanArray::from(remain))?)
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
        fn append(&mut self, partition: usize, bytes: &[u8]) -> io::Result<()> {
            self.0.entry(partition).or_default().extend_from_slice(bytes);
            Ok(())
        }

        fn take(&mut self, partition: usize) -> io::Result<Vec<u8>> {
            Ok(self.0.remove(&partition).unwrap_or_default())
        }
    }

    fn entry(set: u8, key: &str, time: i64, row: u64) -> KeyEntry {
        KeyEntry::new(set, std::iter::once(key.as_bytes()), time, row)
    }

    fn find(entries: &[KeyEntry]) -> Duplicates {
        let mut finder = DuplicateFinder::new(Memory::default(), 2);
        finder.add(entries).unwrap();
        finder.finish().unwrap()
    }

    #[test]
    fn the_newest_row_of_a_key_remains_or_the_last_of_equally_new_ones() {
        let found =
            find(&[entry(0, "a", 5, 1), entry(0, "a", 9, 2), entry(0, "a", 9, 3), entry(0, "b", 1, 4)]);
        assert_eq!((1..=4).map(|row| found.is_replaced(row)).collect::<Vec<_>>(), [true, true, false, false]);
        assert_eq!((found.replaced(), found.replaced_in(2..=4)), (2, 1));
        let remaining = found.without_replaced(b"a\t1\na\t2\na\t3\nb\t4\n");
        assert_eq!(remaining, b"a\t3\nb\t4\n");
    }

    #[test]
    fn sets_are_independent_and_only_the_primary_key_replaces_rows() {
        let found =
            find(&[entry(0, "a", 0, 1), entry(1, "a", 0, 1), entry(1, "a", 0, 2), entry(1, "a", 0, 3)]);
        assert_eq!((found.repeats(0), found.repeats(1)), (0, 2));
        assert!(!found.is_replaced(1) && !found.is_replaced(2));
    }

    #[test]
    fn fields_are_not_concatenated() {
        let pair = |one: &'static [u8], other: &'static [u8], row| {
            KeyEntry::new(0, [one, other].into_iter(), 0, row)
        };
        assert_eq!(find(&[pair(b"ab", b"c", 1), pair(b"a", b"bc", 2)]).replaced(), 0);
    }

    #[test]
    fn spilled_entries_count_like_those_in_memory() {
        let per_block = MEMORY_BYTES / ENTRY_BYTES / 2 + 1;
        let mut finder = DuplicateFinder::new(Memory::default(), 2);
        for block in 0..3_u64 {
            let keys =
                (0..per_block).map(|key| entry(0, &key.to_string(), 0, block * 1_000_000 + key as u64));
            finder.add(&keys.collect::<Vec<_>>()).unwrap();
        }
        assert!(!finder.spill.0.is_empty() && finder.bytes > 0, "some are spilled, some are not");
        let found = finder.finish().unwrap();
        assert_eq!(found.replaced(), 2 * per_block as u64);
        assert_eq!(found.replaced_in(2_000_000..=2_999_999), 0, "the rows of the last block remain");
    }

    proptest! {
        #[test]
        fn the_rows_that_remain_are_the_newest_of_their_keys(rows in prop::collection::vec((0u8..6, 0i64..4), 0..80)) {
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
