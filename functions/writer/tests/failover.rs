//! Failovers and outages: the session is dropped, the next attempt opens another, and the chunk is applied once.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use penstock_aws::clients::Aws;
use penstock_aws::database::{Connector, DatabaseConfig, DatabaseError};
use penstock_aws::rds::RdsInstance;
use penstock_local::postgres::{Cluster, ClusterOptions};
use penstock_writer::database::{Postgres, TargetDatabase as _};
use penstock_writer::error::LoadError;
use support::{ChunkOf, Db, applied, apply, product, products};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

fn connector(config: DatabaseConfig) -> Postgres {
    Postgres::new(Connector::new(config, None, "penstock-writer"))
}

/// Listens on a port of its own, like the endpoint of a database, and forwards connections to a server.
struct Endpoint {
    port: u16,
    server: Arc<Mutex<u16>>,
    silent: watch::Sender<bool>,
}

impl Endpoint {
    async fn of(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Arc::new(Mutex::new(server_port));
        let (silent, is_silent) = watch::channel(false);
        let to = server.clone();
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (to, mut is_silent) = (*to.lock().unwrap(), is_silent.clone());
                is_silent.mark_unchanged();
                tokio::spawn(async move {
                    let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        // Nothing is forwarded any more, and neither side is closed.
                        _ = is_silent.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { port, server, silent }
    }

    /// Stops forwarding the present connections. New ones are forwarded.
    fn silence(&self) {
        self.silent.send(true).unwrap();
    }

    fn config(&self, db: &Db) -> DatabaseConfig {
        DatabaseConfig { port: self.port, ..db.config() }
    }
}

#[tokio::test]
async fn a_server_that_becomes_read_only_ends_the_session_and_is_recognised_at_the_next_login() {
    let (db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let first = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&first]).await.unwrap();
    // As after a failover, when the former primary is a standby.
    let set = |value: &str| format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
    let client = db.client().await;
    let flip = async |value: &str| {
        client.batch_execute("SET transaction_read_only = off").await.unwrap();
        client.batch_execute(&set(value)).await.unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        support::wait_for(
            &db,
            &format!("SELECT current_setting('default_transaction_read_only') = '{value}'"),
        )
        .await;
    };
    flip("on").await;

    let second = ChunkOf::batch(2).rows(&contract, [product("b", "t", 1, 1)]);
    // The session learns the setting between two statements.
    let mut errors = Vec::new();
    while errors.len() < 2 {
        errors.push(apply(&mut writer, &contract, &[&second]).await.unwrap_err());
    }
    assert!(errors.iter().all(|error| error.is_transient() && error.is_outage()), "{errors:?}");
    let LoadError::Database(DatabaseError::ReadOnly { reason, .. }) = &errors[1] else {
        panic!("{errors:?}")
    };
    assert!(reason.contains("default_transaction_read_only"), "{reason}");
    assert_eq!(writer.outage_delay(), Duration::from_secs(2));

    flip("off").await;
    assert_eq!(apply(&mut writer, &contract, &[&second]).await.unwrap(), [applied(1, 0, 0)]);
}

#[tokio::test]
async fn a_standby_is_recognised_at_the_login_and_used_once_it_is_the_primary() {
    let (mut db, contract) = (Db::start(), products("shop"));
    let mut writer = db.writer();
    let first = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&first]).await.unwrap();
    db.cluster.stop().unwrap();
    std::fs::write(db.cluster.folder().join("data/standby.signal"), "").unwrap();
    db.cluster.restart().unwrap();

    let second = ChunkOf::batch(2).rows(&contract, [product("b", "t", 1, 1)]);
    let error = loop {
        // The first attempt may still use the session that the restart has ended.
        let error = apply(&mut writer, &contract, &[&second]).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        if let LoadError::Database(DatabaseError::ReadOnly { reason, .. }) = error {
            break reason;
        }
    };
    assert!(error.contains("standby"), "{error}");
    db.client().await.batch_execute("SELECT pg_promote()").await.unwrap();
    assert_eq!(apply(&mut writer, &contract, &[&second]).await.unwrap(), [applied(1, 0, 0)]);
}

#[tokio::test]
async fn the_next_attempt_connects_to_the_server_that_the_endpoint_then_leads_to() {
    let (mut db, contract) = (Db::start(), products("shop"));
    let endpoint = Endpoint::of(db.cluster.port()).await;
    let mut writer = connector(endpoint.config(&db));
    let first = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&first]).await.unwrap();

    // The server continues on another port, as a standby does at another address.
    db.cluster.stop().unwrap();
    let options = ClusterOptions::for_tests(db.cluster.folder());
    let moved = Cluster::start(options).unwrap();
    assert_ne!(moved.port(), db.cluster.port());
    let second = ChunkOf::batch(2).rows(&contract, [product("b", "t", 1, 1)]);
    let error = apply(&mut writer, &contract, &[&second]).await.unwrap_err();
    assert!(error.is_transient() && error.is_outage(), "{error}");
    *endpoint.server.lock().unwrap() = moved.port();
    assert_eq!(apply(&mut writer, &contract, &[&second]).await.unwrap(), [applied(1, 0, 0)]);
}

#[tokio::test]
async fn a_silent_connection_is_replaced_after_the_end_of_the_invocation() {
    let (db, contract) = (Db::start(), products("shop"));
    let endpoint = Endpoint::of(db.cluster.port()).await;
    let mut writer = connector(endpoint.config(&db));
    let first = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    apply(&mut writer, &contract, &[&first]).await.unwrap();
    endpoint.silence();

    let second = ChunkOf::batch(2).rows(&contract, [product("b", "t", 1, 1)]);
    let chunks = [&second];
    // The handler gives up at the end of the invocation.
    let unanswered =
        tokio::time::timeout(Duration::from_secs(1), apply(&mut writer, &contract, &chunks)).await;
    assert!(unanswered.is_err(), "{unanswered:?}");
    assert_eq!(apply(&mut writer, &contract, &[&second]).await.unwrap(), [applied(1, 0, 0)]);
}

/// A service that answers each request with the current status and body, and counts the requests.
struct Rds {
    aws: Aws,
    answer: Arc<Mutex<(u16, String)>>,
    requests: Arc<Mutex<u32>>,
}

fn described(status: &str) -> (u16, String) {
    let body = format!(
        "<DescribeDBInstancesResponse xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><DescribeDBInstancesResult>\
         <DBInstances><DBInstance><DBInstanceIdentifier>db</DBInstanceIdentifier>\
         <DBInstanceStatus>{status}</DBInstanceStatus></DBInstance></DBInstances>\
         </DescribeDBInstancesResult></DescribeDBInstancesResponse>"
    );
    (200, body)
}

impl Rds {
    async fn answering(answer: (u16, String)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (answer, requests) = (Arc::new(Mutex::new(answer)), Arc::new(Mutex::new(0)));
        let (current, counted) = (answer.clone(), requests.clone());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !String::from_utf8_lossy(&request).contains("DBInstanceIdentifier=db") {
                    stream.read_buf(&mut request).await.unwrap();
                }
                *counted.lock().unwrap() += 1;
                let (status, body) = current.lock().unwrap().clone();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-type: text/xml\r\nconnection: close");
                let text = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        });
        let variables = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "key"),
            ("AWS_ENDPOINT_URL_RDS", &url),
        ];
        let aws = Aws::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
        Self { aws, answer, requests }
    }

    fn set(&self, answer: (u16, String)) {
        *self.answer.lock().unwrap() = answer;
    }

    fn writer(&self, db: &Db) -> Postgres {
        db.writer().of_instance(RdsInstance::new(&self.aws, "db"))
    }

    fn requests(&self) -> u32 {
        *self.requests.lock().unwrap()
    }
}

#[tokio::test]
async fn while_the_instance_is_not_available_no_connection_is_attempted() {
    let (mut db, contract) = (Db::start(), products("shop"));
    let rds = Rds::answering(described("available")).await;
    let mut writer = rds.writer(&db);
    let chunk = |batch| ChunkOf::batch(batch).rows(&contract, [product(&batch.to_string(), "t", 1, 1)]);
    apply(&mut writer, &contract, &[&chunk(1)]).await.unwrap();
    assert_eq!(rds.requests(), 0, "RDS is asked only after a failure");

    rds.set(described("rebooting"));
    db.cluster.stop().unwrap();
    for batch in 2..12 {
        let error = apply(&mut writer, &contract, &[&chunk(batch)]).await.unwrap_err();
        assert!(error.is_transient(), "{error}");
        let LoadError::InstanceNotAvailable { status } = error else { panic!("{error}") };
        assert_eq!(status, "rebooting");
    }
    assert_eq!(rds.requests(), 1, "the status is cached");
    assert_eq!(writer.instance_status(), Some("rebooting"));

    // The status is asked for again when it may have changed, not before.
    db.cluster.restart().unwrap();
    rds.set(described("available"));
    let started = Instant::now();
    let outcome = loop {
        match apply(&mut writer, &contract, &[&chunk(20)]).await {
            Ok(outcome) => break outcome,
            Err(error) => assert!(matches!(error, LoadError::InstanceNotAvailable { .. }), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!((outcome, writer.instance_status()), (vec![applied(1, 0, 0)], None));
    assert_eq!(rds.requests(), 2);
}

#[tokio::test]
async fn without_an_answer_of_rds_each_attempt_connects() {
    let denied =
        "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>";
    let (mut db, contract) = (Db::start(), products("shop"));
    let rds = Rds::answering((403, denied.to_owned())).await;
    let mut writer = rds.writer(&db);
    let chunk = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    db.cluster.stop().unwrap();
    for _ in 0..3 {
        let error = apply(&mut writer, &contract, &[&chunk]).await.unwrap_err();
        assert!(matches!(error, LoadError::Database(DatabaseError::Unreachable { .. })), "{error}");
    }
    assert_eq!(rds.requests(), 1, "a missing permission is not asked for again at once");
    db.cluster.restart().unwrap();
    assert_eq!(apply(&mut writer, &contract, &[&chunk]).await.unwrap(), [applied(1, 0, 0)]);
}

#[tokio::test]
async fn a_network_without_a_route_to_rds_delays_the_first_failure_by_seconds_only() {
    let (mut db, contract) = (Db::start(), products("shop"));
    // Accepts connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let variables = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("AWS_ENDPOINT_URL", &url),
    ];
    let aws = Aws::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let mut writer = db.writer().of_instance(RdsInstance::new(&aws, "db"));
    let chunk = ChunkOf::batch(1).rows(&contract, [product("a", "t", 1, 1)]);
    db.cluster.stop().unwrap();
    let started = Instant::now();
    for _ in 0..5 {
        let error = apply(&mut writer, &contract, &[&chunk]).await.unwrap_err();
        assert!(matches!(error, LoadError::Database(DatabaseError::Unreachable { .. })), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}
