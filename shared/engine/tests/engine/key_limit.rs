//! Primary keys that are too long for a PostgreSQL index: only the row is rejected, not its chunk.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use penstock_contract::*;
use penstock_engine::Limits;

use crate::parquet_files::file;
use crate::support::{Outcome, contract, csv, read, read_parquet, required, text};

/// Returns a contract that upserts by a key of all `columns`.
fn keyed(kind: FormatKind, columns: Vec<Column>, max_key_bytes: u32) -> Contract {
    let key = (0..columns.len()).collect();
    let contract = contract(kind, columns);
    Contract {
        entity: Entity { key, ..contract.entity },
        load: Load { mode: WriteMode::Upsert, ..contract.load },
        max_key_bytes,
        ..contract
    }
}

fn columns() -> Vec<Column> {
    vec![required(text("a")), required(text("b"))]
}

fn reasons(outcome: &Outcome) -> Vec<String> {
    let rejects = outcome.rejects.iter();
    rejects
        .map(|reject| {
            let reason = &reject.reasons[0];
            let found = reason.found.as_deref().unwrap_or_default();
            format!("{} {}: {}, {found}", reject.row, reason.code, reason.rule)
        })
        .collect()
}

#[test]
fn the_limit_applies_to_the_bytes_of_all_key_columns_together() {
    let rows = [
        ("aaaa".to_owned(), "bbbb".to_owned()),
        ("aaaa".to_owned(), "bbbbb".to_owned()),
        ("c".to_owned(), "d".to_owned()),
        // The limit is in bytes, not in characters.
        ("ää".to_owned(), "bbbb".to_owned()),
        ("ää".to_owned(), "äää".to_owned()),
        // A backslash is escaped in COPY text, but counts once in the key.
        ("\\\\\\\\".to_owned(), "bbbb".to_owned()),
    ];
    let expected = [
        "2 too_long: a primary key of at most 8 bytes, 9 bytes",
        "5 too_long: a primary key of at most 8 bytes, 10 bytes",
    ];
    let lines: String = rows.iter().map(|(a, b)| format!("{a},{b}\n")).collect();
    let outcome = read(&keyed(csv(), columns(), 8), format!("a,b\n{lines}"));
    assert_eq!(reasons(&outcome), expected);
    assert_eq!((outcome.totals.accepted, outcome.totals.rejected), (4, 2));
    assert_eq!(outcome.rows().len(), 4);

    let [a, b] = [rows.clone().map(|(a, _)| a), rows.map(|(_, b)| b)];
    let array = |values: [String; 6]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let parquet = file(&[("a", array(a)), ("b", array(b))]);
    let typed = read_parquet(&keyed(FormatKind::Parquet, columns(), 8), Limits::default(), parquet).unwrap();
    assert_eq!(reasons(&typed), expected);
    assert_eq!(typed.values(), outcome.values());
}

#[test]
fn only_indexed_keys_are_limited() {
    let file = "a,b\naaaaaaaaaa,b\n";
    let appended = keyed(csv(), columns(), 8);
    let appended = Contract { load: Load { mode: WriteMode::Append, ..appended.load.clone() }, ..appended };
    assert_eq!(read(&appended, file).totals.accepted, 1);
    let long = format!("a,b\n{},b\n", "x".repeat(3_000));
    let outcome = read(&keyed(csv(), columns(), 2_048), long);
    assert_eq!(reasons(&outcome), ["1 too_long: a primary key of at most 2048 bytes, 3001 bytes"]);
}

#[test]
fn a_numeric_key_is_limited_by_its_digits() {
    let number = || Column {
        logical_type: LogicalType::Number,
        sql_type: SqlType::Numeric(None),
        ..required(text("n"))
    };
    let outcome = read(&keyed(csv(), vec![number()], 8), "n\n12345678\n123456789\n");
    assert_eq!(reasons(&outcome), ["2 too_long: a primary key of at most 8 bytes, 9 bytes"]);
}
