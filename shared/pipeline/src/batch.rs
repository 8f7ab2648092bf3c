//! A batch and its id, which is the same whenever the same drop is processed under the same contract version.

use uuid::Uuid;

use crate::{Drop, UNKNOWN_SOURCE};

/// A batch's id: UUID version 5 over the drop's identity, the contract's version and, for a replay, its generation.
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
    /// The generation of the drop's [claim](crate::DropClaim).
    pub generation: u32,
    /// Batches whose rows this one replaces when it is loaded: those of earlier generations, and partly loaded ones of
    /// earlier versions of the object.
    pub replays: Vec<BatchId>,
}

impl Batch {
    /// Returns the batch of `drop` when it is processed for the first time, under `contract_version`.
    pub fn new(drop: Drop, contract_version: Option<&str>) -> Self {
        Self::of_generation(drop, contract_version, FIRST_GENERATION)
    }

    /// Returns the batch of `drop` in a generation of its [claims](crate::DropClaim).
    pub fn of_generation(drop: Drop, contract_version: Option<&str>, generation: u32) -> Self {
        Self {
            id: replay_batch_id(&drop, contract_version, generation),
            source: drop.source().unwrap_or(UNKNOWN_SOURCE).to_owned(),
            contract_version: contract_version.map(str::to_owned),
            drop,
            generation,
            replays: Vec::new(),
        }
    }
}

/// Penstock's own namespace for version-5 UUIDs; it must never change.
const NAMESPACE: Uuid = Uuid::from_u128(0x5c0f_5a0e_7c1d_4b8e_9a5e_70e6_57e5_70c4);

/// The contract version in the id of a batch without a contract.
const NO_CONTRACT: &str = "";

/// The generation of the first processing of a drop. Each replay has the next one.
pub const FIRST_GENERATION: u32 = 0;

/// Returns the id of the batch of `drop` when it is processed for the first time, under `contract_version`; `None`
/// means that there is no contract.
///
/// A drop is identified by its bucket, its key, and its version id, or its ETag if the bucket is not versioned.
pub fn batch_id(drop: &Drop, contract_version: Option<&str>) -> BatchId {
    let [bucket, key, kind, version] = identity(drop);
    uuid_of(&[bucket, key, kind, version, contract_version.unwrap_or(NO_CONTRACT)])
}

/// Returns the id of the batch of `drop` in a generation of its claims.
pub fn replay_batch_id(drop: &Drop, contract_version: Option<&str>, generation: u32) -> BatchId {
    if generation == FIRST_GENERATION {
        return batch_id(drop, contract_version);
    }
    let [bucket, key, kind, version] = identity(drop);
    let contract = contract_version.unwrap_or(NO_CONTRACT);
    uuid_of(&[bucket, key, kind, version, contract, &generation.to_string()])
}

/// Returns the id of a drop, the same for all of its batches.
pub fn drop_id(drop: &Drop) -> Uuid {
    uuid_of(&identity(drop))
}

fn identity(drop: &Drop) -> [&str; 4] {
    let (kind, version) = match &drop.version_id {
        Some(version_id) => ("version", version_id.as_str()),
        None => ("etag", drop.etag.as_str()),
    };
    [&drop.bucket, &drop.key, kind, version]
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
