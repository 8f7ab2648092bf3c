//! Limits that protect a reader against hostile or damaged files.

/// The limits of a reader.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Number of accepted rows per block.
    pub chunk_rows: u32,
    /// Size of the COPY text at which a block ends, even if it has fewer rows.
    pub chunk_bytes: usize,
    /// Largest size of a record. A longer record is rejected.
    pub max_record_bytes: usize,
    /// Largest size of a block of an Avro file, before and after decompression. A longer block is rejected.
    pub max_block_bytes: usize,
    /// Largest decompressed size of a file. Reading a larger file fails.
    pub max_decompressed_bytes: u64,
    /// Largest compression ratio. Reading a file that decompresses to more than this many times its size fails. The
    /// ratio is not checked within the first 16 MiB of decompressed bytes.
    pub max_ratio: u32,
    /// Largest number of reasons that are recorded per reject.
    pub max_reasons: usize,
    /// Whether blocks also contain the accepted rows as Arrow columns.
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
