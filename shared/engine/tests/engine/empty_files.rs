//! Files without rows, under each value of `penstock.emptyFile`.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use penstock_contract::*;
use penstock_engine::{FileFormat, Limits, ReadError};

use crate::avro_files;
use crate::parquet_files;
use crate::support::{contract, csv, gzip, read_with, text};

fn with_empty_file(kind: FormatKind, empty_file: Option<EmptyFile>) -> Contract {
    let mut contract = contract(kind, vec![text("a"), text("b")]);
    contract.format.empty_file = empty_file;
    contract
}

/// Returns the number of rows and the format, or the error's code.
fn outcome(contract: &Contract, file: &[u8]) -> String {
    match read_with(contract, Limits::default(), file) {
        Ok(outcome) => format!(
            "{} rows of {}",
            outcome.totals.accepted,
            outcome.dialect.format.map_or("unknown", FileFormat::name)
        ),
        Err(error @ (ReadError::Empty | ReadError::Unreadable { .. })) => error.code().to_owned(),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_file_without_rows_is_accepted_or_refused_as_the_contract_says() {
    let array = || FormatKind::JsonArray { path: vec![] };
    let gz = gzip(b"");
    let no_rows: ArrayRef = Arc::new(StringArray::from(Vec::<&str>::new()));
    let parquet = parquet_files::file(&[("a", Arc::clone(&no_rows)), ("b", no_rows)]);
    let schema = avro_files::record(&[("a", "\"string\""), ("b", "\"string\"")]);
    let avro = avro_files::header(&schema, "null");
    let cases: [(FormatKind, &[u8], [&str; 3]); 19] = [
        // The results without `penstock.emptyFile`, with `accept` and with `refuse`.
        (csv(), b"", ["empty", "0 rows of delimited", "empty"]),
        (csv(), &gz, ["empty", "0 rows of delimited", "empty"]),
        (csv(), b"\xef\xbb\xbf", ["malformed_header", "0 rows of delimited", "empty"]),
        (csv(), b"\n\r\n \n", ["missing_columns", "0 rows of delimited", "empty"]),
        (csv(), b"a,b", ["0 rows of delimited", "0 rows of delimited", "empty"]),
        (csv(), b"a,b\r\n\r\n", ["0 rows of delimited", "0 rows of delimited", "empty"]),
        (csv(), b"a,b\n,\n,,\n", ["0 rows of delimited", "0 rows of delimited", "empty"]),
        (csv(), b"a,b\na,b\n", ["0 rows of delimited", "0 rows of delimited", "empty"]),
        (csv(), b"a,b\n1\n", ["0 rows of delimited", "0 rows of delimited", "0 rows of delimited"]),
        (csv(), b"a,b\n1,2\n", ["1 rows of delimited", "1 rows of delimited", "1 rows of delimited"]),
        (FormatKind::Ndjson, b"", ["empty", "0 rows of ndjson", "empty"]),
        (FormatKind::Ndjson, b"\n\n", ["0 rows of ndjson", "0 rows of ndjson", "empty"]),
        (array(), b"", ["empty", "0 rows of json_array", "empty"]),
        (array(), b"[ ]", ["0 rows of json_array", "0 rows of json_array", "empty"]),
        (array(), b"{}", ["no_array", "no_array", "no_array"]),
        (FormatKind::Parquet, b"", ["empty", "0 rows of parquet", "empty"]),
        (FormatKind::Parquet, &parquet, ["0 rows of parquet", "0 rows of parquet", "empty"]),
        (FormatKind::Avro, &avro, ["0 rows of avro", "0 rows of avro", "empty"]),
        (FormatKind::Avro, b"", ["empty", "0 rows of avro", "empty"]),
    ];
    for (kind, file, expected) in cases {
        let found = [None, Some(EmptyFile::Accept), Some(EmptyFile::Refuse)]
            .map(|empty_file| outcome(&with_empty_file(kind.clone(), empty_file), file));
        assert_eq!(found, expected, "{kind:?} {:?}", String::from_utf8_lossy(file));
    }
}

#[test]
fn a_truncated_file_is_not_treated_as_empty() {
    let gz = gzip(b"a,b\n1,2\n");
    let accepting = with_empty_file(csv(), Some(EmptyFile::Accept));
    assert_eq!(outcome(&accepting, &gz[..gz.len() - 10]), "truncated_compression");
    assert_eq!(
        outcome(&with_empty_file(FormatKind::Parquet, Some(EmptyFile::Accept)), b"PAR1"),
        "truncated_file"
    );
}
