//! Records out of a byte stream, with their places, in a buffer that one record bounds.

#![expect(
    clippy::indexing_slicing,
    reason = "`start` and `end` lie within the buffer, and places within the window between them"
)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths and counts of bytes that were read, far from the largest number"
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
use arrays::Arrays;
pub(crate) use record::{Record, RecordPosition, RecordState};
pub(crate) use terminator::detect_terminator;

const BUFFER_BYTES: usize = 256 * 1024;
/// Raw records are kept for rejects up to this length.
pub(crate) const MAX_RAW_BYTES: usize = 64 * 1024;

pub(crate) struct Records<R: Read> {
    pub(crate) input: Decoded<R>,
    data: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    /// Offset of `data[start]` in the text.
    byte_offset: u64,
    /// Lines before `data[start]`.
    lines: u64,
    /// `\n`, or `\r` for files that have no other.
    terminator: u8,
    /// What lines begin with that are no records; nothing when empty.
    comment: Vec<u8>,
    max_record_bytes: usize,
    /// Where records are elements.
    arrays: Arrays,
    /// The beginning of a record that was too long to be held.
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
            arrays: Arrays::default(),
            too_long: Vec::new(),
        }
    }

    /// The first bytes, as many as `count` or all there are.
    pub(crate) fn head(&mut self, count: usize) -> Result<&[u8], ReadError> {
        self.fill(count)?;
        Ok(&self.data[self.start..self.end.min(self.start + count)])
    }

    /// The number of bytes that decide about a record of any length: two more than the longest has, for its line end.
    pub(crate) fn reach(&self) -> usize {
        self.max_record_bytes + 2
    }

    pub(crate) fn set_terminator(&mut self, terminator: u8) {
        self.terminator = terminator;
    }

    /// Lines that begin with it count as blank ones.
    pub(crate) fn set_comment(&mut self, comment: Option<&str>) {
        self.comment = comment.unwrap_or_default().as_bytes().to_vec();
    }

    /// Leaves out a line, whatever stands in it.
    pub(crate) fn skip_line(&mut self) -> Result<(), ReadError> {
        self.fill(1)?;
        if self.start < self.end { self.skip_too_long() } else { Ok(()) }
    }

    pub(crate) fn terminator(&self) -> u8 {
        self.terminator
    }

    /// Lines read so far.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// The bytes of the record that was read last: all of them, or the first [`MAX_RAW_BYTES`] when it is too long.
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

    /// The next record that is not a blank line, with the places of its fields where it has fields.
    pub(crate) fn next(
        &mut self,
        framing: Framing<'_>,
        spans: &mut Vec<Span>,
    ) -> Result<Option<Record>, ReadError> {
        if let Framing::Elements = framing {
            return self.next_element();
        }
        // With the line end in sight it is certain that a record is too long, and no decision depends on how much has
        // been read beyond.
        let reach = self.reach();
        loop {
            let window = &self.data[self.start..self.end.min(self.start + reach)];
            if window.is_empty() {
                self.fill(1)?;
                if self.start == self.end {
                    return Ok(None);
                }
                continue;
            }
            let sight = Sight {
                is_whole: self.at_end && window.len() == self.end - self.start,
                is_full: window.len() == reach,
            };
            let place = RecordPosition {
                line: self.lines + 1,
                byte_offset: self.input.source_offset(self.byte_offset),
            };
            let lines = LineRules {
                terminator: self.terminator,
                comment: &self.comment,
                max_record_bytes: self.max_record_bytes,
            };
            match frame(window, sight, lines, framing, spans) {
                Framed::More => {
                    let want = (window.len() * 2).min(reach);
                    self.fill(want)?;
                }
                Framed::Blank(total) => {
                    self.lines += 1;
                    self.consume(total);
                }
                Framed::TooLong => {
                    self.skip_too_long()?;
                    return Ok(Some(Record { place, bytes: 0..0, state: RecordState::TooLong }));
                }
                Framed::Record { content, total, lines, state } => {
                    let bytes = self.start..self.start + content;
                    self.lines += lines;
                    self.consume(total);
                    return Ok(Some(Record { place, bytes, state }));
                }
            }
        }
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
        self.byte_offset += count as u64;
    }

    /// Reads until `want` bytes are in sight, or all there are.
    fn fill(&mut self, want: usize) -> Result<(), ReadError> {
        if self.at_end || self.end - self.start >= want {
            return Ok(());
        }
        self.data.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.data.len() < want {
            self.data.resize(want, 0);
        }
        while self.end < want {
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

    /// Leaves out a line that is too long to be held, and keeps its beginning.
    fn skip_too_long(&mut self) -> Result<(), ReadError> {
        self.too_long.clear();
        loop {
            let rest = &self.data[self.start..self.end];
            let line_end = memchr(self.terminator, rest);
            let line = &rest[..line_end.unwrap_or(rest.len())];
            // One byte more than is kept tells that the record was cut.
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

/// What of the rest can be seen.
#[derive(Debug, Clone, Copy)]
struct Sight {
    /// Nothing comes after it.
    is_whole: bool,
    /// A record that goes beyond it is too long.
    is_full: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Framed {
    More,
    Blank(usize),
    TooLong,
    Record { content: usize, total: usize, lines: u64, state: RecordState },
}

/// What a line is.
#[derive(Clone, Copy)]
struct LineRules<'a> {
    terminator: u8,
    comment: &'a [u8],
    max_record_bytes: usize,
}

#[inline(always)]
fn frame(
    window: &[u8],
    sight: Sight,
    lines: LineRules<'_>,
    framing: Framing<'_>,
    spans: &mut Vec<Span>,
) -> Framed {
    let framed = match frame_quickly(window, lines, framing, spans) {
        Some(framed) => framed,
        None => frame_thoroughly(window, sight, lines, framing, spans),
    };
    if let Some(quoting) = framing.quoting()
        && quoting.blanks.are_skipped()
    {
        quoting.skip_blanks(window, spans);
    }
    framed
}

/// Nearly every record of nearly every file.
#[inline(always)]
fn frame_quickly(
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

fn frame_thoroughly(
    window: &[u8],
    sight: Sight,
    lines: LineRules<'_>,
    framing: Framing<'_>,
    spans: &mut Vec<Span>,
) -> Framed {
    let LineRules { terminator, comment, max_record_bytes } = lines;
    let (line_end, total) = match memchr(terminator, window) {
        Some(line_end) => (line_end, line_end + 1),
        None if sight.is_whole || sight.is_full => (window.len(), window.len()),
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
        Framing::Lines | Framing::Elements => {
            Framed::Record { content: line.len(), total, lines: 1, state: RecordState::Whole }
        }
        Framing::Delimited { delimiter, quoting, .. } => {
            frame_fields(window, sight, (line, total), lines, delimiter, quoting, spans)
        }
        Framing::DelimitedByMany(delimiter, quoting) => {
            frame_fields(window, sight, (line, total), lines, delimiter, quoting, spans)
        }
    }
}

/// `line` is the first line, with its length with its end.
#[inline]
fn frame_fields(
    window: &[u8],
    sight: Sight,
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
    match split_quoted(window, at, sight.is_whole, delimiter, quoting, lines.terminator, spans) {
        QuotedSplit::Record { content, total } if content <= lines.max_record_bytes => {
            // More than one line where line ends are quoted.
            let ends = memchr_iter(lines.terminator, &window[line.len().min(content)..content]).count();
            let lines = 1 + ends as u64;
            Framed::Record { content, total, lines, state: RecordState::Whole }
        }
        QuotedSplit::Open if !sight.is_whole && !sight.is_full => Framed::More,
        // The quote may have opened by mistake: only its own line becomes a reject.
        QuotedSplit::Open | QuotedSplit::Record { .. } => {
            Framed::Record { content: line.len(), total, lines: 1, state: RecordState::OpenQuote }
        }
        QuotedSplit::Malformed => {
            Framed::Record { content: line.len(), total, lines: 1, state: RecordState::TextAfterQuote }
        }
        QuotedSplit::Doubtful(whole) => {
            let (content, total) = whole
                .filter(|(content, _)| *content <= lines.max_record_bytes)
                .unwrap_or((line.len(), total));
            let ends = memchr_iter(lines.terminator, &window[line.len().min(content)..content]).count();
            let lines = 1 + ends as u64;
            Framed::Record { content, total, lines, state: RecordState::SpaceBeforeQuote }
        }
    }
}

/// True for a line of white space only. Nearly every line begins with something else.
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
        fn the_quick_way_finds_what_the_thorough_one_does(
            pieces in prop::collection::vec(
                prop::sample::select(vec![
                    ",", ",", "\"", "\"", "\"\"", "\n", "\r\n", "\r", "a", " ", "bc", "0123456789abcdef0123456789", "#", "\u{e9}",
                ]),
                0..60,
            ),
            terminator in prop::sample::select(vec![b'\n', b'\r']),
            is_quoted in any::<bool>(),
            has_blanks in any::<bool>(),
            are_doubted in any::<bool>(),
            max_record_bytes in prop::sample::select(vec![20_usize, 100, 1_000]),
        ) {
            let text = pieces.concat() + &"-".repeat(64);
            let blanks = Blanks { space: has_blanks, tab: false, are_doubted };
            let quoting = is_quoted.then_some(Quoting { blanks, ..Quoting::by(b'"') });
            let framing = by_comma(quoting, terminator);
            let lines = LineRules { terminator, comment: b"#", max_record_bytes };
            let sight = Sight { is_whole: false, is_full: false };
            let (mut quick, mut thorough) = (Vec::new(), Vec::new());
            if let Some(framed) = frame_quickly(text.as_bytes(), lines, framing, &mut quick) {
                prop_assert_eq!(framed, frame_thoroughly(text.as_bytes(), sight, lines, framing, &mut thorough));
                prop_assert_eq!(quick, thorough);
            }
        }
    }

    #[test]
    fn a_quote_after_white_space_is_left_to_the_thorough_way() {
        let lines = LineRules { terminator: b'\n', comment: b"", max_record_bytes: 1_000 };
        let is_quick = |record: &str, blanks: Blanks| {
            let text = record.to_owned() + &"-".repeat(64);
            let framing = by_comma(Some(Quoting { blanks, ..Quoting::by(b'"') }), b'\n');
            frame_quickly(text.as_bytes(), lines, framing, &mut Vec::new()).is_some()
        };
        let blanks = Blanks { space: true, tab: true, are_doubted: false };
        for record in [" \"x\",1\n", "1, \t\"x\"\n"] {
            assert!(is_quick(record, Blanks::NONE), "{record:?}");
            assert!(!is_quick(record, Blanks { are_doubted: true, ..blanks }), "{record:?}");
            assert!(!is_quick(record, blanks), "{record:?}");
        }
        for record in ["1, 5\" x,\"y\"\n", " 1,  2\n", "\" x \",1\n"] {
            assert!(is_quick(record, blanks), "{record:?}");
        }
    }

    #[test]
    fn ordinary_records_go_the_quick_way() {
        let lines = LineRules { terminator: b'\n', comment: b"", max_record_bytes: 1_000 };
        let framing = by_comma(Some(Quoting::by(b'"')), b'\n');
        for (record, fields) in [("1,a,\n", 3), ("1,\"a\nb \"\"c\"\"\"\r\n", 2), ("\"\",5\" x,\"y\"\n", 3)] {
            let text = record.to_owned() + &"-".repeat(64);
            let mut spans = Vec::new();
            assert!(frame_quickly(text.as_bytes(), lines, framing, &mut spans).is_some(), "{record:?}");
            assert_eq!(spans.len(), fields, "{record:?}");
        }
    }
}
