//! A zip archive with one member, as a stream: from its local header on, without the directory at the end.
//!
//! After PKWARE's APPNOTE.TXT 6.3: local file header (4.3.7), data descriptor (4.3.9), zip64 field (4.5.3).

use std::io::{self, BufRead, Read};

use flate2::Crc;
use flate2::bufread::DeflateDecoder;

const LOCAL_HEADER: [u8; 4] = *b"PK\x03\x04";
const DESCRIPTOR: [u8; 4] = *b"PK\x07\x08";
const IS_ENCRYPTED: u16 = 1;
const HAS_DESCRIPTOR: u16 = 1 << 3;
const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ZIP64_FIELD: u16 = 1;
/// Stands where the zip64 field has the size.
const SIZE_ELSEWHERE: u32 = u32::MAX;
/// Signature, checksum and two sizes of 8 bytes, then the signature of what follows.
const MAX_TAIL_BYTES: u64 = 4 + 4 + 8 + 8 + 4;

/// An archive that is whole, but not one that is read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UnsupportedArchive(String);

fn unsupported(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, UnsupportedArchive(message.into()))
}

fn corrupt(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The bytes of the only member.
#[derive(Debug)]
pub(super) struct ZipReader<R: BufRead> {
    state: State<R>,
    crc: Crc,
    /// Checksum, compressed and uncompressed size; a data descriptor after the member has them when this has not.
    promised: Option<Promise>,
}

#[derive(Debug)]
enum State<R: BufRead> {
    Start(R),
    Stored(io::Take<R>),
    Deflated(DeflateDecoder<R>),
    End(R),
    /// Only while the state changes.
    Moving,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Promise {
    crc: u32,
    compressed: u64,
    uncompressed: u64,
}

struct Header {
    flags: u16,
    method: u16,
    promised: Promise,
    is_folder: bool,
}

impl<R: BufRead> ZipReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { state: State::Start(inner), crc: Crc::new(), promised: None }
    }

    pub(super) fn inner(&self) -> Option<&R> {
        match &self.state {
            State::Start(inner) | State::End(inner) => Some(inner),
            State::Stored(member) => Some(member.get_ref()),
            State::Deflated(member) => Some(member.get_ref()),
            State::Moving => None,
        }
    }

    pub(super) fn inner_mut(&mut self) -> Option<&mut R> {
        match &mut self.state {
            State::Start(inner) | State::End(inner) => Some(inner),
            State::Stored(member) => Some(member.get_mut()),
            State::Deflated(member) => Some(member.get_mut()),
            State::Moving => None,
        }
    }

    /// Goes to the next state; on an error the input is kept, so that its own failure can be told.
    fn advance(&mut self) -> io::Result<()> {
        match std::mem::replace(&mut self.state, State::Moving) {
            State::Start(mut inner) => match open_member(&mut inner) {
                Ok(header) => {
                    let has_descriptor = header.flags & HAS_DESCRIPTOR != 0;
                    self.promised = (!has_descriptor).then_some(header.promised);
                    self.state = if header.method == STORED {
                        State::Stored(inner.take(header.promised.compressed))
                    } else {
                        State::Deflated(DeflateDecoder::new(inner))
                    };
                    Ok(())
                }
                Err(error) => {
                    self.state = State::End(inner);
                    Err(error)
                }
            },
            State::Stored(member) => {
                let missing = member.limit();
                self.state = State::End(member.into_inner());
                if missing > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                // A member is stored only with its size in the header.
                let stored = self.promised.map_or(0, |promised| promised.compressed);
                self.finish(stored, stored)
            }
            State::Deflated(member) => {
                let (compressed, uncompressed) = (member.total_in(), member.total_out());
                self.state = State::End(member.into_inner());
                self.finish(compressed, uncompressed)
            }
            State::End(inner) => {
                self.state = State::End(inner);
                Ok(())
            }
            State::Moving => Err(corrupt("reading went on after an error")),
        }
    }

    /// Compares what was read with what the archive says, and looks whether another member follows.
    fn finish(&mut self, compressed: u64, uncompressed: u64) -> io::Result<()> {
        let State::End(inner) = &mut self.state else { return Ok(()) };
        let found = Promise { crc: self.crc.sum(), compressed, uncompressed };
        let mut tail = Vec::new();
        inner.take(MAX_TAIL_BYTES).read_to_end(&mut tail)?;
        let next = match self.promised {
            Some(promised) if promised != found => {
                return Err(corrupt("the member's checksum or size is not the one in its header"));
            }
            Some(_) => &tail[..],
            None => after_descriptor(&tail, found)?,
        };
        if next.starts_with(&LOCAL_HEADER) {
            return Err(unsupported("the archive has more than one member; deliver each file by itself"));
        }
        if next.len() < 4 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // The directory says again what the header said.
        io::copy(inner, &mut io::sink()).map(|_| ())
    }
}

impl<R: BufRead> Read for ZipReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = match &mut self.state {
                State::Start(_) => None,
                State::Stored(member) => Some(member.read(buffer)?),
                State::Deflated(member) => Some(member.read(buffer)?),
                State::End(_) => return Ok(0),
                State::Moving => return Err(corrupt("reading went on after an error")),
            };
            match count {
                Some(count) if count > 0 => {
                    self.crc.update(buffer.get(..count).unwrap_or_default());
                    return Ok(count);
                }
                Some(_) if buffer.is_empty() => return Ok(0),
                Some(_) | None => self.advance()?,
            }
        }
    }
}

/// Reads local headers up to that of a file; folders are no members.
fn open_member(inner: &mut impl BufRead) -> io::Result<Header> {
    loop {
        let header = local_header(inner)?;
        if header.is_folder {
            continue;
        }
        if header.flags & IS_ENCRYPTED != 0 {
            return Err(unsupported("the archive is encrypted; deliver it without a password"));
        }
        return match header.method {
            DEFLATED => Ok(header),
            STORED if header.flags & HAS_DESCRIPTOR == 0 => Ok(header),
            STORED => Err(unsupported(
                "the member is stored without its size, so that its end cannot be told; compress it with deflate",
            )),
            method => Err(unsupported(format!(
                "the member is compressed by method {method}; deflate (8) and stored (0) are read"
            ))),
        };
    }
}

/// The `N` bytes from a place on, which lie within the header.
fn part<const N: usize>(header: &[u8], at: usize) -> [u8; N] {
    header.get(at..).and_then(<[u8]>::first_chunk::<N>).copied().unwrap_or([0; N])
}

fn local_header(inner: &mut impl BufRead) -> io::Result<Header> {
    let mut fixed = [0; 30];
    inner.read_exact(&mut fixed[..4])?;
    if fixed[..4] != LOCAL_HEADER {
        return Err(unsupported("the archive has no member"));
    }
    inner.read_exact(&mut fixed[4..])?;
    let short = |at: usize| u16::from_le_bytes(part(&fixed, at));
    let long = |at: usize| u32::from_le_bytes(part(&fixed, at));
    let mut name = vec![0; usize::from(short(26))];
    inner.read_exact(&mut name)?;
    let mut extra = vec![0; usize::from(short(28))];
    inner.read_exact(&mut extra)?;
    let (compressed, uncompressed) = sizes(long(18), long(22), &extra);
    let promised = Promise { crc: long(14), compressed, uncompressed };
    Ok(Header {
        flags: short(6),
        method: short(8),
        promised,
        is_folder: name.ends_with(b"/") && compressed == 0 && uncompressed == 0,
    })
}

/// The compressed and the uncompressed size: in the zip64 field, uncompressed first, where the header has no room.
fn sizes(compressed: u32, uncompressed: u32, mut extra: &[u8]) -> (u64, u64) {
    let mut sizes = (u64::from(compressed), u64::from(uncompressed));
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let kind = u16::from_le_bytes([head[0], head[1]]);
        let length = usize::from(u16::from_le_bytes([head[2], head[3]])).min(rest.len());
        let (mut field, after) = rest.split_at(length);
        extra = after;
        if kind != ZIP64_FIELD {
            continue;
        }
        for (short, size) in [(uncompressed, &mut sizes.1), (compressed, &mut sizes.0)] {
            if short == SIZE_ELSEWHERE
                && let Some((value, rest)) = field.split_first_chunk()
            {
                *size = u64::from_le_bytes(*value);
                field = rest;
            }
        }
    }
    sizes
}

/// What follows the data descriptor, which may lack its signature and whose sizes may have 4 or 8 bytes: the
/// layout is the one that agrees with what was read.
fn after_descriptor(tail: &[u8], found: Promise) -> io::Result<&[u8]> {
    for signature in [&DESCRIPTOR[..], &[]] {
        for is_long in [false, true] {
            let mut bytes = signature.to_vec();
            bytes.extend_from_slice(&found.crc.to_le_bytes());
            for size in [found.compressed, found.uncompressed] {
                let width = if is_long { 8 } else { 4 };
                bytes.extend(size.to_le_bytes().iter().take(width));
            }
            if let Some(next) = tail.strip_prefix(&bytes[..]) {
                return Ok(next);
            }
        }
    }
    if tail.len() < 16 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Err(corrupt("the member's checksum or size is not the one after it"))
}
