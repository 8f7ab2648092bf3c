//! JSON documents with an array of objects.

use std::sync::Arc;

use penstock_contract::*;
use penstock_engine::{Limits, Plan, ReadError};
use proptest::prelude::*;

use crate::support::{Sips, contract, read, read_plan, read_with, text};

fn array(path: &str) -> Contract {
    let path = path.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect();
    contract(FormatKind::JsonArray { path }, vec![text("a"), text("b")])
}

fn refused(contract: &Contract, file: &str) -> (String, String) {
    let error = read_with(contract, Limits::default(), file.as_bytes()).unwrap_err();
    (error.code().to_owned(), error.to_string())
}

#[test]
fn elements_are_rows_however_they_are_laid_out() {
    for file in [
        r#"[{"a":"1","b":"x"},{"b":"y","a":2}]"#,
        "\u{feff}[\n  {\n    \"a\": \"1\",\n    \"b\": \"x\"\n  },\n  {\n    \"b\": \"y\", \"a\": 2\n  }\n]\n",
        "[\r\n{\"a\":\"1\",\"b\":\"x\",\"c\":[{\"a\":3},\"]}\\\"\"]}\r\n,{\"a\":2,\"b\":\"y\",\"c\":{}}\r\n]",
    ] {
        let outcome = read(&array(""), file);
        assert_eq!(outcome.values(), [["1", "x"], ["2", "y"]], "{file}");
        assert_eq!((outcome.dialect.format.as_str(), outcome.rejects.len()), ("json_array", 0));
    }
    assert_eq!(read(&array(""), "[]").totals.rows_read, 0);
}

#[test]
fn the_array_is_found_under_its_path() {
    let file = r#"{"meta":{"data":[1,"]}"],"n":-1.5e3},"x":[{"data":0}],"da\u0074a":{"more":null,"items":[{"a":"1","b":"[x"}],"end":1},"z":[2]}"#;
    assert_eq!(read(&array("data.items"), file).values(), [["1", "[x"]]);
    for (path, told) in [
        ("data.rows", "there is no array at `$.data.rows`: `$.data` has no `rows`"),
        ("rows", "there is no array at `$.rows`: `$` has no `rows`"),
        ("data.more", "there is no array at `$.data.more`: something else stands there"),
        ("x.y", "there is no array at `$.x.y`: `$.x` is no object"),
        ("", "there is no array at `$`: something else stands there"),
    ] {
        let (code, message) = refused(&array(path), file);
        assert_eq!(code, "no_array");
        assert!(message.starts_with(told), "{message}");
    }
}

#[test]
fn a_broken_element_costs_no_other() {
    let outcome = read(
        &array(""),
        "[{\"a\":1},\n 7, \"x,]\", null,\n {\"a\":},\n {\"a\":2},\n {\"a\":\"open},\n {\"a\":3},\n {\"a\":4, {\"a\":5},\n {\"a\":[6},\n [{\"a\":7}],\n {\"a\":8}]",
    );
    let rows: Vec<String> = outcome.values().into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(rows, ["1", "2", "3", "5", "8"]);
    assert_eq!(
        outcome.told(),
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
    assert_eq!(&*outcome.rejects[3].reasons[0].rule, "one JSON object an element");
}

#[test]
fn places_of_elements_are_exact() {
    let file = "{\"items\": [\n  {\"a\": \"é\"},\n  {\"a\": \"x\\q\"}\n]}";
    let outcome = read(&array("items"), file);
    let reject = &outcome.rejects[0];
    assert_eq!((reject.row, reject.line), (2, 3));
    assert_eq!(usize::try_from(reject.byte_offset).unwrap(), file.rfind('{').unwrap());
    assert_eq!(outcome.totals.bytes_read, file.len() as u64);
}

#[test]
fn an_array_that_does_not_end_is_told() {
    for file in ["[", "[{\"a\":1}", "[{\"a\":1},", "[{\"a\":1", "[{\"a\":\"", "[1"] {
        assert_eq!(refused(&array(""), file).0, "open_array", "{file}");
    }
    assert!(matches!(read_with(&array(""), Limits::default(), &b""[..]), Err(ReadError::Empty)));
}

#[test]
fn an_element_that_is_too_long_costs_no_other() {
    let limits = || Limits { max_record_bytes: 20, ..Limits::default() };
    let long = "x]},{".repeat(100_000);
    let file = format!(
        "[{{\"a\":1}},{{\"a\":\"{long}\"}},{{\"a\":\"0123456789ab\"}},{{\"a\":\"0123456789abc\"}},{{\"a\":2}}]"
    );
    let outcome = read_with(&array(""), limits(), file.as_bytes()).unwrap();
    assert_eq!(outcome.told(), ["2@1 record_too_long", "4@1 record_too_long"]);
    assert_eq!(outcome.rejects[0].raw.len(), 64 * 1024);
    let rows: Vec<String> = outcome.values().into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(rows, ["1", "0123456789ab", "2"]);
}

proptest! {
    #[test]
    fn elements_do_not_depend_on_how_the_input_is_handed_out(
        pieces in prop::collection::vec(prop_oneof![
            Just("{\"a\":"), Just("1"), Just("}"), Just(","), Just("\""), Just("\\"), Just("["), Just("]"),
            Just("\n"), Just(" "), Just("{"), Just("é"), Just("{\"a\":\"x\"},"), Just("null"),
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
        let sipped = read_plan(&plan, limits, Sips { rest: file.as_bytes(), sizes, at: 0 });
        match (whole, sipped) {
            (Ok(whole), Ok(sipped)) => prop_assert_eq!(whole, sipped),
            (Err(whole), Err(sipped)) => prop_assert_eq!(whole.to_string(), sipped.to_string()),
            (whole, sipped) => prop_assert!(false, "{:?} {:?}", whole, sipped),
        }
    }

    #[test]
    fn well_formed_elements_are_all_read(
        rows in prop::collection::vec(("[^\0]{0,12}", "\\PC{0,12}"), 0..12),
        is_pretty in any::<bool>(),
    ) {
        let items: Vec<_> = rows.iter().map(|(a, b)| serde_json::json!({"x": [{"]": a}], "a": a, "b": b})).collect();
        let document = serde_json::json!({"head": rows.len(), "items": items});
        let file = if is_pretty { serde_json::to_string_pretty(&document) } else { serde_json::to_string(&document) }.unwrap();
        let outcome = read(&array("items"), file);
        let shown = |text: &String| Some(text.trim()).filter(|text| !text.is_empty()).unwrap_or("NULL").to_owned();
        let expected: Vec<Vec<String>> = rows.iter().map(|(a, b)| vec![shown(a), shown(b)]).collect();
        prop_assert_eq!(outcome.values(), expected);
    }
}
