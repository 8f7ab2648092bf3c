//! What a contract may ask of PostgreSQL's pages, PostgreSQL can store.
#![allow(clippy::unwrap_used, reason = "as in the tests themselves")]

mod support;

use penstock_contract::{Contract, ContractErrors, parse};
use support::{ChunkOf, Db, apply, contract_yaml, now};

/// Text that does not become shorter by compression.
fn noise(length: usize, seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'#' + u8::try_from((state >> 33) % 57).unwrap())
    };
    (0..length).map(|_| next()).collect()
}

fn wide(columns: usize, property: &str) -> Result<Contract, ContractErrors> {
    let columns: String =
        (0..columns).map(|index| format!("\n      - {{name: c{index}, {property}}}")).collect();
    let key = "\n      - {name: sku, logicalType: string, primaryKey: true}";
    parse("wide.yaml", &contract_yaml("wide", "1.0.0", &[], &format!("{key}{columns}")))
}

/// The widest contract of columns of this property that is accepted.
fn widest(property: &str) -> (usize, Contract) {
    let (mut fits, mut fails) = (1, 1_501);
    while fails - fits > 1 {
        let middle = usize::midpoint(fits, fails);
        if wide(middle, property).is_ok() { fits = middle } else { fails = middle }
    }
    (fits, wide(fits, property).unwrap())
}

#[tokio::test]
async fn the_widest_row_that_a_contract_may_have_fits_a_page() {
    for (property, value, least) in [
        ("logicalType: integer", "9000000000000000000".to_owned(), 950),
        ("logicalType: integer, physicalType: integer", "2000000000".to_owned(), 1_400),
        ("logicalType: string", noise(500, 7), 400),
        ("physicalType: uuid", "6a1c1b1e-0000-4000-8000-000000000000".to_owned(), 450),
        ("physicalType: 'numeric(12,2)'", "9999999999.99".to_owned(), 600),
        ("logicalType: timestamp", "2024-01-01 00:00:00+00".to_owned(), 950),
    ] {
        let db = Db::start();
        let (columns, contract) = widest(property);
        assert!(columns >= least, "{property}: {columns}");
        let full = format!("full{}", format!("\t{value}").repeat(columns));
        // One value is missing: the row has a bitmap of the values that are there.
        let nearly = format!("nearly{}\t\\N", format!("\t{value}").repeat(columns - 1));
        let chunk = ChunkOf::batch(1).rows(&contract, [full, nearly]);
        let applied = apply(&mut db.writer(), &contract, &[&chunk]).await;
        assert_eq!(applied.unwrap(), [now(2, 0, 0)], "{property}: {columns} columns");
    }
}

#[tokio::test]
async fn the_longest_key_that_a_contract_may_have_fits_an_index_entry() {
    for columns in [1, 2, 32] {
        let db = Db::start();
        let properties: String = (0..columns)
            .map(|index| format!("\n      - {{name: k{index}, logicalType: string, primaryKey: true}}"))
            .collect();
        let with = |bytes: usize| {
            let custom = [("maxKeyBytes", &*bytes.to_string())];
            parse("keyed.yaml", &contract_yaml("keyed", "1.0.0", &custom, &properties))
        };
        let most = (1..=2_704).rev().find(|bytes| with(*bytes).is_ok()).unwrap();
        assert!(most >= 2_048, "{most}");
        let contract = with(most).unwrap();
        let each = most / columns;
        let mut keys: Vec<String> = (0..columns as u64).map(|seed| noise(each, seed + 1)).collect();
        keys[0].push_str(&noise(most - each * columns, 99));
        assert_eq!(keys.iter().map(String::len).sum::<usize>(), most);
        let chunk = ChunkOf::batch(1).rows(&contract, [keys.join("\t")]);
        let applied = apply(&mut db.writer(), &contract, &[&chunk]).await;
        assert_eq!(applied.unwrap(), [now(1, 0, 0)], "{most} bytes in {columns} columns");
    }
}
