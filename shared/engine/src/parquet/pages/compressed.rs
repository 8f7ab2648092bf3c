//! Pages whose decompressed size the `parquet` crate does not limit.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;

/// A page is checked if it could decompress to more than this. Ordinary pages have a fraction of it.
const FREE_BYTES: u64 = 256 * 1024 * 1024;
/// Largest number of bytes to which deflate can decompress one byte.
const DEFLATE_RATIO: u64 = 1_032;
/// Largest number of bytes to which LZ4 can decompress one byte.
const LZ4_RATIO: u64 = 255;

/// Returns whether a page must be checked with [`exceeds`]. The `parquet` crate decompresses gzip and LZ4 frames to
/// their end before it compares their size with the page header.
pub(super) fn needs_check(compression: Compression, bytes: u64) -> bool {
    let is_gzip = matches!(compression, Compression::GZIP(_));
    let ratio = if is_gzip { DEFLATE_RATIO } else { LZ4_RATIO };
    (is_gzip || compression == Compression::LZ4) && bytes.saturating_mul(ratio) > FREE_BYTES
}

/// Returns whether compressed bytes decompress to more than `max_bytes`, or may do so.
pub(super) fn exceeds(compression: Compression, bytes: &[u8], max_bytes: u64) -> bool {
    // The LZ4 decoder falls back to frames, which do not declare a reliable size.
    if compression == Compression::LZ4 { is_lz4_frame(bytes) } else { gzip_exceeds(bytes, max_bytes) }
}

fn gzip_exceeds(bytes: &[u8], max_bytes: u64) -> bool {
    let mut rest = MultiGzDecoder::new(bytes).take(max_bytes.saturating_add(1));
    let mut read = 0_u64;
    let mut buffer = [0; 16 * 1024];
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => read = read.saturating_add(count as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The decoder reports damage with its position.
            Err(_) => break,
        }
    }
    read > max_bytes
}

fn is_lz4_frame(bytes: &[u8]) -> bool {
    const FRAME: u32 = 0x184d_2204;
    const LEGACY_FRAME: u32 = 0x184c_2102;
    const SKIPPED_FRAMES: std::ops::RangeInclusive<u32> = 0x184d_2a50..=0x184d_2a5f;
    let magic = bytes.first_chunk::<4>().map(|magic| u32::from_le_bytes(*magic));
    magic.is_some_and(|magic| magic == FRAME || magic == LEGACY_FRAME || SKIPPED_FRAMES.contains(&magic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_that_could_become_too_large_are_checked() {
        let gzip = Compression::GZIP(parquet::basic::GzipLevel::default());
        for (compression, bytes, expected) in [
            (gzip, 200_000, false),
            (gzip, 300_000, true),
            (Compression::LZ4, 1_000_000, false),
            (Compression::LZ4, 1_100_000, true),
            (Compression::LZ4_RAW, u64::MAX, false),
            (Compression::SNAPPY, u64::MAX, false),
        ] {
            assert_eq!(needs_check(compression, bytes), expected, "{compression} {bytes}");
        }
    }

    #[test]
    fn lz4_frames_are_distinguished_from_blocks() {
        for (bytes, is_frame) in [
            (&[0x04, 0x22, 0x4d, 0x18, 0][..], true),
            (&[0x02, 0x21, 0x4c, 0x18], true),
            (&[0x5f, 0x2a, 0x4d, 0x18], true),
            (&[0x60, 0x2a, 0x4d, 0x18], false),
            (&[0, 0, 1, 0, 0, 0, 0, 200], false),
            (&[0x04, 0x22, 0x4d], false),
        ] {
            assert_eq!(exceeds(Compression::LZ4, bytes, u64::MAX), is_frame, "{bytes:?}");
        }
    }
}
