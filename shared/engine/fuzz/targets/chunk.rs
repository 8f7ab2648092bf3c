//! Fuzzes the encoding of chunks and the ordering of their rows by key.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use penstock_engine::{ChunkEncoder, Plan, decode_chunk};
use penstock_fuzz::{contract, plan};

const MAX_BYTES: usize = 1024 * 1024;

static PLANS: LazyLock<[Arc<Plan>; 2]> = LazyLock::new(|| {
    let columns = |key: &str| {
        format!(
            "      - {{name: id, logicalType: {key}, primaryKey: true, primaryKeyPosition: 1}}\n      - {{name: at, logicalType: timestamp, required: true}}\n"
        )
    };
    let custom =
        "{property: penstock.eventTime, value: at}, {property: penstock.unexpectedColumns, value: ignore}";
    ["integer", "string"].map(|key| plan(&contract("format: csv", custom, &columns(key))))
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = decode_chunk(bytes, MAX_BYTES) {
        assert!(text.len() <= MAX_BYTES);
    }
    let encoded =
        ChunkEncoder::new().and_then(|mut encoder| encoder.encode(bytes)).expect("any bytes can be encoded");
    assert_eq!(decode_chunk(&encoded.bytes, bytes.len()).expect("encoded bytes can be decoded"), bytes);
    assert!(bytes.is_empty() || decode_chunk(&encoded.bytes, bytes.len() - 1).is_err());

    // Ordering keeps the lines of a chunk, except for those that a newer row replaces.
    let file = [b"id,at\n", bytes].concat();
    for plan in PLANS.iter() {
        for text in penstock_fuzz::check(plan, &file).chunks {
            let mut ordered = Vec::new();
            if plan.order_by_key(&text, &mut ordered).is_some() {
                let lines = |text: &[u8]| {
                    text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect::<Vec<_>>()
                };
                let (before, after) = (lines(&text), lines(&ordered));
                assert!(after.len() <= before.len() && after.iter().all(|line| before.contains(line)));
                let mut keys: Vec<_> =
                    after.iter().map(|line| line.split(|byte| *byte == b'\t').next()).collect();
                keys.sort();
                keys.dedup();
                assert_eq!(keys.len(), after.len(), "each key must occur once");
            }
        }
    }
});
