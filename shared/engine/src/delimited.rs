//! Delimited text: detection of its dialect and header, and the positions of a record's fields.

mod field;
mod framing;
mod head;
mod header;
mod names;
mod open;
mod quoting;
mod repeated;
mod scan;
mod sniff;
mod split;
mod widths;

pub(crate) use field::field;
pub(crate) use framing::Framing;
pub(crate) use header::{RecordLayout, Surplus, bind_header};
pub(crate) use open::{FirstRecord, OpenedDelimited, open_delimited, read_first};
#[cfg(test)]
pub(crate) use quoting::Blanks;
pub(crate) use quoting::{Quoting, Span};
pub(crate) use repeated::{BYTE_ORDER_MARK, RepeatedHeader, skip_byte_order_mark};
#[cfg(test)]
pub(crate) use scan::Marks;
pub(crate) use scan::{Scanned, scan};
pub(crate) use split::{
    Delimiter, FieldDelimiter, QuotedSplit, split_again, split_line, split_quoted, split_unquoted,
};
