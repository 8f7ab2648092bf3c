//! The object store over S3.

use std::ops::Range;

use bytes::Bytes;

use crate::fault::SdkFault;
pub use crate::s3_body::S3Body;
pub use crate::s3_client::S3Store;
use crate::s3_client::{BODY_ATTEMPTS, PutCondition, body_failed, pause, store_error};
use crate::store::{ObjectHead, ObjectRef, ObjectStore, StoreError, TaggedObject};

/// Maximum number of attempts of a conditional write that conflicts with another write of the same key.
const CONFLICT_ATTEMPTS: u32 = 4;

impl ObjectStore for S3Store {
    type Body = S3Body;

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Bytes>, StoreError> {
        Ok(self.get_tagged(bucket, key).await?.map(|object| object.body))
    }

    async fn get_tagged(&self, bucket: &str, key: &str) -> Result<Option<TaggedObject>, StoreError> {
        let object =
            ObjectRef { bucket: bucket.to_owned(), key: key.to_owned(), version_id: None, etag: None };
        let mut attempt = 0;
        loop {
            pause(attempt).await;
            attempt += 1;
            let output = match self.open(&object, None, None).await {
                Ok(output) => output,
                Err(StoreError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            let etag = output.e_tag.map(|etag| etag.trim_matches('"').to_owned());
            let etag = etag.ok_or_else(|| body_failed(bucket, key, "the response has no ETag"))?;
            match output.body.collect().await {
                Ok(body) => return Ok(Some(TaggedObject { body: body.into_bytes(), etag })),
                Err(error) if attempt == BODY_ATTEMPTS => {
                    return Err(body_failed(bucket, key, &error.to_string()));
                }
                Err(_) => {}
            }
        }
    }

    async fn head_object(&self, object: &ObjectRef) -> Result<ObjectHead, StoreError> {
        self.send_head(object).await
    }

    fn get_range(&self, object: &ObjectRef, range: Range<u64>) -> S3Body {
        S3Body::new(self.clone(), object.clone(), range)
    }

    async fn put(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), StoreError> {
        let put = self.put_object(bucket, key, body, PutCondition::None).await;
        put.map_err(|fault| store_error(bucket, key, fault))
    }

    async fn put_if_absent(&self, bucket: &str, key: &str, body: Bytes) -> Result<bool, StoreError> {
        self.put_conditionally(bucket, key, body, PutCondition::Absent).await
    }

    async fn put_if_match(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
        etag: &str,
    ) -> Result<bool, StoreError> {
        match self.put_conditionally(bucket, key, body, PutCondition::Matches(etag)).await {
            Err(StoreError::NotFound { .. }) => Ok(false),
            written => written,
        }
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let call = self.client().delete_object().bucket(bucket).key(key).send();
        match Box::pin(call).await.map_err(|error| store_error(bucket, key, SdkFault::of(&error))) {
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn delete_version(&self, object: &ObjectRef) -> Result<(), StoreError> {
        let ObjectRef { bucket, key, version_id, .. } = object;
        let call = self.client().delete_object().bucket(bucket).key(key).set_version_id(version_id.clone());
        let deleted = Box::pin(call.send()).await;
        match deleted.map_err(|error| store_error(bucket, key, SdkFault::of(&error))) {
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl S3Store {
    /// Sends a conditional PUT. Returns false if the condition is not satisfied.
    async fn put_conditionally(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
        condition: PutCondition<'_>,
    ) -> Result<bool, StoreError> {
        let mut attempt = 0;
        loop {
            match self.put_object(bucket, key, body.clone(), condition).await {
                Ok(()) => return Ok(true),
                Err(fault) if fault.status == Some(412) => return Ok(false),
                // 409 ConditionalRequestConflict: a concurrent write or delete of the key.
                Err(fault) if fault.status == Some(409) && attempt + 1 < CONFLICT_ATTEMPTS => {
                    attempt += 1;
                    pause(attempt).await;
                }
                Err(fault) => return Err(store_error(bucket, key, fault)),
            }
        }
    }
}
