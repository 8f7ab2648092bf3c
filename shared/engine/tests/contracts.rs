//! The contracts that the repository ships, compiled and run over a few rows.

use std::sync::Arc;

use penstock_engine::{Limits, Plan, Reader};

fn plan(source: &str) -> Arc<Plan> {
    let path = format!("{}/../../infra/contracts/{source}.yaml", env!("CARGO_MANIFEST_DIR"));
    let found = std::fs::read_dir(format!("{}/../../infra/contracts", env!("CARGO_MANIFEST_DIR")))
        .unwrap()
        .filter_map(|entry| entry.ok())
        .map(|entry| entry.path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with(source))
        .unwrap_or_else(|| panic!("{path}"));
    let text = std::fs::read_to_string(&found).unwrap();
    Arc::new(Plan::compile(&penstock_contract::parse(source, &text).unwrap()).unwrap())
}

#[test]
fn the_shops_feeds_are_accepted() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/products");
    for (source, rows) in [("abt", 1076), ("buy", 1076), ("amazon", 1354), ("google", 3039)] {
        let Ok(file) = std::fs::File::open(folder.join(format!("{source}.csv"))) else { return };
        let mut reader = Reader::open(plan(source), Limits::default(), file).unwrap();
        while let Some(block) = reader.next_block().unwrap() {
            for reject in block.rejects {
                panic!("{source}: {reject:?}");
            }
            println!("{}", String::from_utf8_lossy(&block.rows.copy_text[..200]));
        }
        assert_eq!(reader.totals().rows_read, rows, "{source}");
        println!("{:?}", reader.dialect());
    }
}
