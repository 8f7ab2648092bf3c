//! Detects the line end of a file.

use std::io::Read;

use super::Records;
use crate::error::ReadError;

/// The length of the part of a file in which the line end is searched, unless the first line is longer.
const HEAD_BYTES: usize = 64 * 1024;

/// Sets the line end to a carriage return if the beginning of the file has carriage returns and no line feed, as in files
/// of old Macs.
pub(crate) fn detect_terminator<R: Read>(records: &mut Records<R>) -> Result<(), ReadError> {
    let most = records.max_framed_bytes();
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
