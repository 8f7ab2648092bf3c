//! Reads the JSON around the arrays whose elements are records: the objects that enclose them, and the text after them.
//!
//! It is read strictly, byte by byte. The file is refused if this JSON is malformed, or is not a sequence of documents as
//! the contract describes them.

#![expect(
    clippy::indexing_slicing,
    reason = "`start` and `end` are within the buffer, and other positions are between them"
)]
#![expect(clippy::arithmetic_side_effects, reason = "counts of lines and bytes that were read")]

use std::io::Read;

use encoding_rs::UTF_8;

use super::Records;
use super::keys::{HashedKeys, Surrogates, Utf8, decode_key};
use crate::cast::json::MAX_DEPTH;
use crate::error::{ReadError, UnreadableCode};

/// The maximum number of keys in an object around an array. The keys are stored to detect duplicates.
const MAX_KEYS: usize = 1_000_000;
/// The number of characters of a key that a message shows.
const MAX_SHOWN_CHARS: usize = 60;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl<R: Read> Records<R> {
    /// Enters the array of the first document. `path`: the keys that lead to it.
    pub(crate) fn enter_array(&mut self, path: &[String]) -> Result<(), ReadError> {
        self.arrays.path = path.to_vec();
        self.enter(path)
    }

    /// Reads the rest of a document after its array, and enters the array of the next document. Returns false if there is
    /// no other document.
    pub(super) fn enter_next_array(&mut self) -> Result<bool, ReadError> {
        let path = std::mem::take(&mut self.arrays.path);
        let is_entered = self.leave_array(&path).and_then(|()| self.enter_next(&path));
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

    /// Reads up to the value of a key in an object whose opening brace was read. Returns false if it has no such key.
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
            if !self.read_separator(b'}')? {
                return Ok(false);
            }
        }
    }

    /// Reads the rest of each object around an array.
    fn leave_array(&mut self, path: &[String]) -> Result<(), ReadError> {
        for depth in (0..path.len()).rev() {
            let mut keys = self.arrays.keys.pop().expect("`enter` added the keys of each object on the path");
            while self.read_separator(b'}')? {
                self.key(Some(&path[..depth]), &mut keys)?;
                self.skip_value()?;
            }
        }
        Ok(())
    }

    /// Enters the array of the next document. A byte-order mark before it, as in concatenated files, is skipped.
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

    /// Reads the character after a member or an element. Returns true for a comma, false for the end of the list.
    fn read_separator(&mut self, close: u8) -> Result<bool, ReadError> {
        let is_more = match self.peek()? {
            Some(b',') => true,
            Some(byte) if byte == close => false,
            Some(_) | None => return Err(self.malformed(&format!("`,` or `{}`", char::from(close)))),
        };
        self.bump();
        Ok(is_more)
    }

    /// Reads a key with its colon. `outer`: the path of its object if that encloses the array. Messages do not show the
    /// keys of other objects.
    fn key(&mut self, outer: Option<&[String]>, keys: &mut HashedKeys) -> Result<String, ReadError> {
        self.peek()?;
        let byte_offset = self.input.source_offset(self.byte_offset);
        let mut literal = Vec::new();
        self.string(&mut literal, self.max_record_bytes)?;
        self.expect(b':')?;
        let key = decode_key(&literal, self.input.text_encoding());
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

    /// Skips a value.
    fn skip_value(&mut self) -> Result<(), ReadError> {
        // For each open object and array, its closing bracket and the keys read in it.
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
                if self.read_separator(*close)? {
                    self.skip_key(*close, keys)?;
                    break;
                }
                open.pop();
            }
        }
    }

    /// Skips the next key if the list is an object.
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

    /// Reads a string and appends its first `max_bytes` bytes, with the quotes, to `literal`.
    fn string(&mut self, literal: &mut Vec<u8>, max_bytes: usize) -> Result<(), ReadError> {
        let mut push = |byte| {
            if literal.len() < max_bytes {
                literal.push(byte);
            }
        };
        self.expect(b'"')?;
        push(b'"');
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
                    push(b'"');
                    self.bump();
                    return Ok(());
                }
                Some(b'\\') => {
                    push(b'\\');
                    self.bump();
                    let Some(letter @ (b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u')) =
                        self.byte()?
                    else {
                        return Err(self.malformed("a letter that may be escaped"));
                    };
                    push(letter);
                    self.bump();
                    let fits = if letter == b'u' {
                        surrogates.accepts_unit(self.code_unit(&mut push)?)
                    } else {
                        surrogates.accepts_other()
                    };
                    if !fits {
                        return Err(self.malformed("a whole surrogate pair"));
                    }
                }
                Some(byte @ b' '..) => {
                    push(byte);
                    self.bump();
                }
                Some(_) | None => return Err(self.malformed("the rest of a string")),
            }
        }
    }

    /// Reads the four digits of an escaped code unit.
    fn code_unit(&mut self, push: &mut impl FnMut(u8)) -> Result<u16, ReadError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.byte()?.and_then(|digit| Some((digit, char::from(digit).to_digit(16)?)));
            let Some((digit, value)) = digit else { return Err(self.malformed("a hexadecimal digit")) };
            unit = unit << 4 | u16::try_from(value).expect("a digit below 16");
            push(digit);
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

    /// Returns the next byte that is not white space; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        while let Some(byte) = self.byte()? {
            if !is_space(byte) {
                return Ok(Some(byte));
            }
            self.bump();
        }
        Ok(None)
    }

    /// Returns the next byte; `None` at the end.
    fn byte(&mut self) -> Result<Option<u8>, ReadError> {
        if self.start == self.end {
            self.fill(1)?;
        }
        Ok(self.data[self.start..self.end].first().copied())
    }

    /// Skips one byte, which is in the buffer.
    pub(super) fn bump(&mut self) {
        self.lines += u64::from(self.data[self.start] == b'\n');
        self.consume(1);
    }

    /// Returns the error for another byte than the expected one, or for the end of the file.
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

/// Returns true for white space in JSON.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Formats a path of keys as `` `$.a.b` ``.
fn show(path: &[String]) -> String {
    let mut shown = "`$".to_owned();
    for name in path {
        shown.push('.');
        shown.push_str(name);
    }
    shown.push('`');
    shown
}
