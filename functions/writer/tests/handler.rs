//! Invocations: from the messages to the response, the dead letters and the receipts.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant, SystemTime};

use jiff::Timestamp;
use penstock_aws::commit::to_json;
use penstock_aws::deadline::Deadline;
use penstock_aws::sqs_event::{InboundQueue, SqsAttributes, SqsEvent, SqsRecord};
use penstock_aws::telemetry::Metrics;
use penstock_aws::testing::{Call, Fault, MemoryQueue, MemoryStore};
use penstock_contract::Contract;
use penstock_engine::Totals;
use penstock_pipeline::{
    ChunkBody, ChunkProgress, Drop, LoadMessage, Manifest, ManifestState, Receipt, ReceiptState, RefusalCode,
    RowCounts, Seconds, layout,
};
use penstock_writer::chunk::VerifiedChunk;
use penstock_writer::config::WriterConfig;
use penstock_writer::database::Postgres;
use penstock_writer::handler::{Writer, handle};
use support::{ChunkOf, Db, PRODUCTS, contract_of, contract_yaml, product};
use uuid::Uuid;

const LONG: Duration = Duration::from_secs(180);

/// A writer with its database, store, queue and contract.
struct Setup {
    db: Db,
    store: MemoryStore,
    queue: MemoryQueue,
    contract: Contract,
    rows_per_second: u64,
}

impl Setup {
    fn new() -> Self {
        Self::with(&[("eventTime", "updated_at")])
    }

    fn with(custom: &[(&str, &str)]) -> Self {
        let yaml = contract_yaml("shop", "1.0.0", custom, PRODUCTS);
        let store = MemoryStore::new();
        store.insert("artifacts", "contracts/shop/1.0.0.yaml", yaml.clone());
        let contract = contract_of(&yaml);
        Self { db: Db::start(), store, queue: MemoryQueue::new(), contract, rows_per_second: 0 }
    }

    fn writer(&self) -> Writer<MemoryStore, MemoryQueue, Postgres> {
        let config = WriterConfig {
            metrics: Metrics::of("test"),
            artifacts_bucket: "artifacts".into(),
            processed_bucket: "processed".into(),
            quarantine_bucket: "quarantine".into(),
            load: InboundQueue { url: "load".into(), dead_letter_url: "load-dead".into() },
            database: self.db.config(),
            rows_per_second: self.rows_per_second,
            is_adaptive: true,
            min_rows_per_second: 2_000,
            busy_sessions: 4,
            instance: None,
        };
        Writer::new(self.store.clone(), self.queue.clone(), self.db.writer(), &config)
    }

    /// Commits a batch with these chunks as ingest does, with manifest and receipt in S3, and `rejected` rows.
    fn commit(&self, batch: u128, chunks: &[Vec<String>], rejected: u64) -> Vec<LoadMessage> {
        let count = u32::try_from(chunks.len()).unwrap();
        let verified: Vec<VerifiedChunk> = (0..count)
            .map(|index| {
                ChunkOf::batch(batch).numbered(index, count).rows(&self.contract, &chunks[index as usize])
            })
            .collect();
        let accepted = verified.iter().map(|chunk| u64::from(chunk.message.chunk.rows)).sum();
        let drop = Drop {
            bucket: "raw".into(),
            key: format!("shop/{batch}.csv"),
            version_id: None,
            etag: "etag".into(),
            size_bytes: 1,
            sequencer: None,
            dropped_at: Timestamp::from_second(1_700_000_000).unwrap(),
        };
        let id = Uuid::from_u128(batch);
        let manifest = Manifest {
            manifest_version: Manifest::VERSION,
            batch_id: id,
            source: "shop".into(),
            contract_version: Some("1.0.0".into()),
            engine_version: "0".into(),
            drop,
            state: ManifestState::Committed { table: self.contract.entity.table.clone() },
            replaces: false,
            generation: 0,
            replays: Vec::new(),
            totals: Totals { rows_read: accepted + rejected, accepted, rejected, ..Totals::default() },
            dialect: None,
            quality: Vec::new(),
            not_executed: Vec::new(),
            chunks: verified.iter().map(|chunk| chunk.message.chunk.clone()).collect(),
            parquet: Vec::new(),
            rejects: vec!["s3://quarantine/r".into()],
            seconds: Seconds::new(),
        };
        let receipt = Receipt::of_manifest(&manifest, Timestamp::UNIX_EPOCH);
        self.store.insert("processed", &layout::manifest(&id), to_json(&manifest));
        self.store.insert("processed", &layout::receipt("shop", &id), to_json(&receipt));
        verified.into_iter().map(|chunk| chunk.message).collect()
    }

    fn receipt(&self, batch: u128) -> Receipt {
        self.store.json("processed", &layout::receipt("shop", &Uuid::from_u128(batch)))
    }

    async fn count(&self) -> String {
        self.db.rows("SELECT count(*) FROM products").await.remove(0)
    }
}

fn event<'a>(messages: impl IntoIterator<Item = &'a LoadMessage>) -> SqsEvent {
    bodies(messages.into_iter().map(|message| serde_json::to_string(message).unwrap()))
}

fn bodies(bodies: impl IntoIterator<Item = String>) -> SqsEvent {
    let record = |(index, body): (usize, String)| SqsRecord {
        message_id: format!("m{index}"),
        receipt_handle: format!("h{index}"),
        body,
        attributes: SqsAttributes { approximate_receive_count: Some("3".into()) },
    };
    SqsEvent { records: bodies.into_iter().enumerate().map(record).collect() }
}

async fn run(
    writer: &mut Writer<MemoryStore, MemoryQueue, Postgres>,
    event: &SqsEvent,
    time: Duration,
) -> Vec<String> {
    let response = handle(writer, event, Deadline::of_invocation(SystemTime::now() + time)).await;
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

fn rows(prefix: &str, count: u32) -> Vec<String> {
    (0..count).map(|n| product(&format!("{prefix}{n}"), "t", 1, 1)).collect()
}

#[tokio::test]
async fn a_batch_is_loaded_and_closed_and_its_receipt_written() {
    let setup = Setup::new();
    let mut messages = setup.commit(1, &[rows("a", 3), rows("b", 2)], 4);
    // One of the chunks is an object, and they arrive in reverse order.
    let ChunkBody::Inline(text) = messages[0].chunk.body.clone() else { panic!("inline") };
    let bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap();
    setup.store.insert("processed", "chunk", bytes);
    messages[0].chunk.body = ChunkBody::Object { bucket: "processed".into(), key: "chunk".into() };
    messages.reverse();

    let mut writer = setup.writer();
    assert!(run(&mut writer, &event(&messages), LONG).await.is_empty());
    assert_eq!(setup.count().await, "5");
    let receipt = setup.receipt(1);
    assert_eq!(receipt.state, ReceiptState::Loaded);
    let expected = RowCounts { read: 9, accepted: 5, rejected: 4, loaded: 5, ..RowCounts::default() };
    assert_eq!(receipt.rows, expected);
    assert_eq!(receipt.rejects, ["s3://quarantine/r"]);
    assert!(receipt.seconds["load"] < 60.0 && receipt.seconds["drop_to_loaded"] > 0.0);
    let batch =
        "SELECT source, key, object_version, rows_read, rejected, loaded, balanced FROM penstock.batch";
    assert_eq!(setup.db.rows(batch).await, ["shop|shop/1.csv|etag|9|4|5|t"]);

    // A redelivery writes nothing.
    let is_write = |call: &Call| matches!(call, Call::Put | Call::PutIfAbsent | Call::PutIfMatch);
    let puts = |store: &MemoryStore| store.calls().iter().filter(|(call, _)| is_write(call)).count();
    let before = puts(&setup.store);
    assert!(run(&mut writer, &event(&messages), LONG).await.is_empty());
    assert_eq!(puts(&setup.store), before);
    assert_eq!(setup.receipt(1), receipt);
}

#[tokio::test]
async fn a_batch_is_closed_with_its_last_chunk() {
    let setup = Setup::new();
    let messages = setup.commit(1, &[rows("a", 3), rows("b", 2)], 0);
    assert_eq!(setup.receipt(1).state, ReceiptState::Read);
    assert!(run(&mut setup.writer(), &event([&messages[1]]), LONG).await.is_empty());
    let receipt = setup.receipt(1);
    assert_eq!((receipt.state, receipt.rows.loaded), (ReceiptState::Loading, 2), "the rows in the table");
    assert_eq!(receipt.chunks, Some(ChunkProgress { applied: 1, total: 2 }));
    let batch = "SELECT state, loaded, closed_at FROM penstock.batch";
    assert_eq!(setup.db.rows(batch).await, ["loading|~|~"]);
    let status = "SELECT state, chunks_applied, chunk_count, loaded FROM penstock.batch_status";
    assert_eq!(setup.db.rows(status).await, ["loading|1|2|2"]);
    assert!(run(&mut setup.writer(), &event([&messages[0]]), LONG).await.is_empty());
    assert_eq!(setup.receipt(1).state, ReceiptState::Loaded);
    assert_eq!(setup.db.rows("SELECT state, loaded FROM penstock.batch").await, ["loaded|5"]);
}

#[tokio::test]
async fn a_redelivery_completes_a_batch_that_failed_between_commit_and_receipt() {
    for (call, key) in [(Call::Get, "receipts/"), (Call::PutIfMatch, "receipts/")] {
        let setup = Setup::new();
        let messages = setup.commit(1, &[rows("a", 3)], 0);
        setup.store.fail(call, key, Fault::Transient);
        let mut writer = setup.writer();
        assert_eq!(run(&mut writer, &event(&messages), LONG).await, ["m0"], "{call:?} {key}");
        assert_eq!(setup.count().await, "3");
        assert_eq!(setup.receipt(1).state, ReceiptState::Read);
        let delays = setup.queue.delays();
        assert_eq!((delays.len(), delays[0].0.as_str()), (1, "h0"));
        assert!((8.0..=10.0).contains(&delays[0].1.as_secs_f64()), "{delays:?}");

        assert!(run(&mut writer, &event(&messages), LONG).await.is_empty());
        let receipt = setup.receipt(1);
        assert_eq!((receipt.state, receipt.rows.loaded), (ReceiptState::Loaded, 3));
    }
}

#[tokio::test]
async fn only_the_chunk_at_fault_goes_to_the_dead_letter_queue_and_its_batch_fails() {
    let setup = Setup::new();
    let mut messages = setup.commit(1, &[rows("a", 3)], 0);
    messages.extend(setup.commit(2, &[vec![product("x", "t", 1, 1), "y\tt\tmany\t2026-01-01".into()]], 0));
    messages.extend(setup.commit(3, &[rows("c", 2)], 0));
    let mut writer = setup.writer();
    assert!(run(&mut writer, &event(&messages), LONG).await.is_empty());
    assert_eq!(setup.count().await, "5");

    let dead = setup.queue.dead();
    assert_eq!((dead.len(), dead[0].url.as_str(), dead[0].code.as_str()), (1, "load-dead", "invalid_data"));
    assert!(dead[0].message.contains("column qty, row 2") && !dead[0].message.contains("many"));
    assert_eq!(serde_json::from_str::<LoadMessage>(&dead[0].body).unwrap(), messages[1]);
    let receipt = setup.receipt(2);
    let refusal = receipt.refusal.unwrap();
    assert_eq!((receipt.state, refusal.code), (ReceiptState::Failed, RefusalCode::LoadFailed));
    assert_eq!(refusal.reason.as_deref(), Some("invalid_data"), "the code of the dead letter");
    assert!(refusal.message.starts_with("chunk 1 of 1 was not loaded: "), "{}", refusal.message);
    for batch in [1, 3] {
        assert_eq!(setup.receipt(batch).state, ReceiptState::Loaded);
    }
    let states = "SELECT state FROM penstock.batch ORDER BY batch_id";
    assert_eq!(setup.db.rows(states).await, ["loaded", "failed", "loaded"]);
}

#[tokio::test]
async fn a_failed_batch_is_loaded_once_its_chunk_is_intact() {
    let setup = Setup::new();
    let messages = setup.commit(1, &[rows("a", 3), rows("b", 3)], 0);
    let mut corrupt = messages[1].clone();
    corrupt.chunk.sha256 = "00".repeat(32);
    let mut writer = setup.writer();
    assert!(run(&mut writer, &event([&messages[0], &corrupt]), LONG).await.is_empty());
    assert_eq!(setup.queue.dead()[0].code, "checksum_mismatch");
    let receipt = setup.receipt(1);
    assert_eq!(
        (receipt.state, receipt.rows.loaded),
        (ReceiptState::PartlyLoaded, 3),
        "the rows in the table"
    );
    let [missing] = &receipt.missing[..] else { panic!("one chunk is missing") };
    assert_eq!((missing.chunk, missing.rows, missing.code.as_str()), (2, 3, "checksum_mismatch"));
    assert!(receipt.refusal.unwrap().message.starts_with("chunk 2 of 2 was not loaded"));
    let batch = "SELECT state, chunks_applied, chunks_failed, loaded FROM penstock.batch_status";
    assert_eq!(setup.db.rows(batch).await, ["partly_loaded|1|1|3"]);

    assert!(run(&mut writer, &event([&messages[1]]), LONG).await.is_empty());
    let receipt = setup.receipt(1);
    assert_eq!((receipt.state, receipt.refusal, receipt.rows.loaded), (ReceiptState::Loaded, None, 6));
    assert_eq!(receipt.missing, []);
    assert_eq!(setup.db.rows(batch).await, ["loaded|2|0|6"]);
    // A corrupt duplicate that arrives later does not change it.
    assert!(run(&mut writer, &event([&corrupt]), LONG).await.is_empty());
    assert_eq!(setup.receipt(1).state, ReceiptState::Loaded);
}

#[tokio::test]
async fn invalid_messages_do_not_block_valid_ones() {
    let setup = Setup::new();
    let good = setup.commit(1, &[rows("a", 3)], 0).remove(0);
    setup.commit(7, &[rows("z", 3)], 0);
    let changed = |change: fn(&mut LoadMessage)| {
        let mut message = good.clone();
        message.batch_id = Uuid::from_u128(7);
        change(&mut message);
        serde_json::to_string(&message).unwrap()
    };
    let event = bodies([
        "not json".to_owned(),
        "{}".to_owned(),
        changed(|message| message.message_version = 0),
        changed(|message| message.chunk.index = 1),
        changed(|message| message.contract_version = "9.9.9".into()),
        changed(|message| message.table.table = "other".into()),
        changed(|message| message.chunk.body = ChunkBody::Object { bucket: "b".into(), key: "gone".into() }),
        changed(|message| message.chunk.rows = 4),
        changed(|message| message.chunk.text_bytes = 1),
        serde_json::to_string(&good).unwrap(),
    ]);
    assert!(run(&mut setup.writer(), &event, LONG).await.is_empty());
    let codes: Vec<String> = setup.queue.dead().into_iter().map(|letter| letter.code).collect();
    let expected = [
        "invalid_message",
        "invalid_message",
        "invalid_message",
        "invalid_chunk",
        "contract_unusable",
        "contract_unusable",
        "chunk_missing",
        "invalid_chunk",
        "invalid_chunk",
    ];
    assert_eq!(codes, expected);
    assert_eq!(setup.count().await, "3");
    assert_eq!(setup.receipt(1).state, ReceiptState::Loaded);
}

/// During a canary deployment both releases of `ingest` send messages, and both releases of the writer receive them.
#[tokio::test]
async fn an_old_and_a_new_writer_process_one_queue_together() {
    let setup = Setup::with(&[("eventTime", "updated_at"), ("unexpectedColumns", "rescue")]);
    let rescued =
        |prefix| rows(prefix, 2).iter().map(|row| format!("{row}\t{{\"x\":1}}")).collect::<Vec<_>>();
    let mut old_messages = setup.commit(1, &[rows("a", 2), rows("b", 2)], 0);
    old_messages.iter_mut().for_each(|message| message.message_version = 1);
    let new_messages = setup.commit(2, &[rescued("c"), rescued("d")], 0);
    let messages = [&old_messages[0], &new_messages[0], &old_messages[1], &new_messages[1]];

    let (mut old, mut new) = (setup.writer().of_release(1..=1), setup.writer());
    // The old writer receives all messages, and returns those of a newer version to the queue.
    assert_eq!(run(&mut old, &event(messages), LONG).await, ["m1", "m3"]);
    assert_eq!(setup.queue.delays().len(), 2);
    assert_eq!(setup.receipt(1).state, ReceiptState::Loaded);
    // Both writers receive the remaining messages, and the others a second time.
    let all = event(messages);
    let (by_old, by_new) = tokio::join!(run(&mut old, &all, LONG), run(&mut new, &all, LONG));
    assert_eq!((by_old, by_new), (vec!["m1".to_owned(), "m3".to_owned()], Vec::new()));
    assert_eq!(setup.queue.dead(), []);
    assert_eq!([1, 2].map(|batch| setup.receipt(batch).rows.loaded), [4, 4]);
    assert_eq!(setup.receipt(2).state, ReceiptState::Loaded);
    let found = setup.db.rows("SELECT sku, _rescued ->> 'x' FROM products ORDER BY sku").await;
    assert_eq!(found, ["a0|~", "a1|~", "b0|~", "b1|~", "c0|1", "c1|1", "d0|1", "d1|1"]);
    assert_eq!(setup.db.rows("SELECT bool_and(balanced), count(*) FROM penstock.batch").await, ["t|2"]);
    // Messages of both releases in one invocation, for one table.
    let mut mixed = setup.commit(3, &[rows("e", 1)], 0);
    mixed[0].message_version = 1;
    mixed.extend(setup.commit(4, &[rescued("f")], 0));
    assert!(run(&mut new, &event(&mixed), LONG).await.is_empty());
    assert_eq!([3, 4].map(|batch| setup.receipt(batch).state), [ReceiptState::Loaded; 2]);
}

#[tokio::test]
async fn a_message_is_retried_when_the_dead_letter_queue_refuses_it() {
    let setup = Setup::new();
    for fault in [Fault::Transient, Fault::Refused] {
        setup.queue.fail(Call::SendDead, "load-dead", fault);
        assert_eq!(run(&mut setup.writer(), &bodies(["poison".to_owned()]), LONG).await, ["m0"]);
    }
}

#[tokio::test]
async fn the_same_message_twice_in_one_event_is_applied_once() {
    let setup = Setup::new();
    let message = setup.commit(1, &[rows("a", 3)], 0).remove(0);
    assert!(run(&mut setup.writer(), &event([&message, &message, &message]), LONG).await.is_empty());
    assert_eq!(setup.count().await, "3");
    assert_eq!(setup.receipt(1).rows.loaded, 3);
}

#[tokio::test]
async fn an_error_of_the_store_retries_only_its_chunk() {
    let setup = Setup::new();
    let mut messages = setup.commit(1, &[rows("a", 3)], 0);
    messages.extend(setup.commit(2, &[rows("b", 3)], 0));
    messages[0].chunk.body = ChunkBody::Object { bucket: "processed".into(), key: "slow".into() };
    setup.store.fail(Call::Get, "slow", Fault::Transient);
    assert_eq!(run(&mut setup.writer(), &event(&messages), LONG).await, ["m0"]);
    assert_eq!(setup.receipt(2).state, ReceiptState::Loaded);
    assert!(setup.queue.dead().is_empty());
}

#[tokio::test]
async fn messages_are_retried_while_the_database_is_unreachable_and_then_loaded() {
    let mut setup = Setup::new();
    let messages = setup.commit(1, &[rows("a", 3), rows("b", 3)], 0);
    let mut writer = setup.writer();
    assert!(run(&mut writer, &event([&messages[0]]), LONG).await.is_empty());

    setup.db.cluster.stop().unwrap();
    assert_eq!(run(&mut writer, &event([&messages[1]]), LONG).await, ["m0"]);
    assert_eq!(run(&mut writer, &event([&messages[1]]), LONG).await, ["m0"]);
    setup.db.cluster.restart().unwrap();
    assert!(run(&mut writer, &event([&messages[1]]), LONG).await.is_empty());

    setup.db.cluster.kill().unwrap();
    setup.db.cluster.restart().unwrap();
    let more = setup.commit(2, &[rows("c", 3)], 0);
    // The session has ended, and the writer has not detected it yet: the message is retried at most once.
    let first = run(&mut writer, &event(&more), LONG).await;
    assert!(first.is_empty() || run(&mut writer, &event(&more), LONG).await.is_empty());
    assert_eq!(setup.count().await, "9");
    assert!(setup.queue.dead().is_empty());
    assert_eq!(setup.receipt(1).state, ReceiptState::Loaded);
}

#[tokio::test]
async fn the_rate_limit_is_respected_and_a_message_that_must_wait_too_long_is_retried() {
    let mut setup = Setup::new();
    setup.rows_per_second = 20_000;
    // Two transactions of one second each, and a third that has to wait for both.
    let messages: Vec<LoadMessage> =
        (1..=3).flat_map(|batch| setup.commit(batch, &[rows(&format!("{batch}-"), 20_000)], 0)).collect();
    let mut writer = setup.writer();
    let started = Instant::now();
    assert!(run(&mut writer, &event(&messages[..2]), LONG).await.is_empty());
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    // There is not enough time to wait and load.
    assert_eq!(run(&mut writer, &event(&messages[2..]), Duration::from_secs(12)).await, ["m0"]);
    assert!(setup.queue.delays()[0].1 >= Duration::from_secs(1));
    assert!(run(&mut writer, &event(&messages[2..]), LONG).await.is_empty());
    assert_eq!(setup.count().await, "60000");
}

#[tokio::test]
async fn without_enough_time_all_messages_are_retried_and_nothing_is_done() {
    let setup = Setup::new();
    let messages = setup.commit(1, &[rows("a", 3), rows("b", 3)], 0);
    let failed = run(&mut setup.writer(), &event(&messages), Duration::from_secs(1)).await;
    assert_eq!(failed, ["m0", "m1"]);
    assert!(setup.db.rows("SELECT FROM pg_namespace WHERE nspname = 'penstock'").await.is_empty());
}

#[tokio::test]
async fn a_batch_that_violates_the_accounting_invariant_is_closed_and_marked() {
    let setup = Setup::new();
    let messages = setup.commit(1, &[rows("a", 3)], 0);
    let key = layout::manifest(&Uuid::from_u128(1));
    let mut manifest: Manifest = setup.store.json("processed", &key);
    manifest.totals.rows_read += 1;
    setup.store.insert("processed", &key, to_json(&manifest));
    assert!(run(&mut setup.writer(), &event(&messages), LONG).await.is_empty());
    assert_eq!(setup.db.rows("SELECT balanced, rows_read, loaded FROM penstock.batch").await, ["f|4|3"]);
    assert_eq!(setup.receipt(1).state, ReceiptState::Loaded);
}

#[tokio::test]
async fn a_batch_without_its_manifest_is_not_loaded() {
    let setup = Setup::new();
    let messages = setup.commit(1, &[rows("a", 3)], 0);
    setup.store.remove("processed", &layout::manifest(&Uuid::from_u128(1)));
    assert!(run(&mut setup.writer(), &event(&messages), LONG).await.is_empty());
    assert_eq!(setup.queue.dead()[0].code, "manifest_missing");
    assert!(setup.db.rows("SELECT FROM pg_namespace WHERE nspname = 'penstock'").await.is_empty());
}

#[tokio::test]
async fn blank_rows_are_in_the_ledger_and_included_in_the_balance() {
    let setup = Setup::new();
    let mut messages = setup.commit(1, &[rows("a", 3)], 1);
    let key = layout::manifest(&Uuid::from_u128(1));
    let mut manifest: Manifest = setup.store.json("processed", &key);
    manifest.totals.rows_read += 7;
    manifest.totals.blank = 7;
    setup.store.insert("processed", &key, to_json(&manifest));
    messages[0].message_version = LoadMessage::WITH_BLANK_ROWS;
    assert!(run(&mut setup.writer(), &event(&messages), LONG).await.is_empty());
    let batch = "SELECT rows_read, rejected, loaded, blank, balanced FROM penstock.batch";
    assert_eq!(setup.db.rows(batch).await, ["11|1|3|7|t"]);
    assert_eq!(setup.receipt(1).rows.blank, 7);
}

/// During a rollout the writer of the previous release uses the migrated tables.
#[tokio::test]
async fn a_writer_of_a_release_without_blank_rows_can_close_a_batch() {
    let setup = Setup::new();
    let messages = setup.commit(1, &[rows("a", 1)], 0);
    assert!(run(&mut setup.writer(), &event(&messages), LONG).await.is_empty());
    let before = "INSERT INTO penstock.batch (batch_id, source, bucket, key, object_version, contract_version, \
                  rows_read, rejected, loaded, deduplicated, superseded, balanced) \
                  VALUES (gen_random_uuid(), 's', 'b', 'k', 'v', '1.0.0', 1, 0, 1, 0, 0, true) RETURNING blank";
    assert_eq!(setup.db.rows(before).await, ["0"]);
}
