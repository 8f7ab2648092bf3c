//! Protection against panics of the `parquet` crate.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::errors::{ParquetError, Result};

/// Runs decoders of the `parquet` crate and converts a panic to an error.
///
/// The decoders index by the levels, offsets and dictionary keys of a page, and panic if these are out of range. A
/// single changed byte is enough. The content of a page cannot be verified before it is decoded, so catching the panic
/// is the only way to keep such a file from ending the process. The caller must discard the decoder after an error,
/// because its state may be inconsistent.
pub(super) fn guarded<T>(decode: impl FnOnce() -> Result<T>) -> Result<T> {
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    decoded.unwrap_or_else(|_| Err(ParquetError::General("a page is inconsistent".to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::indexing_slicing, reason = "the test causes a panic")]
    fn a_panic_of_a_decoder_becomes_an_error() {
        let levels: Vec<i16> = Vec::new();
        let error = guarded(|| Ok(levels[1])).unwrap_err();
        assert_eq!(error.to_string(), "Parquet error: a page is inconsistent");
    }

    #[test]
    fn results_of_a_decoder_are_unchanged() {
        assert_eq!(guarded(|| Ok(1)).unwrap(), 1);
        let error = guarded(|| Err::<i16, _>(ParquetError::General("bad level".to_owned()))).unwrap_err();
        assert_eq!(error.to_string(), "Parquet error: bad level");
    }
}
