//! Uploads of files of any size to S3, and listings: the requests of the command-line tool that
//! [`ObjectStore`](crate::store::ObjectStore) does not have.

use std::path::Path;
use std::time::Duration;

use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::{ByteStream, Length};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::timeout::TimeoutConfig;

use crate::fault::SdkFault;
use crate::listing::{ListScope, ListedObject, each_page};
use crate::s3_client::{S3Store, store_error};
use crate::store::StoreError;

/// Larger files are uploaded in parts, so that a broken connection only repeats one part.
pub const MULTIPART_MIN_BYTES: u64 = 64 * 1024 * 1024;
const MIN_PART_BYTES: u64 = 16 * 1024 * 1024;
/// Maximum number of parts of an upload to S3.
const MAX_PARTS: u64 = 10_000;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SEND_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// An object that was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uploaded {
    /// Version id, if the bucket is versioned.
    pub version_id: Option<String>,
    /// ETag without quotes.
    pub etag: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// The reason why a file was not uploaded.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file cannot be read.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// The error of the operating system.
        message: String,
    },
    /// A request to S3 failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl S3Store {
    /// Uploads the file at `path` as a stream: in one request, or in parts if it is larger than
    /// [`MULTIPART_MIN_BYTES`]. Calls `on_sent` with the number of bytes after each part.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read, or a request fails. The parts of a failed upload are deleted.
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
            self.upload_whole(bucket, key, path, size_bytes).await?
        };
        if size_bytes <= MULTIPART_MIN_BYTES {
            on_sent(size_bytes);
        }
        Ok(uploaded)
    }

    async fn upload_whole(
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
            .config_override(with_upload_timeout())
            .send()
            .await
            .map_err(|error| store_error(bucket, key, SdkFault::of(&error)))?;
        Ok(uploaded(bucket, key, output.version_id(), output.e_tag(), size_bytes)?)
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
            .map_err(|error| store_error(bucket, key, SdkFault::of(&error)))?;
        let upload_id = started.upload_id().ok_or_else(|| incomplete(bucket, key, "upload id"))?;
        let finished = self.send_parts(bucket, key, path, size_bytes, upload_id, on_sent).await;
        if finished.is_err() {
            // Otherwise the parts would be paid for until the bucket's lifecycle deletes them. The error of the upload
            // is returned in any case.
            let abort = self.client().abort_multipart_upload().bucket(bucket).key(key).upload_id(upload_id);
            if let Err(error) = abort.send().await {
                tracing::warn!(bucket, key, error = %SdkFault::of(&error).message, "parts of a failed upload were not deleted");
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
        let failed = |fault| store_error(bucket, key, fault);
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
            let sent = request
                .part_number(number)
                .body(body)
                .customize()
                .config_override(with_upload_timeout())
                .send()
                .await;
            let sent = sent.map_err(|error| failed(SdkFault::of(&error)))?;
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
            request.multipart_upload(parts).send().await.map_err(|error| failed(SdkFault::of(&error)))?;
        Ok(uploaded(bucket, key, output.version_id(), output.e_tag(), size_bytes)?)
    }

    /// Returns the newest version of an object, or `None` if it does not exist.
    ///
    /// # Errors
    /// Returns an error if the request fails.
    pub async fn head(&self, bucket: &str, key: &str) -> Result<Option<Uploaded>, StoreError> {
        let response = self.client().head_object().bucket(bucket).key(key).send().await;
        match response {
            Ok(output) => {
                let size_bytes = output.content_length().and_then(|size| u64::try_from(size).ok());
                let size_bytes = size_bytes.ok_or_else(|| incomplete(bucket, key, "size"))?;
                uploaded(bucket, key, output.version_id(), output.e_tag(), size_bytes).map(Some)
            }
            Err(error) if error.as_service_error().is_some_and(HeadObjectError::is_not_found) => Ok(None),
            Err(error) => Err(store_error(bucket, key, SdkFault::of(&error))),
        }
    }

    /// Returns all objects under `prefix`, in the order of their keys.
    ///
    /// # Errors
    /// Returns an error if a request fails.
    pub async fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<ListedObject>, StoreError> {
        let mut listed = Vec::new();
        each_page(self, ListScope::all(bucket, prefix), |page| listed.extend(page.objects)).await?;
        Ok(listed)
    }
}

/// The read timeout begins with the request's first byte, so it must include the upload on a slow connection.
fn with_upload_timeout() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(SEND_TIMEOUT);
    aws_sdk_s3::config::Builder::new().timeout_config(timeouts.build())
}

/// Returns offset and length of each part. All parts have the same length, but the last may be shorter.
fn part_ranges(size_bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    let part = size_bytes.div_ceil(MAX_PARTS).max(MIN_PART_BYTES);
    (0..size_bytes.div_ceil(part)).map(move |index| (index * part, part.min(size_bytes - index * part)))
}

fn uploaded(
    bucket: &str,
    key: &str,
    version_id: Option<&str>,
    etag: Option<&str>,
    size_bytes: u64,
) -> Result<Uploaded, StoreError> {
    Ok(Uploaded {
        // The version id is `null` if versioning of the bucket is suspended.
        version_id: version_id.filter(|id| *id != "null").map(str::to_owned),
        etag: etag.ok_or_else(|| incomplete(bucket, key, "ETag"))?.trim_matches('"').to_owned(),
        size_bytes,
    })
}

fn incomplete(bucket: &str, key: &str, field: &str) -> StoreError {
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    StoreError::Refused { bucket, key, message: format!("the response has no {field}") }
}

fn file_error(path: &Path, error: impl std::fmt::Display) -> UploadError {
    UploadError::File { path: path.display().to_string(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_most_ten_thousand_parts_cover_the_file_once() {
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
