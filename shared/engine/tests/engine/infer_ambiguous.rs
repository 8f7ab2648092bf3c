//! Ambiguous samples: an interpretation that may be wrong is always reported in a note.

use penstock_contract::{FormatKind, Quote};
use penstock_engine::FileFormat;
use penstock_engine::infer::{InferError, InferOptions, Inferred, KnownFormat};

use crate::infer::{column_summary, contract_of, infer_from, infer_with, read_back};
use crate::infer_samples::{accepted, accepted_with, dialect, values};

fn has_note(inferred: &Inferred, part: &str) -> bool {
    inferred.notes.iter().any(|note| note.contains(part))
}

#[test]
fn a_point_before_three_digits_is_interpreted_by_other_columns() {
    let grouped = "`.` is read as a group separator, because `,` is the decimal separator in `a`";
    let decimal = "`.` is read as the decimal separator, as in `a`";
    let unknown = "`.` may be a decimal or a group separator";
    for (a, b, kind, note, first) in [
        (["12,50", "9,99", "100,00"], ["1.234", "12.500", "513.100"], "numeric(12,2)", grouped, "1234"),
        (["12,50", "9,99", "100,00"], ["-1.234", "12", "0"], "numeric(12,2)", grouped, "-1234"),
        (["1.234,5", "9,99", "1"], ["1.234", "12.500", "513.100"], "numeric(12,2)", grouped, "1234"),
        (["1.000.000", "9", "1"], ["1.234", "12.500", "513.100"], "numeric(12,2)", grouped, "1234"),
        (["12.50", "9.99", "1"], ["1.234", "12.500", "513.100"], "numeric(12,3)", decimal, "1.234"),
        (["1,000.5", "9.99", "1"], ["1.234", "12.500", "513.100"], "numeric(12,3)", decimal, "1.234"),
        (["x", "y", "z"], ["1.234", "12.500", "513.100"], "text", unknown, "1.234"),
        (["1.234", "5.678", "9.000"], ["1.234", "12.500", "513.100"], "text", unknown, "1.234"),
        (["x", "y", "z"], ["1.234", "12", "513"], "text", unknown, "1.234"),
        (["x", "y", "z"], ["1.234", "0.500", "513.100"], "numeric(12,3)", "", "1.234"),
        (["x", "y", "z"], ["1.234", "12.5", "513.100"], "numeric(12,3)", "", "1.234"),
        (["x", "y", "z"], ["1.234.567", "12.500", "513.100"], "numeric(13,2)", "", "1234567"),
    ] {
        let rows: String = a.iter().zip(b).map(|(a, b)| format!("{a};{b}\n")).collect();
        let (inferred, outcome) = accepted(format!("a;b\n{rows}").as_bytes());
        assert_eq!(
            column_summary(&contract_of(&inferred))[1],
            format!("b {kind}!"),
            "{a:?} {b:?}\n{}",
            inferred.yaml
        );
        assert_eq!(has_note(&inferred, "`b`: `.`"), !note.is_empty(), "{:?}", inferred.notes);
        assert!(has_note(&inferred, note), "{:?}", inferred.notes);
        assert_eq!(values(&outcome)[0][1], first, "{a:?} {b:?}");
    }
}

#[test]
fn a_comma_before_three_digits_is_interpreted_like_a_point() {
    for (other, kind, first) in
        [("12.50", "numeric(12,2)", "1234"), ("12,50", "numeric(12,3)", "1.234"), ("x", "text", "1,234")]
    {
        let (inferred, outcome) = accepted(format!("a;b\n{other};1,234\n{other};5,678\n").as_bytes());
        assert_eq!(column_summary(&contract_of(&inferred))[1], format!("b {kind}!"), "{}", inferred.yaml);
        assert_eq!(values(&outcome)[0][1], first);
        assert!(has_note(&inferred, "`b`: `,`"), "{:?}", inferred.notes);
    }
    // It stays ambiguous if other columns use both separators.
    let (inferred, _) = accepted(b"a;b;c\n1,50;2.50;1.234\n3,75;4.25;2.345\n");
    assert_eq!(column_summary(&contract_of(&inferred))[2], "c text!", "{}", inferred.yaml);
}

#[test]
fn json_numbers_have_a_decimal_point() {
    let (inferred, outcome) = accepted(b"{\"a\":\"1,5\",\"b\":1.234}\n{\"a\":\"2,5\",\"b\":2.345}\n");
    assert_eq!(column_summary(&contract_of(&inferred)), ["a numeric(12,2)!", "b numeric(12,3)!"]);
    assert_eq!(values(&outcome)[0], ["1.5", "1.234"]);
    assert!(!has_note(&inferred, "`b`: `.`"), "{:?}", inferred.notes);
    // They are no evidence for the separators of strings.
    let (inferred, _) = accepted(b"{\"a\":1.5,\"b\":\"1.234\"}\n{\"a\":2.5,\"b\":\"2.345\"}\n");
    assert_eq!(column_summary(&contract_of(&inferred))[1], "b text!");
}

#[test]
fn two_consecutive_common_delimiters_enclose_an_empty_column() {
    for (sample, columns) in [
        ("1,,2\n3,,4\n5,,6\n", &["column_1 integer!", "column_2 text", "column_3 integer!"][..]),
        ("id,,name\n1,,a\n2,,b\n", &["id bigint!*", "name text!"]),
        ("a;;b\n1;;2\n", &["a integer!", "b integer!"]),
        ("a\t\tb\n1\t\t2\n", &["a integer!", "b integer!"]),
        ("a||b\n1||2\n", &["a integer!", "b integer!"]),
        ("a::b\n1::2\n", &["a integer!", "b integer!"]),
    ] {
        let (inferred, _) = accepted(sample.as_bytes());
        assert_eq!(column_summary(&contract_of(&inferred)), columns, "{}", inferred.yaml);
        let delimiter = dialect(&inferred).delimiter.unwrap();
        let is_double = sample.contains("||") || sample.contains("::");
        assert_eq!(delimiter.len(), 1 + usize::from(is_double), "{delimiter}");
        assert_eq!(has_note(&inferred, "without a usable name"), columns.len() == 2 && !is_double);
    }
}

#[test]
fn rows_with_stray_quotes_are_rejects_if_other_fields_are_quoted() {
    let many = |row: usize| if row < 3 { format!("{row},\"n\"\n") } else { format!("{row},\"g\"x\n") };
    let many: String = (0..13).map(many).collect();
    for (sample, accepted_rows) in [
        ("id,name\n1,\"a\"x\n2,\"b\"y\n3,\"c\"\n".to_owned(), 1),
        (format!("id,name\n{many}"), 3),
        (format!("id,name\n{many}").replace(',', ";"), 3),
        ("\"id\",\"name\"\n1,\"a\"x\n2,\"b\"y\n3,c\n".to_owned(), 1),
    ] {
        let (inferred, outcome) = accepted(sample.as_bytes());
        assert_eq!(dialect(&inferred).quote, Some(Quote::Byte(b'"')), "{sample}\n{}", inferred.yaml);
        assert_eq!(outcome.totals.accepted, accepted_rows, "{sample}");
        assert_eq!(column_summary(&contract_of(&inferred)).len(), 2);
    }
    let (inferred, outcome) = accepted(b"\"id,name\"\n1,a\n2,b\n");
    assert_eq!(dialect(&inferred).quote, Some(Quote::Byte(b'"')));
    assert_eq!(outcome.totals.accepted, 2);
    assert!(has_note(&inferred, "the header has 1 name and nearly all rows have 2 fields"));
}

#[test]
fn rows_of_a_first_table_are_not_a_preamble() {
    let rows = |count: usize, width: usize| -> String {
        (0..count).map(|row| vec![row.to_string(); width].join(",") + "\n").collect()
    };
    for (sample, skipped, names) in [
        (format!("id,name\n{}\nx,y,z\n{}", rows(10, 2), rows(12, 3)), 0, ["id", "name"]),
        (format!("id,name\n{}x,y,z\n{}", rows(10, 2), rows(12, 3)), 0, ["id", "name"]),
        (format!("Title\n\nid,name\n{}\nx,y,z\n{}", rows(10, 2), rows(12, 3)), 2, ["id", "name"]),
        (format!("id;name\n{}\nx,y,z\n{}", rows(10, 2).replace(',', ";"), rows(12, 3)), 0, ["id", "name"]),
    ] {
        let (inferred, outcome) = accepted(sample.as_bytes());
        let columns = contract_of(&inferred).entity.columns;
        assert_eq!(columns[0].physical_name, names[0], "{sample}\n{}", inferred.yaml);
        assert_eq!(columns[1].physical_name, names[1]);
        assert_eq!(dialect(&inferred).skip_lines.unwrap_or(0), skipped, "{}", inferred.yaml);
        assert_eq!(outcome.totals.accepted, 10, "{sample}");
        let is_set_apart = sample.contains("\nx,y,z") && sample.contains("\n\nx");
        let is_noted = has_note(&inferred, "looks like the header of a second table");
        assert_eq!(is_noted, is_set_apart, "{:?}", inferred.notes);
    }
    // A few lines above a large table are a preamble. The note counts those that look like rows.
    let sample = format!("Key,Value\nYear,2024\nShop,7\nPage,1\n\nx,y,z\n{}", rows(40, 3));
    let (inferred, outcome) = accepted(sample.as_bytes());
    assert_eq!((dialect(&inferred).skip_lines, outcome.totals.accepted), (Some(5), 40), "{}", inferred.yaml);
    assert!(has_note(&inferred, "3 of the skipped lines look like rows"), "{:?}", inferred.notes);
}

#[test]
fn a_header_may_lack_the_trailing_delimiter_of_the_rows() {
    for (sample, names) in [
        ("id,name\n1,a,\n2,b,\n", &["id bigint!*", "name text!"][..]),
        ("id;name\n1;a;\n2;b\n3;c;\n", &["id bigint!*", "name text!"]),
        ("name,note\na,b,\nc,d,\n", &["name text!", "note text!"]),
        ("id\n1,\n2,\n", &["id bigint!*"]),
    ] {
        let inferred = infer_from(sample);
        assert_eq!(column_summary(&contract_of(&inferred)), names, "{sample}\n{}", inferred.yaml);
        assert_eq!(dialect(&inferred).header, Some(true));
        let outcome = read_back(&inferred, sample.as_bytes());
        assert_eq!(outcome.totals.accepted, sample.lines().count() as u64 - 1, "{sample}");
    }
    // The header is not used if rows have a value after its last name.
    let (inferred, _) = accepted(b"a,b\n1,2,x\n4,5,\n6,7,y\n");
    assert_eq!(dialect(&inferred).header, Some(false), "{}", inferred.yaml);
}

#[test]
fn control_characters_in_rows_do_not_make_a_sample_binary() {
    let rows =
        |count: usize, end: &str| -> String { (0..count).map(|row| format!("{row},n{end}\n")).collect() };
    for (sample, accepted_rows, rejected) in [
        (format!("id,name\n{}{}", rows(200, ""), "\0".repeat(100)), 200, 1),
        (format!("id,name\n{}", rows(20, "\u{2}\u{3}\u{4}\u{5}")), 20, 0),
        ("{\"id\":1}\n{\"id\":2}\n".to_owned() + &"\0".repeat(100), 2, 1),
    ] {
        let (_, outcome) = accepted(sample.as_bytes());
        assert_eq!(
            (outcome.totals.accepted, outcome.totals.rejected),
            (accepted_rows, rejected),
            "{sample:?}"
        );
    }
    for sample in [
        &b"\x7fELF\x02\x01\x01\0\0\0\0\0\n1,2\n3,4\n"[..],
        b"id,na\x04\x05\x06\x07\x08me\n1,2\n3,4\n",
        b"id,name\n\0\0\0\0,\0\0\0\0\n1,\0\0\0\n",
    ] {
        let error = infer_with(sample, &InferOptions::default()).unwrap_err();
        assert!(matches!(error, InferError::Binary), "{error}");
    }
}

#[test]
fn rows_are_read_from_the_longest_array_of_a_json_document() {
    let items = "{\"id\":1,\"b\":[{},{},{},{},{}]},{\"id\":2},{\"id\":3}";
    for (sample, path, others) in [
        (
            format!("{{\"_links\":[{{\"a\":1}}],\"items\":[{items}]}}"),
            &["items"][..],
            "`$._links` (1 object)",
        ),
        (
            format!("{{\"warnings\":[{{}},{{}}],\"data\":{{\"items\":[{items}]}}}}"),
            &["data", "items"],
            "`$.warnings` (2 objects)",
        ),
        (
            format!("{{\"columns\":[{{\"n\":1}},{{}}],\n\"data\":[{items}]}}"),
            &["data"],
            "`$.columns` (2 objects)",
        ),
        (format!("{{\"data\":[{items}],\n\"columns\":[{{}}]}}\n"), &["data"], "`$.columns` (1 object)"),
        (format!("{{\n\"items\":[{items}]}}"), &["items"], ""),
    ] {
        let (inferred, outcome) = accepted(sample.as_bytes());
        assert_eq!(outcome.totals.accepted, 3, "{sample}");
        let path: Vec<String> = path.iter().map(|key| (*key).to_owned()).collect();
        assert_eq!(contract_of(&inferred).format.kind, FormatKind::JsonArray { path: path.clone() });
        let note = format!("the rows are read from the array at `$.{}` (3 objects)", path.join("."));
        assert!(has_note(&inferred, &note) && has_note(&inferred, others), "{:?}", inferred.notes);
        assert_eq!(has_note(&inferred, "use `--path` for another one"), !others.is_empty());
        let is_line = !sample.trim().contains('\n');
        assert_eq!(has_note(&inferred, "use `--format ndjson`"), is_line, "{:?}", inferred.notes);
        // The path is also detected if only the format is given.
        let known = KnownFormat { kind: Some(FileFormat::JsonArray), ..KnownFormat::default() };
        let (again, _) = accepted_with(sample.as_bytes(), known);
        assert_eq!(again.yaml, inferred.yaml);
        assert!(has_note(&again, &note), "{:?}", again.notes);
    }
}
