//! JSON that is refused wherever it occurs: around arrays, in documents and in the documents of typed files.

use std::sync::Arc;

use arrow_array::*;
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields};
use penstock_contract::*;
use penstock_engine::Limits;

use crate::avro_files::{self, long};
use crate::parquet_files::file;
use crate::support::{Outcome, column, contract, read, read_parquet, read_with, text};

fn array(path: &[&str]) -> Contract {
    let path = path.iter().map(|key| (*key).to_owned()).collect();
    contract(FormatKind::JsonArray { path }, vec![text("a")])
}

#[test]
fn json_around_an_array_must_follow_the_rules_for_rows() {
    for (path, file, code) in [
        // Duplicate keys outside the path, before and after the array, escaped, and in objects that are not read.
        (&["x"][..], &b"{\"a\":1,\"a\":2,\"x\":[]}"[..], "duplicate_member"),
        (&["x"], b"{\"x\":[],\"b\":1,\"b\":2}", "duplicate_member"),
        (&["x"], b"{\"b\":1,\"x\":[],\"\\u0062\":2}", "duplicate_member"),
        (&["x"], b"{\"m\":{\"n\":[{\"k\":1,\"k\":2}]},\"x\":[]}", "duplicate_member"),
        (&["x"], b"{\"x\":[],\"m\":[[{\"k\":{},\"l\":0,\"k\":2}]]}", "duplicate_member"),
        (&["x", "y"], b"{\"x\":{\"b\":1,\"y\":[],\"b\":2}}", "duplicate_member"),
        (&["x", "y"], b"{\"b\":1,\"x\":{\"y\":[]},\"b\":2}", "duplicate_member"),
        // Bytes that are not UTF-8, in keys and values.
        (&["x"], b"{\"m\":\"\xff\",\"x\":[]}", "malformed_document"),
        (&["x"], b"{\"x\":[],\"m\":\"caf\xe9\"}", "malformed_document"),
        (&["x"], b"{\"x\":[],\"m\xc3\":1}", "malformed_document"),
        (&["x"], b"{\"m\":[{\"k\":\"\xed\xa0\x80\"}],\"x\":[]}", "malformed_document"),
        // Lone surrogates.
        (&["x"], b"{\"m\":\"\\ud800\",\"x\":[]}", "malformed_document"),
        (&["x"], b"{\"m\":\"\\udc00\",\"x\":[]}", "malformed_document"),
        (&["x"], b"{\"m\":\"\\ud800\\u0041\",\"x\":[]}", "malformed_document"),
        (&["x"], b"{\"m\":\"\\ud800\\n\",\"x\":[]}", "malformed_document"),
        (&["x"], b"{\"\\ud800x\":1,\"x\":[]}", "malformed_document"),
    ] {
        let shown = file.escape_ascii();
        match read_with(&array(path), Limits::default(), file) {
            Ok(_) => panic!("{shown} was accepted"),
            Err(error) => assert_eq!(error.code(), code, "{shown}: {error}"),
        }
    }
    let fine = "{\"m\":\"\u{1f600}é\\ud83d\\ude00\\n\",\"k\":{\"m\":1,\"k\":[{\"m\":1},{\"m\":2}]},\"é\":0,\"x\":[{\"a\":\"1\"}],\"y\":{\"x\":1}}";
    assert_eq!(read(&array(&["x"]), fine).values(), [["1"]]);
    // Two documents may have the same keys.
    assert_eq!(read(&array(&["x"]), fine.repeat(2)).values(), [["1"], ["1"]]);
    // In another encoding, bytes from 0x80 on are letters.
    let mut latin = array(&["x"]);
    latin.format.encoding = Some("windows-1252".to_owned());
    assert_eq!(read(&latin, b"{\"m\xe9\":\"\xe9\",\"x\":[{\"a\":\"\xe9\"}]}").values(), [["é"]]);
    let twice = read_with(&latin, Limits::default(), &b"{\"\xe9\":1,\"\xe9\":2,\"x\":[]}"[..]).unwrap_err();
    assert_eq!(twice.code(), "duplicate_member");
}

#[test]
fn a_lone_surrogate_has_the_same_code_everywhere() {
    let columns = || {
        vec![
            text("t"),
            column("o", LogicalType::Object { properties: vec![] }, SqlType::Jsonb),
            column("l", LogicalType::Array { items: None }, SqlType::Jsonb),
        ]
    };
    for line in [
        r#"{"t":"\ud800"}"#,
        r#"{"o":{"a":"\ud800"}}"#,
        r#"{"o":{"\udc00":1}}"#,
        r#"{"o":{"a":[{"b":"\ud83d\u0041"}]}}"#,
        r#"{"l":["\ud800"]}"#,
    ] {
        let outcome = read(&contract(FormatKind::Ndjson, columns()), line);
        let reason = &outcome.rejects[0].reasons[0];
        assert_eq!(
            (reason.code.to_string().as_str(), &*reason.rule),
            ("invalid_json", "text without lone surrogates"),
            "{line}"
        );
    }
    let csv = contract(crate::support::csv(), columns());
    let outcome = read(&csv, "t,o,l\nx,\"{\"\"a\"\":\"\"\\ud800\"\"}\",[]\n");
    assert_eq!(outcome.reject_summary(), ["1@2 invalid_json:o"]);
}

/// Returns the rule and the found text of the first reject.
fn reason(outcome: &Outcome) -> (String, String) {
    let reason = &outcome.rejects[0].reasons[0];
    (reason.rule.to_string(), reason.found.clone().unwrap_or_default())
}

#[test]
fn a_reason_has_the_path_and_the_rule_of_a_value_within_a_typed_document() {
    let list = |items: ArrayRef| {
        let field = Arc::new(Field::new("item", items.data_type().clone(), true));
        Arc::new(ListArray::new(field, OffsetBuffer::from_lengths([items.len()]), items, None)) as ArrayRef
    };
    let sizes = list(Arc::new(Float64Array::from(vec![1.0, 2.5, f64::NAN])));
    let fields = Fields::from(vec![
        Field::new("id", DataType::Int32, true),
        Field::new("sizes", sizes.data_type().clone(), true),
    ]);
    let nested = StructArray::new(fields, vec![Arc::new(Int32Array::from(vec![1])), sizes], None);
    let object = || column("v", LogicalType::Object { properties: vec![] }, SqlType::Jsonb);
    let array = || column("v", LogicalType::Array { items: None }, SqlType::Jsonb);
    let days: ArrayRef = Arc::new(Date32Array::from(vec![0, 53_375_995]));
    let millis: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![i64::MAX]));
    for (column, value, rule, found) in [
        (object(), Arc::new(nested) as ArrayRef, "v.sizes[2]: a finite number", "NaN"),
        (array(), list(days), "v[1]: a date from 0001-01-01 to 9999-12-31", "+148108-07-06"),
        (
            array(),
            list(millis),
            "v[0]: a timestamp in the years 1 to 9999 with at most six fractional digits",
            "+292278994-08-17T07:12:55.807",
        ),
        (array(), list(Arc::new(BinaryArray::from_vec(vec![b"\xff"]))), "v[0]: text in UTF-8", "\\xff"),
    ] {
        let contract = contract(FormatKind::Parquet, vec![column]);
        let outcome = read_parquet(&contract, Limits::default(), file(&[("v", value)])).unwrap();
        assert_eq!(reason(&outcome), (rule.to_owned(), found.to_owned()));
    }
    let kind = r#"{"type":"array","items":"double"}"#;
    let nan = [long(2), 1.0_f64.to_le_bytes().to_vec(), f64::NAN.to_le_bytes().to_vec(), long(0)].concat();
    let file = avro_files::file(&avro_files::record(&[("v", kind)]), &[nan]);
    let outcome = read(&contract(FormatKind::Avro, vec![array()]), &file);
    assert_eq!(reason(&outcome), ("v[1]: a finite number".to_owned(), "NaN".to_owned()));
    let hidden = Column { classification: Some("confidential".to_owned()), ..array() };
    let outcome = read(&contract(FormatKind::Avro, vec![hidden]), &file);
    assert_eq!(reason(&outcome), ("v: a finite number".to_owned(), String::new()));
}

#[test]
fn milliseconds_beyond_the_range_of_microseconds_are_rejected() {
    let millis =
        |value: i64| file(&[("v", Arc::new(TimestampMillisecondArray::from(vec![value])) as ArrayRef)]);
    let read_as = |column: Column, value: i64| {
        read_parquet(&contract(FormatKind::Parquet, vec![column]), Limits::default(), millis(value)).unwrap()
    };
    for (value, found) in [
        (i64::MAX, "+292278994-08-17T07:12:55.807"),
        (i64::MIN, "-292275055-05-16T16:47:04.192"),
        (i64::MAX / 1_000 + 1, "+294247-01-10T04:00:54.776"),
    ] {
        let outcome = read_as(text("v"), value);
        assert_eq!(outcome.reject_summary(), ["1@1 out_of_range:v"], "{value}");
        assert_eq!(reason(&outcome).1, found);
    }
    assert_eq!(read_as(text("v"), i64::MAX / 1_000).values(), [["+294247-01-10T04:00:54.775"]]);
    let kind = r#"{"type":"long","logicalType":"timestamp-millis"}"#;
    let file = avro_files::file(&avro_files::record(&[("v", kind)]), &[long(i64::MAX)]);
    assert_eq!(
        read(&contract(FormatKind::Avro, vec![text("v")]), &file).reject_summary(),
        ["1@1 out_of_range:v"]
    );
}
