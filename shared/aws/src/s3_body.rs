//! A range of an S3 object as a stream that mends itself.

use std::ops::Range;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};

use crate::s3::{BODY_TRIES, S3Store, broken_off, pause};
use crate::store::{ObjectBody, ObjectRef, PIECE_BYTES, StoreError};

/// What [`S3Store`] gives of an object: one GET, and another one wherever it breaks off.
#[derive(Debug)]
pub struct S3Body {
    store: S3Store,
    object: ObjectRef,
    /// What has not been handed out yet.
    left: Range<u64>,
    /// The answer that is being read.
    stream: Option<ByteStream>,
    /// Tries since the last byte came.
    tries: u32,
    failure: Option<String>,
}

impl S3Body {
    pub(crate) fn new(store: S3Store, object: ObjectRef, range: Range<u64>) -> Self {
        Self { store, object, left: range, stream: None, tries: 0, failure: None }
    }

    /// The answer that is being read, asked for where there is none.
    async fn stream(&mut self, start: u64) -> Result<&mut ByteStream, StoreError> {
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                if self.tries >= BODY_TRIES {
                    return Err(broken_off(&self.object.bucket, &self.object.key, self.failure.take()));
                }
                pause(self.tries).await;
                self.tries += 1;
                let etag = self.object.etag.as_deref();
                let output = self.store.open(&self.object, etag, Some(start..self.left.end)).await?;
                check_start(&self.object, &output, start)?;
                // Without an ETag from the caller the first answer's holds: the tries must read one object.
                if self.object.etag.is_none() {
                    self.object.etag = output.e_tag().map(|tag| tag.trim_matches('"').to_owned());
                }
                output.body
            }
        };
        Ok(self.stream.insert(stream))
    }
}

impl ObjectBody for S3Body {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        let wanted = self.left.end.saturating_sub(self.left.start).min(PIECE_BYTES as u64);
        let wanted = usize::try_from(wanted).unwrap_or(PIECE_BYTES);
        if wanted == 0 {
            return Ok(None);
        }
        let mut piece = BytesMut::with_capacity(wanted);
        while piece.len() < wanted {
            let start = self.left.start.saturating_add(piece.len() as u64);
            let read = self.stream(start).await?.next().await;
            match read {
                Some(Ok(part)) => {
                    self.tries = 0;
                    // A piece may come out longer than was wanted, but never longer than the range.
                    let room = self.left.end.saturating_sub(start);
                    let length = usize::try_from(room).map_or(part.len(), |room| room.min(part.len()));
                    piece.extend_from_slice(part.get(..length).unwrap_or_default());
                }
                Some(Err(error)) => self.broke(error.to_string()),
                None => self.broke("the body ended early".to_owned()),
            }
        }
        self.left.start = self.left.start.saturating_add(piece.len() as u64);
        Ok(Some(piece.freeze()))
    }
}

impl S3Body {
    fn broke(&mut self, failure: String) {
        self.stream = None;
        self.failure = Some(failure);
    }
}

/// A server that does not know ranges answers with the whole object: joining that on would corrupt the drop.
fn check_start(object: &ObjectRef, output: &GetObjectOutput, start: u64) -> Result<(), StoreError> {
    let given = output
        .content_range()
        .and_then(|range| range.strip_prefix("bytes "))
        .and_then(|range| range.split_once('-'))
        .and_then(|(start, _)| start.parse::<u64>().ok());
    if given.unwrap_or(0) == start {
        return Ok(());
    }
    Err(StoreError::Refused {
        bucket: object.bucket.clone(),
        key: object.key.clone(),
        message: format!("asked for the bytes from {start}, answered with those from {}", given.unwrap_or(0)),
    })
}
