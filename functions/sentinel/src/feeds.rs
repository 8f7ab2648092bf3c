//! Which sources there are: those that have delivered, and those that have promised to.

use std::collections::BTreeSet;

use penstock_aws::listing::{ObjectListing, Scope, each_page};
use penstock_aws::store::StoreError;
use penstock_pipeline::UNKNOWN_SOURCE;
use penstock_pipeline::layout::CONTRACTS;

use crate::handler::Sentinel;

/// What one source's drops stand under in the raw bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Feed {
    pub(crate) source: String,
    /// `<source>/`; empty for what stands in no folder and so names no source.
    pub(crate) prefix: String,
}

impl Feed {
    /// The feed of a folder, which ends in `/`; of none, what stands beside the folders.
    pub(crate) fn of(folder: &str) -> Self {
        let source = folder.strip_suffix('/').filter(|source| !source.is_empty());
        Self { source: source.unwrap_or(UNKNOWN_SOURCE).to_owned(), prefix: folder.to_owned() }
    }

    /// The feed's part of the raw bucket.
    pub(crate) fn scope<'a>(&'a self, raw_bucket: &'a str) -> Scope<'a> {
        if self.prefix.is_empty() {
            Scope::one_level(raw_bucket, "")
        } else {
            Scope::all(raw_bucket, &self.prefix)
        }
    }
}

/// Every feed, and what kept others from being found.
pub(crate) async fn feeds<S: ObjectListing, Q>(sentinel: &Sentinel<S, Q>) -> (BTreeSet<Feed>, Vec<String>) {
    let Sentinel { store, config, .. } = sentinel;
    let (mut feeds, mut problems) = (BTreeSet::new(), Vec::new());
    let delivered = folders(store, Scope::one_level(&config.raw_bucket, "")).await;
    let promised = folders(store, Scope::one_level(&config.artifacts_bucket, CONTRACTS)).await;
    match delivered {
        Ok(found) => {
            feeds.extend(found.folders.iter().map(|folder| Feed::of(folder)));
            feeds.extend(found.has_objects.then(|| Feed::of("")));
        }
        Err(error) => problems.push(error.to_string()),
    }
    match promised {
        Ok(found) => {
            let folders = found.folders.iter().filter_map(|folder| folder.strip_prefix(CONTRACTS));
            feeds.extend(folders.map(Feed::of));
        }
        Err(error) => problems.push(error.to_string()),
    }
    (feeds, problems)
}

struct Found {
    folders: Vec<String>,
    has_objects: bool,
}

async fn folders(store: &impl ObjectListing, scope: Scope<'_>) -> Result<Found, StoreError> {
    let mut found = Found { folders: Vec::new(), has_objects: false };
    each_page(store, scope, |page| {
        found.folders.extend(page.folders);
        found.has_objects |= !page.objects.is_empty();
    })
    .await?;
    Ok(found)
}
