//! The file as its readers share it, and what it failed with.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::error::{corrupt, unreadable};
use crate::error::{ReadError, UnreadableCode};

/// A file, which remembers its failures: decoders fail with the same kind of error, and a new try would help only with
/// the file's.
pub(super) struct SharedFile<T> {
    file: Arc<T>,
    failure: SharedFailure,
    broken_page: Arc<Mutex<Option<BrokenPage>>>,
}

type SharedFailure = Arc<Mutex<Option<io::Error>>>;

impl<T> SharedFile<T> {
    pub(super) fn new(file: T) -> Self {
        Self { file: Arc::new(file), failure: SharedFailure::default(), broken_page: Arc::default() }
    }

    /// Remembers the page that an error is about: what its readers make of the error has no place for it.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the crate's errors are not exhaustive")]
    pub(super) fn blame(&self, page: &PagePlace<'_>, error: &ParquetError) {
        let (why, is_unsupported) = match error {
            ParquetError::NYI(what) => (plain_words(what), true),
            other => (plain_words(&other.to_string()), false),
        };
        let broken =
            BrokenPage { byte_offset: page.byte_offset, why: format!("{page}: {why}"), is_unsupported };
        *self.broken_page.lock().unwrap_or_else(PoisonError::into_inner) = Some(broken);
    }

    /// What an error of the decoders means.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the crate's errors are not exhaustive")]
    pub(super) fn tell(&self, byte_offset: u64, error: &ParquetError) -> ReadError {
        if let Some(failure) = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return ReadError::Io(failure);
        }
        let unsupported = |at: u64, what: &str| {
            let message = format!("the Parquet file has what is not read: {what}");
            unreadable(UnreadableCode::UnsupportedFeature, at, message)
        };
        match self.broken_page.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(BrokenPage { byte_offset, why, is_unsupported: true }) => {
                return unsupported(byte_offset, &why);
            }
            Some(BrokenPage { byte_offset, why, is_unsupported: false }) => {
                return corrupt(byte_offset, &why);
            }
            None => {}
        }
        match error {
            ParquetError::NYI(what) => unsupported(byte_offset, &plain_words(what)),
            other => corrupt(byte_offset, &plain_words(&other.to_string())),
        }
    }
}

/// What a decoder says of a damaged file, without the names of its types and what it calls its own parts.
fn plain_words(message: &str) -> String {
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
    const WORDS: [(&str, &str); 3] = [
        ("Expected list element type", "the element of a list has another type than the file's schema says"),
        ("stream did not contain valid UTF-8", "a text is not UTF-8"),
        ("encountered non UTF-8 data", "a text is not UTF-8"),
    ];
    let mut rest = message.trim();
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = shorter;
    }
    match WORDS.iter().find(|(found, _)| rest.contains(found)) {
        Some((_, words)) => (*words).to_owned(),
        None => rest.replace("\\'", "'").replace("\\\"", "\""),
    }
}

/// A page that could not be read.
struct BrokenPage {
    byte_offset: u64,
    why: String,
    is_unsupported: bool,
}

/// Where a page is.
pub(super) struct PagePlace<'a> {
    pub(super) column: &'a str,
    /// From 0, as Parquet tools count.
    pub(super) row_group: usize,
    /// The first byte of its header.
    pub(super) byte_offset: u64,
}

impl std::fmt::Display for PagePlace<'_> {
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
            broken_page: Arc::clone(&self.broken_page),
        }
    }
}

impl<T: ChunkReader> Length for SharedFile<T> {
    fn len(&self) -> u64 {
        self.file.len()
    }
}

impl<T: ChunkReader> ChunkReader for SharedFile<T> {
    type T = Watched<T::T>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        let inner = self.file.get_read(start).map_err(|error| keep_external(error, &self.failure))?;
        Ok(Watched { inner, failure: Arc::clone(&self.failure) })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes> {
        // More is not asked for than there is: a reader may make room before it reads.
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.file.len()) {
            return Err(ParquetError::EOF(format!("{length} bytes from {start} are not in the file")));
        }
        self.file.get_bytes(start, length).map_err(|error| keep_external(error, &self.failure))
    }
}

/// A part of the file.
pub(super) struct Watched<R> {
    inner: R,
    failure: SharedFailure,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner
            .read(buffer)
            .inspect_err(|error| keep(io::Error::new(error.kind(), error.to_string()), &self.failure))
    }
}

fn keep(error: io::Error, failure: &SharedFailure) {
    // It is tried again by whoever reads.
    if error.kind() != io::ErrorKind::Interrupted {
        failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// The file fails with errors from outside, its contents with others.
fn keep_external(error: ParquetError, failure: &SharedFailure) -> ParquetError {
    if let ParquetError::External(inner) = &error {
        let kind = inner.downcast_ref::<io::Error>().map_or(io::ErrorKind::Other, io::Error::kind);
        keep(io::Error::new(kind, inner.to_string()), failure);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_do_not_name_the_types_of_the_decoder() {
        for (message, plain) in [
            ("External: Parquet argument error: EOF: eof decoding byte array", "eof decoding byte array"),
            ("Parquet argument error: External: stream did not contain valid UTF-8", "a text is not UTF-8"),
            (
                "Arrow: Invalid argument error: Expected list element type Utf8 but found Int32",
                "the element of a list has another type than the file's schema says",
            ),
            ("Parquet error: column \\'a\\' is damaged", "column 'a' is damaged"),
        ] {
            assert_eq!(plain_words(message), plain);
        }
    }
}
