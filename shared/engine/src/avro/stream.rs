//! The container's bytes, in a buffer that one block bounds.

use std::io::Read;

use memchr::memmem;

use crate::error::ReadError;
use crate::input::Input;

const READ_BYTES: usize = 64 * 1024;
/// Seven bits a byte of 64.
const MAX_VARINT_BYTES: usize = 10;

/// What stands between blocks: 16 bytes that a writer has chosen at random.
pub(super) type Marker = [u8; 16];

/// A number that may be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Varint {
    /// With how many bytes it has.
    Number(i64, usize),
    /// The bytes end within it.
    Cut,
    /// It does not end where a number of 64 bits must.
    TooLong,
}

/// Reads a number in zigzag coding.
#[inline]
pub(super) fn varint(bytes: &[u8]) -> Varint {
    let mut number = 0_u64;
    for (index, byte) in bytes.iter().take(MAX_VARINT_BYTES).enumerate() {
        let shift = u32::try_from(index).unwrap_or(0).saturating_mul(7);
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && bits > 1 {
            return Varint::TooLong;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            let magnitude = i64::try_from(number >> 1).unwrap_or(i64::MAX);
            let sign = if number & 1 == 1 { -1 } else { 0 };
            return Varint::Number(magnitude ^ sign, index.saturating_add(1));
        }
    }
    if bytes.len() < MAX_VARINT_BYTES { Varint::Cut } else { Varint::TooLong }
}

pub(super) struct Stream<R: Read> {
    input: Input<R>,
    buffer: Vec<u8>,
    /// How much of the buffer was taken.
    start: usize,
    is_at_end: bool,
    /// Of `buffer[start]`, in the decompressed stream.
    pub(super) offset: u64,
}

impl<R: Read> Stream<R> {
    pub(super) fn new(input: Input<R>) -> Self {
        Self { input, buffer: Vec::new(), start: 0, is_at_end: false, offset: 0 }
    }

    pub(super) fn input(&self) -> &Input<R> {
        &self.input
    }

    /// The next `count` bytes, or fewer where the file ends before.
    pub(super) fn peek(&mut self, count: usize) -> Result<&[u8], ReadError> {
        while self.rest().len() < count && !self.is_at_end {
            self.read_on()?;
        }
        Ok(self.rest().get(..count).unwrap_or_else(|| self.rest()))
    }

    /// Passes over bytes that were peeked at.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.rest().len());
        self.start = self.start.saturating_add(count);
        self.offset = self.offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// The next number; passed over when it is one.
    pub(super) fn varint(&mut self) -> Result<Varint, ReadError> {
        let number = varint(self.peek(MAX_VARINT_BYTES)?);
        if let Varint::Number(_, bytes) = number {
            self.consume(bytes);
        }
        Ok(number)
    }

    /// Passes over the next marker and all before it. False: there is none to the end, which is reached then.
    pub(super) fn skip_past(&mut self, marker: &Marker) -> Result<bool, ReadError> {
        let finder = memmem::Finder::new(marker);
        loop {
            if let Some(found) = finder.find(self.rest()) {
                self.consume(found.saturating_add(marker.len()));
                return Ok(true);
            }
            // The marker may have begun.
            let kept = marker.len().saturating_sub(1);
            self.consume(self.rest().len().saturating_sub(kept));
            if self.is_at_end {
                self.consume(kept);
                return Ok(false);
            }
            self.read_on()?;
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// Reads some bytes more. The buffer grows with what is there, not by what a length says.
    fn read_on(&mut self) -> Result<(), ReadError> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let length = self.buffer.len();
        self.buffer.resize(length.saturating_add(READ_BYTES.max(length / 2)), 0);
        let count = self.input.read(self.buffer.get_mut(length..).unwrap_or_default());
        self.buffer.truncate(length.saturating_add(*count.as_ref().unwrap_or(&0)));
        self.is_at_end = count? == 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_zigzag_coding_and_no_further_than_64_bits() {
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
            (vec![0x80], Varint::Cut),
            (vec![], Varint::Cut),
        ] {
            assert_eq!(varint(&bytes), number, "{bytes:x?}");
        }
    }
}
