//! Finds the versions of objects that were never received.

use std::collections::BTreeSet;

use anyhow::Result;
use jiff::Timestamp;
use penstock_aws::listing::{ListScope, ObjectListing as _, ObjectVersion, each_page};
use penstock_aws::store::ObjectStore as _;
use penstock_pipeline::{BatchId, Drop, IgnoredKeys, batch_id, derived_sequencer, layout};

use crate::batches::Batches;

/// A search for versions that were never received.
pub(super) struct UnclaimedSearch<'a> {
    pub(super) batches: &'a Batches,
    pub(super) artifacts_bucket: &'a str,
    pub(super) raw_bucket: &'a str,
    pub(super) ignored_keys: IgnoredKeys,
    pub(super) source: &'a str,
    pub(super) prefix: &'a str,
    pub(super) since: Option<Timestamp>,
}

/// What releases without claims have processed: a batch of each drop, under one of the published versions.
struct EarlierBatches {
    versions: Vec<String>,
    received: BTreeSet<BatchId>,
}

impl UnclaimedSearch<'_> {
    pub(super) async fn has_contract(&self) -> Result<bool> {
        let key = layout::current_contract(self.source);
        Ok(self.batches.store.get(self.artifacts_bucket, &key).await?.is_some())
    }

    /// Returns the drops without a claim and a receipt, each with a sequencer, in the order of their times.
    pub(super) async fn find(&self) -> Result<Vec<Drop>> {
        let earlier = self.earlier_batches().await?;
        let prefix = format!("{}/{}", self.source, self.prefix);
        let scope = ListScope::all(self.raw_bucket, &prefix);
        let (mut found, mut of_key, mut next) = (Vec::new(), Vec::new(), None);
        loop {
            let page = self.batches.store.versions(scope, next.as_ref()).await?;
            for version in page.versions {
                let is_other = of_key.first().is_some_and(|one: &ObjectVersion| one.key != version.key);
                if is_other {
                    found.extend(self.of_object(std::mem::take(&mut of_key), &earlier).await?);
                }
                of_key.push(version);
            }
            next = page.next;
            if next.is_none() {
                found.extend(self.of_object(of_key, &earlier).await?);
                break;
            }
        }
        found.sort_by(|a, b| (a.dropped_at, &a.key, &a.sequencer).cmp(&(b.dropped_at, &b.key, &b.sequencer)));
        Ok(found)
    }

    /// Returns the drops among the versions of one object, which are listed from the newest to the oldest. The sequencer
    /// of each follows that of the nearest older version that was received, as the sentinel derives it.
    async fn of_object(&self, versions: Vec<ObjectVersion>, earlier: &EarlierBatches) -> Result<Vec<Drop>> {
        let (mut drops, mut older, mut position) = (Vec::new(), None::<String>, 0u32);
        for version in versions.into_iter().rev() {
            let is_ignored = self.ignored_keys.reason(&version.key, Some(version.size_bytes)).is_some();
            let is_recent = self.since.is_none_or(|since| since <= version.modified_at);
            let drop = Drop {
                bucket: self.raw_bucket.to_owned(),
                key: version.key,
                version_id: version.version_id,
                etag: version.etag,
                size_bytes: version.size_bytes,
                sequencer: None,
                dropped_at: version.modified_at,
            };
            let claim = self.batches.claims(&drop).await?.pop();
            if let Some(sequencer) = claim.as_ref().and_then(|claim| claim.drop.sequencer.clone()) {
                (older, position) = (Some(sequencer), 0);
                continue;
            }
            position = position.saturating_add(1);
            if claim.is_none() && is_recent && !is_ignored && !earlier.received(&drop) {
                let sequencer = Some(derived_sequencer(older.as_deref(), position));
                drops.push(Drop { sequencer, ..drop });
            }
        }
        Ok(drops)
    }

    async fn earlier_batches(&self) -> Result<EarlierBatches> {
        let (mut versions, mut received) = (Vec::new(), BTreeSet::new());
        let prefix = layout::contracts(self.source);
        each_page(&self.batches.store, ListScope::all(self.artifacts_bucket, &prefix), |page| {
            let version = |key: &str| Some(key.strip_prefix(&prefix)?.strip_suffix(".yaml")?.to_owned());
            versions.extend(page.objects.iter().filter_map(|object| version(&object.key)));
        })
        .await?;
        for listed in self.batches.list_receipts(Some(self.source)).await? {
            let name = listed.key.rsplit('/').next().and_then(|name| name.strip_suffix(".json"));
            received.extend(name.and_then(|name| name.parse::<BatchId>().ok()));
        }
        Ok(EarlierBatches { versions, received })
    }
}

impl EarlierBatches {
    fn received(&self, drop: &Drop) -> bool {
        let with_contract = self.versions.iter().map(|version| batch_id(drop, Some(version)));
        with_contract.chain([batch_id(drop, None)]).any(|batch| self.received.contains(&batch))
    }
}
