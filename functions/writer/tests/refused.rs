//! Rows that only the database refuses become rejects, and the other rows of their chunk are loaded.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::time::SystemTime;

use jiff::Timestamp;
use penstock_aws::commit::to_json;
use penstock_aws::deadline::Deadline;
use penstock_aws::sqs_event::{InboundQueue, SqsAttributes, SqsEvent, SqsRecord};
use penstock_aws::telemetry::Metrics;
use penstock_aws::testing::{Call, Fault, MemoryQueue, MemoryStore};
use penstock_contract::Contract;
use penstock_engine::{Code, Reject, Totals};
use penstock_pipeline::{Drop, LoadMessage, Manifest, ManifestState, Receipt, ReceiptState, Seconds, layout};
use penstock_writer::chunk::VerifiedChunk;
use penstock_writer::config::WriterConfig;
use penstock_writer::database::Postgres;
use penstock_writer::handler::{Writer, handle};
use support::{ChunkOf, Db, PRODUCTS, contract_of, contract_yaml, product};
use uuid::Uuid;

/// A writer of a contract that allows rejects, and a table that it has created.
struct World {
    db: Db,
    store: MemoryStore,
    queue: MemoryQueue,
    writer: Writer<MemoryStore, MemoryQueue, Postgres>,
    contract: Contract,
}

impl World {
    /// Creates the table of the contract, then changes it by hand.
    async fn new(custom: &[(&str, &str)], properties: &str, change: &str) -> Self {
        let yaml = contract_yaml("shop", "1.0.0", custom, properties);
        let (db, store, queue) = (Db::start(), MemoryStore::new(), MemoryQueue::new());
        store.insert("artifacts", "contracts/shop/1.0.0.yaml", yaml.clone());
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
        let mut world = Self { db, store, queue, writer, contract: contract_of(&yaml) };
        let nothing = world.commit(999, &[Vec::new()], 0);
        assert!(world.load(&nothing).await.is_empty());
        world.db.client().await.batch_execute(change).await.unwrap();
        world
    }

    async fn upserts(change: &str) -> Self {
        Self::new(&[("eventTime", "updated_at"), ("maxRejectsPercent", "50")], PRODUCTS, change).await
    }

    /// Commits a batch with these chunks as ingest does, of which `rejected` rows were rejected.
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

    async fn load(&mut self, messages: &[LoadMessage]) -> Vec<String> {
        let record = |(index, message): (usize, &LoadMessage)| SqsRecord {
            message_id: format!("m{index}"),
            receipt_handle: format!("h{index}"),
            body: serde_json::to_string(message).unwrap(),
            attributes: SqsAttributes { approximate_receive_count: Some("1".into()) },
        };
        let event = SqsEvent { records: messages.iter().enumerate().map(record).collect() };
        let deadline = Deadline::of_invocation(SystemTime::now() + std::time::Duration::from_secs(180));
        let response = handle(&mut self.writer, &event, deadline).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    /// Commits and loads a batch, and returns its receipt.
    async fn loaded(&mut self, batch: u128, chunks: &[Vec<String>], rejected: u64) -> Receipt {
        let messages = self.commit(batch, chunks, rejected);
        assert!(self.load(&messages).await.is_empty());
        self.receipt(batch)
    }

    fn receipt(&self, batch: u128) -> Receipt {
        self.store.json("processed", &layout::receipt("shop", &Uuid::from_u128(batch)))
    }

    /// Returns the rejects in the files of a receipt that the writer wrote.
    fn rejects(&self, receipt: &Receipt) -> Vec<Reject> {
        let keys = receipt.rejects.iter().filter_map(|uri| uri.strip_prefix("s3://quarantine/"));
        keys.filter(|key| key.contains("rejects-database-"))
            .flat_map(|key| {
                let file = zstd::decode_all(&self.store.object("quarantine", key).unwrap()[..]).unwrap();
                String::from_utf8(file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }
}

/// Returns `row, column: rule` of each reject, with its number and values.
fn described(rejects: &[Reject]) -> Vec<String> {
    let describe = |reject: &Reject| {
        let [reason] = &reject.reasons[..] else { panic!("one reason") };
        assert_eq!((reason.code, &reason.found), (Code::DatabaseRefused, &None));
        let column = reason.column.as_deref().unwrap_or("~");
        format!("{} {column} {}", reject.row, reason.rule)
    };
    rejects.iter().map(describe).collect()
}

fn good(prefix: &str, count: u32) -> Vec<String> {
    (0..count).map(|n| product(&format!("{prefix}{n:06}"), "t", 1, 1)).collect()
}

#[tokio::test]
async fn a_row_that_any_rule_of_the_table_refuses_becomes_a_reject_that_names_the_rule() {
    let cases = [
        (
            "ADD CONSTRAINT positive CHECK (qty > 0)",
            product("bad", "t", -1, 1),
            "~ check constraint positive",
        ),
        (
            "ADD CONSTRAINT titles UNIQUE (title, qty)",
            product("bad", "first", 7, 1),
            "~ unique constraint titles",
        ),
        ("ALTER qty SET NOT NULL", "bad\tt\t\\N\t2026-01-01".to_owned(), "qty NOT NULL"),
        (
            "ADD CONSTRAINT known FOREIGN KEY (qty) REFERENCES public.numbers (n)",
            product("bad", "t", 77, 1),
            "~ foreign key known",
        ),
        (
            "ADD CONSTRAINT later FOREIGN KEY (qty) REFERENCES public.numbers (n) DEFERRABLE INITIALLY DEFERRED",
            product("bad", "t", 77, 1),
            "~ foreign key later",
        ),
        (
            "ADD CONSTRAINT apart EXCLUDE USING btree (title WITH =) WHERE (qty = 9)",
            product("bad", "nine", 9, 1),
            "~ exclusion constraint apart",
        ),
    ];
    for (change, bad, expected) in cases {
        let change = format!(
            "CREATE TABLE public.numbers AS SELECT generate_series(0, 9) AS n; ALTER TABLE public.numbers ADD PRIMARY KEY (n); \
             ALTER TABLE public.products {change}"
        );
        let mut world = World::upserts(&change).await;
        let mut rows = good("a", 300);
        for row in &mut rows {
            *row = row.replace("\tt\t", &format!("\t{}\t", row.split('\t').next().unwrap()));
        }
        rows[10] = product("first", "first", 7, 1);
        rows[11] = product("nine", "nine", 9, 1);
        rows[200] = bad;
        let receipt = world.loaded(1, &[rows], 0).await;
        assert_eq!(receipt.state, ReceiptState::Loaded, "{change}");
        let counts = receipt.rows;
        assert_eq!(
            (counts.read, counts.accepted, counts.rejected, counts.loaded),
            (300, 300, 1, 299),
            "{change}"
        );
        assert_eq!(described(&world.rejects(&receipt)), [format!("201 {expected}")]);
        assert_eq!(world.db.rows("SELECT count(*) FROM public.products WHERE sku = 'bad'").await, ["0"]);
        let ledger = "SELECT c.rows, c.loaded, c.rejected, b.rejected, b.balanced FROM penstock.chunk AS c \
                      JOIN penstock.batch AS b USING (batch_id) WHERE c.rows > 0";
        assert_eq!(world.db.rows(ledger).await, ["300|299|1|1|t"], "{change}");
        assert!(world.queue.dead().is_empty());
    }
}

/// Errors of triggers and of limits of PostgreSQL, which name no constraint.
#[tokio::test]
async fn a_row_that_a_trigger_or_a_limit_refuses_becomes_a_reject_without_its_values() {
    let raise = "CREATE FUNCTION public.check_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF new.qty = -1 THEN RAISE 'no % here', new.title USING ERRCODE = '{}'; END IF; RETURN new; END $$; \
                 CREATE TRIGGER check_row BEFORE INSERT ON public.products FOR EACH ROW EXECUTE FUNCTION public.check_row()";
    for code in ["P0001", "MY001", "23514", "22000"] {
        let mut world = World::upserts(&raise.replace("{}", code)).await;
        let mut rows = good("a", 20);
        rows[7] = product("bad", "hunter2", -1, 1);
        let receipt = world.loaded(1, &[rows], 0).await;
        assert_eq!((receipt.rows.loaded, receipt.rows.rejected), (19, 1), "{code}");
        let rejects = world.rejects(&receipt);
        assert!(
            described(&rejects)[0].starts_with(&format!("8 ~ SQLSTATE {code}")),
            "{:?}",
            described(&rejects)
        );
        assert!(!rejects[0].reasons[0].rule.contains("hunter2"), "{code}");
    }
    // An index on a text that is too long for it.
    let mut world = World::upserts("CREATE INDEX ON public.products (title)").await;
    let mut rows = good("a", 20);
    let noise: String =
        (0..400).map(|n| Uuid::from_u128(n * 0x9E37_79B9_7F4A_7C15_F39C_0C2B).simple().to_string()).collect();
    rows[3] = product("bad", &noise, 1, 1);
    let receipt = world.loaded(1, &[rows], 0).await;
    assert_eq!((receipt.rows.loaded, receipt.rows.rejected), (19, 1));
    assert!(described(&world.rejects(&receipt))[0].starts_with("4 ~ SQLSTATE 54000: index row"));
}

#[tokio::test]
async fn values_of_classified_columns_are_not_in_the_reject() {
    let properties = "
      - {name: sku, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
      - {name: email, logicalType: string, classification: confidential}
      - {name: qty, logicalType: integer, physicalType: integer}";
    let custom = [("unexpectedColumns", "rescue"), ("maxRejectsPercent", "100")];
    let change = "ALTER TABLE public.products ADD CONSTRAINT positive CHECK (qty > 0)";
    let mut world = World::new(&custom, properties, change).await;
    let rows = vec![
        "a\thunter2\t-1\t{\"mail\": \"hunter2\"}".to_owned(),
        "b\t\\N\t0\t\\N".to_owned(),
        "c\thunter2\t1\t\\N".to_owned(),
    ];
    let receipt = world.loaded(1, &[rows], 0).await;
    let raw: Vec<String> = world.rejects(&receipt).into_iter().map(|reject| reject.raw).collect();
    let expected = [
        r#"{"sku":"a","email":"[classified]","qty":-1,"_rescued":"[classified]"}"#,
        r#"{"sku":"b","email":null,"qty":0,"_rescued":null}"#,
    ];
    assert_eq!(raw, expected);
    assert_eq!(world.db.rows("SELECT sku, email FROM public.products").await, ["c|hunter2"]);
}

#[tokio::test]
async fn a_refused_row_does_not_replace_another_and_counts_are_exact() {
    let mut world =
        World::upserts("ALTER TABLE public.products ADD CONSTRAINT positive CHECK (qty > 0)").await;
    assert_eq!(world.loaded(1, &[vec![product("old", "stored", 1, 9)]], 0).await.rows.loaded, 1);
    let rows = vec![
        product("a", "older", 1, 1),
        product("a", "newer, but refused", -1, 2),
        product("b", "first", 1, 1),
        product("b", "second", 1, 2),
        product("old", "older than the stored row", 1, 3),
        product("c", "t", -5, 1),
    ];
    let counts = world.loaded(2, &[rows], 1).await.rows;
    assert_eq!((counts.read, counts.accepted, counts.rejected), (7, 6, 3));
    assert_eq!((counts.loaded, counts.deduplicated, counts.superseded), (2, 1, 1));
    assert!(counts.balance());
    let titles = world.db.rows("SELECT sku, title FROM public.products ORDER BY sku").await;
    assert_eq!(titles, ["a|older", "b|second", "old|stored"]);
}

#[tokio::test]
async fn appended_rows_are_loaded_without_the_refused_ones() {
    let properties = "
      - {name: sku, logicalType: string}
      - {name: qty, logicalType: integer, physicalType: integer}";
    let custom = [("write", "append"), ("maxRejectsPercent", "90")];
    let change = "ALTER TABLE public.products ADD CONSTRAINT positive CHECK (qty > 0)";
    let mut world = World::new(&custom, properties, change).await;
    let rows = (0..100).map(|n| format!("k{n}\t{}", if n % 3 == 0 { -1 } else { 1 })).collect();
    let counts = world.loaded(1, &[rows], 0).await.rows;
    assert_eq!((counts.loaded, counts.rejected, counts.deduplicated, counts.superseded), (66, 34, 0, 0));
    assert_eq!(world.db.rows("SELECT count(*) FROM public.products").await, ["66"]);
    // The same without a refused row: nothing is counted as loaded before.
    let counts = world.loaded(2, &[vec!["x\t1".into(), "y\t2".into()]], 0).await.rows;
    assert_eq!((counts.loaded, counts.superseded), (2, 0));
}

#[tokio::test]
async fn a_row_that_refers_to_a_row_of_its_chunk_is_not_refused_with_another_row() {
    let change = "ALTER TABLE public.products ADD CONSTRAINT positive CHECK (qty > 0), \
                  ADD CONSTRAINT parent FOREIGN KEY (title) REFERENCES public.products (sku)";
    let mut world = World::upserts(change).await;
    // Each row refers to the next one, the last to itself.
    let mut rows: Vec<String> =
        (0..100).map(|n| product(&format!("k{n:03}"), &format!("k{:03}", (n + 1).min(99)), 1, 1)).collect();
    rows.push(product("bad", "k000", -1, 1));
    rows.push(product("orphan", "nobody", 1, 1));
    let receipt = world.loaded(1, &[rows], 0).await;
    assert_eq!((receipt.rows.loaded, receipt.rows.rejected), (100, 2));
    let expected = ["101 ~ check constraint positive", "102 ~ foreign key parent"];
    assert_eq!(described(&world.rejects(&receipt)), expected);
}

#[tokio::test]
async fn chunks_of_one_transaction_have_their_own_rejects() {
    let mut world =
        World::upserts("ALTER TABLE public.products ADD CONSTRAINT positive CHECK (qty > 0)").await;
    let chunk = |prefix: &str| {
        let mut rows = good(prefix, 30);
        rows[4] = product(&format!("{prefix}bad"), "t", 0, 1);
        rows
    };
    let mut messages = world.commit(1, &[chunk("a"), chunk("b")], 1);
    messages.extend(world.commit(2, &[good("c", 30)], 0));
    assert!(world.load(&messages).await.is_empty());
    let receipt = world.receipt(1);
    assert_eq!((receipt.state, receipt.rows.loaded, receipt.rows.rejected), (ReceiptState::Loaded, 58, 3));
    let rejects = world.rejects(&receipt);
    assert_eq!(rejects.iter().map(|reject| reject.row).collect::<Vec<_>>(), [5, 1_000_005]);
    let by_reason: Vec<_> = receipt.rejects_by_reason.iter().map(|count| (count.code, count.rows)).collect();
    assert_eq!(by_reason, [(Code::DatabaseRefused, 2)]);
    // The file of ingest is listed, too.
    assert_eq!(receipt.rejects.len(), 3);
    assert_eq!(world.receipt(2).rows.loaded, 30);
    // A redelivery changes nothing.
    assert!(world.load(&messages).await.is_empty());
    assert_eq!(world.receipt(1), receipt);
}

#[tokio::test]
async fn the_reject_limit_includes_rows_that_the_database_refuses() {
    let change = "ALTER TABLE public.products ADD CONSTRAINT positive CHECK (qty > 0)";
    let custom = [("eventTime", "updated_at"), ("maxRejects", "3")];
    let mut world = World::new(&custom, PRODUCTS, change).await;
    let chunk = |prefix: &str, bad: usize| {
        let mut rows = good(prefix, 30);
        rows[..bad].iter_mut().for_each(|row| *row = row.replace("\t1\t", "\t-1\t"));
        rows
    };
    // One was rejected by the contract, and two by the database, in two chunks: that is the limit.
    let receipt = world.loaded(1, &[chunk("a", 1), chunk("b", 1)], 1).await;
    assert_eq!((receipt.state, receipt.rows.rejected), (ReceiptState::Loaded, 3));
    // One more, in the second chunk.
    let messages = world.commit(2, &[chunk("c", 1), chunk("d", 2)], 1);
    for message in &messages {
        assert!(world.load(std::slice::from_ref(message)).await.is_empty());
    }
    let dead = world.queue.dead();
    assert_eq!((dead.len(), dead[0].code.as_str()), (1, "too_many_rejects"));
    for part in ["4 of 61 rows", "at most 3 rows", "constraint positive"] {
        assert!(dead[0].message.contains(part), "{part} in {}", dead[0].message);
    }
    assert_eq!(world.receipt(2).refusal.unwrap().reason.as_deref(), Some("too_many_rejects"));
    assert_eq!(world.db.rows("SELECT count(*) FROM public.products WHERE sku LIKE 'd%'").await, ["0"]);
    assert_eq!(world.db.rows("SELECT count(*) FROM public.products WHERE sku LIKE 'c%'").await, ["29"]);
}

#[tokio::test]
async fn the_chunk_is_applied_again_when_its_rejects_cannot_be_written() {
    let mut world =
        World::upserts("ALTER TABLE public.products ADD CONSTRAINT positive CHECK (qty > 0)").await;
    let mut rows = good("a", 30);
    rows[4] = product("bad", "t", 0, 1);
    let messages = world.commit(1, &[rows], 0);
    for fault in [Fault::Transient, Fault::AfterEffect] {
        world.store.fail(Call::Put, "rejects-database", fault);
        assert_eq!(world.load(&messages).await, ["m0"], "{fault:?}");
        assert_eq!(world.db.rows("SELECT count(*) FROM public.products").await, ["0"]);
    }
    assert!(world.load(&messages).await.is_empty());
    let receipt = world.receipt(1);
    assert_eq!((receipt.rows.loaded, receipt.rows.rejected), (29, 1));
    // Each attempt wrote the same key.
    assert_eq!(world.store.keys("quarantine", "shop/").len(), 1);
}

#[tokio::test]
async fn a_file_of_many_refused_rows_is_loaded_without_them() {
    let mut world =
        World::upserts("ALTER TABLE public.products ADD CONSTRAINT positive CHECK (qty > 0)").await;
    let mut rows = good("a", 5_000);
    rows.iter_mut().step_by(10).for_each(|row| *row = row.replace("\t1\t", "\t-1\t"));
    let receipt = world.loaded(1, &[rows], 0).await;
    assert_eq!((receipt.rows.loaded, receipt.rows.rejected), (4_500, 500));
    assert_eq!(world.rejects(&receipt).len(), 500);
    // The index of the search is not left in the staging table.
    let receipt = world.loaded(2, &[good("b", 10)], 0).await;
    assert_eq!(receipt.rows.loaded, 10);
}

/// During a rollout the writer of the previous release uses the migrated ledger.
#[tokio::test]
async fn a_writer_of_a_release_without_rejects_can_claim_a_chunk() {
    let world = World::upserts("SELECT 1").await;
    let before = "INSERT INTO penstock.chunk (batch_id, chunk, source, target_schema, target_table, contract_version, rows, \
                  loaded, deduplicated, superseded, sha256) \
                  VALUES (gen_random_uuid(), 0, 's', 'p', 't', '1.0.0', 3, 1, 1, 1, '') RETURNING rejected";
    assert_eq!(world.db.rows(before).await, ["0"]);
    let broken = before.replace("3, 1, 1, 1", "3, 1, 1, 0");
    let error = world.db.client().await.batch_execute(&broken).await.unwrap_err();
    assert!(error.to_string().contains("db error"), "{error}");
}
