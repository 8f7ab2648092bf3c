//! Certificates and credentials of connections. The tests need the `openssl` program and a PostgreSQL built with TLS.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use penstock_aws::clients::Aws;
use penstock_aws::database::{Auth, Connector, DatabaseError, Tls};
use support::Db;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Creates a certificate authority, and a certificate of it for `localhost`. Returns the authority's file.
fn certificates(folder: &Path, name: &str) -> PathBuf {
    std::fs::write(folder.join("extensions"), "subjectAltName=DNS:localhost\n").unwrap();
    let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    openssl(
        folder,
        &format!("req -x509 {new_key} -keyout {name}-ca.key -out {name}-ca.pem -days 2 -subj /CN={name}"),
    );
    openssl(folder, &format!("req {new_key} -keyout {name}.key -out {name}.csr -subj /CN=localhost"));
    openssl(
        folder,
        &format!(
            "x509 -req -in {name}.csr -CA {name}-ca.pem -CAkey {name}-ca.key -CAcreateserial -out {name}.pem -days 2 \
             -extfile extensions"
        ),
    );
    folder.join(format!("{name}-ca.pem"))
}

/// Starts a cluster with TLS and a certificate of `name`'s authority.
fn start(folder: &Path, name: &str) -> Db {
    let mut db = Db::start();
    let data = db.cluster.folder().join("data");
    let owner = std::fs::metadata(&data).unwrap();
    for (from, to, mode) in [("pem", "server.crt", 0o644), ("key", "server.key", 0o600)] {
        let to = data.join(to);
        std::fs::copy(folder.join(format!("{name}.{from}")), &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(mode)).unwrap();
        chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let settings = data.join("postgresql.auto.conf");
    std::fs::write(settings, "ssl = on\n").unwrap();
    db.cluster.restart().unwrap();
    db
}

async fn connect(db: &Db, host: &str, ca_file: &Path) -> Result<tokio_postgres::Client, DatabaseError> {
    let mut config = db.config();
    config.host = host.into();
    config.tls = Tls::VerifyFull { ca_file: Some(ca_file.into()) };
    Connector::new(config, None, "test").connect().await
}

#[tokio::test]
async fn only_a_certificate_for_the_host_by_a_trusted_authority_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let (trusted, other) = (certificates(folder.path(), "ours"), certificates(folder.path(), "other"));
    let db = start(folder.path(), "ours");

    let client = connect(&db, "localhost", &trusted).await.unwrap();
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert!(client.query_one(encrypted, &[]).await.unwrap().get::<_, bool>(0));

    for (host, ca_file) in [("localhost", &other), ("127.0.0.1", &trusted)] {
        let error = connect(&db, host, ca_file).await.unwrap_err();
        assert!(
            matches!(&error, DatabaseError::Unreachable { message, .. } if message.contains("certificate")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_when_tls_is_required() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = certificates(folder.path(), "ours");
    let error = connect(&Db::start(), "localhost", &trusted).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Unreachable { .. }), "{error}");
}

/// Starts a server that answers each `GetSecretValue` with a user and the current password, and counts the calls.
async fn secrets_manager(user: &str, password: Arc<Mutex<String>>) -> (String, Arc<Mutex<u32>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (user, calls) = (user.to_owned(), Arc::new(Mutex::new(0)));
    let counted = calls.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"}") {
                stream.read_buf(&mut request).await.unwrap();
            }
            *counted.lock().unwrap() += 1;
            let secret = serde_json::json!({ "username": user, "password": *password.lock().unwrap() });
            let body =
                serde_json::json!({ "Name": "database", "SecretString": secret.to_string() }).to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\nconnection: close";
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, calls)
}

#[tokio::test]
async fn a_secret_is_read_once_and_again_after_its_rotation() {
    let db = Db::start();
    let password = Arc::new(Mutex::new(db.cluster.password().to_owned()));
    let (url, calls) = secrets_manager(db.cluster.user(), password.clone()).await;
    let variables = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "id"),
        ("AWS_SECRET_ACCESS_KEY", "key"),
        ("AWS_ENDPOINT_URL", &url),
    ];
    let aws = Aws::new(variables.map(|(name, value)| (name.to_owned(), value.to_owned()))).unwrap();
    let mut config = db.config();
    config.user = "nobody".into();
    config.auth = Auth::Secret { arn: "database".into() };
    let connector = Connector::new(config, Some(&aws), "test");

    connector.connect().await.unwrap();
    connector.connect().await.unwrap();
    assert_eq!(*calls.lock().unwrap(), 1);

    let rotate = format!("ALTER ROLE {} PASSWORD 'rotated'", db.cluster.user());
    db.client().await.batch_execute(&rotate).await.unwrap();
    let early = connector.connect().await.unwrap_err();
    assert!(matches!(early, DatabaseError::Login { .. }) && early.is_transient(), "{early}");
    *password.lock().unwrap() = "rotated".into();
    connector.connect().await.unwrap();
    assert_eq!(*calls.lock().unwrap(), 3);
}
