//! The JSON around the arrays whose elements are records: the objects on the way to them, and what comes after them.
//!
//! It is read strictly, byte by byte: what is not well-formed, or is something else than the documents that the contract
//! describes, makes the file unreadable.

#![expect(
    clippy::indexing_slicing,
    reason = "`start` and `end` lie within the buffer, and places within the window between them"
)]
#![expect(clippy::arithmetic_side_effects, reason = "counts of lines and bytes that were read")]

use std::io::Read;

use encoding_rs::UTF_8;

use super::Records;
use super::keys::{HashedKeys, Surrogates, Utf8, text_of_key};
use crate::cast::json::MAX_DEPTH;
use crate::error::{ReadError, UnreadableCode};

/// Keys of an object around an array. They are remembered, to find those that it has twice.
const MAX_KEYS: usize = 1_000_000;
/// Characters of a key that a message shows.
const MAX_SHOWN_CHARS: usize = 60;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl<R: Read> Records<R> {
    /// Reads up to the inside of the first document's array, under that path of keys.
    pub(crate) fn enter_array(&mut self, path: &[String]) -> Result<(), ReadError> {
        self.arrays.path = path.to_vec();
        self.enter(path)
    }

    /// Reads what comes after an array in its document, and up to the inside of the next document's array. `false`: there is
    /// no other document.
    pub(super) fn enter_next_array(&mut self) -> Result<bool, ReadError> {
        let path = std::mem::take(&mut self.arrays.path);
        let is_entered = self.leave(&path).and_then(|()| self.enter_next(&path));
        self.arrays.path = path;
        is_entered
    }

    fn enter(&mut self, path: &[String]) -> Result<(), ReadError> {
        self.arrays.keys.clear();
        for (depth, name) in path.iter().enumerate() {
            let outer = &path[..depth];
            if self.peek()? != Some(b'{') {
                return Err(self.no_array(path, &format!("{} is not an object", show(outer))));
            }
            self.bump();
            let mut keys = HashedKeys::default();
            let is_entered = self.enter_member(outer, name, &mut keys)?;
            self.arrays.keys.push(keys);
            if !is_entered {
                return Err(self.no_array(path, &format!("{} has no key `{name}`", show(outer))));
            }
        }
        if self.peek()? != Some(b'[') {
            return Err(self.no_array(path, "the value there is not an array"));
        }
        self.bump();
        Ok(())
    }

    fn no_array(&mut self, path: &[String], why: &str) -> ReadError {
        self.unreadable(UnreadableCode::NoArray, format!("there is no array at {}: {why}", show(path)))
    }

    /// Reads up to the value of a key of an object whose brace was read. `false`: it has no such key.
    fn enter_member(
        &mut self,
        outer: &[String],
        name: &str,
        keys: &mut HashedKeys,
    ) -> Result<bool, ReadError> {
        if self.peek()? == Some(b'}') {
            return Ok(false);
        }
        loop {
            if self.key(Some(outer), keys)? == name {
                return Ok(true);
            }
            self.skip_value()?;
            if !self.more(b'}')? {
                return Ok(false);
            }
        }
    }

    /// Reads the rest of each object around an array.
    fn leave(&mut self, path: &[String]) -> Result<(), ReadError> {
        for depth in (0..path.len()).rev() {
            let mut keys = self.arrays.keys.pop().unwrap_or_default();
            while self.more(b'}')? {
                self.key(Some(&path[..depth]), &mut keys)?;
                self.skip_value()?;
            }
        }
        Ok(())
    }

    /// Enters the document after another one. Its byte-order mark is left where files were put together.
    fn enter_next(&mut self, path: &[String]) -> Result<bool, ReadError> {
        let is_marked = self.input.text_encoding() == UTF_8;
        while let Some(byte) = self.peek()? {
            if is_marked && byte == BYTE_ORDER_MARK[0] && self.head(BYTE_ORDER_MARK.len())? == BYTE_ORDER_MARK
            {
                self.consume(BYTE_ORDER_MARK.len());
                continue;
            }
            if matches!(byte, b'{' | b'[') {
                self.enter(path)?;
                return Ok(true);
            }
            return Err(self.malformed("another document or the end of the file"));
        }
        Ok(false)
    }

    /// Reads what comes after a member or an item: `true` for a comma, `false` for the end of the list.
    fn more(&mut self, close: u8) -> Result<bool, ReadError> {
        let is_more = match self.peek()? {
            Some(b',') => true,
            Some(byte) if byte == close => false,
            Some(_) | None => return Err(self.malformed(&format!("`,` or `{}`", char::from(close)))),
        };
        self.bump();
        Ok(is_more)
    }

    /// Reads a key with its colon. `outer`: where its object is, on the way to the array; the keys of other objects are not shown.
    fn key(&mut self, outer: Option<&[String]>, keys: &mut HashedKeys) -> Result<String, ReadError> {
        self.peek()?;
        let byte_offset = self.input.source_offset(self.byte_offset);
        let mut literal = Vec::new();
        self.string(&mut literal, self.max_record_bytes)?;
        self.expect(b':')?;
        let key = text_of_key(&literal, self.input.text_encoding());
        let Some(key) = key.filter(|_| literal.len() < self.max_record_bytes) else {
            let message =
                format!("the JSON around the array has a key of more than {} bytes", self.max_record_bytes);
            return Err(ReadError::Unreadable {
                code: UnreadableCode::MalformedDocument,
                byte_offset,
                message,
            });
        };
        if keys.len() == MAX_KEYS {
            let message = format!("an object around the array has more than {MAX_KEYS} keys");
            return Err(ReadError::Unreadable {
                code: UnreadableCode::MalformedDocument,
                byte_offset,
                message,
            });
        }
        if !keys.add(&key) {
            let message = match outer {
                Some(outer) => {
                    let key: String = key.chars().take(MAX_SHOWN_CHARS).collect();
                    format!("{} has the key `{key}` twice", show(outer))
                }
                None => "an object in the JSON around the array has a key twice".to_owned(),
            };
            return Err(ReadError::Unreadable {
                code: UnreadableCode::DuplicateMember,
                byte_offset,
                message,
            });
        }
        Ok(key)
    }

    /// Reads over a value.
    fn skip_value(&mut self) -> Result<(), ReadError> {
        // The closing brackets of what is open, and the keys so far.
        let mut open: Vec<(u8, HashedKeys)> = Vec::new();
        loop {
            let close = match self.peek()? {
                Some(b'{') => Some(b'}'),
                Some(b'[') => Some(b']'),
                Some(_) | None => None,
            };
            match close {
                None => self.skip_scalar()?,
                Some(_) if open.len() == MAX_DEPTH => {
                    let message = format!("the JSON is nested more than {MAX_DEPTH} levels deep");
                    return Err(self.unreadable(UnreadableCode::MalformedDocument, message));
                }
                Some(close) => {
                    self.bump();
                    if self.peek()? == Some(close) {
                        self.bump();
                    } else {
                        let mut keys = HashedKeys::default();
                        self.skip_key(close, &mut keys)?;
                        open.push((close, keys));
                        continue;
                    }
                }
            }
            loop {
                let Some((close, keys)) = open.last_mut() else { return Ok(()) };
                if self.more(*close)? {
                    self.skip_key(*close, keys)?;
                    break;
                }
                open.pop();
            }
        }
    }

    /// Reads over the key that comes next, if the list is an object.
    fn skip_key(&mut self, close: u8, keys: &mut HashedKeys) -> Result<(), ReadError> {
        if close == b'}' {
            self.key(None, keys)?;
        }
        Ok(())
    }

    fn skip_scalar(&mut self) -> Result<(), ReadError> {
        match self.peek()? {
            Some(b'"') => self.string(&mut Vec::new(), 0),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) | None => Err(self.malformed("a value")),
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), ReadError> {
        for letter in word {
            if self.byte()? != Some(*letter) {
                return Err(self.malformed(&format!("`{}`", word.escape_ascii())));
            }
            self.bump();
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), ReadError> {
        if self.byte()? == Some(b'-') {
            self.bump();
        }
        if self.byte()? == Some(b'0') {
            self.bump();
        } else {
            self.digits()?;
        }
        if self.byte()? == Some(b'.') {
            self.bump();
            self.digits()?;
        }
        if matches!(self.byte()?, Some(b'e' | b'E')) {
            self.bump();
            if matches!(self.byte()?, Some(b'+' | b'-')) {
                self.bump();
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ReadError> {
        if !self.byte()?.is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.malformed("a digit"));
        }
        while self.byte()?.is_some_and(|byte| byte.is_ascii_digit()) {
            self.bump();
        }
        Ok(())
    }

    /// Reads a string, and keeps as many bytes of it as asked for, with the quotes.
    fn string(&mut self, kept: &mut Vec<u8>, max_bytes: usize) -> Result<(), ReadError> {
        let mut keep = |byte| {
            if kept.len() < max_bytes {
                kept.push(byte);
            }
        };
        self.expect(b'"')?;
        keep(b'"');
        let is_utf_8 = self.input.text_encoding() == UTF_8;
        let (mut utf_8, mut surrogates) = (Utf8::default(), Surrogates::default());
        loop {
            let byte = self.byte()?;
            if is_utf_8 && byte.is_some_and(|byte| !utf_8.accepts(byte)) {
                return Err(self.malformed("text in UTF-8"));
            }
            if byte.is_some_and(|byte| byte != b'\\') && !surrogates.accepts_other() {
                return Err(self.malformed("the second half of a surrogate pair"));
            }
            match byte {
                Some(b'"') => {
                    keep(b'"');
                    self.bump();
                    return Ok(());
                }
                Some(b'\\') => {
                    keep(b'\\');
                    self.bump();
                    let letter = self.byte()?;
                    if !matches!(letter, Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u'))
                    {
                        return Err(self.malformed("a letter that may be escaped"));
                    }
                    keep(letter.unwrap_or_default());
                    self.bump();
                    let fits = if letter == Some(b'u') {
                        surrogates.accepts_unit(self.code_unit(&mut keep)?)
                    } else {
                        surrogates.accepts_other()
                    };
                    if !fits {
                        return Err(self.malformed("no half of a surrogate pair"));
                    }
                }
                Some(b' '..) => {
                    self.byte()?.into_iter().for_each(&mut keep);
                    self.bump();
                }
                Some(_) | None => return Err(self.malformed("the rest of a string")),
            }
        }
    }

    /// Reads the four digits of an escaped code unit.
    fn code_unit(&mut self, keep: &mut impl FnMut(u8)) -> Result<u16, ReadError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.byte()?.and_then(|digit| Some((digit, char::from(digit).to_digit(16)?)));
            let Some((digit, value)) = digit else { return Err(self.malformed("a hexadecimal digit")) };
            unit = unit << 4 | u16::try_from(value).expect("a digit below 16");
            keep(digit);
            self.bump();
        }
        Ok(unit)
    }

    fn expect(&mut self, byte: u8) -> Result<(), ReadError> {
        if self.peek()? != Some(byte) {
            return Err(self.malformed(&format!("`{}`", char::from(byte))));
        }
        self.bump();
        Ok(())
    }

    /// The next byte that is not white space; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        while let Some(byte) = self.byte()? {
            if !is_space(byte) {
                return Ok(Some(byte));
            }
            self.bump();
        }
        Ok(None)
    }

    /// The next byte; `None` at the end.
    fn byte(&mut self) -> Result<Option<u8>, ReadError> {
        if self.start == self.end {
            self.fill(1)?;
        }
        Ok(self.data[self.start..self.end].first().copied())
    }

    /// Passes over the byte in sight.
    pub(super) fn bump(&mut self) {
        self.lines += u64::from(self.data[self.start] == b'\n');
        self.consume(1);
    }

    /// What is in sight is something else, or the file has ended.
    fn malformed(&mut self, expected: &str) -> ReadError {
        let Some(byte) = self.data[self.start..self.end].first().copied() else {
            let message = format!("the file ends within its JSON document, where {expected} is expected");
            return self.unreadable(UnreadableCode::TruncatedFile, message);
        };
        let found = match byte {
            b'!'..=b'~' => char::from(byte).to_string(),
            _ => byte.escape_ascii().to_string(),
        };
        let message = format!("the JSON around the array has `{found}` where {expected} is expected");
        self.unreadable(UnreadableCode::MalformedDocument, message)
    }

    pub(super) fn unreadable(&mut self, code: UnreadableCode, message: String) -> ReadError {
        ReadError::Unreadable { code, byte_offset: self.input.source_offset(self.byte_offset), message }
    }
}

/// White space of JSON.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

fn show(path: &[String]) -> String {
    let mut shown = "`$".to_owned();
    for name in path {
        shown.push('.');
        shown.push_str(name);
    }
    shown.push('`');
    shown
}
