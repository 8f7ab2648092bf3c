//! Small input files of each dialect with their expected results, under `tests/golden`.
//!
//! `PENSTOCK_GOLDEN=write cargo test -p penstock-engine golden` rewrites the expected files. Review the diff.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use penstock_engine::{Limits, Plan, ReadError};

use crate::support::{assert_golden, golden, read_plan};

fn plan_of(path: &Path) -> Arc<Plan> {
    let contract = fs::read_to_string(path).unwrap();
    let contract = penstock_contract::parse("contract.yaml", &contract)
        .unwrap_or_else(|errors| panic!("{}: {errors}", path.display()));
    Arc::new(Plan::compile(&contract).unwrap())
}

fn cases() -> Vec<PathBuf> {
    let entries = fs::read_dir(golden("engine")).unwrap();
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

#[test]
fn golden_inputs_give_the_expected_results() {
    let cases = cases();
    assert!(cases.len() >= 12, "{cases:?}");
    for case in cases {
        let plan = plan_of(&case.join("contract.yaml"));
        let files = fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path());
        let input = files
            .into_iter()
            .find(|file| file.file_name().unwrap().to_string_lossy().starts_with("input."))
            .unwrap();
        let limits = Limits { max_record_bytes: 4_096, ..Limits::default() };
        let outcome = read_plan(&plan, limits, fs::File::open(input).unwrap()).unwrap();
        let report = serde_json::json!({
            "dialect": outcome.dialect,
            "totals": outcome.totals,
            "rejects": outcome.rejects,
        });
        let report = serde_json::to_string_pretty(&report).unwrap() + "\n";
        for (name, found) in
            [("expected.copy", outcome.chunks.concat()), ("expected.json", report.into_bytes())]
        {
            assert_golden(&case.join(name), &found);
        }
    }
}

/// The name of each file begins with the expected code.
#[test]
fn golden_unreadable_files_give_the_expected_errors() {
    let folder = golden("unreadable");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| {
        !file.ends_with("expected.json") && file.extension().is_none_or(|name| name != "yaml")
    });
    files.sort();
    let mut errors = serde_json::Map::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let code = name.split('.').next().unwrap();
        let contract = match code {
            _ if name.contains(".under-csv.") => "contract.yaml",
            "wrong_compression" => "gzip.yaml",
            _ if name.ends_with(".path.json") => "json_path.yaml",
            _ if name.ends_with(".json") => "json.yaml",
            "wrong_format" | "truncated_file" | "corrupt_file" | "unsupported_feature" => "parquet.yaml",
            _ => "contract.yaml",
        };
        let plan = plan_of(&folder.join(contract));
        let error = read_plan(&plan, Limits::default(), fs::File::open(&file).unwrap()).unwrap_err();
        let ReadError::Unreadable { code: found, .. } = &error else { panic!("{name}: {error}") };
        assert_eq!(found.as_str(), code, "{name}");
        errors.insert(name, error.to_string().into());
    }
    let errors = serde_json::to_string_pretty(&errors).unwrap() + "\n";
    assert_golden(&folder.join("expected.json"), errors.as_bytes());
}

/// Returns the variants of an enum in `source`, in snake case, with their documentation.
fn variants(source: &str, name: &str) -> Vec<(String, String)> {
    let (_, body) = source.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let mut found = Vec::new();
    let mut doc = String::new();
    for line in body.lines().map(str::trim) {
        match line.strip_prefix("/// ") {
            Some(text) => doc = format!("{doc} {text}").trim().to_owned(),
            None => {
                let variant = line.trim_end_matches(',');
                let snake = variant.chars().fold(String::new(), |mut snake, letter| {
                    if letter.is_uppercase() && !snake.is_empty() {
                        snake.push('_');
                    }
                    snake.extend(letter.to_lowercase());
                    snake
                });
                found.push((snake, std::mem::take(&mut doc)));
            }
        }
    }
    found
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Formats a text as a cell of a Markdown table.
fn cell(text: &str) -> String {
    let text: String =
        text.chars().take(100).map(|letter| if letter.is_control() { '␣' } else { letter }).collect();
    format!("`{}`", text.replace('|', "\\|").replace('`', "'"))
}

/// Generates `docs/codes.md` from the golden files. Each code must be in one of them.
#[test]
fn every_code_has_a_golden_file_and_a_line_in_the_docs() {
    let mut page = "# Reject and refusal codes\n\nGenerated by the engine's tests from the golden files under `tests/golden` \
                    (`PENSTOCK_GOLDEN=write` regenerates it). The codes are stable.\n\n## Rows\n\nA reject has one or more of these codes, \
                    each with its column, the rule and the value found. Values of classified columns are never shown.\n\n\
                    | code | meaning | example of a rule | example of a value |\n|---|---|---|---|\n"
        .to_owned();
    let reasons: Vec<serde_json::Value> = cases()
        .iter()
        .map(|case| json(&case.join("expected.json")))
        .flat_map(|case| case["rejects"].as_array().unwrap().clone())
        .flat_map(|reject| reject["reasons"].as_array().unwrap().clone())
        .collect();
    for (code, doc) in variants(include_str!("../../src/outcome.rs"), "Code") {
        if code == "database_refused" {
            // Only PostgreSQL refuses such rows: functions/writer/tests/refused.rs.
            page.push_str(&format!("| `{code}` | {doc} | check constraint orders_quantity_check | |\n"));
            continue;
        }
        let of_code = || reasons.iter().filter(|reason| reason["code"] == *code);
        let reason = of_code().find(|reason| reason["found"].is_string()).or_else(|| of_code().next());
        let reason = reason.unwrap_or_else(|| panic!("no golden file has the code {code}"));
        let found = reason["found"].as_str().map(cell).unwrap_or_default();
        page.push_str(&format!(
            "| `{code}` | {doc} | {} | {found} |\n",
            cell(reason["rule"].as_str().unwrap())
        ));
    }
    page.push_str("\n## Files\n\nA file that cannot be read is refused as a whole. In its receipt and in `penstock check --json`, `refusal.code` is \
                   `unreadable` and `refusal.reason` is one of these codes, or `too_large` if the decompressed file exceeds the limit or the \
                   function's disk.\n\n\
                   | code | meaning | example of a message |\n|---|---|---|\n");
    let errors = json(&golden("unreadable").join("expected.json"));
    for (code, doc) in variants(include_str!("../../src/error.rs"), "UnreadableCode") {
        let mut of_code =
            errors.as_object().unwrap().iter().filter(|(name, _)| name.split('.').next() == Some(&code));
        let (_, message) = of_code.next().unwrap_or_else(|| panic!("no golden file has the code {code}"));
        page.push_str(&format!("| `{code}` | {doc} | {} |\n", message.as_str().unwrap().replace('|', "\\|")));
    }
    assert_golden(&golden("../../docs/codes.md"), page.as_bytes());
}
