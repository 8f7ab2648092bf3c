//! Between the decoders and a file that contradicts itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::{ParquetError, Result};

/// Runs decoders of the `parquet` crate.
///
/// They index by the levels, offsets and dictionary keys of a page, and panic where those are beyond what there is: one
/// byte that is changed in a page does it. What is inside a page cannot be looked at before it is decoded, so that
/// nothing but catching keeps such a file from ending the process. What was decoding is given up with its row group:
/// nobody sees it half done.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    decoded.unwrap_or_else(|_| Err(ParquetError::General("a page contradicts itself".to_owned())))
}
