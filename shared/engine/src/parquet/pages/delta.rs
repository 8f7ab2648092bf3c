//! Texts that are packed by their lengths' differences, and by the prefix that each shares with the one before.
//!
//! The `parquet` crate makes room by the number of lengths that stands inside such a page, and copies each text as often
//! as a prefix of a few bits says so. Both are counted first, without room for any of it.
//! <https://parquet.apache.org/docs/file-format/data-pages/encodings/>

use parquet::basic::Encoding;
use parquet::column::page::Page;
use parquet::schema::types::ColumnDescriptor;

/// Of one page. Writers end them at about a mebibyte.
pub(super) const MAX_PAGE_BYTES: u64 = 128 * 1024 * 1024;
/// Of one length in the decoder's memory.
const LENGTH_BYTES: u64 = 4;
/// A block has a multiple of so many values, a miniblock of so many.
const BLOCK_VALUES: u64 = 128;
const MINIBLOCK_VALUES: u64 = 32;
/// Lengths are numbers of 32 bits.
const MAX_WIDTH: u8 = 32;
/// Of a number of 64 bits.
const MAX_VARINT_BYTES: usize = 10;

pub(super) fn is_delta(encoding: Encoding) -> bool {
    matches!(encoding, Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY)
}

/// The bytes that a decompressed page takes when it is decoded, beyond its own. More than [`MAX_PAGE_BYTES`] are not
/// counted.
///
/// # Errors
/// What is wrong with it.
pub(super) fn expanded(page: &Page, column: &ColumnDescriptor) -> Result<u64, String> {
    if !is_delta(page.encoding()) {
        return Ok(0);
    }
    let values = u64::from(page.num_values());
    let section = values_of(page, column).ok_or("lacks the bytes of its levels")?;
    let is_prefixed = page.encoding() == Encoding::DELTA_BYTE_ARRAY;
    let broken = || "has lengths that cannot be read".to_owned();
    let mut lengths = Lengths::new(section).ok_or_else(broken)?;
    let first_count = lengths.left;
    let too_many = |count: u64| format!("has {count} lengths for {values} values");
    if first_count > values {
        return Err(too_many(first_count));
    }
    let room = first_count.saturating_mul(LENGTH_BYTES);
    if !is_prefixed || room > MAX_PAGE_BYTES {
        return Ok(room);
    }
    let mut prefixes = Lengths::new(section).ok_or_else(broken)?;
    while lengths.left > 0 {
        lengths.next().ok_or_else(broken)?;
    }
    let mut suffixes = lengths.after().and_then(Lengths::new).ok_or_else(broken)?;
    if suffixes.left > values {
        return Err(too_many(suffixes.left));
    }
    if suffixes.left != first_count {
        return Err(format!("has {first_count} prefixes and {} suffixes", suffixes.left));
    }
    let mut expanded = room.saturating_mul(2);
    let mut length = 0_u64;
    while suffixes.left > 0 && expanded <= MAX_PAGE_BYTES {
        let prefix = prefixes.next().ok_or_else(broken)?;
        let suffix = suffixes.next().ok_or_else(broken)?;
        // A prefix is of no more than there was.
        length = length.min(prefix).saturating_add(suffix);
        expanded = expanded.saturating_add(length);
    }
    Ok(expanded)
}

/// The bytes of the values, after those of the levels.
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

/// The bytes that the levels take which a page of the first version begins with.
fn level_bytes(bytes: &[u8], max_level: i16, encoding: Encoding, values: u32) -> Option<usize> {
    if encoding == Encoding::RLE {
        let length = u32::from_le_bytes(*bytes.first_chunk::<4>()?);
        return usize::try_from(length).ok()?.checked_add(4);
    }
    // The older encoding has no length: each level has as many bits as the largest needs.
    let width = 16_u32.saturating_sub(max_level.leading_zeros());
    usize::try_from(u64::from(values).checked_mul(u64::from(width))?.div_ceil(8)).ok()
}

/// Numbers of DELTA_BINARY_PACKED, one after the other.
struct Lengths<'a> {
    bytes: &'a [u8],
    /// Of the bytes: where the next block begins.
    next_block: usize,
    /// Numbers that were not read yet.
    left: u64,
    first: Option<i64>,
    miniblocks: usize,
    miniblock_values: u64,
    /// The bits of a number in each miniblock of the block that were not begun yet.
    widths: &'a [u8],
    /// Of the miniblock at hand: the bits of a number, the bits before the next one, and numbers that were not read.
    width: u8,
    bits: u64,
    miniblock_left: u64,
    min_delta: i64,
    last: i64,
}

impl<'a> Lengths<'a> {
    /// `None`: the header breaks off, or is none.
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut at = 0_usize;
        let block_values = varint(bytes, &mut at)?;
        let miniblocks = varint(bytes, &mut at)?;
        let left = varint(bytes, &mut at)?;
        let first = zigzag(varint(bytes, &mut at)?);
        let miniblock_values = block_values.checked_div(miniblocks)?;
        let is_whole = block_values.is_multiple_of(BLOCK_VALUES)
            && block_values.is_multiple_of(miniblocks)
            && miniblock_values.is_multiple_of(MINIBLOCK_VALUES)
            && miniblock_values > 0;
        is_whole.then_some(Self {
            bytes,
            next_block: at,
            left,
            first: Some(first),
            miniblocks: usize::try_from(miniblocks).ok()?,
            miniblock_values,
            widths: &[],
            width: 0,
            bits: 0,
            miniblock_left: 0,
            min_delta: 0,
            last: 0,
        })
    }

    /// `None`: the bytes break off, or what they give is no length.
    fn next(&mut self) -> Option<u64> {
        let number = match self.first.take() {
            Some(first) => first,
            None => {
                if self.miniblock_left == 0 {
                    self.next_miniblock()?;
                }
                let delta = self.packed()?;
                self.miniblock_left = self.miniblock_left.checked_sub(1)?;
                self.last.wrapping_add(self.min_delta).wrapping_add(delta)
            }
        };
        self.left = self.left.checked_sub(1)?;
        // It wraps around as a number of 32 bits does.
        let number = i32::from_le_bytes(*number.to_le_bytes().first_chunk::<4>()?);
        self.last = i64::from(number);
        u64::try_from(number).ok()
    }

    /// The bytes after these numbers, once all were read.
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
        self.miniblock_left = self.miniblock_values;
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

    /// The next number of the miniblock.
    fn packed(&mut self) -> Option<i64> {
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
                word.iter_mut().zip(rest).for_each(|(byte, found)| *byte = *found);
                u64::from_le_bytes(word)
            }
        };
        self.bits = self.bits.checked_add(u64::from(self.width))?;
        if self.bits > (self.bytes.len() as u64).checked_mul(8)? {
            return None;
        }
        // At most 32 bits after at most 7: they are in the word.
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
    let half = i64::try_from(number >> 1).unwrap_or(i64::MAX);
    if number & 1 == 0 { half } else { !half }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Type as Physical;
    use parquet::schema::types::{ColumnPath, Type};

    use super::*;

    /// A page of required texts, which begins with the header of a block of 128 in four miniblocks.
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
    fn lengths_are_counted_before_there_is_room_for_them() {
        const LENGTHS: Encoding = Encoding::DELTA_LENGTH_BYTE_ARRAY;
        const PREFIXES: Encoding = Encoding::DELTA_BYTE_ARRAY;
        // As many as the header of the page says, but more than there is room for.
        let many = [0xff, 0xff, 0xff, 0xff, 7, 0];
        for (encoding, values, rest, expected) in [
            (LENGTHS, 3, &[3, 0][..], Ok(12)),
            (LENGTHS, 2, &[3, 0], Err("has 3 lengths for 2 values")),
            (LENGTHS, u32::MAX, &many, Ok(0x7fff_ffff * 4)),
            (PREFIXES, u32::MAX, &many, Ok(0x7fff_ffff * 4)),
            (LENGTHS, 3, &[3], Err("has lengths that cannot be read")),
            (LENGTHS, 3, &[0xff; 12], Err("has lengths that cannot be read")),
            // One prefix of no byte, one suffix of four: the text takes four, its lengths eight.
            (PREFIXES, 1, &[1, 0, 0x80, 1, 4, 1, 8], Ok(12)),
            (PREFIXES, 1, &[1, 0, 0x80, 1, 4, 0, 0], Err("has 1 prefixes and 0 suffixes")),
            (PREFIXES, 1, &[1, 0, 0x80, 1, 4, 2, 0], Err("has 2 lengths for 1 values")),
            (PREFIXES, 1, &[1, 1, 0x80, 1, 4, 1, 8], Err("has lengths that cannot be read")),
            (Encoding::PLAIN, 1, &[], Ok(0)),
        ] {
            assert_eq!(page(encoding, values, rest), expected.map_err(str::to_owned), "{encoding} {rest:?}");
        }
    }
}
