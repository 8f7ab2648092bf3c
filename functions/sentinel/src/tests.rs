//! The handler against the in-memory store and queues.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use penstock_aws::commit::to_json;
use penstock_aws::config::Variables;
use penstock_aws::store::ObjectRef;
use penstock_aws::testing::{Call, Fault, MemoryQueue, MemoryStore, PAGE_ENTRIES};
use penstock_engine::ENGINE_VERSION;
use penstock_pipeline::metrics::{LATE, MISSED_DROPS, SECONDS_SINCE_DROP, STUCK_BATCHES};
use penstock_pipeline::{
    Batch, Drop, Event, Manifest, Receipt, ReceiptState, Refusal, RefusalCode, UNKNOWN_SOURCE, events, layout,
};

use crate::config::Config;
use crate::error::SentinelError;
use crate::feeds::Feed;
use crate::handler::{Run, ScheduledEvent, Sentinel, StopAt, handle};
use crate::source::{Seen, Told, look};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
/// Between `missed_after` and `lookback`.
const OLD: i64 = 3 * HOUR;

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

fn variables(more: &[(&str, &str)]) -> Variables {
    let pairs = [
        ("PENSTOCK_ENVIRONMENT", "test"),
        ("PENSTOCK_RAW_BUCKET", "raw"),
        ("PENSTOCK_ARTIFACTS_BUCKET", "artifacts"),
        ("PENSTOCK_PROCESSED_BUCKET", "processed"),
        ("PENSTOCK_DROPS_QUEUE_URL", "drops"),
        ("PENSTOCK_DROPS_DEAD_LETTER_QUEUE_URL", "dead"),
    ];
    Variables::new(pairs.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

struct World {
    sentinel: Sentinel<MemoryStore, MemoryQueue>,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let config = Config::new(variables(&[])).unwrap();
        let sentinel = Sentinel { store: MemoryStore::new(), queue: MemoryQueue::new(), config };
        Self { sentinel, now: "2026-01-10T00:00:00Z".parse().unwrap() }
    }

    /// With a contract of `source` that was published ten days ago.
    fn with_contract(source: &str, sla: &str) -> Self {
        let world = Self::new();
        world.publish(source, "1.0.0", sla);
        world
    }

    fn ago(&self, seconds: i64) -> Timestamp {
        self.now - SignedDuration::from_secs(seconds)
    }

    fn publish(&self, source: &str, version: &str, sla: &str) {
        let (text, at) = (contract(source, version, sla), self.ago(10 * DAY));
        let store = &self.sentinel.store;
        store.insert_at("artifacts", &layout::contract_version(source, version), text.clone(), at);
        store.insert_at("artifacts", &layout::current_contract(source), text, at);
    }

    fn drop(&self, key: &str, seconds_ago: i64) -> Drop {
        let dropped_at = self.ago(seconds_ago);
        let ObjectRef { bucket, key, version_id, etag } =
            self.sentinel.store.insert_at("raw", key, "id\n1\n", dropped_at);
        let etag = etag.unwrap();
        Drop { bucket, key, version_id, etag, size_bytes: 5, sequencer: None, dropped_at }
    }

    fn receipt(&self, drop: &Drop, version: Option<&str>, state: ReceiptState, seconds_ago: i64) {
        let batch = Batch::new(drop.clone(), version);
        let key = layout::receipt(&batch.source, &batch.id);
        let receipt = Receipt { state, ..Receipt::submitted(batch, self.ago(seconds_ago)) };
        self.sentinel.store.insert("processed", &key, to_json(&receipt));
    }

    async fn run(&self) -> Result<Run, SentinelError> {
        self.run_until(SystemTime::now() + Duration::from_mins(5)).await
    }

    async fn run_until(&self, deadline: SystemTime) -> Result<Run, SentinelError> {
        let event: ScheduledEvent =
            serde_json::from_str(include_str!("../../../tests/events/schedule-aws.json")).unwrap();
        handle(&self.sentinel, &event, self.now, StopAt::before(deadline)).await
    }

    /// What a run sees of one source.
    async fn seen(&self, folder: &str) -> Seen {
        let stop = StopAt::before(SystemTime::now() + Duration::from_mins(5));
        let (seen, problems) = look(&self.sentinel, &Feed::of(folder), self.now, stop).await;
        assert_eq!(problems.told(folder), None);
        seen.unwrap()
    }

    /// The drops that were given to ingest again.
    fn given(&self) -> Vec<Drop> {
        let sent = self.sentinel.queue.sent("drops");
        let events = sent.iter().flat_map(|body| events::parse(body).unwrap());
        events
            .map(|event| match event {
                Event::Dropped(drop) => drop,
                Event::Ignored(ignored) => panic!("{ignored:?}"),
            })
            .collect()
    }
}

#[tokio::test]
async fn a_drop_that_nothing_is_known_of_is_given_to_ingest_again() {
    let world = World::with_contract("abt", "");
    let missed = world.drop("abt/a b+c%2B é.csv", OLD);
    assert_eq!(world.seen("abt/").await.missed, 1);
    assert_eq!(world.given(), [missed]);
}

#[tokio::test]
async fn drops_that_may_wait_in_the_queue_are_told_and_not_given_again() {
    for (waiting, dead, given) in [(0, 0, 3), (2, 0, 3), (3, 0, 0), (1, 2, 0), (0, 9, 0)] {
        let world = World::with_contract("abt", "");
        for number in 0..3 {
            world.drop(&format!("abt/{number}.csv"), OLD);
        }
        world.sentinel.queue.hold("drops", waiting);
        world.sentinel.queue.hold("dead", dead);
        assert_eq!(world.seen("abt/").await.missed, 3, "{waiting} {dead}");
        assert_eq!(world.given().len(), given, "{waiting} {dead}");
    }
}

#[tokio::test]
async fn the_receipt_of_the_current_version_tells_before_those_of_older_ones() {
    let world = World::with_contract("abt", "");
    world.publish("abt", "1.1.0", "");
    let drop = world.drop("abt/a.csv", 2 * DAY);
    world.receipt(&drop, Some("1.0.0"), ReceiptState::Loading, DAY);
    assert_eq!(world.seen("abt/").await.stuck, 1);
    world.receipt(&drop, Some("1.1.0"), ReceiptState::Loaded, DAY);
    assert_eq!(world.seen("abt/").await.stuck, 0);
}

#[tokio::test]
async fn each_version_of_a_key_is_a_drop_of_its_own() {
    let world = World::with_contract("abt", "");
    let first = world.drop("abt/a.csv", OLD + 2);
    let second = world.drop("abt/a.csv", OLD + 1);
    let third = world.drop("abt/a.csv", OLD);
    world.receipt(&second, Some("1.0.0"), ReceiptState::Loaded, OLD);
    assert_eq!(world.seen("abt/").await.missed, 2);
    assert_eq!(world.given(), [third, first]);
}

#[tokio::test]
async fn a_drop_of_which_there_is_a_receipt_or_a_manifest_was_not_missed() {
    let world = World::with_contract("abt", "");
    world.publish("abt", "1.1.0", "");
    world.receipt(&world.drop("abt/now.csv", OLD), Some("1.1.0"), ReceiptState::Loaded, OLD);
    world.receipt(&world.drop("abt/before.csv", OLD), Some("1.0.0"), ReceiptState::Refused, OLD);
    world.receipt(&world.drop("abt/without.csv", OLD), None, ReceiptState::Refused, OLD);
    for version in [Some("1.0.0"), None] {
        let batch = Batch::new(world.drop("abt/committed.csv", OLD), version);
        let key = layout::manifest(&batch.id);
        let refusal = Refusal::new(RefusalCode::Empty, "no bytes");
        let manifest = Manifest::refused(batch, ENGINE_VERSION, refusal);
        world.sentinel.store.insert("processed", &key, to_json(&manifest));
    }
    assert_eq!(world.seen("abt/").await.missed, 0);
    assert!(world.given().is_empty());
}

#[tokio::test]
async fn every_published_version_counts_however_many_there_are() {
    let world = World::new();
    let versions: Vec<String> = (0..2 * PAGE_ENTRIES).map(|minor| format!("1.{minor}.0")).collect();
    for version in &versions {
        world.publish("abt", version, "{property: frequency, value: 9, unit: d}");
        let drop = world.drop(&format!("abt/{version}.csv"), OLD);
        world.receipt(&drop, Some(version), ReceiptState::Loaded, OLD);
    }
    assert_eq!(world.seen("abt/").await.missed, 0);

    // The current one stands behind all of them in the listing; when it was published is known all the same.
    for version in &versions {
        world.sentinel.store.remove("raw", &format!("abt/{version}.csv"));
    }
    assert_eq!(world.seen("abt/").await.is_late, Some(true));
}

#[tokio::test]
async fn a_version_that_only_the_current_contract_tells_of_counts_too() {
    let world = World::with_contract("abt", "");
    world.sentinel.store.remove("artifacts", &layout::contract_version("abt", "1.0.0"));
    world.receipt(&world.drop("abt/a.csv", OLD), Some("1.0.0"), ReceiptState::Loaded, OLD);
    assert_eq!(world.seen("abt/").await.missed, 0);
}

#[tokio::test]
async fn drops_that_are_too_young_or_too_old_and_folders_are_not_asked_for() {
    let world = World::with_contract("abt", "");
    let (missed_after, lookback) = (7_200, 3 * DAY);
    for seconds_ago in [-5, 0, missed_after - 1, lookback] {
        world.drop(&format!("abt/{seconds_ago}.csv"), seconds_ago);
    }
    world.sentinel.store.insert_at("raw", "abt/folder/", "", world.ago(OLD));
    assert_eq!(world.seen("abt/").await.missed, 0);

    let edges = [world.drop("abt/a.csv", missed_after), world.drop("abt/b.csv", lookback - 1)];
    assert_eq!(world.seen("abt/").await.missed, 2);
    assert_eq!(world.given(), edges);
}

#[tokio::test]
async fn every_page_of_the_listing_is_looked_at() {
    let world = World::with_contract("abt", "");
    let drops = 4 * PAGE_ENTRIES + 1;
    for number in 0..drops {
        world.drop(&format!("abt/{number:02}.csv"), OLD);
    }
    assert_eq!(world.seen("abt/").await.missed, u32::try_from(drops).unwrap());
    assert_eq!(world.given().len(), drops);
}

#[tokio::test]
async fn every_source_that_has_delivered_or_promised_is_looked_at() {
    let world = World::new();
    for source in ["a", "b", "c", "d"] {
        world.publish(source, "1.0.0", "{property: frequency, value: 1, unit: d}");
    }
    let mut expected = Vec::new();
    for key in ["c/1.csv", "stranger/1.csv", "stranger2/1.csv", "top.csv", "/empty.csv"] {
        expected.push(world.drop(key, OLD));
    }
    let run = world.run().await.unwrap();
    let looked_at: Vec<&str> = run.sources.iter().map(|told| told.source.as_str()).collect();
    let sources = ["_unknown", "_unknown", "a", "b", "c", "d", "stranger", "stranger2"];
    assert_eq!(looked_at, sources);
    let mut given = world.given();
    given.sort_by_key(|drop| expected.iter().position(|one| one == drop));
    assert_eq!(given, expected);
}

#[tokio::test]
async fn a_drop_of_no_source_that_was_refused_was_not_missed() {
    let world = World::new();
    for key in ["top.csv", "/empty.csv"] {
        let drop = world.drop(key, OLD);
        assert_eq!(Batch::new(drop.clone(), None).source, UNKNOWN_SOURCE);
        world.receipt(&drop, None, ReceiptState::Refused, OLD);
    }
    world.run().await.unwrap();
    assert!(world.given().is_empty());
}

#[tokio::test]
async fn a_batch_that_does_not_go_on_is_stuck_and_is_not_given_again() {
    let world = World::with_contract("abt", "");
    let six_hours = 6 * HOUR;
    let cases = [
        (ReceiptState::Loading, six_hours + 1, 1),
        (ReceiptState::Submitted, six_hours + 1, 1),
        (ReceiptState::Loading, six_hours, 0),
        (ReceiptState::Loaded, 2 * DAY, 0),
        (ReceiptState::Refused, 2 * DAY, 0),
        (ReceiptState::Failed, 2 * DAY, 0),
    ];
    let mut expected = 0;
    for (number, (state, seconds_ago, stuck)) in cases.into_iter().enumerate() {
        let drop = world.drop(&format!("abt/{number}.csv"), 2 * DAY);
        world.receipt(&drop, Some("1.0.0"), state, seconds_ago);
        expected += stuck;
        assert_eq!(world.seen("abt/").await.stuck, expected, "{state:?} {seconds_ago}");
    }
    assert!(world.given().is_empty());
}

#[tokio::test]
async fn a_source_is_late_when_its_newest_drop_is_older_than_its_contract_allows() {
    let daily = "{property: frequency, value: 1, unit: d}, {property: latency, value: 2, unit: h}";
    for (sla, seconds_ago, is_late) in [
        (daily, DAY + 2 * HOUR + 1, true),
        (daily, DAY + 2 * HOUR, false),
        (daily, 0, false),
        ("{property: latency, value: 2, unit: h}", 9 * DAY, false),
        ("", 9 * DAY, false),
    ] {
        let world = World::with_contract("abt", sla);
        // On the second page of three, so that neither the first nor the last page alone tells.
        for number in 0..3 * PAGE_ENTRIES {
            let is_newest = number == PAGE_ENTRIES + 1;
            world.drop(&format!("abt/{number}.csv"), if is_newest { seconds_ago } else { seconds_ago + 1 });
        }
        let seen = world.seen("abt/").await;
        assert_eq!((seen.is_late, seen.newest), (Some(is_late), Some(world.ago(seconds_ago))), "{sla}");
    }
}

#[tokio::test]
async fn a_source_that_never_delivered_is_late_by_the_publication_of_its_contract() {
    for (days, is_late) in [(9, true), (11, false)] {
        let sla = format!("{{property: frequency, value: {days}, unit: d}}");
        let world = World::with_contract("abt", &sla);
        // A folder of the console is no drop.
        world.sentinel.store.insert_at("raw", "abt/", "", world.now);
        let seen = world.seen("abt/").await;
        assert_eq!((seen.is_late, seen.newest), (Some(is_late), None));
        let values = Told::of("abt", &seen, world.now).values();
        assert!(!values.iter().any(|value| value.name() == "seconds_since_drop"));
    }
    let without_a_contract = World::new();
    assert_eq!(without_a_contract.seen("abt/").await.is_late, Some(false));
}

#[test]
fn what_was_seen_is_told_as_metrics() {
    let now: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
    let newest = Some(now - SignedDuration::from_millis(1_500));
    let seen = Seen { newest, is_late: Some(true), missed: 2, stuck: 3 };
    let values = Told::of("abt", &seen, now).values();
    let expected =
        [LATE.count(1), SECONDS_SINCE_DROP.value(1.5), MISSED_DROPS.count(2), STUCK_BATCHES.count(3)];
    assert_eq!(values, expected);
}

#[tokio::test]
async fn one_sources_failure_is_told_and_does_not_hide_the_others() {
    let world = World::new();
    for source in ["a", "b", "c", "d"] {
        world.publish(source, "1.0.0", "");
        world.drop(&format!("{source}/1.csv"), OLD);
    }
    world.sentinel.store.insert("artifacts", &layout::current_contract("a"), "kind: DataContract");
    world.sentinel.store.fail(Call::ListVersions, "b/", Fault::Refused);
    world.sentinel.store.fail(Call::ListObjects, "contracts/c/", Fault::Transient);
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.starts_with("1 of 4 sources were looked at: a: contracts/a/current.yaml:"), "{message}");
    for problem in ["; b: s3://raw/b/: injected", "; c: s3://artifacts/contracts/c/: injected"] {
        assert!(message.contains(problem), "{message}");
    }
    let given: Vec<String> = world.given().into_iter().map(|drop| drop.key).collect();
    assert_eq!(given, ["a/1.csv", "d/1.csv"]);
}

#[tokio::test]
async fn a_contract_that_cannot_be_read_leaves_open_whether_the_source_is_late() {
    let world = World::with_contract("abt", "");
    world.sentinel.store.insert("artifacts", &layout::current_contract("abt"), "kind: DataContract");
    let stop = StopAt::before(SystemTime::now() + Duration::from_mins(5));
    let (seen, problems) = look(&world.sentinel, &Feed::of("abt/"), world.now, stop).await;
    assert_eq!(seen.unwrap().is_late, None);
    assert!(problems.told("abt").unwrap().contains("publish a mended contract"));
}

#[tokio::test]
async fn sources_that_cannot_be_listed_are_told_and_the_known_ones_looked_at() {
    let world = World::with_contract("abt", "");
    let missed = world.drop("abt/1.csv", OLD);
    world.sentinel.store.fail(Call::ListObjects, "", Fault::Refused);
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.contains("s3://raw/: injected fault"), "{message}");
    assert_eq!(world.given(), [missed]);
}

#[tokio::test]
async fn a_receipt_that_cannot_be_read_does_not_hide_the_other_drops() {
    let world = World::with_contract("abt", "");
    for number in 0..5 {
        let drop = world.drop(&format!("abt/{number}.csv"), OLD);
        let batch = Batch::new(drop, Some("1.0.0"));
        world.sentinel.store.insert("processed", &layout::receipt("abt", &batch.id), "{}");
    }
    let missed = world.drop("abt/missed.csv", OLD);
    let message = world.run().await.unwrap_err().to_string();
    assert!(
        message.contains("s3://processed/receipts/abt/") && message.ends_with(", and 2 more"),
        "{message}"
    );
    assert_eq!(world.given(), [missed]);
}

#[tokio::test]
async fn drops_that_the_queue_did_not_take_are_told_and_given_by_the_next_run() {
    let world = World::with_contract("abt", "");
    let missed = world.drop("abt/a.csv", OLD);
    world.sentinel.queue.fail(Call::SendAll, "drops", Fault::Transient);
    let message = world.run().await.unwrap_err().to_string();
    assert!(message.contains("abt: missed drops were not given to ingest again: queue drops"), "{message}");
    assert!(world.given().is_empty());
    world.run().await.unwrap();
    assert_eq!(world.given(), [missed]);
}

#[tokio::test]
async fn a_second_run_gives_nothing_again_that_has_been_taken() {
    let world = World::with_contract("abt", "");
    world.drop("abt/a.csv", OLD);
    world.run().await.unwrap();
    let [given] = world.given().try_into().unwrap();
    world.receipt(&given, Some("1.0.0"), ReceiptState::Loaded, 0);
    world.run().await.unwrap();
    assert_eq!(world.given().len(), 1);
}

#[tokio::test]
async fn a_run_that_runs_out_of_time_says_how_far_it_came() {
    let world = World::new();
    for source in ["a", "b", "c"] {
        world.drop(&format!("{source}/1.csv"), OLD);
    }
    let message = world.run_until(SystemTime::now() + Duration::from_secs(29)).await.unwrap_err().to_string();
    assert!(message.starts_with("0 of 3 sources were looked at: a: the time is over"), "{message}");
    assert!(world.given().is_empty());

    let past = StopAt::before(SystemTime::now());
    let (seen, problems) = look(&world.sentinel, &Feed::of("a/"), world.now, past).await;
    assert_eq!(seen, None, "what was not looked at wholly is not told as if it were");
    assert!(problems.told("a").unwrap().starts_with("a: the time is over"));
}

#[tokio::test]
async fn what_is_no_schedules_event_starts_no_run() {
    let world = World::with_contract("abt", "");
    world.drop("abt/a.csv", OLD);
    let created = include_str!("../../../tests/events/eventbridge-created-aws.json");
    let event: ScheduledEvent = serde_json::from_str(created).unwrap();
    let stop = StopAt::before(SystemTime::now() + Duration::from_mins(5));
    let refused = handle(&world.sentinel, &event, world.now, stop).await;
    assert!(matches!(refused, Err(SentinelError::NotScheduled { .. })), "{refused:?}");
    assert!(world.sentinel.store.calls().is_empty());
}

#[test]
fn the_times_must_fit_each_other() {
    let with = |name: &str, value: &str| Config::new(variables(&[(name, value)]));
    assert_eq!(with("PENSTOCK_LOOKBACK_SECONDS", "86400").unwrap().lookback, SignedDuration::from_hours(24));
    for (name, value, told) in [
        ("PENSTOCK_LOOKBACK_SECONDS", "7200", "more than PENSTOCK_MISSED_AFTER_SECONDS"),
        ("PENSTOCK_STUCK_AFTER_SECONDS", "259200", "more than PENSTOCK_STUCK_AFTER_SECONDS"),
        ("PENSTOCK_MISSED_AFTER_SECONDS", "soon", "PENSTOCK_MISSED_AFTER_SECONDS is not a number"),
    ] {
        let error = with(name, value).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}
