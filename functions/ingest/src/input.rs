//! The object's bytes, from ranged GETs to a `Read` on another thread.

use std::io::{self, Read};
use std::ops::Range;

use bytes::{Buf as _, Bytes};
use penstock_aws::store::{ObjectRef, ObjectStore};
use penstock_pipeline::Drop;
use tokio::sync::mpsc;

use crate::error::IngestError;
use crate::handler::StopAt;

/// One GET. With the range that is being read and the one that is being fetched, two of these are in memory.
const RANGE_BYTES: u64 = 8 * 1024 * 1024;

/// A way for ranges from the network's thread to the one that checks.
pub(crate) fn pipe() -> (mpsc::Sender<Part>, PipeReader) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, PipeReader { receiver, current: Bytes::new(), ended: false })
}

/// What goes through the pipe. Without the end said, a broken fetch would pass for a short file.
pub(crate) enum Part {
    Bytes(Bytes),
    End,
}

/// Fetches the whole drop, one range ahead of the reader. Ends early when the reader has gone.
///
/// # Errors
/// When a range cannot be had, or the invocation's time is nearly over.
pub(crate) async fn fetch(
    store: impl ObjectStore,
    drop: Drop,
    sender: mpsc::Sender<Part>,
    stop: StopAt,
) -> Result<(), IngestError> {
    let object =
        ObjectRef { bucket: drop.bucket, key: drop.key, version_id: drop.version_id, etag: Some(drop.etag) };
    for range in ranges(drop.size_bytes) {
        // The place is taken before the GET: no more than one range waits for the reader.
        let Ok(place) = sender.reserve().await else { return Ok(()) };
        if stop.is_past() {
            return Err(IngestError::OutOfTime);
        }
        place.send(Part::Bytes(store.get_range(&object, range).await?));
    }
    // The reader may have gone: it has read enough, or failed, and says so itself.
    sender.send(Part::End).await.ok();
    Ok(())
}

fn ranges(size_bytes: u64) -> impl Iterator<Item = Range<u64>> {
    (0..size_bytes.div_ceil(RANGE_BYTES)).map(move |index| {
        let start = index * RANGE_BYTES;
        start..start.saturating_add(RANGE_BYTES).min(size_bytes)
    })
}

/// The other end of the pipe. Blocks: for a thread that may.
pub(crate) struct PipeReader {
    receiver: mpsc::Receiver<Part>,
    current: Bytes,
    ended: bool,
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.receiver.blocking_recv() {
                Some(Part::Bytes(bytes)) => self.current = bytes,
                Some(Part::End) => self.ended = true,
                // Why, is known to the fetching side.
                None => return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the fetch stopped")),
            }
        }
        let length = buffer.len().min(self.current.len());
        self.current.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cover_the_object_once() {
        assert_eq!(ranges(0).count(), 0);
        assert!(ranges(1).eq(std::iter::once(0..1)));
        let size = 2 * RANGE_BYTES + 1;
        assert_eq!(
            ranges(size).collect::<Vec<_>>(),
            [0..RANGE_BYTES, RANGE_BYTES..2 * RANGE_BYTES, 2 * RANGE_BYTES..size]
        );
        assert_eq!(ranges(2 * RANGE_BYTES).count(), 2);
    }

    #[test]
    fn a_fetch_that_stops_is_no_end_of_file() {
        let (sender, mut reader) = pipe();
        sender.try_send(Part::Bytes(Bytes::from_static(b"abc"))).ok().unwrap();
        std::mem::drop(sender);
        let mut text = String::new();
        assert_eq!(reader.read_to_string(&mut text).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(text, "abc");
    }
}
