//! `penstock check --json` reports the reason why a file cannot be read.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the unreadable golden files, each with its contract and the code with which its name begins.
fn unreadable() -> Vec<(PathBuf, &'static str, String)> {
    let entries = fs::read_dir(root().join("tests/golden/unreadable")).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    let cases = files.filter_map(|file| {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let (code, rest) = name.split_once('.').unwrap();
        let contract = match code {
            "expected" | "contract" | "gzip" | "json" | "json_path" | "parquet" => return None,
            _ if rest.starts_with("under-csv.") => "contract.yaml",
            "wrong_compression" => "gzip.yaml",
            _ if rest.starts_with("path.") => "json_path.yaml",
            _ if rest.ends_with("json") => "json.yaml",
            _ if rest.ends_with("parquet") => "parquet.yaml",
            _ => "contract.yaml",
        };
        Some((file, contract, code.to_owned()))
    });
    cases.collect()
}

/// Returns the codes of the table in docs/codes.md.
fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/codes.md")).unwrap();
    let (_, files) = page.split_once("\n## Files\n").unwrap();
    let codes = files.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    codes.map(str::to_owned).collect()
}

#[test]
fn the_refusal_of_an_unreadable_file_has_its_reason() {
    let mut reported = BTreeSet::new();
    for (file, contract, code) in unreadable() {
        let contract = root().join("tests/golden/unreadable").join(contract);
        let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
        let output =
            command.args(["check", "--json", "--contract"]).arg(contract).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", file.display());
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let refusal = &report["files"][0]["refusal"];
        assert_eq!((&refusal["code"], &refusal["reason"]), (&"unreadable".into(), &code.as_str().into()));
        reported.insert(code);
    }
    assert_eq!(reported, documented());
}

#[test]
fn a_refusal_with_a_specific_code_has_no_reason() {
    let empty = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-bytes.csv");
    fs::write(&empty, "").unwrap();
    let contract = root().join("tests/golden/unreadable/contract.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
    let output = command.args(["check", "--json", "--contract"]).arg(contract).arg(&empty).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let refusal = report["files"][0]["refusal"].as_object().unwrap();
    assert_eq!((refusal["code"].as_str(), refusal.get("reason")), (Some("empty"), None));
}
