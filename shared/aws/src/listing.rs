//! What stands in a bucket, a page at a time, so that a listing of any length takes the memory of one page.

use jiff::Timestamp;

use crate::store::StoreError;

/// What of a bucket is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope<'a> {
    /// Bucket name.
    pub bucket: &'a str,
    /// What the keys begin with.
    pub prefix: &'a str,
    /// Keys with a `/` after the prefix are not listed, but the folder that they make up to it, once.
    pub one_level: bool,
}

impl<'a> Scope<'a> {
    /// Everything under `prefix`.
    pub fn all(bucket: &'a str, prefix: &'a str) -> Self {
        Self { bucket, prefix, one_level: false }
    }

    /// What stands directly under `prefix`.
    pub fn one_level(bucket: &'a str, prefix: &'a str) -> Self {
        Self { bucket, prefix, one_level: true }
    }
}

/// The newest version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Object key.
    pub key: String,
    /// When it was written.
    pub modified_at: Option<Timestamp>,
}

/// Objects, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObjectPage {
    /// The objects.
    pub objects: Vec<Listed>,
    /// Folders, each with its `/`, where the scope is one level.
    pub folders: Vec<String>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<String>,
}

/// One version of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Object key.
    pub key: String,
    /// Version id, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// ETag without its quotes.
    pub etag: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// When it was written; of an upload in parts, when the upload began.
    pub modified_at: Timestamp,
}

/// The version that a page ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionMarker {
    /// Object key.
    pub key: String,
    /// Version id.
    pub version_id: Option<String>,
}

/// Versions, in the order of their keys, those of a key from the newest to the oldest. Marks of deletion are no
/// versions; a page of nothing else is empty, and may not be the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VersionPage {
    /// The versions.
    pub versions: Vec<ObjectVersion>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<VersionMarker>,
}

/// What lists buckets. Implemented over S3, and in memory by tests.
pub trait ObjectListing: Clone + Send + Sync + 'static {
    /// A page of objects: the first one, or what comes after the page that gave `after`.
    fn objects(
        &self,
        scope: Scope<'_>,
        after: Option<&str>,
    ) -> impl Future<Output = Result<ObjectPage, StoreError>> + Send;

    /// A page of versions: the first one, or what comes after the page that gave `after`.
    fn versions(
        &self,
        scope: Scope<'_>,
        after: Option<&VersionMarker>,
    ) -> impl Future<Output = Result<VersionPage, StoreError>> + Send;
}

/// Hands over the objects of `scope`, page by page.
///
/// # Errors
/// When a page cannot be had; those before it have been handed over.
pub async fn each_page(
    store: &impl ObjectListing,
    scope: Scope<'_>,
    mut take: impl FnMut(ObjectPage),
) -> Result<(), StoreError> {
    let mut next = None;
    loop {
        let mut page = store.objects(scope, next.as_deref()).await?;
        next = page.next.take();
        take(page);
        if next.is_none() {
            return Ok(());
        }
    }
}
