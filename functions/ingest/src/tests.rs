//! The handler against the in-memory store, queues and jobs.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod overwrite;
mod pseudonyms;
mod refused;
mod spark;
mod whole;

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use bytes::Bytes;
use penstock_aws::config::Variables;
use penstock_aws::sqs_event::{SqsAttributes, SqsBatchResponse, SqsEvent, SqsRecord};
use penstock_aws::store::ObjectRef;
use penstock_aws::testing::{Call, Fault, MemoryJobs, MemoryQueue, MemorySecrets, MemoryStore};
use penstock_pipeline::{
    BatchId, ChunkBody, Drop, LoadMessage, Manifest, Receipt, ReceiptState, batch_id, layout,
};

use crate::config::Config;
use crate::handler::{Ingest, StopAt, handle};

const CONTRACT: &str = r#"
apiVersion: v3.1.0
kind: DataContract
id: shop
name: shop
version: 1.0.0
status: active
servers: [{server: raw, type: s3, location: "s3://raw/shop/", format: csv}]
customProperties:
  - {property: penstock.maxRejectsPercent, value: 50}
schema:
  - name: products
    physicalName: public.products
    properties:
      - {name: id, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
      - {name: price, logicalType: number, physicalType: "numeric(12,2)"}
"#;
const FILE: &str = "id,price\na,1.25\nb,2.75\nc,dear\n";
const CHUNK_ROWS: u32 = 4;

const VARIABLES: [(&str, &str); 12] = [
    ("PENSTOCK_ENVIRONMENT", "test"),
    ("PENSTOCK_ARTIFACTS_BUCKET", "artifacts"),
    ("PENSTOCK_PROCESSED_BUCKET", "processed"),
    ("PENSTOCK_QUARANTINE_BUCKET", "quarantine"),
    ("PENSTOCK_DROPS_QUEUE_URL", "drops"),
    ("PENSTOCK_DROPS_DEAD_LETTER_QUEUE_URL", "drops-dead-letters"),
    ("PENSTOCK_LOAD_QUEUE_URL", "load"),
    ("PENSTOCK_SPARK_APPLICATION_ID", "00a1"),
    ("PENSTOCK_SPARK_JOB_ROLE_ARN", "arn:aws:iam::123456789012:role/job"),
    ("PENSTOCK_SPARK_ENTRY_POINT", "s3://artifacts/spark/standardise.py"),
    ("PENSTOCK_SPARK_MIN_BYTES", "1000000"),
    ("PENSTOCK_CHUNK_ROWS", "4"),
];

fn config() -> Config {
    let variables = VARIABLES.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::new(Variables::new(variables)).unwrap();
    assert_eq!(config.chunk_rows, CHUNK_ROWS);
    config
}

struct World {
    ingest: Ingest<MemoryStore, MemoryQueue, MemoryJobs>,
}

impl World {
    fn new() -> Self {
        let store = MemoryStore::new();
        store.insert("artifacts", &layout::current_contract("shop"), CONTRACT);
        let (queue, jobs, secrets) = (MemoryQueue::new(), MemoryJobs::new(), MemorySecrets::default());
        Self { ingest: Ingest::new(store, queue, jobs, secrets, config()) }
    }

    fn store(&self) -> &MemoryStore {
        &self.ingest.store
    }

    fn queue(&self) -> &MemoryQueue {
        &self.ingest.queue
    }

    /// Puts a file into the raw bucket.
    fn put(&self, key: &str, body: impl Into<Bytes>) -> Drop {
        let body = body.into();
        let size_bytes = body.len() as u64;
        let ObjectRef { bucket, key, version_id, etag } = self.store().insert("raw", key, body);
        let dropped_at = "2026-01-02T03:04:05Z".parse().unwrap();
        Drop { bucket, key, version_id, etag: etag.unwrap(), size_bytes, sequencer: None, dropped_at }
    }

    /// Delivers one message telling of these drops.
    async fn deliver(&self, drops: &[&Drop]) -> SqsBatchResponse {
        self.deliver_body(&notification(drops)).await
    }

    async fn deliver_body(&self, body: &str) -> SqsBatchResponse {
        let far = SystemTime::now() + Duration::from_secs(60);
        self.deliver_until(body, StopAt::before(far)).await
    }

    async fn deliver_until(&self, body: &str, stop: StopAt) -> SqsBatchResponse {
        let attributes = SqsAttributes { approximate_receive_count: Some("3".to_owned()) };
        let record = SqsRecord {
            message_id: "m1".to_owned(),
            receipt_handle: "h1".to_owned(),
            body: body.to_owned(),
            attributes,
        };
        handle(&self.ingest, SqsEvent { records: vec![record] }, stop).await
    }

    /// Takes a file that is expected to be finished with.
    async fn take(&self, key: &str, body: impl Into<Bytes>) -> BatchId {
        let drop = self.put(key, body);
        assert_eq!(self.deliver(&[&drop]).await, SqsBatchResponse::default());
        assert_eq!(self.queue().dead(), []);
        batch_id(&drop, Some("1.0.0"))
    }

    fn manifest(&self, batch: &BatchId) -> Manifest {
        self.store().json("processed", &layout::manifest(batch))
    }

    fn receipt(&self, source: &str, batch: &BatchId) -> Receipt {
        self.store().json("processed", &layout::receipt(source, batch))
    }

    fn messages(&self) -> Vec<LoadMessage> {
        self.queue()
            .sent("load")
            .iter()
            .map(|body| LoadMessage::parse(body, &LoadMessage::READS).unwrap())
            .collect()
    }

    fn is_published(&self, batch: &BatchId) -> bool {
        self.store().object("processed", &layout::published(batch)).is_some()
    }
}

fn notification(drops: &[&Drop]) -> String {
    let record = |drop: &&Drop| {
        serde_json::json!({
            "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": drop.dropped_at,
            "s3": {
                "bucket": { "name": drop.bucket },
                "object": {
                    "key": drop.key.replace(' ', "+"), "size": drop.size_bytes, "eTag": drop.etag,
                    "versionId": drop.version_id, "sequencer": drop.sequencer,
                },
            },
        })
    };
    serde_json::json!({ "Records": drops.iter().map(record).collect::<Vec<_>>() }).to_string()
}

fn rows(count: usize) -> String {
    let mut file = "id,price\n".to_owned();
    (0..count).for_each(|row| file.push_str(&format!("p{row},{row}.25\n")));
    file
}

fn copy_text(message: &LoadMessage, store: &MemoryStore) -> String {
    let bytes = match &message.chunk.body {
        ChunkBody::Inline(base64) => base64::engine::general_purpose::STANDARD.decode(base64).unwrap(),
        ChunkBody::Object { bucket, key } => store.object(bucket, key).unwrap().to_vec(),
    };
    String::from_utf8(zstd::decode_all(bytes.as_slice()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_small_file_travels_in_its_message() {
    let world = World::new();
    let batch = world.take("shop/a file.csv", FILE).await;

    let [message] = &world.messages()[..] else { panic!("one message") };
    assert!(matches!(message.chunk.body, ChunkBody::Inline(_)));
    assert_eq!((message.batch_id, message.chunk_count, message.chunk.rows), (batch, 1, 2));
    assert_eq!(copy_text(message, world.store()), "a\t1.25\t\\N\t1\nb\t2.75\t\\N\t2\n");
    assert_eq!(message.chunk.text_bytes, 24);

    let receipt = world.receipt("shop", &batch);
    assert_eq!(receipt.state, ReceiptState::Loading);
    assert_eq!((receipt.rows.read, receipt.rows.accepted, receipt.rows.rejected), (3, 2, 1));
    assert!(world.is_published(&batch));
    assert_eq!(world.store().keys("processed", "data/").len(), 1);
    assert!(world.store().keys("processed", "batches/").iter().all(|key| !key.contains("/chunks/")));
    let [rejects] = &receipt.rejects[..] else { panic!("one reject file") };
    let key = rejects.strip_prefix("s3://quarantine/").unwrap();
    let lines = zstd::decode_all(&*world.store().object("quarantine", key).unwrap()).unwrap();
    assert!(String::from_utf8(lines).unwrap().contains("c,dear"));
}

#[tokio::test]
async fn a_batch_of_many_chunks_has_them_all_as_objects() {
    let world = World::new();
    let batch = world.take("shop/a.csv", rows(22)).await;
    let messages = world.messages();
    assert_eq!(messages.len(), 6);
    assert!(messages.iter().all(|message| matches!(message.chunk.body, ChunkBody::Object { .. })));
    assert_eq!(world.store().keys("processed", &format!("batches/{batch}/chunks/")).len(), 6);
    let text: String = messages.iter().map(|message| copy_text(message, world.store())).collect();
    assert_eq!(text.lines().count(), 22);
    assert_eq!(text.lines().last(), Some("p21\t21.25\t\\N\t22"));

    let four = World::new();
    four.take("shop/a.csv", rows(16)).await;
    assert!(four.messages().iter().all(|message| matches!(message.chunk.body, ChunkBody::Inline(_))));
}

#[tokio::test]
async fn the_same_drop_twice_is_taken_once() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    world.deliver(&[&drop]).await;
    let first = world.store().calls().len();
    assert_eq!(world.deliver(&[&drop, &drop]).await, SqsBatchResponse::default());
    assert_eq!(world.messages().len(), 1);
    let again = world.store().calls().split_off(first);
    assert!(again.iter().all(|(call, _)| *call == Call::Get), "{again:?}");
}

#[tokio::test]
async fn every_drop_of_a_message_is_taken() {
    let world = World::new();
    let drops = [world.put("shop/a.csv", FILE), world.put("shop/b.csv", FILE)];
    world.deliver(&drops.each_ref()).await;
    assert_eq!(world.messages().len(), 2);
}

/// Each step of the commit fails once, before or after it has had its effect; the next delivery mends it.
#[tokio::test]
async fn a_crash_at_any_step_of_the_commit_is_mended_by_the_next_delivery() {
    let steps = [
        (Call::Put, "reports/"),
        (Call::PutIfAbsent, "manifest.json"),
        (Call::PutIfAbsent, "receipts/"),
        (Call::SendAll, "load"),
        (Call::Put, "published.json"),
    ];
    for (call, matching) in steps {
        for fault in [Fault::Transient, Fault::AfterEffect] {
            let world = World::new();
            world.store().fail(call, matching, fault);
            world.queue().fail(call, matching, fault);
            let drop = world.put("shop/a.csv", FILE);
            let batch = batch_id(&drop, Some("1.0.0"));
            assert_eq!(world.deliver(&[&drop]).await.batch_item_failures.len(), 1, "{matching} {fault:?}");
            // It comes back after a delay that grows with its count.
            assert_eq!(world.queue().delays(), [("h1".to_owned(), Duration::from_secs(8))]);

            assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default(), "{matching} {fault:?}");
            assert!(world.is_published(&batch));
            let mut messages = world.queue().sent("load");
            messages.dedup();
            assert_eq!(messages.len(), 1, "the same message again, if at all: {matching} {fault:?}");
            assert_eq!(world.receipt("shop", &batch).state, ReceiptState::Loading);
        }
    }
}

#[tokio::test]
async fn who_finds_a_manifest_there_publishes_that_one() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    let batch = batch_id(&drop, Some("1.0.0"));
    world.deliver(&[&drop]).await;
    let mut other = world.manifest(&batch);
    other.seconds.insert("mark".to_owned(), 1.0);
    world.store().remove("processed", &layout::published(&batch));
    world.store().insert("processed", &layout::manifest(&batch), serde_json::to_vec(&other).unwrap());
    // It is not there yet when this delivery looks, and is when it commits.
    world.store().fail(Call::Get, "manifest.json", Fault::NotFound);
    world.deliver(&[&drop]).await;
    assert_eq!(world.manifest(&batch), other);
    assert_eq!(world.messages().len(), 2);
    assert_eq!(world.messages()[0], world.messages()[1]);
}

#[tokio::test]
async fn a_final_receipt_is_never_taken_back() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    let batch = batch_id(&drop, Some("1.0.0"));
    world.deliver(&[&drop]).await;
    let loaded = Receipt { state: ReceiptState::Loaded, ..world.receipt("shop", &batch) };
    let key = layout::receipt("shop", &batch);
    world.store().insert("processed", &key, serde_json::to_vec(&loaded).unwrap());
    world.store().remove("processed", &layout::published(&batch));
    world.deliver(&[&drop]).await;
    assert_eq!(world.receipt("shop", &batch), loaded);
}

#[tokio::test]
async fn a_new_contract_version_makes_a_new_batch_of_the_same_drop() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    world.deliver(&[&drop]).await;
    let contract = CONTRACT.replace("version: 1.0.0", "version: 1.1.0");
    world.store().insert("artifacts", &layout::current_contract("shop"), contract);
    world.deliver(&[&drop]).await;
    let versions: Vec<_> = world.messages().into_iter().map(|message| message.contract_version).collect();
    assert_eq!(versions, ["1.0.0", "1.1.0"]);
}

#[tokio::test]
async fn a_store_that_is_busy_is_tried_later() {
    for (call, matching) in [
        (Call::Get, "current.yaml"),
        (Call::GetRange, "shop/"),
        (Call::Put, ".parquet"),
        (Call::Put, "rejects-"),
    ] {
        let world = World::new();
        let drop = world.put("shop/a.csv", FILE);
        world.store().fail(call, matching, Fault::Transient);
        assert_eq!(world.deliver(&[&drop]).await.batch_item_failures.len(), 1, "{matching}");
        assert_eq!(world.queue().delays().len(), 1, "{matching}");
        assert!(world.store().keys("processed", "receipts/").is_empty(), "{matching}");
        assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default(), "{matching}");
        assert_eq!(world.messages().len(), 1, "{matching}");
    }
}

#[tokio::test]
async fn a_store_that_refuses_is_for_an_operator() {
    let world = World::new();
    world.store().fail(Call::GetRange, "shop/", Fault::Refused);
    let drop = world.put("shop/a.csv", FILE);
    assert_eq!(world.deliver(&[&drop]).await, SqsBatchResponse::default());
    let [dead] = &world.queue().dead()[..] else { panic!("one dead letter") };
    assert_eq!((dead.url.as_str(), dead.code.as_str()), ("drops-dead-letters", "store_refused"));
    assert_eq!(dead.body, notification(&[&drop]));
}

#[tokio::test]
async fn a_poison_message_is_dead_at_once_and_a_test_event_is_done() {
    let world = World::new();
    assert_eq!(world.deliver_body("{not json").await, SqsBatchResponse::default());
    assert_eq!(world.queue().dead()[0].code, "invalid_event");
    let test_event = include_str!("../../../tests/events/s3-test-event.json");
    assert_eq!(world.deliver_body(test_event).await, SqsBatchResponse::default());
    assert_eq!(world.queue().dead().len(), 1);
}

#[tokio::test]
async fn one_bad_drop_does_not_hold_up_the_others_of_its_message() {
    let world = World::new();
    let drops = [world.put("shop/a.csv", FILE), world.put("shop/b.csv", FILE)];
    world.store().fail(Call::GetRange, "shop/a.csv", Fault::Transient);
    assert_eq!(world.deliver(&drops.each_ref()).await.batch_item_failures.len(), 1);
    assert_eq!(world.messages().len(), 1);
    assert_eq!(world.deliver(&drops.each_ref()).await, SqsBatchResponse::default());
    assert_eq!(world.messages().len(), 2);
}

#[tokio::test]
async fn an_invocation_that_is_nearly_over_begins_nothing() {
    let world = World::new();
    let drop = world.put("shop/a.csv", FILE);
    let soon = StopAt::before(SystemTime::now() + Duration::from_secs(1));
    let response = world.deliver_until(&notification(&[&drop]), soon).await;
    assert_eq!(response.batch_item_failures.len(), 1);
    assert!(world.store().keys("processed", "").is_empty());
}

#[test]
fn every_variable_of_the_configuration_is_needed_and_no_other_is_taken() {
    let error = Config::new(Variables::new([("PENSTOCK_ROWS".to_owned(), "1".to_owned())])).unwrap_err();
    assert_eq!(error.problems.len(), 12, "eleven that are missing and one that is not known: {error}");
}
