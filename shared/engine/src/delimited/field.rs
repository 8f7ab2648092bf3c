//! The text of a field without quotes and escapes.

#![expect(clippy::indexing_slicing, reason = "positions that were found in the same buffer")]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths of buffers in memory, which are far below `usize::MAX`"
)]

use wide::u8x16;

use super::quoting::{Quoting, Span};

/// Returns a field's text, with doubled quotes and escapes resolved.
#[inline]
pub(crate) fn field<'a>(
    record: &'a str,
    span: Span,
    quoting: Option<Quoting>,
    scratch: &'a mut Vec<u8>,
) -> &'a str {
    let raw = &record[span.start..span.end];
    match quoting {
        Some(quoting) if span.is_escaped => unescape(raw, quoting, scratch),
        Some(_) | None => raw,
    }
}

/// Resolves doubled quotes and escapes. `text` is the buffer for the result; it never shrinks.
fn unescape<'a>(raw: &str, quoting: Quoting, text: &'a mut Vec<u8>) -> &'a str {
    if text.len() < raw.len() + STEP {
        text.resize(raw.len() + STEP, 0);
    }
    let length = match quoting.escape {
        None => undouble(raw.as_bytes(), quoting.quote, text),
        Some(_) => undo_escapes(raw.as_bytes(), quoting, text),
    };
    str::from_utf8(&text[..length]).expect("text without some of its ASCII characters is still UTF-8")
}

/// The number of bytes copied at once.
const STEP: usize = 16;

/// The number of bytes whose quotes are found at once, one bit of a word for each.
const BLOCK: usize = 64;

/// Replaces doubled quotes with single ones and returns the length of the result. All quotes of a block are found before
/// its bytes are copied, so that the copies do not depend on each other.
fn undouble(raw: &[u8], quote: u8, text: &mut [u8]) -> usize {
    let (mut from, mut length) = (0, 0);
    for at in (0..raw.len()).step_by(BLOCK) {
        let mut quotes = quotes(raw, at, quote);
        if from > at {
            // The first byte is the second quote of a pair that began in the previous block.
            quotes &= !1;
        }
        while quotes != 0 {
            let first = at + quotes.trailing_zeros() as usize;
            copy(raw, from..first + 1, &mut text[length..]);
            length += first + 1 - from;
            // The quote is the first of two: the closing quote of a field is not part of `raw`.
            from = first + 2;
            quotes &= quotes - 1;
            quotes &= quotes.wrapping_sub(1);
        }
    }
    let rest = &raw[from..];
    text[length..length + rest.len()].copy_from_slice(rest);
    length + rest.len()
}

/// Returns a bit for each of the [`BLOCK`] bytes from `at` on, set for a quote. The lowest bit is the first byte.
#[inline]
fn quotes(raw: &[u8], at: usize, quote: u8) -> u64 {
    let found = |bytes: &[u8; STEP]| u64::from(u8x16::new(*bytes).simd_eq(u8x16::splat(quote)).to_bitmask());
    let rest = &raw[at..raw.len().min(at + BLOCK)];
    let (steps, tail) = rest.as_chunks::<STEP>();
    let mut quotes = 0;
    for (index, step) in steps.iter().enumerate() {
        quotes |= found(step) << (index * STEP);
    }
    let tail_at = steps.len() * STEP;
    match raw.last_chunk::<STEP>() {
        // The last bytes together with some bytes before them, whose bits are shifted out.
        Some(last) if !tail.is_empty() => quotes | found(last) >> (STEP - tail.len()) << tail_at,
        Some(_) => quotes,
        None => tail.iter().rev().fold(0, |quotes, byte| quotes << 1 | u64::from(*byte == quote)),
    }
}

/// Copies a range to the beginning of `text`. A short range is copied as [`STEP`] bytes, as a fixed length is faster; the
/// next copy overwrites the excess.
#[inline]
fn copy(raw: &[u8], range: std::ops::Range<usize>, text: &mut [u8]) {
    match raw.get(range.start..).and_then(<[u8]>::first_chunk::<STEP>) {
        Some(step) if range.len() <= STEP => text[..STEP].copy_from_slice(step),
        Some(_) | None => text[..range.len()].copy_from_slice(&raw[range]),
    }
}

/// Removes the escape before each quote and each escape, and returns the length of the result. An escape before another
/// character is an ordinary character, as in `C:\new`. The loop has no branches, as the positions of escapes are
/// unpredictable.
fn undo_escapes(raw: &[u8], quoting: Quoting, text: &mut [u8]) -> usize {
    let is_special = |byte: u8| (byte == quoting.quote) | (Some(byte) == quoting.escape);
    let mut is_after_escape = false;
    let mut length = 0;
    for (index, &byte) in raw.iter().enumerate() {
        let is_before_special = raw.get(index + 1).is_some_and(|next| is_special(*next));
        let is_escape = is_special(byte) & is_before_special & !is_after_escape;
        text[length] = byte;
        length += usize::from(!is_escape);
        is_after_escape = is_escape;
    }
    length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn doubled_quotes_become_one(parts in prop::collection::vec("[a-z\u{e9}]{0,70}|[a-z]{0,9}", 1..20)) {
            let quoting = Quoting::by(b'"');
            let mut scratch = b"an earlier field".to_vec();
            prop_assert_eq!(unescape(&parts.join("\"\""), quoting, &mut scratch), parts.join("\""));
        }
    }
}
