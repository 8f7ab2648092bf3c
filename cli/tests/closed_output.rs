//! `penstock … | head`: the reader closes the pipe early.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Commands that need no stack, with their exit statuses.
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

/// Returns the writing end of a pipe whose reading end is closed.
fn closed() -> Stdio {
    std::io::pipe().unwrap().1.into()
}

#[test]
fn a_closed_pipe_does_not_change_the_status_or_the_errors() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, status) in COMMANDS {
        let with_reader = run(folder.path(), arguments, Stdio::piped(), Stdio::piped());
        assert_eq!(with_reader.status.code(), Some(status), "{arguments:?}: {with_reader:?}");
        assert!(!with_reader.stdout.is_empty(), "{arguments:?} prints nothing");
        let without_reader = run(folder.path(), arguments, closed(), Stdio::piped());
        assert_eq!(without_reader.status.code(), Some(status), "{arguments:?}: {without_reader:?}");
        assert_eq!(without_reader.stderr, with_reader.stderr, "{arguments:?}");
    }
}

#[test]
fn an_error_determines_the_status_even_when_it_cannot_be_printed() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, status) in
        [(&["contract", "explain", "missing.yaml"][..], 64), (&["no-such-command"], 64)]
    {
        let output = run(folder.path(), arguments, closed(), closed());
        assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    }
}

#[test]
fn a_command_finishes_its_work_after_the_pipe_is_closed() {
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

/// Writing to `/dev/full` fails like writing to a full disk.
#[cfg(target_os = "linux")]
#[test]
fn lost_output_is_an_error_unless_the_pipe_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let lost = run(folder.path(), &["contract", "lint", "{contract}"], full.into(), Stdio::piped());
    assert_eq!(lost.status.code(), Some(64));
    let error = String::from_utf8(lost.stderr).unwrap();
    assert!(error.starts_with("penstock: writing the output: "), "{error}");
}
