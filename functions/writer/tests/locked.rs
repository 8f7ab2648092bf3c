//! A locked or slow table of one source does not stop the others, and no reader waits long for a change of a table.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, Instant, SystemTime};

use penstock_aws::commit::to_json;
use penstock_aws::deadline::Deadline;
use penstock_aws::sqs_event::{InboundQueue, SqsAttributes, SqsEvent, SqsRecord};
use penstock_aws::telemetry::Metrics;
use penstock_aws::testing::{MemoryQueue, MemoryStore};
use penstock_contract::Contract;
use penstock_pipeline::{LoadMessage, layout};
use penstock_writer::config::WriterConfig;
use penstock_writer::database::{Postgres, TargetDatabase as _};
use penstock_writer::error::LoadError;
use penstock_writer::handler::{Writer, handle};
use penstock_writer::reject_files::RejectFiles;
use penstock_writer::{LOCK_TIMEOUT, TableAccess};
use support::{ChunkOf, Db, PRODUCTS, applied, apply, contract_of, contract_yaml, product, products};
use tokio_postgres::Client;

/// A writer with the contracts of two sources, each with its own table.
struct World {
    db: Db,
    store: MemoryStore,
    queue: MemoryQueue,
    writer: Writer<MemoryStore, MemoryQueue, Postgres>,
}

impl World {
    fn new() -> Self {
        let (db, store, queue) = (Db::start(), MemoryStore::new(), MemoryQueue::new());
        for source in ["one", "two"] {
            store.insert("artifacts", &format!("contracts/{source}/1.0.0.yaml"), yaml(source));
        }
        let config = WriterConfig {
            metrics: Metrics::of("test"),
            artifacts_bucket: "artifacts".into(),
            processed_bucket: "processed".into(),
            quarantine_bucket: "quarantine".into(),
            load: InboundQueue { url: "load".into(), dead_letter_url: "load-dead".into() },
            database: db.config(),
            rows_per_second: 0,
            is_adaptive: true,
            min_rows_per_second: 2_000,
            busy_sessions: 4,
            instance: None,
        };
        let writer = Writer::new(store.clone(), queue.clone(), db.writer(), &config);
        Self { db, store, queue, writer }
    }

    /// Returns the message of a chunk of the source's batch, which has so many that it is never complete.
    fn message(&self, source: &str, index: u32) -> LoadMessage {
        let batch = if source == "one" { 1 } else { 2 };
        let contract = contract_of(&yaml(source));
        let row = product(&format!("{batch}-{index}"), "t", 1, 1);
        let chunk = ChunkOf::batch(batch).numbered(index, 1_000).rows(&contract, [row]);
        self.store.insert("processed", &layout::manifest(&chunk.message.batch_id), to_json(&*chunk.manifest));
        chunk.message
    }

    /// Handles messages, and returns the ids of those that are retried.
    async fn handle(&mut self, messages: &[LoadMessage]) -> Vec<String> {
        let record = |message: &LoadMessage| SqsRecord {
            message_id: format!("{}-{}", message.source, message.chunk.index),
            receipt_handle: format!("{}-{}", message.source, message.chunk.index),
            body: serde_json::to_string(message).unwrap(),
            attributes: SqsAttributes { approximate_receive_count: Some("1".into()) },
        };
        let event = SqsEvent { records: messages.iter().map(record).collect() };
        let deadline = Deadline::of_invocation(SystemTime::now() + Duration::from_secs(180));
        let response = handle(&mut self.writer, &event, deadline).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }
}

fn yaml(source: &str) -> String {
    contract_yaml(source, "1.0.0", &[("eventTime", "updated_at")], PRODUCTS)
        .replace("public.products", &format!("public.{source}"))
}

async fn locking(db: &Db, table: &str, mode: &str) -> Client {
    let client = db.client().await;
    client.batch_execute(&format!("BEGIN; LOCK TABLE public.{table} IN {mode} MODE")).await.unwrap();
    client
}

#[tokio::test]
async fn a_locked_table_costs_the_other_sources_of_an_invocation_one_lock_timeout() {
    let mut world = World::new();
    let first: Vec<LoadMessage> = ["one", "two"].map(|source| world.message(source, 0)).into();
    assert!(world.handle(&first).await.is_empty());
    let lock = locking(&world.db, "one", "SHARE").await;

    // Messages of the locked table are first, and of several transactions.
    let mut messages: Vec<LoadMessage> = (1..5).map(|index| world.message("one", index)).collect();
    messages.push(world.message("two", 1));
    let started = Instant::now();
    assert_eq!(world.handle(&messages).await, ["one-1", "one-2", "one-3", "one-4"]);
    assert!(started.elapsed() < LOCK_TIMEOUT * 2, "{:?}", started.elapsed());
    assert_eq!(world.db.rows("SELECT count(*) FROM two").await, ["2"]);
    for (_, delay) in world.queue.delays() {
        assert!((1.0..=2.5).contains(&delay.as_secs_f64()), "{delay:?}");
    }

    // Until the delay is over, its messages are returned at once, without a request to S3.
    let requests = |world: &World| {
        world.store.calls().into_iter().filter(|(_, key)| !key.starts_with("receipts/two/")).count()
    };
    let before = requests(&world);
    let again = [world.message("one", 1), world.message("two", 2)];
    let started = Instant::now();
    assert_eq!(world.handle(&again).await, ["one-1"]);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    assert_eq!(requests(&world), before);

    drop(lock);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(world.handle(&messages).await.is_empty());
    assert_eq!(world.db.rows("SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two)").await, ["5|3"]);
    assert!(world.queue.dead().is_empty());
}

/// Its statements wait for the lock while they are prepared.
#[tokio::test]
async fn a_new_session_waits_for_a_locked_table_only_once() {
    let (db, contract) = (Db::start(), products("shop"));
    let one = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut db.writer(), &contract, &[&one]).await.unwrap();
    let lock = locking(&db, "products", "ACCESS EXCLUSIVE").await;
    let (mut writer, rejects) = (db.writer(), RejectFiles::new(MemoryStore::new(), "quarantine"));
    let two = ChunkOf::batch(2).rows(&contract, [product("b", "t", 1, 1)]);
    for (access, longest) in [(TableAccess::Shared, LOCK_TIMEOUT), (TableAccess::Cautious, LOCK_TIMEOUT / 4)]
    {
        let started = Instant::now();
        let error = writer.apply(&contract, &[&two], access, &rejects).await.unwrap_err();
        assert!(error.is_contention(), "{error}");
        // The session is not busy with other statements that wait for the lock.
        writer.measure_load().await.unwrap();
        assert!(started.elapsed() < longest + Duration::from_secs(1), "{access:?}: {:?}", started.elapsed());
    }
    drop(lock);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(apply(&mut writer, &contract, &[&two]).await.unwrap(), [applied(1, 0, 0)]);
    let stages = "SELECT count(*) FROM pg_class WHERE relname LIKE 'penstock_stage_%' AND relkind = 'r'";
    assert_eq!(
        db.rows(stages).await,
        ["1"],
        "staging tables are dropped when their statements cannot be prepared"
    );
}

#[tokio::test]
async fn a_slow_table_is_loaded_by_one_writer_at_a_time() {
    let (db, contract) = (Db::start(), products("shop"));
    let (mut one, mut two) = (db.writer(), db.writer());
    let chunk =
        |batch: u128| ChunkOf::batch(batch).rows(&contract, [product(&format!("k{batch}"), "t", 1, 1)]);
    apply(&mut one, &contract, &[&chunk(1)]).await.unwrap();
    apply(&mut two, &contract, &[&chunk(2)]).await.unwrap();
    db.client()
        .await
        .batch_execute(
            "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN PERFORM pg_sleep(1); RETURN new; END $$; \
             CREATE TRIGGER slow BEFORE INSERT ON products FOR EACH ROW EXECUTE FUNCTION public.slow()",
        )
        .await
        .unwrap();
    let (three, four) = (chunk(3), chunk(4));
    let rejects = RejectFiles::new(MemoryStore::new(), "quarantine");
    let (only_three, only_four) = ([&three], [&four]);
    let (by_one, by_two) = tokio::join!(
        one.apply(&contract, &only_three, TableAccess::Alone, &rejects),
        two.apply(&contract, &only_four, TableAccess::Alone, &rejects)
    );
    let (done, busy) = if by_one.is_ok() { (by_one, by_two) } else { (by_two, by_one) };
    assert_eq!(done.unwrap(), [applied(1, 0, 0)]);
    let error = busy.unwrap_err();
    assert!(matches!(error, LoadError::TableBusy { .. }) && error.is_transient(), "{error}");
    // The lock ended with the transaction.
    for chunk in [&three, &four] {
        one.apply(&contract, &[chunk], TableAccess::Alone, &rejects).await.unwrap();
    }
    assert_eq!(db.rows("SELECT count(*) FROM products").await, ["4"]);
}

/// A long query of a reader, to which a column is to be added: `ALTER TABLE` waits for it, and others wait behind
/// `ALTER TABLE`.
#[tokio::test]
async fn readers_wait_at_most_a_second_while_a_column_is_to_be_added() {
    let (db, old) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).rows(&old, [product("a", "t", 1, 1)]);
    apply(&mut writer, &old, &[&one]).await.unwrap();
    let wide = widened("1.1.0");
    let two = ChunkOf::batch(2).rows(&wide, [format!("{}\tred", product("b", "t", 1, 1))]);

    let long_query = locking(&db, "products", "ACCESS SHARE").await;
    let reader = db.client().await;
    let read = async {
        let mut longest = Duration::ZERO;
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(3) {
            let before = Instant::now();
            reader.batch_execute("SELECT count(*) FROM products").await.unwrap();
            longest = longest.max(before.elapsed());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        longest
    };
    let chunks = [&two];
    let (answer, longest) = tokio::join!(apply(&mut writer, &wide, &chunks), read);
    let error = answer.unwrap_err();
    assert!(error.is_contention() && error.is_transient(), "{error}");
    assert!(longest > Duration::from_millis(300), "the reader was never behind ALTER TABLE: {longest:?}");
    assert!(longest < Duration::from_secs(1), "{longest:?}");

    long_query.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(apply(&mut writer, &wide, &chunks).await.unwrap(), [applied(1, 0, 0)]);
    assert_eq!(db.rows("SELECT sku, colour FROM products ORDER BY sku").await, ["a|~", "b|red"]);
}

#[tokio::test]
async fn a_column_is_added_in_the_same_call_once_a_short_lock_ends() {
    let (db, old) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).rows(&old, [product("a", "t", 1, 1)]);
    apply(&mut writer, &old, &[&one]).await.unwrap();
    let wide = widened("1.1.0");
    let two = ChunkOf::batch(2).rows(&wide, [format!("{}\tred", product("b", "t", 1, 1))]);
    let short_query = locking(&db, "products", "ACCESS SHARE").await;
    let chunks = [&two];
    let (answer, ()) = tokio::join!(apply(&mut writer, &wide, &chunks), async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        short_query.batch_execute("ROLLBACK").await.unwrap();
    });
    assert_eq!(answer.unwrap(), [applied(1, 0, 0)]);
}

#[tokio::test]
async fn the_index_by_batch_is_not_added_to_a_large_table() {
    let custom = [("eventTime", "updated_at"), ("overwrite", "replace")];
    let (db, old) = (Db::start(), products("shop"));
    let replacing = contract_of(&contract_yaml("shop", "1.1.0", &custom, PRODUCTS));
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).rows(&old, [product("a", "t", 1, 1)]);
    apply(&mut writer, &old, &[&one]).await.unwrap();
    let fill = "INSERT INTO products SELECT 'k' || n, repeat('x', 1000), 1, now(), 's', gen_random_uuid(), n, now(), \
                0::smallint, now(), now() FROM generate_series(1, 12000) AS n";
    db.client().await.batch_execute(fill).await.unwrap();
    let two = ChunkOf::batch(2).version_of("shop/a.csv", None).rows(&replacing, [product("b", "t", 1, 1)]);
    assert_eq!(apply(&mut writer, &replacing, &[&two]).await.unwrap(), [applied(1, 0, 0)]);
    let indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 'public.products'::regclass";
    assert_eq!(db.rows(indexes).await, ["1"]);
}

fn widened(version: &str) -> Contract {
    let properties = format!("{PRODUCTS}\n      - {{name: colour, logicalType: string}}");
    contract_of(&contract_yaml("shop", version, &[("eventTime", "updated_at")], &properties))
}
