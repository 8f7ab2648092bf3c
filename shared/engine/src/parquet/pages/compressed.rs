//! Pages whose decompression is not bounded by what their headers say.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use parquet::basic::Compression;

/// So many bytes a page may become before it is looked at: an ordinary one has a fraction of it.
const FREE_BYTES: u64 = 256 * 1024 * 1024;
/// Deflate makes at most so many bytes of one.
const DEFLATE_RATIO: u64 = 1_032;
/// LZ4 makes at most so many bytes of one.
const LZ4_RATIO: u64 = 255;

/// True when a page may become more than it says, and more than is left to chance: the `parquet` crate reads gzip and
/// LZ4 frames to their end before it compares their bytes with the header's.
pub(super) fn is_doubtful(compression: Compression, bytes: u64) -> bool {
    let is_gzip = matches!(compression, Compression::GZIP(_));
    let ratio = if is_gzip { DEFLATE_RATIO } else { LZ4_RATIO };
    (is_gzip || compression == Compression::LZ4) && bytes.saturating_mul(ratio) > FREE_BYTES
}

/// True when compressed bytes become more than so many.
pub(super) fn is_more_than(compression: Compression, bytes: &[u8], most: u64) -> bool {
    // The decoder of LZ4 falls back to frames, which say nothing of their size that would have to be true.
    if compression == Compression::LZ4 { is_lz4_frame(bytes) } else { is_gzip_more_than(bytes, most) }
}

fn is_gzip_more_than(bytes: &[u8], most: u64) -> bool {
    let mut rest = MultiGzDecoder::new(bytes).take(most.saturating_add(1));
    let mut read = 0_u64;
    let mut buffer = [0; 16 * 1024];
    loop {
        match rest.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => read = read.saturating_add(count as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What breaks off is told by who decodes it.
            Err(_) => break,
        }
    }
    read > most
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
    fn only_what_may_become_too_much_is_looked_at() {
        let gzip = Compression::GZIP(parquet::basic::GzipLevel::default());
        for (compression, bytes, is_looked_at) in [
            (gzip, 200_000, false),
            (gzip, 300_000, true),
            (Compression::LZ4, 1_000_000, false),
            (Compression::LZ4, 1_100_000, true),
            (Compression::LZ4_RAW, u64::MAX, false),
            (Compression::SNAPPY, u64::MAX, false),
        ] {
            assert_eq!(is_doubtful(compression, bytes), is_looked_at, "{compression} {bytes}");
        }
    }

    #[test]
    fn frames_of_lz4_are_told_from_blocks() {
        for (bytes, is_frame) in [
            (&[0x04, 0x22, 0x4d, 0x18, 0][..], true),
            (&[0x02, 0x21, 0x4c, 0x18], true),
            (&[0x5f, 0x2a, 0x4d, 0x18], true),
            (&[0x60, 0x2a, 0x4d, 0x18], false),
            (&[0, 0, 1, 0, 0, 0, 0, 200], false),
            (&[0x04, 0x22, 0x4d], false),
        ] {
            assert_eq!(is_more_than(Compression::LZ4, bytes, u64::MAX), is_frame, "{bytes:?}");
        }
    }
}
