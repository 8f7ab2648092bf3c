//! The codecs of blocks, each decompressed into a buffer that may not outgrow its limit.

use std::io::Read;

use bzip2::bufread::MultiBzDecoder;
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use lzma_rust2::XzReader;

/// Memory of an xz decoder, in KiB: what `xz -8` asks for.
const MAX_XZ_MEMORY_KIB: u32 = 66 * 1024;
/// Window of a zstd frame, as a power of two.
const MAX_WINDOW_LOG: u32 = 25;

/// How the blocks of a file are compressed.
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
    /// By its name in a file's `avro.codec`.
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

    /// Decompresses a block into `out`, which is emptied before.
    ///
    /// # Errors
    /// Why it cannot be, in words that follow "the block".
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

/// Reads up to the limit: the buffer grows with what is there, not by what a header says.
fn read_all(decoder: impl Read, max_bytes: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(limit).read_to_end(out).map_err(|error| damaged(&error))?;
    if out.len() > max_bytes { Err(too_large(max_bytes)) } else { Ok(()) }
}

/// A snappy block ends with the CRC-32 of what it was made from, most significant byte first.
fn snappy(block: &[u8], max_bytes: usize, out: &mut Vec<u8>) -> Result<(), String> {
    let (block, sum) = block.split_last_chunk::<4>().ok_or("is shorter than its checksum")?;
    let length = snap::raw::decompress_len(block).map_err(|error| damaged(&error))?;
    if length > max_bytes {
        return Err(too_large(max_bytes));
    }
    // Three bytes make 64 at most: a length beyond that is a lie, and is not believed before memory is taken.
    if length > block.len().saturating_mul(64) {
        return Err("says that it is longer than it can be".to_owned());
    }
    out.resize(length, 0);
    snap::raw::Decoder::new().decompress(block, out).map_err(|error| damaged(&error))?;
    let mut crc = Crc::new();
    crc.update(out);
    if crc.sum() == u32::from_be_bytes(*sum) {
        Ok(())
    } else {
        Err("does not have the checksum that it says".to_owned())
    }
}

fn damaged(error: &dyn std::fmt::Display) -> String {
    format!("cannot be decompressed: {error}")
}

fn too_large(max_bytes: usize) -> String {
    format!("is more than {max_bytes} bytes decompressed")
}
