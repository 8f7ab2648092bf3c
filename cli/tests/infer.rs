//! `penstock contract infer`: its options and error messages.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// Writes the sample and infers a contract from it.
fn infer(name: &str, sample: &str, options: &[&str]) -> Output {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, sample).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
    command.args(["contract", "infer"]).arg(&path).args(options).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

#[test]
fn an_error_is_printed_once_with_its_code() {
    let output = infer("empty.csv", "", &[]);
    assert_eq!(output.status.code(), Some(64));
    let error = text(&output.stderr);
    assert!(error.ends_with("empty.csv: the sample cannot be read (empty): the file is empty\n"), "{error}");

    let output = infer("rows.csv", "id,name\n1,2,3\n4\n", &[]);
    let error = text(&output.stderr);
    assert!(error.contains("(too_few_fields 1, too_many_fields 1)"), "{error}");

    let missing = Command::new(env!("CARGO_BIN_EXE_penstock"))
        .args(["contract", "infer", "/there/is/no.csv"])
        .output()
        .unwrap();
    let error = text(&missing.stderr);
    assert_eq!(error.matches("No such file").count(), 1, "{error}");
    assert!(error.starts_with("penstock: /there/is/no.csv: No such file"), "{error}");
}

#[test]
fn options_determine_the_format_of_the_sample() {
    let options = ["--delimiter", ";", "--quote", "none", "--header", "true", "--skip-lines", "1"];
    let output = infer("known.csv", "title\na,b;c\n1;\"2\"\n", &options);
    let contract = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    for expected in
        ["value: \";\"", "value: none", "penstock.skipLines\n        value: 1", "physicalName: \"a,b\""]
    {
        assert!(contract.contains(expected), "{contract}");
    }
    let nested = "{\"a\": {\"b\": [{\"id\": 1}]}}";
    let output = infer("nested.json", nested, &["--path", "$.a.b"]);
    assert!(text(&output.stdout).contains("penstock.path\n        value: \"$.a.b\""));
    let output = infer("wrong.csv", "a,b\n1,2\n", &["--quote", "none", "--escape", "\\"]);
    let message = "the given dialect cannot be used: an escape has no effect without a quote\n";
    assert!(text(&output.stderr).ends_with(message), "{}", text(&output.stderr));
    for (options, message) in [
        (["--path", "a.b"], "expected keys separated by dots"),
        (["--quote", "ab"], "expected one ASCII character"),
        (["--format", "xlsx"], "possible values: csv, tsv, ndjson, json, parquet, avro"),
        (["--encoding", "utf-9"], "unknown encoding `utf-9`"),
        (["--delimiter", "x"], "must not contain a letter"),
        (["--delimiter", ""], "expected one or more characters, or `tab`"),
        (["--rows", "0"], "0 is not in 1.."),
        (["--format", "parquet"], "specify the right `--format`"),
    ] {
        let output = infer("wrong.csv", "a,b\n1,2\n", &options);
        assert_eq!(output.status.code(), Some(64), "{options:?}");
        assert!(text(&output.stderr).contains(message), "{}", text(&output.stderr));
    }
}

#[test]
fn a_sample_can_come_from_standard_input() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_penstock"))
        .args(["contract", "infer", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"id,name\n1,a\n2,b\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let contract = text(&output.stdout);
    assert!(
        contract.contains("location: \"s3://raw/source/\"") && contract.contains("name: id"),
        "{contract}"
    );
}

#[test]
fn rejects_of_the_sample_are_reported() {
    let output = infer("rejects.csv", "id,name\n1,a\n2,b\n3,c,d\n", &[]);
    assert_eq!(output.status.code(), Some(0));
    let note = "note: rejects in the sample: 1 of 3 rows (too_many_fields 1); `penstock.maxRejectsPercent` is therefore 34";
    assert!(text(&output.stderr).contains(note), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("# rejects in the sample: 1 of 3 rows (too_many_fields 1)."));
}
