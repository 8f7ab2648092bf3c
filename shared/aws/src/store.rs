//! The interface of the object store.

use std::ops::Range;

use bytes::Bytes;
use jiff::Timestamp;

/// One version of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectRef {
    /// Bucket name.
    pub bucket: String,
    /// Object key.
    pub key: String,
    /// Version id, if the bucket is versioned.
    pub version_id: Option<String>,
    /// The ETag that the object must have (`If-Match`), without quotes.
    pub etag: Option<String>,
}

/// The metadata of one version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectHead {
    /// Version id, if the bucket is versioned.
    pub version_id: Option<String>,
    /// ETag without quotes.
    pub etag: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// The time at which it was written.
    pub modified_at: Timestamp,
}

/// An error of the object store, with bucket and key.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The object or the version does not exist.
    #[error("s3://{bucket}/{key}: no such object")]
    NotFound {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
    },
    /// The object does not have the requested ETag: it was overwritten.
    #[error("s3://{bucket}/{key}: the object was overwritten after the event")]
    Changed {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
    },
    /// The object is in an archive storage class, or an archive tier of S3 Intelligent-Tiering.
    #[error("s3://{bucket}/{key}: the object is archived and cannot be read before it is restored")]
    Archived {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
    },
    /// A permanent failure: access denied, invalid request, no such bucket.
    #[error("s3://{bucket}/{key}: {message}")]
    Refused {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
        /// The service's message.
        message: String,
    },
    /// A transient failure: throttling, a timeout, a lost connection, or an internal error of the service.
    #[error("s3://{bucket}/{key}: {message}")]
    Transient {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
        /// The message of the service or of the connection.
        message: String,
    },
}

impl StoreError {
    /// Returns whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transient { .. } => true,
            Self::NotFound { .. } | Self::Changed { .. } | Self::Archived { .. } | Self::Refused { .. } => {
                false
            }
        }
    }
}

/// The bytes of one version of an object, piece by piece.
pub trait ObjectBody: Send + 'static {
    /// Returns the next piece, of about [`PIECE_BYTES`], or `None` after the last byte of the range.
    ///
    /// Requests have `If-Match` if there is an ETag. If the transfer breaks, the rest is requested again.
    ///
    /// # Errors
    /// Returns an error if a request fails, or several requests in a row return no byte.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;
}

/// Size of a piece, except the last one, in bytes.
pub const PIECE_BYTES: usize = 1024 * 1024;

/// A small object with the ETag of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaggedObject {
    /// The content.
    pub body: Bytes,
    /// ETag without quotes.
    pub etag: String,
}

/// The object store of the pipeline. Implemented over S3, and in memory for tests.
pub trait ObjectStore: Clone + Send + Sync + 'static {
    /// Returns a small object, or `None` if it does not exist.
    fn get(&self, bucket: &str, key: &str) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;

    /// Returns the metadata of one version of an object. The request has `If-Match` if there is an ETag.
    fn head_object(&self, object: &ObjectRef) -> impl Future<Output = Result<ObjectHead, StoreError>> + Send;

    /// Returns a small object with its ETag, or `None` if it does not exist.
    fn get_tagged(
        &self,
        bucket: &str,
        key: &str,
    ) -> impl Future<Output = Result<Option<TaggedObject>, StoreError>> + Send;

    /// The body that [`ObjectStore::get_range`] returns.
    type Body: ObjectBody;

    /// Returns the bytes `range` of one version as a stream. The first request is sent when the first piece is read.
    fn get_range(&self, object: &ObjectRef, range: Range<u64>) -> Self::Body;

    /// Writes an object, or replaces it.
    fn put(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes an object with `If-None-Match: *`. Returns false if the object exists already.
    fn put_if_absent(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Replaces an object with `If-Match`. Returns false if the object does not exist or has another ETag.
    fn put_if_match(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
        etag: &str,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Deletes an object. It is not an error if the object does not exist.
    fn delete(&self, bucket: &str, key: &str) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Deletes one version of an object for good; in a bucket without versions, the object. Another version that was
    /// written meanwhile remains. It is not an error if the version does not exist.
    fn delete_version(&self, object: &ObjectRef) -> impl Future<Output = Result<(), StoreError>> + Send;
}
