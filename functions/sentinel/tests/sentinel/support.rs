//! The function, and a bucket with drops.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use penstock_aws::commit::to_json;
use penstock_aws::config::Variables;
use penstock_aws::deadline::Deadline;
use penstock_aws::store::ObjectRef;
use penstock_aws::testing::{MemoryQueue, MemoryStore};
use penstock_pipeline::{
    Batch, ClaimedContract, Drop, DropClaim, Event, Receipt, ReceiptState, drop_id, events, layout,
};
use penstock_sentinel::config::SentinelConfig;
use penstock_sentinel::status::SourceSummary;
use penstock_sentinel::{ScheduledEvent, Sentinel, SentinelError, SentinelRun, handle};

pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 24 * HOUR;
/// Between `missed_after` and `lookback`.
pub(crate) const OLD: i64 = 3 * HOUR;

fn contract(source: &str, version: &str, sla: &str) -> String {
    format!(
        r#"
apiVersion: v3.1.0
kind: DataContract
id: {source}
name: {source}
version: {version}
status: active
servers: [{{server: raw, type: s3, location: "s3://raw/{source}/", format: csv}}]
slaProperties: [{sla}]
schema:
  - name: products
    physicalName: public.products
    properties:
      - {{name: id, logicalType: string, primaryKey: true, primaryKeyPosition: 1}}
"#
    )
}

pub(crate) fn variables(more: &[(&str, &str)]) -> Variables {
    let pairs = [
        ("PENSTOCK_ENVIRONMENT", "test"),
        ("PENSTOCK_RAW_BUCKET", "raw"),
        ("PENSTOCK_ARTIFACTS_BUCKET", "artifacts"),
        ("PENSTOCK_PROCESSED_BUCKET", "processed"),
        ("PENSTOCK_DROPS_QUEUE_URL", "drops"),
        ("PENSTOCK_QUARANTINE_BUCKET", "quarantine"),
    ];
    Variables::new(pairs.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// The function, with the store and the queues that it uses.
pub(crate) struct World {
    sentinel: Sentinel<MemoryStore, MemoryQueue>,
    pub(crate) store: MemoryStore,
    pub(crate) queue: MemoryQueue,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with_variables(&[])
    }

    pub(crate) fn with_variables(more: &[(&str, &str)]) -> Self {
        let (store, queue) = (MemoryStore::new(), MemoryQueue::new());
        let config = SentinelConfig::new(variables(more)).unwrap();
        let sentinel = Sentinel::new(store.clone(), queue.clone(), config);
        Self { sentinel, store, queue, now: "2026-01-10T00:00:00Z".parse().unwrap() }
    }

    /// Returns a world with a contract of `source` that was published ten days ago.
    pub(crate) fn with_contract(source: &str, sla: &str) -> Self {
        let world = Self::new();
        world.publish(source, "1.0.0", sla);
        world
    }

    pub(crate) fn ago(&self, seconds: i64) -> Timestamp {
        self.now - SignedDuration::from_secs(seconds)
    }

    pub(crate) fn pass(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    pub(crate) fn publish(&self, source: &str, version: &str, sla: &str) {
        let (text, at) = (contract(source, version, sla), self.ago(10 * DAY));
        self.store.insert_at("artifacts", &layout::contract_version(source, version), text.clone(), at);
        self.store.insert_at("artifacts", &layout::current_contract(source), text, at);
    }

    pub(crate) fn drop(&self, key: &str, seconds_ago: i64) -> Drop {
        let dropped_at = self.ago(seconds_ago);
        let ObjectRef { bucket, key, version_id, etag } =
            self.store.insert_at("raw", key, "id\n1\n", dropped_at);
        let etag = etag.unwrap();
        Drop { bucket, key, version_id, etag, size_bytes: 5, sequencer: None, dropped_at }
    }

    pub(crate) fn receipt(&self, drop: &Drop, version: Option<&str>, state: ReceiptState, seconds_ago: i64) {
        let batch = Batch::new(drop.clone(), version);
        let key = layout::receipt(&batch.source, &batch.id);
        let receipt = Receipt { state, ..Receipt::submitted(batch, self.ago(seconds_ago)) };
        self.store.insert("processed", &key, to_json(&receipt));
    }

    pub(crate) async fn run(&self) -> Result<SentinelRun, SentinelError> {
        self.run_until(SystemTime::now() + Duration::from_mins(5)).await
    }

    pub(crate) async fn run_until(&self, deadline: SystemTime) -> Result<SentinelRun, SentinelError> {
        let event: ScheduledEvent =
            serde_json::from_str(include_str!("../../../../tests/events/schedule-aws.json")).unwrap();
        self.run_event(&event, deadline).await
    }

    pub(crate) async fn run_event(
        &self,
        event: &ScheduledEvent,
        deadline: SystemTime,
    ) -> Result<SentinelRun, SentinelError> {
        handle(&self.sentinel, event, self.now, Deadline::of_invocation(deadline)).await
    }

    /// Returns the status of one source.
    pub(crate) async fn status(&self, source: &str) -> SourceSummary {
        let run = self.run().await.unwrap();
        run.sources.into_iter().find(|summary| summary.source == source).unwrap()
    }

    /// Returns the drops that are in the queue, without their sequencers.
    pub(crate) fn queued(&self) -> Vec<Drop> {
        without_sequencers(self.sequenced())
    }

    /// Returns the drops that are in the queue, with the sequencers that were derived.
    pub(crate) fn sequenced(&self) -> Vec<Drop> {
        drops(&self.queue.sent("drops"))
    }

    /// Writes the claim of a drop, as ingest does when it receives it with this sequencer.
    pub(crate) fn claim(&self, drop: &Drop, sequencer: Option<&str>) -> DropClaim {
        let drop = Drop { sequencer: sequencer.map(str::to_owned), ..drop.clone() };
        let contract = ClaimedContract { version: "1.0.0".to_owned(), sha256: "0".repeat(64) };
        let claim = DropClaim::first(drop, Some(contract), 10, self.now);
        self.put_claim(&claim);
        claim
    }

    pub(crate) fn put_claim(&self, claim: &DropClaim) {
        let key = layout::drop_claim(&claim.source, &drop_id(&claim.drop), claim.generation);
        self.store.insert("processed", &key, to_json(claim));
    }

    /// Removes the messages from the queue, as ingest does.
    pub(crate) fn take(&self) -> Vec<Drop> {
        without_sequencers(drops(&self.queue.take("drops")))
    }
}

fn without_sequencers(drops: Vec<Drop>) -> Vec<Drop> {
    drops.into_iter().map(|drop| Drop { sequencer: None, ..drop }).collect()
}

fn drops(bodies: &[String]) -> Vec<Drop> {
    let events = bodies.iter().flat_map(|body| events::parse(body).unwrap());
    events
        .map(|event| match event {
            Event::Dropped(drop) => drop,
            Event::Incomplete(_) | Event::Ignored(_) => panic!("{event:?}"),
        })
        .collect()
}
