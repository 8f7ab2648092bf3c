//! A buffered stream of the container's bytes. The buffer holds at most one block and one read more.

use std::io::Read;

use memchr::memmem;

use crate::error::ReadError;
use crate::input::Input;

const READ_BYTES: usize = 64 * 1024;
/// 64 bits, seven per byte.
const MAX_VARINT_BYTES: usize = 10;

/// The sync marker after each block: 16 bytes that the writer chose at random.
pub(super) type Marker = [u8; 16];

/// The result of decoding a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Varint {
    /// The number, and the number of bytes that it occupies.
    Number(i64, usize),
    /// The bytes end inside the number.
    Truncated,
    /// The number has more than 64 bits.
    TooLong,
}

/// Decodes a number in zigzag encoding.
#[inline]
pub(super) fn varint(bytes: &[u8]) -> Varint {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(MAX_VARINT_BYTES).enumerate() {
        let shift = index.saturating_mul(7);
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && bits > 1 {
            return Varint::TooLong;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            let half = (number >> 1).cast_signed();
            let number = if number & 1 == 0 { half } else { !half };
            return Varint::Number(number, index.saturating_add(1));
        }
    }
    if bytes.len() < MAX_VARINT_BYTES { Varint::Truncated } else { Varint::TooLong }
}

/// A stream that can be peeked at.
pub(super) struct Stream<R: Read> {
    input: Input<R>,
    buffer: Vec<u8>,
    /// The number of consumed bytes in the buffer.
    start: usize,
    is_at_end: bool,
    /// The offset of `buffer[start]` in the decompressed stream.
    pub(super) offset: u64,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(input: Input<R>) -> Self {
        Self { input, buffer: Vec::new(), start: 0, is_at_end: false, offset: 0 }
    }

    pub(super) fn input(&self) -> &Input<R> {
        &self.input
    }

    /// Returns the next `count` bytes, or fewer at the end of the file, without consuming them.
    pub(super) fn peek(&mut self, count: usize) -> Result<&[u8], ReadError> {
        while self.rest().len() < count && !self.is_at_end {
            self.fill_buffer()?;
        }
        Ok(self.rest().get(..count).unwrap_or_else(|| self.rest()))
    }

    /// Consumes bytes that were peeked at.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.rest().len());
        self.start = self.start.saturating_add(count);
        self.offset = self.offset.saturating_add(count as u64);
    }

    /// Returns the next number, and consumes it if it is valid.
    pub(super) fn varint(&mut self) -> Result<Varint, ReadError> {
        let number = varint(self.peek(MAX_VARINT_BYTES)?);
        if let Varint::Number(_, bytes) = number {
            self.consume(bytes);
        }
        Ok(number)
    }

    /// Consumes all bytes up to the end of the next marker. Returns false, with all bytes consumed, if there is no
    /// marker.
    pub(super) fn skip_past(&mut self, marker: &Marker) -> Result<bool, ReadError> {
        let finder = memmem::Finder::new(marker);
        loop {
            if let Some(position) = finder.find(self.rest()) {
                self.consume(position.saturating_add(marker.len()));
                return Ok(true);
            }
            // The last bytes may be the beginning of a marker.
            let retained = marker.len().saturating_sub(1);
            self.consume(self.rest().len().saturating_sub(retained));
            if self.is_at_end {
                self.consume(retained);
                return Ok(false);
            }
            self.fill_buffer()?;
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).expect("no more bytes are consumed than there are")
    }

    /// Reads more bytes. The buffer grows with the bytes that are read, not by a declared length.
    fn fill_buffer(&mut self) -> Result<(), ReadError> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let length = self.buffer.len();
        self.buffer.resize(length.saturating_add(READ_BYTES.max(length / 2)), 0);
        let count = self.input.read(self.buffer.get_mut(length..).expect("the buffer was extended"));
        let read_bytes = count.as_ref().map_or(0, |count| *count);
        self.buffer.truncate(length.saturating_add(read_bytes));
        self.is_at_end = count? == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_zigzag_encoding_have_at_most_64_bits() {
        let nines = [0xff; 9];
        let longest = |last: u8| [&nines[..], &[last]].concat();
        for (bytes, number) in [
            (vec![0], Varint::Number(0, 1)),
            (vec![1, 9], Varint::Number(-1, 1)),
            (vec![0x80, 0x01], Varint::Number(64, 2)),
            (longest(1), Varint::Number(i64::MIN, 10)),
            ([&[0xfe][..], &nines[1..], &[1]].concat(), Varint::Number(i64::MAX, 10)),
            (longest(2), Varint::TooLong),
            (longest(0x81), Varint::TooLong),
            (vec![0x80], Varint::Truncated),
            (vec![], Varint::Truncated),
        ] {
            assert_eq!(varint(&bytes), number, "{bytes:x?}");
        }
    }
}
