//! A batch and its id, which is the same whenever the same drop is processed under the same contract version.

use uuid::Uuid;

use crate::{Drop, UNKNOWN_SOURCE};

/// A batch's id: UUID version 5 over the drop's identity and the contract's version.
pub type BatchId = Uuid;

/// A drop processed under one contract version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// Its id, derived from the drop and the contract's version.
    pub id: BatchId,
    /// The source; [`UNKNOWN_SOURCE`] if the key does not name one.
    pub source: String,
    /// The contract's version; `None` if there is no contract.
    pub contract_version: Option<String>,
    /// The drop.
    pub drop: Drop,
}

impl Batch {
    /// Returns the batch of `drop` under `contract_version`.
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

/// The contract version in the id of a batch without a contract.
const NO_CONTRACT: &str = "";

/// Returns the id of the batch of `drop` under `contract_version`; `None` means that there is no contract.
///
/// A drop is identified by its bucket, its key, and its version id, or its ETag if the bucket is not versioned.
pub fn batch_id(drop: &Drop, contract_version: Option<&str>) -> BatchId {
    let version = match &drop.version_id {
        Some(version_id) => ("version", version_id.as_str()),
        None => ("etag", drop.etag.as_str()),
    };
    uuid_of(&[&drop.bucket, &drop.key, version.0, version.1, contract_version.unwrap_or(NO_CONTRACT)])
}

/// Returns the id of the drop's object, the same for all of its versions: UUID version 5 over bucket and key.
pub fn object_id(drop: &Drop) -> Uuid {
    uuid_of(&[&drop.bucket, &drop.key])
}

/// Returns the UUID of a list of fields. Each field is prefixed by its length, so two different lists never have the
/// same name.
fn uuid_of(fields: &[&str]) -> Uuid {
    let mut name = String::new();
    for field in fields {
        name.push_str(&field.len().to_string());
        name.push(':');
        name.push_str(field);
    }
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}
