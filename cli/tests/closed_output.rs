//! `penstock … | head`: whoever has read enough closes the pipe.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Each command that needs no stack, with its exit status.
const COMMANDS: [(&[&str], i32); 9] = [
    (&["--help"], 0),
    (&["contract", "lint", "{contract}"], 0),
    (&["contract", "lint", "{contract}", "--json"], 0),
    (&["contract", "catalog", "{contract}"], 0),
    (&["contract", "explain", "{contract}"], 0),
    (&["contract", "diff", "{contract}", "{contract}"], 0),
    (&["contract", "infer", "{sample}"], 0),
    (&["check", "{sample}", "--contract", "{sample_contract}"], 2),
    (&["check", "{sample}", "--contract", "{sample_contract}", "--json"], 2),
];

const SAMPLE: &str = "id,price\na,1.5\nb,none\n";
const SAMPLE_CONTRACT: &str = r#"
apiVersion: v3.1.0
kind: DataContract
id: shop
name: shop
version: 1.0.0
status: active
servers: [{server: raw, type: s3, location: "s3://raw/shop/", format: csv}]
schema:
  - name: products
    physicalName: public.products
    properties:
      - {name: id, logicalType: string, primaryKey: true, primaryKeyPosition: 1}
      - {name: price, logicalType: number, physicalType: "numeric(12,2)"}
"#;

fn run(folder: &Path, arguments: &[&str], out: Stdio, err: Stdio) -> Output {
    let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/contracts/nordwind.yaml");
    let file = |name: &str, text: &str| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (sample, of_sample) = (file("sample.csv", SAMPLE), file("contract.yaml", SAMPLE_CONTRACT));
    let arguments = arguments.iter().map(|argument| match *argument {
        "{contract}" => contract.clone(),
        "{sample}" => sample.clone(),
        "{sample_contract}" => of_sample.clone(),
        other => PathBuf::from(other),
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
    command.args(arguments).stdout(out).stderr(err).output().unwrap()
}

/// The writing end of a pipe that nobody reads any more.
fn closed() -> Stdio {
    std::io::pipe().unwrap().1.into()
}

#[test]
fn a_reader_that_has_enough_changes_nothing_but_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, status) in COMMANDS {
        let heard = run(folder.path(), arguments, Stdio::piped(), Stdio::piped());
        assert_eq!(heard.status.code(), Some(status), "{arguments:?}: {heard:?}");
        assert!(!heard.stdout.is_empty(), "{arguments:?} shows nothing");
        let unheard = run(folder.path(), arguments, closed(), Stdio::piped());
        assert_eq!(unheard.status.code(), Some(status), "{arguments:?}: {unheard:?}");
        assert_eq!(unheard.stderr, heard.stderr, "{arguments:?}");
    }
}

#[test]
fn errors_that_nobody_reads_are_told_by_the_status_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, status) in
        [(&["contract", "explain", "missing.yaml"][..], 64), (&["no-such-command"], 64)]
    {
        let unheard = run(folder.path(), arguments, closed(), closed());
        assert_eq!(unheard.status.code(), Some(status), "{arguments:?}");
    }
}

#[test]
fn work_is_finished_though_nobody_looks_on() {
    let folder = tempfile::tempdir().unwrap();
    let rejects = folder.path().join("rejects.ndjson");
    let rejects = rejects.to_str().unwrap();
    let arguments =
        ["check", "{sample}", "{sample}", "--contract", "{sample_contract}", "--rejects", rejects];
    run(folder.path(), &arguments, Stdio::piped(), Stdio::piped());
    let written = std::fs::read_to_string(rejects).unwrap();
    std::fs::remove_file(rejects).unwrap();
    run(folder.path(), &arguments, closed(), closed());
    assert!(written.lines().count() > 1, "{written}");
    assert_eq!(std::fs::read_to_string(rejects).unwrap(), written);
}

/// The device takes no byte, as a full disk.
#[cfg(target_os = "linux")]
#[test]
fn output_that_is_lost_otherwise_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let lost = run(folder.path(), &["contract", "lint", "{contract}"], full.into(), Stdio::piped());
    assert_eq!(lost.status.code(), Some(64));
    let told = String::from_utf8(lost.stderr).unwrap();
    assert!(told.starts_with("penstock: writing the output: "), "{told}");
}
