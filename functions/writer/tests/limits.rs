//! Rows and keys within the limits of a contract fit PostgreSQL's pages.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use penstock_contract::row_size::{MAX_ROW_BYTES, RowSize};
use penstock_contract::{Contract, ContractErrors, parse};
use support::{ChunkOf, Db, applied, apply, contract_yaml};

/// Returns text that cannot be compressed.
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

/// Returns the largest number of columns of this property, at most 1,500, for whose contract `fits` returns true.
fn widest(property: &str, fits: impl Fn(Result<Contract, ContractErrors>) -> bool) -> usize {
    let (mut fitting, mut failing) = (1, 1_501);
    while failing - fitting > 1 {
        let middle = usize::midpoint(fitting, failing);
        if fits(wide(middle, property)) { fitting = middle } else { failing = middle }
    }
    fitting
}

#[tokio::test]
async fn the_widest_row_of_fixed_sizes_that_a_contract_may_have_fits_a_page() {
    for (property, value, least) in [
        ("logicalType: integer", "9000000000000000000", 950),
        ("logicalType: integer, physicalType: integer", "2000000000", 1_400),
        ("physicalType: uuid", "6a1c1b1e-0000-4000-8000-000000000000", 450),
        ("logicalType: timestamp", "2024-01-01 00:00:00+00", 950),
        ("logicalType: boolean", "t", 1_400),
    ] {
        let db = Db::start();
        let columns = widest(property, |contract| contract.is_ok());
        let contract = wide(columns, property).unwrap();
        assert!(columns >= least, "{property}: {columns}");
        let full = format!("full{}", format!("\t{value}").repeat(columns));
        // A row with a null has a bitmap of the values that are not null.
        let nearly = format!("nearly{}\t\\N", format!("\t{value}").repeat(columns - 1));
        let chunk = ChunkOf::batch(1).rows(&contract, [full, nearly]);
        let outcomes = apply(&mut db.writer(), &contract, &[&chunk]).await;
        assert_eq!(outcomes.unwrap(), [applied(2, 0, 0)], "{property}: {columns} columns");
    }
}

/// Returns a row whose columns repeat these values, and its size by the engine's estimate.
fn row_of(columns: usize, values: &[String], contract: &Contract) -> (Vec<String>, usize) {
    let mut row: Vec<String> = (0..columns).map(|index| values[index % values.len()].clone()).collect();
    row.insert(0, "key".to_owned());
    let size = RowSize::of(&contract.entity.columns, &contract.source);
    let bytes = size.bytes(|index| row.get(index).filter(|value| *value != "\\N"));
    (row, bytes)
}

#[tokio::test]
async fn a_row_that_the_engine_accepts_fits_a_page_for_any_values() {
    const TEXT: &str = "logicalType: string";
    const NUMERIC: &str = "physicalType: numeric";
    const JSON: &str = "logicalType: object";
    let text = |value: String| vec![value];
    let letters = "abcdefghijklmnopqrstuvwxyz";
    let mut least = usize::MAX;
    for (property, values) in [
        (TEXT, text(noise(500, 7))),
        (TEXT, text(noise(20, 7))),
        (TEXT, text(noise(21, 7))),
        (TEXT, text(noise(23, 7))),
        (TEXT, text(noise(24, 7))),
        (TEXT, text(noise(2_100, 7))),
        (TEXT, text("a".repeat(32))),
        (TEXT, text("a".repeat(700))),
        (TEXT, text("ab".repeat(100))),
        (TEXT, text(letters[..12].repeat(9))),
        (TEXT, text(letters[..13].repeat(9))),
        (TEXT, text(letters[..6].repeat(40))),
        (TEXT, text("x".to_owned())),
        (TEXT, vec!["x".to_owned(), "a".repeat(80), noise(19, 3), "a".repeat(33), noise(300, 5)]),
        (TEXT, vec![noise(20, 1), "\\N".to_owned()]),
        (NUMERIC, text("9999999999.99".to_owned())),
        (NUMERIC, text("12345678901234567890123456789012345678".to_owned())),
        (NUMERIC, text(format!("0.{}1", "0".repeat(300)))),
        (NUMERIC, text(format!("1{}", "0".repeat(300)))),
        (NUMERIC, text("1234".repeat(60))),
        (NUMERIC, text("1.1".to_owned())),
        (JSON, text("{}".to_owned())),
        (JSON, text(r#"{"a":1}"#.to_owned())),
        (JSON, text(format!(r#"{{"a":"{}"}}"#, "b".repeat(200)))),
        (JSON, text(format!(r#"{{"a":"{}"}}"#, noise(200, 9).replace('\\', "/")))),
    ] {
        let db = Db::start();
        let fits = |contract: Result<Contract, ContractErrors>| {
            contract.is_ok_and(|contract| {
                let columns = contract.entity.columns.len() - 1;
                row_of(columns, &values, &contract).1 <= MAX_ROW_BYTES
            })
        };
        let columns = widest(property, fits);
        let contract = wide(columns, property).unwrap();
        let (row, bytes) = row_of(columns, &values, &contract);
        assert!(bytes <= MAX_ROW_BYTES);
        least = least.min(columns);
        let row = row.join("\t").replace("\\", "\\\\").replace("\\\\N", "\\N");
        let chunk = ChunkOf::batch(1).rows(&contract, [row]);
        let outcomes = apply(&mut db.writer(), &contract, &[&chunk]).await;
        assert_eq!(
            outcomes.unwrap(),
            [applied(1, 0, 0)],
            "{property} {values:?}: {columns} columns, {bytes} bytes"
        );
    }
    assert!(least > 280, "{least}");
}

#[tokio::test]
async fn the_limit_of_a_row_is_that_of_the_database() {
    let db = Db::start();
    let values = [noise(20, 7)];
    let columns = (1..=500)
        .rev()
        .find(|columns| {
            row_of(*columns, &values, &wide(*columns, "logicalType: string").unwrap()).1 <= MAX_ROW_BYTES
        })
        .unwrap();
    // The limit includes a bitmap of nulls, which this row does not have; it is as large as three columns.
    let contract = wide(columns + 4, "logicalType: string").unwrap();
    let (row, bytes) = row_of(columns + 4, &values, &contract);
    assert!(bytes > MAX_ROW_BYTES);
    let row = row.join("\t").replace('\\', "\\\\");
    let chunk = ChunkOf::batch(1).rows(&contract, [row]);
    let refused = apply(&mut db.writer(), &contract, &[&chunk]).await;
    assert!(
        refused.is_err() || refused.as_ref().is_ok_and(|outcomes| *outcomes != [applied(1, 0, 0)]),
        "{refused:?}"
    );
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
        let outcomes = apply(&mut db.writer(), &contract, &[&chunk]).await;
        assert_eq!(outcomes.unwrap(), [applied(1, 0, 0)], "{most} bytes in {columns} columns");
    }
}
