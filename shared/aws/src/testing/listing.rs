//! Listings of the store in memory. Pages are short, so that tests with more than a few objects have several.

use std::collections::BTreeSet;

use super::faults::Call;
use super::store::{MemoryStore, StoreState, StoredVersion};
use crate::listing::{
    ListScope, ListedObject, ObjectListing, ObjectPage, ObjectVersion, VersionMarker, VersionPage,
};
use crate::store::StoreError;

/// Maximum number of entries of a page.
pub const PAGE_ENTRIES: usize = 3;

impl ObjectListing for MemoryStore {
    async fn objects(&self, scope: ListScope<'_>, after: Option<&str>) -> Result<ObjectPage, StoreError> {
        tokio::task::yield_now().await;
        self.call(Call::ListObjects, scope.bucket, scope.prefix, |state| {
            let entries: BTreeSet<&str> = state
                .versions(scope)
                .map(|version| folder(scope, version.0).unwrap_or(version.0))
                .filter(|entry| after.is_none_or(|after| *entry > after))
                .collect();
            let mut page = ObjectPage::default();
            for entry in entries.iter().take(PAGE_ENTRIES) {
                match state.newest(scope.bucket, entry).filter(|_| folder(scope, entry).is_none()) {
                    Some(version) => page.objects.push(ListedObject {
                        key: (*entry).to_owned(),
                        modified_at: Some(version.written_at),
                    }),
                    None => page.folders.push((*entry).to_owned()),
                }
            }
            let last = entries.iter().nth(PAGE_ENTRIES - 1).filter(|_| entries.len() > PAGE_ENTRIES);
            page.next = last.map(|last| (*last).to_owned());
            Ok(page)
        })
    }

    async fn versions(
        &self,
        scope: ListScope<'_>,
        after: Option<&VersionMarker>,
    ) -> Result<VersionPage, StoreError> {
        tokio::task::yield_now().await;
        self.call(Call::ListVersions, scope.bucket, scope.prefix, |state| {
            let mut versions: Vec<ObjectVersion> = state
                .versions(scope)
                .filter(|(key, _)| folder(scope, key).is_none())
                .map(|(key, version)| ObjectVersion {
                    key: key.to_owned(),
                    version_id: Some(version.id.clone()),
                    is_latest: state.newest(scope.bucket, key).is_some_and(|newest| newest.id == version.id),
                    etag: version.etag.clone(),
                    size_bytes: version.body.len() as u64,
                    modified_at: version.written_at,
                })
                .collect();
            if let Some(after) = after {
                let at = versions.iter().position(|version| marker(version) == *after);
                // Without a version id, the page begins after all versions of the key.
                let after_key = || versions.partition_point(|version| version.key <= after.key);
                versions.drain(..at.map_or_else(after_key, |at| at + 1));
            }
            let is_last = versions.len() <= PAGE_ENTRIES;
            versions.truncate(PAGE_ENTRIES);
            let next = versions.last().filter(|_| !is_last).map(marker);
            Ok(VersionPage { versions, next })
        })
    }
}

impl StoreState {
    /// Returns versions in the order of S3: by key, and the newest first.
    fn versions<'a>(&'a self, scope: ListScope<'a>) -> impl Iterator<Item = (&'a str, &'a StoredVersion)> {
        let objects = self.objects.iter();
        let listed =
            objects.filter(move |((bucket, key), _)| bucket == scope.bucket && key.starts_with(scope.prefix));
        listed.flat_map(|((_, key), versions)| {
            versions.iter().rev().map(move |version| (key.as_str(), version))
        })
    }
}

/// Returns the folder of a key, if the scope is one level and the key is below it.
fn folder<'a>(scope: ListScope<'_>, key: &'a str) -> Option<&'a str> {
    let separator = key.get(scope.prefix.len()..).filter(|_| scope.one_level)?.find('/')?;
    key.get(..=scope.prefix.len() + separator)
}

fn marker(version: &ObjectVersion) -> VersionMarker {
    VersionMarker { key: version.key.clone(), version_id: version.version_id.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pages_together_are_the_bucket_in_order() {
        let store = MemoryStore::new();
        for key in ["b/2", "a/1", "root", "b/1", "c/d/e", "b/1", "z"] {
            store.insert("raw", key, "x");
        }
        store.insert("other", "b/9", "x");

        let (mut objects, mut folders, mut pages) = (Vec::new(), Vec::new(), 0);
        let mut next = None;
        loop {
            let page = store.objects(ListScope::one_level("raw", ""), next.as_deref()).await.unwrap();
            objects.extend(page.objects.into_iter().map(|object| object.key));
            folders.extend(page.folders);
            pages += 1;
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!((objects, folders, pages), (owned(&["root", "z"]), owned(&["a/", "b/", "c/"]), 2));

        let (mut versions, mut next) = (Vec::new(), None);
        loop {
            let page = store.versions(ListScope::all("raw", ""), next.as_ref()).await.unwrap();
            versions.extend(page.versions.into_iter().map(|version| version.key));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(versions, owned(&["a/1", "b/1", "b/1", "b/2", "c/d/e", "root", "z"]));
        let top = store.versions(ListScope::one_level("raw", ""), None).await.unwrap();
        assert_eq!(top.versions.into_iter().map(|version| version.key).collect::<Vec<_>>(), ["root", "z"]);
    }

    fn owned(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }
}
