//! Splits a stream of bytes into records with their positions. The buffer is at most as large as the longest record needs.

#![expect(
    clippy::indexing_slicing,
    reason = "`start` and `end` are within the buffer, and other positions are between them"
)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths and counts of bytes that were read, which are far below the maximum"
)]

mod around;
mod arrays;
mod elements;
mod keys;
mod record;
mod terminator;

use std::io::Read;

use memchr::{memchr, memchr_iter};

use crate::decode::Decoded;
use crate::delimited::{
    Delimiter, Framing, QuotedSplit, Quoting, Scanned, Span, scan, split_line, split_quoted, split_unquoted,
};
use crate::error::ReadError;
pub(crate) use crate::outcome::MAX_RAW_BYTES;
use arrays::ArrayCursor;
pub(crate) use record::{Record, RecordPosition, RecordState};
pub(crate) use terminator::detect_terminator;

const BUFFER_BYTES: usize = 256 * 1024;

/// A reader of the records of a stream.
pub(crate) struct Records<R: Read> {
    pub(crate) input: Decoded<R>,
    data: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    /// The offset of `data[start]` in the text.
    byte_offset: u64,
    /// The number of lines before `data[start]`.
    lines: u64,
    /// The last byte of a line end: `\n`, or `\r` in files whose line ends have no `\n`.
    terminator: u8,
    /// The prefix of comment lines; empty if there are none.
    comment: Vec<u8>,
    max_record_bytes: usize,
    /// The position among JSON arrays, if records are their elements.
    arrays: ArrayCursor,
    /// The beginning of the last record that was too long.
    too_long: Vec<u8>,
}

impl<R: Read> Records<R> {
    pub(crate) fn new(input: Decoded<R>, max_record_bytes: usize) -> Self {
        Self {
            input,
            data: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            at_end: false,
            byte_offset: 0,
            lines: 0,
            terminator: b'\n',
            comment: Vec::new(),
            max_record_bytes,
            arrays: ArrayCursor::default(),
            too_long: Vec::new(),
        }
    }

    /// Returns the next `count` bytes without consuming them; fewer at the end of the stream.
    pub(crate) fn head(&mut self, count: usize) -> Result<&[u8], ReadError> {
        self.fill(count)?;
        Ok(&self.data[self.start..self.end.min(self.start + count)])
    }

    /// Returns the number of bytes that suffice to frame any record: those of the longest record, and two for its line end.
    pub(crate) fn max_framed_bytes(&self) -> usize {
        self.max_record_bytes + 2
    }

    pub(crate) fn set_terminator(&mut self, terminator: u8) {
        self.terminator = terminator;
    }

    /// Sets the prefix of comment lines, which count as blank lines.
    pub(crate) fn set_comment(&mut self, comment: Option<&str>) {
        self.comment = comment.unwrap_or_default().as_bytes().to_vec();
    }

    /// Skips a line, regardless of its content.
    pub(crate) fn skip_line(&mut self) -> Result<(), ReadError> {
        self.fill(1)?;
        if self.start < self.end { self.skip_too_long() } else { Ok(()) }
    }

    pub(crate) fn terminator(&self) -> u8 {
        self.terminator
    }

    /// Returns the number of lines read so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// Returns the bytes of the record that was read last. A record that is too long is truncated to one byte more than
    /// [`MAX_RAW_BYTES`].
    pub(crate) fn bytes(&self, record: &Record) -> &[u8] {
        match record.state {
            RecordState::TooLong => &self.too_long,
            RecordState::Whole
            | RecordState::OpenQuote
            | RecordState::TextAfterQuote
            | RecordState::SpaceBeforeQuote
            | RecordState::NoElement
            | RecordState::NoComma => &self.data[record.bytes.clone()],
        }
    }

    /// Returns the next record that is not a blank line, and stores the positions of its fields, if any, in `spans`.
    pub(crate) fn next(
        &mut self,
        framing: Framing<'_>,
        spans: &mut Vec<Span>,
    ) -> Result<Option<Record>, ReadError> {
        if let Framing::Elements = framing {
            return self.next_element();
        }
        // The window includes the line end of the longest record. Thus the result does not depend on how many bytes after
        // it were read.
        let max_framed_bytes = self.max_framed_bytes();
        loop {
            let window = &self.data[self.start..self.end.min(self.start + max_framed_bytes)];
            if window.is_empty() {
                self.fill(1)?;
                if self.start == self.end {
                    return Ok(None);
                }
                continue;
            }
            let extent = WindowExtent {
                is_whole: self.at_end && window.len() == self.end - self.start,
                is_full: window.len() == max_framed_bytes,
            };
            let position = RecordPosition {
                line: self.lines + 1,
                byte_offset: self.input.source_offset(self.byte_offset),
            };
            let lines = LineRules {
                terminator: self.terminator,
                comment: &self.comment,
                max_record_bytes: self.max_record_bytes,
            };
            match frame(window, extent, lines, framing, spans) {
                Framed::More => {
                    let min_bytes = (window.len() * 2).min(max_framed_bytes);
                    self.fill(min_bytes)?;
                }
                Framed::Blank(total) => {
                    self.lines += 1;
                    self.consume(total);
                }
                Framed::TooLong => {
                    self.skip_too_long()?;
                    return Ok(Some(Record { position, bytes: 0..0, state: RecordState::TooLong }));
                }
                Framed::Record { content, total, lines, state } => {
                    let bytes = self.start..self.start + content;
                    self.lines += lines;
                    self.consume(total);
                    return Ok(Some(Record { position, bytes, state }));
                }
            }
        }
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.byte_offset += count as u64;
    }

    /// Reads until the buffer has at least `min_bytes` bytes, or the stream ends.
    fn fill(&mut self, min_bytes: usize) -> Result<(), ReadError> {
        if self.at_end || self.end - self.start >= min_bytes {
            return Ok(());
        }
        self.data.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.data.len() < min_bytes {
            self.data.resize(min_bytes, 0);
        }
        while self.end < min_bytes {
            match self.input.read(&mut self.data[self.end..])? {
                0 => {
                    self.at_end = true;
                    break;
                }
                count => self.end += count,
            }
        }
        Ok(())
    }

    /// Skips a line that may be longer than the buffer, and stores its beginning in `too_long`.
    fn skip_too_long(&mut self) -> Result<(), ReadError> {
        self.too_long.clear();
        loop {
            let rest = &self.data[self.start..self.end];
            let line_end = memchr(self.terminator, rest);
            let line = &rest[..line_end.unwrap_or(rest.len())];
            // One byte more than the maximum shows that the record was truncated.
            let room = (MAX_RAW_BYTES + 1).saturating_sub(self.too_long.len());
            self.too_long.extend_from_slice(&line[..line.len().min(room)]);
            let skipped = line_end.map_or(rest.len(), |line_end| line_end + 1);
            self.consume(skipped);
            if line_end.is_none() {
                self.fill(1)?;
            }
            if line_end.is_some() || self.start == self.end {
                self.lines += 1;
                return Ok(());
            }
        }
    }
}

/// The extent of the window in which a record is framed.
#[derive(Debug, Clone, Copy)]
struct WindowExtent {
    /// The window ends with the stream.
    is_whole: bool,
    /// A record that does not end in the window is too long.
    is_full: bool,
}

/// The result of framing the beginning of a window.
#[derive(Debug, PartialEq, Eq)]
enum Framed {
    /// The window is too short.
    More,
    /// A blank line or a comment, with its length.
    Blank(usize),
    TooLong,
    /// A record: its length without and with the line end, its number of lines, and its state.
    Record {
        content: usize,
        total: usize,
        lines: u64,
        state: RecordState,
    },
}

/// The rules for lines.
#[derive(Clone, Copy)]
struct LineRules<'a> {
    terminator: u8,
    comment: &'a [u8],
    max_record_bytes: usize,
}

#[inline(always)]
fn frame(
    window: &[u8],
    extent: WindowExtent,
    lines: LineRules<'_>,
    framing: Framing<'_>,
    spans: &mut Vec<Span>,
) -> Framed {
    let framed = match frame_fast(window, lines, framing, spans) {
        Some(framed) => framed,
        None => frame_slow(window, extent, lines, framing, spans),
    };
    if let Some(quoting) = framing.quoting()
        && quoting.blanks.are_skipped()
    {
        quoting.skip_blanks(window, spans);
    }
    framed
}

/// The fast path, which frames nearly every record of nearly every file. Returns `None` for the others.
#[inline(always)]
fn frame_fast(
    window: &[u8],
    lines: LineRules<'_>,
    framing: Framing<'_>,
    spans: &mut Vec<Span>,
) -> Option<Framed> {
    let Framing::Delimited { marks: Some(marks), .. } = framing else { return None };
    if !lines.comment.is_empty() && window.starts_with(lines.comment) {
        return None;
    }
    let Scanned { content, total, lines: ends } = scan(window, marks, spans)?;
    let is_short = content <= lines.max_record_bytes;
    is_short.then_some(Framed::Record { content, total, lines: ends, state: RecordState::Whole })
}

/// The slow path, which frames every record.
fn frame_slow(
    window: &[u8],
    extent: WindowExtent,
    lines: LineRules<'_>,
    framing: Framing<'_>,
    spans: &mut Vec<Span>,
) -> Framed {
    let LineRules { terminator, comment, max_record_bytes } = lines;
    let (line_end, total) = match memchr(terminator, window) {
        Some(line_end) => (line_end, line_end + 1),
        None if extent.is_whole || extent.is_full => (window.len(), window.len()),
        None => return Framed::More,
    };
    let line = without_carriage_return(&window[..line_end], terminator);
    if line.is_empty() {
        return Framed::Blank(total);
    }
    if line.len() > max_record_bytes {
        return Framed::TooLong;
    }
    if !comment.is_empty() && line.starts_with(comment) {
        return Framed::Blank(total);
    }
    match framing {
        Framing::Lines if is_white_space(line) => Framed::Blank(total),
        Framing::Lines => Framed::Record { content: line.len(), total, lines: 1, state: RecordState::Whole },
        Framing::Elements => unreachable!("`next_element` reads elements of arrays"),
        Framing::Delimited { delimiter, quoting, .. } => {
            frame_fields(window, extent, (line, total), lines, delimiter, quoting, spans)
        }
        Framing::DelimitedByMany(delimiter, quoting) => {
            frame_fields(window, extent, (line, total), lines, delimiter, quoting, spans)
        }
    }
}

/// Frames a record of fields. `line` is its first line without the line end, `total` the length with it.
#[inline]
fn frame_fields(
    window: &[u8],
    extent: WindowExtent,
    (line, total): (&[u8], usize),
    lines: LineRules<'_>,
    delimiter: impl Delimiter,
    quoting: Option<Quoting>,
    spans: &mut Vec<Span>,
) -> Framed {
    let first_quote = quoting.and_then(|quoting| Some((quoting, memchr(quoting.quote, line)?)));
    let Some((quoting, first_quote)) = first_quote else {
        split_line(line, delimiter, spans);
        return Framed::Record { content: line.len(), total, lines: 1, state: RecordState::Whole };
    };
    let at = split_unquoted(line, first_quote, delimiter, spans);
    match split_quoted(window, at, extent.is_whole, delimiter, quoting, lines.terminator, spans) {
        QuotedSplit::Record { content, total } if content <= lines.max_record_bytes => {
            // The record has several lines if line ends are quoted.
            let ends = memchr_iter(lines.terminator, &window[line.len().min(content)..content]).count();
            let lines = 1 + ends as u64;
            Framed::Record { content, total, lines, state: RecordState::Whole }
        }
        QuotedSplit::Open if !extent.is_whole && !extent.is_full => Framed::More,
        // The opening quote may be a mistake, so that only its own line becomes a reject.
        QuotedSplit::Open | QuotedSplit::Record { .. } => {
            Framed::Record { content: line.len(), total, lines: 1, state: RecordState::OpenQuote }
        }
        QuotedSplit::Malformed => {
            Framed::Record { content: line.len(), total, lines: 1, state: RecordState::TextAfterQuote }
        }
        QuotedSplit::Ambiguous(whole) => {
            let (content, total) = whole
                .filter(|(content, _)| *content <= lines.max_record_bytes)
                .unwrap_or((line.len(), total));
            let ends = memchr_iter(lines.terminator, &window[line.len().min(content)..content]).count();
            let lines = 1 + ends as u64;
            Framed::Record { content, total, lines, state: RecordState::SpaceBeforeQuote }
        }
    }
}

/// Returns true for a line of white space only. The first byte rules out nearly every line.
#[inline]
fn is_white_space(line: &[u8]) -> bool {
    line.first().is_some_and(u8::is_ascii_whitespace) && line.trim_ascii().is_empty()
}

fn without_carriage_return(line: &[u8], terminator: u8) -> &[u8] {
    if terminator == b'\n' { line.strip_suffix(b"\r").unwrap_or(line) } else { line }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::delimited::Blanks;

    fn by_comma(quoting: Option<Quoting>, terminator: u8) -> Framing<'static> {
        Framing::Delimited {
            delimiter: b',',
            quoting,
            marks: crate::delimited::Marks::of(b',', quoting, terminator),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]

        #[test]
        fn the_fast_path_agrees_with_the_slow_path(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    ",", ",", "\"", "\"", "\"\"", "\n", "\r\n", "\r", "a", " ", "bc", "0123456789abcdef0123456789", "#", "\u{e9}",
                ]),
                0..60,
            ),
            terminator in prop::sample::select(vec![b'\n', b'\r']),
            is_quoted in any::<bool>(),
            has_blanks in any::<bool>(),
            are_ambiguous in any::<bool>(),
            max_record_bytes in prop::sample::select(vec![20_usize, 100, 1_000]),
        ) {
            let text = pieces.concat() + &"-".repeat(64);
            let blanks = Blanks { space: has_blanks, tab: false, are_ambiguous };
            let quoting = is_quoted.then_some(Quoting { blanks, ..Quoting::by(b'"') });
            let framing = by_comma(quoting, terminator);
            let lines = LineRules { terminator, comment: b"#", max_record_bytes };
            let extent = WindowExtent { is_whole: false, is_full: false };
            let (mut fast, mut slow) = (Vec::new(), Vec::new());
            if let Some(framed) = frame_fast(text.as_bytes(), lines, framing, &mut fast) {
                prop_assert_eq!(framed, frame_slow(text.as_bytes(), extent, lines, framing, &mut slow));
                prop_assert_eq!(fast, slow);
            }
        }
    }

    #[test]
    fn a_quote_after_white_space_takes_the_slow_path() {
        let lines = LineRules { terminator: b'\n', comment: b"", max_record_bytes: 1_000 };
        let is_fast = |record: &str, blanks: Blanks| {
            let text = record.to_owned() + &"-".repeat(64);
            let framing = by_comma(Some(Quoting { blanks, ..Quoting::by(b'"') }), b'\n');
            frame_fast(text.as_bytes(), lines, framing, &mut Vec::new()).is_some()
        };
        let blanks = Blanks { space: true, tab: true, are_ambiguous: false };
        for record in [" \"x\",1\n", "1, \t\"x\"\n"] {
            assert!(is_fast(record, Blanks::NONE), "{record:?}");
            assert!(!is_fast(record, Blanks { are_ambiguous: true, ..blanks }), "{record:?}");
            assert!(!is_fast(record, blanks), "{record:?}");
        }
        for record in ["1, 5\" x,\"y\"\n", " 1,  2\n", "\" x \",1\n"] {
            assert!(is_fast(record, blanks), "{record:?}");
        }
    }

    #[test]
    fn ordinary_records_take_the_fast_path() {
        let lines = LineRules { terminator: b'\n', comment: b"", max_record_bytes: 1_000 };
        let framing = by_comma(Some(Quoting::by(b'"')), b'\n');
        for (record, fields) in [("1,a,\n", 3), ("1,\"a\nb \"\"c\"\"\"\r\n", 2), ("\"\",5\" x,\"y\"\n", 3)] {
            let text = record.to_owned() + &"-".repeat(64);
            let mut spans = Vec::new();
            assert!(frame_fast(text.as_bytes(), lines, framing, &mut spans).is_some(), "{record:?}");
            assert_eq!(spans.len(), fields, "{record:?}");
        }
    }
}
