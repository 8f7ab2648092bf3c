//! The codecs of blocks. Each decompresses into a buffer of limited size.

use std::io::Read;

use bzip2::bufread::MultiBzDecoder;
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::XzReader;

/// Memory limit of an xz decoder in KiB: enough for files written with `xz -8`.
const MAX_XZ_MEMORY_KIB: u32 = 66 * 1024;
/// Largest window of a zstd frame, as a power of two.
const MAX_WINDOW_LOG: u32 = 25;

/// The compression of a file's blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Null,
    Deflate,
    Snappy,
    Zstandard,
    Bzip2,
    Xz,
}

impl Codec {
    /// Returns the codec with a name in `avro.codec`; `None` for an unsupported one.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"" | b"null" => Self::Null,
            b"deflate" => Self::Deflate,
            b"snappy" => Self::Snappy,
            b"zstandard" => Self::Zstandard,
            b"bzip2" => Self::Bzip2,
            b"xz" => Self::Xz,
            _ => return None,
        })
    }

    /// Replaces the content of `out` with a decompressed block.
    ///
    /// # Errors
    /// Returns the reason as a predicate of "the block" if the block is damaged or decompresses to more than
    /// `max_bytes`.
    pub(super) fn decompress(self, block: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> Result<(), String> {
        out.clear();
        match self {
            Self::Null => {
                out.extend_from_slice(block);
                Ok(())
            }
            Self::Deflate => read_all(DeflateDecoder::new(block), max_bytes, out),
            Self::Snappy => snappy(block, max_bytes, out),
            Self::Zstandard => {
                let decoder = zstd::stream::read::Decoder::with_buffer(block);
                let mut decoder = decoder.map_err(|error| damaged(&error))?;
                decoder.window_log_max(MAX_WINDOW_LOG).map_err(|error| damaged(&error))?;
                read_all(decoder, max_bytes, out)
            }
            Self::Bzip2 => read_all(MultiBzDecoder::new(block), max_bytes, out),
            Self::Xz => read_all(XzReader::new_mem_limit(block, true, MAX_XZ_MEMORY_KIB), max_bytes, out),
        }
    }
}

/// Reads all bytes, up to the limit. The buffer grows with the bytes that are read, not by a declared size.
fn read_all(decoder: impl Read, max_bytes: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let limit = (max_bytes as u64).saturating_add(1);
    decoder.take(limit).read_to_end(out).map_err(|error| damaged(&error))?;
    if out.len() > max_bytes { Err(too_large(max_bytes)) } else { Ok(()) }
}

/// Decompresses a Snappy block. It ends with the big-endian CRC-32 of the uncompressed bytes.
fn snappy(block: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let (block, sum) = block.split_last_chunk::<4>().ok_or("is shorter than its checksum")?;
    let length = snap::raw::decompress_len(block).map_err(|error| damaged(&error))?;
    if length > max_bytes {
        return Err(too_large(max_bytes));
    }
    // Three bytes decompress to at most 64. A larger length is refused before memory is allocated for it.
    if length > block.len().saturating_mul(64) {
        return Err("declares more bytes than it can decompress to".to_owned());
    }
    out.resize(length, 0);
    snap::raw::Decoder::new().decompress(block, out).map_err(|error| damaged(&error))?;
    let mut crc = Crc::new();
    crc.update(out);
    if crc.sum() == u32::from_be_bytes(*sum) { Ok(()) } else { Err("does not match its checksum".to_owned()) }
}

fn damaged(error: &dyn std::fmt::Display) -> String {
    format!("cannot be decompressed: {error}")
}

fn too_large(max_bytes: usize) -> String {
    format!("decompresses to more than {max_bytes} bytes")
}
