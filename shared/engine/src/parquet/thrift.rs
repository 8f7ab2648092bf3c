//! A minimal reader for Thrift's compact protocol, which determines sizes before a structure is decoded,
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.
//!
//! The `parquet` crate allocates memory according to the sizes in a footer or page header and recurses to the depth of
//! the schema. Both are therefore checked first.

/// Deepest nesting of structures. Those of Parquet have fewer than ten levels.
const MAX_DEPTH: usize = 24;

const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
pub(super) const I32: u8 = 5;
pub(super) const I64: u8 = 6;
const DOUBLE: u8 = 7;
pub(super) const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;
const UUID: u8 = 13;

/// A cursor over encoded bytes. Its methods return `None` if the bytes are truncated or invalid.
pub(super) struct Walker<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Walker<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0 }
    }

    /// Returns the number of bytes that have not been read.
    pub(super) fn rest(&self) -> usize {
        self.rest.len()
    }

    /// Reads a structure. `field` is called with the number and type of each field and returns whether it read the
    /// field. Fields that it did not read are skipped.
    pub(super) fn structure(
        &mut self,
        mut field: impl FnMut(&mut Self, i16, u8) -> Option<bool>,
    ) -> Option<()> {
        self.depth = self.depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
        let mut number = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                self.depth = self.depth.saturating_sub(1);
                return Some(());
            }
            let (delta, kind) = (head >> 4, head & 0x0f);
            number = match delta {
                0 => i16::try_from(self.zigzag()?).ok()?,
                _ => number.checked_add(i16::from(delta))?,
            };
            if !field(self, number, kind)? {
                self.skip_field(kind)?;
            }
        }
    }

    /// Returns the number and type of a list's elements. A list with more elements than remaining bytes is invalid.
    pub(super) fn list(&mut self) -> Option<(usize, u8)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => usize::try_from(self.varint()?).ok()?,
            count => usize::from(count),
        };
        (count <= self.rest.len()).then_some((count, head & 0x0f))
    }

    pub(super) fn i32(&mut self) -> Option<i32> {
        i32::try_from(self.zigzag()?).ok()
    }

    /// Reads a byte string, which is preceded by its length.
    pub(super) fn binary(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Skips a field of a structure. The value of a boolean field is part of its head.
    pub(super) fn skip_field(&mut self, kind: u8) -> Option<()> {
        if matches!(kind, TRUE | FALSE) { Some(()) } else { self.skip(kind) }
    }

    /// Skips a value.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        match kind {
            TRUE | FALSE | BYTE => self.advance(1),
            I16 | I32 | I64 => self.varint().map(|_| ()),
            DOUBLE => self.advance(8),
            UUID => self.advance(16),
            BINARY => self.binary().map(|_| ()),
            LIST | SET => {
                let (count, kind) = self.list()?;
                self.depth = self.depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
                for _ in 0..count {
                    self.skip(kind)?;
                }
                self.depth = self.depth.saturating_sub(1);
                Some(())
            }
            STRUCT => self.structure(|_, _, _| Some(false)),
            MAP => {
                let count = usize::try_from(self.varint()?).ok()?;
                if count == 0 {
                    return Some(());
                }
                if count > self.rest.len() {
                    return None;
                }
                let kinds = self.byte()?;
                self.depth = self.depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH)?;
                for _ in 0..count {
                    self.skip(kinds >> 4)?;
                    self.skip(kinds & 0x0f)?;
                }
                self.depth = self.depth.saturating_sub(1);
                Some(())
            }
            _ => None,
        }
    }

    fn advance(&mut self, count: usize) -> Option<()> {
        let (_, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        let half = (number >> 1).cast_signed();
        Some(if number & 1 == 0 { half } else { !half })
    }
}

#[cfg(test)]
mod tests {
    use super::Walker;

    #[test]
    fn a_structure_with_fields_of_every_type_is_read() {
        // i32 -3; true; binary of 2; list of 2 i32; map of 1 from i32 to byte; a structure; a field with a large
        // number.
        let bytes = [
            0x15, 5, 0x11, 0x18, 2, 7, 7, 0x19, 0x25, 2, 4, 0x1b, 1, 0x53, 9, 9, 0x1c, 0x15, 2, 0, 0x05,
            0xc8, 1, 3, 0, 99,
        ];
        let mut walker = Walker::new(&bytes);
        let mut fields = Vec::new();
        let mut first = None;
        let read = walker.structure(|walker, number, kind| {
            fields.push((number, kind));
            if number == 1 {
                first = walker.i32();
            }
            Some(number == 1)
        });
        assert_eq!(read, Some(()));
        assert_eq!((first, walker.rest()), (Some(-3), 1));
        assert_eq!(fields, [(1, 5), (2, 1), (3, 8), (4, 9), (5, 11), (6, 12), (100, 5)]);
    }

    #[test]
    fn wrong_sizes_and_deep_nesting_are_invalid() {
        let all = |bytes: &[u8]| Walker::new(bytes).structure(|_, _, _| Some(false));
        assert_eq!(all(&[0x19, 0xf5, 0xff, 0xff, 0xff, 0x7f, 2, 0]), None, "a list");
        assert_eq!(all(&[0x1b, 0xff, 0xff, 0x7f, 0x55, 0]), None, "a map");
        assert_eq!(all(&[0x18, 9, 1, 0]), None, "bytes");
        assert_eq!(all(&[0x15]), None, "the end");
        assert_eq!(all(&[[0x1c; 100].as_slice(), &[0; 101]].concat()), None, "structures");
        assert_eq!(all(&[[0x1c; 10].as_slice(), &[0; 11]].concat()), Some(()));
        assert_eq!(all(&[0x19; 100]), None, "lists");
    }
}
