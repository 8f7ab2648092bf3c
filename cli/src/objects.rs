//! Objects that receipts and manifests name.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use penstock_aws::s3::S3Store;
use penstock_aws::store::ObjectStore as _;

/// Returns the content of an object with this `s3://` URI.
pub(crate) async fn fetch(store: &S3Store, uri: &str) -> Result<Bytes> {
    let location = uri.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
    let (bucket, key) = location.with_context(|| format!("{uri} is not an S3 URI"))?;
    store.get(bucket, key).await?.with_context(|| format!("{uri} no longer exists"))
}
