//! Derives the sequencers of drops whose events were lost.

use futures_util::{StreamExt as _, stream};
use penstock_aws::drop_claims::with_sequencer;
use penstock_aws::listing::ObjectListing;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::Drop;

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
    let (store, bucket) = (&sentinel.store, &sentinel.config.processed_bucket);
    let derived = drops.into_iter().map(|drop| Box::pin(with_sequencer(store, bucket, drop)));
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
