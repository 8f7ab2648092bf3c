//! Decompression of gzip files with any number of members and trailing padding.

use std::fmt;
use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The first byte of a member.
const MAGIC: u8 = 0x1f;

/// A reader that joins the members to one stream. NUL bytes after the last member are padding, as in `gzip`.
pub(super) struct GzipReader<R> {
    state: GzipState<R>,
}

enum GzipState<R> {
    Member(Box<GzDecoder<R>>),
    /// After the last member.
    End(R),
    /// Temporary state during a transition to the next member.
    Between,
}

/// Bytes after a gzip stream that are neither another gzip stream nor padding up to the end of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrailingBytes {
    /// Padding that is followed by the first byte of a gzip stream.
    StreamAfterPadding,
    Other,
}

impl fmt::Display for TrailingBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StreamAfterPadding => {
                "a second gzip stream follows NUL bytes, which are allowed only as padding at the end of the file: deliver the \
                 file without NUL bytes between its streams"
            }
            Self::Other => {
                "the gzip stream is followed by bytes that are neither gzip nor padding: deliver the file without them"
            }
        })
    }
}

impl std::error::Error for TrailingBytes {}

impl<R: BufRead> GzipReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { state: GzipState::Member(Box::new(GzDecoder::new(inner))) }
    }

    pub(super) fn get_ref(&self) -> Option<&R> {
        match &self.state {
            GzipState::Member(member) => Some(member.get_ref()),
            GzipState::End(inner) => Some(inner),
            GzipState::Between => None,
        }
    }

    pub(super) fn get_mut(&mut self) -> Option<&mut R> {
        match &mut self.state {
            GzipState::Member(member) => Some(member.get_mut()),
            GzipState::End(inner) => Some(inner),
            GzipState::Between => None,
        }
    }

    /// Opens the next member, or checks the padding at the end of the file.
    fn next_member(&mut self) -> io::Result<()> {
        self.state = match std::mem::replace(&mut self.state, GzipState::Between) {
            GzipState::Member(member) => {
                let mut inner = member.into_inner();
                match peek_byte(&mut inner) {
                    Ok(Some(MAGIC)) => GzipState::Member(Box::new(GzDecoder::new(inner))),
                    other => {
                        let rest = other.and_then(|_| skip_padding(&mut inner));
                        self.state = GzipState::End(inner);
                        return rest;
                    }
                }
            }
            end @ (GzipState::End(_) | GzipState::Between) => end,
        };
        Ok(())
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match &mut self.state {
                GzipState::Member(member) => match member.read(buffer)? {
                    0 if !buffer.is_empty() => self.next_member()?,
                    count => return Ok(count),
                },
                GzipState::End(_) | GzipState::Between => return Ok(0),
            }
        }
    }
}

/// Returns the next byte without consuming it.
fn peek_byte(inner: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        match inner.fill_buf() {
            Ok(bytes) => return Ok(bytes.first().copied()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Consumes NUL bytes up to the end of the file.
///
/// # Errors
/// Returns [`TrailingBytes`] if there are other bytes.
fn skip_padding(inner: &mut impl BufRead) -> io::Result<()> {
    let mut is_padded = false;
    loop {
        let bytes = match inner.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if let Some(at) = bytes.iter().position(|byte| *byte != 0) {
            is_padded |= at > 0;
            let is_stream = is_padded && bytes.get(at) == Some(&MAGIC);
            let trailing = if is_stream { TrailingBytes::StreamAfterPadding } else { TrailingBytes::Other };
            return Err(io::Error::new(io::ErrorKind::InvalidData, trailing));
        }
        is_padded = true;
        let count = bytes.len();
        if count == 0 {
            return Ok(());
        }
        inner.consume(count);
    }
}
