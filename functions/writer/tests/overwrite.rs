//! Versions of one object. The newest loaded version replaces the others.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::cell::RefCell;
use std::collections::BTreeSet;

use penstock_contract::Contract;
use penstock_pipeline::{DeadCode, Replaced};
use penstock_writer::chunk::VerifiedChunk;
use penstock_writer::database::{Postgres, TargetDatabase as _};
use penstock_writer::error::LoadError;
use penstock_writer::{ChunkOutcome, ClosedBatch};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use support::{ChunkOf, Db, PRODUCTS, applied, apply, contract_of, contract_yaml, product};
use tokio::task::JoinHandle;
use tokio_postgres::Client;
use uuid::Uuid;

const KEY: &str = "shop/feed.csv";
const TITLES: &str = "SELECT sku, title FROM products ORDER BY sku, title";
const VERSIONS: &str = "SELECT right(batch_id::text, 2), right(replaced_by::text, 2), withdrawn \
                        FROM penstock.object_version ORDER BY 1";

fn replacing() -> Contract {
    replacing_with(&[("eventTime", "updated_at")])
}

fn replacing_with(custom: &[(&str, &str)]) -> Contract {
    let custom: Vec<_> = custom.iter().copied().chain([("overwrite", "replace")]).collect();
    contract_of(&contract_yaml("shop", "1.0.0", &custom, PRODUCTS))
}

/// Returns the only chunk of a version that arrived at `second`, whose batch has the same number.
fn version(contract: &Contract, second: u8, rows: &[String]) -> VerifiedChunk {
    ChunkOf::batch(second.into()).dropped_at(second.into()).version_of(KEY, None).rows(contract, rows)
}

/// Closes a chunk's batch, whether or not its chunks have been applied.
async fn close(writer: &mut Postgres, chunk: &VerifiedChunk) -> ClosedBatch {
    try_close(writer, chunk).await.unwrap()
}

async fn try_close(writer: &mut Postgres, chunk: &VerifiedChunk) -> Result<ClosedBatch, LoadError> {
    let progress = writer.progress(&chunk.message.batch_id).await.unwrap().progress;
    writer.close(&chunk.manifest, &progress, true).await
}

async fn load(
    writer: &mut Postgres,
    contract: &Contract,
    chunk: &VerifiedChunk,
) -> (ChunkOutcome, ClosedBatch) {
    let outcome = apply(writer, contract, &[chunk]).await.unwrap()[0];
    (outcome, close(writer, chunk).await)
}

fn replaced(batch: u128, rows: u64) -> Replaced {
    Replaced { batch_id: Uuid::from_u128(batch), rows }
}

#[tokio::test]
async fn a_later_version_replaces_the_rows_of_the_previous_one() {
    let (db, contract) = (Db::start(), replacing());
    let mut writer = db.writer();
    let first = version(&contract, 1, &[product("a", "1", 1, 9), product("b", "1", 1, 9)]);
    let other = ChunkOf::batch(9).dropped_at(9).version_of("shop/other.csv", None);
    let other = other.rows(&contract, [product("o", "9", 1, 9)]);
    // Its rows have earlier event times than those of the first version.
    let second = version(&contract, 2, &[product("b", "2", 1, 1), product("c", "2", 1, 1)]);

    let closed = |replaced| ClosedBatch { is_new: true, replaced, replaced_by: None };
    assert_eq!(load(&mut writer, &contract, &first).await, (applied(2, 0, 0), closed(vec![])));
    assert_eq!(load(&mut writer, &contract, &other).await, (applied(1, 0, 0), closed(vec![])));
    assert_eq!(apply(&mut writer, &contract, &[&second]).await.unwrap(), [applied(2, 0, 0)]);
    assert_eq!(
        db.rows(TITLES).await,
        ["a|1", "b|2", "c|2", "o|9"],
        "the version is not closed yet: it may have more chunks"
    );
    assert_eq!(close(&mut writer, &second).await, closed(vec![replaced(1, 1)]));
    assert_eq!(db.rows(TITLES).await, ["b|2", "c|2", "o|9"]);
    assert_eq!(db.rows(VERSIONS).await, ["01|02|1", "02|~|~", "09|~|~"]);

    // Loaded again, as after a crash before the receipt.
    let again = ClosedBatch { is_new: false, ..closed(vec![replaced(1, 1)]) };
    assert_eq!(load(&mut writer, &contract, &second).await, (ChunkOutcome::AlreadyApplied, again));
    assert_eq!(db.rows(TITLES).await, ["b|2", "c|2", "o|9"]);
}

#[tokio::test]
async fn a_version_that_arrives_after_a_later_one_was_loaded_is_superseded_as_a_whole() {
    let (db, contract) = (Db::start(), replacing());
    let mut writer = db.writer();
    let second = version(&contract, 2, &[product("a", "2", 1, 1)]);
    let first = version(&contract, 1, &[product("a", "1", 1, 9), product("b", "1", 1, 9)]);
    load(&mut writer, &contract, &second).await;
    let (outcome, closed) = load(&mut writer, &contract, &first).await;
    assert_eq!(outcome, applied(0, 0, 2));
    let expected = ClosedBatch { is_new: true, replaced: vec![], replaced_by: Some(Uuid::from_u128(2)) };
    assert_eq!(closed, expected);
    assert_eq!(db.rows(TITLES).await, ["a|2"]);
    assert_eq!(db.rows("SELECT loaded, superseded FROM penstock.chunk ORDER BY 1").await, ["0|2", "1|0"]);
}

#[tokio::test]
async fn a_version_without_rows_deletes_all_rows_of_the_previous_one() {
    let (db, contract) = (Db::start(), replacing());
    let mut writer = db.writer();
    load(&mut writer, &contract, &version(&contract, 1, &[product("a", "1", 1, 1)])).await;
    let empty = version(&contract, 2, &[]);
    let (outcome, closed) = load(&mut writer, &contract, &empty).await;
    assert_eq!((outcome, closed.replaced), (applied(0, 0, 0), vec![replaced(1, 1)]));
    assert!(db.rows(TITLES).await.is_empty());
}

#[tokio::test]
async fn the_sequencer_orders_versions_with_the_same_time() {
    let (db, contract) = (Db::start(), replacing());
    let mut writer = db.writer();
    let cases = [("0055AE", "0055AF"), ("0055AE", "0055AE01"), ("00FF00", "01"), ("09", "0A")];
    for ((earlier, later), number) in cases.into_iter().zip(1u128..) {
        let key = format!("shop/{number}.csv");
        let of = |batch, sequencer, title| {
            let chunk = ChunkOf::batch(batch).dropped_at(1).version_of(&key, Some(sequencer));
            chunk.rows(&contract, [product(&format!("k{number}"), title, 1, 1)])
        };
        load(&mut writer, &contract, &of(number * 10, later, "later")).await;
        load(&mut writer, &contract, &of(number * 10 + 1, earlier, "earlier")).await;
    }
    assert_eq!(db.rows(TITLES).await, ["k1|later", "k2|later", "k3|later", "k4|later"]);
}

#[tokio::test]
async fn appended_rows_of_an_earlier_version_are_deleted_too() {
    let (db, contract) = (Db::start(), replacing_with(&[("write", "append")]));
    let mut writer = db.writer();
    let rows = |title: &str| [product("a", title, 1, 1), product("a", title, 1, 1)];
    load(&mut writer, &contract, &version(&contract, 1, &rows("1"))).await;
    let (outcome, closed) = load(&mut writer, &contract, &version(&contract, 2, &rows("2"))).await;
    assert_eq!((outcome, closed.replaced), (applied(2, 0, 0), vec![replaced(1, 2)]));
    assert_eq!(db.rows(TITLES).await, ["a|2", "a|2"]);
}

#[tokio::test]
async fn rows_of_an_earlier_version_are_deleted_from_the_table_of_its_contract() {
    let (db, contract) = (Db::start(), replacing());
    let mut writer = db.writer();
    let moved = contract_yaml("shop", "2.0.0", &[("overwrite", "replace")], PRODUCTS);
    let moved = contract_of(&moved.replace("public.products", "public.goods"));
    load(&mut writer, &contract, &version(&contract, 1, &[product("a", "1", 1, 1)])).await;
    let (_, closed) = load(&mut writer, &moved, &version(&moved, 2, &[product("a", "2", 1, 1)])).await;
    assert_eq!(closed.replaced, [replaced(1, 1)]);
    assert!(db.rows(TITLES).await.is_empty());
    assert_eq!(db.rows("SELECT sku, title FROM goods").await, ["a|2"]);

    // The old table has been dropped in the meantime: there is nothing to delete.
    db.client().await.batch_execute("DROP TABLE goods").await.unwrap();
    let (_, closed) = load(&mut writer, &contract, &version(&contract, 3, &[product("a", "3", 1, 1)])).await;
    assert_eq!(closed.replaced, [replaced(2, 0)]);
}

#[tokio::test]
async fn a_message_without_an_object_is_refused() {
    let (db, contract) = (Db::start(), replacing());
    let chunk = ChunkOf::batch(1).rows(&contract, [product("a", "1", 1, 1)]);
    let error = apply(&mut db.writer(), &contract, &[&chunk]).await.unwrap_err();
    assert_eq!((error.code(), error.is_transient()), (Some(DeadCode::InvalidChunk), false));
    assert!(error.to_string().contains("the message names no object"), "{error}");
}

#[tokio::test]
async fn closing_a_batch_without_chunks_deletes_nothing() {
    let (db, contract) = (Db::start(), replacing());
    let mut writer = db.writer();
    load(&mut writer, &contract, &version(&contract, 1, &[product("a", "1", 1, 1)])).await;
    let unregistered = version(&contract, 2, &[]);
    let error = try_close(&mut writer, &unregistered).await.unwrap_err();
    assert_eq!((error.code(), error.is_transient()), (Some(DeadCode::Miscounted), false));
    assert_eq!(db.rows(TITLES).await, ["a|1"]);
    assert_eq!(db.rows("SELECT count(*) FROM penstock.batch").await, ["1"]);
}

#[tokio::test]
async fn the_index_by_batch_is_added_to_a_table_that_lacks_it() {
    let (db, contract) = (Db::start(), support::products("shop"));
    let mut writer = db.writer();
    let indexes =
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'products' AND indexdef LIKE '%_batch_id%'";
    let chunk = ChunkOf::batch(1).rows(&contract, [product("a", "1", 1, 1)]);
    apply(&mut writer, &contract, &[&chunk]).await.unwrap();
    assert!(db.rows(indexes).await.is_empty());
    for (second, mut writer) in [(2, db.writer()), (3, db.writer())] {
        let contract = replacing();
        load(&mut writer, &contract, &version(&contract, second, &[product("a", "2", 1, 2)])).await;
        assert_eq!(db.rows(indexes).await.len(), 1);
    }
}

#[derive(Debug, Clone)]
struct Case {
    /// Keys and event times of the rows of each version's chunks.
    versions: Vec<Vec<Vec<(u8, u32)>>>,
    /// Version and chunk, in the order of arrival.
    order: Vec<(usize, usize)>,
    /// For each transaction, the one of two writers that executes it.
    turns: Vec<usize>,
}

/// The chunks of three versions of an object arrive in any order, and a version is closed once all of its chunks are
/// applied. In the end there are the rows of the last version only.
#[test]
fn the_last_version_remains_whatever_the_order_of_arrival() {
    let (db, contract) = (Db::start(), replacing());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = runtime.block_on(db.client());
    let writers = RefCell::new([db.writer(), db.writer()]);
    runtime.block_on(load(&mut writers.borrow_mut()[0], &contract, &version(&contract, 99, &[])));
    let rows = || prop::collection::vec((0..4u8, 0..3u32), 0..4);
    let versions = prop::collection::vec(prop::collection::vec(rows(), 1..3), 3);
    let cases = versions.prop_flat_map(|versions| {
        let chunks: Vec<(usize, usize)> = versions
            .iter()
            .enumerate()
            .flat_map(|(version, chunks)| (0..chunks.len()).map(move |chunk| (version, chunk)))
            .collect();
        (Just(versions), Just(chunks).prop_shuffle(), prop::collection::vec(0..2usize, 6))
    });
    let cases = cases.prop_map(|(versions, order, turns)| Case { versions, order, turns });
    let config = ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() };
    let check = |Case { versions, order, turns }: Case| {
        let writers = &mut *writers.borrow_mut();
        let tables = "TRUNCATE products, penstock.chunk, penstock.batch, penstock.superseded, \
                      penstock.object_version";
        runtime.block_on(client.batch_execute(tables)).unwrap();
        // A session remembers the batches that are in the ledger.
        *writers = [db.writer(), db.writer()];
        let chunk_of = |version: usize, chunk: usize| {
            let rows = versions[version][chunk].iter();
            let rows = rows.map(|(key, time)| product(&format!("k{key}"), &version.to_string(), 1, *time));
            ChunkOf::batch(version as u128 + 1)
                .dropped_at(i64::try_from(version).unwrap())
                .numbered(u32::try_from(chunk).unwrap(), u32::try_from(versions[version].len()).unwrap())
                .version_of(KEY, None)
                .rows(&contract, rows)
        };
        let mut remaining: Vec<usize> = versions.iter().map(Vec::len).collect();
        // Consecutive chunks of one version share a transaction.
        for (arrivals, turn) in order.chunk_by(|(one, _), (other, _)| one == other).zip(turns) {
            let chunks: Vec<_> = arrivals.iter().map(|(version, chunk)| chunk_of(*version, *chunk)).collect();
            let chunks: Vec<_> = chunks.iter().collect();
            runtime.block_on(apply(&mut writers[turn], &contract, &chunks)).unwrap();
            let version = arrivals[0].0;
            remaining[version] -= chunks.len();
            if remaining[version] == 0 {
                runtime.block_on(close(&mut writers[1 - turn], chunks[0]));
            }
        }
        let last = versions.last().expect("three versions");
        let keys: BTreeSet<u8> = last.iter().flatten().map(|(key, _)| *key).collect();
        let expected: Vec<String> = keys.iter().map(|key| format!("k{key}|2")).collect();
        prop_assert_eq!(runtime.block_on(db.rows(TITLES)), expected);
        let unaccounted =
            "SELECT count(*) FROM penstock.chunk WHERE rows <> loaded + deduplicated + superseded";
        prop_assert_eq!(runtime.block_on(db.rows(unaccounted)), ["0"]);
        Ok(())
    };
    TestRunner::new(config).run(&cases, check).unwrap();
}

#[tokio::test]
async fn a_version_that_is_replaced_before_its_close_gets_its_counts() {
    let (db, contract) = (Db::start(), replacing());
    let mut writer = db.writer();
    let first = version(&contract, 1, &[product("a", "1", 1, 1), product("b", "1", 1, 1)]);
    let second = version(&contract, 2, &[product("a", "2", 1, 1)]);
    assert_eq!(apply(&mut writer, &contract, &[&first]).await.unwrap(), [applied(2, 0, 0)]);
    load(&mut writer, &contract, &second).await;
    assert_eq!(db.rows(TITLES).await, ["a|2"]);
    let batch = "SELECT state, loaded, closed_at IS NOT NULL FROM penstock.batch ORDER BY batch_id LIMIT 1";
    assert_eq!(db.rows(batch).await, ["replaced|~|f"]);
    let closed = close(&mut writer, &first).await;
    assert_eq!((closed.is_new, closed.replaced_by), (true, Some(second.message.batch_id)));
    assert_eq!(db.rows(batch).await, ["replaced|2|t"]);
    assert_eq!(db.rows(TITLES).await, ["a|2"]);
}

/// Returns true when the started work waits for a lock that another session holds, and continues once it is released.
async fn waits(db: &Db, holder: &Client, start: impl FnOnce() -> JoinHandle<()>) -> bool {
    let lock = format!("SELECT pg_advisory_lock_shared(hashtextextended('penstock object raw/{KEY}', 0))");
    holder.batch_execute(&lock).await.unwrap();
    let work = start();
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    let mut has_waited = false;
    while !has_waited && !work.is_finished() {
        has_waited = db.rows(waiting).await != ["0"];
    }
    holder.batch_execute("SELECT pg_advisory_unlock_all()").await.unwrap();
    work.await.unwrap();
    has_waited
}

#[tokio::test]
async fn registering_and_closing_a_version_excludes_applying_another() {
    let (db, contract) = (Db::start(), replacing());
    let holder = db.client().await;
    let of = |index| {
        let chunk = ChunkOf::batch(1).numbered(index, 2).version_of(KEY, None);
        chunk.rows(&contract, [product("a", "1", 1, 1)])
    };
    // The table is made before.
    let other = ChunkOf::batch(9).version_of("shop/other.csv", None).rows(&contract, [] as [&str; 0]);
    apply(&mut db.writer(), &contract, &[&other]).await.unwrap();
    for (chunk, is_waiting) in [(of(0), true), (of(1), false)] {
        let (contract, mut writer) = (contract.clone(), db.writer());
        let applying = Box::pin(async move {
            apply(&mut writer, &contract, &[&chunk]).await.unwrap();
        });
        assert_eq!(waits(&db, &holder, || tokio::spawn(applying)).await, is_waiting);
    }
    let (chunk, mut writer) = (of(1), db.writer());
    let closing = Box::pin(async move {
        close(&mut writer, &chunk).await;
    });
    assert!(waits(&db, &holder, || tokio::spawn(closing)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_versions_that_are_loaded_concurrently_only_the_last_remains() {
    let (db, contract) = (Db::start(), replacing());
    let last = 6u8;
    let work = |parity: u8| {
        let (contract, mut writer) = (contract.clone(), db.writer());
        async move {
            // One writer loads every second version in order, the other one the remaining versions in reverse.
            let mut seconds: Vec<u8> = (1..=last).filter(|second| second % 2 == parity).collect();
            if parity == 1 {
                seconds.reverse();
            }
            for second in seconds {
                let rows: Vec<String> = (0..2_000u32)
                    .filter(|n| n % u32::from(second) == 0)
                    .map(|n| product(&format!("k{n:05}"), &second.to_string(), 1, 60 - u32::from(second)))
                    .collect();
                load(&mut writer, &contract, &version(&contract, second, &rows)).await;
            }
        }
    };
    let (one, two) = (tokio::spawn(work(0)), tokio::spawn(work(1)));
    one.await.unwrap();
    two.await.unwrap();
    let expected = [format!("{last}|{}", 2_000u32.div_ceil(u32::from(last)))];
    assert_eq!(db.rows("SELECT title, count(*) FROM products GROUP BY title").await, expected);
    let current = "SELECT right(batch_id::text, 1) FROM penstock.object_version WHERE replaced_by IS NULL";
    assert_eq!(db.rows(current).await, ["6"]);
}
