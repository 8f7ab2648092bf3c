//! A range of an S3 object as a stream that resumes after a broken transfer.

use std::ops::Range;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};

use crate::s3_client::{BODY_ATTEMPTS, S3Store, body_failed, pause};
use crate::store::{ObjectBody, ObjectRef, PIECE_BYTES, StoreError};

/// The body of a range of an object. It sends one GET, and another one for the rest if the transfer breaks.
#[derive(Debug)]
pub struct S3Body {
    store: S3Store,
    object: ObjectRef,
    /// The bytes that have not been returned yet.
    remaining: Range<u64>,
    /// The body of the current response.
    stream: Option<ByteStream>,
    /// Number of requests since the last byte was received.
    attempts: u32,
    last_failure: String,
}

impl S3Body {
    pub(crate) fn new(store: S3Store, object: ObjectRef, range: Range<u64>) -> Self {
        Self { store, object, remaining: range, stream: None, attempts: 0, last_failure: String::new() }
    }

    /// Returns the body of the current response; sends a request if there is none.
    async fn stream(&mut self, start: u64) -> Result<&mut ByteStream, StoreError> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.request(start).await?,
        };
        Ok(self.stream.insert(stream))
    }

    async fn request(&mut self, start: u64) -> Result<ByteStream, StoreError> {
        if self.attempts >= BODY_ATTEMPTS {
            return Err(body_failed(&self.object.bucket, &self.object.key, &self.last_failure));
        }
        pause(self.attempts).await;
        self.attempts += 1;
        let etag = self.object.etag.as_deref();
        let output = self.store.open(&self.object, etag, Some(start..self.remaining.end)).await?;
        check_start(&self.object, &output, start)?;
        // If the caller gave no ETag, that of the first response is required of the others: all must be of one object.
        if self.object.etag.is_none() {
            self.object.etag = output.e_tag().map(|tag| tag.trim_matches('"').to_owned());
        }
        Ok(output.body)
    }

    fn transfer_failed(&mut self, failure: String) {
        self.stream = None;
        self.last_failure = failure;
    }
}

impl ObjectBody for S3Body {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let Range { start, end } = self.remaining;
        let length = bytes_of(end.saturating_sub(start).min(PIECE_BYTES as u64));
        if length == 0 {
            return Ok(None);
        }
        let mut piece = BytesMut::with_capacity(length);
        while piece.len() < length {
            let position = start + piece.len() as u64;
            match self.stream(position).await?.next().await {
                Some(Ok(bytes)) => {
                    self.attempts = 0;
                    // The piece may become longer than `length`, but does not exceed the range.
                    let bytes_left = bytes_of((end - position).min(bytes.len() as u64));
                    piece.extend_from_slice(&bytes[..bytes_left]);
                }
                Some(Err(error)) => self.transfer_failed(error.to_string()),
                None => self.transfer_failed("the body ended early".to_owned()),
            }
        }
        self.remaining.start = start + piece.len() as u64;
        Ok(Some(piece.freeze()))
    }
}

/// Converts a length that is at most the length of a buffer.
fn bytes_of(length: u64) -> usize {
    usize::try_from(length).expect("the length of a buffer fits into usize")
}

/// Checks that the response begins at `start`: a server without support for ranges sends the whole object, which would
/// corrupt the drop.
fn check_start(object: &ObjectRef, output: &GetObjectOutput, start: u64) -> Result<(), StoreError> {
    let problem = match output.content_range().map(|range| (range, first_byte(range))) {
        // A response without the header has the whole object.
        None if start == 0 => return Ok(()),
        None => "received the whole object".to_owned(),
        Some((_, Some(received))) if received == start => return Ok(()),
        Some((_, Some(received))) => format!("received the bytes from {received}"),
        Some((range, None)) => format!("received the invalid content range {range:?}"),
    };
    Err(StoreError::Refused {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        message: format!("requested the bytes from {start}, but {problem}"),
    })
}

/// Returns the position of the first byte according to a `Content-Range` header, or `None` if the header is invalid.
fn first_byte(content_range: &str) -> Option<u64> {
    let (first, _) = content_range.strip_prefix("bytes ")?.split_once('-')?;
    first.parse().ok()
}
