//! The manifests of the chunks' batches.

use std::collections::HashMap;
use std::sync::Arc;

use penstock_aws::commit::get_json;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::{BatchId, Manifest, layout};

use crate::error::LoadError;

/// The maximum number of manifests in the cache, which is emptied when it is full.
const MAX_CACHED: usize = 64;

/// A cache of manifests. A manifest is never overwritten, so it is read once.
#[derive(Debug, Default)]
pub struct ManifestCache(HashMap<BatchId, Arc<Manifest>>);

impl ManifestCache {
    /// Returns the manifest of a batch.
    ///
    /// # Errors
    /// Returns an error if it does not exist, is malformed, or cannot be fetched.
    pub async fn get(
        &mut self,
        store: &impl ObjectStore,
        bucket: &str,
        batch: &BatchId,
    ) -> Result<Arc<Manifest>, LoadError> {
        if let Some(manifest) = self.0.get(batch) {
            return Ok(manifest.clone());
        }
        let key = layout::manifest(batch);
        let manifest: Option<Manifest> = get_json(store, bucket, &key).await?;
        let missing = || LoadError::NoManifest { bucket: bucket.to_owned(), key };
        let manifest = Arc::new(manifest.ok_or_else(missing)?);
        if self.0.len() >= MAX_CACHED {
            self.0.clear();
        }
        self.0.insert(*batch, manifest.clone());
        Ok(manifest)
    }
}
