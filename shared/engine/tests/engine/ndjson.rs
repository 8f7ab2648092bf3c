//! Newline-delimited JSON: one object per line.

use crate::support::{column, contract, read, text};
use penstock_contract::*;
use penstock_engine::FileFormat;

fn shop() -> Contract {
    let columns = vec![
        text("a"),
        column("n", LogicalType::Number, SqlType::Numeric(Some((20, 2)))),
        column("flag", LogicalType::Boolean, SqlType::Boolean),
        column("doc", LogicalType::Object { properties: vec![] }, SqlType::Jsonb),
        column("list", LogicalType::Array { items: None }, SqlType::Jsonb),
    ];
    contract(FormatKind::Ndjson, columns)
}

#[test]
fn values_are_stored_as_written() {
    let file = concat!(
        "{\"a\":\"x\\u00e9\\n\\\"\",\"n\":12345678901234567.10,\"flag\":true,\"doc\":{\"k\":[1, 2]},\"list\":[]}\n",
        "\r\n  \n",
        "{\"n\":\"7.5\",\"skip\":{\"a\":1},\"flag\":\"FALSE\",\"a\":12e3}\r\n",
        " {\"n\":1e2,\"a\":false} \n",
        "{}",
    );
    let outcome = read(&shop(), file);
    assert_eq!(
        outcome.values(),
        [
            ["xé\n\"", "12345678901234567.10", "t", "{\"k\":[1, 2]}", "[]"],
            ["12e3", "7.5", "f", "NULL", "NULL"],
            ["false", "100", "NULL", "NULL", "NULL"],
            ["NULL", "NULL", "NULL", "NULL", "NULL"],
        ]
    );
    assert_eq!((outcome.totals.lines, outcome.dialect.format), (6, Some(FileFormat::Ndjson)));
    assert_eq!(outcome.dialect.assumed, ["compression", "encoding"]);
}

#[test]
fn lines_of_white_space_are_skipped_like_empty_lines() {
    for blank in ["", "  ", "\t", " \t \r", "\r\r", "\u{c} "] {
        for file in [
            format!("{{\"a\":\"1\"}}\n{blank}\n{{\"a\":\"2\"}}\n"),
            format!("{blank}\n{{\"a\":\"1\"}}\n\n{blank}\n{blank}\n{{\"a\":\"2\"}}\n{blank}"),
            format!("{{\"a\":\"1\"}}\n{{\"a\":\"2\"}}\n{}\n", blank.repeat(10_000)),
        ] {
            let outcome = read(&contract(FormatKind::Ndjson, vec![text("a")]), &file);
            assert_eq!(outcome.values(), [["1"], ["2"]], "{blank:?}");
            assert_eq!((outcome.reject_summary(), outcome.totals.rows_read), (vec![], 2), "{blank:?}");
        }
    }
    let outcome = read(&contract(FormatKind::Ndjson, vec![text("a")]), "  \n x\n \n");
    assert_eq!(
        outcome.reject_summary(),
        ["1@2 invalid_json"],
        "a blank line is counted as a line and not as a record"
    );
}

#[test]
fn lines_that_are_not_objects_are_rejected() {
    let file =
        "{\"a\":1\n[1]\n\"x\"\nnull\n{\"a\":1} x\n{\"a\":01}\n{'a':1}\n{\"a\":\"\u{1}\"}\n{\"a\":\"ok\"}\n";
    let outcome = read(&shop(), file);
    assert_eq!(outcome.totals.accepted, 1);
    assert!(outcome.rejects.iter().all(|reject| reject.reasons[0].code.to_string() == "invalid_json"));
    assert_eq!(outcome.rejects.len(), 8);
}

#[test]
fn values_of_the_wrong_type_are_rejected() {
    let file = concat!(
        "{\"a\":{\"x\":1},\"n\":[1],\"flag\":{},\"doc\":[],\"list\":{}}\n",
        "{\"doc\":\"{}\",\"list\":5,\"flag\":0,\"n\":true}\n",
        "{\"a\":\"\\ud800\"}\n",
        "{\"a\":\"\\u0000\"}\n",
        "{\"doc\":{\"k\":\"\\u0000\"}}\n",
    );
    assert_eq!(
        read(&shop(), file).reject_summary(),
        [
            "1@1 wrong_type:a wrong_type:n wrong_type:flag wrong_type:doc wrong_type:list",
            "2@2 not_a_number:n not_a_boolean:flag wrong_type:doc wrong_type:list",
            "3@3 invalid_json:a",
            "4@4 nul_character:a",
            "5@5 nul_character:doc",
        ]
    );
}

#[test]
fn json_numbers_have_a_decimal_point_regardless_of_the_declared_separator() {
    let mut number = column("n", LogicalType::Number, SqlType::Numeric(Some((12, 2))));
    number.harmonise.decimal_separator = Some(',');
    number.harmonise.group_separator = Some('.');
    let outcome = read(&contract(FormatKind::Ndjson, vec![number]), "{\"n\":1.25}\n{\"n\":\"1.234,5\"}\n");
    assert_eq!(outcome.values(), [["1.25"], ["1234.5"]]);
}

#[test]
fn a_line_must_be_exactly_one_object() {
    for (line, found) in [
        ("{\"a\":1}{\"a\":2}", "unexpected character at byte 7 of the line"),
        ("{\"a\":1} {\"a\":2}", "unexpected character at byte 8 of the line"),
        ("{\"a\":1},", "unexpected character at byte 7 of the line"),
        ("{\"a\":1} trailing", "unexpected character at byte 8 of the line"),
        ("[{\"a\":1},{\"a\":2}]", "unexpected character at byte 0 of the line"),
        ("{\"a\":1,}", "unexpected character at byte 7 of the line"),
        ("{,\"a\":1}", "unexpected character at byte 1 of the line"),
        ("{\"a\":1}}", "unexpected character at byte 7 of the line"),
        ("\u{c}{\"a\":1}", "unexpected character at byte 0 of the line"),
    ] {
        // As written, and with an escaped letter in the keys.
        for line in [line.to_owned(), line.replace("\"a\"", "\"\\u0061\"")] {
            let outcome = read(&shop(), format!("{line}\n{{\"a\":\"ok\"}}\n"));
            assert_eq!(
                (outcome.reject_summary(), outcome.totals.accepted),
                (vec!["1@1 invalid_json".to_owned()], 1)
            );
            if !line.contains('\\') {
                assert_eq!(outcome.rejects[0].reasons[0].found.as_deref(), Some(found), "{line}");
            }
        }
    }
}

#[test]
fn deeply_nested_documents_are_rejected_without_a_stack_overflow() {
    for (depth, is_accepted) in [(126, true), (127, false), (128, false)] {
        // The objects of the line and of the column are two more levels.
        let line =
            |end: &str| format!("{{\"doc\":{{\"k\":{}1{}}}{end}}}\n", "[".repeat(depth), "]".repeat(depth));
        let outcome = read(&shop(), line("") + &line(",\"a\":\"\\n\""));
        assert_eq!(outcome.totals.accepted, if is_accepted { 2 } else { 0 }, "{depth}");
        for reject in &outcome.rejects {
            let reason = &reject.reasons[0];
            assert_eq!(reason.code.to_string(), "invalid_json");
            assert_eq!(&*reason.rule, "objects and arrays nested at most 128 levels deep");
            assert_eq!(reason.found.as_deref(), Some("a deeper level at byte 138 of the line"));
        }
    }
    let deep = format!("{{\"doc\":{{\"k\":{}1{}}}}}\n", "[".repeat(100_000), "]".repeat(100_000));
    let outcome = read(&shop(), deep);
    assert_eq!(outcome.totals.rejected, 1);
}
