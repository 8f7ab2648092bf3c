//! Derives the sequencers of drops whose events were lost.

use futures_util::{StreamExt as _, stream};
use penstock_aws::commit::CommitError;
use penstock_aws::listing::{ListScope, ObjectListing};
use penstock_aws::store::ObjectStore;
use penstock_pipeline::{Drop, UNKNOWN_SOURCE, derived_sequencer};

use crate::drop_status::{drop_of, newest_claim};
use crate::error::{Problems, SourceError};
use crate::sentinel::Sentinel;

/// Number of drops whose objects are listed concurrently.
const CONCURRENT_DROPS: usize = 16;

/// Adds a sequencer to each drop. A drop whose neighbours cannot be read is reported and left out: without a sequencer,
/// it would sort before all other versions of its object. The next run sends it.
pub(crate) async fn with_sequencers<S: ObjectStore + ObjectListing, Q>(
    sentinel: &Sentinel<S, Q>,
    drops: Vec<Drop>,
    problems: &mut Problems,
) -> Vec<Drop> {
    let derived = drops.into_iter().map(|drop| Box::pin(with_sequencer(sentinel, drop)));
    let derived: Vec<_> = stream::iter(derived).buffered(CONCURRENT_DROPS).collect().await;
    let mut complete = Vec::new();
    for drop in derived {
        match drop {
            Ok(drop) => complete.push(drop),
            Err(error) => problems.add(&SourceError::Receipt(error)),
        }
    }
    complete
}

/// Adds the sequencer that follows that of the nearest older version with a claim that has one.
async fn with_sequencer<S: ObjectStore + ObjectListing, Q>(
    sentinel: &Sentinel<S, Q>,
    drop: Drop,
) -> Result<Drop, CommitError> {
    let Sentinel { store, config, .. } = sentinel;
    let scope = ListScope::all(&config.raw_bucket, &drop.key);
    let (mut position, mut next, mut is_older) = (0u32, None, false);
    loop {
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
                && let Some(older) = drop_of(config, version)
                && let Some(sequencer) = claimed_sequencer(sentinel, &older).await?
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

fn sequenced(drop: Drop, older: Option<&str>, position: u32) -> Drop {
    Drop { sequencer: Some(derived_sequencer(older, position.max(1))), ..drop }
}

async fn claimed_sequencer<S: ObjectStore, Q>(
    sentinel: &Sentinel<S, Q>,
    drop: &Drop,
) -> Result<Option<String>, CommitError> {
    let source = drop.source().unwrap_or(UNKNOWN_SOURCE);
    let claim = newest_claim(&sentinel.store, &sentinel.config.processed_bucket, source, drop).await?;
    Ok(claim.and_then(|claim| claim.drop.sequencer))
}
