//! The limits of decompression, for what a file becomes in memory.

use super::error::unreadable;
use crate::error::{ReadError, UnreadableCode};
use crate::limits::Limits;

/// A file may become this large however small it is.
const FREE_BYTES: u64 = 16 * 1024 * 1024;

/// What a file may become.
pub(super) struct Budget {
    /// Bytes after decompression.
    pub(super) bytes: u64,
    /// Bytes of the rows.
    expanded: u64,
    file_bytes: u64,
    max_bytes: u64,
    max_ratio: u64,
}

impl Budget {
    pub(super) fn new(limits: &Limits, file_bytes: u64) -> Self {
        let max_ratio = u64::from(limits.max_ratio);
        Self { bytes: 0, expanded: 0, file_bytes, max_bytes: limits.max_decompressed_bytes, max_ratio }
    }

    pub(super) fn decompress(&mut self, bytes: u64) -> Result<(), ReadError> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.check(self.bytes)
    }

    /// A value that stands once in the file may stand in every row.
    pub(super) fn expand(&mut self, bytes: u64) -> Result<(), ReadError> {
        self.expanded = self.expanded.saturating_add(bytes);
        self.check(self.expanded)
    }

    fn check(&self, bytes: u64) -> Result<(), ReadError> {
        let Self { file_bytes, max_bytes, max_ratio, .. } = *self;
        if bytes > max_bytes {
            return Err(ReadError::TooLarge { max_bytes });
        }
        if bytes <= FREE_BYTES || bytes <= file_bytes.saturating_mul(max_ratio) {
            return Ok(());
        }
        let message = format!("{file_bytes} bytes of Parquet became more than {max_ratio} times as many");
        Err(unreadable(UnreadableCode::CompressionRatio, file_bytes, message))
    }
}
