//! Lines of COPY text that are put together from fields which have been written before.

use super::DELIMITER;

/// So many bytes have to stand behind a text that is put into a line.
pub(crate) const BLOCK_BYTES: usize = 32;
/// A longer text is copied as such a block, where so many bytes stand behind it.
const LONGER_BYTES: usize = 96;
const GATHERED_BYTES: usize = 4096;

/// Where lines are gathered before they go to the text.
#[derive(Debug)]
pub(crate) struct Gathered(Box<[u8; GATHERED_BYTES]>);

impl Default for Gathered {
    fn default() -> Self {
        Self(Box::new([0; GATHERED_BYTES]))
    }
}

/// Lines under construction at the end of a text. They are gathered in a room of their own: there a short field is copied
/// as one block of a length that the compiler knows, and the next one goes over what was copied too much.
///
/// What is called gets its parts, and none of it by reference: so the place stays in a register.
pub(crate) struct CopyLines<'a> {
    out: &'a mut Vec<u8>,
    gathered: &'a mut [u8; GATHERED_BYTES],
    length: usize,
}

impl<'a> CopyLines<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, gathered: &'a mut Gathered) -> Self {
        Self { out, gathered: &mut gathered.0, length: 0 }
    }

    /// Bytes of the text with these lines.
    #[inline(always)]
    pub(crate) fn bytes(&self) -> usize {
        self.out.len().saturating_add(self.length)
    }

    /// Puts in the first bytes of a text, and the delimiter.
    #[inline(always)]
    pub(crate) fn put(&mut self, text: &[u8], length: usize) {
        let short = if length > BLOCK_BYTES {
            None
        } else {
            put_block::<BLOCK_BYTES>(self.gathered, self.length, text, length)
        };
        self.length = match short {
            Some(end) => end,
            None => put_longer(self.out, self.gathered, self.length, text, length),
        };
    }

    /// Ends a line with the number of its row.
    #[inline(always)]
    pub(crate) fn end(&mut self, row: u64) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(row).as_bytes();
        self.length = put_long(self.out, self.gathered, self.length, digits, b'\n');
    }

    #[inline(always)]
    pub(crate) fn finish(self) {
        self.out.extend_from_slice(self.gathered.get(..self.length).unwrap_or_default());
    }
}

/// Puts in a text of at most so many bytes, if there is room, and if so many bytes are behind it. Gives the new length.
#[inline(always)]
fn put_block<const BYTES: usize>(
    gathered: &mut [u8; GATHERED_BYTES],
    at: usize,
    text: &[u8],
    length: usize,
) -> Option<usize> {
    let room = gathered.get_mut(at..)?;
    let (block, start) = (text.first_chunk::<BYTES>()?, room.first_chunk_mut::<BYTES>()?);
    *start = *block;
    *room.get_mut(length)? = DELIMITER;
    Some(at.saturating_add(length).saturating_add(1))
}

/// By itself, so that the compiler does not make one copy of two, the short one of which it would know no more.
#[inline(never)]
fn put_longer(
    out: &mut Vec<u8>,
    gathered: &mut [u8; GATHERED_BYTES],
    at: usize,
    text: &[u8],
    length: usize,
) -> usize {
    if length <= LONGER_BYTES
        && let Some(end) = put_block::<LONGER_BYTES>(gathered, at, text, length)
    {
        return end;
    }
    put_long(out, gathered, at, text.get(..length).unwrap_or_default(), DELIMITER)
}

fn put_long(
    out: &mut Vec<u8>,
    gathered: &mut [u8; GATHERED_BYTES],
    at: usize,
    field: &[u8],
    end: u8,
) -> usize {
    let mut start = at;
    if start.saturating_add(field.len()) >= GATHERED_BYTES {
        out.extend_from_slice(gathered.get(..start).unwrap_or_default());
        start = 0;
    }
    let behind = start.saturating_add(field.len()).saturating_add(1);
    match gathered.get_mut(start..behind).and_then(<[u8]>::split_last_mut) {
        Some((last, room)) => {
            room.copy_from_slice(field);
            *last = end;
            behind
        }
        None => {
            out.extend_from_slice(field);
            out.push(end);
            start
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn fields_stand_in_their_lines_whatever_their_length(
            rows in prop::collection::vec(
                (prop::collection::vec((0..80_usize, prop::bool::weighted(0.02)), 1..6), any::<u64>(), 0..64_u32),
                0..80,
            ),
            behind in 0..40_usize,
        ) {
            let text: Vec<u8> = (b'a'..=b'z').cycle().take(6_000).collect();
            let mut out = b"before\n".to_vec();
            let mut gathered = Gathered::default();
            let mut expected = out.clone();
            let mut lines = CopyLines::new(&mut out, &mut gathered);
            for (fields, row, bits) in &rows {
                for (length, is_long) in fields {
                    let length = if *is_long { length * 70 } else { *length };
                    lines.put(&text[..length + behind], length);
                    expected.extend_from_slice(&text[..length]);
                    expected.push(b'\t');
                }
                lines.end(row >> bits);
                expected.extend_from_slice(format!("{}\n", row >> bits).as_bytes());
                prop_assert_eq!(lines.bytes(), expected.len());
            }
            lines.finish();
            prop_assert_eq!(out, expected);
        }
    }
}
