//! The S3 client, its requests for objects, and the meaning of its errors.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;
use jiff::Timestamp;

use crate::clients::Aws;
use crate::fault::SdkFault;
use crate::store::{ObjectHead, ObjectRef, StoreError};

/// Maximum number of attempts to read one body. The SDK only retries until the body begins.
pub(crate) const BODY_ATTEMPTS: u32 = 6;
/// Pause before the second attempt; it doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// S3, or a compatible service at `AWS_ENDPOINT_URL_S3`. The client is created on first use.
#[derive(Debug, Clone)]
pub struct S3Store {
    aws: Aws,
    client: Arc<OnceLock<Client>>,
}

impl S3Store {
    /// Returns a store that is not connected yet.
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone(), client: Arc::default() }
    }

    pub(crate) fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let mut config = aws_sdk_s3::config::Builder::from(self.aws.config());
            if let Some(endpoint) = self.aws.endpoint("S3") {
                // Only AWS has a host name for each bucket.
                config = config.endpoint_url(endpoint).force_path_style(true);
            }
            Client::from_conf(config.build())
        })
    }

    /// Sends a GET for an object, or for a range of it.
    pub(crate) async fn open(
        &self,
        object: &ObjectRef,
        etag: Option<&str>,
        range: Option<Range<u64>>,
    ) -> Result<GetObjectOutput, StoreError> {
        let header = range.map(|range| format!("bytes={}-{}", range.start, range.end.saturating_sub(1)));
        let call = self
            .client()
            .get_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_version_id(object.version_id.clone())
            .set_if_match(etag.map(|etag| format!("\"{etag}\"")))
            .set_range(header)
            .send();
        // The SDK's futures are large. On the heap, they do not enlarge the futures of all callers.
        let response = Box::pin(call).await;
        response.map_err(|error| get_error(&object.bucket, &object.key, &error))
    }

    /// Sends a HEAD for an object.
    pub(crate) async fn send_head(&self, object: &ObjectRef) -> Result<ObjectHead, StoreError> {
        let call = self
            .client()
            .head_object()
            .bucket(&object.bucket)
            .key(&object.key)
            .set_version_id(object.version_id.clone())
            .set_if_match(object.etag.as_ref().map(|etag| format!("\"{etag}\"")))
            .send();
        let response = Box::pin(call).await;
        let output = response.map_err(|error| get_error(&object.bucket, &object.key, &error))?;
        object_head(object, &output)
    }

    /// Sends a PUT.
    pub(crate) async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
        condition: PutCondition<'_>,
    ) -> Result<(), SdkFault> {
        let (if_none_match, if_match) = match condition {
            PutCondition::None => (None, None),
            PutCondition::Absent => (Some("*".to_owned()), None),
            PutCondition::Matches(etag) => (None, Some(format!("\"{etag}\""))),
        };
        let call = self
            .client()
            .put_object()
            .bucket(bucket)
            .key(key)
            .set_if_none_match(if_none_match)
            .set_if_match(if_match)
            .body(body.into())
            .customize()
            // TLS protects the transfer, and a chunk's message has the chunk's SHA-256. Hashing every body for the
            // signature too would cost as much as checking the rows.
            .disable_payload_signing()
            .send();
        Box::pin(call).await.map(|_| ()).map_err(|error| SdkFault::of(&error))
    }
}

/// The condition of a PUT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PutCondition<'a> {
    /// No condition.
    None,
    /// The object does not exist.
    Absent,
    /// The object has this ETag.
    Matches(&'a str),
}

/// Pauses before an attempt, except the first one (0).
pub(crate) async fn pause(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(6))).await;
    }
}

/// Returns the error of a body whose transfer failed in all attempts, the last time with `failure`.
pub(crate) fn body_failed(bucket: &str, key: &str, failure: &str) -> StoreError {
    StoreError::Transient {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        message: format!("the transfer of the body failed {BODY_ATTEMPTS} times: {failure}"),
    }
}

fn object_head(object: &ObjectRef, output: &HeadObjectOutput) -> Result<ObjectHead, StoreError> {
    let missing = |field: &str| StoreError::Refused {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        message: format!("the response has no valid {field}"),
    };
    let etag = output.e_tag().map(|etag| etag.trim_matches('"').to_owned());
    let size_bytes = output.content_length().and_then(|length| u64::try_from(length).ok());
    let modified_at = output.last_modified().and_then(timestamp);
    Ok(ObjectHead {
        // Objects of a bucket that is not versioned have no version id, or `null`.
        version_id: output.version_id().filter(|id| *id != "null").map(str::to_owned),
        etag: etag.ok_or_else(|| missing("ETag"))?,
        size_bytes: size_bytes.ok_or_else(|| missing("size"))?,
        modified_at: modified_at.ok_or_else(|| missing("time"))?,
    })
}

/// Returns a time of the SDK, or `None` if it is out of range.
pub(crate) fn timestamp(time: &aws_smithy_types::DateTime) -> Option<Timestamp> {
    Timestamp::new(time.secs(), time.subsec_nanos().try_into().ok()?).ok()
}

fn get_error<E>(bucket: &str, key: &str, error: &SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let (bucket_owned, key_owned) = (bucket.to_owned(), key.to_owned());
    let fault = SdkFault::of(error);
    match (fault.code.as_deref(), fault.status) {
        // The response to a request for a delete marker by its version id. That of a HEAD has no code.
        (Some("MethodNotAllowed"), _) | (None, Some(405)) => {
            StoreError::NotFound { bucket: bucket_owned, key: key_owned }
        }
        (Some("InvalidObjectState"), _) => StoreError::Archived { bucket: bucket_owned, key: key_owned },
        (_, Some(412)) => StoreError::Changed { bucket: bucket_owned, key: key_owned },
        _ => store_error(bucket, key, fault),
    }
}

pub(crate) fn store_error(bucket: &str, key: &str, fault: SdkFault) -> StoreError {
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    // 409: a concurrent request on the same key has not finished.
    if fault.transient || fault.status == Some(409) {
        return StoreError::Transient { bucket, key, message: fault.message };
    }
    let no_such_object = match fault.code.as_deref() {
        Some("NoSuchKey" | "NoSuchVersion" | "NotFound") => true,
        // The response to a HEAD request has no body and therefore no code. For a missing bucket, the code is
        // NoSuchBucket.
        None => fault.status == Some(404),
        Some(_) => false,
    };
    if no_such_object {
        StoreError::NotFound { bucket, key }
    } else {
        StoreError::Refused { bucket, key, message: fault.message }
    }
}
