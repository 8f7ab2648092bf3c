//! Builders of Parquet test files, from Arrow arrays or from values of a Parquet physical type.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::data_type::DataType;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

/// Returns a file with these columns, all of them nullable.
pub(crate) fn file(columns: &[(&str, ArrayRef)]) -> Bytes {
    file_with(columns, WriterProperties::builder().build())
}

pub(crate) fn file_with(columns: &[(&str, ArrayRef)], properties: WriterProperties) -> Bytes {
    let fields = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays = columns.iter().map(|(_, array)| Arc::clone(array)).collect();
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
    let mut file = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut file, schema, Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    file.into()
}

/// Returns a file with one column of the given Parquet type, e.g. `required int96 v` or
/// `required group v { required int96 w; }`. None of its values is missing.
pub(crate) fn raw_file<T: DataType>(field: &str, values: &[T::T]) -> Bytes {
    let end = if field.ends_with('}') { "" } else { ";" };
    let schema = parse_message_type(&format!("message file {{ {field}{end} }}")).unwrap();
    let mut file = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut file, Arc::new(schema), Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, None, None).unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    file.into()
}
