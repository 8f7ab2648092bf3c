//! The numbers of fields of the first records, compared with the header. Nothing else reveals a header that lacks a name
//! or has one too many, which shifts every value.

use penstock_contract::Ragged;

use super::head::FileHead;
use super::header::RecordLayout;
use super::quoting::{Quoting, Span};
use super::split::FieldDelimiter;

/// The maximum number of records that are counted.
const MAX_RECORDS: usize = 50;

/// The number of first records by their number of fields. Blank records are not counted.
#[derive(Debug, Default)]
pub(super) struct Widths {
    /// Records with as many fields as the header, or without some last ones that have no name.
    fitting: usize,
    fewer: usize,
    /// Records with one more field, which is empty.
    one_more_empty: usize,
    /// Records with one more field, which has a value.
    one_more: usize,
    /// Records with several more fields.
    many_more: usize,
}

impl Widths {
    /// Counts the first records after the header.
    pub(super) fn of(
        head: FileHead<'_>,
        delimiter: &FieldDelimiter,
        quoting: Option<Quoting>,
        layout: &RecordLayout,
    ) -> Self {
        let mut widths = Self::default();
        let records = head.records(delimiter, quoting, MAX_RECORDS);
        for record in records.iter().filter(|record| !record.is_malformed) {
            let spans = &record.spans;
            let is_empty = |span: &Span| record.field(span).trim_ascii().is_empty();
            if spans.iter().all(is_empty) {
                continue;
            }
            let count = match spans.len().checked_sub(layout.width) {
                None if spans.len() < layout.least => &mut widths.fewer,
                None | Some(0) => &mut widths.fitting,
                Some(1) if spans.last().is_some_and(is_empty) => &mut widths.one_more_empty,
                Some(1) => &mut widths.one_more,
                Some(_) => &mut widths.many_more,
            };
            *count = count.saturating_add(1);
        }
        widths
    }

    /// Returns true if a record may end with a delimiter that the header does not have. If every record has one more
    /// field than the header and some of these have values, the header rather lacks the first name, as R writes row
    /// names.
    pub(super) fn may_end_with_delimiter(&self) -> bool {
        self.one_more == 0 || self.fitting > 0
    }

    /// Returns a warning if the values may be assigned to the wrong names although the contract accepts the records.
    pub(super) fn warning(&self, ragged: Ragged, layout: &RecordLayout) -> Option<String> {
        let more = self.one_more.saturating_add(self.many_more);
        let is_none_as_wide = self.fitting == 0 && self.one_more_empty == 0;
        let why = match ragged {
            Ragged::Reject => return None,
            Ragged::Pad if is_none_as_wide && self.fewer > 0 && more == 0 => "fewer",
            Ragged::Truncate | Ragged::Rescue if is_none_as_wide && more > 0 && self.fewer == 0 => "more",
            Ragged::Pad | Ragged::Truncate | Ragged::Rescue => return None,
        };
        Some(format!(
            "the first records all have {why} fields than the header, which has {}: values may be in the wrong columns",
            layout.width
        ))
    }
}
