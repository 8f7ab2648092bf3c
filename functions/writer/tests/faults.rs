//! Interrupted transactions leave nothing behind.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use penstock_pipeline::DeadCode;
use support::{ChunkOf, Db, applied, apply, product, products, wait_for};

fn many(count: i32) -> Vec<String> {
    (0..count).map(|n| product(&format!("k{n:07}"), "t", n, 1)).collect()
}

/// Delays the merge of `public.products`, so that a test can interrupt it.
const SLOW: &str = "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS \
                    $$ BEGIN PERFORM pg_sleep(30); RETURN new; END $$; \
                    CREATE TRIGGER slow BEFORE INSERT ON public.products FOR EACH ROW EXECUTE FUNCTION public.slow()";
const FAST: &str = "DROP TRIGGER slow ON public.products";

const MERGING: &str = "SELECT count(*) > 0 FROM pg_stat_activity \
                       WHERE application_name = 'penstock-writer' AND query LIKE 'INSERT INTO \"public\"%' \
                       AND state = 'active'";
const NOBODY: &str = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'penstock-writer'";

#[tokio::test]
async fn a_writer_that_ends_before_the_commit_leaves_nothing() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let first = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&first]).await.unwrap();
    db.client().await.batch_execute(SLOW).await.unwrap();

    let second = ChunkOf::batch(2).rows(&contract, many(10));
    {
        let chunks = [&second];
        let interrupted = apply(&mut writer, &contract, &chunks);
        tokio::select! {
            _ = interrupted => panic!("the merge is delayed"),
            () = wait_for(&db, MERGING) => {}
        }
    }
    db.client().await.batch_execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO \"public\"%'").await.unwrap();
    wait_for(&db, NOBODY).await;
    let client = db.client().await;
    assert_eq!(db.rows("SELECT count(*) FROM products").await, ["1"]);
    assert_eq!(db.rows("SELECT count(*) FROM penstock.chunk").await, ["1"]);

    client.batch_execute(FAST).await.unwrap();
    assert_eq!(apply(&mut writer, &contract, &[&second]).await.unwrap(), [applied(10, 0, 0)]);
}

#[tokio::test]
async fn an_ended_session_is_a_transient_error_and_the_next_attempt_succeeds() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let first = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&first]).await.unwrap();
    db.client().await.batch_execute(SLOW).await.unwrap();
    let second = ChunkOf::batch(2).rows(&contract, many(10));
    let chunks = [&second];
    let (answer, ()) = tokio::join!(apply(&mut writer, &contract, &chunks), async {
        wait_for(&db, MERGING).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'penstock-writer'";
        db.client().await.batch_execute(end).await.unwrap();
    });
    let error = answer.unwrap_err();
    assert!(error.is_transient(), "{error}");
    db.client().await.batch_execute(FAST).await.unwrap();
    assert_eq!(apply(&mut writer, &contract, &[&second]).await.unwrap(), [applied(10, 0, 0)]);
}

#[tokio::test]
async fn a_crash_of_the_server_during_a_merge_is_a_transient_error() {
    let (mut db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let first = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&first]).await.unwrap();
    db.client().await.batch_execute(SLOW).await.unwrap();
    let second = ChunkOf::batch(2).rows(&contract, many(10));
    let chunks = [&second];
    let error = {
        let applying = apply(&mut writer, &contract, &chunks);
        tokio::pin!(applying);
        tokio::select! {
            _ = &mut applying => panic!("the merge is delayed"),
            () = wait_for(&db, MERGING) => {}
        }
        db.cluster.kill().unwrap();
        applying.await.unwrap_err()
    };
    assert!(error.is_transient(), "{error}");
    let unreachable = apply(&mut writer, &contract, &[&second]).await.unwrap_err();
    assert!(unreachable.is_transient(), "{unreachable}");
    db.cluster.restart().unwrap();
    db.client().await.batch_execute(FAST).await.unwrap();
    assert_eq!(apply(&mut writer, &contract, &[&second]).await.unwrap(), [applied(10, 0, 0)]);
    assert_eq!(db.rows("SELECT count(*) FROM products").await, ["11"]);
}

#[tokio::test]
async fn a_chunk_that_fails_during_copy_leaves_the_session_usable() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let mut rows = many(30_000);
    rows.push("too few\tcolumns".to_owned());
    let bad = ChunkOf::batch(1).rows(&contract, &rows);
    assert_eq!(apply(&mut writer, &contract, &[&bad]).await.unwrap_err().code(), Some(DeadCode::InvalidData));
    // Fewer rows than the message specifies, which is detected during the COPY.
    let mut short = ChunkOf::batch(2).rows(&contract, many(30_000));
    short.message.chunk.rows += 1;
    assert_eq!(
        apply(&mut writer, &contract, &[&short]).await.unwrap_err().code(),
        Some(DeadCode::InvalidChunk)
    );
    let good = ChunkOf::batch(3).rows(&contract, many(3));
    assert_eq!(apply(&mut writer, &contract, &[&good]).await.unwrap(), [applied(3, 0, 0)]);
    assert_eq!(
        db.rows("SELECT count(*), (SELECT count(*) FROM penstock.chunk) FROM products").await,
        ["3|1"]
    );
}

#[tokio::test]
async fn a_statement_that_is_cancelled_while_it_waits_is_a_transient_error() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let first = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&first]).await.unwrap();
    let client = db.client().await;
    client.batch_execute("BEGIN; LOCK TABLE products").await.unwrap();
    // The server reports the same error as for a statement timeout (57014).
    let second = ChunkOf::batch(2).rows(&contract, many(1));
    let chunks = [&second];
    let (answer, ()) = tokio::join!(apply(&mut writer, &contract, &chunks), async {
        let waits = "SELECT count(*) > 0 FROM pg_stat_activity \
                     WHERE application_name = 'penstock-writer' AND wait_event_type = 'Lock'";
        wait_for(&db, waits).await;
        let cancel =
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'penstock-writer'";
        db.client().await.batch_execute(cancel).await.unwrap();
    });
    assert!(answer.unwrap_err().is_transient());
    client.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(apply(&mut writer, &contract, &[&second]).await.unwrap(), [applied(1, 0, 0)]);
}
