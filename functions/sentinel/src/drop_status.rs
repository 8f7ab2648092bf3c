//! The status of one drop, derived from the objects that ingest writes.

use jiff::{SignedDuration, Timestamp};
use penstock_aws::commit::{CommitError, get_json};
use penstock_aws::drop_claims::newest_claim;
use penstock_aws::listing::ObjectVersion;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::{Drop, Receipt, UNKNOWN_SOURCE, batch_id, layout};

use crate::config::SentinelConfig;

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
pub(crate) fn drop_of(config: &SentinelConfig, version: ObjectVersion) -> Option<Drop> {
    let ignored = config.ignored_keys.reason(&version.key, Some(version.size_bytes));
    ignored.is_none().then(|| Drop {
        bucket: config.raw_bucket.clone(),
        key: version.key,
        version_id: version.version_id,
        etag: version.etag,
        size_bytes: version.size_bytes,
        sequencer: None,
        dropped_at: version.modified_at,
    })
}

/// Returns the status of a drop according to its claim and its receipt.
///
/// ingest writes a claim when it first receives the drop, so a drop without one was never received. Releases without
/// claims processed it under any of the contract `versions`; the receipt of the first version that has one is used.
pub(crate) async fn drop_status(
    store: &impl ObjectStore,
    processed_bucket: &str,
    drop: &Drop,
    versions: &[String],
    stuck_since: Timestamp,
) -> Result<DropStatus, CommitError> {
    let source = drop.source().unwrap_or(UNKNOWN_SOURCE);
    let status = |receipt: Receipt| {
        let is_stuck = !receipt.state.is_final() && receipt.updated_at < stuck_since;
        if is_stuck { DropStatus::Stuck(Box::new(receipt)) } else { DropStatus::Processed }
    };
    if let Some(claim) = newest_claim(store, processed_bucket, drop).await? {
        let key = layout::receipt(source, &claim.batch_id);
        let receipt: Option<Receipt> = get_json(store, processed_bucket, &key).await?;
        // Without a receipt, ingest stopped right after the claim, and the message will be delivered again.
        return Ok(receipt.map_or(DropStatus::Processed, status));
    }
    for version in versions {
        let key = layout::receipt(source, &batch_id(drop, Some(version)));
        if let Some(receipt) = get_json::<Receipt>(store, processed_bucket, &key).await? {
            return Ok(status(receipt));
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
