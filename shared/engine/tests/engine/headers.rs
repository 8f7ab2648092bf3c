//! Headers: unnamed columns, letter case, many columns, and headers without any expected column.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use penstock_contract::*;
use penstock_engine::{Limits, UnreadableCode};

use crate::avro_files;
use crate::parquet_files;
use crate::support::{contract, csv, read, read_with, text, unreadable};

/// Returns a contract that reads `id` and `name` and rescues other columns.
fn rescuing() -> Contract {
    contract(csv(), vec![text("id"), text("name"), Column::rescued()])
}

fn rejecting() -> Contract {
    let mut contract = contract(csv(), vec![text("id"), text("name")]);
    contract.unexpected_columns = UnexpectedColumns::Reject;
    contract
}

#[test]
fn an_unnamed_column_is_an_unexpected_column_named_by_its_position() {
    for (file, rescued) in [
        ("id,,name\n1,secret,a\n", "{\"_column_2\":\"secret\"}"),
        (",id,name\n0,1,a\n", "{\"_column_1\":\"0\"}"),
        ("\"\",id,name\n0,1,a\n", "{\"_column_1\":\"0\"}"),
        ("id,  ,name\n1,x,a\n", "{\"_column_2\":\"x\"}"),
        (",id,,name,\n0,1,x,a,y\n", "{\"_column_1\":\"0\",\"_column_3\":\"x\",\"_column_5\":\"y\"}"),
        ("id,name,\n1,a,y\n", "{\"_column_3\":\"y\"}"),
        ("id,name,,\n1,a,,z\n", "{\"_column_4\":\"z\"}"),
        ("id;;name\r\n1;\"q;q\";a\r\n", "{\"_column_2\":\"q;q\"}"),
        // Generated names avoid those of the header.
        ("id,,name,_column_2\n1,x,a,y\n", "{\"_column_2_\":\"x\",\"_column_2\":\"y\"}"),
        (
            "id,,name,_column_2,_column_2_\n1,x,a,y,z\n",
            "{\"_column_2__\":\"x\",\"_column_2\":\"y\",\"_column_2_\":\"z\"}",
        ),
    ] {
        assert_eq!(read(&rescuing(), file).values(), [["1", "a", rescued]], "{file:?}");
        let rejected = read(&rejecting(), file);
        assert_eq!(rejected.reject_summary(), ["1@2 unexpected_column"], "{file:?}");
        let mut ignoring = rejecting();
        ignoring.unexpected_columns = UnexpectedColumns::Ignore;
        assert_eq!(read(&ignoring, file).values(), [["1", "a"]], "{file:?}");
    }
    let found = read(&rejecting(), ",id,,name\n0,1,x,a\n").rejects[0].reasons[0].found.clone();
    assert_eq!(found.as_deref(), Some("_column_1, _column_3"));
}

#[test]
fn an_empty_field_of_an_unnamed_column_is_ignored() {
    let outcome = read(&rejecting(), "id,,name\n1,,a\n2,  ,b\n3,\"\",c\n");
    assert_eq!(outcome.values(), [["1", "a"], ["2", "b"], ["3", "c"]]);
}

#[test]
fn rows_may_omit_only_unnamed_columns_at_the_end_of_the_header() {
    let outcome = read(&rescuing(), ",id,,name\n0,1,x,a\n0,1,x\n0,1,x,a,z\n");
    assert_eq!(outcome.reject_summary(), ["2@3 too_few_fields", "3@4 too_many_fields"]);
    assert_eq!(&*outcome.rejects[0].reasons[0].rule, "4 fields");
    let outcome = read(&rescuing(), "id,name,,\n1,a\n2,b,\n3,c,,\n4\n5,e,,,x\n");
    assert_eq!(outcome.totals.accepted, 3);
    assert_eq!(outcome.reject_summary(), ["4@5 too_few_fields", "5@6 too_many_fields"]);
    assert_eq!(&*outcome.rejects[0].reasons[0].rule, "2 to 4 fields");
}

#[test]
fn a_contract_can_read_an_unnamed_column_by_its_position() {
    let mut index = text("row");
    index.physical_name = "_column_1".to_owned();
    let contract = contract(csv(), vec![index, text("id"), Column::rescued()]);
    assert_eq!(read(&contract, ",id\n0,7\n").values(), [["0", "7", "NULL"]]);
}

#[test]
fn an_unnamed_column_can_be_classified() {
    let mut contract = rejecting();
    contract.entity.columns[0].physical_name = "_column_1".to_owned();
    contract.entity.columns[0].classification = Some("restricted".to_owned());
    let outcome = read(&contract, ",name,\nanna,a,x\n");
    assert_eq!(outcome.reject_summary(), ["1@2 unexpected_column"]);
    assert_eq!(outcome.rejects[0].raw, "[classified],a,x");
}

#[test]
fn a_file_without_a_matching_column_is_refused_even_if_columns_may_be_missing() {
    let mut contract = contract(csv(), vec![text("id"), text("name"), Column::rescued()]);
    contract.missing_columns = MissingColumns::Null;
    for file in ["1,a\n2,b\n", "id%name\n1%a\n", " , \n1,a\n", "x\n1\n", ",\n1,2\n"] {
        let (code, message) = unreadable(&contract, file);
        assert_eq!(code, UnreadableCode::MissingColumns, "{file:?}");
        assert!(
            message.starts_with("the header has none of the columns that the contract reads (`id`, `name`)"),
            "{message}"
        );
    }
    assert_eq!(read(&contract, "id\n1\n").values(), [["1", "NULL", "NULL"]]);
    // It is also refused if all columns have a default.
    let mut defaults = rescuing();
    for column in &mut defaults.entity.columns[..2] {
        column.harmonise.default = Some("?".to_owned());
    }
    assert_eq!(unreadable(&defaults, "x,y\n1,2\n").0, UnreadableCode::MissingColumns);
    // A contract that reads no column accepts any file.
    let mut constant = text("id");
    constant.harmonise.constant = Some("7".to_owned());
    let constants = crate::support::contract(csv(), vec![constant]);
    assert_eq!(read(&constants, "x,y\n1,2\n").values(), [["7"]]);
}

#[test]
fn a_json_file_without_a_matching_key_is_refused() {
    for kind in [FormatKind::Ndjson, FormatKind::JsonArray { path: vec![] }] {
        let is_array = kind != FormatKind::Ndjson;
        let contract = contract(kind, vec![text("id"), text("name"), Column::rescued()]);
        let file = |objects: &[&str]| {
            if is_array { format!("[{}]", objects.join(",\n")) } else { objects.join("\n") }
        };
        let wrapped = [r#"{"items":[{"id":1}]}"#, r#"{"items":[]}"#, "{}"];
        let (code, message) = unreadable(&contract, file(&wrapped));
        assert_eq!(code, UnreadableCode::MissingColumns);
        assert_eq!(message, "no object of the file has any of the keys that the contract reads");
        for one in [r#"{"name":null}"#, r#"{"id":"1"}"#] {
            assert_eq!(read(&contract, file(&[wrapped[0], one, "{}"])).totals.accepted, 3, "{one}");
        }
        assert_eq!(read(&contract, file(&[]) + "\n").totals.rows_read, 0);
    }
}

#[test]
fn names_match_in_any_letter_case_if_the_contract_says_so() {
    let mut contract = contract(csv(), vec![text("Id"), text("straße"), Column::rescued()]);
    assert_eq!(unreadable(&contract, "ID,STRASSE\n1,a\n").0, UnreadableCode::MissingColumns);
    contract.format.header_case = HeaderCase::Insensitive;
    for header in ["ID,STRASSE", "id,straße", "Id,Strasse", "iD,STRAßE"] {
        let outcome = read(&contract, format!("{header}\n1,a\n"));
        assert_eq!(outcome.values(), [["1", "a", "NULL"]], "{header}");
    }
    assert_eq!(read(&contract, "ID,other,STRASSE\n1,x,a\n").values(), [["1", "a", "{\"other\":\"x\"}"]]);
    let (code, message) = unreadable(&contract, "id,Strasse,ID\n1,a,2\n");
    assert_eq!(code, UnreadableCode::DuplicateColumns);
    assert_eq!(message, "the header names columns more than once (ignoring letter case): `ID`");
    // Unexpected columns must not be duplicates either, because `_rescued` would have both.
    assert_eq!(unreadable(&contract, "id,straße,x,X\n1,a,2,3\n").0, UnreadableCode::DuplicateColumns);
    assert_eq!(
        read(&contract, "id,straße,,_COLUMN_3\n1,a,2,3\n").values(),
        [["1", "a", "{\"_column_3_\":\"2\",\"_COLUMN_3\":\"3\"}"]]
    );
}

#[test]
fn a_classified_column_is_hidden_regardless_of_the_letter_case_of_its_name() {
    let mut contract = rejecting();
    contract.format.header_case = HeaderCase::Insensitive;
    contract.entity.columns[1].classification = Some("restricted".to_owned());
    let outcome = read(&contract, "ID,NAME,x\n1,anna,2\n");
    assert_eq!(outcome.rejects[0].raw, "1,[classified],2");
}

#[test]
fn a_header_of_100_000_columns_is_matched() {
    const COLUMNS: usize = 100_000;
    let mut file = String::new();
    for index in 0..COLUMNS {
        write!(file, "c{index},").unwrap();
    }
    file.push_str("id,name\n");
    file.push_str(&",".repeat(COLUMNS));
    file.push_str("1,a\n");
    let dialect = DelimitedDialect {
        delimiter: Some(",".to_owned()),
        header: Some(true),
        ..DelimitedDialect::default()
    };
    let mut contract = rescuing();
    contract.format.kind = FormatKind::Delimited(dialect);
    assert_eq!(read(&contract, &file).values(), [["1", "a", "NULL"]]);
    let twice = file.replace("c99999,", "c5,");
    assert_eq!(unreadable(&contract, &twice).1, "the header names columns more than once: `c5`");
}

/// Returns a file with one row of text, in a typed format.
fn typed(kind: &FormatKind, columns: &[(&str, &str)]) -> Vec<u8> {
    if *kind == FormatKind::Parquet {
        let array = |value: &str| Arc::new(StringArray::from(vec![value])) as ArrayRef;
        let arrays: Vec<(&str, ArrayRef)> =
            columns.iter().map(|(name, value)| (*name, array(value))).collect();
        return parquet_files::file(&arrays).to_vec();
    }
    let fields: Vec<(&str, &str)> = columns.iter().map(|(name, _)| (*name, "\"string\"")).collect();
    let row = columns.iter().flat_map(|(_, value)| avro_files::string(value)).collect();
    avro_files::file(&avro_files::record(&fields), &[row])
}

#[test]
fn parquet_and_avro_names_match_like_header_names() {
    for kind in [FormatKind::Parquet, FormatKind::Avro] {
        let columns = vec![text("Id"), text("name"), Column::rescued()];
        let mut contract = contract(kind.clone(), columns);
        contract.entity.columns[1].classification = Some("restricted".to_owned());
        contract.missing_columns = MissingColumns::Null;
        let error = |contract: &Contract, columns: &[(&str, &str)]| {
            read_with(contract, Limits::default(), typed(&kind, columns).as_slice()).unwrap_err().to_string()
        };
        let file = [("ID", "1"), ("x", "2"), ("NAME", "anna")];
        let none = error(&contract, &file);
        assert!(none.contains("has none of the columns that the contract reads (`Id`, `name`)"), "{none}");
        contract.format.header_case = HeaderCase::Insensitive;
        let outcome = read(&contract, typed(&kind, &file));
        assert_eq!(outcome.values(), [["1", "anna", "{\"x\":\"2\"}"]], "{kind:?}");
        contract.entity.columns[0].rules.max_length = Some(0);
        let rejected = read(&contract, typed(&kind, &file));
        assert!(!rejected.rejects[0].raw.contains("anna"), "{}", rejected.rejects[0].raw);
        let twice = error(&contract, &[("id", "1"), ("ID", "2"), ("name", "a")]);
        assert!(twice.contains("columns more than once (ignoring letter case): `ID`"), "{twice}");
    }
}

#[test]
fn an_unnamed_parquet_column_is_rescued_by_its_position() {
    let contract = contract(FormatKind::Parquet, vec![text("id"), Column::rescued()]);
    let outcome = read(&contract, typed(&FormatKind::Parquet, &[("", "x"), ("id", "1")]));
    assert_eq!(outcome.values(), [["1", "{\"_column_1\":\"x\"}"]]);
}
