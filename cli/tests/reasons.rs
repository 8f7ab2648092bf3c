//! `penstock check --json` has the kind of fault of each file that cannot be read.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The golden files that cannot be read, each with its contract and the code that its name begins with.
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

/// The codes of docs/codes.md, which has a row for each.
fn documented() -> BTreeSet<String> {
    let page = fs::read_to_string(root().join("docs/codes.md")).unwrap();
    let (_, files) = page.split_once("\n## Files\n").unwrap();
    let codes = files.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    codes.map(str::to_owned).collect()
}

#[test]
fn each_kind_of_fault_of_a_file_is_the_reason_of_its_refusal() {
    let mut seen = BTreeSet::new();
    for (file, contract, code) in unreadable() {
        let contract = root().join("tests/golden/unreadable").join(contract);
        let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
        let output =
            command.args(["check", "--json", "--contract"]).arg(contract).arg(&file).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", file.display());
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let refusal = &answer["files"][0]["refusal"];
        assert_eq!((&refusal["code"], &refusal["reason"]), (&"unreadable".into(), &code.as_str().into()));
        seen.insert(code);
    }
    assert_eq!(seen, documented());
}

#[test]
fn a_refusal_of_one_kind_has_no_reason() {
    let empty = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-bytes.csv");
    fs::write(&empty, "").unwrap();
    let contract = root().join("tests/golden/unreadable/contract.yaml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_penstock"));
    let output = command.args(["check", "--json", "--contract"]).arg(contract).arg(&empty).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let refusal = answer["files"][0]["refusal"].as_object().unwrap();
    assert_eq!((refusal["code"].as_str(), refusal.get("reason")), (Some("empty"), None));
}
