//! The quick way through well-formed records: one pass finds delimiters, quotes and line ends, 64 bytes at a time.
//!
//! It decides nothing that is in doubt: what is unusual is left to the thorough way of `records`, which is also what
//! the tests compare it with.

use wide::u8x16;

use super::quoting::{Blanks, Quoting, Span};

/// Bytes looked at together: one for each bit of a mask.
const BLOCK: usize = 64;

/// What ends fields and records, all of them different bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    delimiter: u8,
    /// The delimiter once more where nothing is quoted.
    quote: u8,
    terminator: u8,
    /// White space that may precede an opening quote.
    blanks: Blanks,
}

/// A whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// Its length without the line end.
    pub(crate) content: usize,
    /// Its length with it.
    pub(crate) total: usize,
    /// Line ends in it, its own included.
    pub(crate) lines: u64,
}

impl Marks {
    /// `None` where a quick look is not enough: escapes, or one byte with two meanings.
    #[inline]
    pub(crate) fn of(delimiter: u8, quoting: Option<Quoting>, terminator: u8) -> Option<Self> {
        let (quote, blanks) = match quoting {
            None => (delimiter, Blanks::NONE),
            Some(Quoting { quote, escape: None, blanks }) if quote != delimiter => (quote, blanks),
            Some(_) => return None,
        };
        let is_line_end = |byte: u8| matches!(byte, b'\r' | b'\n');
        (!is_line_end(delimiter) && !is_line_end(quote)).then_some(Self {
            delimiter,
            quote,
            terminator,
            blanks,
        })
    }
}

/// What the field under way is like.
enum FieldState {
    Plain,
    Quoted,
    /// Its quotes are closed: its end must follow.
    Closed,
}

/// The record at the start of `window`, with the places of its fields. `None`: it is empty, malformed, or so near to
/// the window's end that it is not all in whole blocks.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "places in a window and what is next to them")]
pub(crate) fn scan(window: &[u8], marks: Marks, spans: &mut Vec<Span>) -> Option<Scanned> {
    spans.clear();
    let (mut state, mut start, mut is_escaped) = (FieldState::Plain, 0, false);
    // The second of two quotes that stand for one.
    let mut twin = usize::MAX;
    let mut lines = 1;
    let mut base = 0;
    for block in window.as_chunks::<BLOCK>().0 {
        let mut found = mask(block, marks);
        while found != 0 {
            let at = base + found.trailing_zeros() as usize;
            found &= found - 1;
            let byte = *window.get(at)?;
            match state {
                FieldState::Plain if byte == marks.delimiter => {
                    spans.push(Span { start, end: at, is_escaped: false });
                    start = at + 1;
                }
                FieldState::Plain if byte == marks.terminator => {
                    let has_return = marks.terminator == b'\n' && window.get(start..at)?.ends_with(b"\r");
                    let end = at - usize::from(has_return);
                    spans.push(Span { start, end, is_escaped: false });
                    return (end > 0).then_some(Scanned { content: end, total: at + 1, lines });
                }
                // A quote that does not open a field is an ordinary character.
                FieldState::Plain if at == start => {
                    (state, start, is_escaped) = (FieldState::Quoted, at + 1, false);
                }
                // White space before the quote may mean that it opens the field after all.
                FieldState::Plain => {
                    if marks.blanks.may_precede_quote() && are_blank(window.get(start..at)?, marks.blanks) {
                        return None;
                    }
                }
                FieldState::Quoted if byte == marks.quote => {
                    if at == twin {
                        continue;
                    }
                    if *window.get(at + 1)? == byte {
                        (twin, is_escaped) = (at + 1, true);
                    } else {
                        spans.push(Span { start, end: at, is_escaped });
                        (state, start) = (FieldState::Closed, at + 1);
                    }
                }
                FieldState::Quoted => lines += u64::from(byte == marks.terminator),
                FieldState::Closed if at == start && byte == marks.delimiter => {
                    (state, start) = (FieldState::Plain, at + 1);
                }
                FieldState::Closed => {
                    let is_end = at == start || at == start + 1 && window.get(start) == Some(&b'\r');
                    let is_end = is_end && byte == marks.terminator;
                    return is_end.then_some(Scanned { content: start, total: at + 1, lines });
                }
            }
        }
        base += BLOCK;
    }
    None
}

/// Out of line: a quote within an unquoted field is rare.
#[inline(never)]
fn are_blank(before: &[u8], blanks: Blanks) -> bool {
    blanks.before_quote(before) == before.len()
}

/// A bit for each byte that means something.
#[inline]
fn mask(block: &[u8; BLOCK], marks: Marks) -> u64 {
    let [delimiter, quote, terminator] = [marks.delimiter, marks.quote, marks.terminator].map(u8x16::splat);
    let mut mask = 0;
    for (part, shift) in block.as_chunks::<16>().0.iter().zip([0_u32, 16, 32, 48]) {
        let bytes = u8x16::new(*part);
        let found = bytes.simd_eq(delimiter) | bytes.simd_eq(quote) | bytes.simd_eq(terminator);
        mask |= u64::from(found.to_bitmask()) << shift;
    }
    mask
}
