//! The object's bytes, from a GET to a `Read` on another thread.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use penstock_aws::store::{ObjectBody as _, ObjectRef, ObjectStore};
use penstock_pipeline::Drop;
use tokio::sync::mpsc;

use crate::error::IngestError;
use crate::handler::StopAt;

/// Pieces that wait for the reader, so that neither the network nor the check stops for the other's hiccups.
const PIECES_AHEAD: usize = 4;

/// A way for pieces from the network's thread to the one that checks.
pub(crate) fn pipe() -> (mpsc::Sender<Part>, PipeReader) {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    (sender, PipeReader { receiver, current: Bytes::new(), ended: false })
}

/// What goes through the pipe. Without the end said, a broken fetch would pass for a short file.
pub(crate) enum Part {
    Bytes(Bytes),
    End,
}

/// Fetches the whole drop, a few pieces ahead of the reader. Ends early when the reader has gone.
///
/// # Errors
/// When a piece cannot be had, or the invocation's time is nearly over.
pub(crate) async fn fetch(
    store: impl ObjectStore,
    drop: Drop,
    sender: mpsc::Sender<Part>,
    stop: StopAt,
) -> Result<(), IngestError> {
    let object =
        ObjectRef { bucket: drop.bucket, key: drop.key, version_id: drop.version_id, etag: Some(drop.etag) };
    let mut body = store.get_range(&object, 0..drop.size_bytes);
    // The place is taken before the piece is fetched: no more than those that have one are in memory.
    while let Ok(place) = sender.reserve().await {
        if stop.is_past() {
            return Err(IngestError::OutOfTime);
        }
        match body.next().await? {
            Some(piece) => place.send(Part::Bytes(piece)),
            None => {
                place.send(Part::End);
                return Ok(());
            }
        }
    }
    // The reader has gone: it has read enough, or failed, and says so itself.
    Ok(())
}

/// The other end of the pipe. Blocks: for a thread that may.
pub(crate) struct PipeReader {
    receiver: mpsc::Receiver<Part>,
    current: Bytes,
    ended: bool,
}

impl PipeReader {
    /// The first bytes of what is still to be read, `count` of them unless the input ends before. They are read again.
    pub(crate) fn head(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.current.len() < count && !self.ended {
            let known = std::mem::take(&mut self.current);
            self.next_piece()?;
            if !known.is_empty() {
                self.current = [known, std::mem::take(&mut self.current)].concat().into();
            }
        }
        Ok(self.current.get(..count).unwrap_or(&self.current))
    }

    /// Waits for the next piece, or the end.
    fn next_piece(&mut self) -> io::Result<()> {
        match self.receiver.blocking_recv() {
            Some(Part::Bytes(bytes)) => self.current = bytes,
            Some(Part::End) => self.ended = true,
            // The fetching side knows why.
            None => return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the fetch stopped")),
        }
        Ok(())
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            self.next_piece()?;
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
    fn the_first_bytes_are_read_again_however_they_arrive() {
        let (sender, mut reader) = pipe();
        for piece in [&b"PA"[..], b"R", b"1..."] {
            sender.try_send(Part::Bytes(Bytes::from_static(piece))).ok().unwrap();
        }
        sender.try_send(Part::End).ok().unwrap();
        assert_eq!(reader.head(4).unwrap(), b"PAR1");
        assert_eq!(reader.head(100).unwrap(), b"PAR1...");
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "PAR1...");
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
