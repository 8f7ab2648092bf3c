//! Delimited text: where a record's fields are, and which of them the columns read.

mod header;
mod sniff;
mod split;

pub(crate) use header::{Layout, bind_header, bind_order};
pub(crate) use sniff::sniff_delimiter;
pub(crate) use split::{Quoting, Span, Split, field, split_line, split_quoted};
