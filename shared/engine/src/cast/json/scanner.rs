//! A scanner of JSON documents, RFC 8259.
//!
//! Documents are checked in one pass, without building values.

use std::borrow::Cow;
use std::ops::Range;

use wide::u8x16;

use super::keys::{KeyWords, word};
use crate::cast::number::MAX_EXPONENT;

/// Objects and arrays within each other. Deeper documents are refused: PostgreSQL's parser and those of readers recurse.
pub(crate) const MAX_DEPTH: usize = 128;
/// Digits of a number before the decimal point. The numbers of `jsonb` are those of `numeric`, whose limits are in chapter
/// 8.1 of PostgreSQL's documentation.
pub(crate) const MAX_WHOLE_DIGITS: i64 = 131_072;
/// Digits of a number after the decimal point, zeros included.
pub(crate) const MAX_FRACTION_DIGITS: i64 = 16_383;

/// Goes through a document. `None` from its methods: this is not JSON.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    /// How far it has come, in bytes. It goes forward by what it has seen, so that it never passes the end.
    pub(crate) at: usize,
    pub(super) is_plain: bool,
    /// A string holds `\u0000`, which is well-formed, but no text of PostgreSQL.
    pub(super) has_nul: bool,
    /// A string holds half of a surrogate pair: well-formed, but no text at all.
    pub(super) has_lone_surrogate: bool,
    /// A number that `jsonb` cannot hold, or whose exponent is above the limit.
    pub(super) is_out_of_range: bool,
    /// It stopped at an object or array that is nested too deep.
    pub(crate) is_too_deep: bool,
    /// A nested object probably has a key twice: [`repeated`] decides it.
    pub(crate) may_repeat: bool,
    /// The keys of the objects that are open, by their [words](word).
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

    /// On its way to what is in that place.
    pub(in crate::cast) fn within(text: &'a str, place: Range<usize>, is_plain: bool) -> Self {
        let mut scanner = Self::new(text.get(..place.end).unwrap_or_default(), is_plain);
        scanner.at = place.start;
        scanner
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// What it came by since it was at `start`.
    pub(in crate::cast) fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or_default()
    }

    /// Goes through an object and tells the places of each key's text and of its value.
    pub(crate) fn object(&mut self, mut entry: impl FnMut(Range<usize>, Range<usize>)) -> Option<()> {
        self.list(b'{', b'}', |scanner| {
            let key = scanner.key()?;
            let start = scanner.at;
            scanner.nested(MAX_DEPTH - 1)?;
            entry(key, start..scanner.at);
            Some(())
        })
    }

    /// Goes through an array and tells the place of each item.
    pub(in crate::cast) fn array(&mut self, mut item: impl FnMut(Range<usize>)) -> Option<()> {
        self.list(b'[', b']', |scanner| {
            let start = scanner.at;
            scanner.nested(MAX_DEPTH - 1)?;
            item(start..scanner.at);
            Some(())
        })
    }

    /// Goes through an object or an array. `entry` goes over one entry, the scanner over what is between them.
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

    /// Passes over a key and its colon, and tells the place of the key's text.
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

    /// Passes over a value.
    pub(in crate::cast) fn value(&mut self) -> Option<()> {
        self.nested(MAX_DEPTH)
    }

    #[inline]
    pub(in crate::cast) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "it passes what it has seen, and so never the end of the text"
    )]
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

    /// `depth`: how many lists within each other are left.
    pub(in crate::cast) fn nested(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => {
                let depth = self.deeper(depth)?;
                let outer = self.words.open();
                self.list(b'{', b'}', |scanner| {
                    let key = scanner.key()?;
                    scanner.note(key);
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
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ => self.number(),
        }
    }

    pub(in crate::cast) fn deeper(&mut self, depth: usize) -> Option<usize> {
        let depth = depth.checked_sub(1);
        self.is_too_deep |= depth.is_none();
        depth
    }

    /// Remembers a key, to compare it with the others of its object.
    pub(in crate::cast) fn note(&mut self, place: Range<usize>) {
        let text = self.text.get(place.start..).unwrap_or_default();
        let key = text.get(..place.len()).unwrap_or_default();
        let word = if self.is_plain || !key.contains('\\') {
            word(text.as_bytes(), place.len())
        } else {
            let key = key_text(self.text, place);
            word(key.as_bytes(), key.len())
        };
        self.words.enter(word);
    }

    pub(in crate::cast) fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    pub(in crate::cast) fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest().starts_with(word).then(|| self.advance(word.len()))
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

/// True for a number of so many digits that `numeric` holds, with an exponent within the limit. `whole`: 0 for a number
/// below one.
fn fits_numeric(whole: usize, fraction: usize, exponent: i64) -> bool {
    let count = |digits: usize| i64::try_from(digits).unwrap_or(i64::MAX);
    (-MAX_EXPONENT..=MAX_EXPONENT).contains(&exponent)
        && count(whole).saturating_add(exponent) <= MAX_WHOLE_DIGITS
        && count(fraction).saturating_sub(exponent) <= MAX_FRACTION_DIGITS
}

/// The text of a key, whose place is that within its quotes. A key that is no text is as it is written.
pub(crate) fn key_text(text: &str, place: Range<usize>) -> Cow<'_, str> {
    let key = text.get(place.clone()).unwrap_or_default();
    if !key.contains('\\') {
        return Cow::Borrowed(key);
    }
    let quoted = text.get(place.start.saturating_sub(1)..place.end.saturating_add(1)).unwrap_or_default();
    let mut scratch = String::new();
    match unquote(quoted, &mut scratch) {
        Some(text) => Cow::Owned(text.to_owned()),
        None => Cow::Borrowed(key),
    }
}

/// The place of the next quote. Keys are short: a look at sixteen bytes at once mostly finds it.
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

/// The text of a JSON string literal. `None`: a lone surrogate, which no text can hold.
pub(crate) fn unquote<'a>(literal: &'a str, scratch: &'a mut String) -> Option<&'a str> {
    let inside = literal.get(1..)?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inside.as_bytes()).is_none() {
        return Some(inside);
    }
    let mut deserializer = serde_json::Deserializer::from_str(literal);
    serde::Deserialize::deserialize_in_place(&mut deserializer, scratch).ok()?;
    Some(scratch)
}
