//! A fast path for documents without escapes and line breaks, as programs write most of them.
//!
//! Each function parses the beginning of a text and returns the rest. The rest stays in registers, whereas the position
//! of a [`Scanner`](super::Scanner) is in memory. `None` means that a `Scanner` must process the text.

use std::ops::Range;

use super::keys::{KeyWords, word};
use super::scanner::{MAX_DEPTH, quote};

/// The most digits on each side of the point. With an exponent of two digits, such a number is within the limits of
/// `numeric`. The scanner checks longer ones.
const MAX_DIGITS: usize = 16_000;

/// Parses an object and passes the ranges of each key's text and of its value to `entry`. The text must not contain
/// control characters and backslashes.
#[inline]
pub(crate) fn object(text: &[u8], mut entry: impl FnMut(Range<usize>, Range<usize>)) -> Option<()> {
    let mut keys = KeyWords::default();
    let position = |rest: &[u8]| text.len().saturating_sub(rest.len());
    let members = skip_spaces(text).strip_prefix(b"{")?;
    let rest = list(members, b'}', |member| {
        let key = member.strip_prefix(b"\"")?;
        let after_key = string(key)?;
        let found = skip_spaces(after_key.strip_prefix(b":")?);
        let rest = value(found, MAX_DEPTH.saturating_sub(1), &mut keys)?;
        entry(position(key)..position(after_key).saturating_sub(1), position(found)..position(rest));
        Some(rest)
    })?;
    skip_spaces(rest).is_empty().then_some(())
}

/// Returns true for an object or array that is known to be well-formed. The text must not contain control characters
/// and backslashes.
pub(super) fn is_document(text: &str, open: u8) -> bool {
    let text = text.as_bytes();
    text.first() == Some(&open)
        && value(text, MAX_DEPTH, &mut KeyWords::default()).is_some_and(<[u8]>::is_empty)
}

/// Parses a value in which objects and arrays are nested at most `depth` levels deep.
fn value<'a>(text: &'a [u8], depth: usize, keys: &mut KeyWords) -> Option<&'a [u8]> {
    match text {
        [b'"', rest @ ..] => string(rest),
        [b'{', rest @ ..] => {
            let depth = depth.checked_sub(1)?;
            let outer = keys.open();
            let rest = list(rest, b'}', |entry| {
                let key = entry.strip_prefix(b"\"")?;
                let length = quote(key)?;
                keys.enter(word(key, length));
                let after_key = key.get(length.saturating_add(1)..)?;
                value(skip_spaces(after_key.strip_prefix(b":")?), depth, keys)
            })?;
            (!keys.close(outer)).then_some(rest)
        }
        [b'[', rest @ ..] => {
            let depth = depth.checked_sub(1)?;
            list(rest, b']', |item| value(item, depth, keys))
        }
        [b't', rest @ ..] => rest.strip_prefix(b"rue"),
        [b'f', rest @ ..] => rest.strip_prefix(b"alse"),
        [b'n', rest @ ..] => rest.strip_prefix(b"ull"),
        [b'-', rest @ ..] => number(rest),
        _ => number(text),
    }
}

#[inline]
fn list<'a>(
    text: &'a [u8],
    close: u8,
    mut entry: impl FnMut(&'a [u8]) -> Option<&'a [u8]>,
) -> Option<&'a [u8]> {
    let mut rest = text;
    if let [first, rest @ ..] = rest
        && *first == close
    {
        return Some(rest);
    }
    loop {
        match entry(rest)? {
            [b',', after @ ..] => rest = skip_spaces(after),
            [last, after @ ..] if *last == close => return Some(after),
            _ => return None,
        }
    }
}

/// Parses a string after its opening quote.
#[inline]
fn string(text: &[u8]) -> Option<&[u8]> {
    text.get(quote(text)?.saturating_add(1)..)
}

#[inline(always)]
fn number(text: &[u8]) -> Option<&[u8]> {
    let rest = match text {
        [b'0', rest @ ..] => rest,
        _ => digits(text)?,
    };
    let rest = match rest {
        [b'.', fraction @ ..] => digits(fraction)?,
        _ => rest,
    };
    match rest {
        [b'e' | b'E', ..] => exponent(rest),
        _ => Some(rest),
    }
}

/// Parses an exponent of one or two digits, with which the number is within the limits.
#[cold]
fn exponent(text: &[u8]) -> Option<&[u8]> {
    let (_, exponent) = text.split_first()?;
    let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
    let rest = digits(exponent)?;
    (exponent.len().saturating_sub(rest.len()) <= 2).then_some(rest)
}

#[inline]
fn digits(text: &[u8]) -> Option<&[u8]> {
    let is_within_limit = |rest: &[u8]| (1..=MAX_DIGITS).contains(&text.len().saturating_sub(rest.len()));
    let mut rest = text;
    while let [b'0'..=b'9', after @ ..] = rest {
        rest = after;
    }
    is_within_limit(rest).then_some(rest)
}

#[inline]
fn skip_spaces(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let [b' ', after @ ..] = rest {
        rest = after;
    }
    rest
}
