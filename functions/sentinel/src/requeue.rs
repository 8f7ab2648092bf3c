//! Decides which missed drops are queued again, and remembers them.
//!
//! Nothing is written for a drop before ingest receives its event, so a drop whose message is still queued looks like
//! one whose event was lost. The number of missed drops of all sources, the depth of the queue at the start of the run
//! and the drops that ingest has received since show which it is. A drop that was queued again is not queued again
//! soon, so the sentinel never counts its own messages as those of S3, and a drop whose message ends in the dead-letter
//! queue is not sent there in every run.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use penstock_aws::commit::{get_json, to_json};
use penstock_aws::listing::ObjectListing;
use penstock_aws::queue::{Queue, QueueError};
use penstock_aws::store::{ObjectStore, StoreError};
use penstock_pipeline::{Drop, drop_id, events, layout, log_events};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::config::SentinelConfig;
use crate::drop_status::age;
use crate::error::{Problems, SourceError};
use crate::sentinel::Sentinel;
use crate::sequencers::with_sequencers;

/// Maximum number of drops that one run queues again; the next runs queue the others.
const MAX_REQUEUED: usize = 10_000;
/// Number of drops that are sent together, and then remembered.
const SLICE_DROPS: usize = 100;
/// Number of slices that are sent concurrently.
const CONCURRENT_SLICES: usize = 8;
/// After this many attempts, the time between two attempts is no longer doubled.
const MAX_DOUBLINGS: u32 = 10;

/// The drops that were queued again, by their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RequeuedDrops(BTreeMap<Uuid, Attempts>);

/// The attempts to have a drop processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Attempts {
    count: u32,
    last_at: Timestamp,
}

/// The missed drops of a run.
#[derive(Debug)]
pub(crate) struct MissedDrops {
    requeued: RequeuedDrops,
    now: Timestamp,
    missed_after: SignedDuration,
    /// Number of messages in the drops queue at the start of the run.
    waiting: u64,
    /// Number of missed drops, whether they are due or not.
    count: u64,
    /// The drops that are due: those that were not queued again recently.
    due: Vec<Drop>,
    /// The newest drop that ingest has received.
    newest_received: Option<Timestamp>,
}

impl MissedDrops {
    pub(crate) fn new(
        config: &SentinelConfig,
        requeued: RequeuedDrops,
        waiting: u64,
        now: Timestamp,
    ) -> Self {
        let missed_after = config.missed_after;
        Self { requeued, now, missed_after, waiting, count: 0, due: Vec::new(), newest_received: None }
    }

    /// Records a drop that ingest has received.
    pub(crate) fn received(&mut self, dropped_at: Timestamp) {
        self.newest_received = self.newest_received.max(Some(dropped_at));
    }

    /// Records a missed drop.
    pub(crate) fn add(&mut self, drop: Drop) {
        self.count += 1;
        if self.due.len() < MAX_REQUEUED && self.requeued.is_due(&drop, self.now, self.missed_after) {
            self.due.push(drop);
        }
    }

    /// Returns the drops whose events were lost, and the number of those whose messages may still be queued.
    ///
    /// An event was lost if more drops are missed than messages were queued at the start of the run. Some of the drops
    /// may then be queued nevertheless, but which ones is unknown, and processing a drop twice has no effect.
    /// An event was also lost if ingest has received that of a much later drop: SQS delivers messages approximately in
    /// their order, and one whose processing fails is delivered again within `missed_after`.
    fn lost(&mut self) -> (Vec<Drop>, usize) {
        let due = std::mem::take(&mut self.due);
        if self.count > self.waiting {
            return (due, 0);
        }
        let is_overtaken = |drop: &Drop| {
            let later = drop.dropped_at.checked_add(self.missed_after).ok();
            self.newest_received.zip(later).is_some_and(|(newest, later)| newest > later)
        };
        let (lost, queued): (Vec<Drop>, Vec<Drop>) = due.into_iter().partition(is_overtaken);
        (lost, queued.len())
    }
}

impl RequeuedDrops {
    /// Returns whether the drop may be queued again: it never was, or long enough ago. The time between two attempts
    /// doubles.
    fn is_due(&self, drop: &Drop, now: Timestamp, missed_after: SignedDuration) -> bool {
        let Some(attempts) = self.0.get(&drop_id(drop)) else { return true };
        let doublings = attempts.count.saturating_sub(1).min(MAX_DOUBLINGS);
        age(attempts.last_at, now) >= missed_after.saturating_mul(1 << doublings)
    }

    fn add(&mut self, drop: &Drop, now: Timestamp) {
        let attempts = self.0.entry(drop_id(drop)).or_insert(Attempts { count: 0, last_at: now });
        *attempts = Attempts { count: attempts.count.saturating_add(1), last_at: now };
    }

    /// Forgets the drops that are not checked any more.
    fn prune(&mut self, now: Timestamp, lookback: SignedDuration) {
        self.0.retain(|_, attempts| age(attempts.last_at, now) < lookback);
    }
}

/// Reads the drops that were queued again. Without them, a drop may be queued once more than necessary, so the run
/// continues and replaces the list.
pub(crate) async fn read_requeued<S: ObjectStore, Q>(
    sentinel: &Sentinel<S, Q>,
) -> (RequeuedDrops, Option<SourceError>) {
    match get_json(&sentinel.store, &sentinel.config.processed_bucket, layout::requeued()).await {
        Ok(requeued) => (requeued.unwrap_or_default(), None),
        Err(error) => (RequeuedDrops::default(), Some(SourceError::Receipt(error))),
    }
}

/// Sends the events of the lost drops as S3 does, and remembers the drops.
pub(crate) async fn queue_again<S: ObjectStore + ObjectListing, Q: Queue>(
    sentinel: &Sentinel<S, Q>,
    mut missed: MissedDrops,
) -> Problems {
    let (lost, queued) = missed.lost();
    if queued > 0 {
        tracing::warn!(drops = queued, waiting = missed.waiting, "{}", log_events::DROPS_WAITING);
    }
    if lost.is_empty() {
        return Problems::default();
    }
    let mut problems = Problems::default();
    let lost = with_sequencers(sentinel, lost, &mut problems).await;
    let slices = lost.chunks(SLICE_DROPS).map(|slice| send(sentinel, slice));
    let mut slices = stream::iter(slices).buffer_unordered(CONCURRENT_SLICES);
    while let Some((slice, sent)) = slices.next().await {
        match sent {
            Ok(()) => slice.iter().for_each(|drop| {
                log_requeued(drop, missed.now);
                missed.requeued.add(drop, missed.now);
            }),
            Err(error) => problems.add(&SourceError::Queue(error)),
        }
    }
    if let Err(error) = write_requeued(sentinel, missed).await {
        problems.add(&SourceError::Store(error));
    }
    problems
}

async fn send<'a, S, Q: Queue>(
    sentinel: &Sentinel<S, Q>,
    slice: &'a [Drop],
) -> (&'a [Drop], Result<(), QueueError>) {
    let bodies = slice.iter().map(events::created).collect();
    (slice, sentinel.queue.send_all(&sentinel.config.drops_queue_url, None, bodies).await)
}

fn log_requeued(drop: &Drop, now: Timestamp) {
    tracing::warn!(
        source = drop.source(),
        bucket = drop.bucket,
        key = drop.key,
        version_id = drop.version_id,
        age_seconds = age(drop.dropped_at, now).as_secs(),
        "{}",
        log_events::DROP_REQUEUED
    );
}

async fn write_requeued<S: ObjectStore, Q>(
    sentinel: &Sentinel<S, Q>,
    mut missed: MissedDrops,
) -> Result<(), StoreError> {
    let config = &sentinel.config;
    missed.requeued.prune(missed.now, config.lookback);
    sentinel.store.put(&config.processed_bucket, layout::requeued(), to_json(&missed.requeued)).await
}
