//! The elements of a JSON array as records, one at a time, wherever in the document the array is.

#![expect(
    clippy::indexing_slicing,
    reason = "`start` and `end` lie within the buffer, and places within the window between them"
)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths and counts of bytes that were read, far from the largest number"
)]

use std::io::Read;

use memchr::{memchr_iter, memchr3};

use super::{MAX_RAW_BYTES, Place, Record, RecordState, Records};
use crate::error::{ReadError, UnreadableCode};

/// A longer key is none that a path names.
const MAX_KEY_BYTES: usize = 1024;

impl<R: Read> Records<R> {
    /// Reads up to the inside of the array under that path of keys.
    pub(crate) fn enter_array(&mut self, path: &[String]) -> Result<(), ReadError> {
        for (depth, name) in path.iter().enumerate() {
            let place = &path[..depth];
            if self.peek()? != Some(b'{') {
                return Err(self.no_array(path, &format!("{} is no object", show(place))));
            }
            self.bump();
            if !self.enter_member(name)? {
                return Err(self.no_array(path, &format!("{} has no `{name}`", show(place))));
            }
        }
        if self.peek()? != Some(b'[') {
            return Err(self.no_array(path, "something else stands there"));
        }
        self.bump();
        Ok(())
    }

    fn no_array(&self, path: &[String], why: &str) -> ReadError {
        ReadError::Unreadable {
            code: UnreadableCode::NoArray,
            byte_offset: self.byte_offset,
            message: format!("there is no array at {}: {why}", show(path)),
        }
    }

    /// Reads up to the value of a key of an object whose brace was read. `false`: it has no such key.
    fn enter_member(&mut self, name: &str) -> Result<bool, ReadError> {
        let mut key = Vec::new();
        loop {
            match self.peek()? {
                Some(b',') => {
                    self.bump();
                    continue;
                }
                Some(b'"') => {}
                Some(_) | None => return Ok(false),
            }
            self.read_value(Some(&mut key))?;
            if self.peek()? != Some(b':') {
                return Ok(false);
            }
            self.bump();
            let is_it = serde_json::from_slice::<String>(&key).is_ok_and(|key| key == name);
            if is_it {
                return Ok(true);
            }
            self.peek()?;
            self.read_value(None)?;
        }
    }

    /// Reads over a value, and keeps it where that is asked for and it is short.
    fn read_value(&mut self, mut kept: Option<&mut Vec<u8>>) -> Result<(), ReadError> {
        if let Some(kept) = &mut kept {
            kept.clear();
        }
        let mut scanner = Scanner::default();
        loop {
            let window = &self.data[self.start..self.end];
            let (length, is_done) = scanner.scan(window);
            if let Some(kept) = &mut kept {
                let room = MAX_KEY_BYTES.saturating_sub(kept.len());
                kept.extend_from_slice(&window[..length.min(room)]);
            }
            self.lines += memchr_iter(b'\n', &window[..length]).count() as u64;
            self.consume(length);
            if is_done {
                return Ok(());
            }
            self.fill(1)?;
            if self.start == self.end {
                return Ok(());
            }
        }
    }

    /// The next byte that is not white space; `None` at the end.
    fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        loop {
            while let Some(byte) = self.data[self.start..self.end].first().copied() {
                if !byte.is_ascii_whitespace() {
                    return Ok(Some(byte));
                }
                self.bump();
            }
            self.fill(1)?;
            if self.start == self.end {
                return Ok(None);
            }
        }
    }

    fn bump(&mut self) {
        self.lines += u64::from(self.data[self.start] == b'\n');
        self.consume(1);
    }

    /// The next element. `None`: the array has ended.
    pub(crate) fn next_element(&mut self) -> Result<Option<Record>, ReadError> {
        if self.is_array_over {
            return Ok(None);
        }
        loop {
            match self.peek()? {
                Some(b',') => self.bump(),
                Some(b']') => {
                    self.is_array_over = true;
                    self.drain()?;
                    return Ok(None);
                }
                Some(_) => break,
                None => return Err(self.open_array()),
            }
        }
        let place = Place { line: self.lines + 1, byte_offset: self.input.source_offset(self.byte_offset) };
        let mut scanner = Scanner::default();
        let mut scanned = 0;
        loop {
            let window = &self.data[self.start..self.end.min(self.start + self.max_record_bytes + 1)];
            let (length, is_done) = scanner.scan(&window[scanned..]);
            scanned += length;
            if scanned > self.max_record_bytes {
                self.skip_long_element(scanner, scanned, is_done)?;
                return Ok(Some(Record { place, bytes: 0..0, state: RecordState::TooLong }));
            }
            if is_done {
                // A closing bracket that nothing opened would stop here for ever.
                let scanned = scanned.max(1);
                let content = self.data[self.start..self.start + scanned].trim_ascii_end().len();
                let bytes = self.start..self.start + content;
                self.take(scanned);
                return Ok(Some(Record { place, bytes, state: RecordState::Whole }));
            }
            let before = self.end - self.start;
            self.fill((before * 2).max(1))?;
            if self.end - self.start == before && before <= scanned {
                return Err(self.open_array());
            }
        }
    }

    fn take(&mut self, count: usize) {
        self.lines += memchr_iter(b'\n', &self.data[self.start..self.start + count]).count() as u64;
        self.consume(count);
    }

    fn skip_long_element(
        &mut self,
        mut scanner: Scanner,
        mut scanned: usize,
        mut is_done: bool,
    ) -> Result<(), ReadError> {
        self.too_long.clear();
        loop {
            // One byte more than is kept tells that the record was cut.
            let room = (MAX_RAW_BYTES + 1).saturating_sub(self.too_long.len());
            let seen = &self.data[self.start..self.start + scanned];
            self.too_long.extend_from_slice(&seen[..seen.len().min(room)]);
            self.take(scanned);
            if is_done {
                return Ok(());
            }
            self.fill(1)?;
            if self.start == self.end {
                return Err(self.open_array());
            }
            (scanned, is_done) = scanner.scan(&self.data[self.start..self.end]);
        }
    }

    fn open_array(&self) -> ReadError {
        ReadError::Unreadable {
            code: UnreadableCode::OpenArray,
            byte_offset: self.byte_offset,
            message: "the file ends before its array does".to_owned(),
        }
    }

    /// What stands after the array is read, so that damage there is told, and not looked at.
    fn drain(&mut self) -> Result<(), ReadError> {
        while self.start < self.end {
            self.take(self.end - self.start);
            self.fill(1)?;
        }
        Ok(())
    }
}

/// Finds the end of a value, a piece at a time. Of values that are no JSON it finds the place from which reading can
/// go on: a string ends with its line, an object before a brace where a key should be.
#[derive(Debug, Default)]
struct Scanner {
    /// Brackets that are open.
    open: Vec<u8>,
    state: State,
    has_begun: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Value,
    /// After the comma of an object.
    Key,
    String,
    Escape,
    /// Within a number or a word.
    Word,
    /// After a string that was not closed on its line, up to the next line on which an element may begin.
    Lost,
}

impl Scanner {
    /// How many of these bytes belong to the value, and whether it ends with them.
    fn scan(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::Escape => {
                    self.state = State::String;
                    at += 1;
                }
                State::String => {
                    let Some(next) = memchr3(b'"', b'\\', b'\n', &bytes[at..]) else {
                        return (bytes.len(), false);
                    };
                    at += next + 1;
                    self.state = match bytes[at - 1] {
                        b'"' => State::Value,
                        b'\\' => State::Escape,
                        _ => State::Lost,
                    };
                    if self.state == State::Value && self.open.is_empty() {
                        return (at, true);
                    }
                }
                State::Lost if byte == b'{' || byte == b']' => return (at, true),
                State::Lost if byte.is_ascii_whitespace() => at += 1,
                // A line of the same element.
                State::Lost => match memchr::memchr(b'\n', &bytes[at..]) {
                    Some(end) => at += end + 1,
                    None => return (bytes.len(), false),
                },
                State::Word if !is_structural(byte) => at += 1,
                State::Word if self.open.is_empty() => return (at, true),
                State::Key if byte == b'{' => return (at, true),
                State::Value | State::Key | State::Word => {
                    if self.step(byte) {
                        return (at, true);
                    }
                    at += 1;
                    if self.open.is_empty() && matches!(byte, b'}' | b']') {
                        return (at, true);
                    }
                }
            }
        }
        (at, false)
    }

    /// Takes a byte outside of strings. `true`: it no longer belongs to the value.
    fn step(&mut self, byte: u8) -> bool {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        match byte {
            b'"' => self.state = State::String,
            b'{' | b'[' => {
                self.open.push(byte);
                self.state = State::Value;
            }
            b'}' => {
                // Arrays that were not closed within the object end with it.
                while self.open.pop().is_some_and(|open| open == b'[') {}
                self.state = State::Value;
            }
            b']' if self.open.last() == Some(&b'[') => {
                self.open.pop();
                self.state = State::Value;
            }
            // It closes the array that the element is in.
            b']' => return !is_first,
            b',' if self.open.is_empty() => return !is_first,
            b',' => {
                self.state = if self.open.last() == Some(&b'{') { State::Key } else { State::Value };
            }
            byte if byte.is_ascii_whitespace() || byte == b':' => {}
            _ => self.state = State::Word,
        }
        false
    }
}

fn is_structural(byte: u8) -> bool {
    byte.is_ascii_whitespace() || matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':')
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
