//! Detection of records that repeat the header, as in concatenated files.

use penstock_contract::HeaderCase;

use super::field::field;
use super::quoting::{Quoting, Span};

/// A byte-order mark, which may begin each of several concatenated files.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The records of the header, and the progress in matching them.
#[derive(Debug, Default)]
pub(crate) struct RepeatedHeader {
    records: Vec<HeaderRecord>,
    /// The index of the record that is expected next: 0 except within a header of several records.
    next: usize,
    case: HeaderCase,
}

/// A record of the header.
#[derive(Debug)]
pub(super) struct HeaderRecord {
    /// The first byte of the first field, or the byte after it if it is empty.
    pub(super) first: Option<u8>,
    /// The fields without white space around them.
    pub(super) cells: Vec<String>,
}

impl RepeatedHeader {
    /// Returns a matcher of records that repeat these in their order.
    pub(super) fn new(records: Vec<HeaderRecord>, case: HeaderCase) -> Self {
        Self { records, next: 0, case }
    }

    /// Returns false if the record cannot repeat the header. For nearly every row, its first byte is sufficient for that.
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

    /// Returns true if the record repeats the header.
    pub(crate) fn is_repeated(&mut self, text: &str, spans: &[Span], quoting: Option<Quoting>) -> bool {
        let case = self.case;
        let is_same = |record: &HeaderRecord| record.is_same(text, spans, quoting, case);
        // A header that is cut off after its first record may begin again.
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

/// Removes a byte-order mark from the first field, and the quotes that then enclose it.
#[cold]
pub(crate) fn skip_byte_order_mark(text: &str, spans: &mut [Span], quoting: Option<Quoting>) {
    let Some(first) = spans.first_mut().filter(|first| first.start == 0) else { return };
    let end = first.end;
    let start = BYTE_ORDER_MARK.len_utf8().min(end);
    let inner = text.get(start..end).expect("a field is within its record");
    let quote = quoting.map(|quoting| char::from(quoting.quote));
    let bare = quote.and_then(|quote| {
        let bare = inner.strip_prefix(quote)?.strip_suffix(quote)?;
        (!bare.contains(quote)).then_some(bare)
    });
    first.start = if bare.is_some() { start.saturating_add(1) } else { start };
    first.end = if bare.is_some() { end.saturating_sub(1) } else { end };
}
