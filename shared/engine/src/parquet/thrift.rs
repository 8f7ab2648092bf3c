//! As much of Thrift's compact protocol as tells how large a thing is before it is decoded,
//! <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.
//!
//! The `parquet` crate allocates by the sizes that a footer or a page's header tells and recurses as deep as its schema
//! does: both are looked at first.

/// Structures within structures; Parquet's own have fewer than ten.
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

/// Goes through bytes. `None` from its methods: they end too early, or are no Thrift.
pub(super) struct Walker<'a> {
    rest: &'a [u8],
    depth: usize,
}

impl<'a> Walker<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, depth: 0 }
    }

    /// Bytes that were not gone through.
    pub(super) fn rest(&self) -> usize {
        self.rest.len()
    }

    /// Goes through a structure. `field` is told each field's number and type and says whether it went through it;
    /// those that it did not are passed over.
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

    /// The number and type of a list's elements. There are no more elements than bytes.
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

    /// Bytes with their length before them.
    pub(super) fn binary(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    /// Passes over a field of a structure, whose booleans are in its head.
    pub(super) fn skip_field(&mut self, kind: u8) -> Option<()> {
        if matches!(kind, TRUE | FALSE) { Some(()) } else { self.skip(kind) }
    }

    /// Passes over a value.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        match kind {
            TRUE | FALSE | BYTE => self.take(1),
            I16 | I32 | I64 => self.varint().map(|_| ()),
            DOUBLE => self.take(8),
            UUID => self.take(16),
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

    fn take(&mut self, count: usize) -> Option<()> {
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
    fn a_structure_is_gone_through_whatever_its_fields_are() {
        // i32 -3; true; binary of 2; list of 2 i32; map of 1 from i32 to byte; a structure; a field far away.
        let bytes = [
            0x15, 5, 0x11, 0x18, 2, 7, 7, 0x19, 0x25, 2, 4, 0x1b, 1, 0x53, 9, 9, 0x1c, 0x15, 2, 0, 0x05,
            0xc8, 1, 3, 0, 99,
        ];
        let mut walker = Walker::new(&bytes);
        let mut seen = Vec::new();
        let mut first = None;
        let read = walker.structure(|walker, number, kind| {
            seen.push((number, kind));
            if number == 1 {
                first = walker.i32();
            }
            Some(number == 1)
        });
        assert_eq!(read, Some(()));
        assert_eq!((first, walker.rest()), (Some(-3), 1));
        assert_eq!(seen, [(1, 5), (2, 1), (3, 8), (4, 9), (5, 11), (6, 12), (100, 5)]);
    }

    #[test]
    fn what_lies_about_its_size_or_is_too_deep_is_no_thrift() {
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
