//! JSON documents with an array of objects.

use std::sync::Arc;

use penstock_contract::*;
use penstock_engine::{FileFormat, Limits, Plan, ReadError};
use proptest::prelude::*;

use crate::support::{ShortReads, contract, read, read_plan, read_with, text};

fn array(path: &str) -> Contract {
    let path = path.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect();
    contract(FormatKind::JsonArray { path }, vec![text("a"), text("b")])
}

fn refused(contract: &Contract, file: &str) -> (String, String) {
    let error = read_with(contract, Limits::default(), file.as_bytes()).unwrap_err();
    (error.code().to_owned(), error.to_string())
}

#[test]
fn elements_are_rows_in_any_layout() {
    for file in [
        r#"[{"a":"1","b":"x"},{"b":"y","a":2}]"#,
        "\u{feff}[\n  {\n    \"a\": \"1\",\n    \"b\": \"x\"\n  },\n  {\n    \"b\": \"y\", \"a\": 2\n  }\n]\n",
        "[\r\n{\"a\":\"1\",\"b\":\"x\",\"c\":[{\"a\":3},\"]}\\\"\"]}\r\n,{\"a\":2,\"b\":\"y\",\"c\":{}}\r\n]",
    ] {
        let outcome = read(&array(""), file);
        assert_eq!(outcome.values(), [["1", "x"], ["2", "y"]], "{file}");
        assert_eq!((outcome.dialect.format, outcome.rejects.len()), (Some(FileFormat::JsonArray), 0));
    }
    assert_eq!(read(&array(""), "[]").totals.rows_read, 0);
}

#[test]
fn the_array_is_found_under_its_path() {
    let file = r#"{"meta":{"data":[1,"]}"],"n":-1.5e3},"x":[{"data":0}],"da\u0074a":{"more":null,"items":[{"a":"1","b":"[x"}],"end":1},"z":[2]}"#;
    assert_eq!(read(&array("data.items"), file).values(), [["1", "[x"]]);
    for (path, expected) in [
        ("data.rows", "there is no array at `$.data.rows`: `$.data` has no key `rows`"),
        ("rows", "there is no array at `$.rows`: `$` has no key `rows`"),
        ("data.more", "there is no array at `$.data.more`: the value there is not an array"),
        ("x.y", "there is no array at `$.x.y`: `$.x` is not an object"),
        ("", "there is no array at `$`: the value there is not an array"),
    ] {
        let (code, message) = refused(&array(path), file);
        assert_eq!(code, "no_array");
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn a_malformed_element_is_rejected_alone() {
    let outcome = read(
        &array(""),
        "[{\"a\":1},\n 7, \"x,]\", null,\n {\"a\":},\n {\"a\":2},\n {\"a\":\"open},\n {\"a\":3},\n {\"a\":4, {\"a\":5},\n {\"a\":[6},\n [{\"a\":7}],\n {\"a\":8}]",
    );
    let rows: Vec<String> = outcome.values().into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(rows, ["1", "2", "3", "5", "8"]);
    assert_eq!(
        outcome.reject_summary(),
        [
            "2@2 invalid_json",
            "3@2 invalid_json",
            "4@2 invalid_json",
            "5@3 invalid_json",
            "7@5 invalid_json",
            "9@7 invalid_json",
            "11@8 invalid_json",
            "12@9 invalid_json",
        ]
    );
    assert_eq!(outcome.rejects[3].raw, "{\"a\":}");
    assert_eq!(&*outcome.rejects[3].reasons[0].rule, "one JSON object per element");
}

#[test]
fn positions_of_elements_are_exact() {
    let file = "{\"items\": [\n  {\"a\": \"é\"},\n  {\"a\": \"x\\q\"}\n]}";
    let outcome = read(&array("items"), file);
    let reject = &outcome.rejects[0];
    assert_eq!((reject.row, reject.line), (2, 3));
    assert_eq!(usize::try_from(reject.byte_offset).unwrap(), file.rfind('{').unwrap());
    assert_eq!(outcome.totals.bytes_read, file.len() as u64);
}

#[test]
fn an_array_without_an_end_is_an_error() {
    for file in ["[", "[{\"a\":1}", "[{\"a\":1},", "[{\"a\":1", "[{\"a\":\"", "[1"] {
        assert_eq!(refused(&array(""), file).0, "open_array", "{file}");
    }
    assert!(matches!(read_with(&array(""), Limits::default(), &b""[..]), Err(ReadError::Empty)));
}

#[test]
fn concatenated_documents_are_all_read() {
    for (path, file) in [
        ("", "[{\"a\":1}]\n[{\"a\":2},{\"a\":3}]\n"),
        ("", "[{\"a\":1}][{\"a\":2}][][{\"a\":3}]"),
        ("", "[{\"a\":1}]\u{feff}[{\"a\":2}]\r\n\u{feff}\u{feff} [{\"a\":3}]\u{feff}"),
        ("items", "{\"items\":[{\"a\":1}],\"next\":2}\n{\"page\":[{}],\"items\":[{\"a\":2},{\"a\":3}]}"),
        (
            "x.y",
            "{\"x\":{\"y\":[{\"a\":1},{\"a\":2}]}}{\"x\":{\"y\":[]}} {\"x\":{\"y\":[{\"a\":3}],\"n\":-1.5E+3}}\n\n",
        ),
    ] {
        let outcome = read(&array(path), file);
        let rows: Vec<String> = outcome.values().into_iter().map(|row| row[0].clone()).collect();
        assert_eq!((rows, outcome.rejects.len()), (vec!["1".into(), "2".into(), "3".into()], 0), "{file}");
        assert_eq!(outcome.totals.bytes_decompressed, file.len() as u64);
    }
    let utf_16: Vec<u8> =
        "[{\"a\":1}]\u{feff}[{\"a\":2}]".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&array(""), utf_16).totals.accepted, 2);
}

#[test]
fn the_json_around_an_array_must_be_well_formed() {
    let nested = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!("{{\"items\":[],\"x\":{open}{close}}}")
    };
    assert_eq!(read(&array("items"), nested(128)).totals.rows_read, 0);
    for (path, file, code, message) in [
        (
            "",
            "[{\"a\":1}] trailing",
            "malformed_document",
            "has `t` where another document or the end of the file is expected (at byte 10)",
        ),
        ("", "[{\"a\":1}]]", "malformed_document", "has `]` where another document"),
        ("", "[{\"a\":1}],[{\"a\":2}]", "malformed_document", "has `,` where another document"),
        ("", "[{\"a\":1}]\0", "malformed_document", "has `\\x00` where another document"),
        ("", "[{\"a\":1}]\n\u{c}", "malformed_document", "has `\\x0c` where another document"),
        ("", "[{\"a\":1}]7", "malformed_document", "(at byte 9)"),
        ("", "[{\"a\":1}]\n{\"error\":7}", "no_array", "`$`: the value there is not an array (at byte 10)"),
        ("", "[{\"a\":1}]\n[{\"a\":2}", "open_array", "(at byte 18)"),
        ("", "[{\"a\":1]},{\"a\":2}]", "malformed_document", "has `}` where another document"),
        ("items", "{\"items\":[{\"a\":1}]", "truncated_file", "where `,` or `}` is expected (at byte 18)"),
        ("items", "{\"items\":[{\"a\":1}],\"next\":", "truncated_file", "where a value is expected"),
        ("items", "{\"items\":[{\"a\":1}],\"next\":nul", "truncated_file", "where `null` is expected"),
        ("items", "{\"items\":[{\"a\":1}],\"ne", "truncated_file", "where the rest of a string is expected"),
        ("items", "{\"it", "truncated_file", "(at byte 4)"),
        (
            "items",
            "{\"items\":[{\"a\":1}] garbage}",
            "malformed_document",
            "has `g` where `,` or `}` is expected (at byte 19)",
        ),
        ("items", "{\"items\":[{\"a\":1}]}}", "malformed_document", "has `}` where another document"),
        ("items", "{\"items\":[{\"a\":1}]]", "malformed_document", "has `]` where `,` or `}` is expected"),
        ("items", "{\"items\":[{\"a\":1}],}", "malformed_document", "has `}` where `\"` is expected"),
        ("items", "{\"items\":[{\"a\":1}],,\"b\":1}", "malformed_document", "has `,` where `\"` is expected"),
        ("items", "{,\"items\":[{\"a\":1}]}", "malformed_document", "has `,` where `\"` is expected"),
        (
            "items",
            "{\"b\":1 \"items\":[{\"a\":1}]}",
            "malformed_document",
            "has `\"` where `,` or `}` is expected",
        ),
        ("items", "{\"b\" 1,\"items\":[{\"a\":1}]}", "malformed_document", "has `1` where `:` is expected"),
        ("items", "{\"items\":[],\"b\":[1,]}", "malformed_document", "has `]` where a value is expected"),
        ("items", "{\"items\":[],\"b\":{\"x\":1,}}", "malformed_document", "has `}` where `\"` is expected"),
        ("items", "{\"items\":[],\"b\":[1}}", "malformed_document", "has `}` where `,` or `]` is expected"),
        ("items", "{\"items\":[],\"b\":01}", "malformed_document", "has `1` where `,` or `}` is expected"),
        ("items", "{\"items\":[],\"b\":1.}", "malformed_document", "has `}` where a digit is expected"),
        ("items", "{\"items\":[],\"b\":-}", "malformed_document", "has `}` where a digit is expected"),
        ("items", "{\"items\":[],\"b\":1e+}", "malformed_document", "has `}` where a digit is expected"),
        ("items", "{\"items\":[],\"b\":tru}", "malformed_document", "has `}` where `true` is expected"),
        ("items", "{\"items\":[],\"b\":truex}", "malformed_document", "has `x` where `,` or `}` is expected"),
        (
            "items",
            "{\"items\":[],\"b\":\"\n\"}",
            "malformed_document",
            "has `\\n` where the rest of a string is expected",
        ),
        (
            "items",
            "{\"items\":[],\"b\":\"\\x\"}",
            "malformed_document",
            "has `x` where a letter that may be escaped is expected",
        ),
        (
            "items",
            "{\"items\":[],\"b\":\"\\u00g0\"}",
            "malformed_document",
            "has `g` where a hexadecimal digit is expected",
        ),
        ("items", "{\"items\":[],'b':1}", "malformed_document", "has `'` where `\"` is expected"),
        ("items", &nested(129), "malformed_document", "nested more than 128 levels deep"),
        (
            "items",
            "{\"items\":[{\"a\":1}],\"items\":[{\"a\":2}]}",
            "duplicate_member",
            "`$` has the key `items` twice",
        ),
        ("items", "{\"items\":[],\"it\\u0065ms\":0}", "duplicate_member", "`$` has the key `items` twice"),
        ("x.y", "{\"x\":{\"y\":[],\"b\":1,\"y\":1}}", "duplicate_member", "`$.x` has the key `y` twice"),
        ("x.y", "{\"x\":{\"y\":[]},\"x\":{}}", "duplicate_member", "`$` has the key `x` twice"),
        (
            "x.y",
            "{\"x\":{\"y\":[]},\"y\":{}}{\"x\":{\"y\":[], \"y\":[]}}",
            "duplicate_member",
            "(at byte 35)",
        ),
    ] {
        let (found, error) = refused(&array(path), file);
        assert_eq!(found, code, "{file}: {error}");
        assert!(error.contains(message), "{file}: {error}");
        let plan = Arc::new(Plan::compile(&array(path)).unwrap());
        let short_reads = ShortReads { rest: file.as_bytes(), sizes: vec![1, 2], at: 0 };
        assert_eq!(read_plan(&plan, Limits::default(), short_reads).unwrap_err().to_string(), error);
    }
}

#[test]
fn the_key_of_the_array_may_also_be_a_key_of_other_objects() {
    let file = "{\"items\":[{\"items\":1,\"a\":1}],\"x\":{\"items\":[{\"a\":9}]},\"Items\":0}";
    assert_eq!(read(&array("items"), file).values(), [["1", "NULL"]]);
    let file = "{\"y\":{\"x\":[{\"a\":1}],\"y\":0},\"x\":1}";
    assert_eq!(read(&array("y.x"), file).values(), [["1", "NULL"]]);
}

#[test]
fn elements_must_be_separated_by_exactly_one_comma() {
    for (file, rejects, found) in [
        ("[{\"a\":1},,{\"a\":2}]", "2@1 invalid_json", "no element at byte 9 of the file"),
        ("[,{\"a\":1},{\"a\":2}]", "1@1 invalid_json", "no element at byte 1 of the file"),
        ("[{\"a\":1},{\"a\":2},]", "3@1 invalid_json", "no element at byte 17 of the file"),
        ("[{\"a\":1},{\"a\":2},\n\n ]\n[]", "3@3 invalid_json", "no element at byte 20 of the file"),
        ("[{\"a\":1} {\"b\":9} ,{\"a\":2}]", "2@1 invalid_json", "no comma before byte 9 of the file"),
        ("[{\"a\":1}x,{\"a\":2}]", "2@1 invalid_json", "no comma before byte 8 of the file"),
        ("[{\"a\":1}},{\"a\":2}]", "2@1 invalid_json", "no comma before byte 8 of the file"),
        (
            "[{\"a\":1},\u{c}{\"b\":9},{\"a\":2}]",
            "2@1 invalid_json 3@1 invalid_json",
            "unexpected character at byte 0 of the element",
        ),
        ("[,{\"a\":1}]{\"x\":1}", "", "no_array"),
        ("[,][{\"a\":1},{\"a\":2}]", "1@1 invalid_json 2@1 invalid_json", "no element at byte 1 of the file"),
    ] {
        if rejects.is_empty() {
            assert_eq!(refused(&array(""), file).0, found, "{file}");
            continue;
        }
        let outcome = read(&array(""), file);
        let rows: Vec<String> = outcome.values().into_iter().map(|row| row[0].clone()).collect();
        assert_eq!(rows, ["1", "2"], "{file}");
        assert_eq!(outcome.reject_summary().join(" "), rejects, "{file}");
        assert_eq!(outcome.rejects[0].reasons[0].found.as_deref(), Some(found), "{file}");
    }
}

#[test]
fn elements_on_lines_without_commas_are_rejected() {
    let outcome = read(&array(""), "[\n{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n]");
    assert_eq!(outcome.values(), [["1", "NULL"]]);
    assert_eq!(outcome.reject_summary(), ["2@3 invalid_json", "3@4 invalid_json"]);
    assert_eq!(outcome.rejects[0].raw, "{\"a\":2}");
}

#[test]
fn an_element_that_is_too_long_is_rejected_alone() {
    let limits = || Limits { max_record_bytes: 20, ..Limits::default() };
    let long = "x]},{".repeat(100_000);
    let file = format!(
        "[{{\"a\":1}},{{\"a\":\"{long}\"}},{{\"a\":\"0123456789ab\"}},{{\"a\":\"0123456789abc\"}},{{\"a\":2}}]"
    );
    let outcome = read_with(&array(""), limits(), file.as_bytes()).unwrap();
    assert_eq!(outcome.reject_summary(), ["2@1 record_too_long", "4@1 record_too_long"]);
    assert_eq!(outcome.rejects[0].raw.len(), 64 * 1024);
    let rows: Vec<String> = outcome.values().into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(rows, ["1", "0123456789ab", "2"]);
}

proptest! {
    #[test]
    fn elements_do_not_depend_on_the_size_of_reads(
        pieces in prop::collection::vec(prop_oneof![
            Just("{\"a\":"), Just("1"), Just("}"), Just(","), Just("\""), Just("\\"), Just("["), Just("]"),
            Just("\n"), Just(" "), Just("{"), Just("é"), Just("{\"a\":\"x\"},"), Just("null"), Just("]\u{feff}["),
            Just("],\"b\":1}"), Just("{\"a\":["), Just("\\u0061"), Just("-1.5e3"),
        ], 0..60),
        sizes in prop::collection::vec(1..9_usize, 1..4),
        max_record_bytes in 1..40_usize,
        path in prop_oneof![Just(""), Just("a"), Just("a.b")],
    ) {
        let opened = if path.is_empty() { "[" } else { "{\"a\":" };
        let file = format!("{opened}{}", pieces.concat());
        let plan = Arc::new(Plan::compile(&array(path)).unwrap());
        let limits = Limits { max_record_bytes, ..Limits::default() };
        let whole = read_plan(&plan, limits.clone(), file.as_bytes());
        let in_pieces = read_plan(&plan, limits, ShortReads { rest: file.as_bytes(), sizes, at: 0 });
        match (whole, in_pieces) {
            (Ok(whole), Ok(in_pieces)) => prop_assert_eq!(whole, in_pieces),
            (Err(whole), Err(in_pieces)) => prop_assert_eq!(whole.to_string(), in_pieces.to_string()),
            (whole, in_pieces) => prop_assert!(false, "{:?} {:?}", whole, in_pieces),
        }
    }

    #[test]
    fn well_formed_elements_are_all_read(
        rows in prop::collection::vec(("[^\0]{0,12}", "\\PC{0,12}"), 0..12),
        is_pretty in any::<bool>(),
    ) {
        let items: Vec<_> = rows.iter().map(|(a, b)| serde_json::json!({"x": [{"]": a}], "a": a, "b": b})).collect();
        let (first, second) = items.split_at(items.len() / 2);
        let pages = [first, second].map(|items| {
            let around = serde_json::json!([rows.len(), {"items": [null, 1.5e-7]}, rows.first().map(|(a, _)| a)]);
            let document = serde_json::json!({"a": around, "items": items, "z": around});
            if is_pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap()
        });
        let file = pages.join(if is_pretty { "\n" } else { "" });
        let outcome = read(&array("items"), file);
        let shown = |text: &String| Some(text.trim()).filter(|text| !text.is_empty()).unwrap_or("NULL").to_owned();
        let expected: Vec<Vec<String>> = rows.iter().map(|(a, b)| vec![shown(a), shown(b)]).collect();
        prop_assert_eq!(outcome.values(), expected);
    }
}
