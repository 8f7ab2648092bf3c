//! Which version of an object is taken, where the contract says that the first one stands (`penstock.overwrite: keep`).
//!
//! Versions take turns. Whoever writes the mark of a turn first, with `If-None-Match: *`, has it; the next turn begins
//! when the batch of this one has been refused or has failed, so that a mended file may have the name of the one that
//! it mends.

use penstock_aws::commit::{get_json, to_json};
use penstock_aws::store::ObjectStore;
use penstock_pipeline::{
    Batch, BatchId, Drop, Manifest, ManifestState, Receipt, ReceiptState, Refusal, Taken, layout, object_id,
};

use crate::error::IngestError;

/// What became of the batch that has a turn.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    Unsettled,
    Stands,
    GivenUp,
}

/// Asks for a turn for `batch`; gives why it has none, when another version stands.
///
/// # Errors
/// When the store does not answer, or it is not known yet whether the version before stands.
pub(crate) async fn refusal(
    store: &impl ObjectStore,
    bucket: &str,
    batch: &Batch,
) -> Result<Option<Refusal>, IngestError> {
    let object = object_id(&batch.drop);
    let ours = Taken { version: batch.drop.version().to_owned(), batch_id: batch.id };
    let mut has_turn = false;
    let mut turn = 0u32;
    loop {
        let key = layout::taken(&batch.source, &object, turn);
        let Some(taken) = get_json::<Taken>(store, bucket, &key).await? else {
            if has_turn || store.put_if_absent(bucket, &key, to_json(&ours)).await? {
                return Ok(None);
            }
            // Another version was faster: it is looked at.
            continue;
        };
        let standing = standing(store, bucket, &batch.source, &taken.batch_id).await?;
        if taken.version == ours.version {
            has_turn = true;
            // Taken through another version of the contract: those that wait are to wait for this batch.
            if taken != ours && standing != Standing::Stands {
                store.put(bucket, &key, to_json(&ours)).await?;
            }
        } else {
            match standing {
                Standing::Unsettled => return Err(unsettled(&batch.drop)),
                Standing::Stands => return Ok(Some(kept(&batch.drop, &taken))),
                Standing::GivenUp => {}
            }
        }
        turn = turn.saturating_add(1);
    }
}

async fn standing(
    store: &impl ObjectStore,
    bucket: &str,
    source: &str,
    batch: &BatchId,
) -> Result<Standing, IngestError> {
    if let Some(manifest) = get_json::<Manifest>(store, bucket, &layout::manifest(batch)).await? {
        return Ok(match manifest.state {
            ManifestState::Committed { .. } => Standing::Stands,
            ManifestState::Refused(_) => Standing::GivenUp,
        });
    }
    // A job that failed leaves no manifest.
    let receipt = get_json::<Receipt>(store, bucket, &layout::receipt(source, batch)).await?;
    let has_failed = receipt.is_some_and(|receipt| receipt.state == ReceiptState::Failed);
    Ok(if has_failed { Standing::GivenUp } else { Standing::Unsettled })
}

fn unsettled(drop: &Drop) -> IngestError {
    IngestError::Unsettled { bucket: drop.bucket.clone(), key: drop.key.clone() }
}

fn kept(drop: &Drop, standing: &Taken) -> Refusal {
    Refusal {
        code: "kept".to_owned(),
        reason: None,
        message: format!(
            "s3://{}/{} was taken before (version {}, batch {}), and its contract keeps the first version \
             (penstock.overwrite): drop the file under another key if its rows are wanted",
            drop.bucket, drop.key, standing.version, standing.batch_id
        ),
    }
}
