//! Peculiarities of Parquet writers: row groups without rows, offsets of 0, encrypted columns.

use std::sync::Arc;

use arrow_array::*;
use bytes::Bytes;
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter};
use penstock_contract::*;
use penstock_engine::{Limits, ReadError};

use crate::parquet_files::file;
use crate::support::{Outcome, column, contract, read_parquet, text};

fn things() -> Contract {
    let id = column("id", LogicalType::Integer, SqlType::Bigint);
    let mut contract = contract(FormatKind::Parquet, vec![id, text("name")]);
    contract.unexpected_columns = UnexpectedColumns::Ignore;
    contract
}

fn read(file: &[u8]) -> Result<Outcome, ReadError> {
    read_parquet(&things(), Limits::default(), file.to_vec())
}

/// Returns the file with changed metadata in its footer.
fn with_metadata(file: &Bytes, change: impl Fn(ParquetMetaData) -> ParquetMetaData) -> Vec<u8> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(file).unwrap();
    let length = u32::from_le_bytes(file[file.len() - 8..file.len() - 4].try_into().unwrap()) as usize;
    let mut changed = file[..file.len() - 8 - length].to_vec();
    ParquetMetaDataWriter::new(&mut changed, &change(metadata)).finish().unwrap();
    changed
}

/// Returns the file with changed metadata of each column and, if `rows` is given, another row count of each row group.
fn with_columns(
    file: &Bytes,
    change: impl Fn(
        parquet::file::metadata::ColumnChunkMetaDataBuilder,
    ) -> parquet::file::metadata::ColumnChunkMetaDataBuilder,
    rows: Option<i64>,
) -> Vec<u8> {
    with_metadata(file, |metadata| {
        let mut builder = metadata.into_builder();
        for group in builder.take_row_groups() {
            let columns =
                group.columns().iter().map(|column| change(column.clone().into_builder()).build().unwrap());
            let columns = columns.collect();
            let rows = rows.unwrap_or(group.num_rows());
            let group = group.into_builder().set_column_metadata(columns).set_num_rows(rows);
            builder = builder.add_row_group(group.build().unwrap());
        }
        builder.build()
    })
}

fn plain() -> Bytes {
    let ids = Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef;
    let names = Arc::new(StringArray::from(vec!["a", "b", "c"])) as ArrayRef;
    let properties = parquet::file::properties::WriterProperties::builder().set_dictionary_enabled(false);
    crate::parquet_files::file_with(&[("id", ids), ("name", names)], properties.build())
}

#[test]
fn an_empty_data_frame_written_by_pyarrow_has_no_rows() {
    let outcome = read(include_bytes!("../../../../tests/golden/parquet/empty-frame.parquet")).unwrap();
    assert_eq!((outcome.totals.rows_read, outcome.values()), (0, Vec::<Vec<String>>::new()));
}

#[test]
fn row_groups_without_rows_are_skipped_at_any_position() {
    let outcome = read(include_bytes!("../../../../tests/golden/parquet/empty-groups.parquet")).unwrap();
    assert_eq!(outcome.values(), [["1", "a"], ["2", "NULL"], ["3", "b"]]);
}

#[test]
fn a_row_group_with_values_and_a_row_count_of_0_is_corrupt() {
    let inconsistent = with_columns(&plain(), |column| column, Some(0));
    let error = read(&inconsistent).unwrap_err();
    assert_eq!(error.code(), "corrupt_file");
    assert!(error.to_string().contains("row group 0 has no rows, but column `id` has values"), "{error}");
}

#[test]
fn invalid_dictionary_offsets_are_ignored() {
    for offset in [0, -1, 1_000_000] {
        let zero = with_columns(&plain(), |column| column.set_dictionary_page_offset(Some(offset)), None);
        let outcome = read(&zero).unwrap_or_else(|error| panic!("{offset}: {error}"));
        assert_eq!(outcome.values(), [["1", "a"], ["2", "b"], ["3", "c"]], "{offset}");
    }
}

#[test]
fn unknown_footer_fields_are_ignored() {
    let outcome = read(include_bytes!("../../../../tests/golden/parquet/foreign-field.parquet")).unwrap();
    assert_eq!(outcome.values(), [["1", "a"], ["2", "b"], ["3", "c"]]);
}

#[test]
fn encrypted_columns_are_refused_only_if_they_are_read() {
    let column = include_bytes!("../../../../tests/golden/parquet/encrypted-column.parquet");
    let footer = include_bytes!("../../../../tests/golden/parquet/encrypted-footer.parquet");
    let id = || bigint("id");
    let secret = text("secret");
    let rescuing = |columns| contract(FormatKind::Parquet, columns);
    let error = |contract: &Contract, file: &[u8]| {
        let error = read_parquet(contract, Limits::default(), file.to_vec()).unwrap_err();
        assert_eq!(error.code(), "unsupported_feature", "{error}");
        error.to_string()
    };
    assert!(
        error(&rescuing(vec![id(), secret]), column)
            .contains("encrypted columns are not supported: `secret`")
    );
    assert!(error(&rescuing(vec![id(), Column::rescued()]), column).contains("`secret`"));
    assert!(error(&rescuing(vec![id()]), footer).contains("is encrypted"));
    let mut ignoring = rescuing(vec![id()]);
    ignoring.unexpected_columns = UnexpectedColumns::Ignore;
    let outcome = read_parquet(&ignoring, Limits::default(), column.to_vec()).unwrap();
    assert_eq!(outcome.values(), [["1"], ["2"]]);
}

fn bigint(name: &str) -> Column {
    column(name, LogicalType::Integer, SqlType::Bigint)
}

#[test]
fn a_file_with_columns_in_other_files_is_refused() {
    let elsewhere = with_columns(&plain(), |column| column.set_file_path("part-0.parquet".to_owned()), None);
    let error = read(&elsewhere).unwrap_err();
    assert_eq!(error.code(), "unsupported_feature");
    assert!(error.to_string().contains("its columns are in other files"), "{error}");
    assert_eq!(
        read(&file(&[
            ("id", Arc::new(Int64Array::from(vec![1]))),
            ("name", Arc::new(StringArray::from(vec!["a"])))
        ]))
        .unwrap()
        .totals
        .accepted,
        1
    );
}
