//! Duplicate keys in an object: the row is rejected, because one of the values would be lost.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, Int32Array, MapArray, StringArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field};
use penstock_contract::*;
use penstock_engine::{Limits, Plan, PseudonymKey};

use crate::avro_files;
use crate::parquet_files;
use crate::support::{Outcome, column, contract, csv, read, read_parquet, read_plan, required, text};

fn document(name: &str) -> Column {
    column(name, LogicalType::Object { properties: vec![] }, SqlType::Jsonb)
}

fn shop(policy: UnexpectedColumns) -> Contract {
    let mut columns = vec![required(text("id")), text("n"), document("doc")];
    if policy == UnexpectedColumns::Rescue {
        columns.push(Column::rescued());
    }
    let mut contract = contract(FormatKind::Ndjson, columns);
    contract.unexpected_columns = policy;
    contract
}

/// Returns the codes, columns and found texts of the only reject.
fn reasons(outcome: &Outcome) -> String {
    assert_eq!((outcome.totals.accepted, outcome.rejects.len()), (1, 1), "{outcome:?}");
    let shown = outcome.rejects[0].reasons.iter().map(|reason| {
        let column = reason.column.as_deref().map(|column| format!(":{column}")).unwrap_or_default();
        format!("{}{column} {}", reason.code, reason.found.as_deref().unwrap_or("-"))
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[test]
fn a_line_with_a_duplicate_key_is_rejected_even_if_no_column_reads_the_key() {
    for (line, expected) in [
        (r#"{"id":"1","n":"a","n":"b"}"#, "duplicate_member n"),
        (r#"{"id":"1","n":"a","n":"a"}"#, "duplicate_member n"),
        (r#"{"id":"1","n":null,"n":"b"}"#, "duplicate_member n"),
        (r#"{"n":"a","id":"1","id":"2"}"#, "duplicate_member id"),
        (r#"{"id":"1","n":"a","\u006e":"b"}"#, "duplicate_member n"),
        (r#"{"id":"1","\u006e":"a","\u006E":"b"}"#, "duplicate_member n"),
        (r#"{"id":"1","doc":{},"doc":{"a":1}}"#, "duplicate_member doc"),
        (r#"{"id":"1","doc":{"a":1,"a":2}}"#, "duplicate_member:doc a"),
        (r#"{"id":"1","doc":{"b":[{"a":1,"\u0061":2}]}}"#, "duplicate_member:doc b[0].a"),
        (r#"{"id":"1","x":1,"x":2}"#, "duplicate_member x"),
        (r#"{"id":"1","x":1,"y":2,"z":3,"\u0079":4}"#, "duplicate_member y"),
        (r#"{"id":"1","x":{"a":1,"a":2}}"#, "duplicate_member x.a"),
        (r#"{"id":"1","x":[[{"a":1,"a":2}]]}"#, "duplicate_member x[0][0].a"),
    ] {
        for policy in [UnexpectedColumns::Rescue, UnexpectedColumns::Ignore, UnexpectedColumns::Reject] {
            let good = r#"{"id":"0","n":"a","doc":{"n":{"n":1}}}"#;
            let assert_reasons = |outcome: &Outcome| {
                let found = reasons(outcome);
                let rest = found.strip_prefix(expected);
                let has_more = policy == UnexpectedColumns::Reject && line.contains("\"x\"");
                let is_as_expected = rest.is_some_and(|rest| {
                    if has_more { rest.starts_with(", unexpected_column x") } else { rest.is_empty() }
                });
                assert!(is_as_expected, "{line} {policy:?}: {found}");
            };
            assert_reasons(&read(&shop(policy), format!("{line}\n{good}\n")));
            let mut elements = shop(policy);
            elements.format.kind = FormatKind::JsonArray { path: vec![] };
            for space in ["", "\n"] {
                let line = line.replace(",\"", &format!(",{space}\""));
                assert_reasons(&read(&elements, format!("[{space}{line},{good}]")));
            }
        }
    }
}

#[test]
fn all_errors_of_a_line_with_a_duplicate_key_are_reported() {
    let outcome = read(&shop(UnexpectedColumns::Rescue), "{\"n\":1,\"n\":{}}\n{\"id\":\"1\"}\n");
    assert_eq!(reasons(&outcome), "duplicate_member n, missing_required:id -, wrong_type:n {}");
    assert_eq!(outcome.rejects[0].raw, "{\"n\":1,\"n\":{}}");
}

#[test]
fn a_duplicate_is_found_among_few_and_many_keys() {
    for count in [2, 15, 40, 3_000] {
        let keys: Vec<String> = (0..count).map(|key| format!("\"key number {key}\":{key}")).collect();
        let keys = keys.join(",");
        for (members, accepted) in [
            (format!("\"id\":\"1\",{keys}"), 1),
            (format!("\"id\":\"1\",{keys},\"key number {}\":0", count - 1), 0),
            (format!("\"id\":\"1\",\"doc\":{{{keys}}}"), 1),
            (format!("\"id\":\"1\",\"doc\":{{{keys},\"key number 1\":0}}"), 0),
            (format!("\"id\":\"1\",\"doc\":{{\"a\":{{{keys}}},\"b\":{{{keys}}}}}"), 1),
        ] {
            for line in [format!("{{{members}}}"), format!("{{{members},\"n\":\"\\n\"}}")] {
                let outcome = read(&shop(UnexpectedColumns::Rescue), line);
                assert_eq!(outcome.totals.accepted, accepted, "{count} {:?}", outcome.reject_summary());
            }
        }
    }
}

#[test]
fn documents_in_delimited_text_must_not_have_duplicate_keys() {
    let columns = vec![text("id"), document("doc")];
    let file = "id;doc\n1;{\"a\":{\"b\":1,\"b\":2}}\n2;{\"a\":{\"b\":1},\"b\":2}\n";
    let mut dialect = DelimitedDialect { header: Some(true), ..DelimitedDialect::default() };
    dialect.delimiter = Some(";".to_owned());
    dialect.quote = Some(Quote::None);
    let outcome = read(&contract(FormatKind::Delimited(dialect), columns.clone()), file);
    assert_eq!(reasons(&outcome), "duplicate_member:doc a.b");
    let file = "id,doc\n1,\"{\"\"a\"\":1, \"\"a\"\":2}\"\n2,{}\n";
    assert_eq!(reasons(&read(&contract(csv(), columns), file)), "duplicate_member:doc a");
}

#[test]
fn avro_maps_must_not_have_duplicate_keys() {
    let schema = avro_files::record(&[("doc", r#"{"type":"map","values":"int"}"#)]);
    let map = |keys: [&str; 2]| {
        let entries = keys.map(|key| [avro_files::string(key), avro_files::long(7)].concat());
        [avro_files::long(2), entries.concat(), avro_files::long(0)].concat()
    };
    let file = avro_files::file(&schema, &[map(["a", "a"]), map(["a", "b"])]);
    let read_as = |column: Column| read(&contract(FormatKind::Avro, vec![column]), &file);
    assert_eq!(reasons(&read_as(document("doc"))), "duplicate_member:doc a");
    let mut rescuing = contract(FormatKind::Avro, vec![text("id"), Column::rescued()]);
    rescuing.entity.columns[0].harmonise.constant = Some("1".to_owned());
    assert_eq!(reasons(&read(&rescuing, &file)), "duplicate_member:_rescued doc.a");
}

#[test]
fn parquet_maps_and_json_texts_must_not_have_duplicate_keys() {
    let entries = StructArray::from(vec![
        (
            Arc::new(Field::new("key", DataType::Utf8, false)),
            Arc::new(StringArray::from(vec!["k", "l", "k", "k"])) as ArrayRef,
        ),
        (
            Arc::new(Field::new("value", DataType::Int32, true)),
            Arc::new(Int32Array::from(vec![1, 2, 3, 4])) as ArrayRef,
        ),
    ]);
    let entry = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let map = MapArray::new(entry, OffsetBuffer::new(vec![0, 2, 4].into()), entries, None, false);
    let texts = StringArray::from(vec![r#"{"k":1,"l":2}"#, r#"{"k":3,"k":4}"#]);
    for array in [Arc::new(map) as ArrayRef, Arc::new(texts)] {
        let file = parquet_files::file(&[("doc", array)]);
        let outcome =
            read_parquet(&contract(FormatKind::Parquet, vec![document("doc")]), Limits::default(), file);
        assert_eq!(reasons(&outcome.unwrap()), "duplicate_member:doc k");
    }
}

#[test]
fn duplicate_keys_are_not_shown_if_values_are_hidden() {
    let mail = Column { pseudonymise: true, ..text("mail") };
    let contract = contract(FormatKind::Ndjson, vec![mail, Column::rescued()]);
    let plan = Arc::new(Plan::compile_with(&contract, Some(&PseudonymKey::new(&[7; 32]).unwrap())).unwrap());
    let file = "{\"x\":{\"anna\":1,\"anna\":2},\"mail\":\"anna\"}\n{\"mail\":\"berta\"}\n";
    let outcome = read_plan(&plan, Limits::default(), file.as_bytes()).unwrap();
    assert_eq!(reasons(&outcome), "duplicate_member -");
    assert!(!format!("{:?}", outcome.rejects).contains("anna"), "{:?}", outcome.rejects);
}
