//! Splits records into fields.

#![expect(clippy::indexing_slicing, reason = "positions that were found in the same buffer")]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths of buffers in memory, which are far below `usize::MAX`"
)]

use std::fmt;

use memchr::{memchr, memchr_iter, memchr2};

use super::framing::Framing;
use super::quoting::{Blanks, Quoting, Span};
use super::scan::Marks;

/// The delimiter of fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FieldDelimiter {
    /// One byte, as in nearly every file.
    Byte(u8),
    /// Several bytes of UTF-8.
    Bytes(Vec<u8>),
}

impl FieldDelimiter {
    pub(crate) fn of(text: &str) -> Self {
        match text.as_bytes() {
            [byte] => Self::Byte(*byte),
            bytes => Self::Bytes(bytes.to_vec()),
        }
    }

    /// Returns the framing of records that end with `terminator`.
    pub(crate) fn framing(&self, quoting: Option<Quoting>, terminator: u8) -> Framing<'_> {
        match self {
            Self::Byte(byte) => {
                Framing::Delimited { delimiter: *byte, quoting, marks: Marks::of(*byte, quoting, terminator) }
            }
            Self::Bytes(bytes) => Framing::DelimitedByMany(bytes, quoting),
        }
    }

    /// Returns true if `text` contains the delimiter.
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

/// Splits a whole record again after it was decoded. Returns false if the decoded text is malformed, because white space
/// that only it shows precedes a quoted field.
#[must_use]
pub(crate) fn split_again(
    text: &str,
    delimiter: &FieldDelimiter,
    quoting: Option<Quoting>,
    spans: &mut Vec<Span>,
) -> bool {
    match quoting {
        // The record ends with the text, and line ends in it are quoted.
        Some(quoting) => {
            let split = delimiter.split_quoted(text.as_bytes(), true, quoting, b'\n', spans);
            if quoting.blanks.are_skipped() {
                quoting.skip_blanks(text.as_bytes(), spans);
            }
            match split {
                QuotedSplit::Record { .. } => true,
                QuotedSplit::Open | QuotedSplit::Malformed | QuotedSplit::Ambiguous(_) => false,
            }
        }
        None => {
            delimiter.split_line(text.as_bytes(), spans);
            true
        }
    }
}

/// A delimiter of one or several bytes. The trait keeps the code for a single byte free of the cost of the other.
pub(crate) trait Delimiter: Copy {
    fn size(self) -> usize;
    fn first(self) -> u8;
    /// Returns true if `text` starts with the delimiter.
    fn starts(self, text: &[u8]) -> bool;
    /// Returns true if `text` is only the beginning of a delimiter.
    fn is_cut(self, text: &[u8]) -> bool;
    /// Calls `found` with the position of each delimiter.
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
        self[0]
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
    /// Returns the quoting under which white space before quotes is ambiguous.
    pub(super) fn with_ambiguous_blanks(self, delimiter: &FieldDelimiter) -> Self {
        Self { blanks: Blanks { are_ambiguous: true, ..blanks_beside(delimiter) }, ..self }
    }
}

/// Returns the white space that is skipped around fields: spaces and tabs, unless they are part of the delimiter.
pub(crate) fn blanks_beside(delimiter: &FieldDelimiter) -> Blanks {
    let is_part = |byte: u8| match delimiter {
        FieldDelimiter::Byte(delimiter) => *delimiter == byte,
        FieldDelimiter::Bytes(delimiter) => delimiter.contains(&byte),
    };
    Blanks { space: !is_part(b' '), tab: !is_part(b'\t'), are_ambiguous: false }
}

/// The result of splitting a record that contains quotes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum QuotedSplit {
    /// A whole record, with its length without and with the line end.
    Record { content: usize, total: usize },
    /// A record that does not end in the window.
    Open,
    /// A closing quote is followed by neither a delimiter nor a line end.
    Malformed,
    /// White space precedes a quoted field, and it is [ambiguous](Blanks::are_ambiguous) whether it belongs to the field. The
    /// lengths are those of the record without and with the line end; `None` if the record is its first line.
    Ambiguous(Option<(usize, usize)>),
}

/// Splits a line in which nothing is quoted.
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

/// Splits the fields of a line that end before `first_quote`, and returns the start of the next field.
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

/// Splits the record at the start of `window`; `spans` already has the fields before `at`. A quote that does not open a
/// field is an ordinary character. `is_whole`: the window ends with the file.
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
        if quoting.blanks.are_ambiguous
            && let Some(split) = split_ambiguous(window, at, is_whole, delimiter, quoting, terminator)
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

/// Returns the position of the next delimiter or line end.
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

/// Returns the position of the quote that closes a field whose text starts at `at`, and whether the field has doubled
/// quotes or escapes.
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

/// Detects a quoted field after white space at `at`, and returns how the record is split then. Returns `None` for an
/// ordinary field. A field such as ` "a" and b` is ordinary, as there is text after its closing quote.
fn split_ambiguous(
    window: &[u8],
    at: usize,
    is_whole: bool,
    delimiter: impl Delimiter,
    quoting: Quoting,
    terminator: u8,
) -> Option<QuotedSplit> {
    let rest = &window[at..];
    // A delimiter may itself be white space.
    let count_blanks =
        |text: &[u8]| if delimiter.starts(text) { 0 } else { quoting.blanks.before_quote(text) };
    let opening = at + count_blanks(rest);
    let field = &window[opening..];
    if field.len() == rest.len() || field.first() != Some(&quoting.quote) {
        return None;
    }
    let Some(line_end) = memchr::memchr(terminator, field).or(is_whole.then_some(field.len())) else {
        return Some(QuotedSplit::Open);
    };
    let line = &field[..line_end];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if let Some((end, _)) = closing_quote(line, 1, quoting) {
        let after = &line[end + 1..];
        let after = &after[count_blanks(after)..];
        if !after.is_empty() && !delimiter.starts(after) {
            return None;
        }
    }
    // The record ends where it would if the white space were skipped, so that its other lines do not become records.
    let quoting = Quoting { blanks: Blanks { are_ambiguous: false, ..quoting.blanks }, ..quoting };
    Some(match split_quoted(window, opening, is_whole, delimiter, quoting, terminator, &mut Vec::new()) {
        QuotedSplit::Record { content, total } => QuotedSplit::Ambiguous(Some((content, total))),
        QuotedSplit::Open => QuotedSplit::Open,
        QuotedSplit::Malformed | QuotedSplit::Ambiguous(_) => QuotedSplit::Ambiguous(None),
    })
}
