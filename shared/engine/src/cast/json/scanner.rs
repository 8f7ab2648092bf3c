//! A scanner of JSON documents (RFC 8259). It checks a document in one pass, without building values.

use std::borrow::Cow;
use std::ops::Range;

use wide::u8x16;

use super::keys::{KeyWords, word};
use crate::cast::number::MAX_EXPONENT;

/// The most levels of nested objects and arrays. Deeper documents are rejected, because PostgreSQL's parser and those
/// of its clients recurse.
pub(crate) const MAX_DEPTH: usize = 128;
/// The most digits of a number before the decimal point. Numbers in `jsonb` have the limits of `numeric`, which section
/// 8.1 of PostgreSQL's documentation lists.
pub(crate) const MAX_WHOLE_DIGITS: i64 = 131_072;
/// The most digits of a number after the decimal point, including zeros.
pub(crate) const MAX_FRACTION_DIGITS: i64 = 16_383;

/// A scanner of a document. Its methods return `None` if the text is not JSON.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    /// The position in bytes. It only advances over bytes that were examined, so it never exceeds the length.
    pub(crate) at: usize,
    pub(super) is_plain: bool,
    /// A string contains `\u0000`, which is well-formed but not supported by PostgreSQL.
    pub(super) has_nul: bool,
    /// A string contains a lone surrogate, which is well-formed but not valid Unicode.
    pub(super) has_lone_surrogate: bool,
    /// A number is out of range for `jsonb`, or its exponent exceeds [`MAX_EXPONENT`].
    pub(super) is_out_of_range: bool,
    /// The scanner stopped at an object or array that is nested too deep.
    pub(crate) is_too_deep: bool,
    /// A nested object probably has a repeated key. [`repeated`](super::repeated) determines whether it does.
    pub(crate) may_repeat: bool,
    /// The [words](word) of the keys of the current object and of the enclosing ones.
    words: KeyWords,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str, is_plain: bool) -> Self {
        Self {
            text,
            at: 0,
            is_plain,
            has_nul: false,
            has_lone_surrogate: false,
            is_out_of_range: false,
            is_too_deep: false,
            may_repeat: false,
            words: KeyWords::default(),
        }
    }

    /// Returns a scanner of the value in a range of a document.
    pub(in crate::cast) fn within(text: &'a str, range: Range<usize>, is_plain: bool) -> Self {
        let mut scanner = Self::new(slice(text, 0..range.end), is_plain);
        scanner.at = range.start;
        scanner
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// Returns the text from `start` to the current position.
    pub(in crate::cast) fn since(&self, start: usize) -> &'a str {
        slice(self.text, start..self.at)
    }

    /// Scans an object and passes the ranges of each key's text and of its value to `entry`.
    pub(crate) fn object(&mut self, mut entry: impl FnMut(Range<usize>, Range<usize>)) -> Option<()> {
        self.list(b'{', b'}', |scanner| {
            let key = scanner.key()?;
            let start = scanner.at;
            scanner.nested(MAX_DEPTH - 1)?;
            entry(key, start..scanner.at);
            Some(())
        })
    }

    /// Scans an array and passes the range of each item to `item`.
    pub(in crate::cast) fn array(&mut self, mut item: impl FnMut(Range<usize>)) -> Option<()> {
        self.list(b'[', b']', |scanner| {
            let start = scanner.at;
            scanner.nested(MAX_DEPTH - 1)?;
            item(start..scanner.at);
            Some(())
        })
    }

    /// Scans an object or an array. `entry` scans an entry, and this method the separators between them.
    #[inline]
    pub(in crate::cast) fn list(
        &mut self,
        open: u8,
        close: u8,
        mut entry: impl FnMut(&mut Self) -> Option<()>,
    ) -> Option<()> {
        self.take(open)?;
        self.skip_space();
        if self.take(close).is_some() {
            return Some(());
        }
        loop {
            entry(self)?;
            self.skip_space();
            if self.take(close).is_some() {
                return Some(());
            }
            self.take(b',')?;
            self.skip_space();
        }
    }

    /// Scans a key and its colon, and returns the range of the key's text.
    #[inline]
    pub(in crate::cast) fn key(&mut self) -> Option<Range<usize>> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at;
        self.string()?;
        let text = start.saturating_add(1)..self.at.saturating_sub(1);
        self.skip_space();
        self.take(b':')?;
        self.skip_space();
        Some(text)
    }

    /// Scans a value.
    pub(in crate::cast) fn value(&mut self) -> Option<()> {
        self.nested(MAX_DEPTH)
    }

    #[inline]
    pub(in crate::cast) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    #[expect(clippy::arithmetic_side_effects, reason = "only bytes that were examined are passed")]
    pub(in crate::cast) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    #[inline]
    pub(in crate::cast) fn take(&mut self, byte: u8) -> Option<()> {
        if self.peek() == Some(byte) {
            self.advance(1);
            Some(())
        } else {
            None
        }
    }

    #[inline]
    pub(crate) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.advance(1);
        }
    }

    /// Scans a value in which objects and arrays are nested at most `depth` levels deep.
    pub(in crate::cast) fn nested(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => {
                let depth = self.deeper(depth)?;
                let outer = self.words.open();
                self.list(b'{', b'}', |scanner| {
                    let key = scanner.key()?;
                    scanner.enter_key(key);
                    scanner.nested(depth)
                })?;
                self.may_repeat |= self.words.close(outer);
                Some(())
            }
            b'[' => {
                let depth = self.deeper(depth)?;
                self.list(b'[', b']', |scanner| scanner.nested(depth))
            }
            b'"' => self.string(),
            b't' => self.literal(b"true"),
            b'f' => self.literal(b"false"),
            b'n' => self.literal(b"null"),
            _ => self.number(),
        }
    }

    /// Returns the depth that remains within an object or array.
    pub(in crate::cast) fn deeper(&mut self, depth: usize) -> Option<usize> {
        let depth = depth.checked_sub(1);
        self.is_too_deep |= depth.is_none();
        depth
    }

    /// Adds a key to those of its object, to detect repeated ones.
    pub(in crate::cast) fn enter_key(&mut self, range: Range<usize>) {
        let text = slice(self.text, range.start..self.text.len());
        let word = if self.is_plain || !slice(text, 0..range.len()).contains('\\') {
            word(text.as_bytes(), range.len())
        } else {
            let key = key_text(self.text, range);
            word(key.as_bytes(), key.len())
        };
        self.words.enter(word);
    }

    pub(in crate::cast) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).expect("the position never exceeds the length")
    }

    pub(in crate::cast) fn literal(&mut self, literal: &[u8]) -> Option<()> {
        self.rest().starts_with(literal).then(|| self.advance(literal.len()))
    }

    pub(in crate::cast) fn string(&mut self) -> Option<()> {
        self.advance(1);
        if self.is_plain {
            let end = quote(self.rest())?;
            self.advance(end.saturating_add(1));
            return Some(());
        }
        loop {
            match self.peek()? {
                b'"' => {
                    self.advance(1);
                    return Some(());
                }
                b'\\' => self.escape()?,
                ..b' ' => return None,
                _ => self.advance(1),
            }
        }
    }

    pub(in crate::cast) fn escape(&mut self) -> Option<()> {
        let letter = *self.rest().get(1)?;
        self.advance(2);
        match letter {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(()),
            b'u' => match self.code_unit()? {
                0 => {
                    self.has_nul = true;
                    Some(())
                }
                0xd800..=0xdbff if self.rest().starts_with(b"\\u") => {
                    self.advance(2);
                    self.has_lone_surrogate |= !(0xdc00..=0xdfff).contains(&self.code_unit()?);
                    Some(())
                }
                0xd800..=0xdfff => {
                    self.has_lone_surrogate = true;
                    Some(())
                }
                _ => Some(()),
            },
            _ => None,
        }
    }

    pub(in crate::cast) fn code_unit(&mut self) -> Option<u32> {
        let digits = self.rest().first_chunk::<4>()?;
        self.advance(4);
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }

    pub(in crate::cast) fn number(&mut self) -> Option<()> {
        let _ = self.take(b'-');
        let whole = if self.take(b'0').is_some() { 0 } else { self.digits()?.len() };
        let fraction = if self.take(b'.').is_some() { self.digits()?.len() } else { 0 };
        let mut exponent = 0;
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.advance(1);
            let is_negative = self.take(b'-').is_some();
            if !is_negative {
                let _ = self.take(b'+');
            }
            exponent = self.digits()?.bytes().fold(0_i64, |number, digit| {
                number.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0')))
            });
            if is_negative {
                exponent = exponent.saturating_neg();
            }
        }
        self.is_out_of_range |= !fits_numeric(whole, fraction, exponent);
        Some(())
    }

    pub(in crate::cast) fn digits(&mut self) -> Option<&'a str> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.advance(1);
        }
        (self.at > start).then(|| self.since(start))
    }
}

/// Returns true if a number with these digits before and after the point is in the range of `numeric`, and its exponent
/// within the limit. `whole` is 0 for a number below one.
fn fits_numeric(whole: usize, fraction: usize, exponent: i64) -> bool {
    let count = |digits: usize| i64::try_from(digits).expect("a text in memory is shorter than 2^63 bytes");
    (-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent)
        && count(whole).saturating_add(exponent) <= MAX_WHOLE_DIGITS
        && count(fraction).saturating_sub(exponent) <= MAX_FRACTION_DIGITS
}

/// Returns the text of the key in a range, which excludes its quotes. A key with a lone surrogate is returned as
/// written.
pub(crate) fn key_text(text: &str, range: Range<usize>) -> Cow<'_, str> {
    let key = slice(text, range.clone());
    if !key.contains('\\') {
        return Cow::Borrowed(key);
    }
    let quoted = slice(text, range.start.saturating_sub(1)..range.end.saturating_add(1));
    let mut scratch = String::new();
    match unquote(quoted, &mut scratch) {
        Some(text) => Cow::Owned(text.to_owned()),
        None => Cow::Borrowed(key),
    }
}

/// Returns the position of the next quote. Keys are short, so comparing sixteen bytes at once finds most.
#[inline]
pub(super) fn quote(text: &[u8]) -> Option<usize> {
    if let Some(head) = text.first_chunk::<16>() {
        let quotes = u8x16::new(*head).simd_eq(u8x16::splat(b'"')).to_bitmask();
        if quotes != 0 {
            return usize::try_from(quotes.trailing_zeros()).ok();
        }
    }
    memchr::memchr(b'"', text)
}

/// Returns the text in a range that a scanner returned.
#[inline]
pub(crate) fn slice(text: &str, range: Range<usize>) -> &str {
    text.get(range).expect("the range is within the text")
}

/// Returns the text of a JSON string literal, or `None` if it contains a lone surrogate.
pub(crate) fn unquote<'a>(literal: &'a str, scratch: &'a mut String) -> Option<&'a str> {
    let inside = literal.get(1..)?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(inside);
    }
    let mut deserializer = serde_json::Deserializer::from_str(literal);
    serde::Deserialize::deserialize_in_place(&mut deserializer, scratch).ok()?;
    Some(scratch)
}
