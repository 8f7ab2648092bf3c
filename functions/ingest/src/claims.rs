//! Claims an object for a batch, if the contract keeps the first version (`penstock.overwrite: keep`).

use penstock_aws::commit::{get_json, to_json};
use penstock_aws::store::ObjectStore;
use penstock_pipeline::claim::{ClaimDecision, ClaimedBatch, ObjectClaim};
use penstock_pipeline::{
    Batch, BatchId, Drop, Manifest, Receipt, Refusal, RefusalCode, WaitsFor, layout, object_id,
};

use crate::error::IngestError;

/// The decision on a version of an object.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum KeepDecision {
    /// The version is loaded. It replaces these batches of earlier versions, which are loaded in part.
    Load {
        /// The batches.
        replays: Vec<BatchId>,
    },
    /// Another version was committed before.
    Refuse(Refusal),
    /// The batch of an earlier version is neither committed nor refused yet.
    Wait(WaitsFor),
}

/// Claims the object of `batch`, if no other version was committed before.
pub(crate) async fn claim(
    store: &impl ObjectStore,
    bucket: &str,
    batch: &Batch,
) -> Result<KeepDecision, IngestError> {
    let object = object_id(&batch.drop);
    let own = ObjectClaim { version: batch.drop.version().to_owned(), batch_id: batch.id };
    let (mut has_claim, mut replays) = (false, Vec::new());
    let mut number = 0u32;
    loop {
        let key = layout::object_claim(&batch.source, &object, number);
        let Some(claim) = get_json::<ObjectClaim>(store, bucket, &key).await? else {
            if has_claim || store.put_if_absent(bucket, &key, to_json(&own)).await? {
                return Ok(KeepDecision::Load { replays });
            }
            // Another version has just written this claim: read it.
            continue;
        };
        let claimed = claimed_batch(store, bucket, &batch.source, &claim.batch_id).await?;
        match claim.decide(&own, claimed) {
            ClaimDecision::Own { rewrite } => {
                has_claim = true;
                if rewrite {
                    store.put(bucket, &key, to_json(&own)).await?;
                }
            }
            ClaimDecision::ReadNext { replace } => replays.extend(replace.then_some(claim.batch_id)),
            ClaimDecision::Wait => return Ok(KeepDecision::Wait(undecided(&batch.drop, &claim))),
            ClaimDecision::Refuse => {
                return Ok(KeepDecision::Refuse(later_version_refusal(&batch.drop, &claim)));
            }
        }
        number = number.checked_add(1).expect("an object has fewer than 2^32 versions");
    }
}

async fn claimed_batch(
    store: &impl ObjectStore,
    bucket: &str,
    source: &str,
    batch: &BatchId,
) -> Result<ClaimedBatch, IngestError> {
    let (manifest_key, receipt_key) = (layout::manifest(batch), layout::receipt(source, batch));
    let (manifest, receipt) = tokio::try_join!(
        get_json::<Manifest>(store, bucket, &manifest_key),
        get_json::<Receipt>(store, bucket, &receipt_key)
    )?;
    Ok(ClaimedBatch::of(manifest.as_ref(), receipt.as_ref()))
}

fn undecided(drop: &Drop, earlier: &ObjectClaim) -> WaitsFor {
    WaitsFor {
        batch_id: earlier.batch_id,
        message: format!(
            "version {} of s3://{}/{} is being processed, and the contract keeps the first version \
             (penstock.overwrite: keep): this version is processed when the result of that one is known; if its event is \
             in the dead-letter queue of drops, redrive it",
            earlier.version, drop.bucket, drop.key
        ),
    }
}

fn later_version_refusal(drop: &Drop, first: &ObjectClaim) -> Refusal {
    Refusal::new(
        RefusalCode::Kept,
        format!(
            "s3://{}/{} was loaded before (version {}, batch {}), and the contract keeps the first version \
             (penstock.overwrite: keep): to load this version too, drop the file under another key",
            drop.bucket, drop.key, first.version, first.batch_id
        ),
    )
}
