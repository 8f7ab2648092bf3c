//! Parquet: every type, every codec and nested columns.

use std::sync::Arc;

use arrow_array::types::{Float16Type, Int32Type};
use arrow_array::*;
use arrow_buffer::{OffsetBuffer, i256};
use arrow_schema::{DataType, Field, Fields};
use bytes::Bytes;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type,
};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use penstock_contract::*;
use penstock_engine::Limits;

use crate::parquet_files::{file, file_with, raw_file};
use crate::support::{column, contract, read_parquet, required, text};

fn column_of(sql_type: SqlType) -> Column {
    let logical_type = match sql_type {
        SqlType::Smallint | SqlType::Integer | SqlType::Bigint => LogicalType::Integer,
        SqlType::Numeric(_) | SqlType::DoublePrecision => LogicalType::Number,
        SqlType::Boolean => LogicalType::Boolean,
        SqlType::Date => LogicalType::Date { format: None },
        SqlType::Time => LogicalType::Time { format: None },
        SqlType::Timestamp | SqlType::Timestamptz => {
            LogicalType::Timestamp { format: None, default_timezone: "UTC".to_owned() }
        }
        SqlType::Jsonb => LogicalType::Object { properties: vec![] },
        SqlType::Text | SqlType::Uuid => LogicalType::String,
    };
    column("v", logical_type, sql_type)
}

/// Returns the values that `column` reads from the file's only column, or the code of a rejected row.
fn values(column: Column, file: Bytes) -> Vec<String> {
    let outcome =
        read_parquet(&contract(FormatKind::Parquet, vec![column]), Limits::default(), file).unwrap();
    let mut values: Vec<(u64, String)> = outcome
        .rows()
        .into_iter()
        .map(|row| {
            let [value, number] = row.as_slice() else { panic!("{row:?}") };
            let value = value.clone().unwrap_or_else(|| "NULL".to_owned());
            (number.as_ref().unwrap().parse().unwrap(), value)
        })
        .collect();
    values.extend(outcome.rejects.iter().map(|reject| (reject.row, format!("! {}", reject.reasons[0].code))));
    values.sort();
    values.into_iter().map(|(_, value)| value).collect()
}

fn array(array: impl Array + 'static) -> Bytes {
    file(&[("v", Arc::new(array))])
}

#[test]
fn numbers_are_exact_in_every_width() {
    use SqlType::*;
    let table: Vec<(Column, Bytes, Vec<&str>)> = vec![
        (column_of(Bigint), array(Int8Array::from(vec![Some(-128), None])), vec!["-128", "NULL"]),
        (column_of(Bigint), array(Int16Array::from(vec![-32768])), vec!["-32768"]),
        (
            column_of(Integer),
            array(Int32Array::from(vec![i32::MIN, i32::MAX])),
            vec!["-2147483648", "2147483647"],
        ),
        (column_of(Bigint), array(Int64Array::from(vec![i64::MIN])), vec!["-9223372036854775808"]),
        (column_of(Smallint), array(Int64Array::from(vec![32767, 32768])), vec!["32767", "! out_of_range"]),
        (column_of(Smallint), array(UInt8Array::from(vec![255])), vec!["255"]),
        (column_of(Integer), array(UInt16Array::from(vec![65535])), vec!["65535"]),
        (column_of(Bigint), array(UInt32Array::from(vec![u32::MAX])), vec!["4294967295"]),
        (column_of(Bigint), array(UInt64Array::from(vec![1, u64::MAX])), vec!["1", "! out_of_range"]),
        (column_of(Numeric(None)), array(UInt64Array::from(vec![u64::MAX])), vec!["18446744073709551615"]),
        (
            column_of(DoublePrecision),
            array(Float64Array::from(vec![0.1, -0.0, f64::NAN])),
            vec!["0.1", "-0", "! not_a_number"],
        ),
        (
            column_of(DoublePrecision),
            array(Float32Array::from(vec![0.1, f32::INFINITY])),
            vec!["0.1", "! not_a_number"],
        ),
        (
            column_of(Numeric(Some((5, 2)))),
            array(Float64Array::from(vec![0.1, 0.125])),
            vec!["0.1", "! out_of_range"],
        ),
        (column_of(Bigint), array(Float64Array::from(vec![3.0, 3.5])), vec!["3", "! not_an_integer"]),
        (
            column_of(DoublePrecision),
            array(Float16Array::from_value(<Float16Type as ArrowPrimitiveType>::Native::from_f32(0.5), 1)),
            vec!["0.5"],
        ),
        (
            column_of(Boolean),
            array(BooleanArray::from(vec![Some(true), Some(false), None])),
            vec!["t", "f", "NULL"],
        ),
        (column_of(Text), array(BooleanArray::from(vec![true])), vec!["true"]),
        (column_of(Text), array(Int32Array::from(vec![42])), vec!["42"]),
        (column_of(Jsonb), array(Int32Array::from(vec![42])), vec!["! wrong_type"]),
        (column_of(Date), array(Int32Array::from(vec![42])), vec!["! not_a_date"]),
        (column_of(Bigint), array(NullArray::new(2)), vec!["NULL", "NULL"]),
    ];
    for (column, file, expected) in table {
        let shown = column.sql_type.to_string();
        assert_eq!(values(column, file), expected, "{shown}");
    }
}

#[test]
fn decimals_are_exact_up_to_38_digits_and_beyond() {
    use SqlType::*;
    let decimal = |values: Vec<i128>, precision, scale| {
        array(Decimal128Array::from(values).with_precision_and_scale(precision, scale).unwrap())
    };
    let money = column_of(Numeric(Some((12, 2))));
    let most = 10_i128.pow(38) - 1;
    let long = Decimal256Array::from(vec![i256::from_i128(most).wrapping_mul(i256::from_i128(100))]);
    let table: Vec<(Column, Bytes, Vec<&str>)> = vec![
        (money.clone(), decimal(vec![1250, -5], 9, 2), vec!["12.50", "-0.05"]),
        (money.clone(), decimal(vec![1250], 18, 2), vec!["12.50"]),
        (money.clone(), decimal(vec![12_500, 12_345], 9, 3), vec!["12.50", "! out_of_range"]),
        (money, decimal(vec![most], 38, 0), vec!["! out_of_range"]),
        (
            column_of(Numeric(None)),
            decimal(vec![most], 38, 10),
            vec!["9999999999999999999999999999.9999999999"],
        ),
        (column_of(Bigint), decimal(vec![300, 301], 9, 2), vec!["3", "! not_an_integer"]),
        (
            column_of(Numeric(None)),
            array(long.with_precision_and_scale(40, 2).unwrap()),
            vec!["99999999999999999999999999999999999999.00"],
        ),
        (
            column_of(Numeric(None)),
            raw_file::<ByteArrayType>(
                "required binary v (DECIMAL(10,2))",
                &[ByteArray::from(vec![0x04, 0xd2]), ByteArray::from(vec![0xff])],
            ),
            vec!["12.34", "-0.01"],
        ),
        (
            column_of(Numeric(None)),
            raw_file::<FixedLenByteArrayType>(
                "required fixed_len_byte_array(5) v (DECIMAL(11,3))",
                &[FixedLenByteArray::from(ByteArray::from(vec![0xff, 0xff, 0xff, 0xff, 0xfe]))],
            ),
            vec!["-0.002"],
        ),
    ];
    for (column, file, expected) in table {
        let shown = column.sql_type.to_string();
        assert_eq!(values(column, file), expected, "{shown}");
    }
}

#[test]
fn times_are_exact_to_the_microsecond_and_never_rounded() {
    use SqlType::*;
    let berlin = Column {
        logical_type: LogicalType::Timestamp { format: None, default_timezone: "Europe/Berlin".to_owned() },
        ..column_of(Timestamptz)
    };
    let noon = 43_200_000_000_i64;
    let utc = |array: TimestampMicrosecondArray| array.with_timezone("UTC");
    let int96 = |nanos: u32, day: u32| {
        let mut value = Int96::new();
        value.set_data(nanos, 0, day);
        value
    };
    // 2,440,588 is the Julian day of 1970-01-01.
    let int96s = raw_file::<Int96Type>(
        "required int96 v",
        &[
            int96(1_000, 2_440_588),
            int96(1_001, 2_440_588),
            int96(0, 5_373_484),
            int96(999, 5_373_484),
            int96(0, u32::MAX),
        ],
    );
    let table: Vec<(Column, Bytes, Vec<&str>)> = vec![
        (column_of(Date), array(Date32Array::from(vec![0, -719_163])), vec!["1970-01-01", "! out_of_range"]),
        (
            column_of(Timestamp),
            array(Date32Array::from(vec![1, i32::MAX])),
            vec!["1970-01-02 00:00:00", "! out_of_range"],
        ),
        (column_of(Text), array(Date32Array::from(vec![1])), vec!["1970-01-02"]),
        (
            column_of(Time),
            array(Time32MillisecondArray::from(vec![1_001, -1])),
            vec!["00:00:01.001", "! out_of_range"],
        ),
        (column_of(Time), array(Time64MicrosecondArray::from(vec![noon])), vec!["12:00:00"]),
        (
            column_of(Time),
            array(Time64NanosecondArray::from(vec![1_000, 1_001])),
            vec!["00:00:00.000001", "! out_of_range"],
        ),
        (
            column_of(Timestamptz),
            array(utc(vec![0, i64::MAX].into())),
            vec!["1970-01-01 00:00:00+00", "! out_of_range"],
        ),
        (
            column_of(Timestamp),
            array(TimestampMillisecondArray::from(vec![-1, i64::MIN])),
            vec!["1969-12-31 23:59:59.999", "! out_of_range"],
        ),
        (
            column_of(Timestamptz),
            array(TimestampNanosecondArray::from(vec![1_000, 1_001]).with_timezone("UTC")),
            vec!["1970-01-01 00:00:00.000001+00", "! out_of_range"],
        ),
        (berlin, array(TimestampMicrosecondArray::from(vec![noon])), vec!["1970-01-01 11:00:00+00"]),
        (column_of(Text), array(utc(vec![noon].into())), vec!["1970-01-01T12:00:00Z"]),
        (column_of(Date), array(utc(vec![noon].into())), vec!["! not_a_date"]),
        (
            column_of(Timestamp),
            int96s,
            vec![
                "1970-01-01 00:00:00.000001",
                "! out_of_range",
                "9999-12-31 00:00:00",
                "! out_of_range",
                "! out_of_range",
            ],
        ),
    ];
    for (column, file, expected) in table {
        let shown = column.sql_type.to_string();
        assert_eq!(values(column, file), expected, "{shown}");
    }
}

#[test]
fn bytes_are_text_if_they_are_utf_8() {
    use SqlType::*;
    let bytes = |field: &str| {
        raw_file::<ByteArrayType>(
            field,
            &[ByteArray::from("ä"), ByteArray::from(vec![0xff, 0xfe]), ByteArray::from("")],
        )
    };
    let uuid = FixedLenByteArray::from(ByteArray::from((0..16).collect::<Vec<u8>>()));
    let hex = "00010203-0405-0607-0809-0a0b0c0d0e0f";
    let uuids = || {
        raw_file::<FixedLenByteArrayType>(
            "required fixed_len_byte_array(16) v (UUID)",
            std::slice::from_ref(&uuid),
        )
    };
    let texts = vec!["ä", "! invalid_encoding", "NULL"];
    let table: Vec<(Column, Bytes, Vec<&str>)> = vec![
        (column_of(Text), bytes("required binary v (UTF8)"), texts.clone()),
        (column_of(Text), bytes("required binary v"), texts.clone()),
        (column_of(Text), bytes("required binary v (ENUM)"), texts),
        (column_of(Text), bytes("required binary v (BSON)"), vec!["! wrong_type"; 3]),
        (column_of(Uuid), uuids(), vec![hex]),
        (column_of(Text), uuids(), vec![hex]),
        (column_of(Uuid), array(StringArray::from(vec!["000102030405060708090A0B0C0D0E0F"])), vec![hex]),
        (
            column_of(Text),
            raw_file::<FixedLenByteArrayType>(
                "required fixed_len_byte_array(2) v",
                &[ByteArray::from("ab").into()],
            ),
            vec!["ab"],
        ),
        (
            column_of(Date),
            array(StringArray::from(vec!["2024-02-29", "2023-02-29"])),
            vec!["2024-02-29", "! not_a_date"],
        ),
        (
            column_of(Jsonb),
            raw_file::<ByteArrayType>("required binary v (JSON)", &[ByteArray::from("{\"a\": 1}")]),
            vec!["{\"a\": 1}"],
        ),
        (column_of(Text), array(LargeStringArray::from(vec!["tab\there"])), vec!["tab\there"]),
        (
            column_of(Text),
            array(StringViewArray::from(vec!["a view of more than twelve bytes"])),
            vec!["a view of more than twelve bytes"],
        ),
        (
            column_of(Text),
            array(vec!["x", "y", "x"].into_iter().collect::<DictionaryArray<Int32Type>>()),
            vec!["x", "y", "x"],
        ),
        (
            column_of(Text),
            raw_file::<FixedLenByteArrayType>(
                "required fixed_len_byte_array(12) v (INTERVAL)",
                &[FixedLenByteArray::from(ByteArray::from(vec![0; 12]))],
            ),
            vec!["! wrong_type"],
        ),
    ];
    for (index, (column, file, expected)) in table.into_iter().enumerate() {
        assert_eq!(values(column, file), expected, "{index}");
    }
}

#[test]
fn nested_columns_are_documents() {
    let items = Int32Array::from(vec![Some(1), None, Some(3)]);
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let list: ArrayRef =
        Arc::new(ListArray::new(item, OffsetBuffer::new(vec![0, 2, 2, 3].into()), Arc::new(items), None));
    let size = Arc::new(StringArray::from(vec![Some("a\"b"), None, Some("ü")])) as ArrayRef;
    let price =
        Arc::new(Decimal128Array::from(vec![150, 0, -1]).with_precision_and_scale(9, 2).unwrap()) as ArrayRef;
    let fields = Fields::from(vec![
        Field::new("size", DataType::Utf8, true),
        Field::new("price", price.data_type().clone(), true),
        Field::new("list", list.data_type().clone(), true),
    ]);
    let document = StructArray::new(fields, vec![size, price, Arc::clone(&list)], None);
    let entries = StructArray::from(vec![
        (
            Arc::new(Field::new("key", DataType::Utf8, false)),
            Arc::new(StringArray::from(vec!["k", "l"])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("value", DataType::Float64, true)),
            Arc::new(Float64Array::from(vec![1.5, 2.0])) as ArrayRef,
        ),
    ]);
    let entry = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let map = MapArray::new(entry, OffsetBuffer::new(vec![0, 2, 2, 2].into()), entries, None, false);
    let json = column_of(SqlType::Jsonb);
    let list_column = Column { logical_type: LogicalType::Array { items: None }, ..json.clone() };
    assert_eq!(values(list_column, file(&[("v", list)])), ["[1,null]", "[]", "[3]"]);
    assert_eq!(
        values(json.clone(), array(document.clone())),
        [
            r#"{"size":"a\"b","price":1.50,"list":[1,null]}"#,
            r#"{"size":null,"price":0.00,"list":[]}"#,
            r#"{"size":"ü","price":-0.01,"list":[3]}"#
        ]
    );
    assert_eq!(values(json, array(map)), [r#"{"k":1.5,"l":2}"#, "{}", "{}"]);
    assert_eq!(values(column_of(SqlType::Text), array(document)), ["! wrong_type"; 3]);
}

#[test]
fn every_codec_encoding_and_page_version_gives_the_same_rows() {
    let ids = Arc::new((0..5_000).map(Some).collect::<Int64Array>()) as ArrayRef;
    let names = Arc::new(
        (0..5_000).map(|id| (id % 7 > 0).then(|| format!("name {}", id % 90))).collect::<StringArray>(),
    );
    let columns: [(&str, ArrayRef); 2] = [("id", ids), ("name", names)];
    let contract = contract(
        FormatKind::Parquet,
        vec![required(column("id", LogicalType::Integer, SqlType::Bigint)), text("name")],
    );
    let plain = read_parquet(&contract, Limits::default(), file(&columns)).unwrap();
    assert_eq!(plain.totals.accepted, 5_000);
    let codecs = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
        Compression::LZ4,
        Compression::LZ4_RAW,
    ];
    for codec in codecs {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            for dictionary in [true, false] {
                let properties = WriterProperties::builder()
                    .set_compression(codec)
                    .set_writer_version(version)
                    .set_dictionary_enabled(dictionary)
                    .set_max_row_group_row_count(Some(1_700))
                    .set_data_page_row_count_limit(600)
                    .set_write_batch_size(100)
                    .set_statistics_enabled(EnabledStatistics::Page)
                    .build();
                let outcome =
                    read_parquet(&contract, Limits::default(), file_with(&columns, properties)).unwrap();
                assert_eq!(outcome.chunks, plain.chunks, "{codec:?} {version:?} {dictionary}");
            }
        }
    }
}
