//! Fuzzes NDJSON, and JSON arrays with and without a path.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use penstock_engine::Plan;
use penstock_fuzz::{COLUMNS, TWO_TEXTS, check, contract, plan};

static PLANS: LazyLock<Vec<Arc<Plan>>> = LazyLock::new(|| {
    let mut plans = Vec::new();
    for server in [
        "format: ndjson",
        "format: json, delimiter: array",
        "format: json, delimiter: array, customProperties: [{property: penstock.path, value: $.data.items}]",
    ] {
        for columns in [COLUMNS, TWO_TEXTS] {
            for unexpected in ["rescue", "reject", "ignore"] {
                let custom = format!("{{property: penstock.unexpectedColumns, value: {unexpected}}}");
                plans.push(plan(&contract(server, &custom, columns)));
            }
        }
    }
    plans
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, file)) = bytes.split_first() else { return };
    check(&PLANS[usize::from(*choice) % PLANS.len()], file);
});
