//! A drop: one version of one object.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The source of a drop whose key does not name one. A contract cannot have this name: names of sources begin with a
/// letter.
pub const UNKNOWN_SOURCE: &str = "_unknown";

/// One version of one object in the raw bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drop {
    /// Bucket name.
    pub bucket: String,
    /// Object key, decoded.
    pub key: String,
    /// Version id, if the bucket is versioned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// ETag without quotes.
    pub etag: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Orders the events of one key (hexadecimal); not part of the drop's identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<String>,
    /// The time at which the object was created, according to the event.
    pub dropped_at: Timestamp,
}

impl Drop {
    /// Returns the source: the key's first segment. `None` if the key has no `/`, or the segment or the rest is empty.
    pub fn source(&self) -> Option<&str> {
        let (source, rest) = self.key.split_once('/')?;
        (!source.is_empty() && !rest.is_empty()).then_some(source)
    }

    /// Returns the identifier of the object's version: the version id, or the ETag if the bucket is not versioned.
    pub fn version(&self) -> &str {
        self.version_id.as_ref().unwrap_or(&self.etag)
    }
}
