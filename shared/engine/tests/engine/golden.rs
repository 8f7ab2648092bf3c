//! Small files of each dialect, with what is made of them, under `tests/golden/engine`.
//!
//! `PENSTOCK_GOLDEN=write cargo test -p penstock-engine golden` writes the expected files anew: look at the difference.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use penstock_engine::{Limits, Plan};

use crate::support::read_plan;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/engine");
    let entries = fs::read_dir(folder).unwrap();
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

#[test]
fn golden_files_are_read_as_before() {
    let is_writing = std::env::var("PENSTOCK_GOLDEN").as_deref() == Ok("write");
    let cases = cases();
    assert!(cases.len() >= 9, "{cases:?}");
    for case in cases {
        let contract = fs::read_to_string(case.join("contract.yaml")).unwrap();
        let contract = penstock_contract::parse("contract.yaml", &contract)
            .unwrap_or_else(|errors| panic!("{}: {errors}", case.display()));
        let plan = Arc::new(Plan::compile(&contract).unwrap());
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
            let path = case.join(name);
            if is_writing {
                fs::write(&path, &found).unwrap();
            }
            let expected = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(
                String::from_utf8_lossy(&found),
                String::from_utf8_lossy(&expected),
                "{}",
                path.display()
            );
        }
    }
}
