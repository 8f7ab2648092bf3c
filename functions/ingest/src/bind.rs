//! Binds a drop to the contract version and the configuration with which it is first processed.

use std::sync::Arc;

use jiff::Timestamp;
use penstock_aws::commit::to_json;
use penstock_aws::drop_claims::{newest_claim, with_sequencer};
use penstock_aws::listing::ObjectListing;
use penstock_aws::store::{ObjectStore, StoreError};
use penstock_pipeline::{Drop, DropClaim, FIRST_GENERATION, Refusal, RefusalCode, drop_id, layout};

use crate::compiled::{CompiledContract, ContractStore};
use crate::error::IngestError;
use crate::ingest::Ingest;

/// A drop with its claim.
#[derive(Debug)]
pub(crate) struct BoundDrop {
    pub(crate) claim: DropClaim,
    /// Whether this invocation wrote the claim. Otherwise the drop may have been processed before.
    pub(crate) is_new: bool,
    /// The contract of the claim, or the refusal of the drop.
    pub(crate) contract: Result<Arc<CompiledContract>, Refusal>,
}

/// Returns the newest claim of `drop`. If there is none, claims the drop under the current contract.
pub(crate) async fn bind<S: ObjectStore + ObjectListing, Q, J>(
    ingest: &Ingest<S, Q, J>,
    drop: Drop,
) -> Result<BoundDrop, IngestError> {
    let bucket = &ingest.config.commit_target.processed_bucket;
    let published = ContractStore {
        store: &ingest.store,
        bucket: &ingest.config.artifacts_bucket,
        pseudonyms: &ingest.pseudonyms,
    };
    let current = match drop.source() {
        Some(source) => ingest.contracts.current(&published, source).await?,
        None => Err(no_source(&drop)),
    };
    // Without one, the drop would sort before all other versions of its object.
    let drop = match drop.sequencer {
        Some(_) => drop,
        None => with_sequencer(&ingest.store, bucket, drop).await?,
    };
    let contract = current.as_ref().ok().map(|compiled| compiled.claimed());
    let claim = DropClaim::first(drop, contract, ingest.config.chunk_rows, Timestamp::now());
    let key = layout::drop_claim(&claim.source, &drop_id(&claim.drop), FIRST_GENERATION);
    if ingest.store.put_if_absent(bucket, &key, to_json(&claim)).await? {
        return Ok(BoundDrop { claim, is_new: true, contract: current });
    }
    let claim = newest_claim(&ingest.store, bucket, &claim.drop).await?.ok_or_else(|| {
        StoreError::Transient { bucket: bucket.clone(), key, message: "deleted".to_owned() }
    })?;
    let contract = match &claim.contract {
        None => Err(current.err().unwrap_or_else(|| was_unusable(&claim))),
        Some(claimed) => match current {
            Ok(compiled) if compiled.claimed() == *claimed => Ok(compiled),
            Ok(_) | Err(_) => Ok(ingest.contracts.claimed(&published, &claim.source, claimed).await?),
        },
    };
    Ok(BoundDrop { claim, is_new: false, contract })
}

fn no_source(drop: &Drop) -> Refusal {
    Refusal::new(
        RefusalCode::NoSource,
        format!(
            "the key {:?} does not name a source: drop the file as <source>/<file>, where <source> is the name of a \
             published contract",
            drop.key
        ),
    )
}

/// Returns the refusal of a drop whose source had no usable contract at first, and has one now.
fn was_unusable(claim: &DropClaim) -> Refusal {
    Refusal::new(
        RefusalCode::NoContract,
        format!(
            "source {} had no usable contract at {}, when the file was received: replay the drop, or drop the file again",
            claim.source, claim.claimed_at
        ),
    )
}
