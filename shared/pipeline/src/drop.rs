//! A drop: one version of one object that arrived.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Stands where a source's name is needed and the key names none. No source can be called this: the name of
/// a source begins with a letter.
pub const UNKNOWN_SOURCE: &str = "_unknown";

/// One version of one object that arrived in the raw bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// Bucket name.
    pub bucket: String,
    /// Object key, decoded.
    pub key: String,
    /// Version id, where the bucket keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// ETag without its quotes.
    pub etag: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Orders the events of one key (hexadecimal); not part of the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
    /// When the object arrived, by the event.
    pub dropped_at: Timestamp,
}

impl Drop {
    /// The source: the key's first segment. `None` when the key has no `/` or an empty first segment.
    pub fn source(&self) -> Option<&str> {
        match self.key.split_once('/') {
            Some((source, rest)) if !source.is_empty() && !rest.is_empty() => Some(source),
            _ => None,
        }
    }

    /// The version id, or the ETag where the bucket keeps no versions: tells the versions of one object apart.
    pub fn version(&self) -> &str {
        self.version_id.as_ref().unwrap_or(&self.etag)
    }
}
