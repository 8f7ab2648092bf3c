//! Fuzzes Avro container files: headers, schemas and blocks.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use penstock_engine::Plan;
use penstock_fuzz::{COLUMNS, TWO_TEXTS, check, contract, plan};

static PLANS: LazyLock<[Arc<Plan>; 2]> = LazyLock::new(|| {
    let missing = "{property: penstock.missingColumns, value: 'null'}, {property: penstock.maxRejectsPercent, value: 100}";
    [TWO_TEXTS, COLUMNS].map(|columns| plan(&contract("format: avro", missing, columns)))
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, file)) = bytes.split_first() else { return };
    check(&PLANS[usize::from(*choice) % PLANS.len()], file);
});
