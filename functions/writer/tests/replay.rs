//! Replays, which replace the rows of the batches before, and the order of batches of one time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use penstock_contract::Contract;
use penstock_pipeline::{DeadCode, DeadReason, ReceiptState, Replaced, SupersededBy};
use penstock_writer::chunk::VerifiedChunk;
use penstock_writer::database::{Postgres, TargetDatabase as _};
use penstock_writer::{ChunkOutcome, ClosedBatch};
use support::{ChunkOf, Db, appended, applied, apply, product, products};
use uuid::Uuid;

const TITLES: &str = "SELECT sku, title FROM products ORDER BY sku, title";
const STATES: &str =
    "SELECT right(batch_id::text, 2), state, right(replaced_by::text, 2) FROM penstock.batch ORDER BY 1";

async fn close(writer: &mut Postgres, chunk: &VerifiedChunk) -> ClosedBatch {
    let progress = writer.progress(&chunk.message.batch_id).await.unwrap().progress;
    writer.close(&chunk.manifest, &progress, true).await.unwrap()
}

async fn load(writer: &mut Postgres, contract: &Contract, chunk: &VerifiedChunk) -> ClosedBatch {
    assert!(matches!(apply(writer, contract, &[chunk]).await.unwrap()[0], ChunkOutcome::Applied(_)));
    close(writer, chunk).await
}

#[tokio::test]
async fn a_replay_replaces_the_rows_of_the_batch_before_even_where_they_are_newer() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let first = ChunkOf::batch(1).rows(&contract, [product("a", "old", 1, 9), product("b", "old", 1, 9)]);
    load(&mut writer, &contract, &first).await;
    let replay = ChunkOf::batch(2).replaying(1, &[1]).rows(&contract, [product("a", "new", 1, 1)]);
    let closed = load(&mut writer, &contract, &replay).await;
    assert_eq!(db.rows(TITLES).await, ["a|new"]);
    assert_eq!(closed.replaced, [Replaced { batch_id: Uuid::from_u128(1), rows: 1 }]);
    assert_eq!(db.rows(STATES).await, ["01|replaced|02", "02|loaded|~"]);
    // The close may be repeated.
    assert_eq!(close(&mut writer, &replay).await, ClosedBatch { is_new: false, ..closed });
}

#[tokio::test]
async fn a_replay_of_appended_rows_does_not_double_them() {
    let (db, contract) = (Db::start(), appended("shop"));
    let mut writer = db.writer();
    load(&mut writer, &contract, &ChunkOf::batch(1).rows(&contract, ["a\t1", "b\t2"])).await;
    let replay = ChunkOf::batch(2).replaying(1, &[1]).rows(&contract, ["a\t1", "b\t3", "c\t4"]);
    load(&mut writer, &contract, &replay).await;
    assert_eq!(db.rows("SELECT sku, qty FROM products ORDER BY sku").await, ["a|1", "b|3", "c|4"]);
}

#[tokio::test]
async fn chunks_of_a_replayed_batch_are_not_applied_after_the_first_chunk_of_the_replay() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let first = |index, row: String| ChunkOf::batch(1).numbered(index, 3).rows(&contract, [row]);
    let (one, two) = (first(0, product("a", "old", 1, 9)), first(1, product("b", "old", 1, 9)));
    assert_eq!(apply(&mut writer, &contract, &[&one]).await.unwrap(), [applied(1, 0, 0)]);
    let replay =
        |index, row: String| ChunkOf::batch(2).numbered(index, 2).replaying(1, &[1]).rows(&contract, [row]);
    apply(&mut writer, &contract, &[&replay(0, product("c", "new", 1, 1))]).await.unwrap();
    // In one transaction with an applied chunk, and with a chunk of another batch.
    let other = ChunkOf::batch(3).rows(&contract, [product("d", "other", 1, 1)]);
    let outcomes = apply(&mut db.writer(), &contract, &[&two, &other, &one]).await.unwrap();
    assert_eq!(outcomes, [ChunkOutcome::Stopped, applied(1, 0, 0), ChunkOutcome::Stopped]);
    assert_eq!(db.rows(TITLES).await, ["a|old", "c|new", "d|other"], "until the replay is closed");
    load(&mut writer, &contract, &replay(1, product("e", "new", 1, 1))).await;
    assert_eq!(db.rows(TITLES).await, ["c|new", "d|other", "e|new"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_waits_for_transactions_of_the_batch_that_it_replaces() {
    let (db, contract) = (Db::start(), products("shop"));
    // Its statements are prepared, which needs a lock on the table too.
    let mut first_writer = db.writer();
    let empty = ChunkOf::batch(9).rows(&contract, [] as [&str; 0]);
    apply(&mut first_writer, &contract, &[&empty]).await.unwrap();
    let first = ChunkOf::batch(1).rows(&contract, [product("a", "old", 1, 9)]);
    let replay = ChunkOf::batch(2).replaying(1, &[1]).rows(&contract, [product("b", "new", 1, 1)]);
    let mut blocker = db.client().await;
    let lock = blocker.transaction().await.unwrap();
    lock.batch_execute("LOCK TABLE products IN SHARE MODE").await.unwrap();
    let apply_first = tokio::spawn({
        let contract = contract.clone();
        async move { apply(&mut first_writer, &contract, &[&first]).await.unwrap() }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    while db.rows(waiting).await != ["1"] {}
    let load_replay = tokio::spawn({
        let (mut writer, contract) = (db.writer(), contract.clone());
        async move { load(&mut writer, &contract, &replay).await }
    });
    while db.rows(waiting).await != ["2"] {}
    lock.commit().await.unwrap();
    assert_eq!(apply_first.await.unwrap(), [applied(1, 0, 0)]);
    load_replay.await.unwrap();
    assert_eq!(db.rows(TITLES).await, ["b|new"]);
}

/// The event times, priorities and times of the drop are equal.
#[tokio::test]
async fn rows_of_one_time_are_ordered_by_key_or_by_the_sequencer_of_their_object() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let of_keys = [("shop/a.csv", None), ("shop/b.csv", None)];
    let of_versions = [("shop/a.csv", Some("0A1")), ("shop/a.csv", Some("0B"))];
    let mut batch = 0;
    for [lesser, greater] in [of_keys, of_versions] {
        // The ids of the batches are in both orders, and so are the arrivals, in one transaction and in two.
        for (ids, order, is_shared) in [
            ([1, 2], [0, 1], false),
            ([2, 1], [0, 1], false),
            ([2, 1], [1, 0], false),
            ([1, 2], [1, 0], true),
            ([2, 1], [0, 1], true),
        ] {
            batch += 10;
            let sku = format!("sku {batch}");
            let chunk = |id: u128, (key, sequencer): (&str, Option<&str>), title| {
                let row = product(&sku, title, 1, 1);
                let mut chunk = ChunkOf::batch(batch + id).of_object(key).rows(&contract, [row]);
                let manifest = Arc::get_mut(&mut chunk.manifest).unwrap();
                manifest.drop.sequencer = sequencer.map(str::to_owned);
                chunk
            };
            let chunks = [chunk(ids[0], lesser, "lesser"), chunk(ids[1], greater, "greater")];
            let ordered = order.map(|index: usize| &chunks[index]);
            for transaction in ordered.chunks(if is_shared { 2 } else { 1 }) {
                apply(&mut writer, &contract, transaction).await.unwrap();
            }
            let title = format!("SELECT title FROM products WHERE sku = '{sku}'");
            assert_eq!(db.rows(&title).await, ["greater"], "{lesser:?}, {ids:?} {order:?}");
        }
    }
}

#[tokio::test]
async fn the_progress_names_the_batches_that_superseded_rows() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let newer = |batch, keys: &[&str]| {
        ChunkOf::batch(batch).rows(&contract, keys.iter().map(|key| product(key, "newer", 1, 9)))
    };
    apply(&mut writer, &contract, &[&newer(2, &["a", "b"])]).await.unwrap();
    apply(&mut writer, &contract, &[&newer(3, &["c"])]).await.unwrap();
    let rows = ["a", "b", "c", "d"].map(|key| product(key, "older", 1, 1));
    let older = ChunkOf::batch(1).rows(&contract, &rows);
    assert_eq!(apply(&mut writer, &contract, &[&older]).await.unwrap(), [applied(1, 0, 3)]);
    let progress = writer.progress(&Uuid::from_u128(1)).await.unwrap().progress;
    let by = |batch, rows| SupersededBy { batch_id: Uuid::from_u128(batch), rows };
    assert_eq!(progress.superseded_by, [by(2, 2), by(3, 1)]);
}

#[tokio::test]
async fn a_failed_chunk_is_in_the_ledger_until_it_is_applied() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let chunk = |index| {
        ChunkOf::batch(1).numbered(index, 2).rows(&contract, [product(&format!("k{index}"), "t", 1, 1)])
    };
    let reason = DeadReason { code: DeadCode::InvalidChunk, message: "broken".to_owned() };
    writer.fail(&chunk(1).manifest, &chunk(1).message, &reason).await.unwrap();
    assert_eq!(db.rows("SELECT state FROM penstock.batch").await, ["failed"]);
    let progress = writer.progress(&Uuid::from_u128(1)).await.unwrap().progress;
    assert_eq!((progress.state(2), progress.missing[0].chunk), (ReceiptState::Failed, 2));
    apply(&mut writer, &contract, &[&chunk(0)]).await.unwrap();
    assert_eq!(db.rows("SELECT state FROM penstock.batch").await, ["partly_loaded"]);
    // A chunk that has been applied does not fail.
    writer.fail(&chunk(0).manifest, &chunk(0).message, &reason).await.unwrap();
    assert_eq!(db.rows("SELECT chunk FROM penstock.chunk_failure").await, ["1"]);
    apply(&mut writer, &contract, &[&chunk(1)]).await.unwrap();
    assert_eq!(db.rows("SELECT state FROM penstock.batch").await, ["loading"]);
    close(&mut writer, &chunk(1)).await;
    assert_eq!(db.rows("SELECT state, loaded FROM penstock.batch").await, ["loaded|2"]);
}
