//! The caller's input, with detection of its compression.

use std::io::{self, Read};

use penstock_contract::Compression;

use crate::error::ReadError;

const GZIP_MAGIC: &[u8] = &[0x1f, 0x8b];
const ZSTD_MAGIC: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const XZ_MAGIC: &[u8] = &[0xfd, b'7', b'z', b'X', b'Z', 0];
/// The signatures of a local file header and of the end record, with which an archive without members begins.
const ZIP_MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];
const BZIP2_MAGIC: &[u8] = b"BZh";
/// The signatures after the digit of the block size: of a block, and of the end of an empty stream.
const BZIP2_BLOCKS: [[u8; 6]; 2] =
    [[0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]];
/// The lowest of the sixteen magic numbers of a skippable zstd frame, little-endian.
const ZSTD_SKIPPABLE: u32 = 0x184d_2a50;
/// Length of the longest magic number, that of bzip2. Its first three bytes, `BZh`, may also begin a text.
const MAGIC_BYTES: usize = 10;
const WITHIN: &str = "no more than the magic number is read into its buffer";

/// The caller's input. It stores the first error, because decoders wrap and reword the errors that they pass on.
#[derive(Debug)]
pub(super) struct Source<R> {
    magic: [u8; MAGIC_BYTES],
    magic_len: usize,
    magic_read: usize,
    inner: R,
    pub(super) bytes_read: u64,
    pub(super) failure: Option<io::Error>,
}

impl<R: Read> Source<R> {
    /// Reads the first bytes, which identify the compression.
    pub(super) fn open(inner: R) -> Result<Self, ReadError> {
        let mut source = Self {
            magic: [0; MAGIC_BYTES],
            magic_len: 0,
            magic_read: 0,
            inner,
            bytes_read: 0,
            failure: None,
        };
        while source.magic_len < source.magic.len() {
            match source.inner.read(source.magic.get_mut(source.magic_len..).expect(WITHIN)) {
                Ok(0) => break,
                Ok(count) => source.magic_len = source.magic_len.saturating_add(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReadError::Io(error)),
            }
        }
        Ok(source)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.magic_len == 0
    }

    pub(super) fn compression(&self) -> Compression {
        compression_of(self.magic())
    }

    /// Returns the first bytes of the input, at most [`MAGIC_BYTES`].
    pub(super) fn magic(&self) -> &[u8] {
        self.magic.get(..self.magic_len).expect(WITHIN)
    }
}

/// Returns the compression of a file that begins with `magic`.
pub(crate) fn compression_of(magic: &[u8]) -> Compression {
    let is_skippable =
        magic.first_chunk().is_some_and(|first| u32::from_le_bytes(*first) & !0xf == ZSTD_SKIPPABLE);
    if magic.starts_with(GZIP_MAGIC) {
        Compression::Gzip
    } else if magic.starts_with(ZSTD_MAGIC) || is_skippable {
        Compression::Zstd
    } else if magic.starts_with(XZ_MAGIC) {
        Compression::Xz
    } else if ZIP_MAGIC.iter().any(|zip| magic.starts_with(zip)) {
        Compression::Zip
    } else if magic.starts_with(BZIP2_MAGIC)
        && BZIP2_BLOCKS.iter().any(|block| magic.get(4..MAGIC_BYTES) == Some(&block[..]))
    {
        Compression::Bzip2
    } else {
        Compression::Plain
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.magic_read < self.magic_len {
            let mut magic = self.magic.get(self.magic_read..self.magic_len).expect(WITHIN);
            let count = magic.read(buffer)?;
            self.magic_read = self.magic_read.saturating_add(count);
            self.bytes_read = self.bytes_read.saturating_add(count as u64);
            return Ok(count);
        }
        loop {
            match self.inner.read(buffer) {
                Ok(count) => {
                    self.bytes_read = self.bytes_read.saturating_add(count as u64);
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

/// Returns the name of a compression in messages.
pub(crate) fn compression_name(compression: Compression) -> &'static str {
    match compression {
        Compression::Plain => "no compression",
        Compression::Gzip => "gzip",
        Compression::Zstd => "zstd",
        Compression::Bzip2 => "bzip2",
        Compression::Xz => "xz",
        Compression::Zip => "zip",
    }
}
