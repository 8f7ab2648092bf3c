//! The throttle and outages in an invocation: delays of messages, measurements, and the stored state.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::{Duration, SystemTime};

use penstock_aws::commit::to_json;
use penstock_aws::deadline::Deadline;
use penstock_aws::sqs_event::{InboundQueue, SqsAttributes, SqsEvent, SqsRecord};
use penstock_aws::telemetry::Metrics;
use penstock_aws::testing::{Call, Fault, MemoryQueue, MemoryStore};
use penstock_pipeline::layout;
use penstock_pipeline::writer_state::{CongestionSignal, WriterState};
use penstock_writer::config::WriterConfig;
use penstock_writer::database::Postgres;
use penstock_writer::handler::{Writer, handle};
use penstock_writer::pressure::APPLICATION_NAME;
use support::{ChunkOf, Db, PRODUCTS, contract_of, contract_yaml, product, wait_for};

/// A database, a store with a contract, and a queue.
struct Setup {
    db: Db,
    store: MemoryStore,
    queue: MemoryQueue,
}

impl Setup {
    fn new() -> Self {
        let store = MemoryStore::new();
        store.insert("artifacts", "contracts/shop/1.0.0.yaml", yaml());
        Self { db: Db::start(), store, queue: MemoryQueue::new() }
    }

    fn writer(&self, is_adaptive: bool) -> Writer<MemoryStore, MemoryQueue, Postgres> {
        let config = WriterConfig {
            metrics: Metrics::of("test"),
            artifacts_bucket: "artifacts".into(),
            processed_bucket: "processed".into(),
            quarantine_bucket: "quarantine".into(),
            load: InboundQueue { url: "load".into(), dead_letter_url: "load-dead".into() },
            database: self.db.config(),
            rows_per_second: 0,
            is_adaptive,
            min_rows_per_second: 2_000,
            busy_sessions: 4,
            instance: None,
        };
        Writer::new(self.store.clone(), self.queue.clone(), self.db.writer(), &config)
    }

    /// Stores the manifest of a batch of two chunks. Returns the event of the first, which has been received
    /// `receive_count` times; the batch stays open.
    fn event(&self, batch: u128, rows: u32, receive_count: u32) -> SqsEvent {
        let rows = (0..rows).map(|row| product(&format!("{batch}-{row}"), "t", 1, 1));
        let chunk = ChunkOf::batch(batch).numbered(0, 2).rows(&contract_of(&yaml()), rows);
        let key = layout::manifest(&chunk.message.batch_id);
        self.store.insert("processed", &key, to_json(&*chunk.manifest));
        let record = SqsRecord {
            message_id: "m".into(),
            receipt_handle: "h".into(),
            body: serde_json::to_string(&chunk.message).unwrap(),
            attributes: SqsAttributes { approximate_receive_count: Some(receive_count.to_string()) },
        };
        SqsEvent { records: vec![record] }
    }

    fn states(&self) -> Vec<WriterState> {
        let keys = self.store.keys("processed", layout::WRITERS);
        keys.iter().map(|key| self.store.json("processed", key)).collect()
    }
}

fn yaml() -> String {
    contract_yaml("shop", "1.0.0", &[("eventTime", "updated_at")], PRODUCTS)
}

/// Returns whether the message was processed.
async fn run(writer: &mut Writer<MemoryStore, MemoryQueue, Postgres>, event: &SqsEvent) -> bool {
    let deadline = Deadline::of_invocation(SystemTime::now() + Duration::from_secs(180));
    handle(writer, event, deadline).await.batch_item_failures.is_empty()
}

#[tokio::test]
async fn a_chunk_is_retried_soon_after_a_lost_session_however_often_it_was_received() {
    let setup = Setup::new();
    let mut writer = setup.writer(true);
    assert!(run(&mut writer, &setup.event(1, 1, 1)).await);
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS \
                $$ BEGIN PERFORM pg_sleep(30); RETURN new; END $$; \
                CREATE TRIGGER slow BEFORE INSERT ON products FOR EACH ROW EXECUTE FUNCTION slow()";
    setup.db.client().await.batch_execute(slow).await.unwrap();
    let second = setup.event(2, 1, 9);
    let (is_processed, ()) = tokio::join!(run(&mut writer, &second), async {
        wait_for(&setup.db, "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'").await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
        let client = setup.db.client().await;
        client.batch_execute(end).await.unwrap();
        client.batch_execute("DROP TRIGGER slow ON products").await.unwrap();
    });
    assert!(!is_processed);
    // The delay of an outage that has just begun, with up to a quarter of jitter.
    let [(_, delay)] = setup.queue.delays()[..] else { panic!("one message is delayed") };
    assert!((Duration::from_secs(2)..=Duration::from_millis(2_500)).contains(&delay), "{delay:?}");
    assert!(run(&mut writer, &second).await);
    assert_eq!(setup.db.rows("SELECT count(*) FROM products").await, ["2"]);
}

#[tokio::test]
async fn the_state_of_a_writer_is_stored_at_most_twice_a_minute() {
    let setup = Setup::new();
    let mut writer = setup.writer(true);
    for batch in 1..4 {
        assert!(run(&mut writer, &setup.event(batch, 3, 1)).await);
    }
    let puts = setup
        .store
        .calls()
        .into_iter()
        .filter(|(call, at)| *call == Call::Put && at.contains(layout::WRITERS));
    assert_eq!(puts.count(), 1);
    let [state] = &setup.states()[..] else { panic!("one writer") };
    assert_eq!(state.load.map(|load| load.active_sessions), Some(0));
    assert_eq!((state.budget_rows_per_second, state.min_rows_per_second), (None, Some(2_000)));
    assert!(state.transaction_rows_per_second.is_some_and(|rate| rate > 0));

    // A writer that cannot store its state loads all the same.
    setup.store.fail(Call::Put, layout::WRITERS, Fault::Refused);
    assert!(run(&mut setup.writer(true), &setup.event(9, 3, 1)).await);
    assert_eq!(setup.states().len(), 1);
}

#[tokio::test]
async fn an_adaptive_writer_slows_down_while_its_locks_block_others() {
    let setup = Setup::new();
    // Another writer blocks somebody.
    let url = format!("{}?application_name={APPLICATION_NAME}", setup.db.cluster.url());
    let (holder, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    holder.batch_execute("CREATE TABLE locked (a int)").await.unwrap();
    holder.batch_execute("BEGIN; LOCK TABLE locked").await.unwrap();
    let blocked = setup.db.client().await;
    tokio::spawn(async move { blocked.batch_execute("SELECT * FROM locked").await });
    wait_for(&setup.db, "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'").await;

    assert!(run(&mut setup.writer(true), &setup.event(1, 20_000, 1)).await);
    let adaptive = setup.states().remove(0);
    assert_eq!(adaptive.congestion, [CongestionSignal::BlockedSessions]);
    assert!(adaptive.budget_rows_per_second.is_some_and(|budget| budget >= 2_000), "{adaptive:?}");
    // A fixed throttle measures nothing.
    assert!(run(&mut setup.writer(false), &setup.event(2, 20_000, 1)).await);
    let fixed = setup.states().into_iter().find(|state| state.writer != adaptive.writer).unwrap();
    assert_eq!((fixed.load, fixed.budget_rows_per_second, fixed.min_rows_per_second), (None, None, None));
}
