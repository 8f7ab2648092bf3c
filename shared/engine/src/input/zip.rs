//! A streaming reader for zip archives with one file. It reads local headers and does not use the directory at the end.
//!
//! Follows PKWARE's APPNOTE.TXT 6.3: local file header (4.3.7), data descriptor (4.3.9), zip64 field (4.5.3). Folders
//! and the files that macOS and Windows add are skipped, wherever they are. A second file is an error, which is
//! reported after the first file has been read, because only the directory lists all files.

mod error;
mod header;

use std::io::{self, BufRead, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

pub(super) use self::error::UnsupportedFeature;
use self::error::{corrupt, unsupported};
use self::header::{LOCAL_HEADER, LocalHeader, MAX_TAIL_BYTES, MemberDigest, Method, after_descriptor};
use super::magic::{RecognisedFormat, office};

/// Largest number of files that an error lists.
const MAX_NAMES: usize = 5;
/// Largest decompressed size of all skipped members, which limits the work that is spent on them.
const MAX_SKIPPED_BYTES: u64 = 1024 * 1024 * 1024;
const SKIP_BUFFER_BYTES: usize = 8 * 1024;
const FITS: &str = "a reader reports no more bytes than the buffer has";

/// An archive that is an Office document.
#[derive(Debug, thiserror::Error)]
#[error("the archive is {}", self.0.name)]
pub(super) struct OfficeDocument(pub(super) RecognisedFormat);

/// A reader for the only file of an archive.
#[derive(Debug)]
pub(super) struct ZipReader<R: BufRead> {
    state: ZipState<PushbackReader<R>>,
    member: ZipMember,
    /// The names of the files that were encountered.
    files: Vec<String>,
    skipped_bytes: u64,
}

#[derive(Debug)]
enum ZipState<R: BufRead> {
    /// Before a signature.
    Between(R),
    Stored(io::Take<R>),
    Deflated(DeflateDecoder<R>),
    End(R),
    /// Temporary state during a transition.
    Moving,
}

/// The current member.
#[derive(Debug, Default)]
struct ZipMember {
    crc: Crc,
    declared: Option<MemberDigest>,
    is_skipped: bool,
    /// Whether it is skipped by its size, without verification.
    is_unverified: bool,
}

impl<R: BufRead> ZipReader<R> {
    pub(super) fn new(inner: R) -> Self {
        let inner = PushbackReader { head: Vec::new(), read: 0, inner };
        Self {
            state: ZipState::Between(inner),
            member: ZipMember::default(),
            files: Vec::new(),
            skipped_bytes: 0,
        }
    }

    pub(super) fn inner(&self) -> Option<&R> {
        let pushback = match &self.state {
            ZipState::Between(inner) | ZipState::End(inner) => inner,
            ZipState::Stored(member) => member.get_ref(),
            ZipState::Deflated(member) => member.get_ref(),
            ZipState::Moving => return None,
        };
        Some(&pushback.inner)
    }

    pub(super) fn inner_mut(&mut self) -> Option<&mut R> {
        let pushback = match &mut self.state {
            ZipState::Between(inner) | ZipState::End(inner) => inner,
            ZipState::Stored(member) => member.get_mut(),
            ZipState::Deflated(member) => member.get_mut(),
            ZipState::Moving => return None,
        };
        Some(&mut pushback.inner)
    }

    /// Changes to the next state. The input is retained on an error, because the caller reports the input's own error.
    fn advance(&mut self) -> io::Result<()> {
        let (mut inner, (compressed, uncompressed)) =
            match std::mem::replace(&mut self.state, ZipState::Moving) {
                ZipState::Between(inner) => return self.open_member(inner),
                ZipState::Stored(member) => {
                    let missing = member.limit();
                    let inner = member.into_inner();
                    if missing > 0 {
                        self.state = ZipState::End(inner);
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    let stored = self.member.declared.map_or(0, |declared| declared.compressed);
                    (inner, (stored, stored))
                }
                ZipState::Deflated(member) => {
                    let sizes = (member.total_in(), member.total_out());
                    (member.into_inner(), sizes)
                }
                ZipState::End(inner) => {
                    self.state = ZipState::End(inner);
                    return Ok(());
                }
                ZipState::Moving => return Err(corrupt("the archive was read again after an error")),
            };
        let actual = MemberDigest { crc: self.member.crc.sum(), compressed, uncompressed };
        let verified = self.member.verify(&mut inner, actual);
        self.state = if verified.is_ok() { ZipState::Between(inner) } else { ZipState::End(inner) };
        verified
    }

    /// Opens the next member, or reads to the end of the archive after the last one.
    fn open_member(&mut self, mut inner: PushbackReader<R>) -> io::Result<()> {
        let opened = match read_header(&mut inner) {
            Ok(Some(header)) => self.enter(&header),
            Ok(None) => self.check_files().and_then(|()| {
                // The directory is redundant.
                io::copy(&mut inner, &mut io::sink()).map(|_| None)
            }),
            Err(error) => Err(error),
        };
        self.state = match opened {
            Ok(Some(Method::Stored(bytes))) => ZipState::Stored(inner.take(bytes)),
            Ok(Some(Method::Deflated)) => ZipState::Deflated(DeflateDecoder::new(inner)),
            Ok(None) | Err(_) => ZipState::End(inner),
        };
        opened.map(|_| ())
    }

    /// Starts a member and returns its method.
    fn enter(&mut self, header: &LocalHeader) -> io::Result<Option<Method>> {
        if self.files.is_empty()
            && let Some(document) = office(header.name.as_bytes())
        {
            return Err(io::Error::new(io::ErrorKind::Unsupported, OfficeDocument(document)));
        }
        let is_skipped = header.is_junk || !self.files.is_empty();
        if !header.is_junk {
            self.files.push(header.name.clone());
        }
        if self.files.len() >= MAX_NAMES {
            self.check_files()?;
        }
        let method = if is_skipped { header.skip_method() } else { header.method() };
        if method.is_err() {
            // An error about several files takes precedence over one about skipping this file.
            self.check_several()?;
        }
        let is_unverified = is_skipped && header.declared.is_some();
        self.member = ZipMember { crc: Crc::new(), declared: header.declared, is_skipped, is_unverified };
        method.map(Some)
    }

    /// Checks that the archive has exactly one file.
    fn check_files(&self) -> io::Result<()> {
        self.check_several()?;
        if self.files.is_empty() {
            return Err(unsupported("the archive contains no file; deliver an archive with one file"));
        }
        Ok(())
    }

    fn check_several(&self) -> io::Result<()> {
        if self.files.len() < 2 {
            return Ok(());
        }
        let names = self.files.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let more = if self.files.len() >= MAX_NAMES { " and possibly more" } else { "" };
        let message = format!(
            "the archive contains more than one file: {names}{more}; deliver each file in an archive of its own"
        );
        Err(unsupported(message))
    }

    /// Reads bytes of a skipped member. Returns false at its end.
    fn skip(&mut self) -> io::Result<bool> {
        let mut buffer = [0; SKIP_BUFFER_BYTES];
        let count = self.state.read(&mut buffer)?;
        self.member.crc.update(buffer.get(..count).expect(FITS));
        self.skipped_bytes = self.skipped_bytes.saturating_add(count as u64);
        if self.skipped_bytes > MAX_SKIPPED_BYTES {
            self.check_several()?;
            return Err(unsupported(format!(
                "the archive contains more than {MAX_SKIPPED_BYTES} bytes in files that the operating system added; deliver it without \
                 them"
            )));
        }
        Ok(count > 0)
    }
}

impl ZipMember {
    /// Compares the content with the declared checksum and sizes, which may follow it.
    fn verify<R: BufRead>(&self, inner: &mut PushbackReader<R>, actual: MemberDigest) -> io::Result<()> {
        match self.declared {
            Some(_) if self.is_unverified => Ok(()),
            Some(declared) if declared == actual => Ok(()),
            Some(_) => Err(corrupt("the member does not match the checksum and sizes in its header")),
            None => {
                let mut tail = Vec::new();
                inner.take(MAX_TAIL_BYTES).read_to_end(&mut tail)?;
                // Some writers set the descriptor flag for a folder and write no descriptor.
                let is_absent = self.is_skipped && actual.compressed == 0 && is_record(&tail);
                let next = if is_absent { &tail[..] } else { after_descriptor(&tail, actual)? };
                inner.put_back(next);
                Ok(())
            }
        }
    }
}

impl<R: BufRead> Read for ZipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.state {
                ZipState::Between(_) => self.advance()?,
                ZipState::Stored(_) | ZipState::Deflated(_) if self.member.is_skipped => {
                    if !self.skip()? {
                        self.advance()?;
                    }
                }
                ZipState::Stored(_) | ZipState::Deflated(_) => {
                    let count = self.state.read(buffer)?;
                    if count > 0 {
                        self.member.crc.update(buffer.get(..count).expect(FITS));
                        return Ok(count);
                    }
                    self.advance()?;
                }
                ZipState::End(_) => return Ok(0),
                ZipState::Moving => return Err(corrupt("the archive was read again after an error")),
            }
        }
    }
}

impl<R: BufRead> ZipState<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Stored(member) => member.read(buffer),
            Self::Deflated(member) => member.read(buffer),
            Self::Between(_) | Self::End(_) | Self::Moving => Ok(0),
        }
    }
}

/// Reads the next local header; returns `None` before any other record.
fn read_header(inner: &mut impl Read) -> io::Result<Option<LocalHeader>> {
    let mut signature = [0; 4];
    inner.read_exact(&mut signature)?;
    if signature == LOCAL_HEADER { LocalHeader::read(inner).map(Some) } else { Ok(None) }
}

/// Returns whether the bytes begin with the signature of a member or of the directory.
fn is_record(bytes: &[u8]) -> bool {
    bytes.starts_with(&LOCAL_HEADER) || bytes.starts_with(b"PK\x01\x02")
}

/// A reader into which bytes can be put back.
#[derive(Debug)]
struct PushbackReader<R> {
    head: Vec<u8>,
    /// The number of bytes of `head` that have been read.
    read: usize,
    inner: R,
}

impl<R> PushbackReader<R> {
    /// Puts the last bytes that were read back.
    fn put_back(&mut self, bytes: &[u8]) {
        self.head.drain(..self.read);
        self.read = 0;
        self.head.splice(..0, bytes.iter().copied());
    }

    fn rest(&self) -> &[u8] {
        self.head.get(self.read..).expect("no more bytes of the head are read than there are")
    }
}

impl<R: BufRead> Read for PushbackReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest().is_empty() {
            return self.inner.read(buffer);
        }
        let count = self.rest().read(buffer)?;
        self.read = self.read.saturating_add(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for PushbackReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read < self.head.len() { Ok(self.rest()) } else { self.inner.fill_buf() }
    }

    fn consume(&mut self, count: usize) {
        if self.read < self.head.len() {
            self.read = self.read.saturating_add(count);
        } else {
            self.inner.consume(count);
        }
    }
}
