//! Errors of unreadable Parquet files.

use crate::error::{ReadError, UnreadableCode};

/// Returns the error for a damaged or inconsistent file.
pub(super) fn corrupt(byte_offset: u64, reason: &str) -> ReadError {
    let message = format!("the Parquet file cannot be read: {reason}; write and deliver the file again");
    unreadable(UnreadableCode::CorruptFile, byte_offset, message)
}

pub(super) fn unreadable(code: UnreadableCode, byte_offset: u64, message: String) -> ReadError {
    ReadError::Unreadable { code, byte_offset, message }
}
