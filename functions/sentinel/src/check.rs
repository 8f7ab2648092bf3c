//! Checks one source: whether it is late, which drops were missed, and whether batches are stuck.

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use penstock_aws::deadline::Deadline;
use penstock_aws::listing::ObjectListing;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::{Drop, log_events};

use crate::contracts::{PublishedContracts, due, list_contracts};
use crate::drop_status::{DropStatus, age, drop_of, drop_status};
use crate::error::{Problems, SourceError};
use crate::feeds::Feed;
use crate::requeue::MissedDrops;
use crate::sentinel::Sentinel;
use crate::status::SourceStatus;

/// Number of drops that are checked concurrently. Each is a few small requests to S3.
const CONCURRENT_DROPS: usize = 16;

/// The check of one source.
struct SourceCheck<'a, S, Q> {
    sentinel: &'a Sentinel<S, Q>,
    feed: &'a Feed,
    now: Timestamp,
    deadline: Deadline,
}

/// Checks the source of `feed`, and adds its missed drops to `missed`. Returns the status if all drops were checked, and
/// the problems.
pub(crate) async fn check<S: ObjectStore + ObjectListing, Q>(
    sentinel: &Sentinel<S, Q>,
    feed: &Feed,
    missed: &mut MissedDrops,
    now: Timestamp,
    deadline: Deadline,
) -> (Option<SourceStatus>, Problems) {
    let check = SourceCheck { sentinel, feed, now, deadline };
    let mut problems = Problems::default();
    let status = check.run(missed, &mut problems).await;
    (status.map_err(|error| problems.add(&error)).ok(), problems)
}

impl<S: ObjectStore + ObjectListing, Q> SourceCheck<'_, S, Q> {
    async fn run(
        &self,
        missed: &mut MissedDrops,
        problems: &mut Problems,
    ) -> Result<SourceStatus, SourceError> {
        let (store, bucket) = (&self.sentinel.store, &self.sentinel.config.artifacts_bucket);
        let mut contracts = list_contracts(store, bucket, &self.feed.source).await?;
        let due = due(store, bucket, &self.feed.source, &mut contracts).await;
        let mut status = self.check_drops(&contracts, missed, problems).await?;
        match due {
            Ok(due) => status.is_late = Some(due.is_some_and(|due| self.is_late(&status, &contracts, due))),
            // Without the contract, lateness is unknown, but the drops were checked.
            Err(error) => problems.add(&error),
        }
        Ok(status)
    }

    /// Checks all drops of the source, one page at a time.
    async fn check_drops(
        &self,
        contracts: &PublishedContracts,
        missed: &mut MissedDrops,
        problems: &mut Problems,
    ) -> Result<SourceStatus, SourceError> {
        let Sentinel { store, config, .. } = self.sentinel;
        let scope = self.feed.scope(&config.raw_bucket);
        let (mut status, mut next) = (SourceStatus::default(), None);
        loop {
            if self.deadline.is_past() {
                return Err(SourceError::OutOfTime);
            }
            let page = store.versions(scope, next.as_ref()).await?;
            let mut drops: Vec<Drop> =
                page.versions.into_iter().filter_map(|version| drop_of(config, version)).collect();
            status.newest = drops.iter().map(|drop| drop.dropped_at).chain(status.newest).max();
            drops.retain(|drop| {
                let age = age(drop.dropped_at, self.now);
                config.missed_after <= age && age < config.lookback
            });
            self.check_page(drops, contracts, &mut status, missed, problems).await?;
            next = page.next;
            if next.is_none() {
                return Ok(status);
            }
        }
    }

    /// Checks the drops of one page. An error of one drop does not stop the others.
    async fn check_page(
        &self,
        drops: Vec<Drop>,
        contracts: &PublishedContracts,
        status: &mut SourceStatus,
        missed: &mut MissedDrops,
        problems: &mut Problems,
    ) -> Result<(), SourceError> {
        let mut result = Ok(());
        let checks = drops.into_iter().map(|drop| Box::pin(self.check_drop(drop, contracts)));
        let mut checks = stream::iter(checks).buffer_unordered(CONCURRENT_DROPS);
        while let Some((drop, drop_status)) = checks.next().await {
            match drop_status {
                Ok(DropStatus::Processed) => missed.received(drop.dropped_at),
                Ok(DropStatus::Missed) => {
                    status.missed += 1;
                    missed.add(drop);
                }
                Ok(DropStatus::Stuck(receipt)) => {
                    missed.received(drop.dropped_at);
                    status.stuck += 1;
                    let (batch_id, state) = (receipt.batch_id, receipt.state);
                    let age_seconds = age(receipt.updated_at, self.now).as_secs();
                    tracing::warn!(source = self.feed.source, %batch_id, ?state, age_seconds, "{}", log_events::BATCH_STUCK);
                }
                Err(SourceError::OutOfTime) => result = Err(SourceError::OutOfTime),
                Err(error) => problems.add(&error),
            }
        }
        result
    }

    async fn check_drop(
        &self,
        drop: Drop,
        contracts: &PublishedContracts,
    ) -> (Drop, Result<DropStatus, SourceError>) {
        if self.deadline.is_past() {
            return (drop, Err(SourceError::OutOfTime));
        }
        let Sentinel { store, config, .. } = self.sentinel;
        let stuck_since = self
            .now
            .checked_sub(config.stuck_after)
            .expect("the configured time is at most 136 years, a u32 of seconds");
        let status =
            drop_status(store, &config.processed_bucket, &drop, &contracts.versions, stuck_since).await;
        (drop, status.map_err(SourceError::from))
    }

    /// Returns whether more than `due` has passed since the newest drop or, if there is none, since the contract was
    /// published.
    fn is_late(&self, status: &SourceStatus, contracts: &PublishedContracts, due: SignedDuration) -> bool {
        let Some(since) = status.newest.or(contracts.published_at) else { return false };
        let waited = age(since, self.now);
        if waited > due {
            let (due_seconds, waited_seconds) = (due.as_secs(), waited.as_secs());
            tracing::warn!(
                source = self.feed.source,
                due_seconds,
                waited_seconds,
                "{}",
                log_events::SOURCE_LATE
            );
        }
        waited > due
    }
}
