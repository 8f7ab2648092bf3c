//! The decoded size of texts in the encodings DELTA_LENGTH_BYTE_ARRAY and DELTA_BYTE_ARRAY, which store the differences
//! of the lengths, and the length of the prefix that each text shares with the previous one.
//!
//! The `parquet` crate allocates memory according to the number of lengths inside such a page, and copies each prefix,
//! whose length is encoded in a few bits. Both are summed up first, without allocating memory.
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>

use parquet::basic::Encoding;
use parquet::column::page::Page;
use parquet::schema::types::ColumnDescriptor;

/// Largest decoded size of a page. Writers end pages at about 1 MiB.
pub(super) const MAX_PAGE_BYTES: u64 = 128 * 1024 * 1024;
/// Size of one length in the decoder's memory.
const LENGTH_BYTES: u64 = 4;
/// The number of values of a block is a multiple of this.
const BLOCK_VALUES: u64 = 128;
/// The number of values of a miniblock is a multiple of this.
const MINIBLOCK_VALUES: u64 = 32;
/// Largest bit width: lengths are 32-bit numbers.
const MAX_WIDTH: u8 = 32;
/// Longest encoding of a 64-bit number.
const MAX_VARINT_BYTES: usize = 10;

pub(super) fn is_delta(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY)
}

/// Returns the memory that decoding a decompressed page requires, in addition to the page itself. Counting stops above
/// [`MAX_PAGE_BYTES`].
///
/// # Errors
/// Returns the reason, as a predicate of "a page", if the page is invalid.
pub(super) fn expanded(page: &Page, column: &ColumnDescriptor) -> Result<u64, String> {
    if !is_delta(page.encoding()) {
        return Ok(0);
    }
    let values = u64::from(page.num_values());
    let section = values_of(page, column).ok_or("is too short for its levels")?;
    let is_prefixed = page.encoding() == Encoding::DELTA_BYTE_ARRAY;
    let invalid = || "has invalid lengths".to_owned();
    let mut lengths = Lengths::new(section).ok_or_else(invalid)?;
    let first_count = lengths.remaining;
    let too_many = |count: u64| format!("has {count} lengths for {values} values");
    if first_count > values {
        return Err(too_many(first_count));
    }
    let room = first_count.saturating_mul(LENGTH_BYTES);
    if !is_prefixed || room > MAX_PAGE_BYTES {
        return Ok(room);
    }
    let mut prefixes = Lengths::new(section).ok_or_else(invalid)?;
    while lengths.remaining > 0 {
        lengths.next().ok_or_else(invalid)?;
    }
    let mut suffixes = lengths.after().and_then(Lengths::new).ok_or_else(invalid)?;
    if suffixes.remaining > values {
        return Err(too_many(suffixes.remaining));
    }
    if suffixes.remaining != first_count {
        return Err(format!("has {first_count} prefixes and {} suffixes", suffixes.remaining));
    }
    let mut expanded = room.saturating_mul(2);
    let mut length = 0_u64;
    while suffixes.remaining > 0 && expanded <= MAX_PAGE_BYTES {
        let prefix = prefixes.next().ok_or_else(invalid)?;
        let suffix = suffixes.next().ok_or_else(invalid)?;
        // A prefix is no longer than the previous text.
        length = length.min(prefix).saturating_add(suffix);
        expanded = expanded.saturating_add(length);
    }
    Ok(expanded)
}

/// Returns the bytes of the values, which follow the levels.
fn values_of<'p>(page: &'p Page, column: &ColumnDescriptor) -> Option<&'p [u8]> {
    match page {
        Page::DataPage { buf, num_values, def_level_encoding, rep_level_encoding, .. } => {
            let levels = [
                (column.max_rep_level(), *rep_level_encoding),
                (column.max_def_level(), *def_level_encoding),
            ];
            let mut rest = &buf[..];
            for (max_level, encoding) in levels {
                if max_level > 0 {
                    rest = rest.get(level_bytes(rest, max_level, encoding, *num_values)?..)?;
                }
            }
            Some(rest)
        }
        Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
            let levels = def_levels_byte_len.checked_add(*rep_levels_byte_len)?;
            buf.get(usize::try_from(levels).ok()?..)
        }
        Page::DictionaryPage { .. } => None,
    }
}

/// Returns the size of the levels at the beginning of a page of version 1.
fn level_bytes(bytes: &[u8], max_level: i16, encoding: Encoding, values: u32) -> Option<usize> {
    if encoding == Encoding::RLE {
        let length = u32::from_le_bytes(*bytes.first_chunk::<4>()?);
        return usize::try_from(length).ok()?.checked_add(4);
    }
    // The deprecated encoding has no length. Each level has the number of bits that the largest level needs.
    let width = 16_u32.saturating_sub(max_level.leading_zeros());
    usize::try_from(u64::from(values).checked_mul(u64::from(width))?.div_ceil(8)).ok()
}

/// A decoder of lengths in the encoding DELTA_BINARY_PACKED.
struct Lengths<'a> {
    bytes: &'a [u8],
    /// The offset of the next block.
    next_block: usize,
    /// The number of lengths that have not been decoded.
    remaining: u64,
    first: Option<i64>,
    miniblocks: usize,
    miniblock_values: u64,
    /// The bit widths of the remaining miniblocks of the current block.
    widths: &'a [u8],
    /// The bit width of the current miniblock.
    width: u8,
    /// The bit offset of the next number.
    bits: u64,
    /// The number of values of the current miniblock that have not been decoded.
    miniblock_remaining: u64,
    min_delta: i64,
    last: i64,
}

impl<'a> Lengths<'a> {
    /// Reads the header; returns `None` if it is truncated or invalid.
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut at = 0_usize;
        let block_values = varint(bytes, &mut at)?;
        let miniblocks = varint(bytes, &mut at)?;
        let remaining = varint(bytes, &mut at)?;
        let first = zigzag(varint(bytes, &mut at)?);
        let miniblock_values = block_values.checked_div(miniblocks)?;
        let is_valid = block_values.is_multiple_of(BLOCK_VALUES)
            && block_values.is_multiple_of(miniblocks)
            && miniblock_values.is_multiple_of(MINIBLOCK_VALUES)
            && miniblock_values > 0;
        is_valid.then_some(Self {
            bytes,
            next_block: at,
            remaining,
            first: Some(first),
            miniblocks: usize::try_from(miniblocks).ok()?,
            miniblock_values,
            widths: &[],
            width: 0,
            bits: 0,
            miniblock_remaining: 0,
            min_delta: 0,
            last: 0,
        })
    }

    /// Returns the next length; `None` if the bytes are truncated or the number is negative.
    fn next(&mut self) -> Option<u64> {
        let number = match self.first.take() {
            Some(first) => first,
            None => {
                if self.miniblock_remaining == 0 {
                    self.next_miniblock()?;
                }
                let delta = self.next_packed()?;
                self.miniblock_remaining = self.miniblock_remaining.checked_sub(1)?;
                self.last.wrapping_add(self.min_delta).wrapping_add(delta)
            }
        };
        self.remaining = self.remaining.checked_sub(1)?;
        // Wraps around like a 32-bit number.
        let number = i32::from_le_bytes(*number.to_le_bytes().first_chunk::<4>()?);
        self.last = i64::from(number);
        u64::try_from(number).ok()
    }

    /// Returns the bytes after the lengths, once all have been decoded.
    fn after(&self) -> Option<&'a [u8]> {
        self.bytes.get(self.next_block..)
    }

    fn next_miniblock(&mut self) -> Option<()> {
        if self.widths.is_empty() {
            self.begin_block()?;
        }
        let (width, widths) = self.widths.split_first()?;
        self.widths = widths;
        if *width > MAX_WIDTH {
            return None;
        }
        self.width = *width;
        self.bits = (self.next_block as u64).checked_mul(8)?;
        let bytes = self.miniblock_values.checked_mul(u64::from(*width))?.checked_div(8)?;
        self.next_block = self.next_block.checked_add(usize::try_from(bytes).ok()?)?;
        self.miniblock_remaining = self.miniblock_values;
        Some(())
    }

    fn begin_block(&mut self) -> Option<()> {
        let mut at = self.next_block;
        self.min_delta = zigzag(varint(self.bytes, &mut at)?);
        let end = at.checked_add(self.miniblocks)?;
        self.widths = self.bytes.get(at..end)?;
        self.next_block = end;
        Some(())
    }

    /// Returns the next number of the miniblock.
    fn next_packed(&mut self) -> Option<i64> {
        if self.width == 0 {
            return Some(0);
        }
        let at = usize::try_from(self.bits.checked_div(8)?).ok()?;
        let shift = u32::try_from(self.bits.checked_rem(8)?).ok()?;
        let end = at.checked_add(8)?;
        let word = match self.bytes.get(at..end).and_then(|bytes| bytes.first_chunk::<8>()) {
            Some(word) => u64::from_le_bytes(*word),
            None => {
                let rest = self.bytes.get(at..)?;
                let mut word = [0; 8];
                word.iter_mut().zip(rest).for_each(|(byte, value)| *byte = *value);
                u64::from_le_bytes(word)
            }
        };
        self.bits = self.bits.checked_add(u64::from(self.width))?;
        if self.bits > (self.bytes.len() as u64).checked_mul(8)? {
            return None;
        }
        // At most 32 bits after at most 7 others: they are within the word.
        let mask = (1_u64 << self.width).wrapping_sub(1);
        i64::try_from(word.checked_shr(shift)? & mask).ok()
    }
}

fn varint(bytes: &[u8], at: &mut usize) -> Option<u64> {
    let mut number = 0_u64;
    for index in 0..MAX_VARINT_BYTES {
        let byte = bytes.get(*at)?;
        *at = at.checked_add(1)?;
        let shift = u32::try_from(index).ok()?.checked_mul(7)?;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn zigzag(number: u64) -> i64 {
    let half = (number >> 1).cast_signed();
    if number & 1 == 0 { half } else { !half }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Type as Physical;
    use parquet::schema::types::{ColumnPath, Type};

    use super::*;

    /// Returns the decoded size of a page of required texts. It begins with a header that declares blocks of 128 values
    /// in four miniblocks.
    fn page(encoding: Encoding, values: u32, rest: &[u8]) -> Result<u64, String> {
        let text = Type::primitive_type_builder("v", Physical::BYTE_ARRAY).build().map(Arc::new);
        let Ok(text) = text else { return Err("no type".to_owned()) };
        let column = ColumnDescriptor::new(text, 0, 0, ColumnPath::from("v"));
        let page = Page::DataPage {
            buf: [&[0x80, 1, 4], rest].concat().into(),
            num_values: values,
            encoding,
            def_level_encoding: Encoding::RLE,
            rep_level_encoding: Encoding::RLE,
            statistics: None,
        };
        expanded(&page, &column)
    }

    #[test]
    fn lengths_are_counted_before_memory_is_allocated() {
        const LENGTHS: Encoding = Encoding::DELTA_LENGTH_BYTE_ARRAY;
        const PREFIXES: Encoding = Encoding::DELTA_BYTE_ARRAY;
        // As many as the page header declares, but more than the limit.
        let many = [0xff, 0xff, 0xff, 0xff, 7, 0];
        for (encoding, values, rest, expected) in [
            (LENGTHS, 3, &[3, 0][..], Ok(12)),
            (LENGTHS, 2, &[3, 0], Err("has 3 lengths for 2 values")),
            (LENGTHS, u32::MAX, &many, Ok(0x7fff_ffff * 4)),
            (PREFIXES, u32::MAX, &many, Ok(0x7fff_ffff * 4)),
            (LENGTHS, 3, &[3], Err("has invalid lengths")),
            (LENGTHS, 3, &[0xff; 12], Err("has invalid lengths")),
            // An empty prefix and a suffix of four bytes: four bytes for the text, eight for its lengths.
            (PREFIXES, 1, &[1, 0, 0x80, 1, 4, 1, 8], Ok(12)),
            (PREFIXES, 1, &[1, 0, 0x80, 1, 4, 0, 0], Err("has 1 prefixes and 0 suffixes")),
            (PREFIXES, 1, &[1, 0, 0x80, 1, 4, 2, 0], Err("has 2 lengths for 1 values")),
            (PREFIXES, 1, &[1, 1, 0x80, 1, 4, 1, 8], Err("has invalid lengths")),
            (Encoding::PLAIN, 1, &[], Ok(0)),
        ] {
            assert_eq!(page(encoding, values, rest), expected.map_err(str::to_owned), "{encoding} {rest:?}");
        }
    }
}
