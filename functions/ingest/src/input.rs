//! Transfers the bytes of the object from the network to a `Read` on another thread.

use std::io::{self, Read};

use bytes::{Buf as _, Bytes};
use penstock_aws::deadline::Deadline;
use penstock_aws::store::{ObjectBody as _, ObjectRef, ObjectStore};
use penstock_pipeline::Drop;
use tokio::sync::mpsc;

use crate::error::IngestError;

/// Number of pieces that are buffered for the reader, so that short delays of one side do not stop the other.
const PIECES_AHEAD: usize = 4;

/// Returns a pipe from the thread of the network to the thread of the check.
pub(crate) fn pipe() -> (mpsc::Sender<InputPiece>, PipeReader) {
    let (sender, receiver) = mpsc::channel(PIECES_AHEAD);
    (sender, PipeReader { receiver, current: Bytes::new(), ended: false })
}

/// A message of the pipe. The end is explicit, so that a failed fetch is not mistaken for the end of the file.
pub(crate) enum InputPiece {
    Bytes(Bytes),
    End,
}

/// Fetches the whole drop, some pieces ahead of the reader. Stops early if the reader was dropped.
///
/// # Errors
/// Returns an error if a request fails, or the deadline is past.
pub(crate) async fn fetch(
    store: impl ObjectStore,
    drop: Drop,
    sender: mpsc::Sender<InputPiece>,
    deadline: Deadline,
) -> Result<(), IngestError> {
    let object =
        ObjectRef { bucket: drop.bucket, key: drop.key, version_id: drop.version_id, etag: Some(drop.etag) };
    let mut body = store.get_range(&object, 0..drop.size_bytes);
    // The slot is reserved before the piece is fetched, so that no piece without a slot is in memory.
    while let Ok(slot) = sender.reserve().await {
        if deadline.is_past() {
            return Err(IngestError::OutOfTime);
        }
        match body.next().await? {
            Some(piece) => slot.send(InputPiece::Bytes(piece)),
            None => {
                slot.send(InputPiece::End);
                return Ok(());
            }
        }
    }
    // The reader was dropped: it needs no more bytes, or failed and reports that itself.
    Ok(())
}

/// The reading end of the pipe. It blocks, so it must be used on a thread that may.
pub(crate) struct PipeReader {
    receiver: mpsc::Receiver<InputPiece>,
    current: Bytes,
    ended: bool,
}

impl PipeReader {
    /// Returns the next `count` bytes without consuming them, or fewer at the end of the input.
    pub(crate) fn head(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.current.len() < count && !self.ended {
            let buffered = std::mem::take(&mut self.current);
            self.receive()?;
            if !buffered.is_empty() {
                self.current = [buffered, std::mem::take(&mut self.current)].concat().into();
            }
        }
        Ok(self.current.get(..count).unwrap_or(&self.current))
    }

    /// Waits for the next piece or the end.
    fn receive(&mut self) -> io::Result<()> {
        match self.receiver.blocking_recv() {
            Some(InputPiece::Bytes(bytes)) => self.current = bytes,
            Some(InputPiece::End) => self.ended = true,
            // The fetching side returns the reason.
            None => return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the fetch stopped")),
        }
        Ok(())
    }
}

impl Read for PipeReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            self.receive()?;
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
    fn the_head_is_read_again_in_any_division_into_pieces() {
        let (sender, mut reader) = pipe();
        for piece in [&b"PA"[..], b"R", b"1..."] {
            sender.try_send(InputPiece::Bytes(Bytes::from_static(piece))).ok().unwrap();
        }
        sender.try_send(InputPiece::End).ok().unwrap();
        assert_eq!(reader.head(4).unwrap(), b"PAR1");
        assert_eq!(reader.head(100).unwrap(), b"PAR1...");
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "PAR1...");
    }

    #[test]
    fn a_fetch_that_stops_is_not_the_end_of_the_file() {
        let (sender, mut reader) = pipe();
        sender.try_send(InputPiece::Bytes(Bytes::from_static(b"abc"))).ok().unwrap();
        std::mem::drop(sender);
        let mut text = String::new();
        assert_eq!(reader.read_to_string(&mut text).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(text, "abc");
    }
}
