//! Fuzzes the decompression and decoding of files.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use penstock_engine::Plan;
use penstock_fuzz::{TWO_TEXTS, check, contract, plan};

/// The first bytes of each container, so that the fuzzer does not have to find them.
const BEGINNINGS: [&[u8]; 9] = [
    b"",
    b"\x1f\x8b\x08\0\0\0\0\0\0\x03",
    b"\x28\xb5\x2f\xfd",
    b"BZh91AY&SY",
    b"\xfd7zXZ\0",
    b"PK\x03\x04\x14\0\0\0\x08\0",
    b"\xff\xfe",
    b"\xfe\xff",
    b"\xef\xbb\xbf",
];

static PLANS: LazyLock<[Arc<Plan>; 2]> = LazyLock::new(|| {
    ["format: csv", "format: json, delimiter: array"].map(|server| plan(&contract(server, "", TWO_TEXTS)))
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let choice = usize::from(*choice);
    let file = [BEGINNINGS[choice % BEGINNINGS.len()], rest].concat();
    check(&PLANS[choice / BEGINNINGS.len() % PLANS.len()], &file);
});
