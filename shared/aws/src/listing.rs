//! Listings of buckets, one page at a time, so that a listing of any length only needs the memory of one page.

use jiff::Timestamp;

use crate::store::StoreError;

/// The part of a bucket that is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListScope<'a> {
    /// Bucket name.
    pub bucket: &'a str,
    /// The prefix of the keys.
    pub prefix: &'a str,
    /// Whether keys with a `/` after the prefix are grouped: each folder is listed once instead of its keys.
    pub one_level: bool,
}

impl<'a> ListScope<'a> {
    /// Returns the scope of everything under `prefix`.
    pub fn all(bucket: &'a str, prefix: &'a str) -> Self {
        Self { bucket, prefix, one_level: false }
    }

    /// Returns the scope of the objects and folders directly under `prefix`.
    pub fn one_level(bucket: &'a str, prefix: &'a str) -> Self {
        Self { bucket, prefix, one_level: true }
    }
}

/// The newest version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Object key.
    pub key: String,
    /// The time at which it was written.
    pub modified_at: Option<Timestamp>,
}

/// A page of objects, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// The objects.
    pub objects: Vec<ListedObject>,
    /// Folders, each with its `/`, if the scope is one level.
    pub folders: Vec<String>,
    /// The start of the next page; `None` if this is the last one.
    pub next: Option<String>,
}

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Object key.
    pub key: String,
    /// Version id, if the bucket is versioned.
    pub version_id: Option<String>,
    /// Whether it is the object that a request without version id returns.
    pub is_latest: bool,
    /// ETag without quotes.
    pub etag: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// The time at which it was written; for a multipart upload, the time at which the upload began.
    pub modified_at: Timestamp,
}

/// The last version of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionMarker {
    /// Object key.
    pub key: String,
    /// Version id.
    pub version_id: Option<String>,
}

/// A page of versions, in the order of their keys; those of a key from the newest to the oldest. Delete markers are not
/// included, so a page may be empty without being the last one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionPage {
    /// The versions.
    pub versions: Vec<ObjectVersion>,
    /// The start of the next page; `None` if this is the last one.
    pub next: Option<VersionMarker>,
}

/// Lists buckets. Implemented over S3, and in memory for tests.
pub trait ObjectListing: Clone + Send + Sync + 'static {
    /// Returns a page of objects: the first one, or the one that starts at `after`, the `next` of the page before.
    fn objects(
        &self,
        scope: ListScope<'_>,
        after: Option<&str>,
    ) -> impl Future<Output = Result<ObjectPage, StoreError>> + Send;

    /// Returns a page of versions: the first one, or the one that starts at `after`, the `next` of the page before.
    fn versions(
        &self,
        scope: ListScope<'_>,
        after: Option<&VersionMarker>,
    ) -> impl Future<Output = Result<VersionPage, StoreError>> + Send;
}

/// Calls `visit` with each page of objects in `scope`.
///
/// # Errors
/// Returns an error if a request fails. The pages before it have been visited.
pub async fn each_page(
    store: &impl ObjectListing,
    scope: ListScope<'_>,
    mut visit: impl FnMut(ObjectPage),
) -> Result<(), StoreError> {
    let mut next = None;
    loop {
        let mut page = store.objects(scope, next.as_deref()).await?;
        next = page.next.take();
        visit(page);
        if next.is_none() {
            return Ok(());
        }
    }
}
