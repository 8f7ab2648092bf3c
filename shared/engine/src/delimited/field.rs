//! The value of a field: its text without quotes and escapes.

#![expect(clippy::indexing_slicing, reason = "places within a buffer in memory, each found in it")]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths of what is in memory, far from the largest number"
)]

use wide::u8x16;

use super::quoting::{Quoting, Span};

/// A field's text, with doubled quotes and escapes undone.
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

/// `text` is room for the result, which only grows.
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

/// Bytes that are copied at once.
const STEP: usize = 16;

/// Bytes whose quotes are found at once: a bit each of a word.
const BLOCK: usize = 64;

/// Copies what is between doubled quotes, each time with the first of the two; gives the length of the result. All quotes of a block
/// are found before anything is copied: so no copy waits for the one before.
fn undouble(raw: &[u8], quote: u8, text: &mut [u8]) -> usize {
    let (mut from, mut kept) = (0, 0);
    for at in (0..raw.len()).step_by(BLOCK) {
        let mut quotes = quotes(raw, at, quote);
        if from > at {
            // The second quote of the last block's pair.
            quotes &= !1;
        }
        while quotes != 0 {
            let first = at + quotes.trailing_zeros() as usize;
            copy(raw, from..first + 1, &mut text[kept..]);
            kept += first + 1 - from;
            // A quote is always the first of two, as what closes a field is not in it.
            from = first + 2;
            quotes &= quotes - 1;
            quotes &= quotes.wrapping_sub(1);
        }
    }
    let rest = raw.get(from..).unwrap_or_default();
    text[kept..kept + rest.len()].copy_from_slice(rest);
    kept + rest.len()
}

/// The places of quotes among the [`BLOCK`] bytes from `at` on, the first in the lowest bit.
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
        // The last bytes with some of those before, whose bits go out.
        Some(last) if !tail.is_empty() => quotes | found(last) >> (STEP - tail.len()) << tail_at,
        Some(_) => quotes,
        None => tail.iter().rev().fold(0, |quotes, byte| quotes << 1 | u64::from(*byte == quote)),
    }
}

/// Copies to the beginning of `text`. [`STEP`] bytes are copied even where fewer are needed: the next ones overwrite what is too much.
#[inline]
fn copy(raw: &[u8], range: std::ops::Range<usize>, text: &mut [u8]) {
    match raw.get(range.start..).and_then(<[u8]>::first_chunk::<STEP>) {
        Some(step) if range.len() <= STEP => text[..STEP].copy_from_slice(step),
        Some(_) | None => text[..range.len()].copy_from_slice(&raw[range]),
    }
}

/// Removes what makes a quote or an escape an ordinary character. Before any other character an escape is one itself, as
/// in `C:\new`. Without a branch, as their places are not predictable.
fn undo_escapes(raw: &[u8], quoting: Quoting, text: &mut [u8]) -> usize {
    let is_special = |byte: u8| (byte == quoting.quote) | (Some(byte) == quoting.escape);
    let mut is_after_escape = false;
    let mut kept = 0;
    for (index, &byte) in raw.iter().enumerate() {
        let is_before_special = raw.get(index + 1).is_some_and(|next| is_special(*next));
        let is_escape = is_special(byte) & is_before_special & !is_after_escape;
        text[kept] = byte;
        kept += usize::from(!is_escape);
        is_after_escape = is_escape;
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn doubled_quotes_become_one(parts in prop::collection::vec("[a-z\u{e9}]{0,70}|[a-z]{0,9}", 1..20)) {
            let quoting = Quoting::by(b'"');
            let mut scratch = b"left from before".to_vec();
            prop_assert_eq!(unescape(&parts.join("\"\""), quoting, &mut scratch), parts.join("\""));
        }
    }
}
