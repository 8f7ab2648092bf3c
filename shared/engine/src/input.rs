//! The input, decompressed, counted and capped.

use std::io::{self, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use penstock_contract::Compression;

use crate::error::{ReadError, UnreadableCode};

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// The lowest of the sixteen magic numbers of a skippable zstd frame, little-endian.
const ZSTD_SKIPPABLE: u32 = 0x184d_2a50;
const COMPRESSED_BUFFER_BYTES: usize = 64 * 1024;
/// A frame may ask for a window of this size and no larger: it is held in memory. `zstd -19` stays within it.
const MAX_WINDOW_LOG: u32 = 25;

/// The caller's input. An error of its own is kept aside: decoders wrap and reword what passes through them.
#[derive(Debug)]
struct Source<R> {
    magic: [u8; 4],
    magic_len: usize,
    magic_read: usize,
    inner: R,
    bytes_read: u64,
    failure: Option<io::Error>,
}

impl<R: Read> Source<R> {
    /// Reads the first bytes, by which the compression is told.
    fn open(inner: R) -> Result<Self, ReadError> {
        let mut source =
            Self { magic: [0; 4], magic_len: 0, magic_read: 0, inner, bytes_read: 0, failure: None };
        while source.magic_len < source.magic.len() {
            match source.inner.read(&mut source.magic[source.magic_len..]) {
                Ok(0) => break,
                Ok(count) => source.magic_len += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::Io(error)),
            }
        }
        Ok(source)
    }

    fn compression(&self) -> Compression {
        let magic = &self.magic[..self.magic_len];
        if magic.starts_with(&GZIP_MAGIC) {
            Compression::Gzip
        } else if magic == ZSTD_MAGIC
            || (magic.len() == 4 && u32::from_le_bytes(self.magic) & !0xf == ZSTD_SKIPPABLE)
        {
            Compression::Zstd
        } else {
            Compression::Plain
        }
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.magic_read < self.magic_len {
            let count = (&self.magic[self.magic_read..self.magic_len]).read(buffer)?;
            self.magic_read += count;
            self.bytes_read += count as u64;
            return Ok(count);
        }
        loop {
            match self.inner.read(buffer) {
                Ok(count) => {
                    self.bytes_read += count as u64;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error);
                    return Err(io::Error::other("the input failed"));
                }
            }
        }
    }
}

enum Decoder<R: Read> {
    Plain(Source<R>),
    Gzip(Box<MultiGzDecoder<BufReader<Source<R>>>>),
    Zstd(zstd::stream::read::Decoder<'static, BufReader<Source<R>>>),
}

/// Decompressed bytes.
pub(crate) struct Input<R: Read> {
    decoder: Decoder<R>,
    compression: Compression,
    bytes_decompressed: u64,
    max_bytes: u64,
}

impl<R: Read> Input<R> {
    /// Tells the compression by the first bytes and compares it with the declared one.
    pub(crate) fn open(inner: R, declared: Option<Compression>, max_bytes: u64) -> Result<Self, ReadError> {
        let source = Source::open(inner)?;
        let compression = source.compression();
        if source.magic_len == 0 {
            return Err(ReadError::Empty);
        }
        if let Some(declared) = declared.filter(|declared| *declared != compression) {
            return Err(ReadError::Unreadable {
                code: UnreadableCode::WrongCompression,
                byte_offset: 0,
                message: format!(
                    "the contract declares {}, but the content is {}",
                    name(declared),
                    name(compression)
                ),
            });
        }
        let buffered = |source| BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, source);
        let decoder = match compression {
            Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(buffered(source)))),
            Compression::Zstd => Decoder::Zstd(zstd_decoder(buffered(source)).map_err(ReadError::Io)?),
            Compression::Plain | _ => Decoder::Plain(source),
        };
        Ok(Self { decoder, compression, bytes_decompressed: 0, max_bytes })
    }

    pub(crate) fn compression(&self) -> Compression {
        self.compression
    }

    /// Bytes taken from the caller's input.
    pub(crate) fn bytes_read(&self) -> u64 {
        match &self.decoder {
            Decoder::Plain(source) => source.bytes_read,
            Decoder::Gzip(gzip) => gzip.get_ref().get_ref().bytes_read,
            Decoder::Zstd(zstd) => zstd.get_ref().get_ref().bytes_read,
        }
    }

    pub(crate) fn bytes_decompressed(&self) -> u64 {
        self.bytes_decompressed
    }

    /// Reads into `buffer`; 0 is the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let read = match &mut self.decoder {
            Decoder::Plain(source) => source.read(buffer),
            Decoder::Gzip(gzip) => gzip.read(buffer),
            Decoder::Zstd(zstd) => zstd.read(buffer),
        };
        let count = read.map_err(|error| self.tell(&error))?;
        self.bytes_decompressed += count as u64;
        if self.bytes_decompressed > self.max_bytes {
            return Err(ReadError::TooLarge { max_bytes: self.max_bytes });
        }
        Ok(count)
    }

    /// Tells a failure of the input from damaged content.
    fn tell(&mut self, error: &io::Error) -> ReadError {
        let source = match &mut self.decoder {
            Decoder::Plain(source) => source,
            Decoder::Gzip(gzip) => gzip.get_mut().get_mut(),
            Decoder::Zstd(zstd) => zstd.get_mut().get_mut(),
        };
        if let Some(failure) = source.failure.take() {
            return ReadError::Io(failure);
        }
        let (name, read) = (name(self.compression), source.bytes_read);
        let (code, message) = if error.kind() == io::ErrorKind::UnexpectedEof {
            (
                UnreadableCode::TruncatedCompression,
                format!("the {name} stream breaks off after {read} compressed bytes"),
            )
        } else {
            (
                UnreadableCode::CorruptCompression,
                format!("the {name} stream is damaged, within its first {read} compressed bytes: {error}"),
            )
        };
        ReadError::Unreadable { code, byte_offset: self.bytes_decompressed, message }
    }
}

fn zstd_decoder<R: Read>(
    source: BufReader<Source<R>>,
) -> io::Result<zstd::stream::read::Decoder<'static, BufReader<Source<R>>>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(source)?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    Ok(decoder)
}

/// The compression's name in messages.
fn name(compression: Compression) -> &'static str {
    match compression {
        Compression::Plain => "no compression",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        _ => "another compression",
    }
}
