//! The limits for the decompressed size of a file.

use super::error::unreadable;
use crate::error::{ReadError, UnreadableCode};
use crate::limits::Limits;

/// The compression ratio is checked above this number of bytes.
const FREE_BYTES: u64 = 16 * 1024 * 1024;

/// The decompressed size of a file so far, and its limits.
pub(super) struct Budget {
    /// The decompressed size of the pages.
    pub(super) bytes: u64,
    /// The size of the decoded rows.
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

    /// Adds decompressed pages.
    pub(super) fn add_pages(&mut self, bytes: u64) -> Result<(), ReadError> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.check(self.bytes)
    }

    /// Adds decoded rows. They may be larger than their pages, because a value of a dictionary may occur in every row.
    pub(super) fn add_rows(&mut self, bytes: u64) -> Result<(), ReadError> {
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
        let message = format!(
            "the Parquet file decompresses to more than {max_ratio} times its size of {file_bytes} bytes, which is the limit"
        );
        Err(unreadable(UnreadableCode::CompressionRatio, file_bytes, message))
    }
}
