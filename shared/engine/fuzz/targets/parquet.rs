//! Fuzzes Parquet files: footers and pages.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use penstock_engine::Plan;
use penstock_fuzz::{COLUMNS, TWO_TEXTS, allow_caught_panics, check_parquet, contract, plan};

static PLANS: LazyLock<[Arc<Plan>; 2]> = LazyLock::new(|| {
    let missing = "{property: penstock.missingColumns, value: 'null'}, {property: penstock.maxRejectsPercent, value: 100}";
    [TWO_TEXTS, COLUMNS].map(|columns| plan(&contract("format: parquet", missing, columns)))
});

fuzz_target!(init: allow_caught_panics(), |bytes: &[u8]| {
    let Some((choice, file)) = bytes.split_first() else { return };
    check_parquet(&PLANS[usize::from(*choice) % PLANS.len()], file);
});
