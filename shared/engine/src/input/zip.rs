//! A zip archive with one file, as a stream: from its first local header on, without the directory at the end.
//!
//! After PKWARE's APPNOTE.TXT 6.3: local file header (4.3.7), data descriptor (4.3.9), zip64 field (4.5.3). Folders and the
//! files that macOS and Windows add are skipped, wherever they are. A second file is an error once the first one has been
//! read: only the directory would name it earlier.

mod error;
mod header;

use std::io::{self, BufRead, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

pub(super) use self::error::UnsupportedFeature;
use self::error::{corrupt, unsupported};
use self::header::{LOCAL_HEADER, LocalHeader, MAX_TAIL_BYTES, Method, Promise, after_descriptor};
use super::magic::{Recognised, office};

/// Files that an error names at most.
const MAX_NAMES: usize = 5;
/// Bytes that skipped members become at most: their decompression is paid for, and nobody reads them.
const MAX_SKIPPED_BYTES: u64 = 1024 * 1024 * 1024;
const SKIP_BUFFER_BYTES: usize = 8 * 1024;

/// An archive that is a document of another kind.
#[derive(Debug, thiserror::Error)]
#[error("the archive is {}", self.0.name)]
pub(super) struct OtherDocument(pub(super) Recognised);

/// The bytes of the only file.
#[derive(Debug)]
pub(super) struct ZipReader<R: BufRead> {
    state: ZipState<Unread<R>>,
    member: ZipMember,
    /// The names of the files so far.
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
    /// Only while the state changes.
    Moving,
}

/// The member under way.
#[derive(Debug, Default)]
struct ZipMember {
    crc: Crc,
    promised: Option<Promise>,
    is_skipped: bool,
    /// It is skipped by its size: nothing of it is compared.
    is_unseen: bool,
}

impl<R: BufRead> ZipReader<R> {
    pub(super) fn new(inner: R) -> Self {
        let inner = Unread { head: Vec::new(), read: 0, inner };
        Self {
            state: ZipState::Between(inner),
            member: ZipMember::default(),
            files: Vec::new(),
            skipped_bytes: 0,
        }
    }

    pub(super) fn inner(&self) -> Option<&R> {
        let unread = match &self.state {
            ZipState::Between(inner) | ZipState::End(inner) => inner,
            ZipState::Stored(member) => member.get_ref(),
            ZipState::Deflated(member) => member.get_ref(),
            ZipState::Moving => return None,
        };
        Some(&unread.inner)
    }

    pub(super) fn inner_mut(&mut self) -> Option<&mut R> {
        let unread = match &mut self.state {
            ZipState::Between(inner) | ZipState::End(inner) => inner,
            ZipState::Stored(member) => member.get_mut(),
            ZipState::Deflated(member) => member.get_mut(),
            ZipState::Moving => return None,
        };
        Some(&mut unread.inner)
    }

    /// Goes to the next state; on an error the input is kept, so that its own failure can be reported.
    fn advance(&mut self) -> io::Result<()> {
        let (mut inner, found) = match std::mem::replace(&mut self.state, ZipState::Moving) {
            ZipState::Between(inner) => return self.open_member(inner),
            ZipState::Stored(member) => {
                let missing = member.limit();
                let inner = member.into_inner();
                if missing > 0 {
                    self.state = ZipState::End(inner);
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let stored = self.member.promised.map_or(0, |promised| promised.compressed);
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
            ZipState::Moving => return Err(corrupt("reading went on after an error")),
        };
        let (compressed, uncompressed) = found;
        let found = Promise { crc: self.member.crc.sum(), compressed, uncompressed };
        let compared = self.member.compare(&mut inner, found);
        self.state = if compared.is_ok() { ZipState::Between(inner) } else { ZipState::End(inner) };
        compared
    }

    /// Goes into the next member, or to the end of the archive behind the last one.
    fn open_member(&mut self, mut inner: Unread<R>) -> io::Result<()> {
        let opened = match read_header(&mut inner) {
            Ok(Some(header)) => self.enter(&header),
            Ok(None) => self.check_files().and_then(|()| {
                // The directory says again what the headers said.
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

    /// Decides how a member is read, and whether it is.
    fn enter(&mut self, header: &LocalHeader) -> io::Result<Option<Method>> {
        if self.files.is_empty()
            && let Some(document) = office(header.name.as_bytes())
        {
            return Err(io::Error::new(io::ErrorKind::Unsupported, OtherDocument(document)));
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
            // That there are several files matters more than that this one cannot be skipped.
            self.check_several()?;
        }
        let is_unseen = is_skipped && header.promised.is_some();
        self.member = ZipMember { crc: Crc::new(), promised: header.promised, is_skipped, is_unseen };
        method.map(Some)
    }

    /// An archive has one file.
    fn check_files(&self) -> io::Result<()> {
        self.check_several()?;
        if self.files.is_empty() {
            return Err(unsupported("the archive has no file; deliver one with one file"));
        }
        Ok(())
    }

    fn check_several(&self) -> io::Result<()> {
        if self.files.len() < 2 {
            return Ok(());
        }
        let names = self.files.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let more = if self.files.len() >= MAX_NAMES { " and maybe more" } else { "" };
        Err(unsupported(format!("the archive has more than one file: {names}{more}; deliver each by itself")))
    }

    /// Reads bytes of a member that is skipped; false at its end.
    fn skip(&mut self) -> io::Result<bool> {
        let mut buffer = [0; SKIP_BUFFER_BYTES];
        let count = self.state.read(&mut buffer)?;
        self.member.crc.update(buffer.get(..count).unwrap_or_default());
        self.skipped_bytes = self.skipped_bytes.saturating_add(count as u64);
        if self.skipped_bytes > MAX_SKIPPED_BYTES {
            self.check_several()?;
            return Err(unsupported(format!(
                "the archive has more than {MAX_SKIPPED_BYTES} bytes in files of the operating system; deliver it without them"
            )));
        }
        Ok(count > 0)
    }
}

impl ZipMember {
    /// Compares what was read with what the archive says of it, which may come after it.
    fn compare<R: BufRead>(&self, inner: &mut Unread<R>, found: Promise) -> io::Result<()> {
        match self.promised {
            Some(_) if self.is_unseen => Ok(()),
            Some(promised) if promised == found => Ok(()),
            Some(_) => Err(corrupt("the member's checksum or size is not the one in its header")),
            None => {
                let mut tail = Vec::new();
                inner.take(MAX_TAIL_BYTES).read_to_end(&mut tail)?;
                // Some writers announce a descriptor for a folder and write none.
                let is_absent = self.is_skipped && found.compressed == 0 && is_next(&tail);
                let next = if is_absent { &tail[..] } else { after_descriptor(&tail, found)? };
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
                        self.member.crc.update(buffer.get(..count).unwrap_or_default());
                        return Ok(count);
                    }
                    self.advance()?;
                }
                ZipState::End(_) => return Ok(0),
                ZipState::Moving => return Err(corrupt("reading went on after an error")),
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

/// Reads the next local header; `None` before anything else.
fn read_header(inner: &mut impl Read) -> io::Result<Option<LocalHeader>> {
    let mut signature = [0; 4];
    inner.read_exact(&mut signature)?;
    if signature == LOCAL_HEADER { LocalHeader::read(inner).map(Some) } else { Ok(None) }
}

/// True for the signature of a member or of the directory.
fn is_next(bytes: &[u8]) -> bool {
    bytes.starts_with(&LOCAL_HEADER) || bytes.starts_with(b"PK\x01\x02")
}

/// A reader with bytes that are to be read once more.
#[derive(Debug)]
struct Unread<R> {
    head: Vec<u8>,
    read: usize,
    inner: R,
}

impl<R> Unread<R> {
    /// Puts bytes back that were read last, all others of `head` being read.
    fn put_back(&mut self, bytes: &[u8]) {
        self.head.drain(..self.read);
        self.read = 0;
        self.head.splice(..0, bytes.iter().copied());
    }

    fn rest(&self) -> &[u8] {
        self.head.get(self.read..).unwrap_or_default()
    }
}

impl<R: BufRead> Read for Unread<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest().is_empty() {
            return self.inner.read(buffer);
        }
        let count = self.rest().read(buffer)?;
        self.read = self.read.saturating_add(count);
        Ok(count)
    }
}

impl<R: BufRead> BufRead for Unread<R> {
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
