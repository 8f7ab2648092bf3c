//! Values that JSON cannot represent, in documents of Parquet and Avro and in rescued columns.

use std::sync::Arc;

use arrow_array::*;
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use bytes::Bytes;
use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int96, Int96Type,
};
use penstock_contract::*;
use penstock_engine::Limits;

use crate::avro_files::{self, long, record, string};
use crate::parquet_files::{file, raw_file};
use crate::support::{Outcome, column, contract, read, read_parquet, text};

fn list() -> Column {
    column("v", LogicalType::Array { items: None }, SqlType::Jsonb)
}

fn object() -> Column {
    column("v", LogicalType::Object { properties: vec![] }, SqlType::Jsonb)
}

fn nullable(column: Column, spellings: &[&str]) -> Column {
    let null_values = spellings.iter().map(|text| (*text).to_owned()).collect();
    Column { harmonise: Harmonise { null_values, ..column.harmonise.clone() }, ..column }
}

/// Returns the document of the only row, or code and found text of its reject.
fn document_or_reject(outcome: &Outcome) -> String {
    match outcome.rejects.first() {
        None => outcome.values()[0][0].clone(),
        Some(reject) => {
            let reason = &reject.reasons[0];
            format!("! {} {}", reason.code, reason.found.as_deref().unwrap_or_default())
        }
    }
}

fn parquet(column: Column, file: Bytes) -> String {
    document_or_reject(
        &read_parquet(&contract(FormatKind::Parquet, vec![column]), Limits::default(), file).unwrap(),
    )
}

/// Returns the content of `_rescued` for the file's only column.
fn rescued(file: Bytes) -> String {
    let columns = vec![Column::rescued(), with_constant(text("id"))];
    document_or_reject(
        &read_parquet(&contract(FormatKind::Parquet, columns), Limits::default(), file).unwrap(),
    )
}

fn with_constant(column: Column) -> Column {
    let constant = Some("x".to_owned());
    Column { harmonise: Harmonise { constant, ..column.harmonise.clone() }, ..column }
}

/// Returns a file with one row, a list of these items.
fn items(items: impl Array + 'static) -> Bytes {
    let item = Arc::new(Field::new("item", items.data_type().clone(), true));
    let offsets = OffsetBuffer::from_lengths([items.len()]);
    file(&[("v", Arc::new(ListArray::new(item, offsets, Arc::new(items), None)))])
}

fn micros(values: Vec<i64>) -> TimestampMicrosecondArray {
    TimestampMicrosecondArray::from(values).with_timezone("UTC")
}

#[test]
fn a_document_with_a_value_that_json_cannot_represent_is_rejected() {
    let table: Vec<(Bytes, &str, &str)> = vec![
        (items(Float64Array::from(vec![1.5, f64::NAN])), "! not_a_number NaN", r#"{"v":[1.5,"NaN"]}"#),
        (items(Float64Array::from(vec![f64::NEG_INFINITY])), "! not_a_number -inf", r#"{"v":["-inf"]}"#),
        (items(Float32Array::from(vec![f32::INFINITY])), "! not_a_number inf", r#"{"v":["inf"]}"#),
        (
            items(Date32Array::from(vec![53_375_995])),
            "! out_of_range +148108-07-06",
            r#"{"v":["+148108-07-06"]}"#,
        ),
        (
            items(Date32Array::from(vec![-719_163])),
            "! out_of_range +000000-12-31",
            r#"{"v":["+000000-12-31"]}"#,
        ),
        (items(Date32Array::from(vec![0, 2_932_896])), r#"["1970-01-01","9999-12-31"]"#, ""),
        (
            items(micros(vec![i64::MAX])),
            "! out_of_range +294247-01-10T04:00:54.775807Z",
            r#"{"v":["+294247-01-10T04:00:54.775807Z"]}"#,
        ),
        (
            items(TimestampNanosecondArray::from(vec![1_001])),
            "! out_of_range 1970-01-01T00:00:00.000001001",
            r#"{"v":["1970-01-01T00:00:00.000001001"]}"#,
        ),
        (items(TimestampNanosecondArray::from(vec![1_000])), r#"["1970-01-01T00:00:00.000001"]"#, ""),
        (
            items(Time64MicrosecondArray::from(vec![86_400_000_000])),
            "! out_of_range PT86400S",
            r#"{"v":["PT86400S"]}"#,
        ),
        (
            items(Time64NanosecondArray::from(vec![1])),
            "! out_of_range 00:00:00.000000001",
            r#"{"v":["00:00:00.000000001"]}"#,
        ),
        (
            items(BinaryArray::from_vec(vec![b"a", b"\xff\x00"])),
            "! invalid_encoding \\xff00",
            r#"{"v":["a","\\xff00"]}"#,
        ),
        (items(Float64Array::from(vec![-0.0])), "[-0]", ""),
        (
            items(Decimal128Array::from(vec![-5]).with_precision_and_scale(38, 38).unwrap()),
            "[-0.00000000000000000000000000000000000005]",
            "",
        ),
    ];
    for (file, in_document, in_rescued) in table {
        assert_eq!(parquet(list(), file.clone()), in_document);
        if !in_rescued.is_empty() {
            assert_eq!(rescued(file), in_rescued);
        }
    }
}

#[test]
fn a_declared_null_value_is_null_within_a_document() {
    let numbers = || items(Float64Array::from(vec![1.0, f64::NAN, f64::INFINITY]));
    assert_eq!(parquet(nullable(list(), &["NaN"]), numbers()), "! not_a_number inf");
    assert_eq!(parquet(nullable(list(), &["NaN", "inf"]), numbers()), "[1,null,null]");
    // Both columns that read the field must declare the null value.
    let twice = |other: Column| {
        let other = Column { name: "w".to_owned(), ..other };
        let contract = contract(FormatKind::Parquet, vec![nullable(list(), &["NaN", "inf"]), other]);
        document_or_reject(&read_parquet(&contract, Limits::default(), numbers()).unwrap())
    };
    assert_eq!(twice(nullable(list(), &["inf", "NaN"])), "[1,null,null]");
    assert_eq!(twice(list()), "! not_a_number NaN");
}

#[test]
fn keys_of_maps_follow_the_same_rule_and_are_never_null() {
    let map = |key: f64, value: f64| {
        let entries = StructArray::from(vec![
            (
                Arc::new(Field::new("key", DataType::Float64, false)),
                Arc::new(Float64Array::from(vec![key])) as ArrayRef,
            ),
            (
                Arc::new(Field::new("value", DataType::Float64, true)),
                Arc::new(Float64Array::from(vec![value])) as ArrayRef,
            ),
        ]);
        let entry = Arc::new(Field::new("entries", entries.data_type().clone(), false));
        let map = MapArray::new(entry, OffsetBuffer::from_lengths([1]), entries, None, false);
        file(&[("v", Arc::new(map))])
    };
    assert_eq!(parquet(object(), map(0.5, 2.0)), r#"{"0.5":2}"#);
    assert_eq!(parquet(object(), map(0.5, f64::NAN)), "! not_a_number NaN");
    assert_eq!(parquet(nullable(object(), &["NaN"]), map(0.5, f64::NAN)), r#"{"0.5":null}"#);
    assert_eq!(parquet(nullable(object(), &["NaN"]), map(f64::NAN, 0.5)), "! not_a_number NaN");
}

#[test]
fn text_columns_store_out_of_range_dates_and_times_in_iso_8601() {
    for (file, expected) in [
        (file(&[("v", Arc::new(Date32Array::from(vec![i32::MAX])))]), "+5881580-07-11"),
        (file(&[("v", Arc::new(micros(vec![i64::MIN])))]), "-290308-12-21T19:59:05.224192Z"),
        (file(&[("v", Arc::new(Time64MicrosecondArray::from(vec![-1])))]), "-PT0.000001S"),
        (file(&[("v", Arc::new(Date32Array::from(vec![0])))]), "1970-01-01"),
    ] {
        assert_eq!(parquet(text("v"), file), expected);
    }
}

#[test]
fn rescued_bytes_are_hexadecimal_if_they_are_not_text() {
    for (bytes, expected) in [
        (&b"text"[..], r#"{"v":"text"}"#),
        (b"a\"b\n", r#"{"v":"a\"b\n"}"#),
        (b"", r#"{"v":""}"#),
        (b"a\0b", r#"{"v":"\\x610062"}"#),
        (b"\x00\xff", r#"{"v":"\\x00ff"}"#),
        (b"\xff", r#"{"v":"\\xff"}"#),
        // Text that looks like hexadecimal bytes is itself written in hexadecimal.
        (b"\\xff", r#"{"v":"\\x5c786666"}"#),
        (b"\\y", r#"{"v":"\\y"}"#),
    ] {
        let value = [ByteArray::from(bytes.to_vec())];
        for field in
            ["required binary v", "required binary v (UTF8)", "required group v { required binary w; }"]
        {
            let expected = match field.contains("group") {
                true => format!("{{\"v\":{}}}", expected.replace("\"v\"", "\"w\"")),
                false => expected.to_owned(),
            };
            assert_eq!(rescued(raw_file::<ByteArrayType>(field, &value)), expected, "{field}");
        }
    }
    let fixed = |field: &str, bytes: &[u8]| {
        raw_file::<FixedLenByteArrayType>(field, &[FixedLenByteArray::from(ByteArray::from(bytes.to_vec()))])
    };
    let interval = [1_u32, 2, 3_004].map(u32::to_le_bytes).concat();
    for (file, expected) in [
        (fixed("required fixed_len_byte_array(2) v", &[0, 255]), r#"{"v":"\\x00ff"}"#),
        (fixed("required fixed_len_byte_array(12) v (INTERVAL)", &interval), r#"{"v":"P1M2DT3.004S"}"#),
        (
            fixed("required group v { required fixed_len_byte_array(12) w (INTERVAL); }", &interval),
            r#"{"v":{"w":"P1M2DT3.004S"}}"#,
        ),
        (
            raw_file::<ByteArrayType>("required binary v (BSON)", &[ByteArray::from("ab")]),
            r#"{"v":"\\x6162"}"#,
        ),
    ] {
        assert_eq!(rescued(file), expected);
    }
    let binary = raw_file::<ByteArrayType>("required binary v", &[ByteArray::from(vec![0])]);
    let mut strict = contract(FormatKind::Parquet, vec![with_constant(text("id"))]);
    strict.unexpected_columns = UnexpectedColumns::Reject;
    assert_eq!(
        read_parquet(&strict, Limits::default(), binary.clone()).unwrap().reject_summary(),
        ["1@1 unexpected_column"]
    );
    strict.unexpected_columns = UnexpectedColumns::Ignore;
    assert_eq!(read_parquet(&strict, Limits::default(), binary).unwrap().values(), [["x"]]);
}

#[test]
fn types_that_no_column_reads_are_rejected_within_documents_too() {
    let bson =
        raw_file::<ByteArrayType>("required group v { required binary w (BSON); }", &[ByteArray::from("ab")]);
    assert_eq!(parquet(object(), bson), "! wrong_type a value of type BSON");
    let zeros = FixedLenByteArray::from(ByteArray::from(vec![b'a'; 12]));
    let interval = raw_file::<FixedLenByteArrayType>(
        "required group v { required fixed_len_byte_array(12) w (INTERVAL); }",
        &[zeros],
    );
    assert_eq!(parquet(object(), interval), "! wrong_type a value of type INTERVAL");
    let uuid = FixedLenByteArray::from(ByteArray::from((0..16).collect::<Vec<u8>>()));
    let uuid = raw_file::<FixedLenByteArrayType>(
        "required group v { required fixed_len_byte_array(16) w (UUID); }",
        &[uuid],
    );
    assert_eq!(parquet(object(), uuid), r#"{"w":"00010203-0405-0607-0809-0a0b0c0d0e0f"}"#);
}

#[test]
fn int96_within_documents_is_exact_beyond_the_range_of_64_bit_nanoseconds() {
    let nested = |nanos: u32, day: u32| {
        let mut value = Int96::new();
        value.set_data(nanos, 0, day);
        raw_file::<Int96Type>("required group v { required int96 w; }", &[value])
    };
    // 2,440,588 is the Julian day of 1970-01-01, 5,373,484 that of 9999-12-31.
    assert_eq!(parquet(object(), nested(0, 5_373_484)), r#"{"w":"9999-12-31T00:00:00"}"#);
    assert_eq!(parquet(object(), nested(1_000, 2_440_588)), r#"{"w":"1970-01-01T00:00:00.000001"}"#);
    assert_eq!(parquet(object(), nested(1_001, 2_440_588)), "! out_of_range 1970-01-01T00:00:00.000001001");
    assert_eq!(parquet(object(), nested(0, 5_373_485)), "! out_of_range +010000-01-01T00:00:00");
    assert_eq!(rescued(nested(0, 5_373_485)), r#"{"v":{"w":"+010000-01-01T00:00:00"}}"#);
}

fn avro(column: Column, kind: &str, value: &[u8]) -> String {
    let file = avro_files::file(&record(&[("v", kind)]), &[value.to_vec()]);
    document_or_reject(&read(&contract(FormatKind::Avro, vec![column]), file))
}

fn avro_rescued(kind: &str, value: &[u8]) -> String {
    let file = avro_files::file(&record(&[("v", kind)]), &[value.to_vec()]);
    let columns = vec![Column::rescued(), with_constant(text("id"))];
    document_or_reject(&read(&contract(FormatKind::Avro, columns), file))
}

#[test]
fn avro_documents_follow_the_same_rules() {
    let array = |items: &str| format!(r#"{{"type":"array","items":{items}}}"#);
    let logical = |kind: &str, name: &str| format!(r#"{{"type":"{kind}","logicalType":"{name}"}}"#);
    let one = |value: Vec<u8>| [long(1), value, long(0)].concat();
    let double = |number: f64| number.to_le_bytes().to_vec();
    for (items, value, in_document, in_rescued) in [
        (r#""double""#.to_owned(), double(f64::NAN), "! not_a_number NaN", r#"{"v":["NaN"]}"#),
        (
            r#""float""#.to_owned(),
            f32::NEG_INFINITY.to_le_bytes().to_vec(),
            "! not_a_number -inf",
            r#"{"v":["-inf"]}"#,
        ),
        (r#""double""#.to_owned(), double(-0.0), "[-0]", r#"{"v":[-0]}"#),
        (
            logical("int", "date"),
            long(53_375_995),
            "! out_of_range +148108-07-06",
            r#"{"v":["+148108-07-06"]}"#,
        ),
        (
            logical("long", "timestamp-nanos"),
            long(1),
            "! out_of_range 1970-01-01T00:00:00.000000001Z",
            r#"{"v":["1970-01-01T00:00:00.000000001Z"]}"#,
        ),
        (
            logical("long", "time-micros"),
            long(-1),
            "! out_of_range -PT0.000001S",
            r#"{"v":["-PT0.000001S"]}"#,
        ),
        (r#""bytes""#.to_owned(), string([0xff, 0]), "! invalid_encoding \\xff00", r#"{"v":["\\xff00"]}"#),
        (r#""string""#.to_owned(), string([0xff]), "! invalid_encoding \\xff", r#"{"v":["\\xff"]}"#),
        (r#""string""#.to_owned(), string("\\x"), r#"["\\x"]"#, r#"{"v":["\\x5c78"]}"#),
        (r#""string""#.to_owned(), string("a\0"), "! nul_character [\"a\\u0000\"]", r#"{"v":["\\x6100"]}"#),
    ] {
        let kind = array(&items);
        assert_eq!(avro(list(), &kind, &one(value.clone())), in_document, "{kind}");
        assert_eq!(avro_rescued(&kind, &one(value)), in_rescued, "{kind}");
    }
    let nan = one(double(f64::NAN));
    assert_eq!(avro(nullable(list(), &["NaN"]), &array(r#""double""#), &nan), "[null]");
    let fixed = r#"{"type":"fixed","name":"x","size":2}"#;
    assert_eq!(avro_rescued(fixed, &[0, 255]), r#"{"v":"\\x00ff"}"#);
    let map = r#"{"type":"map","values":"int"}"#;
    let entry = [long(1), string([0xff]), long(7), long(0)].concat();
    assert_eq!(avro(object(), map, &entry), "! invalid_encoding \\xff");
    assert_eq!(avro_rescued(map, &entry), r#"{"v":{"\\xff":7}}"#);
}

#[test]
fn only_doubles_preserve_the_sign_of_zero() {
    let double = || column("v", LogicalType::Number, SqlType::DoublePrecision);
    let numeric = || column("v", LogicalType::Number, SqlType::Numeric(None));
    let whole = || column("v", LogicalType::Integer, SqlType::Bigint);
    let bounded = |column: Column| {
        let minimum = Some(Bound { value: "0".to_owned(), exclusive: false });
        Column { rules: Rules { minimum, ..Rules::default() }, ..column }
    };
    let file = || file(&[("v", Arc::new(Float64Array::from(vec![-0.0])))]);
    let bytes = (-0.0_f64).to_le_bytes();
    for (column, expected) in [
        (double(), "-0"),
        (bounded(double()), "-0"),
        (numeric(), "0"),
        (whole(), "0"),
        (bounded(whole()), "0"),
    ] {
        let shown = column.sql_type.to_string();
        assert_eq!(parquet(column.clone(), file()), expected, "Parquet {shown}");
        assert_eq!(avro(column.clone(), r#""double""#, &bytes), expected, "Avro {shown}");
        for zero in ["-0", "-0e5", "-0.0"] {
            let expected =
                if zero == "-0.0" && column.sql_type == SqlType::Numeric(None) { "0.0" } else { expected };
            let csv = contract(crate::support::csv(), vec![column.clone()]);
            assert_eq!(
                document_or_reject(&read(&csv, format!("v\n{zero}\n"))),
                expected,
                "CSV {zero} {shown}"
            );
            let json = contract(FormatKind::Ndjson, vec![column.clone()]);
            assert_eq!(
                document_or_reject(&read(&json, format!("{{\"v\":{zero}}}\n"))),
                expected,
                "JSON {zero} {shown}"
            );
        }
    }
}
