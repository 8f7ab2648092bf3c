//! The splits and the chunks of a batch.

use serde::{Deserialize, Serialize};

/// A part of a drop that is read by one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropSplit {
    /// Index, from 0.
    pub index: u32,
    /// Number of splits of the batch.
    pub count: u32,
    /// The part of the object.
    pub range: SplitRange,
}

/// The part of the object that a split covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitRange {
    /// The whole object.
    Whole,
    /// The records that start in `[start, end)`, in bytes of the object.
    Lines {
        /// First byte.
        start: u64,
        /// One past the last byte.
        end: u64,
    },
}

impl DropSplit {
    /// Returns the only split of a drop that is read whole.
    pub fn whole() -> Self {
        Self { index: 0, count: 1, range: SplitRange::Whole }
    }
}

/// An empty zstd frame, in base64: magic number, header with the size 0, an empty last block.
const EMPTY_FRAME: &str = "KLUv/SAAAQAA";
/// The SHA-256 of the empty frame.
const EMPTY_SHA256: &str = "6fb8543883dafcc2ed0934866b8b3f775231f5b0933add08bf502e9e84944cbd";

/// Up to N accepted rows of a batch, encoded for loading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Index in the batch, from 0, as in the ledger. Texts for people have the [number](Chunk::number).
    pub index: u32,
    /// Number of accepted rows that the chunk accounts for.
    pub rows: u32,
    /// The number of `rows` that are not in the text because another row of the batch has the same key and wins.
    ///
    /// `Some`: the text is sorted by the target's key and has each key once. `None`: the text has all rows, in the
    /// order of the drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deduplicated: Option<u32>,
    /// The number of rows in the splits before this one, added to each row number of the COPY text.
    pub row_base: u64,
    /// SHA-256 of the encoded bytes (zstd), in lower-case hexadecimal.
    pub sha256: String,
    /// Length of the COPY text before compression, in bytes.
    pub text_bytes: u64,
    /// The encoded bytes, or their location.
    pub body: ChunkBody,
}

/// The location of a chunk's encoded bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChunkBody {
    /// The zstd bytes themselves, in base64.
    Inline(String),
    /// An object in S3 (claim check).
    Object {
        /// Bucket name.
        bucket: String,
        /// Object key.
        key: String,
    },
}

impl Chunk {
    /// Returns the only chunk of a batch without rows.
    pub(crate) fn without_rows() -> Self {
        Self {
            index: 0,
            rows: 0,
            deduplicated: None,
            row_base: 0,
            sha256: EMPTY_SHA256.to_owned(),
            text_bytes: 0,
            body: ChunkBody::Inline(EMPTY_FRAME.to_owned()),
        }
    }

    /// Returns the chunk's number in texts for people, from 1.
    pub fn number(&self) -> u32 {
        self.index.checked_add(1).expect("a batch has fewer than 2^32 chunks")
    }

    /// Returns the number of rows in the text, or `None` if `deduplicated` is greater than `rows`, which
    /// [`LoadMessage::parse`](crate::LoadMessage::parse) rejects.
    pub(crate) fn checked_text_rows(&self) -> Option<u32> {
        self.rows.checked_sub(self.deduplicated.unwrap_or(0))
    }

    /// Returns the number of rows in the text.
    ///
    /// # Panics
    /// Panics if `deduplicated` is greater than `rows`. Chunks of a parsed [`LoadMessage`](crate::LoadMessage) are
    /// checked.
    pub fn text_rows(&self) -> u32 {
        self.checked_text_rows().expect("a chunk has no more duplicates than rows")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_numbered_from_1() {
        let chunk = Chunk::without_rows();
        assert_eq!((chunk.index, chunk.number()), (0, 1));
    }
}
