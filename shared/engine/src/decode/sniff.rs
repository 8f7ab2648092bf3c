//! The encoding of a file that has no byte-order mark and whose contract declares none.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::chance;
use super::western::{self, Foreign};
use crate::error::{ReadError, UnreadableCode};

/// Broken characters that make a file without any valid one windows-1252. A single one is taken for damage, and its row is
/// a reject: a wrong guess would store wrong letters.
const MIN_BROKEN: usize = 2;
/// Beside valid characters there must be at least three broken ones, and this many times as many as valid ones: two bytes of
/// windows-1252 are valid UTF-8 by chance once in a while.
const MIN_RATIO: usize = 4;
/// A text has at most this share of NUL characters.
const MIN_BYTES_PER_NUL: usize = 100;

/// Returns the probable encoding of a file, given its first bytes. `is_ascii`: all of them are ASCII.
///
/// # Errors
/// If it is neither UTF-8, UTF-16 nor windows-1252.
pub(super) fn sniff_encoding(
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
    // Every other byte of a mostly Western text is zero, and no byte of UTF-8 text is.
    let is_most = |zeros: usize, others: usize| {
        zeros > 1 && zeros.saturating_mul(2) >= pairs && others.saturating_mul(16) <= pairs
    };
    if is_most(second, first) {
        Ok(UTF_16LE)
    } else if is_most(first, second) {
        Ok(UTF_16BE)
    } else if may_be_windows_1252 && is_text(head) && !is_utf_8(head, is_whole) {
        western::check(head).map_err(|foreign| refuse(head, &foreign))?;
        Ok(WINDOWS_1252)
    } else {
        Ok(UTF_8)
    }
}

/// False for a binary file.
fn is_text(head: &[u8]) -> bool {
    let zeros = head.iter().filter(|byte| **byte == 0).count();
    zeros <= 1 || zeros.saturating_mul(MIN_BYTES_PER_NUL) < head.len()
}

fn is_utf_8(head: &[u8], is_whole: bool) -> bool {
    match Characters::of(head, is_whole) {
        Characters { valid: 0, broken } => broken < MIN_BROKEN,
        Characters { valid, broken } => broken <= MIN_BROKEN || broken < valid.saturating_mul(MIN_RATIO),
    }
}

/// The values of the file are not shown: they may be secret.
fn refuse(head: &[u8], foreign: &Foreign) -> ReadError {
    let Foreign { offset, why, candidates } = foreign;
    let before = head.get(..*offset).unwrap_or_default();
    let line_end = if head.contains(&b'\n') { b'\n' } else { b'\r' };
    let line = before.iter().filter(|byte| **byte == line_end).count().saturating_add(1);
    let message = format!(
        "the encoding of the file is not known: it is not UTF-8, and as windows-1252 it would have {why} in line {line}; \
         declare `penstock.encoding`, which may be {candidates}, or deliver UTF-8"
    );
    let byte_offset = u64::try_from(*offset).expect("a place in memory fits into 64 bits");
    ReadError::Unreadable { code: UnreadableCode::UnknownEncoding, byte_offset, message }
}

/// The characters beyond ASCII of a text that may be UTF-8.
#[derive(Debug, Default, PartialEq, Eq)]
struct Characters {
    valid: usize,
    /// Sequences that are neither UTF-8 nor surrogates: text with those was encoded in a faulty way (CESU-8), and in no
    /// single-byte encoding.
    broken: usize,
}

impl Characters {
    fn of(head: &[u8], is_whole: bool) -> Self {
        let mut counts = Self::default();
        let mut rest = head;
        while let Err(error) = str::from_utf8(rest) {
            let (text, broken) = rest.split_at(error.valid_up_to());
            counts.add_text(text);
            // The head may end within a character.
            if error.error_len().is_none() && !is_whole {
                return counts;
            }
            let length = match broken {
                [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..] => {
                    counts.valid = counts.valid.saturating_add(1);
                    3
                }
                _ => {
                    counts.broken = counts.broken.saturating_add(1);
                    error.error_len().unwrap_or(broken.len())
                }
            };
            rest = broken.get(length..).unwrap_or_default();
        }
        counts.add_text(rest);
        counts
    }

    /// Adds the characters of valid UTF-8. One by chance is two of windows-1252.
    fn add_text(&mut self, text: &[u8]) {
        let text = str::from_utf8(text).expect("it ends before the first broken character");
        for is_chance in chance::characters(text) {
            if is_chance {
                self.broken = self.broken.saturating_add(2);
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
    fn characters_are_counted_and_not_bytes() {
        let count = |bytes: &[u8]| {
            let Characters { valid, broken } = Characters::of(bytes, true);
            (valid, broken)
        };
        assert_eq!(count("aé電😀".as_bytes()), (3, 0));
        assert_eq!(count(b"caf\xe9"), (0, 1));
        // A character cut short is one broken character, and a surrogate is none of windows-1252.
        assert_eq!(count(b"\xf0\x9f\x98 x"), (0, 1));
        assert_eq!(count(b"\xed\xa0\xbd\xed\xb8\x80"), (2, 0));
        assert_eq!(count(b"\xe9"), (0, 1));
        assert_eq!(Characters::of(b"\xc3", false), Characters::default());
    }
}
