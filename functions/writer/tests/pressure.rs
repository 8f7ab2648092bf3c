//! The measurement of the load that others put on the database.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use penstock_aws::database::{Auth, Connector, Password};
use penstock_pipeline::writer_state::DatabaseLoad;
use penstock_writer::database::{Postgres, TargetDatabase as _};
use penstock_writer::pressure::APPLICATION_NAME;
use support::{Db, wait_for};
use tokio_postgres::{Client, NoTls};

/// Opens a session and executes `statement` in the background.
async fn busy(url: &str, statement: &'static str) {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    // The session ends with the test.
    tokio::spawn(async move { client.batch_execute(statement).await });
}

/// Opens a session of another writer.
async fn other_writer(db: &Db) -> Client {
    let url = format!("{}?application_name={APPLICATION_NAME}", db.cluster.url());
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

const SLEEPING: &str =
    "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'";

#[tokio::test]
async fn active_sessions_of_others_and_of_writers_are_counted() {
    let db = Db::start();
    let mut writer = db.writer();
    let active = |load: DatabaseLoad| (load.active_sessions, load.active_writers);
    let idle = db.client().await;
    assert_eq!(active(writer.measure_load().await.unwrap()), (0, 0));
    let second = other_writer(&db).await;
    tokio::spawn(async move { second.batch_execute("SELECT pg_sleep(60)").await });
    wait_for(&db, SLEEPING).await;
    assert_eq!(active(writer.measure_load().await.unwrap()), (0, 1));
    busy(&db.cluster.url(), "DO $$ BEGIN PERFORM pg_sleep(60); END $$").await;
    wait_for(&db, "SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'DO%' AND state = 'active'")
        .await;
    assert_eq!(active(writer.measure_load().await.unwrap()), (1, 1));
    // A short statement has ended when the load is measured.
    idle.batch_execute("SELECT 1").await.unwrap();
    let load = writer.measure_load().await.unwrap();
    assert!(load.recent_sessions >= 1 && load.replica_lag_seconds.is_none(), "{load:?}");
    assert_eq!(active(load), (1, 1));
}

const WAITING: &str = "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";

#[tokio::test]
async fn sessions_that_wait_for_a_lock_of_a_writer_are_counted() {
    for (of_writer, blocked_sessions) in [(true, 1), (false, 0)] {
        let db = Db::start();
        let holder = if of_writer { other_writer(&db).await } else { db.client().await };
        holder.batch_execute("CREATE TABLE t (a int)").await.unwrap();
        holder.batch_execute("BEGIN; LOCK TABLE t").await.unwrap();
        busy(&db.cluster.url(), "SELECT count(*) FROM t").await;
        wait_for(&db, WAITING).await;
        let load = db.writer().measure_load().await.unwrap();
        assert_eq!((load.blocked_sessions, load.active_sessions), (blocked_sessions, 0));
    }
}

#[tokio::test]
async fn a_role_without_privileges_counts_sessions_in_transactions() {
    let db = Db::start();
    let client = db.client().await;
    client
        .batch_execute(
            "CREATE ROLE loader LOGIN PASSWORD 'secret'; GRANT ALL ON SCHEMA public TO loader; \
             GRANT CREATE ON DATABASE penstock TO loader",
        )
        .await
        .unwrap();
    let mut config = db.config();
    (config.user, config.auth) = ("loader".into(), Auth::Fixed(Password::new("secret")));
    let mut writer = Postgres::new(Connector::new(config, None, APPLICATION_NAME));
    assert_eq!(writer.measure_load().await.unwrap().active_sessions, 0, "an idle session");
    busy(&db.cluster.url(), "SELECT pg_sleep(60)").await;
    wait_for(&db, SLEEPING).await;
    assert_eq!(writer.measure_load().await.unwrap().active_sessions, 1);
    let other = other_writer(&db).await;
    other.batch_execute("CREATE TABLE t (a int)").await.unwrap();
    other.batch_execute("BEGIN; LOCK TABLE t").await.unwrap();
    busy(&db.cluster.url(), "SELECT count(*) FROM t").await;
    wait_for(&db, WAITING).await;
    assert_eq!(writer.measure_load().await.unwrap().blocked_sessions, 1);
}
