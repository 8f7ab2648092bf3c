//! Listings over S3.

use aws_sdk_s3::types::{self, EncodingType};
use jiff::Timestamp;
use penstock_pipeline::events::decode_key;

use crate::fault::Fault;
use crate::listing::{Listed, ObjectListing, ObjectPage, ObjectVersion, Scope, VersionMarker, VersionPage};
use crate::s3::{S3Store, store_error};
use crate::store::StoreError;

const DELIMITER: &str = "/";

impl ObjectListing for S3Store {
    async fn objects(&self, scope: Scope<'_>, after: Option<&str>) -> Result<ObjectPage, StoreError> {
        let call = self
            .client()
            .list_objects_v2()
            .bucket(scope.bucket)
            .prefix(scope.prefix)
            .set_delimiter(delimiter(scope))
            .set_continuation_token(after.map(str::to_owned))
            // A key may hold characters that XML has no way to write.
            .encoding_type(EncodingType::Url)
            .send();
        let page = Box::pin(call).await.map_err(|error| refused(scope, Fault::of(&error)))?;
        let keys = Keys { scope, are_encoded: page.encoding_type() == Some(&EncodingType::Url) };
        let object = |object: &types::Object| {
            let modified_at = object.last_modified().and_then(timestamp);
            Ok(Listed { key: keys.decode(object.key())?, modified_at })
        };
        let folders = page.common_prefixes().iter().map(|folder| keys.decode(folder.prefix()));
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
        scope: Scope<'_>,
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
        let page = Box::pin(call).await.map_err(|error| refused(scope, Fault::of(&error)))?;
        let keys = Keys { scope, are_encoded: page.encoding_type() == Some(&EncodingType::Url) };
        let version = |version: &types::ObjectVersion| keys.version(version);
        let next = match page.next_key_marker().filter(|_| page.is_truncated() == Some(true)) {
            Some(key) => Some(VersionMarker {
                key: keys.decode(Some(key))?,
                version_id: page.next_version_id_marker().filter(|id| !id.is_empty()).map(str::to_owned),
            }),
            None => None,
        };
        Ok(VersionPage { versions: page.versions().iter().map(version).collect::<Result<_, _>>()?, next })
    }
}

/// The keys of an answer.
#[derive(Clone, Copy)]
struct Keys<'a> {
    scope: Scope<'a>,
    /// What the answer says of itself: not every stand-in does as it was asked.
    are_encoded: bool,
}

impl Keys<'_> {
    fn decode(self, key: Option<&str>) -> Result<String, StoreError> {
        let key = key.ok_or_else(|| self.malformed("an entry without a key"))?;
        if !self.are_encoded {
            return Ok(key.to_owned());
        }
        decode_key(key).map_err(|error| self.malformed(&error.to_string()))
    }

    fn version(self, version: &types::ObjectVersion) -> Result<ObjectVersion, StoreError> {
        let key = self.decode(version.key())?;
        let modified_at = version.last_modified().and_then(timestamp);
        let Some(modified_at) = modified_at else {
            return Err(self.malformed(&format!("no time of {key:?}")));
        };
        Ok(ObjectVersion {
            key,
            // What was written while the bucket kept no versions says `null`.
            version_id: version.version_id().filter(|id| *id != "null").map(str::to_owned),
            etag: version.e_tag().unwrap_or_default().trim_matches('"').to_owned(),
            size_bytes: version.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
            modified_at,
        })
    }

    fn malformed(self, what: &str) -> StoreError {
        StoreError::Refused {
            bucket: self.scope.bucket.to_owned(),
            key: self.scope.prefix.to_owned(),
            message: format!("the listing has {what}"),
        }
    }
}

fn delimiter(scope: Scope<'_>) -> Option<String> {
    scope.one_level.then(|| DELIMITER.to_owned())
}

fn refused(scope: Scope<'_>, fault: Fault) -> StoreError {
    store_error(scope.bucket, scope.prefix, fault)
}

fn timestamp(time: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), time.subsec_nanos().try_into().ok()?).ok()
}
