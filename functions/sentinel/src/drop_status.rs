//! The status of one drop, derived from the objects that ingest writes.

use jiff::{SignedDuration, Timestamp};
use penstock_aws::commit::{CommitError, get_json};
use penstock_aws::listing::ObjectVersion;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::events::is_folder;
use penstock_pipeline::{Drop, Receipt, UNKNOWN_SOURCE, batch_id, layout};

/// The status of a drop.
#[derive(Debug)]
pub(crate) enum DropStatus {
    /// It has been processed, or its batch is in progress.
    Processed,
    /// Its batch is not final and has not changed for too long.
    Stuck(Box<Receipt>),
    /// There is no object of its batch.
    Missed,
}

/// Returns the drop of an object version, or `None` if ingest would not treat it as a drop.
pub(crate) fn drop_of(raw_bucket: &str, version: ObjectVersion) -> Option<Drop> {
    (!is_folder(&version.key, version.size_bytes)).then(|| Drop {
        bucket: raw_bucket.to_owned(),
        key: version.key,
        version_id: version.version_id,
        etag: version.etag,
        size_bytes: version.size_bytes,
        sequencer: None,
        dropped_at: version.modified_at,
    })
}

/// Returns the status of a drop according to its receipt. The drop may have been processed under any of the contract
/// `versions`; the receipt of the first version that has one is used.
pub(crate) async fn drop_status(
    store: &impl ObjectStore,
    processed_bucket: &str,
    drop: &Drop,
    versions: &[String],
    stuck_since: Timestamp,
) -> Result<DropStatus, CommitError> {
    let source = drop.source().unwrap_or(UNKNOWN_SOURCE);
    for version in versions {
        let key = layout::receipt(source, &batch_id(drop, Some(version)));
        if let Some(receipt) = get_json::<Receipt>(store, processed_bucket, &key).await? {
            let is_stuck = !receipt.state.is_final() && receipt.updated_at < stuck_since;
            return Ok(if is_stuck { DropStatus::Stuck(Box::new(receipt)) } else { DropStatus::Processed });
        }
    }
    // The drop was refused because there was no contract, or ingest crashed between manifest and receipt and its
    // message will be redelivered.
    if is_begun(store, processed_bucket, source, drop, versions).await? {
        return Ok(DropStatus::Processed);
    }
    Ok(DropStatus::Missed)
}

async fn is_begun(
    store: &impl ObjectStore,
    processed_bucket: &str,
    source: &str,
    drop: &Drop,
    versions: &[String],
) -> Result<bool, CommitError> {
    let without_contract = batch_id(drop, None);
    let with_contract = versions.iter().map(|version| batch_id(drop, Some(version)));
    let manifests = with_contract.chain([without_contract]).map(|batch| layout::manifest(&batch));
    for key in [layout::receipt(source, &without_contract)].into_iter().chain(manifests) {
        if store.get(processed_bucket, &key).await?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Returns the time since `since`. It is not negative even if the clocks of two services differ.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(since).max(SignedDuration::ZERO)
}
