//! Lists the sources: those with objects in the raw bucket, and those with a contract.

use std::collections::BTreeSet;

use penstock_aws::listing::{ListScope, ObjectListing, each_page};
use penstock_aws::store::StoreError;
use penstock_pipeline::UNKNOWN_SOURCE;
use penstock_pipeline::layout::CONTRACTS;

use crate::sentinel::Sentinel;

/// A source and the prefix of its drops in the raw bucket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Feed {
    /// The source; [`UNKNOWN_SOURCE`] for objects whose keys do not name one.
    pub(crate) source: String,
    /// `<source>/`; empty for the objects that are in no folder.
    pub(crate) prefix: String,
}

impl Feed {
    /// Returns the feed of a folder, which ends in `/`, or of the objects that are in no folder if `folder` is empty.
    pub(crate) fn of(folder: &str) -> Self {
        let source = folder.strip_suffix('/').filter(|source| !source.is_empty());
        Self { source: source.unwrap_or(UNKNOWN_SOURCE).to_owned(), prefix: folder.to_owned() }
    }

    /// Returns the feed's part of the raw bucket.
    pub(crate) fn scope<'a>(&'a self, raw_bucket: &'a str) -> ListScope<'a> {
        if self.prefix.is_empty() {
            ListScope::one_level(raw_bucket, "")
        } else {
            ListScope::all(raw_bucket, &self.prefix)
        }
    }
}

/// Returns all feeds, and the errors of the listings that failed.
pub(crate) async fn feeds<S: ObjectListing, Q>(sentinel: &Sentinel<S, Q>) -> (BTreeSet<Feed>, Vec<String>) {
    let Sentinel { store, config, .. } = sentinel;
    let (mut feeds, mut problems) = (BTreeSet::new(), Vec::new());
    match list_folders(store, ListScope::one_level(&config.raw_bucket, "")).await {
        Ok(listing) => {
            feeds.extend(listing.folders.iter().map(|folder| Feed::of(folder)));
            feeds.extend(listing.has_objects.then(|| Feed::of("")));
        }
        Err(error) => problems.push(error.to_string()),
    }
    match list_folders(store, ListScope::one_level(&config.artifacts_bucket, CONTRACTS)).await {
        Ok(listing) => {
            let folders = listing.folders.iter().filter_map(|folder| folder.strip_prefix(CONTRACTS));
            feeds.extend(folders.map(Feed::of));
        }
        Err(error) => problems.push(error.to_string()),
    }
    (feeds, problems)
}

struct FolderListing {
    folders: Vec<String>,
    has_objects: bool,
}

async fn list_folders(store: &impl ObjectListing, scope: ListScope<'_>) -> Result<FolderListing, StoreError> {
    let mut listing = FolderListing { folders: Vec::new(), has_objects: false };
    each_page(store, scope, |page| {
        listing.folders.extend(page.folders);
        listing.has_objects |= !page.objects.is_empty();
    })
    .await?;
    Ok(listing)
}
