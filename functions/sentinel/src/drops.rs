//! What became of one drop.

use jiff::{SignedDuration, Timestamp};
use penstock_aws::commit::{CommitError, get_json};
use penstock_aws::listing::ObjectVersion;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::events::is_folder;
use penstock_pipeline::{Drop, Receipt, UNKNOWN_SOURCE, batch_id, layout};

/// What became of a drop.
#[derive(Debug)]
pub(crate) enum Fate {
    /// It is known, and if it is not finished, it is not for long.
    Taken,
    /// Its batch has not gone on.
    Stuck(Box<Receipt>),
    /// Nothing is known of it.
    Missed,
}

/// The drop that an object version is; `None` when it is none by ingest's own rule.
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

/// Asks for what ingest leaves of a drop, under any of the contract `versions`. The receipt of the first of them that has
/// one tells.
pub(crate) async fn fate_of(
    store: &impl ObjectStore,
    processed_bucket: &str,
    drop: &Drop,
    versions: &[String],
    stuck_since: Timestamp,
) -> Result<Fate, CommitError> {
    let source = drop.source().unwrap_or(UNKNOWN_SOURCE);
    for version in versions {
        let key = layout::receipt(source, &batch_id(drop, Some(version)));
        if let Some(receipt) = get_json::<Receipt>(store, processed_bucket, &key).await? {
            let is_stuck = !receipt.state.is_final() && receipt.updated_at < stuck_since;
            return Ok(if is_stuck { Fate::Stuck(Box::new(receipt)) } else { Fate::Taken });
        }
    }
    // Refused for want of a contract, or committed by an ingest that died before it wrote the receipt and whose message
    // comes back.
    if is_begun(store, processed_bucket, source, drop, versions).await? {
        return Ok(Fate::Taken);
    }
    Ok(Fate::Missed)
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

/// How long ago, never negative, whatever the clocks of two services say.
pub(crate) fn age(since: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(since).max(SignedDuration::ZERO)
}
