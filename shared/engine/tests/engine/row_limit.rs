//! Rows that do not fit on a PostgreSQL page: only the row is rejected, not its chunk.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use penstock_contract::row_size::{MAX_ROW_BYTES, RowSize};
use penstock_contract::*;
use penstock_engine::Limits;

use crate::parquet_files::file;
use crate::support::{Outcome, ShortReads, column, contract, csv, read, read_parquet, read_with, text};

const WIDTH: usize = 400;

fn columns(count: usize) -> Vec<Column> {
    (0..count).map(|index| text(&format!("c{index}"))).collect()
}

/// Returns a delimited file with one row for each value, which all of its fields have.
fn rows(width: usize, values: &[&str]) -> String {
    let line = |value: &dyn Fn(usize) -> String| (0..width).map(value).collect::<Vec<_>>().join(",");
    let header = line(&|index| format!("c{index}"));
    let rows: Vec<String> = values.iter().map(|value| line(&|_| (*value).to_owned())).collect();
    format!("{header}\n{}\n", rows.join("\n"))
}

fn reasons(outcome: &Outcome) -> Vec<String> {
    let reason = |reject: &penstock_engine::Reject| {
        let [reason] = reject.reasons.as_slice() else { panic!("expected one reason: {:?}", reject.reasons) };
        assert_eq!(reason.column, None);
        format!("{} {}: {}", reject.row, reason.code, reason.rule)
    };
    outcome.rejects.iter().map(reason).collect()
}

const LETTERS: &str = "abcdefghijklmnopqrstuvwxyz";

#[test]
fn only_rows_that_do_not_fit_on_a_page_are_rejected() {
    let long = LETTERS.repeat(20);
    let repeated = "a".repeat(200);
    let twenty = &LETTERS[..20];
    let escaped = "\\".repeat(12);
    // Columns of ten bytes fit, of twenty bytes do not. Long text is moved out of line (TOAST) unless it compresses well.
    let values = ["abcdefghij", twenty, &long, &repeated, &escaped, "é"];
    let expected = [
        "2 too_long: a row of at most 8160 bytes, which is what fits a page of PostgreSQL",
        "4 too_long: a row of at most 8160 bytes, which is what fits a page of PostgreSQL",
    ];
    let table = rows(WIDTH, &values);
    let outcome = read(&contract(csv(), columns(WIDTH)), &table);
    assert_eq!(reasons(&outcome), expected);
    assert_eq!((outcome.totals.accepted, outcome.totals.rejected), (4, 2));

    let typed: Vec<(String, ArrayRef)> = (0..WIDTH)
        .map(|index| (format!("c{index}"), Arc::new(StringArray::from(values.to_vec())) as ArrayRef))
        .collect();
    let typed: Vec<(&str, ArrayRef)> =
        typed.iter().map(|(name, array)| (name.as_str(), Arc::clone(array))).collect();
    let typed = read_parquet(&contract(FormatKind::Parquet, columns(WIDTH)), Limits::default(), file(&typed))
        .unwrap();
    assert_eq!(reasons(&typed), expected);
    assert_eq!(typed.values(), outcome.values());

    let object = |value: &&str| {
        let members: serde_json::Map<String, serde_json::Value> =
            (0..WIDTH).map(|index| (format!("c{index}"), (*value).into())).collect();
        format!("{}\n", serde_json::Value::Object(members))
    };
    let lines: String = values.iter().map(object).collect();
    let ndjson = read(&contract(FormatKind::Ndjson, columns(WIDTH)), &lines);
    assert_eq!(reasons(&ndjson), expected);
    assert_eq!(ndjson.values(), outcome.values());

    // The result does not depend on the size of reads.
    for bytes in [1, 7, 1_000] {
        let short_reads = ShortReads { rest: table.as_bytes(), sizes: vec![bytes], at: 0 };
        let again = read_with(&contract(csv(), columns(WIDTH)), Limits::default(), short_reads).unwrap();
        assert_eq!(again, outcome, "{bytes} bytes a read");
    }
}

#[test]
fn missing_values_take_no_space() {
    let twenty = &LETTERS[..20];
    let half: Vec<&str> = (0..WIDTH).map(|index| if index % 2 == 0 { twenty } else { "" }).collect();
    let header: Vec<String> = (0..WIDTH).map(|index| format!("c{index}")).collect();
    let outcome =
        read(&contract(csv(), columns(WIDTH)), format!("{}\n{}\n", header.join(","), half.join(",")));
    assert_eq!((outcome.totals.accepted, outcome.totals.rejected), (1, 0));
}

#[test]
fn a_short_document_counts_with_the_size_of_its_jsonb_form() {
    let columns = |count: usize| -> Vec<Column> {
        (0..count)
            .map(|index| column(&format!("c{index}"), LogicalType::Array { items: None }, SqlType::Jsonb))
            .collect()
    };
    for (count, document, accepted) in [
        (439, "[1]", 1),
        (439, "[12]", 1),
        (439, "[{}]", 1),
        (480, "[1]", 0),
        (439, "[1.5]", 0),
        (1_400, "[]", 1),
    ] {
        let outcome = read(&contract(csv(), columns(count)), rows(count, &[document]));
        assert_eq!(
            outcome.totals.accepted,
            accepted,
            "{count} columns of {document}: {:?}",
            outcome.reject_summary()
        );
    }
}

#[test]
fn a_contract_whose_rows_always_fit_needs_no_limit() {
    for (columns, may_exceed) in [
        (columns(WIDTH), true),
        (columns(290), false),
        (
            (0..900)
                .map(|index| column(&format!("c{index}"), LogicalType::Integer, SqlType::Bigint))
                .collect(),
            false,
        ),
        (
            (0..360)
                .map(|index| Column {
                    rules: Rules { max_length: Some(4), ..Rules::default() },
                    ..text(&format!("c{index}"))
                })
                .collect(),
            false,
        ),
    ] {
        let size = RowSize::of(&columns, "source");
        assert_eq!(size.may_exceed_page(), may_exceed, "{} to {} bytes", size.least(), size.most());
        assert!(size.least() <= size.most() && size.least() <= MAX_ROW_BYTES);
    }
}
