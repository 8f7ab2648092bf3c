//! Detection of the encoding of a file without a byte-order mark and without a declared encoding.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::chance;
use super::western::{self, ForeignText};
use crate::error::{ReadError, UnreadableCode};

/// Number of invalid characters from which a file without valid ones is windows-1252. A single one is treated as damage
/// and its row rejected, because a wrong guess would store wrong letters.
const MIN_INVALID: usize = 2;
/// In a file that also has valid characters, there must be at least three invalid ones, and at least this many per
/// valid one. Two bytes of windows-1252 are occasionally valid UTF-8 by chance.
const MIN_RATIO: usize = 4;
/// A text has at most one NUL character in this many bytes.
const MIN_BYTES_PER_NUL: usize = 100;

/// Returns the probable encoding of a file, from its first bytes. `is_ascii`: all of them are ASCII.
///
/// # Errors
/// Returns an error if it is none of UTF-8, UTF-16 and windows-1252.
pub(super) fn detect_encoding(
    head: &[u8],
    is_ascii: bool,
    is_whole: bool,
    may_be_windows_1252: bool,
) -> Result<&'static Encoding, ReadError> {
    if is_ascii && memchr::memchr(0, head).is_none() {
        return Ok(UTF_8);
    }
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let (first, second, pairs) = (zeros(0), zeros(1), head.len() / 2);
    // In UTF-16, every other byte of a mostly Western text is zero. UTF-8 text has no zero bytes.
    let is_most = |zeros: usize, others: usize| {
        zeros > 1 && zeros.saturating_mul(2) >= pairs && others.saturating_mul(16) <= pairs
    };
    if is_most(second, first) {
        Ok(UTF_16LE)
    } else if is_most(first, second) {
        Ok(UTF_16BE)
    } else if may_be_windows_1252 && is_text(head) && !is_utf_8(head, is_whole) {
        western::check(head).map_err(|foreign| unknown_encoding(head, &foreign))?;
        Ok(WINDOWS_1252)
    } else {
        Ok(UTF_8)
    }
}

/// Returns false for a binary file.
fn is_text(head: &[u8]) -> bool {
    let zeros = head.iter().filter(|byte| **byte == 0).count();
    zeros <= 1 || zeros.saturating_mul(MIN_BYTES_PER_NUL) < head.len()
}

fn is_utf_8(head: &[u8], is_whole: bool) -> bool {
    match Characters::of(head, is_whole) {
        Characters { valid: 0, invalid } => invalid < MIN_INVALID,
        Characters { valid, invalid } => invalid <= MIN_INVALID || invalid < valid.saturating_mul(MIN_RATIO),
    }
}

/// Returns the error for a file in an unknown encoding. It does not quote the file, because its values may be
/// confidential.
fn unknown_encoding(head: &[u8], foreign: &ForeignText) -> ReadError {
    let ForeignText { offset, reason, candidates } = foreign;
    let before = head.get(..*offset).expect("the offset is within the head");
    let line_end = if head.contains(&b'\n') { b'\n' } else { b'\r' };
    let line = before.iter().filter(|byte| **byte == line_end).count().saturating_add(1);
    let message = format!(
        "the encoding of the file is unknown: it is not UTF-8, and decoded as windows-1252 it has {reason} in line {line}; \
         declare `penstock.encoding` (possibly {candidates}), or deliver UTF-8"
    );
    ReadError::Unreadable { code: UnreadableCode::UnknownEncoding, byte_offset: *offset as u64, message }
}

/// The numbers of characters beyond ASCII in a text that may be UTF-8.
#[derive(Debug, Default, PartialEq, Eq)]
struct Characters {
    valid: usize,
    /// Sequences that are neither UTF-8 nor encoded surrogates. Surrogates indicate CESU-8, not a single-byte encoding.
    invalid: usize,
}

impl Characters {
    fn of(head: &[u8], is_whole: bool) -> Self {
        let mut counts = Self::default();
        let mut rest = head;
        while let Err(error) = str::from_utf8(rest) {
            let (text, invalid) = rest.split_at(error.valid_up_to());
            counts.add_text(text);
            // The head may end inside a character.
            if error.error_len().is_none() && !is_whole {
                return counts;
            }
            let length = match invalid {
                [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => {
                    counts.valid = counts.valid.saturating_add(1);
                    3
                }
                _ => {
                    counts.invalid = counts.invalid.saturating_add(1);
                    error.error_len().unwrap_or(invalid.len())
                }
            };
            (_, rest) = invalid.split_at(length);
        }
        counts.add_text(rest);
        counts
    }

    /// Adds the characters of valid UTF-8. One that is UTF-8 by chance counts as two characters of windows-1252.
    fn add_text(&mut self, text: &[u8]) {
        let text = str::from_utf8(text).expect("the text ends before the first invalid character");
        for is_chance in chance::characters(text) {
            if is_chance {
                self.invalid = self.invalid.saturating_add(2);
            } else {
                self.valid = self.valid.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_rather_than_bytes() {
        let count = |bytes: &[u8]| {
            let Characters { valid, invalid } = Characters::of(bytes, true);
            (valid, invalid)
        };
        assert_eq!(count("aé電😀".as_bytes()), (3, 0));
        assert_eq!(count(b"caf\xe9"), (0, 1));
        // A truncated character is one invalid character, and a surrogate counts as valid.
        assert_eq!(count(b"\xf0\x9f\x98 x"), (0, 1));
        assert_eq!(count(b"\xed\xa0\xbd\xed\xb8\x80"), (2, 0));
        assert_eq!(count(b"\xe9"), (0, 1));
        assert_eq!(Characters::of(b"\xc3", false), Characters::default());
    }
}
