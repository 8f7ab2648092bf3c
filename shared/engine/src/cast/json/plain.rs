//! Documents as programs write most of them, without escapes and line breaks.
//!
//! Each function takes the rest of a text and gives what is left of it: two words that stay in registers, where the
//! scanner's place is in memory. `None`: the scanner has to look.

use std::ops::Range;

use super::keys::{KeyWords, word};
use super::scanner::{MAX_DEPTH, quote};

/// A number with more digits on one side of the point is left to the scanner, which knows what `numeric` holds. With an exponent of
/// two digits, this is below its limits.
const MAX_DIGITS: usize = 16_000;

/// Passes the places of each key's text and of its value to `entry`. The text has no control character and no backslash,
/// and nothing but the object.
#[inline]
pub(crate) fn object(text: &[u8], mut entry: impl FnMut(Range<usize>, Range<usize>)) -> Option<()> {
    let mut keys = KeyWords::default();
    let place = |rest: &[u8]| text.len().saturating_sub(rest.len());
    let members = skip_spaces(text).strip_prefix(b"{")?;
    let rest = list(members, b'}', |member| {
        let key = member.strip_prefix(b"\"")?;
        let behind = string(key)?;
        let found = skip_spaces(behind.strip_prefix(b":")?);
        let rest = value(found, MAX_DEPTH.saturating_sub(1), &mut keys)?;
        entry(place(key)..place(behind).saturating_sub(1), place(found)..place(rest));
        Some(rest)
    })?;
    skip_spaces(rest).is_empty().then_some(())
}

/// True for an object or array that is surely well-formed. The text has no control character and no backslash.
pub(super) fn is_document(text: &str, open: u8) -> bool {
    let text = text.as_bytes();
    text.first() == Some(&open)
        && value(text, MAX_DEPTH, &mut KeyWords::default()).is_some_and(<[u8]>::is_empty)
}

/// `depth`: how many lists within each other are left.
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
                let behind = key.get(length.saturating_add(1)..)?;
                value(skip_spaces(behind.strip_prefix(b":")?), depth, keys)
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
            [b',', behind @ ..] => rest = skip_spaces(behind),
            [last, behind @ ..] if *last == close => return Some(behind),
            _ => return None,
        }
    }
}

/// Behind its first quote.
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

/// Of one or two digits, so that the number is surely within range.
#[cold]
fn exponent(text: &[u8]) -> Option<&[u8]> {
    let (_, exponent) = text.split_first()?;
    let exponent = exponent.strip_prefix(b"-").or(exponent.strip_prefix(b"+")).unwrap_or(exponent);
    let rest = digits(exponent)?;
    (exponent.len().saturating_sub(rest.len()) <= 2).then_some(rest)
}

#[inline]
fn digits(text: &[u8]) -> Option<&[u8]> {
    let has_few = |rest: &[u8]| (1..=MAX_DIGITS).contains(&text.len().saturating_sub(rest.len()));
    let mut rest = text;
    while let [b'0'..=b'9', behind @ ..] = rest {
        rest = behind;
    }
    has_few(rest).then_some(rest)
}

#[inline]
fn skip_spaces(text: &[u8]) -> &[u8] {
    let mut rest = text;
    while let [b' ', behind @ ..] = rest {
        rest = behind;
    }
    rest
}
