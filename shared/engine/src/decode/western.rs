//! Decides whether text of undeclared encoding may be decoded as windows-1252.
//!
//! Text in any other single-byte encoding can be decoded as windows-1252 too, with wrong letters. Such text is
//! recognised by implausible symbols and letters (`letters.rs`) and by `chardetng`, which has statistics of adjacent
//! letters in each language.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{
    Encoding, ISO_8859_2, ISO_8859_4, ISO_8859_13, WINDOWS_1250, WINDOWS_1252, WINDOWS_1254, WINDOWS_1257,
    WINDOWS_1258,
};

use super::letters::{Letters, NonAsciiByte, is_letter, is_punctuation};

/// Size of the sample of lines with bytes beyond ASCII.
const MAX_SAMPLE_BYTES: usize = 64 * 1024;
const NO_BREAK_SPACE: u8 = 0xa0;
/// Western text has runs of at most two letters beyond ASCII, except in a few Icelandic words.
const LONG_RUN: usize = 3;

/// The evidence that a text is not windows-1252.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignText {
    /// The offset of the evidence in the text.
    pub(super) offset: usize,
    pub(super) reason: &'static str,
    /// Possible encodings of the text.
    pub(super) candidates: &'static str,
}

/// Checks that a text that is not UTF-8 looks like a Western language when it is decoded as windows-1252.
///
/// # Errors
/// Returns the evidence that it is not windows-1252.
pub(super) fn check(text: &[u8]) -> Result<(), ForeignText> {
    let sample = NonAsciiLines::of(text);
    let foreign = |(offset, reason): (usize, &'static str)| ForeignText {
        offset: sample.offset_in(text, offset),
        reason,
        candidates: candidates(sample.guess, &sample.bytes),
    };
    sample
        .foreign_characters()
        .or_else(|| sample.foreign_language())
        .map_or(Ok(()), |evidence| Err(foreign(evidence)))
}

/// The lines of a text with bytes beyond ASCII.
struct NonAsciiLines {
    bytes: Vec<u8>,
    /// The start of each line: offset in the sample, offset in the text.
    starts: Vec<(usize, usize)>,
    /// The encoding that `chardetng` detects.
    guess: &'static Encoding,
}

impl NonAsciiLines {
    fn of(text: &[u8]) -> Self {
        let (mut bytes, mut starts, mut at) = (Vec::new(), Vec::new(), 0_usize);
        for line in text.split_inclusive(|byte| matches!(byte, b'\n' | b'\r')) {
            if bytes.len() >= MAX_SAMPLE_BYTES {
                break;
            }
            // A line that is UTF-8 is rejected in any case, so it is no evidence.
            if str::from_utf8(line).is_err() {
                starts.push((bytes.len(), at));
                bytes.extend_from_slice(line.get(..MAX_SAMPLE_BYTES).unwrap_or(line));
            }
            at = at.saturating_add(line.len());
        }
        let guess = guess(&bytes);
        Self { bytes, starts, guess }
    }

    fn offset_in(&self, text: &[u8], offset: usize) -> usize {
        let line = self.starts.iter().rfind(|(start, _)| *start <= offset);
        line.map_or(0, |(start, at)| at.saturating_add(offset.saturating_sub(*start))).min(text.len())
    }

    /// Returns the offset of the first byte that matches, if at least one in `per` of `all` matches.
    fn first_of_many(
        &self,
        matches: impl Fn(&NonAsciiByte<'_>) -> bool,
        all: usize,
        per: usize,
    ) -> Option<usize> {
        let mut matching = NonAsciiByte::all(&self.bytes).filter(matches);
        let first = matching.next()?;
        let count = matching.count().saturating_add(1);
        (count.saturating_mul(per) >= all).then_some(first.offset())
    }

    fn count(&self, matches: impl Fn(u8) -> bool) -> usize {
        self.bytes.iter().filter(|byte| !byte.is_ascii() && matches(**byte)).count()
    }

    /// Returns evidence from characters in positions that no Western language has.
    fn foreign_characters(&self) -> Option<(usize, &'static str)> {
        let (all, letters) = (self.count(|_| true), self.count(is_letter));
        let undefined = |byte: &NonAsciiByte<'_>| is_undefined(byte.byte);
        // A single undefined byte among other characters is treated as damage.
        if (self.count(is_undefined) > 1 || all < 3)
            && let Some(offset) = self.first_of_many(undefined, all, 10)
        {
            return Some((offset, "an undefined byte"));
        }
        let symbol = self.first_of_many(|byte| byte.is_symbol_in_word(), all, 10);
        let symbol = symbol.map(|offset| (offset, "a symbol inside a word"));
        let letter = || self.first_of_many(|byte| byte.is_out_of_place(), letters, 50);
        let capital = || self.first_of_many(|byte| byte.is_capital_in_word(), letters, 10);
        let run = || {
            let start = |runs: &LongRuns| runs.bytes.saturating_mul(2) >= all;
            Some(self.long_runs()).filter(start).and_then(|runs| runs.first)
        };
        let dash = || self.first_of_many(|byte| byte.is_dash_in_word(), all, 8);
        symbol
            .or_else(|| {
                letter().map(|offset| (offset, "a letter in a position where no Western language has it"))
            })
            .or_else(|| capital().map(|offset| (offset, "a capital letter after a lower-case one")))
            .or_else(|| run().map(|offset| (offset, "words without ASCII letters")))
            .or_else(|| dash().map(|offset| (offset, "a dash inside a word")))
    }

    fn long_runs(&self) -> LongRuns {
        let mut runs = LongRuns::default();
        let mut at = 0_usize;
        for run in self.bytes.split(|byte| byte.is_ascii() || is_punctuation(*byte)) {
            if run.len() >= LONG_RUN {
                runs.first = runs.first.or(Some(at));
                runs.bytes = runs.bytes.saturating_add(run.len());
            }
            at = at.saturating_add(run.len()).saturating_add(1);
        }
        runs
    }

    /// Returns evidence of another language: `chardetng` detects one, and letters are in positions that no Western
    /// language has. `chardetng` alone would be wrong for a few short Western words. It is given the letters only,
    /// without symbols.
    fn foreign_language(&self) -> Option<(usize, &'static str)> {
        let start = self.bytes.iter().position(|byte| !byte.is_ascii())?;
        if !self.guess.is_single_byte() && self.is_in_pairs() {
            return Some((start, "characters of a multi-byte encoding"));
        }
        if self.guess == encoding_rs::IBM866 && self.has_own_alphabet(|byte| !byte.is_ascii()) {
            return Some((start, "words without ASCII letters"));
        }
        let is_blank = |byte: &u8| !byte.is_ascii() && !is_letter(*byte);
        let words: Vec<u8> =
            self.bytes.iter().map(|byte| if is_blank(byte) { b' ' } else { *byte }).collect();
        let guess = guess(&words);
        if guess == WINDOWS_1252 {
            return None;
        }
        if !LATIN.contains(&guess) {
            return self.has_own_alphabet(is_letter).then_some((start, "words without ASCII letters"));
        }
        let others = Letters::of(&words);
        let is_foreign = |byte: &NonAsciiByte<'_>| {
            is_letter(byte.byte)
                && decode(guess, byte.byte) != decode(WINDOWS_1252, byte.byte)
                && byte.is_foreign_letter(&others)
        };
        let offset = self.first_of_many(is_foreign, self.count(is_letter), 20)?;
        Some((offset, "a letter in a position where no Western language has it"))
    }

    /// Returns whether at least half of the words with bytes beyond ASCII have no ASCII letters.
    fn has_own_alphabet(&self, is_in_word: impl Fn(u8) -> bool) -> bool {
        let words = self.bytes.split(|byte| !byte.is_ascii_alphabetic() && !is_in_word(*byte));
        let (mut all, mut own) = (0_usize, 0_usize);
        for word in words.filter(|word| !word.is_ascii()) {
            all = all.saturating_add(1);
            // A no-break space or a euro sign alone is not a word.
            let mut letters = word.iter().filter(|byte| **byte != NO_BREAK_SPACE);
            let first = letters.next();
            let has_several = letters.any(|byte| Some(byte) != first);
            if has_several && !word.iter().any(u8::is_ascii) {
                own = own.saturating_add(1);
            }
        }
        own > 0 && own.saturating_mul(2) >= all
    }

    /// Returns whether at least half of the bytes beyond ASCII are next to a different one.
    fn is_in_pairs(&self) -> bool {
        let runs = self.bytes.split(u8::is_ascii).filter(|run| !run.is_empty());
        let (mut all, mut paired) = (0_usize, 0_usize);
        for run in runs {
            all = all.saturating_add(run.len());
            if run.first().is_some_and(|first| run.iter().any(|byte| byte != first)) {
                paired = paired.saturating_add(run.len());
            }
        }
        paired.saturating_mul(2) >= all
    }
}

/// Runs of characters beyond ASCII.
#[derive(Debug, Default)]
struct LongRuns {
    first: Option<usize>,
    bytes: usize,
}

/// Encodings of languages with Latin letters, whose words also have ASCII letters.
const LATIN: [&Encoding; 7] =
    [WINDOWS_1250, ISO_8859_2, WINDOWS_1254, WINDOWS_1257, ISO_8859_13, ISO_8859_4, WINDOWS_1258];

/// Returns whether windows-1252 does not define a byte.
pub(super) fn is_undefined(byte: u8) -> bool {
    matches!(byte, 0x81 | 0x8d | 0x8f | 0x90 | 0x9d)
}

fn guess(text: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(text, true);
    detector.guess(None, Utf8Detection::Deny)
}

fn decode(encoding: &'static Encoding, byte: u8) -> Option<String> {
    let text = encoding.decode_without_bom_handling_and_without_replacement(std::slice::from_ref(&byte))?;
    Some(text.into_owned())
}

/// Returns the possible encodings of a text, given the one that `chardetng` detects.
fn candidates(guess: &'static Encoding, text: &[u8]) -> &'static str {
    // The bytes in which ISO-8859-15 differs from ISO-8859-1.
    let may_be_latin_9 =
        || text.iter().any(|byte| matches!(byte, 0xa4 | 0xa6 | 0xa8 | 0xb4 | 0xb8 | 0xbc..=0xbe));
    match guess.name() {
        "windows-1250" | "ISO-8859-2" if may_be_latin_9() => "`iso-8859-15`, `windows-1250` or `iso-8859-2`",
        "windows-1250" | "ISO-8859-2" => "`windows-1250` or `iso-8859-2`",
        "windows-1251" | "KOI8-U" | "IBM866" | "ISO-8859-5" => {
            "`windows-1251`, `koi8-r`, `koi8-u`, `ibm866` or `iso-8859-5`"
        }
        "windows-1253" | "ISO-8859-7" => "`windows-1253` or `iso-8859-7`",
        "windows-1254" => "`windows-1254`",
        "windows-1255" | "ISO-8859-8" => "`windows-1255` or `iso-8859-8`",
        "windows-1256" | "ISO-8859-6" => "`windows-1256` or `iso-8859-6`",
        "windows-1257" | "ISO-8859-13" | "ISO-8859-4" => "`windows-1257`, `iso-8859-13` or `iso-8859-4`",
        "windows-1258" => "`windows-1258`",
        "windows-874" => "`windows-874`",
        "Shift_JIS" | "EUC-JP" => "`shift_jis` or `euc-jp`",
        "GBK" | "gb18030" | "Big5" => "`gb18030` or `big5`",
        "EUC-KR" => "`euc-kr`",
        // A Western language in another encoding.
        _ if text.iter().any(|byte| matches!(byte, 0x80..=0x9f)) => {
            "`macintosh`, `windows-1250` or `windows-1254`"
        }
        _ => "`iso-8859-15`, `iso-8859-2` or `windows-1250`",
    }
}
