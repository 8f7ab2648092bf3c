//! The object store: S3, and what of it the pipeline needs.

use std::ops::Range;

use bytes::Bytes;

/// One version of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Bucket name.
    pub bucket: String,
    /// Object key.
    pub key: String,
    /// Version id, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// The ETag that the object must still have (`If-Match`), without quotes.
    pub etag: Option<String>,
}

/// Why the store did not answer as hoped. Each names the bucket and the key.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such object or version.
    #[error("s3://{bucket}/{key}: no such object")]
    NotFound {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
    },
    /// The object no longer has the ETag asked for: it was overwritten.
    #[error("s3://{bucket}/{key}: overwritten since the event")]
    Changed {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
    },
    /// Refused for good: access denied, invalid request, no such bucket.
    #[error("s3://{bucket}/{key}: {message}")]
    Refused {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
        /// What the service said.
        message: String,
    },
    /// Throttled, timed out, broken off, or the service's own fault: worth another try.
    #[error("s3://{bucket}/{key}: {message}")]
    Transient {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
        /// What the service or the connection said.
        message: String,
    },
}

impl StoreError {
    /// True when the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transient { .. } => true,
            Self::NotFound { .. } | Self::Changed { .. } | Self::Refused { .. } => false,
        }
    }
}

/// Bytes of one version of an object, piece by piece.
pub trait ObjectBody: Send + 'static {
    /// The next piece, about [`PIECE_BYTES`]; `None` after the last byte of the range.
    ///
    /// Asks with `If-Match` where an ETag was given. A body that breaks off is asked for again from the byte where it
    /// broke; `Transient` when several tries in a row brought nothing.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;
}

/// Bytes of a piece, but the last: what is in memory of an object at a time.
pub const PIECE_BYTES: usize = 1024 * 1024;

/// What the pipeline asks of an object store. Implemented over S3, and in memory by tests.
pub trait ObjectStore: Clone + Send + Sync + 'static {
    /// The whole of a small object; `None` when it does not exist.
    fn get(&self, bucket: &str, key: &str) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;

    /// What [`ObjectStore::get_range`] gives.
    type Body: ObjectBody;

    /// The bytes `range` of one version as a stream. Nothing is asked for until the first piece is.
    fn get_range(&self, object: &ObjectRef, range: Range<u64>) -> Self::Body;

    /// Writes an object, replacing what was there.
    fn put(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes an object with `If-None-Match: *`. False when one is there already.
    fn put_if_absent(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Takes an object away; no error when there is none.
    fn delete(&self, bucket: &str, key: &str) -> impl Future<Output = Result<(), StoreError>> + Send;
}
