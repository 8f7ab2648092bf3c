//! Detection of the line end.

use std::io::Read;

use super::Records;
use crate::error::ReadError;

/// The part of a file in which the line end is searched, unless the first line is longer.
const HEAD_BYTES: usize = 64 * 1024;

/// Takes lone carriage returns for line ends where no line feed comes first, as on old Macs.
pub(crate) fn detect_terminator<R: Read>(records: &mut Records<R>) -> Result<(), ReadError> {
    let most = records.reach();
    let mut count = HEAD_BYTES;
    loop {
        let head = records.head(count)?;
        let is_whole = head.len() < count;
        if memchr::memchr(b'\n', head).is_some() {
            return Ok(());
        }
        // A line feed may follow a carriage return at the end of the head.
        let certain = if is_whole { head } else { head.split_last().map_or(head, |(_, certain)| certain) };
        if memchr::memchr(b'\r', certain).is_some() {
            records.set_terminator(b'\r');
            return Ok(());
        }
        if is_whole || count >= most {
            return Ok(());
        }
        count = count.saturating_mul(2);
    }
}
