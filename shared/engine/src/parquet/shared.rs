//! A file that several readers share, with a record of its errors.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::error::{corrupt, unreadable};
use crate::error::{ReadError, UnreadableCode};

/// A file that records its I/O errors. Decoders return I/O errors and faults of the content as the same type, but only
/// after an I/O error is it useful to retry.
pub(super) struct SharedFile<T> {
    file: Arc<T>,
    failure: SharedFailure,
    failed_page: Arc<Mutex<Option<FailedPage>>>,
}

type SharedFailure = Arc<Mutex<Option<io::Error>>>;

impl<T> SharedFile<T> {
    pub(super) fn new(file: T) -> Self {
        Self { file: Arc::new(file), failure: SharedFailure::default(), failed_page: Arc::default() }
    }

    /// Records the page that an error refers to. The column readers do not pass on its position.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the crate's error type is non-exhaustive")]
    pub(super) fn record_page_error(&self, page: &PagePosition<'_>, error: &ParquetError) {
        let (reason, is_unsupported) = match error {
            ParquetError::NYI(feature) => (clean_message(feature), true),
            other => (clean_message(&other.to_string()), false),
        };
        let failed =
            FailedPage { byte_offset: page.byte_offset, reason: format!("{page}: {reason}"), is_unsupported };
        *self.failed_page.lock().unwrap_or_else(PoisonError::into_inner) = Some(failed);
    }

    /// Converts an error of the decoders: a recorded I/O error, or a fault of the recorded page or at `byte_offset`.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the crate's error type is non-exhaustive")]
    pub(super) fn to_read_error(&self, byte_offset: u64, error: &ParquetError) -> ReadError {
        if let Some(failure) = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return ReadError::Io(failure);
        }
        let unsupported = |at: u64, feature: &str| {
            let message = format!("the Parquet file uses a feature that is not supported: {feature}");
            unreadable(UnreadableCode::UnsupportedFeature, at, message)
        };
        match self.failed_page.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(FailedPage { byte_offset, reason, is_unsupported: true }) => {
                return unsupported(byte_offset, &reason);
            }
            Some(FailedPage { byte_offset, reason, is_unsupported: false }) => {
                return corrupt(byte_offset, &reason);
            }
            None => {}
        }
        match error {
            ParquetError::NYI(feature) => unsupported(byte_offset, &clean_message(feature)),
            other => corrupt(byte_offset, &clean_message(&other.to_string())),
        }
    }
}

/// Returns a decoder's message without the names of its types and components.
fn clean_message(message: &str) -> String {
    const PREFIXES: [&str; 8] = [
        "External: ",
        "Parquet error: ",
        "Parquet argument error: ",
        "Arrow: ",
        "EOF: ",
        "NYI: ",
        "Invalid argument error: ",
        "Generic error: ",
    ];
    const REPLACEMENTS: [(&str, &str); 3] = [
        ("Expected list element type", "the type of a list element does not match the file's schema"),
        ("stream did not contain valid UTF-8", "a text is not UTF-8"),
        ("encountered non UTF-8 data", "a text is not UTF-8"),
    ];
    let mut rest = message.trim();
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = shorter;
    }
    match REPLACEMENTS.iter().find(|(original, _)| rest.contains(original)) {
        Some((_, replacement)) => (*replacement).to_owned(),
        None => rest.replace("\\'", "'").replace("\\\"", "\""),
    }
}

/// A page that could not be read.
struct FailedPage {
    byte_offset: u64,
    reason: String,
    is_unsupported: bool,
}

/// The position of a page.
pub(super) struct PagePosition<'a> {
    pub(super) column: &'a str,
    /// The number of the row group, from 0 as in Parquet tools.
    pub(super) row_group: usize,
    /// The first byte of its header.
    pub(super) byte_offset: u64,
}

impl std::fmt::Display for PagePosition<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { column, row_group, byte_offset } = self;
        write!(f, "a page of column `{column}` in row group {row_group}, at byte {byte_offset}")
    }
}

impl<T> Clone for SharedFile<T> {
    fn clone(&self) -> Self {
        Self {
            file: Arc::clone(&self.file),
            failure: Arc::clone(&self.failure),
            failed_page: Arc::clone(&self.failed_page),
        }
    }
}

impl<T: ChunkReader> Length for SharedFile<T> {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl<T: ChunkReader> ChunkReader for SharedFile<T> {
    type T = MonitoredReader<T::T>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let inner = self.file.get_read(start).map_err(|error| record_external(error, &self.failure))?;
        Ok(MonitoredReader { inner, failure: Arc::clone(&self.failure) })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes> {
        // The length is checked first, because a reader may allocate memory before it reads.
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.file.len()) {
            return Err(ParquetError::EOF(format!("{length} bytes from {start} are not in the file")));
        }
        self.file.get_bytes(start, length).map_err(|error| record_external(error, &self.failure))
    }
}

/// A reader of a part of the file that records errors.
pub(super) struct MonitoredReader<R> {
    inner: R,
    failure: SharedFailure,
}

impl<R: Read> Read for MonitoredReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner
            .read(buffer)
            .inspect_err(|error| record(io::Error::new(error.kind(), error.to_string()), &self.failure))
    }
}

/// Records the first error.
fn record(error: io::Error, failure: &SharedFailure) {
    // The caller retries an interrupted read.
    if error.kind() != io::ErrorKind::Interrupted {
        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Records an error of the file. It is an external error; faults of the content are other variants.
fn record_external(error: ParquetError, failure: &SharedFailure) -> ParquetError {
    if let ParquetError::External(inner) = &error {
        let kind = inner.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind);
        record(io::Error::new(kind, inner.to_string()), failure);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_do_not_contain_names_of_the_decoders_types() {
        for (message, expected) in [
            ("External: Parquet argument error: EOF: eof decoding byte array", "eof decoding byte array"),
            ("Parquet argument error: External: stream did not contain valid UTF-8", "a text is not UTF-8"),
            (
                "Arrow: Invalid argument error: Expected list element type Utf8 but found Int32",
                "the type of a list element does not match the file's schema",
            ),
            ("Parquet error: column \\'a\\' is damaged", "column 'a' is damaged"),
        ] {
            assert_eq!(clean_message(message), expected);
        }
    }
}
