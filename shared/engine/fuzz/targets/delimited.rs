//! Fuzzes delimited text. The first two bytes select the dialect.
#![no_main]

use std::sync::{Arc, OnceLock};

use libfuzzer_sys::fuzz_target;
use penstock_engine::Plan;
use penstock_fuzz::{TWO_TEXTS, check, contract, plan};

const DELIMITERS: [&str; 6] = ["", "';'", "tab", "'||'", "', '", "'§'"];
const QUOTES: [&str; 4] = ["", "'\"'", "none", "\"'\""];
const OTHERS: [&str; 13] = [
    "",
    "{property: penstock.escape, value: '\\'}",
    "{property: penstock.skipInitialSpace, value: true}",
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

static PLANS: [OnceLock<Option<Arc<Plan>>>; DELIMITERS.len() * QUOTES.len() * OTHERS.len()] =
    [const { OnceLock::new() }; DELIMITERS.len() * QUOTES.len() * OTHERS.len()];

/// Returns `None` if the options contradict each other, e.g. an escape without a quote.
fn plan_of(choice: usize) -> Option<Arc<Plan>> {
    let delimiter = DELIMITERS[choice % DELIMITERS.len()];
    let quote = QUOTES[choice / DELIMITERS.len() % QUOTES.len()];
    let other = OTHERS[choice / DELIMITERS.len() / QUOTES.len()];
    let property = |name: &str, value: &str| {
        let property = format!("{{property: penstock.{name}, value: {value}}}");
        (!value.is_empty()).then_some(property)
    };
    let other = (!other.is_empty()).then(|| other.to_owned());
    let properties = [property("delimiter", delimiter), property("quote", quote), other];
    let properties: Vec<String> = properties.into_iter().flatten().collect();
    let server = format!("format: csv, customProperties: [{}]", properties.join(", "));
    let text = contract(&server, CUSTOM[choice % CUSTOM.len()], TWO_TEXTS);
    penstock_contract::parse("fuzz.yaml", &text).is_ok().then(|| plan(&text))
}

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, file)) = bytes.split_first_chunk::<2>() else { return };
    let choice = usize::from(u16::from_le_bytes(*choice)) % PLANS.len();
    if let Some(plan) = PLANS[choice].get_or_init(|| plan_of(choice)) {
        check(plan, file);
    }
});
