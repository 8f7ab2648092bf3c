//! The encoding of a file that has no byte-order mark and whose contract declares none.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Broken characters that make a file without any valid one windows-1252. A single one is taken for damage, and its row is
/// a reject: a wrong guess would store wrong letters.
const MIN_BROKEN: usize = 2;
/// Beside valid characters there must be at least three broken ones, and this many times as many as valid ones: two bytes of
/// windows-1252 are valid UTF-8 by chance once in a while.
const MIN_RATIO: usize = 4;
/// Western text has runs of at most a few letters beyond ASCII; Cyrillic, Greek and Chinese ones have longer runs.
const LONG_RUN: usize = 4;

/// The encoding that the head of a file is probably in.
pub(super) fn sniff_encoding(head: &[u8], is_whole: bool, may_be_windows_1252: bool) -> &'static Encoding {
    let zeros = |from: usize| head.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let (first, second, pairs) = (zeros(0), zeros(1), head.len() / 2);
    // Every other byte of a mostly Western text is zero, and no byte of UTF-8 text is.
    let is_most = |zeros: usize, others: usize| {
        zeros > 1 && zeros.saturating_mul(2) >= pairs && others.saturating_mul(16) <= pairs
    };
    if is_most(second, first) {
        UTF_16LE
    } else if is_most(first, second) {
        UTF_16BE
    } else if may_be_windows_1252 && is_windows_1252(head, is_whole) {
        WINDOWS_1252
    } else {
        UTF_8
    }
}

fn is_windows_1252(head: &[u8], is_whole: bool) -> bool {
    let Characters { valid, broken } = Characters::of(head, is_whole);
    let is_frequent = match valid {
        0 => broken >= MIN_BROKEN,
        valid => broken > MIN_BROKEN && broken >= valid.saturating_mul(MIN_RATIO),
    };
    is_frequent && is_western(head)
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

    /// Adds the characters of valid UTF-8: each has one byte that does not continue another.
    fn add_text(&mut self, text: &[u8]) {
        let starts = text.iter().filter(|byte| **byte >= 0xc0).count();
        self.valid = self.valid.saturating_add(starts);
    }
}

/// True when the text, read as windows-1252, looks like a Western language: every byte is a character, most characters beyond
/// ASCII are among ASCII ones, and most are no punctuation marks in the middle of a word.
fn is_western(head: &[u8]) -> bool {
    let is_unused = |byte: &u8| matches!(byte, 0 | 0x81 | 0x8d | 0x8f | 0x90 | 0x9d);
    // Of 0x80 to 0x9f all but Š, Œ, Ž, š, œ, ž, Ÿ, the single quotes and the dashes: those are letters in CP437 and CP850.
    let is_mark = |byte: u8| matches!(byte, 0x80..=0x89 | 0x8b | 0x93..=0x95 | 0x98 | 0x99 | 0x9b);
    let is_in_word = |window: &&[u8]| match window {
        [before, byte, after] => {
            before.is_ascii_alphabetic() && is_mark(*byte) && after.is_ascii_alphabetic()
        }
        _ => false,
    };
    let (mut alone, mut in_long_runs) = (0_usize, 0_usize);
    for run in head.split(u8::is_ascii) {
        let count = if run.len() >= LONG_RUN { &mut in_long_runs } else { &mut alone };
        *count = count.saturating_add(run.len());
    }
    let in_words = head.windows(3).filter(is_in_word).count();
    let all = alone.saturating_add(in_long_runs);
    !head.iter().any(is_unused) && in_long_runs <= alone && in_words.saturating_mul(2) <= all
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
