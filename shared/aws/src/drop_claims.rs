//! The claims of drops, and the sequencers of drops whose events have none.

use penstock_pipeline::{
    Drop, DropClaim, FIRST_GENERATION, UNKNOWN_SOURCE, derived_sequencer, drop_id, layout,
};

use crate::commit::{CommitError, get_json};
use crate::listing::{ListScope, ObjectListing, ObjectVersion};
use crate::store::ObjectStore;

/// Returns the claim of the newest generation of a drop, or `None` if ingest has not received it.
///
/// # Errors
/// Returns an error if a request fails, or a claim is malformed.
pub async fn newest_claim(
    store: &impl ObjectStore,
    processed_bucket: &str,
    drop: &Drop,
) -> Result<Option<DropClaim>, CommitError> {
    let (source, id) = (drop.source().unwrap_or(UNKNOWN_SOURCE), drop_id(drop));
    let mut newest = None;
    for generation in FIRST_GENERATION.. {
        let key = layout::drop_claim(source, &id, generation);
        match get_json(store, processed_bucket, &key).await? {
            Some(claim) => newest = Some(claim),
            None => break,
        }
    }
    Ok(newest)
}

/// Adds a sequencer to a drop without one: one that follows the sequencer of the nearest older version of its object that
/// has a claim with one.
///
/// # Errors
/// Returns an error if a request fails, or a claim is malformed.
pub async fn with_sequencer<S: ObjectStore + ObjectListing>(
    store: &S,
    processed_bucket: &str,
    drop: Drop,
) -> Result<Drop, CommitError> {
    let (mut position, mut next, mut is_older) = (0u32, None, false);
    loop {
        let scope = ListScope::all(&drop.bucket, &drop.key);
        let page = store.versions(scope, next.as_ref()).await?;
        for version in page.versions {
            // The key is the first one of its prefix, so its versions precede those of longer keys.
            if version.key != drop.key {
                return Ok(sequenced(drop, None, position));
            }
            is_older = is_older || version.version_id == drop.version_id;
            if !is_older {
                continue;
            }
            if position > 0
                && let Some(claim) = newest_claim(store, processed_bucket, &older(&drop, version)).await?
                && let Some(sequencer) = claim.drop.sequencer
            {
                return Ok(sequenced(drop, Some(&sequencer), position));
            }
            position = position.saturating_add(1);
        }
        next = page.next;
        if next.is_none() {
            return Ok(sequenced(drop, None, position));
        }
    }
}

fn older(drop: &Drop, version: ObjectVersion) -> Drop {
    Drop {
        bucket: drop.bucket.clone(),
        key: version.key,
        version_id: version.version_id,
        etag: version.etag,
        size_bytes: version.size_bytes,
        sequencer: None,
        dropped_at: version.modified_at,
    }
}

fn sequenced(drop: Drop, older: Option<&str>, position: u32) -> Drop {
    Drop { sequencer: Some(derived_sequencer(older, position.max(1))), ..drop }
}
