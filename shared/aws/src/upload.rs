//! Files of any size into S3, and what stands there: what the operator's tool needs beside [`ObjectStore`].
//!
//! [`ObjectStore`]: crate::store::ObjectStore

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::timeout::TimeoutConfig;

use crate::fault::Fault;
use crate::listing::{Listed, Scope, each_page};
use crate::s3::{S3Store, store_error};
use crate::store::StoreError;

/// Files above this go up in parts, so that a broken connection costs one part.
pub const MULTIPART_MIN_BYTES: u64 = 64 * 1024 * 1024;
const MIN_PART_BYTES: u64 = 16 * 1024 * 1024;
/// S3 takes at most 10,000 parts.
const MAX_PARTS: u64 = 10_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SEND_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// What S3 says of an object that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Version id, where the bucket keeps versions.
    pub version_id: Option<String>,
    /// ETag without its quotes.
    pub etag: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// Why a file did not get to S3.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file cannot be read.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        message: String,
    },
    /// S3 did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl S3Store {
    /// Writes the file at `path`, read as a stream: in one request, or in parts above [`MULTIPART_MIN_BYTES`].
    /// `on_sent` is told the bytes of each part that has arrived.
    ///
    /// # Errors
    /// When the file cannot be read, or S3 refuses it. Parts that were sent are taken away again.
    pub async fn upload(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        on_sent: impl Fn(u64),
    ) -> Result<Uploaded, UploadError> {
        let size_bytes = std::fs::metadata(path).map_err(|error| file_error(path, error))?.len();
        let uploaded = if size_bytes > MULTIPART_MIN_BYTES {
            self.upload_parts(bucket, key, path, size_bytes, &on_sent).await?
        } else {
            self.upload_at_once(bucket, key, path, size_bytes).await?
        };
        if size_bytes <= MULTIPART_MIN_BYTES {
            on_sent(size_bytes);
        }
        Ok(uploaded)
    }

    async fn upload_at_once(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        size_bytes: u64,
    ) -> Result<Uploaded, UploadError> {
        let body = ByteStream::from_path(path).await.map_err(|error| file_error(path, error))?;
        let output = self
            .client()
            .put_object()
            .bucket(bucket)
            .key(key)
            .body(body)
            .customize()
            .config_override(patient())
            .send()
            .await
            .map_err(|error| store_error(bucket, key, Fault::of(&error)))?;
        Ok(uploaded(output.version_id(), output.e_tag(), size_bytes))
    }

    async fn upload_parts(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        size_bytes: u64,
        on_sent: &impl Fn(u64),
    ) -> Result<Uploaded, UploadError> {
        let started = self
            .client()
            .create_multipart_upload()
            .bucket(bucket)
            .key(key)
            .send()
            .await
            .map_err(|error| store_error(bucket, key, Fault::of(&error)))?;
        let upload_id = started.upload_id().unwrap_or_default();
        let finished = self.send_parts(bucket, key, path, size_bytes, upload_id, on_sent).await;
        if finished.is_err() {
            // Parts without an object would be paid for until the bucket's lifecycle finds them. The upload's own
            // error is the one to tell; this call failing too changes nothing of it.
            let abort = self.client().abort_multipart_upload().bucket(bucket).key(key).upload_id(upload_id);
            if let Err(error) = abort.send().await {
                tracing::warn!(bucket, key, error = %Fault::of(&error).message, "parts of a failed upload were left behind");
            }
        }
        finished
    }

    async fn send_parts(
        &self,
        bucket: &str,
        key: &str,
        path: &Path,
        size_bytes: u64,
        upload_id: &str,
        on_sent: &impl Fn(u64),
    ) -> Result<Uploaded, UploadError> {
        let refused = |fault| store_error(bucket, key, fault);
        let mut parts = Vec::new();
        for (number, (offset, length)) in (1..).zip(part_ranges(size_bytes)) {
            let body = ByteStream::read_from()
                .path(path)
                .offset(offset)
                .length(Length::Exact(length))
                .build()
                .await
                .map_err(|error| file_error(path, error))?;
            let request = self.client().upload_part().bucket(bucket).key(key).upload_id(upload_id);
            let sent =
                request.part_number(number).body(body).customize().config_override(patient()).send().await;
            let sent = sent.map_err(|error| refused(Fault::of(&error)))?;
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(sent.e_tag().map(str::to_owned))
                    .build(),
            );
            on_sent(length);
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.client().complete_multipart_upload().bucket(bucket).key(key).upload_id(upload_id);
        let output =
            request.multipart_upload(parts).send().await.map_err(|error| refused(Fault::of(&error)))?;
        Ok(uploaded(output.version_id(), output.e_tag(), size_bytes))
    }

    /// What S3 says of the newest version of an object; `None` when there is none.
    ///
    /// # Errors
    /// When S3 refuses.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Option<Uploaded>, StoreError> {
        let answer = self.client().head_object().bucket(bucket).key(key).send().await;
        match answer {
            Ok(output) => {
                let size_bytes = output.content_length().and_then(|size| u64::try_from(size).ok());
                Ok(Some(uploaded(output.version_id(), output.e_tag(), size_bytes.unwrap_or_default())))
            }
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(store_error(bucket, key, Fault::of(&error))),
        }
    }

    /// Every object under `prefix`, in the order of the keys.
    ///
    /// # Errors
    /// When S3 refuses.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let mut listed = Vec::new();
        each_page(self, Scope::all(bucket, prefix), |page| listed.extend(page.objects)).await?;
        Ok(listed)
    }
}

/// The time to an answer counts from the request's first byte: on a slow line most of it is the sending.
fn patient() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(SEND_TIMEOUT);
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts.build())
}

/// Offset and length of each part: equal ones, the last may be shorter.
fn part_ranges(size_bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    let part = size_bytes.div_ceil(MAX_PARTS).max(MIN_PART_BYTES);
    (0..size_bytes.div_ceil(part)).map(move |index| (index * part, part.min(size_bytes - index * part)))
}

fn uploaded(version_id: Option<&str>, etag: Option<&str>, size_bytes: u64) -> Uploaded {
    Uploaded {
        // A bucket whose versioning was suspended says `null`.
        version_id: version_id.filter(|id| *id != "null").map(str::to_owned),
        etag: etag.unwrap_or_default().trim_matches('"').to_owned(),
        size_bytes,
    }
}

fn file_error(path: &Path, error: impl std::fmt::Display) -> UploadError {
    UploadError::File { path: path.display().to_string(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_the_file_once_and_are_not_too_many() {
        for size in [MULTIPART_MIN_BYTES + 1, 200 << 20, 1 << 40, (1 << 40) + 12_345] {
            let mut expected = 0;
            let mut count = 0;
            for (offset, length) in part_ranges(size) {
                assert_eq!(offset, expected);
                assert!(length > 0);
                expected += length;
                count += 1;
            }
            assert_eq!(expected, size);
            assert!(count <= MAX_PARTS, "{size}: {count}");
        }
    }
}
