//! Decompression of the input, with counts and limits.

mod gzip;
pub(crate) mod magic;
mod source;
mod zip;

use std::io::{self, BufReader, Read};

use bzip2::bufread::MultiBzDecoder;
use lzma_rust2::XzReader;
use penstock_contract::Compression;

use self::gzip::{GzipReader, TrailingBytes};
use self::source::Source;
pub(crate) use self::source::{compression_name, compression_of};
use self::zip::{OfficeDocument, UnsupportedFeature, ZipReader};
use crate::error::{ReadError, UnreadableCode};
use crate::limits::Limits;

const COMPRESSED_BUFFER_BYTES: usize = 64 * 1024;
/// Largest window of a zstd frame, as a power of two. The window is held in memory; `zstd -19` needs no larger one.
const MAX_WINDOW_LOG: u32 = 25;
/// Memory limit of the xz decoder, including its tables. `xz -9` needs a dictionary of 64 MiB, `xz -8` one of 32 MiB.
const MAX_XZ_MEMORY_KIB: u32 = 66 * 1024;
/// The compression ratio is checked above this number of decompressed bytes. The ratio of a small file is meaningless.
const RATIO_CHECKED_ABOVE_BYTES: u64 = 16 * 1024 * 1024;

type Buffered<R> = BufReader<Source<R>>;

enum Decoder<R: Read> {
    Plain(Source<R>),
    Gzip(Box<GzipReader<Buffered<R>>>),
    Zstd(zstd::stream::read::Decoder<'static, Buffered<R>>),
    Bzip2(MultiBzDecoder<Buffered<R>>),
    Xz(Box<XzReader<Buffered<R>>>),
    Zip(Box<ZipReader<Buffered<R>>>),
}

impl<R: Read> Decoder<R> {
    fn source(&self) -> Option<&Source<R>> {
        let buffered = match self {
            Self::Plain(source) => return Some(source),
            Self::Gzip(gzip) => gzip.get_ref()?,
            Self::Zstd(zstd) => zstd.get_ref(),
            Self::Bzip2(bzip2) => bzip2.get_ref(),
            Self::Xz(xz) => xz.inner(),
            Self::Zip(zip) => zip.inner()?,
        };
        Some(buffered.get_ref())
    }

    fn source_mut(&mut self) -> Option<&mut Source<R>> {
        let buffered = match self {
            Self::Plain(source) => return Some(source),
            Self::Gzip(gzip) => gzip.get_mut()?,
            Self::Zstd(zstd) => zstd.get_mut(),
            Self::Bzip2(bzip2) => bzip2.get_mut(),
            Self::Xz(xz) => xz.inner_mut(),
            Self::Zip(zip) => zip.inner_mut()?,
        };
        Some(buffered.get_mut())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
            Self::Zstd(zstd) => zstd.read(buffer),
            Self::Bzip2(bzip2) => bzip2.read(buffer),
            Self::Xz(xz) => xz.read(buffer),
            Self::Zip(zip) => zip.read(buffer),
        }
    }
}

/// A stream of decompressed bytes.
pub(crate) struct Input<R: Read> {
    decoder: Decoder<R>,
    compression: Compression,
    bytes_decompressed: u64,
    max_bytes: u64,
    max_ratio: u64,
    /// Whether the decoder failed. It is not used again after that.
    has_failed: bool,
    /// The first bytes, if they were peeked at.
    head: Vec<u8>,
    /// The number of bytes of the head that have been read.
    head_read: usize,
}

impl<R: Read> Input<R> {
    /// Detects the compression by the first bytes and compares it with the declared one.
    pub(crate) fn open(inner: R, declared: Option<Compression>, limits: &Limits) -> Result<Self, ReadError> {
        let source = Source::open(inner)?;
        let compression = source.compression();
        if source.is_empty() {
            return Err(ReadError::Empty);
        }
        if let Some(declared) = declared.filter(|declared| *declared != compression) {
            let actual = if compression == Compression::Plain {
                magic::recognise(source.magic()).map_or("not compressed", |recognised| recognised.name)
            } else {
                compression_name(compression)
            };
            return Err(ReadError::Unreadable {
                code: UnreadableCode::WrongCompression,
                byte_offset: 0,
                message: format!(
                    "the contract declares {}, but the file is {actual}; correct the contract or the file",
                    compression_name(declared)
                ),
            });
        }
        let buffered = |source| BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, source);
        let decoder = match compression {
            Compression::Gzip => Decoder::Gzip(Box::new(GzipReader::new(buffered(source)))),
            Compression::Zstd => Decoder::Zstd(zstd_decoder(buffered(source)).map_err(ReadError::Io)?),
            Compression::Bzip2 => Decoder::Bzip2(MultiBzDecoder::new(buffered(source))),
            Compression::Xz => {
                Decoder::Xz(Box::new(XzReader::new_mem_limit(buffered(source), true, MAX_XZ_MEMORY_KIB)))
            }
            Compression::Zip => Decoder::Zip(Box::new(ZipReader::new(buffered(source)))),
            Compression::Plain => Decoder::Plain(source),
        };
        Ok(Self {
            decoder,
            compression,
            bytes_decompressed: 0,
            max_bytes: limits.max_decompressed_bytes,
            max_ratio: u64::from(limits.max_ratio),
            has_failed: false,
            head: Vec::new(),
            head_read: 0,
        })
    }

    pub(crate) fn compression(&self) -> Compression {
        self.compression
    }

    /// Returns the number of bytes read from the caller's input.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.decoder.source().map_or(0, |source| source.bytes_read)
    }

    pub(crate) fn bytes_decompressed(&self) -> u64 {
        self.bytes_decompressed
    }

    /// Returns the first bytes, at most `count` of them, without consuming them. Must be called before anything is
    /// read.
    pub(crate) fn head(&mut self, count: usize) -> Result<&[u8], ReadError> {
        let mut head = vec![0; count];
        let mut filled = 0;
        while let Some(rest) = head.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.decode(rest)? {
                0 => break,
                read => filled = filled.saturating_add(read),
            }
        }
        head.truncate(filled);
        self.head = head;
        Ok(&self.head)
    }

    /// Reads into `buffer`; returns 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        if let Some(mut head) = self.head.get(self.head_read..).filter(|head| !head.is_empty()) {
            let count = head.read(buffer).map_err(ReadError::Io)?;
            self.head_read = self.head_read.saturating_add(count);
            return Ok(count);
        }
        self.decode(buffer)
    }

    fn decode(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        if self.has_failed {
            return Err(ReadError::Io(io::Error::other("the input was read again after an error")));
        }
        let read = self.decoder.read(buffer);
        self.has_failed = read.is_err();
        let count = read.map_err(|error| self.classify(&error))?;
        self.bytes_decompressed = self.bytes_decompressed.saturating_add(count as u64);
        if self.bytes_decompressed > self.max_bytes {
            return Err(ReadError::TooLarge { max_bytes: self.max_bytes });
        }
        self.check_ratio()?;
        Ok(count)
    }

    /// Refuses a decompression bomb.
    fn check_ratio(&self) -> Result<(), ReadError> {
        let is_compressed = self.compression != Compression::Plain;
        if !is_compressed || self.bytes_decompressed <= RATIO_CHECKED_ABOVE_BYTES {
            return Ok(());
        }
        let read = self.bytes_read();
        if self.bytes_decompressed <= read.saturating_mul(self.max_ratio) {
            return Ok(());
        }
        Err(ReadError::Unreadable {
            code: UnreadableCode::CompressionRatio,
            byte_offset: self.bytes_decompressed,
            message: format!(
                "the {} stream decompresses to more than {} times its size ({read} bytes so far); deliver the file uncompressed",
                compression_name(self.compression),
                self.max_ratio
            ),
        })
    }

    /// Converts an error of the decoder. Distinguishes failures of the input from damaged content.
    fn classify(&mut self, error: &io::Error) -> ReadError {
        if let Some(failure) = self.decoder.source_mut().and_then(|source| source.failure.take()) {
            return ReadError::Io(failure);
        }
        if let Some(other) = error.get_ref().and_then(|inner| inner.downcast_ref::<OfficeDocument>()) {
            return other.0.error(Compression::Plain);
        }
        let (name, read) = (compression_name(self.compression), self.bytes_read());
        let unsupported = error.get_ref().and_then(|inner| inner.downcast_ref::<UnsupportedFeature>());
        let (code, message) = if let Some(unsupported) = unsupported {
            (UnreadableCode::UnsupportedArchive, unsupported.to_string())
        } else if let Some(trailing) = error.get_ref().and_then(|inner| inner.downcast_ref::<TrailingBytes>())
        {
            (UnreadableCode::CorruptCompression, trailing.to_string())
        } else if is_out_of_memory(error) {
            (
                UnreadableCode::CompressionMemory,
                format!(
                    "the {name} stream needs more memory for decompression than the limit; compress it with a smaller window"
                ),
            )
        } else if error.kind() == io::ErrorKind::UnexpectedEof {
            (
                UnreadableCode::TruncatedCompression,
                format!(
                    "the {name} stream ends early, after {read} compressed bytes; deliver the complete file"
                ),
            )
        } else {
            (
                UnreadableCode::CorruptCompression,
                format!(
                    "the {name} stream is damaged within its first {read} compressed bytes: {error}; deliver the file again"
                ),
            )
        };
        ReadError::Unreadable { code, byte_offset: self.bytes_decompressed, message }
    }
}

/// Returns whether a decoder exceeded its memory limit. zstd reports this only in its message.
fn is_out_of_memory(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory || error.to_string().contains("too much memory")
}

fn zstd_decoder<R: Read>(
    source: Buffered<R>,
) -> io::Result<zstd::stream::read::Decoder<'static, Buffered<R>>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    Ok(decoder)
}
