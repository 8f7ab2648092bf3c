//! Tests of the cluster with the PostgreSQL of this machine.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use penstock_local::postgres::{Cluster, ClusterOptions};
use penstock_local::process::is_alive;

/// Creates a folder that the server's account can access even when the tests run as root.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755);
    std::fs::set_permissions(folder.path(), open).unwrap();
    folder
}

fn start(folder: &Path) -> Cluster {
    Cluster::start(ClusterOptions::for_tests(folder.join("cluster"))).unwrap()
}

/// Returns whether a PostgreSQL server responds: it replies to a request for TLS with `N` or `S`.
fn responds(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    stream.write_all(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).unwrap();
    let mut reply = [0];
    stream.read_exact(&mut reply).is_ok() && (reply == *b"N" || reply == *b"S")
}

#[test]
fn a_cluster_survives_restart_and_kill_and_stops_when_dropped() {
    let folder = folder();
    let mut cluster = start(folder.path());
    let port = cluster.port();
    assert!(responds(port));

    cluster.restart().unwrap();
    assert_eq!(cluster.port(), port);
    assert!(responds(port));

    cluster.kill().unwrap();
    assert!(!responds(port));
    cluster.restart().unwrap();
    assert!(responds(port));

    let (pid, password) = (cluster.pid().unwrap(), cluster.password().to_owned());
    drop(cluster);
    assert!(!is_alive(pid));
    assert!(!responds(port));

    let again = start(folder.path());
    assert_eq!(again.password(), password);
}

#[test]
fn the_error_of_an_invalid_setting_has_the_servers_message() {
    let folder = folder();
    let mut options = ClusterOptions::for_tests(folder.path().join("cluster"));
    options.settings.push(("no_such_setting".to_owned(), "1".to_owned()));
    let error = Cluster::start(options).unwrap_err().to_string();
    assert!(error.contains("no_such_setting"), "{error}");
}
