//! JSON, RFC 8259: documents for `jsonb`, and the text of string literals.
//!
//! Checked by hand in one pass: a general parser would build values that nobody asks for.

pub(crate) mod keys;
pub(crate) mod plain;
pub(crate) mod repeated;

use std::borrow::Cow;
use std::ops::Range;

use wide::u8x16;

use super::number::MAX_EXPONENT;
use crate::outcome::Code;
use keys::{Words, word};

/// Objects and arrays within each other. Deeper documents are refused: PostgreSQL's parser and those of readers recurse.
pub(crate) const MAX_DEPTH: usize = 128;
/// Digits of a number before the decimal point. The numbers of `jsonb` are those of `numeric`, whose limits are in chapter
/// 8.1 of PostgreSQL's documentation.
pub(crate) const MAX_WHOLE_DIGITS: i64 = 131_072;
/// Digits of a number after the decimal point, zeros included.
pub(crate) const MAX_FRACTION_DIGITS: i64 = 16_383;

/// Checks that `text` is an object or array that `jsonb` takes.
///
/// `is_plain`: the text surely has no control character and no backslash.
pub(crate) fn check(text: &str, is_array: bool, is_plain: bool) -> Result<(), Code> {
    let open = if is_array { b'[' } else { b'{' };
    if is_plain && plain::is_document(text, open) {
        return Ok(());
    }
    let mut scanner = Scanner::new(text, is_plain);
    scanner.skip_space();
    if scanner.peek() != Some(open) {
        return Err(Code::WrongType);
    }
    if scanner.value().is_none() {
        return Err(if scanner.is_too_deep { Code::OutOfRange } else { Code::WrongType });
    }
    scanner.skip_space();
    if !scanner.is_at_end() || scanner.has_lone_surrogate {
        Err(Code::WrongType)
    } else if scanner.has_nul {
        Err(Code::NulCharacter)
    } else if scanner.may_repeat && repeated::key(text).is_some() {
        Err(Code::DuplicateMember)
    } else if scanner.is_out_of_range {
        Err(Code::OutOfRange)
    } else {
        Ok(())
    }
}

/// Goes through a document. `None` from its methods: this is not JSON.
pub(crate) struct Scanner<'a> {
    text: &'a str,
    /// How far it has come, in bytes. It goes forward by what it has seen, so that it never passes the end.
    pub(crate) at: usize,
    is_plain: bool,
    /// A string holds `\u0000`, which is well-formed, but no text of PostgreSQL.
    has_nul: bool,
    /// A string holds half of a surrogate pair: well-formed, but no text at all.
    has_lone_surrogate: bool,
    /// A number that `jsonb` cannot hold, or whose exponent is above the limit.
    is_out_of_range: bool,
    /// It stopped at an object or array that is nested too deep.
    pub(crate) is_too_deep: bool,
    /// A nested object probably has a key twice: [`repeated`] decides it.
    pub(crate) may_repeat: bool,
    /// The keys of the objects that are open, by their [words](word).
    words: Words,
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
            words: Words::default(),
        }
    }

    /// On its way to what is in that place.
    pub(super) fn within(text: &'a str, place: Range<usize>, is_plain: bool) -> Self {
        let mut scanner = Self::new(text.get(..place.end).unwrap_or_default(), is_plain);
        scanner.at = place.start;
        scanner
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// What it came by since it was at `start`.
    pub(super) fn since(&self, start: usize) -> &'a str {
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
    pub(super) fn array(&mut self, mut item: impl FnMut(Range<usize>)) -> Option<()> {
        self.list(b'[', b']', |scanner| {
            let start = scanner.at;
            scanner.nested(MAX_DEPTH - 1)?;
            item(start..scanner.at);
            Some(())
        })
    }

    /// Goes through an object or an array. `entry` goes over one entry, the scanner over what is between them.
    #[inline]
    pub(super) fn list(
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
    pub(super) fn key(&mut self) -> Option<Range<usize>> {
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
    pub(super) fn value(&mut self) -> Option<()> {
        self.nested(MAX_DEPTH)
    }

    #[inline]
    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "it passes what it has seen, and so never the end of the text"
    )]
    fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Option<()> {
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
    fn nested(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' => {
                let depth = self.deeper(depth)?;
                let outer = self.words.count();
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

    fn deeper(&mut self, depth: usize) -> Option<usize> {
        let depth = depth.checked_sub(1);
        self.is_too_deep |= depth.is_none();
        depth
    }

    /// Remembers a key, to compare it with the others of its object.
    fn note(&mut self, place: Range<usize>) {
        let text = self.text.get(place.start..).unwrap_or_default();
        let key = text.get(..place.len()).unwrap_or_default();
        let word = if self.is_plain || !key.contains('\\') {
            word(text.as_bytes(), place.len())
        } else {
            let key = key_text(self.text, place);
            word(key.as_bytes(), key.len())
        };
        self.words.push(word);
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        self.rest().starts_with(word).then(|| self.advance(word.len()))
    }

    fn string(&mut self) -> Option<()> {
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

    fn escape(&mut self) -> Option<()> {
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

    fn code_unit(&mut self) -> Option<u32> {
        let digits = self.rest().first_chunk::<4>()?;
        self.advance(4);
        digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
    }

    fn number(&mut self) -> Option<()> {
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

    fn digits(&mut self) -> Option<&'a str> {
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
fn quote(text: &[u8]) -> Option<usize> {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cast::text::Traits;

    fn is_read_by_serde(text: &str) -> bool {
        serde_json::from_str::<serde_json::Value>(text).is_ok_and(|value| value.is_object())
    }

    #[test]
    fn what_jsonb_does_not_take_is_told() {
        assert_eq!(check("{\"a\":1e400}", false, false), Ok(()));
        assert_eq!(check("{\"a\":1e401}", false, false), Err(Code::OutOfRange));
        assert_eq!(check("[\"\\u0000\"]", true, false), Err(Code::NulCharacter));
        assert_eq!(check("[\"\\ud83d\\ude00\", \"\\ud83d\"]", true, false), Err(Code::WrongType));
        for is_plain in [false, true] {
            let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            assert_eq!(check(&deep(128), true, is_plain), Ok(()));
            assert_eq!(check(&deep(129), true, is_plain), Err(Code::OutOfRange));
        }
    }

    #[test]
    fn numbers_have_as_many_digits_as_numeric() {
        let digits = |count: usize| "1".repeat(count);
        let zeros = |count: usize| "0".repeat(count);
        for (number, fits) in [
            (digits(131_072), true),
            (digits(131_073), false),
            (format!("-{}.5", digits(131_072)), true),
            (format!("0.{}", digits(16_383)), true),
            (format!("0.{}", digits(16_384)), false),
            (format!("0.{}", zeros(16_384)), false),
            (format!("1.{}0", digits(16_383)), false),
            (format!("{}e2", digits(131_070)), true),
            (format!("{}e3", digits(131_070)), false),
            (format!("{}e-1", digits(131_073)), true),
            (format!("1.{}e1", digits(16_384)), true),
            (format!("1.{}e-1", digits(16_383)), false),
            (format!("1.{}e-1", digits(16_382)), true),
            ("1e-400".to_owned(), true),
            ("0e401".to_owned(), false),
            ("1e-401".to_owned(), false),
            ("1e99999999999999999999".to_owned(), false),
            ("1e-00000000000000000000000000001".to_owned(), true),
        ] {
            let expected = if fits { Ok(()) } else { Err(Code::OutOfRange) };
            for document in [format!("[{number}]"), format!("[1,[{number} ]]"), format!("[\"\\n\",{number}]")]
            {
                let is_plain = Traits::of(document.as_bytes()).is_plain;
                let head = &document[..document.len().min(40)];
                assert_eq!(check(&document, true, is_plain), expected, "{head} {}", document.len());
            }
        }
    }

    #[test]
    fn an_object_has_a_key_once_at_any_depth() {
        let many = |last: &str| {
            let keys: Vec<String> = (0..1_000).map(|key| format!("\"key {key}\":0")).collect();
            format!("[{{{},\"{last}\":1}}]", keys.join(","))
        };
        for (document, is_repeated) in [
            ("[{\"a\":1,\"b\":{\"a\":1},\"c\":[{\"a\":2},{\"a\":3}]}]".to_owned(), false),
            ("[{\"a\":1,\"a\":1}]".to_owned(), true),
            ("[[[{\"b\":[{\"x\":1, \"y\":2, \"x\":3}]}]]]".to_owned(), true),
            ("[{\"\":1,\"\":2}]".to_owned(), true),
            ("[{\"n\":1,\"\\u006e\":2}]".to_owned(), true),
            ("[{\"\\u006e\":1,\"n\":2}]".to_owned(), true),
            ("[{\"n\":1,\"\\\\u006e\":2}]".to_owned(), false),
            ("[{\"a/b\":1,\"a\\/b\":2}]".to_owned(), true),
            ("[{\"😀\":1,\"\\ud83d\\ude00\":2}]".to_owned(), true),
            ("[{\"é\":1,\"e\u{301}\":2}]".to_owned(), false),
            ("[{\"a\":1,\"A\":2}]".to_owned(), false),
            ("[{\"12345678\":1,\"123456789\":2,\"12345678 \":3}]".to_owned(), false),
            ("[{\"a long key of many bytes\":1,\"a long key of more bytes\":2}]".to_owned(), false),
            ("[{\"a long key of many bytes\":1,\"b\":0,\"a long key of many bytes\":2}]".to_owned(), true),
            (many("key 1000"), false),
            (many("key 0"), true),
            (many("key 999"), true),
        ] {
            let expected = if is_repeated { Err(Code::DuplicateMember) } else { Ok(()) };
            let is_plain = Traits::of(document.as_bytes()).is_plain;
            for document in [document.replace(',', ",\n"), document] {
                let is_plain = is_plain && !document.contains('\n');
                assert_eq!(check(&document, true, is_plain), expected, "{document}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_repeated_key_is_found_wherever_it_is(
            keys in prop::collection::vec("[ab]{1,3}|[ab]{7,18}", 1..40),
            nested in prop::collection::vec(0..40_usize, 0..6),
        ) {
            // Some keys hold what is left of the list as an object of its own.
            let mut objects = vec![Vec::<&str>::new()];
            let mut text = String::from("{");
            for (index, key) in keys.iter().enumerate() {
                let object = objects.last_mut().unwrap();
                text.push_str(if object.is_empty() { "" } else { ", " });
                object.push(key);
                text.push_str(&format!("\"{key}\":"));
                if nested.contains(&index) && index + 1 < keys.len() {
                    text.push('{');
                    objects.push(Vec::new());
                } else {
                    text.push('1');
                }
            }
            text.push_str(&"}".repeat(objects.len()));
            let is_repeated = objects.iter().any(|keys| {
                keys.iter().enumerate().any(|(index, key)| keys[..index].contains(key))
            });
            let expected = if is_repeated { Err(Code::DuplicateMember) } else { Ok(()) };
            prop_assert_eq!(check(&text, false, true), expected, "{}", text);
            prop_assert_eq!(check(&text, false, false), expected, "{}", text);
            prop_assert_eq!(check(&text.replace('a', "\\u0061"), false, false), expected, "{}", text);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn documents_are_those_of_another_parser(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u00e9\\n\"", "\"\\ud83d\\ude00\"", "\"\\x\"", "\"é", "\"",
                    "1", "0", "-", "01", "1.5", "1.", ".5", "1e5", "2E-3", "true", "false", "null", "nul", " ", "\n", "\t", "x",
                ]),
                0..12,
            ),
            is_wrapped in any::<bool>(),
        ) {
            let inside = pieces.concat();
            let text = if is_wrapped { format!("{{\"k\":[{inside}]}}") } else { format!("{{{inside}}}") };
            let found = check(&text, false, Traits::of(text.as_bytes()).is_plain);
            // Of great exponents the other parser takes the small numbers, as 0, and not the large ones; of a key that
            // occurs twice it takes the last value.
            prop_assume!(!matches!(found, Err(Code::OutOfRange | Code::DuplicateMember)));
            prop_assert_eq!(found.is_ok(), is_read_by_serde(&text), "{}", text);
        }

        #[test]
        fn the_quick_way_finds_the_members_that_the_scanner_does(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    "1,\"a\":", "[2],\"b c\": ", "{},\"\":", "{\"d\":", "}", "{", "}", "[", "]", ",", ", ", "\"\u{e9}\"", "1", "-0.5", "2e7", "1E+05", "3e-210",
                    "true", "null", " ",
                ]),
                0..14,
            ),
        ) {
            let text = format!("{{\"k\":{}}}", pieces.concat());
            let (mut quick, mut thorough) = (Vec::new(), Vec::new());
            let mut words = Words::default();
            if plain::object(text.as_bytes(), &mut words, |key, value| quick.push((key, value))).is_some() {
                let mut scanner = Scanner::new(&text, true);
                prop_assert!(scanner.object(|key, value| thorough.push((key, value))).is_some(), "{}", text);
                let is_passed = scanner.is_at_end() && !scanner.is_out_of_range && !scanner.may_repeat;
                prop_assert!(is_passed, "{}", text);
                prop_assert_eq!(quick, thorough);
            }
        }
    }
}
