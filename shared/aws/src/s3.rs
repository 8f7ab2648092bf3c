//! The object store over S3.

use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::{GetObjectError, GetObjectOutput};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use bytes::Bytes;

use crate::clients::Aws;
use crate::fault::Fault;
pub use crate::s3_body::S3Body;
use crate::store::{ObjectRef, ObjectStore, StoreError};

/// Tries to read one body, the first included. The SDK's own retries end where the body begins.
pub(crate) const BODY_TRIES: u32 = 6;
/// Before the second try; doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Tries of a conditional write that another write of the same key crosses.
const CONFLICT_TRIES: u32 = 4;

/// S3, or what speaks like it at `AWS_ENDPOINT_URL_S3`. The client is made on first use.
#[derive(Debug, Clone)]
pub struct S3Store {
    aws: Aws,
    client: Arc<OnceLock<Client>>,
}

impl S3Store {
    /// A store; nothing is connected yet.
    pub fn new(aws: &Aws) -> Self {
        Self { aws: aws.clone(), client: Arc::default() }
    }

    pub(crate) fn client(&self) -> &Client {
        self.client.get_or_init(|| {
            let mut config = aws_sdk_s3::config::Builder::from(self.aws.config());
            if let Some(endpoint) = self.aws.endpoint("S3") {
                // A host name for each bucket is AWS's; a custom endpoint has one host for all.
                config = config.endpoint_url(endpoint).force_path_style(true);
            }
            Client::from_conf(config.build())
        })
    }

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
        // The SDK's futures are large and deep; on the heap they do not make every caller's so.
        let answer = Box::pin(call).await;
        answer.map_err(|error| get_error(&object.bucket, &object.key, &error))
    }

    async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        body: Bytes,
        only_if_absent: bool,
    ) -> Result<(), Fault> {
        let call = self
            .client()
            .put_object()
            .bucket(bucket)
            .key(key)
            .set_if_none_match(only_if_absent.then(|| "*".to_owned()))
            .body(body.into())
            .customize()
            // TLS guards the way, and a chunk's message has its SHA-256: hashing every body once more
            // for the signature would cost as much as checking the rows.
            .disable_payload_signing()
            .send();
        Box::pin(call).await.map(|_| ()).map_err(|error| Fault::of(&error))
    }
}

impl ObjectStore for S3Store {
    type Body = S3Body;

    async fn get(&self, bucket: &str, key: &str) -> Result<Option<Bytes>, StoreError> {
        let object =
            ObjectRef { bucket: bucket.to_owned(), key: key.to_owned(), version_id: None, etag: None };
        let mut failure = None;
        for attempt in 0..BODY_TRIES {
            pause(attempt).await;
            let output = match self.open(&object, None, None).await {
                Ok(output) => output,
                Err(StoreError::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(error),
            };
            match output.body.collect().await {
                Ok(body) => return Ok(Some(body.into_bytes())),
                Err(error) => failure = Some(error.to_string()),
            }
        }
        Err(broken_off(bucket, key, failure))
    }

    fn get_range(&self, object: &ObjectRef, range: Range<u64>) -> S3Body {
        S3Body::new(self.clone(), object.clone(), range)
    }

    async fn put(&self, bucket: &str, key: &str, body: Bytes) -> Result<(), StoreError> {
        self.put_object(bucket, key, body, false).await.map_err(|fault| store_error(bucket, key, fault))
    }

    async fn put_if_absent(&self, bucket: &str, key: &str, body: Bytes) -> Result<bool, StoreError> {
        let mut attempt = 0;
        loop {
            match self.put_object(bucket, key, body.clone(), true).await {
                Ok(()) => return Ok(true),
                Err(fault) if fault.status == Some(412) => return Ok(false),
                // 409 ConditionalRequestConflict: another write or delete of the key was under way.
                Err(fault) if fault.status == Some(409) && attempt + 1 < CONFLICT_TRIES => {
                    attempt += 1;
                    pause(attempt).await;
                }
                Err(fault) => return Err(store_error(bucket, key, fault)),
            }
        }
    }

    async fn delete(&self, bucket: &str, key: &str) -> Result<(), StoreError> {
        let call = self.client().delete_object().bucket(bucket).key(key).send();
        match Box::pin(call).await.map_err(|error| store_error(bucket, key, Fault::of(&error))) {
            Ok(_) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Before a try: none before the first.
pub(crate) async fn pause(attempt: u32) {
    if attempt > 0 {
        tokio::time::sleep(FIRST_PAUSE.saturating_mul(1 << (attempt - 1).min(6))).await;
    }
}

pub(crate) fn broken_off(bucket: &str, key: &str, failure: Option<String>) -> StoreError {
    StoreError::Transient {
        bucket: bucket.to_owned(),
        key: key.to_owned(),
        message: format!("body broke off {BODY_TRIES} times: {}", failure.unwrap_or_default()),
    }
}

fn get_error(bucket: &str, key: &str, error: &SdkError<GetObjectError, HttpResponse>) -> StoreError {
    // A GET by version id of what is a delete marker: 405 with this code.
    let deleted = error.code() == Some("MethodNotAllowed");
    match Fault::of(error) {
        _ if deleted => StoreError::NotFound { bucket: bucket.to_owned(), key: key.to_owned() },
        Fault { status: Some(412), .. } => {
            StoreError::Changed { bucket: bucket.to_owned(), key: key.to_owned() }
        }
        fault => store_error(bucket, key, fault),
    }
}

pub(crate) fn store_error(bucket: &str, key: &str, fault: Fault) -> StoreError {
    let (bucket, key) = (bucket.to_owned(), key.to_owned());
    // Under 409 the object may be what it should be in a moment.
    if fault.transient || fault.status == Some(409) {
        return StoreError::Transient { bucket, key, message: fault.message };
    }
    let no_such_object = match fault.code.as_deref() {
        Some("NoSuchKey" | "NoSuchVersion" | "NotFound") => true,
        // A HEAD-like answer without a body; a missing bucket always says NoSuchBucket.
        None => fault.status == Some(404),
        Some(_) => false,
    };
    if no_such_object {
        StoreError::NotFound { bucket, key }
    } else {
        StoreError::Refused { bucket, key, message: fault.message }
    }
}
