//! Bytes of the object, decompressed: what compression it has is told by its first bytes.

use std::io::{self, BufReader, Cursor, Read};

use flate2::read::MultiGzDecoder;
use penstock_contract::Compression;

use crate::ReadError;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const COMPRESSED_BUFFER_BYTES: usize = 256 * 1024;

/// The decompressed stream of an object.
pub(crate) struct Input<R: Read> {
    decoder: Decoder<R>,
    decompressed: u64,
    max_decompressed: u64,
}

type Peeked<R> = io::Chain<Cursor<Vec<u8>>, Counted<R>>;

enum Decoder<R: Read> {
    Plain(Peeked<R>),
    Gzip(MultiGzDecoder<BufReader<Peeked<R>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Peeked<R>>>>),
}

/// Counts what passes, and remembers whether an error was the input's own or the decoder's.
struct Counted<R> {
    inner: R,
    bytes: u64,
    failed: bool,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(count) => {
                self.bytes = self.bytes.saturating_add(count as u64);
                Ok(count)
            }
            Err(error) => {
                self.failed |= error.kind() != io::ErrorKind::Interrupted;
                Err(error)
            }
        }
    }
}

impl<R: Read> Input<R> {
    /// Looks at the first bytes and opens the stream.
    pub(crate) fn open(
        inner: R,
        declared: Option<Compression>,
        max_decompressed: u64,
    ) -> Result<(Self, Compression), ReadError> {
        let mut counted = Counted { inner, bytes: 0, failed: false };
        let mut head = Vec::with_capacity(ZSTD_MAGIC.len());
        counted.by_ref().take(ZSTD_MAGIC.len() as u64).read_to_end(&mut head).map_err(ReadError::Io)?;
        if head.is_empty() {
            return Err(ReadError::Empty);
        }
        let found = if head.starts_with(GZIP_MAGIC) {
            Compression::Gzip
        } else if head.starts_with(ZSTD_MAGIC) {
            Compression::Zstd
        } else {
            Compression::Plain
        };
        if let Some(declared) = declared
            && declared != found
        {
            let message = format!(
                "the contract says compression {}, but the content is {}: mend one of them",
                name(declared),
                name(found)
            );
            return Err(ReadError::Unreadable { byte_offset: 0, message });
        }
        let peeked = Cursor::new(head).chain(counted);
        let decoder = match found {
            Compression::Gzip => {
                Decoder::Gzip(MultiGzDecoder::new(BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, peeked)))
            }
            Compression::Zstd => {
                let buffered = BufReader::with_capacity(COMPRESSED_BUFFER_BYTES, peeked);
                let decoder = zstd::stream::read::Decoder::with_buffer(buffered).map_err(ReadError::Io)?;
                Decoder::Zstd(Box::new(decoder))
            }
            _ => Decoder::Plain(peeked),
        };
        Ok((Self { decoder, decompressed: 0, max_decompressed }, found))
    }

    /// Reads decompressed bytes; 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        loop {
            let result = match &mut self.decoder {
                Decoder::Plain(reader) => reader.read(buffer),
                Decoder::Gzip(reader) => reader.read(buffer),
                Decoder::Zstd(reader) => reader.read(buffer),
            };
            match result {
                Ok(count) => {
                    self.decompressed = self.decompressed.saturating_add(count as u64);
                    if self.decompressed > self.max_decompressed {
                        return Err(ReadError::TooLarge { max_bytes: self.max_decompressed });
                    }
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if self.counted().failed => return Err(ReadError::Io(error)),
                Err(error) => {
                    return Err(ReadError::Unreadable {
                        byte_offset: self.decompressed,
                        message: format!(
                            "the compressed data is broken or cut short ({error}): drop the file again, whole"
                        ),
                    });
                }
            }
        }
    }

    /// Bytes of the object that were read.
    pub(crate) fn bytes_read(&self) -> u64 {
        self.counted().bytes
    }

    /// Bytes after decompression.
    pub(crate) fn bytes_decompressed(&self) -> u64 {
        self.decompressed
    }

    fn counted(&self) -> &Counted<R> {
        match &self.decoder {
            Decoder::Plain(reader) => reader.get_ref().1,
            Decoder::Gzip(reader) => reader.get_ref().get_ref().get_ref().1,
            Decoder::Zstd(reader) => reader.get_ref().get_ref().get_ref().1,
        }
    }
}

fn name(compression: Compression) -> &'static str {
    match compression {
        Compression::Plain => "plain",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        _ => "unknown",
    }
}
