//! A batch's name, the same for the same work.

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

/// Penstock's own namespace for version-5 UUIDs; it must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x5c0f_5a0e_7c1d_4b8e_9a5e_70e6_57e5_70c4);

/// Contract version that stands in a batch id when the source has no contract.
const NO_CONTRACT: &str = "";

/// The id of the batch that takes `drop` through `contract_version` (`None`: there is no contract).
///
/// Bucket, key, and version id (or etag, where the bucket keeps no versions) identify the drop. The parts
/// are length-prefixed, so no two drops share a name.
pub fn batch_id(drop: &Drop, contract_version: Option<&str>) -> BatchId {
    let version = match &drop.version_id {
        Some(version_id) => ("version", version_id.as_str()),
        None => ("etag", drop.etag.as_str()),
    };
    let parts = [&drop.bucket, &drop.key, version.0, version.1, contract_version.unwrap_or(NO_CONTRACT)];
    let mut name = String::new();
    for part in parts {
        name.push_str(&part.len().to_string());
        name.push(':');
        name.push_str(part);
    }
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}
