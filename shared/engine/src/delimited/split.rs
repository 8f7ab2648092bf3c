//! A record into fields.

#![expect(clippy::indexing_slicing, reason = "places within a buffer in memory, each found in it")]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths of what is in memory, far from the largest number"
)]

use std::fmt;

use memchr::{memchr, memchr_iter, memchr2};

use super::framing::Framing;
use super::quoting::{Blanks, Quoting, Span};
use super::scan::Marks;

/// What separates fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldDelimiter {
    /// Nearly every file.
    Byte(u8),
    /// Several bytes, of UTF-8.
    Bytes(Vec<u8>),
}

impl FieldDelimiter {
    pub(crate) fn of(text: &str) -> Self {
        match text.as_bytes() {
            [byte] => Self::Byte(*byte),
            bytes => Self::Bytes(bytes.to_vec()),
        }
    }

    /// How the records are found that end with `terminator`.
    pub(crate) fn framing(&self, quoting: Option<Quoting>, terminator: u8) -> Framing<'_> {
        match self {
            Self::Byte(byte) => {
                Framing::Delimited { delimiter: *byte, quoting, marks: Marks::of(*byte, quoting, terminator) }
            }
            Self::Bytes(bytes) => Framing::DelimitedByMany(bytes, quoting),
        }
    }

    /// True when `text` contains it.
    pub(crate) fn is_in(&self, text: &[u8]) -> bool {
        match self {
            Self::Byte(byte) => text.contains(byte),
            Self::Bytes(bytes) => memchr::memmem::find(text, bytes).is_some(),
        }
    }

    pub(crate) fn split_line(&self, line: &[u8], spans: &mut Vec<Span>) {
        match self {
            Self::Byte(byte) => split_line(line, *byte, spans),
            Self::Bytes(bytes) => split_line(line, &bytes[..], spans),
        }
    }

    pub(crate) fn split_quoted(
        &self,
        window: &[u8],
        is_whole: bool,
        quoting: Quoting,
        terminator: u8,
        spans: &mut Vec<Span>,
    ) -> QuotedSplit {
        spans.clear();
        match self {
            Self::Byte(byte) => split_quoted(window, 0, is_whole, *byte, quoting, terminator, spans),
            Self::Bytes(bytes) => split_quoted(window, 0, is_whole, &bytes[..], quoting, terminator, spans),
        }
    }
}

impl fmt::Display for FieldDelimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Byte(byte) => write!(f, "{}", char::from(*byte)),
            Self::Bytes(bytes) => f.write_str(&String::from_utf8_lossy(bytes)),
        }
    }
}

/// Places of the fields of a whole record once more, after it was decoded. False when white space that only the decoded text
/// shows precedes a quoted field, and it is doubted whether it belongs to it.
#[must_use]
pub(crate) fn split_again(
    text: &str,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    spans: &mut Vec<Span>,
) -> bool {
    match quoting {
        // The record is whole: no line end follows, and those within are quoted.
        Some(quoting) => {
            let split = delimiter.split_quoted(text.as_bytes(), true, quoting, b'\n', spans);
            if quoting.blanks.are_skipped() {
                quoting.skip_blanks(text.as_bytes(), spans);
            }
            !matches!(split, QuotedSplit::Doubtful(_))
        }
        None => {
            delimiter.split_line(text.as_bytes(), spans);
            true
        }
    }
}

/// One byte, or several: code for the first is as fast as if there were no other.
pub(crate) trait Delimiter: Copy {
    fn size(self) -> usize;
    fn first(self) -> u8;
    fn starts(self, text: &[u8]) -> bool;
    /// `text` is the beginning of a delimiter whose rest is not in sight.
    fn is_cut(self, text: &[u8]) -> bool;
    /// The places of all delimiters.
    fn each(self, text: &[u8], found: impl FnMut(usize));
}

impl Delimiter for u8 {
    #[inline]
    fn size(self) -> usize {
        1
    }

    #[inline]
    fn first(self) -> u8 {
        self
    }

    #[inline]
    fn starts(self, text: &[u8]) -> bool {
        text.first() == Some(&self)
    }

    #[inline]
    fn is_cut(self, text: &[u8]) -> bool {
        text.is_empty()
    }

    #[inline]
    fn each(self, text: &[u8], found: impl FnMut(usize)) {
        memchr_iter(self, text).for_each(found);
    }
}

impl Delimiter for &[u8] {
    fn size(self) -> usize {
        self.len()
    }

    fn first(self) -> u8 {
        self.first().copied().unwrap_or_default()
    }

    fn starts(self, text: &[u8]) -> bool {
        text.starts_with(self)
    }

    fn is_cut(self, text: &[u8]) -> bool {
        text.len() < self.len() && self.starts_with(text)
    }

    fn each(self, text: &[u8], found: impl FnMut(usize)) {
        memchr::memmem::find_iter(text, self).for_each(found);
    }
}

impl Quoting {
    /// Quoting that doubts white space before quotes.
    pub(super) fn doubting(self, delimiter: &FieldDelimiter) -> Self {
        Self { blanks: Blanks { are_doubted: true, ..blanks_beside(delimiter) }, ..self }
    }
}

/// The white space that is skipped around fields: spaces and tabs, unless they are part of the delimiter.
pub(crate) fn blanks_beside(delimiter: &FieldDelimiter) -> Blanks {
    let is_part = |byte: u8| match delimiter {
        FieldDelimiter::Byte(delimiter) => *delimiter == byte,
        FieldDelimiter::Bytes(delimiter) => delimiter.contains(&byte),
    };
    Blanks { space: !is_part(b' '), tab: !is_part(b'\t'), are_doubted: false }
}

/// A record that holds quotes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum QuotedSplit {
    /// Its length without and with the line end.
    Record { content: usize, total: usize },
    /// The window ends before the record does.
    Open,
    /// After a closing quote there is neither a delimiter nor a line end.
    Malformed,
    /// White space precedes a quoted field, and it is [doubted](Blanks::are_doubted) whether it belongs to it. With the length of
    /// the record without and with the line end, unless that is its line.
    Doubtful(Option<(usize, usize)>),
}

/// Splits a line without quotes.
#[inline]
pub(crate) fn split_line(line: &[u8], delimiter: impl Delimiter, spans: &mut Vec<Span>) {
    spans.clear();
    let mut start = 0;
    delimiter.each(line, |end| {
        spans.push(Span { start, end, is_escaped: false });
        start = end + delimiter.size();
    });
    spans.push(Span { start, end: line.len(), is_escaped: false });
}

/// Splits the fields of a line that end before `first_quote`, and gives the place of the next one. There is neither
/// a quote nor a line end before that place, so that delimiters are all there is to look for.
#[inline]
pub(crate) fn split_unquoted(
    line: &[u8],
    first_quote: usize,
    delimiter: impl Delimiter,
    spans: &mut Vec<Span>,
) -> usize {
    spans.clear();
    let mut start = 0;
    delimiter.each(&line[..first_quote], |end| {
        spans.push(Span { start, end, is_escaped: false });
        start = end + delimiter.size();
    });
    start
}

/// Splits the record at the start of `window`, whose fields before `at` are known already. A quote that does not open a field is an ordinary character.
/// `is_whole`: nothing comes after the window.
pub(crate) fn split_quoted(
    window: &[u8],
    mut at: usize,
    is_whole: bool,
    delimiter: impl Delimiter,
    quoting: Quoting,
    terminator: u8,
    spans: &mut Vec<Span>,
) -> QuotedSplit {
    loop {
        if quoting.blanks.are_doubted
            && let Some(split) = doubt(window, at, is_whole, delimiter, quoting, terminator)
        {
            return split;
        }
        let opening = at + quoting.count_blanks(&window[at..]);
        let after = if window.get(opening) == Some(&quoting.quote) {
            let start = opening + 1;
            let Some((end, is_escaped)) = closing_quote(window, start, quoting) else {
                return QuotedSplit::Open;
            };
            spans.push(Span { start, end, is_escaped });
            end + 1 + quoting.count_blanks(&window[end + 1..])
        } else {
            let Some(end) = field_end(window, at, delimiter, terminator) else {
                if !is_whole {
                    return QuotedSplit::Open;
                }
                let end = window.len() - usize::from(ends_with_return(window, at, terminator));
                spans.push(Span { start: at, end, is_escaped: false });
                return QuotedSplit::Record { content: end, total: window.len() };
            };
            let is_last = window[end] == terminator;
            let cut = usize::from(is_last && ends_with_return(&window[..end], at, terminator));
            spans.push(Span { start: at, end: end - cut, is_escaped: false });
            if is_last {
                return QuotedSplit::Record { content: end - cut, total: end + 1 };
            }
            end
        };
        let rest = &window[after..];
        if delimiter.starts(rest) {
            at = after + delimiter.size();
            continue;
        }
        if !is_whole && delimiter.is_cut(rest) {
            return QuotedSplit::Open;
        }
        match rest.first() {
            Some(&byte) if byte == terminator => {
                return QuotedSplit::Record { content: after, total: after + 1 };
            }
            Some(b'\r') => match window.get(after + 1) {
                Some(&byte) if byte == terminator => {
                    return QuotedSplit::Record { content: after, total: after + 2 };
                }
                None if is_whole => return QuotedSplit::Record { content: after, total: after + 1 },
                None => return QuotedSplit::Open,
                Some(_) => return QuotedSplit::Malformed,
            },
            Some(_) => return QuotedSplit::Malformed,
            None if is_whole => return QuotedSplit::Record { content: after, total: after },
            None => return QuotedSplit::Open,
        }
    }
}

/// The next delimiter or line end.
#[inline]
fn field_end(window: &[u8], mut from: usize, delimiter: impl Delimiter, terminator: u8) -> Option<usize> {
    loop {
        let end = from + memchr2(delimiter.first(), terminator, &window[from..])?;
        if delimiter.size() == 1 || window[end] == terminator || delimiter.starts(&window[end..]) {
            return Some(end);
        }
        from = end + 1;
    }
}

fn ends_with_return(text: &[u8], field_start: usize, terminator: u8) -> bool {
    terminator == b'\n' && text[field_start..].ends_with(b"\r")
}

/// The place of the quote that closes a field whose text starts at `at`, and whether there are escapes before it.
#[inline]
fn closing_quote(window: &[u8], mut at: usize, quoting: Quoting) -> Option<(usize, bool)> {
    let mut is_escaped = false;
    loop {
        let place = at + find_quote(&window[at..], quoting)?;
        if window[place] == quoting.quote && window.get(place + 1) != Some(&quoting.quote) {
            return Some((place, is_escaped));
        }
        is_escaped = true;
        at = place + 2;
        if at > window.len() {
            return None;
        }
    }
}

/// Returns the position of the next quote or escape.
#[inline]
fn find_quote(text: &[u8], quoting: Quoting) -> Option<usize> {
    match quoting.escape {
        None => memchr(quoting.quote, text),
        Some(escape) => memchr2(quoting.quote, escape, text),
    }
}

/// The record whose field at `at` begins with white space and is quoted. Text such as ` "a" and b` is not, where more than white
/// space is between the closing quote and the end of the field. `None`: it is an ordinary field.
fn doubt(
    window: &[u8],
    at: usize,
    is_whole: bool,
    delimiter: impl Delimiter,
    quoting: Quoting,
    terminator: u8,
) -> Option<QuotedSplit> {
    let rest = window.get(at..)?;
    // A delimiter may itself be white space.
    let count_blanks =
        |text: &[u8]| if delimiter.starts(text) { 0 } else { quoting.blanks.before_quote(text) };
    let opening = at.checked_add(count_blanks(rest))?;
    let field = window.get(opening..)?;
    if field.len() == rest.len() || field.first() != Some(&quoting.quote) {
        return None;
    }
    let Some(line) = memchr::memchr(terminator, field).or(is_whole.then_some(field.len())) else {
        return Some(QuotedSplit::Open);
    };
    let line = field.get(..line)?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some((end, _)) = closing_quote(line, 1, quoting) {
        let after = line.get(end.saturating_add(1)..)?;
        let after = after.get(count_blanks(after)..)?;
        if !after.is_empty() && !delimiter.starts(after) {
            return None;
        }
    }
    // Where the record ends if the white space is skipped. Its other lines are no records.
    let quoting = Quoting { blanks: Blanks { are_doubted: false, ..quoting.blanks }, ..quoting };
    Some(match split_quoted(window, opening, is_whole, delimiter, quoting, terminator, &mut Vec::new()) {
        QuotedSplit::Record { content, total } => QuotedSplit::Doubtful(Some((content, total))),
        QuotedSplit::Open => QuotedSplit::Open,
        QuotedSplit::Malformed | QuotedSplit::Doubtful(_) => QuotedSplit::Doubtful(None),
    })
}
