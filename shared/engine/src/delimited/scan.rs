//! The fast path for well-formed records: one pass finds delimiters, quotes and line ends, 64 bytes at a time.
//!
//! It leaves every irregular record to the slow path in `records`, against which the tests compare it.

use wide::u8x16;

use super::quoting::{Blanks, Quoting, Span};

/// The number of bytes compared at once, one for each bit of a mask.
const BLOCK: usize = 64;

/// The bytes that end fields and records. The delimiter and the terminator differ from each other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    delimiter: u8,
    /// The delimiter again if fields are not quoted.
    quote: u8,
    terminator: u8,
    /// White space that may precede an opening quote.
    blanks: Blanks,
}

/// The extent of a whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scanned {
    /// The length without the line end.
    pub(crate) content: usize,
    /// The length with the line end.
    pub(crate) total: usize,
    /// The number of line ends, including the one that ends the record.
    pub(crate) lines: u64,
}

impl Marks {
    /// Returns `None` if the dialect needs the slow path: it has escapes, or a byte with two meanings.
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

/// The state of the field that is being scanned.
enum FieldState {
    Plain,
    Quoted,
    /// After the closing quote, where a delimiter or line end must follow.
    Closed,
}

/// Finds the record at the start of `window` and the positions of its fields. Returns `None`, which leaves the record to
/// the slow path, if it is empty, irregular, or not within the whole blocks of the window.
#[inline(always)]
#[expect(clippy::arithmetic_side_effects, reason = "positions in a window in memory")]
pub(crate) fn scan(window: &[u8], marks: Marks, spans: &mut Vec<Span>) -> Option<Scanned> {
    spans.clear();
    let (mut state, mut start, mut is_escaped) = (FieldState::Plain, 0, false);
    // The second quote of the last doubled quote.
    let mut second_quote = usize::MAX;
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
                    if at == second_quote {
                        continue;
                    }
                    if *window.get(at + 1)? == byte {
                        (second_quote, is_escaped) = (at + 1, true);
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

/// Returns true if `before` is white space. It is not inlined, as a quote within an unquoted field is rare.
#[inline(never)]
fn are_blank(before: &[u8], blanks: Blanks) -> bool {
    blanks.before_quote(before) == before.len()
}

/// Returns a mask with a bit for each byte that is one of the marks.
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
