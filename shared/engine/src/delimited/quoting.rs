//! The quoting of fields, the white space around quotes, and the positions of fields.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths of buffers in memory, which are far below `usize::MAX`"
)]

/// The quoting of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quoting {
    pub(crate) quote: u8,
    /// Makes a quote or an escape that follows it in a quoted field an ordinary character. A doubled quote is always read
    /// as one quote.
    pub(crate) escape: Option<u8>,
    /// The white space that may surround a quoted field, and that is skipped before an unquoted one; empty if all white
    /// space belongs to the fields.
    pub(crate) blanks: Blanks,
}

impl Quoting {
    /// Returns quoting without escapes, in which white space belongs to the fields.
    pub(crate) fn by(quote: u8) -> Self {
        Self { quote, escape: None, blanks: Blanks::NONE }
    }

    /// Returns the number of blanks at the beginning of `text` that are skipped.
    #[inline]
    pub(super) fn count_blanks(self, text: &[u8]) -> usize {
        if !self.blanks.are_skipped() {
            return 0;
        }
        text.iter().take_while(|byte| self.blanks.contains(**byte)).count()
    }

    /// Moves the start of each unquoted field after its initial blanks.
    #[cold]
    pub(crate) fn skip_blanks(self, record: &[u8], spans: &mut [Span]) {
        for span in spans {
            let is_quoted =
                span.start.checked_sub(1).and_then(|before| record.get(before)) == Some(&self.quote);
            // A blank or too long record does not set the spans: those of the previous record may be outside of it.
            let field = record.get(span.start..span.end).filter(|_| !is_quoted);
            span.start += field.map_or(0, |field| self.count_blanks(field));
        }
    }
}

/// A set of white space characters. It is small enough to be passed in a register, which happens for each record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blanks {
    pub(crate) space: bool,
    pub(crate) tab: bool,
    /// The contract does not declare whether they are skipped, and they precede no quote in the head of the file. They
    /// are not skipped, but a record in which they precede a quoted field is malformed.
    pub(crate) are_ambiguous: bool,
}

impl Blanks {
    pub(crate) const NONE: Self = Self { space: false, tab: false, are_ambiguous: false };

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        !self.space && !self.tab
    }

    /// Returns true if white space before a quote is skipped or makes a record malformed.
    #[inline]
    pub(super) fn may_precede_quote(self) -> bool {
        self.are_ambiguous || !self.is_empty()
    }

    #[inline]
    pub(crate) fn are_skipped(self) -> bool {
        !self.are_ambiguous && !self.is_empty()
    }

    /// Returns the length of the white space at the beginning of a field that may precede its quote. If it is ambiguous,
    /// this is all white space that trimming removes, except line ends.
    pub(super) fn before_quote(self, field: &[u8]) -> usize {
        let mut at = 0;
        while let Some(length) = field.get(at..).and_then(|rest| self.first_length(rest)) {
            at += length;
        }
        at
    }

    fn first_length(self, rest: &[u8]) -> Option<usize> {
        /// The longest encoding of a white space character in UTF-8.
        const LONGEST: usize = 3;
        match *rest.first()? {
            byte @ (b' ' | b'\t') => self.contains(byte).then_some(1),
            b'\r' | b'\n' => None,
            _ if !self.are_ambiguous => None,
            _ => (1..=LONGEST).find(|length| {
                let text = rest.get(..*length).and_then(|bytes| str::from_utf8(bytes).ok());
                text.is_some_and(|text| text.trim_start().is_empty())
            }),
        }
    }

    #[inline]
    pub(crate) fn contains(self, byte: u8) -> bool {
        self.space && byte == b' ' || self.tab && byte == b'\t'
    }
}

/// The position of a field in its record, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// True if the field contains doubled quotes or escapes.
    pub(crate) is_escaped: bool,
}
