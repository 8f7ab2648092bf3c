//! The table and the ledger after one or several transactions.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use penstock_writer::ChunkOutcome;
use penstock_writer::database::TargetDatabase as _;
use support::{ChunkOf, Db, appended, applied, apply, product, products};

const TABLE: &str = "SELECT sku, title, qty, _source, _row FROM products ORDER BY sku";
const LEDGER: &str = "SELECT right(batch_id::text, 2), chunk, rows, loaded, deduplicated, superseded \
                      FROM penstock.chunk ORDER BY 1, 2";

#[tokio::test]
async fn a_chunk_applied_twice_changes_nothing() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let rows = [product("b", "B", 2, 1), product("a", "A", 1, 1)];
    let chunk = ChunkOf::batch(1).rows(&contract, &rows);

    assert_eq!(apply(&mut writer, &contract, &[&chunk]).await.unwrap(), [applied(2, 0, 0)]);
    let state = "SELECT sku, title, qty, xmin, _loaded_at FROM products ORDER BY sku";
    let before = db.rows(state).await;
    assert_eq!(apply(&mut writer, &contract, &[&chunk]).await.unwrap(), [ChunkOutcome::AlreadyApplied]);
    // The same with a writer that has just started.
    assert_eq!(apply(&mut db.writer(), &contract, &[&chunk]).await.unwrap(), [ChunkOutcome::AlreadyApplied]);

    assert_eq!(db.rows(state).await, before);
    assert_eq!(db.rows(TABLE).await, ["a|A|1|shop|2", "b|B|2|shop|1"]);
    assert_eq!(db.rows(LEDGER).await, ["01|0|2|2|0|0"]);
}

#[tokio::test]
async fn a_second_writer_on_the_same_chunk_waits_and_then_skips() {
    let (db, contract) = (Db::start(), products("shop"));
    let rows: Vec<String> = (0..5_000).map(|n| product(&format!("k{n:05}"), "t", n, 1)).collect();
    let chunk = ChunkOf::batch(1).rows(&contract, &rows);
    let (mut one, mut two) = (db.writer(), db.writer());
    // Both also create the ledger and the table at the same time.
    let (chunks_one, chunks_two) = ([&chunk], [&chunk]);
    let (first, second) =
        tokio::join!(apply(&mut one, &contract, &chunks_one), apply(&mut two, &contract, &chunks_two));
    let mut outcomes = [first.unwrap()[0], second.unwrap()[0]];
    outcomes.sort_by_key(|outcome| *outcome == ChunkOutcome::AlreadyApplied);
    assert_eq!(outcomes, [applied(5_000, 0, 0), ChunkOutcome::AlreadyApplied]);
    assert_eq!(db.rows("SELECT count(*), count(DISTINCT sku) FROM products").await, ["5000|5000"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_over_the_same_keys_in_any_order_do_not_deadlock() {
    let (db, contract) = (Db::start(), products("shop"));
    let work = |seed: u32| {
        let (contract, mut writer) = (contract.clone(), db.writer());
        async move {
            for round in 0..12u32 {
                let mut rows = Vec::new();
                for n in 0..1_500u32 {
                    // A stride that is prime to 1,500 visits each key once, in another order each time.
                    let key = n * [7, 11, 13, 17, 19, 23][((round + seed) % 6) as usize] % 1_500;
                    rows.push(product(&format!("k{key:05}"), "t", 1, round % 60));
                }
                let chunk = ChunkOf::batch(u128::from(seed * 100 + round + 1)).rows(&contract, &rows);
                apply(&mut writer, &contract, &[&chunk]).await.unwrap();
            }
        }
    };
    let (one, two) = (tokio::spawn(work(1)), tokio::spawn(work(2)));
    one.await.unwrap();
    two.await.unwrap();
    assert_eq!(db.rows("SELECT count(*) FROM products").await, ["1500"]);
    assert_eq!(
        db.rows("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").await,
        ["0"]
    );
}

#[tokio::test]
async fn duplicates_within_a_chunk_are_counted_and_the_later_row_wins_a_tie() {
    let (db, contract) = (Db::start(), products("shop"));
    let rows = [
        product("a", "old", 1, 1),
        product("a", "tie, first", 2, 5),
        product("a", "tie, last", 3, 5),
        product("b", "only", 4, 1),
    ];
    let chunk = ChunkOf::batch(1).rows(&contract, &rows);
    assert_eq!(apply(&mut db.writer(), &contract, &[&chunk]).await.unwrap(), [applied(2, 2, 0)]);
    assert_eq!(db.rows(TABLE).await, ["a|tie, last|3|shop|3", "b|only|4|shop|4"]);
    assert_eq!(db.rows(LEDGER).await, ["01|0|4|2|2|0"]);
}

#[tokio::test]
async fn rows_that_lose_to_another_batch_are_superseded_and_those_that_lose_to_another_chunk_deduplicated() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let newer = ChunkOf::batch(1).rows(&contract, [product("a", "newer", 1, 9)]);
    apply(&mut writer, &contract, &[&newer]).await.unwrap();

    let later = ChunkOf::batch(2).numbered(1, 2).rows(&contract, [product("b", "later chunk", 1, 5)]);
    apply(&mut writer, &contract, &[&later]).await.unwrap();
    let rows = [
        product("a", "older", 1, 1),
        product("a", "older too", 1, 2),
        product("b", "earlier chunk", 1, 5),
        product("c", "new", 1, 5),
    ];
    let earlier = ChunkOf::batch(2).numbered(0, 2).rows(&contract, &rows);
    assert_eq!(apply(&mut writer, &contract, &[&earlier]).await.unwrap(), [applied(1, 1, 2)]);
    let titles = db.rows("SELECT title, _row FROM products ORDER BY sku").await;
    assert_eq!(titles, ["newer|1", "later chunk|1000001", "new|4"]);
}

#[tokio::test]
async fn a_chunk_in_key_order_is_merged_without_a_sort_and_its_omitted_rows_are_counted() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let newer = ChunkOf::batch(1).rows(&contract, [product("a", "newer", 1, 9)]);
    apply(&mut writer, &contract, &[&newer]).await.unwrap();

    let rows = [product("a", "older", 1, 1), product("b", "new", 1, 2), product("c", "new", 1, 3)];
    let mut ordered = ChunkOf::batch(2).numbered(0, 2).rows(&contract, &rows);
    (ordered.message.chunk.rows, ordered.message.chunk.deduplicated) = (5, Some(2));
    assert_eq!(apply(&mut writer, &contract, &[&ordered]).await.unwrap(), [applied(2, 2, 1)]);
    assert_eq!(apply(&mut writer, &contract, &[&ordered]).await.unwrap(), [ChunkOutcome::AlreadyApplied]);

    // Several chunks are sorted by the database, whether or not they are in key order.
    let mut one = ChunkOf::batch(3).rows(&contract, [product("d", "3", 1, 4), product("e", "3", 1, 4)]);
    one.message.chunk.deduplicated = Some(0);
    let mut two = ChunkOf::batch(4).rows(&contract, [product("d", "4", 1, 5)]);
    (two.message.chunk.rows, two.message.chunk.deduplicated) = (2, Some(1));
    assert_eq!(
        apply(&mut writer, &contract, &[&one, &two]).await.unwrap(),
        [applied(1, 0, 1), applied(1, 1, 0)]
    );
    let titles = db.rows("SELECT sku, title FROM products ORDER BY sku").await;
    assert_eq!(titles, ["a|newer", "b|new", "c|new", "d|4", "e|3"]);
}

#[tokio::test]
async fn a_chunk_marked_as_in_key_order_with_a_repeated_key_is_refused_as_a_whole() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let mut wrong = ChunkOf::batch(1).rows(&contract, [product("a", "one", 1, 1), product("a", "two", 1, 2)]);
    wrong.message.chunk.deduplicated = Some(0);
    let error = apply(&mut writer, &contract, &[&wrong]).await.unwrap_err();
    assert!(!error.is_transient(), "{error}");
    assert_eq!(db.rows("SELECT count(*)::text FROM products").await, ["0"]);
    assert_eq!(db.rows("SELECT count(*)::text FROM penstock.chunk").await, ["0"]);
}

#[tokio::test]
async fn chunks_of_several_batches_share_a_transaction_with_exact_counts_each() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let known = ChunkOf::batch(9).rows(&contract, [product("z", "newest", 1, 59)]);
    apply(&mut writer, &contract, &[&known]).await.unwrap();

    let one = ChunkOf::batch(1).rows(
        &contract,
        [
            product("a", "1", 1, 1),
            product("b", "1", 1, 1),
            product("a", "1 again", 1, 2),
            product("z", "1", 1, 3),
        ],
    );
    let two = ChunkOf::batch(2).rows(&contract, [product("a", "2", 2, 3), product("c", "2", 2, 1)]);
    let empty = ChunkOf::batch(3).rows(&contract, [] as [&str; 0]);
    let chunks = [&one, &known, &two, &empty];
    // Batch 1: `b` is loaded; both rows of `a` lose to batch 2, and `z` loses to batch 9.
    let expected = [applied(1, 0, 3), ChunkOutcome::AlreadyApplied, applied(2, 0, 0), applied(0, 0, 0)];
    assert_eq!(apply(&mut writer, &contract, &chunks).await.unwrap(), expected);
    assert_eq!(db.rows(LEDGER).await, ["01|0|4|1|0|3", "02|0|2|2|0|0", "03|0|0|0|0|0", "09|0|1|1|0|0"]);
    let titles = db.rows("SELECT title, right(_batch_id::text, 1) FROM products ORDER BY sku").await;
    assert_eq!(titles, ["2|2", "1|1", "2|2", "newest|9"]);

    let again = apply(&mut writer, &contract, &chunks).await.unwrap();
    assert_eq!(again, [ChunkOutcome::AlreadyApplied; 4]);
}

#[tokio::test]
async fn without_an_event_time_the_later_drop_wins() {
    let (db, mut contract) = (Db::start(), products("shop"));
    contract.load.event_time = None;
    let mut writer = db.writer();
    let later = ChunkOf::batch(1).dropped_at(2_000).rows(&contract, [product("a", "later", 1, 1)]);
    let earlier = ChunkOf::batch(2).dropped_at(1_000).rows(&contract, [product("a", "earlier", 1, 9)]);
    assert_eq!(apply(&mut writer, &contract, &[&later]).await.unwrap(), [applied(1, 0, 0)]);
    assert_eq!(apply(&mut writer, &contract, &[&earlier]).await.unwrap(), [applied(0, 0, 1)]);
    let row = db
        .rows("SELECT title, _event_time = _dropped_at, extract(epoch FROM _dropped_at)::int FROM products");
    assert_eq!(row.await, ["later|t|2000"]);
}

#[tokio::test]
async fn the_higher_priority_wins_at_the_same_event_time() {
    let (db, low) = (Db::start(), products("low"));
    let mut high = products("high");
    high.load.priority = 10;
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).dropped_at(1_000).rows(&high, [product("a", "high", 1, 1)]);
    let two = ChunkOf::batch(2).dropped_at(2_000).rows(&low, [product("a", "low", 1, 1)]);
    apply(&mut writer, &high, &[&one]).await.unwrap();
    assert_eq!(apply(&mut writer, &low, &[&two]).await.unwrap(), [applied(0, 0, 1)]);
    assert_eq!(db.rows("SELECT title, _source, _priority FROM products").await, ["high|high|10"]);
}

#[tokio::test]
async fn all_appended_rows_are_stored_including_nulls_and_duplicates() {
    let (db, contract) = (Db::start(), appended("events"));
    let mut writer = db.writer();
    let one = ChunkOf::batch(1).numbered(0, 2).rows(&contract, ["a\t1", "a\t1", "\\N\t\\N"]);
    let two = ChunkOf::batch(1).numbered(1, 2).rows(&contract, ["a\t1"]);
    let outcomes = apply(&mut writer, &contract, &[&one, &two]).await.unwrap();
    assert_eq!(outcomes, [applied(3, 0, 0), applied(1, 0, 0)]);
    let rows = db.rows("SELECT sku, qty, _row FROM products ORDER BY _row").await;
    assert_eq!(rows, ["a|1|1", "a|1|2", "~|~|3", "a|1|1000001"]);

    // An operator has deleted a chunk from the ledger, but not its rows: they are counted as duplicates.
    db.client().await.batch_execute("DELETE FROM penstock.chunk WHERE chunk = 0").await.unwrap();
    let three = ChunkOf::batch(2).rows(&contract, ["b\t1"]);
    let outcomes = apply(&mut writer, &contract, &[&one, &three]).await.unwrap();
    assert_eq!(outcomes, [applied(0, 3, 0), applied(1, 0, 0)]);
    assert_eq!(db.rows("SELECT count(*) FROM products").await, ["5"]);
}

#[tokio::test]
async fn an_empty_chunk_is_recorded() {
    let (db, contract) = (Db::start(), products("shop"));
    let chunk = ChunkOf::batch(1).rows(&contract, [] as [&str; 0]);
    assert_eq!(apply(&mut db.writer(), &contract, &[&chunk]).await.unwrap(), [applied(0, 0, 0)]);
    assert_eq!(db.rows(LEDGER).await, ["01|0|0|0|0|0"]);
}

#[tokio::test]
async fn the_ledger_returns_the_totals_of_a_batch() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    for index in 0..3 {
        let rows = [product("a", "t", 1, 1), product(&format!("k{index}"), "t", 1, 1)];
        let chunk = ChunkOf::batch(1).numbered(index, 3).rows(&contract, &rows);
        apply(&mut writer, &contract, &[&chunk]).await.unwrap();
    }
    let totals = writer.progress(&uuid::Uuid::from_u128(1)).await.unwrap();
    assert_eq!((totals.progress.chunks, totals.rows, totals.progress.loaded), (3, 6, 6));
    assert!(totals.first_applied_at.is_some());
    assert_eq!(writer.progress(&uuid::Uuid::from_u128(2)).await.unwrap().progress.chunks, 0);
}
