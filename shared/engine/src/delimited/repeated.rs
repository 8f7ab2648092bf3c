//! Records that repeat the header, as in files that were concatenated.

use penstock_contract::HeaderCase;

use super::field::field;
use super::quoting::{Quoting, Span};

/// A byte-order mark, which is at the beginning of a file that was appended.
pub(crate) const MARK: char = '\u{feff}';

/// The header's records.
#[derive(Debug, Default)]
pub(crate) struct RepeatedHeader {
    records: Vec<HeaderRecord>,
    /// The record that is expected next: 0 but within a header of several records.
    next: usize,
    case: HeaderCase,
}

/// A record of the header.
#[derive(Debug)]
pub(super) struct HeaderRecord {
    /// The first byte of its first field, or what follows an empty one.
    pub(super) first: Option<u8>,
    /// Its fields without white space around them.
    pub(super) cells: Vec<String>,
}

impl RepeatedHeader {
    /// Records that repeat one of these, in their order, are recognised.
    pub(super) fn new(records: Vec<HeaderRecord>, case: HeaderCase) -> Self {
        Self { records, next: 0, case }
    }

    /// False when the record does not repeat the header, as its first byte shows for nearly every row.
    #[inline]
    pub(crate) fn may_be_repeated(&self, text: &str, spans: &[Span]) -> bool {
        let Some(header) = self.records.get(self.next) else { return false };
        let first = spans.first().and_then(|span| text.as_bytes().get(span.start).copied());
        let is_same_first = match self.case {
            HeaderCase::Sensitive => first == header.first,
            HeaderCase::Insensitive => {
                first.map(|byte| byte.to_ascii_lowercase())
                    == header.first.map(|byte| byte.to_ascii_lowercase())
            }
        };
        is_same_first || self.next > 0
    }

    /// True when the record repeats the header.
    pub(crate) fn is_repeated(&mut self, text: &str, spans: &[Span], quoting: Option<Quoting>) -> bool {
        let case = self.case;
        let is_same = |record: &HeaderRecord| record.is_same(text, spans, quoting, case);
        // A header that breaks off after its first record may begin anew.
        let mut tried = std::iter::once(self.next).chain((self.next > 0).then_some(0));
        let found = tried.find(|index| self.records.get(*index).is_some_and(is_same));
        let after = found.map_or(0, |index| index.saturating_add(1));
        self.next = if after < self.records.len() { after } else { 0 };
        found.is_some()
    }
}

impl HeaderRecord {
    fn is_same(&self, text: &str, spans: &[Span], quoting: Option<Quoting>, case: HeaderCase) -> bool {
        let mut scratch = Vec::new();
        self.cells.len() == spans.len()
            && self.cells.iter().zip(spans).all(|(cell, span)| {
                let found = field(text, *span, quoting, &mut scratch).trim();
                case.key(found) == case.key(cell)
            })
    }
}

/// Moves the start of the first field behind a byte-order mark, which begins a file that was appended to another, and behind
/// the quote after it.
#[cold]
pub(crate) fn skip_mark(text: &str, spans: &mut [Span], quoting: Option<Quoting>) {
    let Some(first) = spans.first_mut().filter(|first| first.start == 0) else { return };
    let end = first.end;
    let start = MARK.len_utf8().min(end);
    let inner = text.get(start..end).unwrap_or_default();
    let quote = quoting.map(|quoting| char::from(quoting.quote));
    let bare = quote.and_then(|quote| {
        let bare = inner.strip_prefix(quote)?.strip_suffix(quote)?;
        (!bare.contains(quote)).then_some(bare)
    });
    first.start = if bare.is_some() { start.saturating_add(1) } else { start };
    first.end = if bare.is_some() { end.saturating_sub(1) } else { end };
}
