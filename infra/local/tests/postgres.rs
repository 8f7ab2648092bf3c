//! The cluster against the PostgreSQL of this machine.

#![allow(clippy::unwrap_used, reason = "a test fails where its set-up does")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use penstock_local::postgres::{Cluster, ClusterOptions};
use penstock_local::process::is_alive;

/// A folder that the server's account can reach also when the tests run as root.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    folder
}

fn start(folder: &Path) -> Cluster {
    Cluster::start(ClusterOptions::for_tests(folder.join("cluster"))).unwrap()
}

/// Asks for TLS, which any PostgreSQL answers with one byte: enough to know who is there.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).unwrap();
    let mut answer = [0];
    stream.read_exact(&mut answer).is_ok() && (answer == *b"N" || answer == *b"S")
}

#[test]
fn a_cluster_survives_restart_and_kill_and_is_gone_when_dropped() {
    let folder = folder();
    let mut cluster = start(folder.path());
    let port = cluster.port();
    assert!(answers(port));

    cluster.restart().unwrap();
    assert_eq!(cluster.port(), port);
    assert!(answers(port));

    cluster.kill().unwrap();
    assert!(!answers(port));
    cluster.restart().unwrap();
    assert!(answers(port));

    let (pid, password) = (cluster.pid().unwrap(), cluster.password().to_owned());
    drop(cluster);
    assert!(!is_alive(pid));
    assert!(!answers(port));

    let again = start(folder.path());
    assert_eq!(again.password(), password);
}

#[test]
fn a_setting_that_the_server_refuses_is_told_in_its_own_words() {
    let folder = folder();
    let mut options = ClusterOptions::for_tests(folder.path().join("cluster"));
    options.settings.push(("no_such_setting".to_owned(), "1".to_owned()));
    let error = Cluster::start(options).unwrap_err().to_string();
    assert!(error.contains("no_such_setting"), "{error}");
}
