//! The object of a drop.

use std::fs::File;
use std::io::Write as _;

use anyhow::{Context as _, Result};
use penstock_aws::s3::S3Store;
use penstock_aws::store::{ObjectBody as _, ObjectRef, ObjectStore as _, StoreError};
use penstock_pipeline::Drop;

/// Returns the version of the object that the drop is.
pub(super) fn object_of(drop: &Drop) -> ObjectRef {
    ObjectRef {
        bucket: drop.bucket.clone(),
        key: drop.key.clone(),
        version_id: drop.version_id.clone(),
        etag: Some(drop.etag.clone()),
    }
}

/// Reads the first byte: a HEAD does not show whether the object is in an archive tier.
pub(super) async fn is_readable(
    store: &S3Store,
    object: &ObjectRef,
    size_bytes: u64,
) -> Result<(), StoreError> {
    if size_bytes > 0 {
        store.get_range(object, 0..1).next().await?;
    }
    Ok(())
}

/// Copies the object into an unnamed temporary file.
pub(super) async fn download(store: &S3Store, drop: &Drop) -> Result<File> {
    let context = || format!("copying s3://{}/{} into a temporary file", drop.bucket, drop.key);
    let mut file = tempfile::tempfile().with_context(context)?;
    if drop.size_bytes == 0 {
        return Ok(file);
    }
    let mut body = store.get_range(&object_of(drop), 0..drop.size_bytes);
    while let Some(piece) = body.next().await? {
        file.write_all(&piece).with_context(context)?;
    }
    Ok(file)
}
