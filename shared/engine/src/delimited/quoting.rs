//! How fields are quoted, the white space around quotes, and where fields are.

#![expect(
    clippy::arithmetic_side_effects,
    reason = "lengths of what is in memory, far from the largest number"
)]

/// How fields are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quoting {
    pub(crate) quote: u8,
    /// Inside quotes a quote or an escape after it is an ordinary character. A doubled quote is read with or without it.
    pub(crate) escape: Option<u8>,
    /// The white space that may surround a quoted field, and that is skipped before an unquoted one; empty when all
    /// white space belongs to the fields.
    pub(crate) blanks: Blanks,
}

impl Quoting {
    /// Quoting without escapes, in which white space belongs to the fields.
    pub(crate) fn by(quote: u8) -> Self {
        Self { quote, escape: None, blanks: Blanks::NONE }
    }

    /// The number of blanks that `text` starts with.
    #[inline]
    pub(super) fn count_blanks(self, text: &[u8]) -> usize {
        if !self.blanks.are_skipped() {
            return 0;
        }
        text.iter().take_while(|byte| self.blanks.contains(**byte)).count()
    }

    /// Moves the start of each unquoted field behind its initial blanks.
    #[cold]
    pub(crate) fn skip_blanks(self, record: &[u8], spans: &mut [Span]) {
        for span in spans {
            let is_quoted =
                span.start.checked_sub(1).and_then(|before| record.get(before)) == Some(&self.quote);
            // A record that is blank or too long leaves the places of the one before.
            let field = record.get(span.start..span.end).filter(|_| !is_quoted);
            span.start += field.map_or(0, |field| self.count_blanks(field));
        }
    }
}

/// A set of white space characters. It is as small as it can be, as each record passes it on in a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blanks {
    pub(crate) space: bool,
    pub(crate) tab: bool,
    /// Nobody declares whether they are skipped, and so far none preceded a quote: they are not, but a record in which
    /// they precede a quoted field is malformed.
    pub(crate) are_doubted: bool,
}

impl Blanks {
    pub(crate) const NONE: Self = Self { space: false, tab: false, are_doubted: false };

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        !self.space && !self.tab
    }

    /// True when white space before a quote is skipped or doubted.
    #[inline]
    pub(super) fn may_precede_quote(self) -> bool {
        self.are_doubted || !self.is_empty()
    }

    #[inline]
    pub(crate) fn are_skipped(self) -> bool {
        !self.are_doubted && !self.is_empty()
    }

    /// The length of the white space that a field starts with and that may precede its quote. Where that is doubted, it is all white
    /// space that trimming takes off, but line ends.
    pub(super) fn before_quote(self, field: &[u8]) -> usize {
        let mut at = 0;
        while let Some(length) = field.get(at..).and_then(|rest| self.first_length(rest)) {
            at += length;
        }
        at
    }

    fn first_length(self, rest: &[u8]) -> Option<usize> {
        /// Of white space in UTF-8.
        const LONGEST: usize = 3;
        match *rest.first()? {
            byte @ (b' ' | b'\t') => self.contains(byte).then_some(1),
            b'\r' | b'\n' => None,
            _ if !self.are_doubted => None,
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

/// Where a field is in its record, without its quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Holds doubled quotes or escapes.
    pub(crate) is_escaped: bool,
}
