//! Errors of unreadable Parquet files.

use crate::error::{ReadError, UnreadableCode};

pub(super) fn corrupt(byte_offset: u64, why: &str) -> ReadError {
    let message = format!("the Parquet file cannot be read: {why}; write it anew and drop it again");
    unreadable(UnreadableCode::CorruptFile, byte_offset, message)
}

pub(super) fn unreadable(code: UnreadableCode, byte_offset: u64, message: String) -> ReadError {
    ReadError::Unreadable { code, byte_offset, message }
}
