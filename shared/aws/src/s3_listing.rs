//! Listings over S3.

use aws_sdk_s3::types::{self, EncodingType};
use penstock_pipeline::events::decode_key;

use crate::fault::SdkFault;
use crate::listing::{
    ListScope, ListedObject, ObjectListing, ObjectPage, ObjectVersion, VersionMarker, VersionPage,
};
use crate::s3_client::{S3Store, store_error, timestamp};
use crate::store::StoreError;

const DELIMITER: &str = "/";

impl ObjectListing for S3Store {
    async fn objects(&self, scope: ListScope<'_>, after: Option<&str>) -> Result<ObjectPage, StoreError> {
        let call = self
            .client()
            .list_objects_v2()
            .bucket(scope.bucket)
            .prefix(scope.prefix)
            .set_delimiter(delimiter(scope))
            .set_continuation_token(after.map(str::to_owned))
            // A key may have characters that XML cannot represent.
            .encoding_type(EncodingType::Url)
            .send();
        let page = Box::pin(call).await.map_err(|error| list_error(scope, SdkFault::of(&error)))?;
        let entries = EntryReader { scope, is_encoded: page.encoding_type() == Some(&EncodingType::Url) };
        let object = |object: &types::Object| {
            let modified_at = object.last_modified().and_then(timestamp);
            Ok(ListedObject { key: entries.key(object.key())?, modified_at })
        };
        let folders = page.common_prefixes().iter().map(|folder| entries.key(folder.prefix()));
        Ok(ObjectPage {
            objects: page.contents().iter().map(object).collect::<Result<_, _>>()?,
            folders: folders.collect::<Result<_, _>>()?,
            next: page
                .next_continuation_token()
                .filter(|_| page.is_truncated() == Some(true))
                .map(str::to_owned),
        })
    }

    async fn versions(
        &self,
        scope: ListScope<'_>,
        after: Option<&VersionMarker>,
    ) -> Result<VersionPage, StoreError> {
        let call = self
            .client()
            .list_object_versions()
            .bucket(scope.bucket)
            .prefix(scope.prefix)
            .set_delimiter(delimiter(scope))
            .set_key_marker(after.map(|after| after.key.clone()))
            .set_version_id_marker(after.and_then(|after| after.version_id.clone()))
            .encoding_type(EncodingType::Url)
            .send();
        let page = Box::pin(call).await.map_err(|error| list_error(scope, SdkFault::of(&error)))?;
        let entries = EntryReader { scope, is_encoded: page.encoding_type() == Some(&EncodingType::Url) };
        let next = match page.next_key_marker().filter(|_| page.is_truncated() == Some(true)) {
            Some(key) => Some(VersionMarker {
                key: entries.key(Some(key))?,
                version_id: page.next_version_id_marker().filter(|id| !id.is_empty()).map(str::to_owned),
            }),
            None => None,
        };
        let versions = page.versions().iter().map(|version| entries.version(version));
        Ok(VersionPage { versions: versions.collect::<Result<_, _>>()?, next })
    }
}

/// Reads the entries of one response.
#[derive(Clone, Copy)]
struct EntryReader<'a> {
    scope: ListScope<'a>,
    /// Whether keys are URL-encoded, according to the response: some emulators ignore the requested encoding.
    is_encoded: bool,
}

impl EntryReader<'_> {
    fn key(self, key: Option<&str>) -> Result<String, StoreError> {
        let key = key.ok_or_else(|| self.malformed("an entry without a key"))?;
        if !self.is_encoded {
            return Ok(key.to_owned());
        }
        decode_key(key).map_err(|error| self.malformed(&format!("a malformed key: {error}")))
    }

    fn version(self, version: &types::ObjectVersion) -> Result<ObjectVersion, StoreError> {
        let key = self.key(version.key())?;
        let missing = |field: &str| self.malformed(&format!("no valid {field} for {key:?}"));
        let modified_at = version.last_modified().and_then(timestamp);
        let size_bytes = version.size().and_then(|size| u64::try_from(size).ok());
        Ok(ObjectVersion {
            // Objects that were written before the bucket was versioned have the version id `null`.
            version_id: version.version_id().filter(|id| *id != "null").map(str::to_owned),
            is_latest: version.is_latest() == Some(true),
            etag: version.e_tag().ok_or_else(|| missing("ETag"))?.trim_matches('"').to_owned(),
            size_bytes: size_bytes.ok_or_else(|| missing("size"))?,
            modified_at: modified_at.ok_or_else(|| missing("time"))?,
            key,
        })
    }

    fn malformed(self, fault: &str) -> StoreError {
        StoreError::Refused {
            bucket: self.scope.bucket.to_owned(),
            key: self.scope.prefix.to_owned(),
            message: format!("the listing has {fault}"),
        }
    }
}

fn delimiter(scope: ListScope<'_>) -> Option<String> {
    scope.one_level.then(|| DELIMITER.to_owned())
}

fn list_error(scope: ListScope<'_>, fault: SdkFault) -> StoreError {
    store_error(scope.bucket, scope.prefix, fault)
}
