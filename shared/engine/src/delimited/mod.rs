//! Delimited text: its dialect, where a record's fields are, and which of them the columns read.

mod doubt;
mod head;
mod header;
mod names;
mod open;
mod repeated;
mod scan;
mod sniff;
mod split;
mod widths;

pub(crate) use header::{Layout, Surplus, bind_header};
pub(crate) use open::{Delimited, FirstRecord, open_delimited, read_first};
pub(crate) use repeated::{MARK, RepeatedHeader, skip_mark};
pub(crate) use scan::{Marks, Scanned, scan};
#[cfg(test)]
pub(crate) use split::Blanks;
pub(crate) use split::{
    Delimiter, FieldDelimiter, Quoting, Span, Split, field, split_again, split_line, split_quoted,
    split_unquoted,
};
