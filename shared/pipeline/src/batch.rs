//! A batch's name, the same for the same work.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Drop, UNKNOWN_SOURCE};

/// A batch's id: UUID version 5 over the drop's identity and the contract's version.
pub type BatchId = Uuid;

/// A drop taken through one contract version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its id, derived from the other fields.
    pub id: BatchId,
    /// The source, [`UNKNOWN_SOURCE`] where the key names none.
    pub source: String,
    /// The contract's version; `None` when there is no contract.
    pub contract_version: Option<String>,
    /// The drop.
    pub drop: Drop,
}

impl Batch {
    /// The batch that takes `drop` through `contract_version`.
    pub fn new(drop: Drop, contract_version: Option<&str>) -> Self {
        Self {
            id: batch_id(&drop, contract_version),
            source: drop.source().unwrap_or(UNKNOWN_SOURCE).to_owned(),
            contract_version: contract_version.map(str::to_owned),
            drop,
        }
    }
}

/// Which version of an object is taken, where only the first one is: stands at [`crate::layout::taken`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The version, as [`Drop::version`] gives it.
    pub version: String,
    /// The batch that it is taken as.
    pub batch_id: BatchId,
}

/// Penstock's own namespace for version-5 UUIDs; it must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x5c0f_5a0e_7c1d_4b8e_9a5e_70e6_57e5_70c4);

/// Contract version that stands in a batch id when the source has no contract.
const NO_CONTRACT: &str = "";

/// The id of the batch that takes `drop` through `contract_version` (`None`: there is no contract).
///
/// Bucket, key, and version id (or etag, where the bucket keeps no versions) identify the drop.
pub fn batch_id(drop: &Drop, contract_version: Option<&str>) -> BatchId {
    let version = match &drop.version_id {
        Some(version_id) => ("version", version_id.as_str()),
        None => ("etag", drop.etag.as_str()),
    };
    name_of(&[&drop.bucket, &drop.key, version.0, version.1, contract_version.unwrap_or(NO_CONTRACT)])
}

/// The id of an object, whatever its versions: UUID version 5 over its bucket and key.
pub fn object_id(drop: &Drop) -> Uuid {
    name_of(&[&drop.bucket, &drop.key])
}

/// The parts are length-prefixed, so that no two lists of them share a name.
fn name_of(parts: &[&str]) -> Uuid {
    let mut name = String::new();
    for part in parts {
        name.push_str(&part.len().to_string());
        name.push(':');
        name.push_str(part);
    }
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}
