//! The first bytes of a delimited file, and the records in them under a dialect that is tried.

use super::quoting::{Quoting, Span};
use super::split::{FieldDelimiter, QuotedSplit};

/// A record without an end that begins in the last bytes of the head may be well-formed: the head lacks its rest.
const OPEN_TAIL_BYTES: usize = 8 * 1024;

/// The first bytes of a file, beginning with the line that may be its header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileHead<'a> {
    pub(crate) bytes: &'a [u8],
    /// True if `bytes` are the whole file.
    pub(crate) is_whole: bool,
    pub(crate) terminator: u8,
    /// The prefix of comment lines; empty if there are none.
    pub(crate) comment: &'a [u8],
}

/// A record of the head.
#[derive(Debug)]
pub(super) struct HeadRecord<'a> {
    pub(super) bytes: &'a [u8],
    /// The fields. A malformed record is split as an unquoted line.
    pub(super) spans: Vec<Span>,
    pub(super) is_malformed: bool,
}

impl<'a> FileHead<'a> {
    /// Returns the head without its first `lines` lines.
    pub(super) fn after_lines(self, lines: usize) -> Self {
        let mut bytes = self.bytes;
        for _ in 0..lines {
            let end = memchr::memchr(self.terminator, bytes).map_or(bytes.len(), |end| end.saturating_add(1));
            bytes = bytes.get(end..).expect("a line ends within the head");
        }
        Self { bytes, ..self }
    }

    /// Returns the first `count` records that are neither blank nor comments.
    pub(super) fn records(
        self,
        delimiter: &FieldDelimiter,
        quoting: Option<Quoting>,
        count: usize,
    ) -> Vec<HeadRecord<'a>> {
        let mut rest = self.bytes;
        let mut records = Vec::new();
        while records.len() < count
            && let Some((record, total)) = self.record(rest, delimiter, quoting)
        {
            records.extend(record);
            // The length of the last line of a file includes a line end that it may lack.
            rest = rest.get(total..).unwrap_or_default();
        }
        records
    }

    /// Returns the record at the start of `rest`, and its length with its line end. The record is `None` for a blank line
    /// or a comment. Returns `None` at the end of the head, or if the record does not end in it.
    fn record(
        self,
        rest: &'a [u8],
        delimiter: &FieldDelimiter,
        quoting: Option<Quoting>,
    ) -> Option<(Option<HeadRecord<'a>>, usize)> {
        let Self { is_whole, terminator, comment, .. } = self;
        if rest.is_empty() {
            return None;
        }
        let line_end = memchr::memchr(terminator, rest).or(is_whole.then_some(rest.len()))?;
        let line = rest.get(..line_end).expect("a line ends within the head");
        let line = if terminator == b'\n' { line.strip_suffix(b"\r").unwrap_or(line) } else { line };
        let total = line_end.saturating_add(1);
        if line.is_empty() || !comment.is_empty() && line.starts_with(comment) {
            return Some((None, total));
        }
        let mut spans: Vec<Span> = Vec::new();
        let split =
            quoting.map(|quoting| delimiter.split_quoted(rest, is_whole, quoting, terminator, &mut spans));
        let is_malformed = match split {
            Some(QuotedSplit::Record { total, .. }) => {
                return Some((Some(HeadRecord { bytes: rest, spans, is_malformed: false }), total));
            }
            Some(QuotedSplit::Open) if !is_whole && rest.len() < OPEN_TAIL_BYTES => return None,
            Some(QuotedSplit::Open | QuotedSplit::Malformed | QuotedSplit::Ambiguous(_)) => true,
            None => false,
        };
        delimiter.split_line(line, &mut spans);
        Some((Some(HeadRecord { bytes: rest, spans, is_malformed }), total))
    }

    /// Returns the rest of the head from each line on that is neither blank nor a comment, with the number of lines before
    /// it.
    pub(super) fn lines(self) -> impl Iterator<Item = (usize, Self)> {
        let mut rest = self;
        let mut number = 0_usize;
        std::iter::from_fn(move || {
            loop {
                if rest.bytes.is_empty() {
                    return None;
                }
                let (now, lines) = (rest, number);
                rest = rest.after_lines(1);
                number = number.saturating_add(1);
                let is_comment = !now.comment.is_empty() && now.bytes.starts_with(now.comment);
                let is_blank = matches!(now.bytes, [first, ..] if *first == now.terminator)
                    || now.terminator == b'\n' && now.bytes.starts_with(b"\r\n");
                if !is_comment && !is_blank {
                    return Some((lines, now));
                }
            }
        })
    }
}

impl<'a> HeadRecord<'a> {
    /// Returns the bytes of a field without the quotes around it.
    pub(super) fn field(&self, span: &Span) -> &'a [u8] {
        self.bytes.get(span.start..span.end).expect("a field is within its record")
    }

    /// Returns true if the field is enclosed in quotes.
    pub(super) fn is_quoted(&self, span: &Span, quote: u8) -> bool {
        !self.is_malformed && span.start.checked_sub(1).and_then(|at| self.bytes.get(at)) == Some(&quote)
    }

    /// Returns true if there are blanks outside the quotes around a field.
    pub(super) fn has_blanks_around(&self, span: &Span, quoting: Quoting) -> bool {
        let is_blank = |at: Option<usize>| {
            at.and_then(|at| self.bytes.get(at)).is_some_and(|byte| quoting.blanks.contains(*byte))
        };
        is_blank(span.start.checked_sub(2)) || is_blank(span.end.checked_add(1))
    }
}
