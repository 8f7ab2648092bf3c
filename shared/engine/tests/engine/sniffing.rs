//! Detection of undeclared white space, delimiters, quotes and escapes.

use std::sync::Arc;

use crate::support::{Outcome, ShortReads, contract, csv, read, read_plan, text, unreadable};
use penstock_contract::*;
use penstock_engine::{Limits, Plan, UnreadableCode};
use proptest::prelude::*;

pub(crate) fn with(dialect: DelimitedDialect, names: &[&str]) -> Contract {
    contract(FormatKind::Delimited(dialect), names.iter().map(|name| text(name)).collect())
}

pub(crate) fn undeclared(names: &[&str]) -> Contract {
    with(DelimitedDialect::default(), names)
}

pub(crate) fn skipping(skip_initial_space: bool) -> DelimitedDialect {
    DelimitedDialect { skip_initial_space: Some(skip_initial_space), ..DelimitedDialect::default() }
}

pub(crate) fn is_assumed(outcome: &Outcome, part: &str) -> bool {
    outcome.dialect.assumed.iter().any(|assumed| assumed == part)
}

#[test]
fn white_space_around_quoted_fields_is_skipped_if_declared_or_detected() {
    for file in [
        "id,name,b\n1, \"plain\", 2\n",
        "id,name,b\n1,\"plain\" ,2\n",
        "id,name,b\n1 ,\t \"plain\" \t,2\n",
        "id, \"name\", b\n1, plain, \"2\"\n",
        "\"id\" ,\"name\",b\r\n\"1\" ,\"plain\" ,\"2\" \r\n",
        "id;name;b\n 1; \"plain\"; 2\n",
        "id\tname\tb\n1\t \"plain\" \t2\n",
        "id,name,b\n1, \"plain\", \"2\" ",
    ] {
        for dialect in [DelimitedDialect::default(), skipping(true)] {
            let is_declared = dialect.skip_initial_space.is_some();
            let outcome = read(&with(dialect, &["id", "name", "b"]), file);
            assert_eq!(outcome.values(), [["1", "plain", "2"]], "{file:?}");
            assert_eq!(outcome.dialect.skip_initial_space, Some(true), "{file:?}");
            assert_eq!(is_assumed(&outcome, "skip_initial_space"), !is_declared, "{file:?}");
        }
    }
    let strict = read(&with(skipping(false), &["id", "name"]), "id,name\n1, \"plain\"\n2,\"x\" \n");
    assert_eq!(strict.values(), [["1", "\"plain\""]]);
    assert_eq!(strict.reject_summary(), ["2@3 malformed_quote"]);
    assert_eq!(strict.dialect.skip_initial_space, None);
}

#[test]
fn white_space_within_quotes_or_without_quoted_fields_is_part_of_the_value() {
    let mut contract = with(skipping(true), &["a", "b"]);
    for column in &mut contract.entity.columns {
        column.harmonise.trim = false;
    }
    let outcome = read(&contract, "a,b\n\" x \",  y \n \"\"\"z\" ,\t\n  ,\" \"\n");
    assert_eq!(outcome.values(), [[" x ", "y "], ["\"z", "NULL"], ["NULL", " "]]);
    contract.format.kind = csv();
    let outcome = read(&contract, "a,b\n x,\"y\"\n,  z\n");
    assert_eq!(outcome.values(), [[" x", "y"], ["NULL", "  z"]]);
    assert_eq!(outcome.dialect.skip_initial_space, None);
}

#[test]
fn a_delimiter_is_never_skipped_as_white_space() {
    for (delimiter, file) in [
        ("\t", "a\tb\tc\n\"1\" \t\"\"\t \"3\"\n"),
        (" ", "a b c\n\"1\"\t  \"3\"\n"),
        (" - ", "a - b - c\n\"1\" -  - \t\"3\"\n"),
    ] {
        let dialect = DelimitedDialect { delimiter: Some(delimiter.to_owned()), ..skipping(true) };
        assert_eq!(read(&with(dialect, &["a", "b", "c"]), file).values(), [["1", "NULL", "3"]], "{file:?}");
    }
}

#[test]
fn a_row_with_unusual_white_space_before_a_quoted_field_is_rejected() {
    for space in ["\u{a0}", "\u{2003}", "\u{c}", "\u{b}", "\u{3000}", " \u{a0} ", "\u{a0}\t", "\u{85}"] {
        for field in ["\"plain\"", "\"x, y\"", "\"plain\" ", "\"plain\"\u{a0}", "\"a\nb\""] {
            let file = format!("a,b,c\n1,x,2\n1,{space}{field},2\n3,y,4\n{}\n", "-".repeat(80));
            let outcome = read(&undeclared(&["a", "b", "c"]), &file);
            assert_eq!(outcome.reject_summary().first().unwrap(), "2@3 malformed_quote", "{file:?}");
            assert!(!outcome.values().iter().flatten().any(|value| value.contains("plain")), "{file:?}");
        }
        // Text that contains quotes is not a quoted field.
        let file = format!("a,b,c\n1,{space}\"a\" and b,2\n1,x{space}\"a\",2\n");
        assert_eq!(read(&undeclared(&["a", "b", "c"]), &file).reject_summary(), [""; 0], "{file:?}");
    }
    // White space may be the delimiter.
    for delimiter in ["\u{c}", "\u{b}", "\u{a0}"] {
        let dialect =
            DelimitedDialect { delimiter: Some(delimiter.to_owned()), ..DelimitedDialect::default() };
        let file = format!("a{delimiter}b{delimiter}c\n1{delimiter}{delimiter}\"z\"\n");
        let outcome = read(&with(dialect, &["a", "b", "c"]), &file);
        assert_eq!(outcome.values(), [["1", "NULL", "z"]], "{delimiter:?}");
    }
    let mut contract = undeclared(&["a", "b", "c"]);
    contract.format.encoding = Some("windows-1252".to_owned());
    let outcome = read(&contract, b"a,b,c\n1,\xe4,2\n1,\xa0\"plain\",2\n");
    assert_eq!(
        (outcome.totals.accepted, outcome.reject_summary()),
        (1, vec!["2@3 malformed_quote".to_owned()])
    );
}

#[test]
fn a_sentence_with_quoted_words_is_not_a_quoted_field() {
    let file = "a,b\n1, \"to be\" or not\n2, \"yes\" and \"no\"\n3,x\n";
    let outcome = read(&undeclared(&["a", "b"]), file);
    assert_eq!(outcome.values(), [["1", "\"to be\" or not"], ["2", "\"yes\" and \"no\""], ["3", "x"]]);
    let outcome = read(&undeclared(&["a", "b"]), format!("{file}4, \"x\"\n"));
    assert_eq!(
        (outcome.totals.accepted, outcome.reject_summary()),
        (3, vec!["4@5 malformed_quote".to_owned()])
    );
    // The quoting of the majority is used. The other rows are rejects and never values with the wrong quotes.
    let outcome = read(&undeclared(&["a", "b"]), "a,b\n1, \"x\"\n2, \"y\"\n3, \"yes\" and no\n");
    assert_eq!(outcome.values(), [["1", "x"], ["2", "y"]]);
    assert_eq!(outcome.reject_summary(), ["3@4 malformed_quote"]);
}

#[test]
fn spaces_after_delimiters_are_detected_before_the_first_quote() {
    let rows: String = (0..20_000).map(|row| format!("{row}, text, {row}\n")).collect();
    let outcome = read(&undeclared(&["a", "b", "c"]), format!("a,b,c\n{rows}1, \"x, y\", 2\n"));
    assert_eq!((outcome.totals.accepted, outcome.totals.rejected), (20_001, 0));
    assert_eq!(outcome.values().last().unwrap(), &["1", "x, y", "2"]);
}

#[test]
fn text_after_a_closing_quote_is_not_reported_as_an_unclosed_quote() {
    let (code, message) = unreadable(&with(skipping(false), &["A", "B"]), "\"A\" ,\"B\"\n");
    assert_eq!(code, UnreadableCode::MalformedHeader);
    assert!(message.contains("a closing quote is followed by text instead of a delimiter"), "{message}");
    let (_, message) = unreadable(&undeclared(&["A", "B"]), "\"A\"x,\"B\"\n");
    assert!(message.contains("a closing quote is followed by text"), "{message}");
    let (_, message) = unreadable(&undeclared(&["A", "C"]), "A,\"B\n");
    assert!(message.contains("a quote is not closed"), "{message}");
    let outcome = read(&undeclared(&["a", "b"]), "a,b\n\"x\"y,1\n\"x,1\n");
    let rules: Vec<&str> = outcome.rejects.iter().map(|reject| &*reject.reasons[0].rule).collect();
    assert_eq!(
        rules,
        ["a closing quote is followed by a delimiter or the line end", "a quoted field has a closing quote"]
    );
}

#[test]
fn rare_delimiters_are_detected_from_the_names() {
    for delimiter in [":", "~", "^", "#", " ", "\u{1}", "\u{1f}", "||", "::"] {
        let file = format!("id{delimiter}name{delimiter}price\n1{delimiter}\"x{delimiter}y\"{delimiter}3\n");
        let outcome = read(&undeclared(&["id", "name", "price"]), &file);
        assert_eq!(outcome.values(), [["1", format!("x{delimiter}y").as_str(), "3"]], "{file:?}");
        assert_eq!(outcome.dialect.delimiter.as_deref(), Some(delimiter));
        assert!(is_assumed(&outcome, "delimiter"));
    }
    let outcome = read(&undeclared(&["first name", "last name"]), "first name,last name\na b,c d\n");
    assert_eq!(outcome.values(), [["a b", "c d"]]);
}

#[test]
fn a_delimiter_is_detected_in_a_malformed_line() {
    let outcome = read(&undeclared(&["A", "B", "C"]), "A,\"B\" ,C\n1,2,3\n");
    assert_eq!(outcome.values(), [["1", "2", "3"]]);
    let (_, message) = unreadable(&with(skipping(false), &["A", "B", "C"]), "A,\"B\" ,C\n1,2,3\n");
    assert!(message.contains("closing quote"), "{message}");
}

#[test]
fn an_escape_is_detected_if_it_makes_records_well_formed() {
    let outcome = read(&undeclared(&["a", "b"]), "a,b\n\"say \\\"hi\\\", ok\",1\n\"back\\\\slash\",2\n");
    assert_eq!(outcome.values(), [["say \"hi\", ok", "1"], ["back\\slash", "2"]]);
    assert_eq!(outcome.dialect.escape, Some('\\'));
    assert!(is_assumed(&outcome, "escape"));
    // A path that ends with a backslash and doubled quotes are no evidence of an escape.
    let outcome = read(&undeclared(&["a", "b"]), "a,b\n\"C:\\\",1\n\"say \"\"hi\\\"\"\",2\n");
    assert_eq!(outcome.values(), [["C:\\", "1"], ["say \"hi\\\"", "2"]]);
    assert_eq!(outcome.dialect.escape, None);
    let declared = DelimitedDialect { escape: Some(b'"'), ..DelimitedDialect::default() };
    assert_eq!(
        read(&with(declared, &["a", "b"]), "a,b\n\"\\\"x\",1\n1,2\n").reject_summary(),
        ["1@2 malformed_quote"]
    );
}

#[test]
fn single_quotes_are_detected_if_they_enclose_fields() {
    for file in [
        "a,b\n1,'x, y'\n2,z\n",
        "a,b\n1,'x'\n2,'z'\n",
        "'a','b'\n'1','it''s'\n",
        "'a','b'\n1,x\n2,y\n",
        "a,b\n'1','it\\'s, ok'\n",
        "a,b\n1, 'x'\n2, 'y'\n",
        "a,b\n1,'5\" pipe'\n",
        "'a','b'\n'1','x, y'\n'2','\"Hello\"'\n'3','\"x\", \"y\"'\n",
    ] {
        let outcome = read(&undeclared(&["a", "b"]), file);
        assert_eq!(outcome.dialect.quote, Some('\''), "{file:?}");
        assert_eq!(outcome.totals.rejected, 0, "{file:?}");
        assert!(outcome.values().iter().flatten().all(|value| !value.starts_with('\'')), "{file:?}");
    }
    for file in ["a,b\n1,'tis\n2,it's\n", "a,b\n1,'x'\n2,y\n", "a,b\n1,\"x\"\n2,'y'\n", "a,b\n1,'a' b\n"] {
        assert_eq!(read(&undeclared(&["a", "b"]), file).dialect.quote, Some('"'), "{file:?}");
    }
}

#[test]
fn the_sep_line_of_excel_declares_the_delimiter() {
    for (file, delimiter) in [
        ("sep=;\nid;name\n1;a,b\n", ";"),
        ("\u{feff}SEP=;\r\nid;name\r\n1;a,b\r\n", ";"),
        ("\"sep=;\"\nid;name\n1;a,b\n", ";"),
        ("sep=\t\nid\tname\n1\ta,b\n", "\t"),
        ("sep=|\rid|name\r1|a,b\r", "|"),
        ("sep=!\nid!name\n1!a,b\n", "!"),
    ] {
        let declared =
            DelimitedDialect { delimiter: Some(delimiter.to_owned()), ..DelimitedDialect::default() };
        for dialect in [DelimitedDialect::default(), declared] {
            let is_declared = dialect.delimiter.is_some();
            let outcome = read(&with(dialect, &["id", "name"]), file);
            assert_eq!(outcome.values(), [["1", "a,b"]], "{file:?}");
            assert_eq!(outcome.dialect.delimiter.as_deref(), Some(delimiter));
            assert_eq!(is_assumed(&outcome, "delimiter"), !is_declared);
            assert!(outcome.dialect.sep_line);
            assert_eq!(outcome.dialect.skip_lines, None);
        }
    }
    let headless = DelimitedDialect { header: Some(false), ..DelimitedDialect::default() };
    assert_eq!(read(&with(headless, &["id", "name"]), "sep=;\n1;a,b\n").values(), [["1", "a,b"]]);
    let comma = DelimitedDialect {
        delimiter: Some(",".to_owned()),
        header: Some(false),
        ..DelimitedDialect::default()
    };
    let outcome = read(&with(comma, &["id", "name"]), "sep=;\n1,2\n");
    assert_eq!(
        (outcome.reject_summary(), outcome.dialect.sep_line),
        (vec!["1@1 too_few_fields".to_owned()], false)
    );
}

#[test]
fn a_delimiter_is_detected_from_names_in_another_letter_case() {
    let (code, message) = unreadable(&undeclared(&["id", "name"]), "ID^Name\n1^2\n");
    assert_eq!(code, UnreadableCode::MissingColumns);
    assert!(message.contains("`ID` may be meant for `id`"), "{message}");
}

proptest! {
    #[test]
    fn the_detected_dialect_does_not_depend_on_the_size_of_reads(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a,b\n", "sep=;\n", "a;b\n", ",", ";", " ", "\t", "\"", "'", "\\", "\n", "\r\n", "x", "é", "\u{1}",
        ]), 0..80),
        sizes in prop::collection::vec(1..9_usize, 1..4),
    ) {
        let file = pieces.concat();
        let plan = Arc::new(Plan::compile(&undeclared(&["a", "b"])).unwrap());
        let whole = read_plan(&plan, Limits::default(), file.as_bytes());
        let short_reads = ShortReads { rest: file.as_bytes(), sizes, at: 0 };
        match (whole, read_plan(&plan, Limits::default(), short_reads)) {
            (Ok(whole), Ok(in_pieces)) => prop_assert_eq!(whole, in_pieces),
            (Err(whole), Err(in_pieces)) => prop_assert_eq!(whole.to_string(), in_pieces.to_string()),
            (whole, in_pieces) => prop_assert!(false, "{:?} {:?}", whole, in_pieces),
        }
    }

    #[test]
    fn white_space_around_all_fields_does_not_change_the_values(
        rows in prop::collection::vec(prop::collection::vec("[a-z\",; \n]{0,8}", 3), 1..20),
        blanks in prop::collection::vec("[ \t]{0,3}", 1..9),
    ) {
        let quoted = |value: &String| format!("\"{}\"", value.replace('"', "\"\""));
        let mut blanks = blanks.iter().cycle();
        let (mut plain, mut spaced) = ("a,b,c\n".to_owned(), "a,b,c\n".to_owned());
        for row in &rows {
            plain.push_str(&(row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n"));
            let mut around = |value| format!("{}{}{}", blanks.next().unwrap(), quoted(value), blanks.next().unwrap());
            spaced.push_str(&(row.iter().map(&mut around).collect::<Vec<_>>().join(",") + "\n"));
        }
        let contract = with(skipping(true), &["a", "b", "c"]);
        prop_assert_eq!(read(&contract, &spaced).values(), read(&contract, &plain).values());
        prop_assert_eq!(read(&undeclared(&["a", "b", "c"]), &spaced).values(), read(&contract, &plain).values());
    }
}

#[test]
fn an_escape_is_removed_only_before_quotes_and_escapes() {
    let file = "id,name\n1,\"say \\\"hi\\\", ok\"\n2,\"C:\\new\\table\"\n3,\"a\\\\b\"\n";
    let expected = [["1", "say \"hi\", ok"], ["2", "C:\\new\\table"], ["3", "a\\b"]];
    let declared = DelimitedDialect { escape: Some(b'\\'), ..DelimitedDialect::default() };
    for dialect in [DelimitedDialect::default(), declared] {
        assert_eq!(read(&with(dialect, &["id", "name"]), file).values(), expected);
    }
}

#[test]
fn a_space_after_a_delimiter_is_part_of_the_value_of_an_untrimmed_column() {
    let mut contract = undeclared(&["id", "name"]);
    contract.entity.columns[1].harmonise.trim = false;
    assert_eq!(read(&contract, "id,name\n1, a\n2, b\n").values(), [["1", " a"], ["2", " b"]]);
    assert_eq!(
        read(&undeclared(&["id", "name"]), "id,name\n1, a\n2, b\n").values(),
        [["1", "a"], ["2", "b"]]
    );
}

#[test]
fn a_byte_order_mark_before_a_row_is_ignored() {
    let file = "id,name\n1,a\n\u{feff}2,b\n\u{feff}\"3\",c\n\u{feff}id,name\n4,\u{feff}d\n";
    let outcome = read(&undeclared(&["id", "name"]), file);
    assert_eq!(outcome.values(), [["1", "a"], ["2", "b"], ["3", "c"], ["4", "\u{feff}d"]]);
    assert_eq!(outcome.totals.repeated_headers, 1);
}
