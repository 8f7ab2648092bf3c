//! Claims an object for a batch, if the contract keeps the first version (`penstock.overwrite: keep`).

use penstock_aws::commit::{get_json, to_json};
use penstock_aws::store::ObjectStore;
use penstock_pipeline::claim::{ClaimDecision, ClaimedBatch, ObjectClaim};
use penstock_pipeline::{Batch, BatchId, Drop, Manifest, Receipt, Refusal, RefusalCode, layout, object_id};

use crate::error::IngestError;

/// Claims the object of `batch`. Returns the refusal of the batch if another version was committed before.
///
/// # Errors
/// Returns an error if a request fails, or the batch of an earlier version is neither committed nor refused yet.
pub(crate) async fn claim(
    store: &impl ObjectStore,
    bucket: &str,
    batch: &Batch,
) -> Result<Option<Refusal>, IngestError> {
    let object = object_id(&batch.drop);
    let own = ObjectClaim { version: batch.drop.version().to_owned(), batch_id: batch.id };
    let mut has_claim = false;
    let mut number = 0u32;
    loop {
        let key = layout::object_claim(&batch.source, &object, number);
        let Some(claim) = get_json::<ObjectClaim>(store, bucket, &key).await? else {
            if has_claim || store.put_if_absent(bucket, &key, to_json(&own)).await? {
                return Ok(None);
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
            ClaimDecision::ReadNext => {}
            ClaimDecision::Wait => return Err(undecided(&batch.drop)),
            ClaimDecision::Refuse => return Ok(Some(later_version_refusal(&batch.drop, &claim))),
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
    if let Some(manifest) = get_json::<Manifest>(store, bucket, &layout::manifest(batch)).await? {
        return Ok(ClaimedBatch::of_manifest(&manifest));
    }
    let receipt = get_json::<Receipt>(store, bucket, &layout::receipt(source, batch)).await?;
    Ok(ClaimedBatch::without_manifest(receipt.as_ref()))
}

fn undecided(drop: &Drop) -> IngestError {
    IngestError::Undecided { bucket: drop.bucket.clone(), key: drop.key.clone() }
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
