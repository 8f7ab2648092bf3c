//! The limits that protect a reader from hostile or damaged files.

/// The limits of a reader.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Accepted rows per block.
    pub chunk_rows: u32,
    /// A block ends with the row that brings its COPY text to at least this many bytes.
    pub chunk_bytes: usize,
    /// A longer record is rejected.
    pub max_record_bytes: usize,
    /// A longer block of an Avro file, compressed or not, is rejected.
    pub max_block_bytes: usize,
    /// Reading stops with an error at this number of decompressed bytes.
    pub max_decompressed_bytes: u64,
    /// Reading stops with an error when a file decompresses to more than this many times its size. The first 16 MiB of
    /// decompressed bytes do not count.
    pub max_ratio: u32,
    /// Reasons recorded per reject.
    pub max_reasons: usize,
    /// Returns accepted rows as Arrow columns as well.
    pub arrow: bool,
}

impl Default for Limits {
    /// Returns 50,000 rows or 16 MiB per block, records of 1 MiB, Avro blocks of 16 MiB, files of 1 TiB with a
    /// compression ratio of 1,000, 8 reasons, no Arrow columns.
    fn default() -> Self {
        Self {
            chunk_rows: 50_000,
            chunk_bytes: 16 * 1024 * 1024,
            max_record_bytes: 1024 * 1024,
            max_block_bytes: 16 * 1024 * 1024,
            max_decompressed_bytes: 1024 * 1024 * 1024 * 1024,
            max_ratio: 1_000,
            max_reasons: 8,
            arrow: false,
        }
    }
}

impl Limits {
    /// Returns limits that guarantee progress (at least 1) and fit Arrow's 31-bit offsets.
    pub(crate) fn sane(self) -> Self {
        const GIB: usize = 1024 * 1024 * 1024;
        Self {
            chunk_rows: self.chunk_rows.max(1),
            chunk_bytes: self.chunk_bytes.clamp(1, GIB),
            max_record_bytes: self.max_record_bytes.clamp(1, GIB / 4),
            max_block_bytes: self.max_block_bytes.clamp(1, GIB),
            max_reasons: self.max_reasons.max(1),
            ..self
        }
    }
}
