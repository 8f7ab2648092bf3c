//! Delimited text in a dialect that the first three bytes draw.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use penstock_engine::Plan;
use penstock_fuzz::{TWO_TEXTS, check, contract, plan};

const DELIMITERS: [&str; 6] = ["", "';'", "tab", "'||'", "', '", "'§'"];
const QUOTES: [&str; 4] = ["", "'\"'", "none", "\"'\""];
const OTHERS: [&str; 12] = [
    "",
    "{property: penstock.escape, value: '\\'}",
    "{property: penstock.header, value: false}",
    "{property: penstock.headerRows, value: 2}",
    "{property: penstock.skipLines, value: 2}",
    "{property: penstock.comment, value: '#'}",
    "{property: penstock.ragged, value: pad}",
    "{property: penstock.encoding, value: utf-16le}",
    "{property: penstock.encoding, value: windows-1252}",
    "{property: penstock.encoding, value: shift_jis}",
    "{property: penstock.encoding, value: utf-8}",
    "{property: penstock.nullValues, value: ['-', 'NULL']}",
];
const CUSTOM: [&str; 3] = [
    "{property: penstock.unexpectedColumns, value: rescue}",
    "{property: penstock.unexpectedColumns, value: reject}",
    "{property: penstock.missingColumns, value: 'null'}, {property: penstock.unexpectedColumns, value: ignore}",
];

static PLANS: LazyLock<Vec<Arc<Plan>>> = LazyLock::new(|| {
    let mut plans = Vec::new();
    for delimiter in DELIMITERS {
        for quote in QUOTES {
            for (index, other) in OTHERS.iter().enumerate() {
                let mut properties = Vec::new();
                if !delimiter.is_empty() {
                    properties.push(format!("{{property: penstock.delimiter, value: {delimiter}}}"));
                }
                if !quote.is_empty() {
                    properties.push(format!("{{property: penstock.quote, value: {quote}}}"));
                }
                if !other.is_empty() {
                    properties.push((*other).to_owned());
                }
                let server = format!("format: csv, customProperties: [{}]", properties.join(", "));
                let text = contract(&server, CUSTOM[index % CUSTOM.len()], TWO_TEXTS);
                // An escape without a quote and the like contradict each other.
                if penstock_contract::parse("fuzz.yaml", &text).is_ok() {
                    plans.push(plan(&text));
                }
            }
        }
    }
    plans
});

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, file)) = bytes.split_first_chunk::<2>() else { return };
    check(&PLANS[usize::from(u16::from_le_bytes(*choice)) % PLANS.len()], file);
});
