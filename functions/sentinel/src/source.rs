//! Looks at one source: is it late, were drops of it missed, do batches of it hang?

use futures_util::{StreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use penstock_aws::listing::ObjectListing;
use penstock_aws::queue::Queue;
use penstock_aws::store::ObjectStore;
use penstock_pipeline::metrics::{
    BySource, LATE, MISSED_DROPS, MetricValue, SECONDS_SINCE_DROP, STUCK_BATCHES,
};
use penstock_pipeline::{Drop, events, log_events};
use serde::Serialize;

use crate::contract::{Published, due, published};
use crate::drops::{Fate, age, drop_of, fate_of};
use crate::error::{Problems, SourceError};
use crate::feeds::Feed;
use crate::handler::{Sentinel, StopAt};

/// Drops that are asked for at once: each is a few small requests that wait for S3 and nothing else.
const DROPS_AT_ONCE: usize = 16;

/// One look at a source, at one time.
struct Look<'a, S, Q> {
    sentinel: &'a Sentinel<S, Q>,
    feed: &'a Feed,
    now: Timestamp,
    stop: StopAt,
}

/// What was seen of a source.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// When its newest drop arrived; `None` when there was never one.
    pub(crate) newest: Option<Timestamp>,
    /// `None` where its contract cannot be read.
    pub(crate) is_late: Option<bool>,
    pub(crate) missed: u32,
    pub(crate) stuck: u32,
}

/// What was seen of a source, as the run's answer tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Told {
    pub(crate) source: String,
    /// `None` where its contract cannot be read.
    pub(crate) late: Option<bool>,
    /// `None` when nothing ever arrived.
    pub(crate) seconds_since_drop: Option<f64>,
    pub(crate) missed_drops: u32,
    pub(crate) stuck_batches: u32,
}

impl Told {
    pub(crate) fn of(source: &str, seen: &Seen, now: Timestamp) -> Self {
        Self {
            source: source.to_owned(),
            late: seen.is_late,
            seconds_since_drop: seen.newest.map(|newest| age(newest, now).as_secs_f64()),
            missed_drops: seen.missed,
            stuck_batches: seen.stuck,
        }
    }

    /// As metrics; what is not known is none.
    pub(crate) fn values(&self) -> Vec<MetricValue<BySource<'static>>> {
        let late = self.late.map(|late| LATE.count(u64::from(late)));
        let since_drop = self.seconds_since_drop.map(|since| SECONDS_SINCE_DROP.value(since));
        let counts = [
            MISSED_DROPS.count(u64::from(self.missed_drops)),
            STUCK_BATCHES.count(u64::from(self.stuck_batches)),
        ];
        late.into_iter().chain(since_drop).chain(counts).collect()
    }
}

/// Looks at the source of `feed`, and gives missed drops to ingest again. What it has seen is there when every drop has
/// been looked at; what it could not look at is among the problems.
pub(crate) async fn look<S: ObjectStore + ObjectListing, Q: Queue>(
    sentinel: &Sentinel<S, Q>,
    feed: &Feed,
    now: Timestamp,
    stop: StopAt,
) -> (Option<Seen>, Problems) {
    let look = Look { sentinel, feed, now, stop };
    let mut problems = Problems::default();
    let seen = look.look(&mut problems).await;
    (seen.map_err(|error| problems.add(&error)).ok(), problems)
}

impl<S: ObjectStore + ObjectListing, Q: Queue> Look<'_, S, Q> {
    async fn look(&self, problems: &mut Problems) -> Result<Seen, SourceError> {
        let (store, bucket) = (&self.sentinel.store, &self.sentinel.config.artifacts_bucket);
        let mut published = published(store, bucket, &self.feed.source).await?;
        let due = due(store, bucket, &self.feed.source, &mut published).await;
        let mut seen = self.drops(&published, problems).await?;
        match due {
            Ok(due) => seen.is_late = Some(due.is_some_and(|due| self.is_late(&seen, &published, due))),
            // Whether it is late, nobody knows. What was dropped has been looked at all the same.
            Err(error) => problems.add(&error),
        }
        Ok(seen)
    }

    /// Every drop of the source, a page at a time.
    async fn drops(&self, published: &Published, problems: &mut Problems) -> Result<Seen, SourceError> {
        let Sentinel { store, config, .. } = self.sentinel;
        let scope = self.feed.scope(&config.raw_bucket);
        let (mut seen, mut next) = (Seen::default(), None);
        loop {
            if self.stop.is_past() {
                return Err(SourceError::OutOfTime);
            }
            let page = store.versions(scope, next.as_ref()).await?;
            let mut drops: Vec<Drop> = page
                .versions
                .into_iter()
                .filter_map(|version| drop_of(&config.raw_bucket, version))
                .collect();
            seen.newest = drops.iter().map(|drop| drop.dropped_at).chain(seen.newest).max();
            drops.retain(|drop| {
                let age = age(drop.dropped_at, self.now);
                config.missed_after <= age && age < config.lookback
            });
            self.ask_for(drops, published, &mut seen, problems).await?;
            next = page.next;
            if next.is_none() {
                return Ok(seen);
            }
        }
    }

    /// Asks what became of each of these drops. One that cannot be asked for does not hide the others, and those found
    /// missing before the time was over are given again, or runs that always end here would never do so.
    async fn ask_for(
        &self,
        drops: Vec<Drop>,
        published: &Published,
        seen: &mut Seen,
        problems: &mut Problems,
    ) -> Result<(), SourceError> {
        let (mut missed, mut whole) = (Vec::new(), Ok(()));
        let asked = drops.into_iter().map(|drop| Box::pin(self.fate_of(drop, published)));
        let mut fates = stream::iter(asked).buffer_unordered(DROPS_AT_ONCE);
        while let Some((drop, fate)) = fates.next().await {
            match fate {
                Ok(Fate::Taken) => {}
                Ok(Fate::Missed) => missed.push(drop),
                Ok(Fate::Stuck(receipt)) => {
                    seen.stuck += 1;
                    let (batch_id, state) = (receipt.batch_id, receipt.state);
                    let age_seconds = age(receipt.updated_at, self.now).as_secs();
                    tracing::warn!(source = self.feed.source, %batch_id, ?state, age_seconds, "{}", log_events::BATCH_STUCK);
                }
                Err(SourceError::OutOfTime) => whole = Err(SourceError::OutOfTime),
                Err(error) => problems.add(&error),
            }
        }
        drop(fates);
        seen.missed += u32::try_from(missed.len()).unwrap_or(u32::MAX);
        if let Err(error) = self.give_again(&missed).await {
            problems.add(&error);
        }
        whole
    }

    async fn fate_of(&self, drop: Drop, published: &Published) -> (Drop, Result<Fate, SourceError>) {
        if self.stop.is_past() {
            return (drop, Err(SourceError::OutOfTime));
        }
        let Sentinel { store, config, .. } = self.sentinel;
        let stuck_since = self.now.checked_sub(config.stuck_after).unwrap_or(Timestamp::MIN);
        let fate = fate_of(store, &config.processed_bucket, &drop, &published.versions, stuck_since).await;
        (drop, fate.map_err(SourceError::from))
    }

    /// Sends the event of each drop as S3 would have, unless the messages of all of them may be waiting: nothing is
    /// written of a drop before it is read, so in a long queue it looks like one that was missed. One whose event is on its
    /// way all the same is taken twice, which changes nothing.
    async fn give_again(&self, missed: &[Drop]) -> Result<(), SourceError> {
        if missed.is_empty() {
            return Ok(());
        }
        let Sentinel { queue, config, .. } = self.sentinel;
        let waiting = queue.depth(&config.drops_queue_url).await?.total();
        let dead = queue.depth(&config.drops_dead_letter_queue_url).await?.total();
        if waiting.saturating_add(dead) >= missed.len() as u64 {
            let (source, drops) = (&self.feed.source, missed.len());
            tracing::warn!(source, drops, waiting, dead, "{}", log_events::DROPS_WAITING);
            return Ok(());
        }
        queue.send_all(&config.drops_queue_url, missed.iter().map(events::created).collect()).await?;
        for drop in missed {
            tracing::warn!(
                source = self.feed.source,
                bucket = drop.bucket,
                key = drop.key,
                version_id = drop.version_id,
                age_seconds = age(drop.dropped_at, self.now).as_secs(),
                "{}",
                log_events::DROP_REQUEUED
            );
        }
        Ok(())
    }

    /// By the newest drop, or where there was never one, by the publication of the contract that promises it.
    fn is_late(&self, seen: &Seen, published: &Published, due: SignedDuration) -> bool {
        let Some(since) = seen.newest.or(published.at) else { return false };
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
