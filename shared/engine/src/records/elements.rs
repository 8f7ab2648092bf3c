//! Reads the elements of JSON arrays as records.
//!
//! A file may consist of several documents, such as the pages of an API, each with its array. [`around`](super::around)
//! reads the JSON around the arrays strictly, so that no row in the wrong position is lost.

#![expect(
    clippy::indexing_slicing,
    reason = "`start` and `end` are within the buffer, and other positions are between them"
)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths and counts of bytes that were read, which are far below the maximum"
)]

use std::io::Read;

use memchr::{memchr_iter, memchr3};

use super::around::is_space;
use super::arrays::PreviousToken;
use super::record::{Record, RecordPosition, RecordState};
use super::{MAX_RAW_BYTES, Records};
use crate::error::{ReadError, UnreadableCode};

impl<R: Read> Records<R> {
    /// Returns the next element of the array that has been entered, or of the next document's array; `None` at the end.
    pub(crate) fn next_element(&mut self) -> Result<Option<Record>, ReadError> {
        while !self.arrays.is_over {
            let before = self.arrays.before;
            match (self.peek()?, before) {
                (None, _) => return Err(self.open_array()),
                (Some(b','), PreviousToken::Element | PreviousToken::BrokenElement) => {
                    self.bump();
                    self.arrays.before = PreviousToken::Comma;
                }
                (Some(b','), PreviousToken::Bracket | PreviousToken::Comma) => {
                    let record = self.no_element();
                    self.bump();
                    self.arrays.before = PreviousToken::Comma;
                    return Ok(Some(record));
                }
                (Some(b']'), PreviousToken::Comma) => {
                    let record = self.no_element();
                    self.arrays.before = PreviousToken::BrokenElement;
                    return Ok(Some(record));
                }
                (
                    Some(b']'),
                    PreviousToken::Bracket | PreviousToken::Element | PreviousToken::BrokenElement,
                ) => {
                    self.bump();
                    self.arrays.before = PreviousToken::Bracket;
                    self.arrays.is_over = !self.enter_next_array()?;
                }
                (Some(_), PreviousToken::Element) => return self.element(RecordState::NoComma).map(Some),
                (Some(_), PreviousToken::Bracket | PreviousToken::Comma | PreviousToken::BrokenElement) => {
                    return self.element(RecordState::Whole).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// Returns the record for a missing element.
    fn no_element(&mut self) -> Record {
        let position = self.position();
        Record { position, bytes: self.start..self.start, state: RecordState::NoElement }
    }

    /// Reads an element whose first byte is in the buffer. `state`: its state if it is not too long.
    fn element(&mut self, state: RecordState) -> Result<Record, ReadError> {
        let position = self.position();
        let mut scanner = ElementScanner::default();
        let mut scanned = 0;
        loop {
            let window = &self.data[self.start..self.end.min(self.start + self.max_record_bytes + 1)];
            let (length, is_done) = scanner.scan(&window[scanned..]);
            scanned += length;
            if scanned > self.max_record_bytes {
                self.skip_long_element(scanner, scanned, is_done)?;
                return Ok(Record { position, bytes: 0..0, state: RecordState::TooLong });
            }
            if is_done {
                // The scanner stops before an unmatched closing bracket. One byte is skipped, so that reading goes on.
                let scanned = scanned.max(1);
                let mut bytes = self.start..self.start + scanned;
                while bytes.end > bytes.start && is_space(self.data[bytes.end - 1]) {
                    bytes.end -= 1;
                }
                self.advance(scanned);
                self.arrays.before = scanner.before();
                return Ok(Record { position, bytes, state });
            }
            let before = self.end - self.start;
            self.fill((before * 2).max(1))?;
            if self.end - self.start == before && before <= scanned {
                return Err(self.open_array());
            }
        }
    }

    fn position(&mut self) -> RecordPosition {
        RecordPosition { line: self.lines + 1, byte_offset: self.input.source_offset(self.byte_offset) }
    }

    /// Skips bytes of the buffer and counts the lines in them.
    fn advance(&mut self, count: usize) {
        self.lines += memchr_iter(b'\n', &self.data[self.start..self.start + count]).count() as u64;
        self.consume(count);
    }

    fn skip_long_element(
        &mut self,
        mut scanner: ElementScanner,
        mut scanned: usize,
        mut is_done: bool,
    ) -> Result<(), ReadError> {
        self.too_long.clear();
        loop {
            // One byte more than the maximum shows that the record was truncated.
            let room = (MAX_RAW_BYTES + 1).saturating_sub(self.too_long.len());
            let part = &self.data[self.start..self.start + scanned];
            self.too_long.extend_from_slice(&part[..part.len().min(room)]);
            self.advance(scanned);
            if is_done {
                self.arrays.before = scanner.before();
                return Ok(());
            }
            self.fill(1)?;
            if self.start == self.end {
                return Err(self.open_array());
            }
            (scanned, is_done) = scanner.scan(&self.data[self.start..self.end]);
        }
    }

    fn open_array(&mut self) -> ReadError {
        self.unreadable(UnreadableCode::OpenArray, "the file ends within its array".to_owned())
    }
}

/// Finds the end of a value in consecutive parts of the input. For a malformed value, it finds the position from which
/// reading can continue: a string ends with its line, an object before a brace in place of a key.
#[derive(Debug, Default)]
struct ElementScanner {
    /// The opening brackets without a closing one.
    open: Vec<u8>,
    state: ElementState,
    has_begun: bool,
    /// The value is malformed, and ends where reading can continue.
    is_broken: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ElementState {
    #[default]
    Value,
    /// After the comma of an object.
    Key,
    String,
    Escape,
    /// Within a number or a word.
    Word,
    /// After a string that was not closed on its line, up to the next line with which an element may begin.
    Lost,
}

impl ElementScanner {
    fn before(&self) -> PreviousToken {
        if self.is_broken { PreviousToken::BrokenElement } else { PreviousToken::Element }
    }

    /// Returns how many of these bytes belong to the value, and whether it ends with them.
    fn scan(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                ElementState::Escape => {
                    self.state = ElementState::String;
                    at += 1;
                }
                ElementState::String => {
                    let Some(next) = memchr3(b'"', b'\\', b'\n', &bytes[at..]) else {
                        return (bytes.len(), false);
                    };
                    at += next + 1;
                    self.state = match bytes[at - 1] {
                        b'"' => ElementState::Value,
                        b'\\' => ElementState::Escape,
                        _ => ElementState::Lost,
                    };
                    self.is_broken |= self.state == ElementState::Lost;
                    if self.state == ElementState::Value && self.open.is_empty() {
                        return (at, true);
                    }
                }
                ElementState::Lost if byte == b'{' || byte == b']' => return (at, true),
                ElementState::Lost if is_space(byte) => at += 1,
                // The line belongs to the same element.
                ElementState::Lost => match memchr::memchr(b'\n', &bytes[at..]) {
                    Some(end) => at += end + 1,
                    None => return (bytes.len(), false),
                },
                ElementState::Word if !is_structural(byte) => at += 1,
                ElementState::Word if self.open.is_empty() => return (at, true),
                ElementState::Key if byte == b'{' => {
                    self.is_broken = true;
                    return (at, true);
                }
                ElementState::Value | ElementState::Key | ElementState::Word => {
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

    /// Processes a byte outside of strings. Returns true if it does not belong to the value.
    fn step(&mut self, byte: u8) -> bool {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        match byte {
            b'"' => self.state = ElementState::String,
            b'{' | b'[' => {
                self.open.push(byte);
                self.state = ElementState::Value;
            }
            b'}' => {
                self.is_broken |= self.open.last() != Some(&b'{');
                // Unclosed arrays in the object end with it.
                while self.open.pop().is_some_and(|open| open == b'[') {}
                self.state = ElementState::Value;
            }
            b']' if self.open.last() == Some(&b'[') => {
                self.open.pop();
                self.state = ElementState::Value;
            }
            // The bracket closes the array that contains the element.
            b']' => {
                self.is_broken = true;
                return !is_first;
            }
            b',' if self.open.is_empty() => return !is_first,
            b',' => {
                self.state =
                    if self.open.last() == Some(&b'{') { ElementState::Key } else { ElementState::Value };
            }
            byte if is_space(byte) || byte == b':' => {}
            _ => self.state = ElementState::Word,
        }
        false
    }
}

fn is_structural(byte: u8) -> bool {
    is_space(byte) || matches!(byte, b'"' | b'{' | b'}' | b'[' | b']' | b',' | b':')
}
