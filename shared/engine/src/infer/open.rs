//! Opens the sample as a stream of records.

use std::io::{self, Read};

use encoding_rs::Encoding;

use super::error::InferError;
use super::known::KnownFormat;
use crate::decode::Decoded;
use crate::error::ReadError;
use crate::input::Input;
use crate::limits::Limits;
use crate::records::{Records, detect_terminator};

/// A function that opens the sample at its beginning each time it is called.
pub type OpenSample<'o> = dyn FnMut() -> io::Result<Box<dyn Read + Send>> + 'o;

/// Opens the sample at its beginning. `may_be_windows_1252`: false for JSON, and as long as the file may be JSON.
pub(super) fn open_records(
    open: &mut OpenSample<'_>,
    limits: &Limits,
    known: &KnownFormat,
    may_be_windows_1252: bool,
) -> Result<Records<Box<dyn Read + Send>>, InferError> {
    let input = Input::open(open().map_err(ReadError::Io)?, None, limits)?;
    let encoding = match &known.encoding {
        None => None,
        Some(label) => {
            let encoding = Encoding::for_label_no_replacement(label.as_bytes());
            Some(encoding.ok_or_else(|| InferError::UnknownEncoding(label.clone()))?)
        }
    };
    let decoded = Decoded::open(input, encoding, false, may_be_windows_1252)?;
    let mut records = Records::new(decoded, limits.max_record_bytes);
    detect_terminator(&mut records)?;
    Ok(records)
}
