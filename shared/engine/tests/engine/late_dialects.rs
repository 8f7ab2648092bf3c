//! Features of a dialect that first appear after the sample from which the dialect is detected.

use penstock_contract::*;

use crate::support::{Outcome, contract, csv, read, text};

fn abc(dialect: DelimitedDialect) -> Contract {
    contract(FormatKind::Delimited(dialect), vec![text("a"), text("b"), text("c")])
}

/// More rows than the sample contains.
const PLAIN_ROWS: usize = 10_000;

/// Reads plain rows followed by `rows`, and asserts that the plain rows are read unchanged.
fn read_late(dialect: DelimitedDialect, rows: &str) -> Outcome {
    let file = format!("a,b,c\n{}{rows}", "1,plain,3\n".repeat(PLAIN_ROWS));
    let outcome = read(&abc(dialect), file);
    assert!(outcome.values()[..PLAIN_ROWS].iter().all(|row| row[1] == "plain"));
    outcome
}

fn late_values(outcome: &Outcome) -> Vec<Vec<String>> {
    outcome.values().split_off(PLAIN_ROWS)
}

#[test]
fn late_white_space_before_quotes_rejects_the_row() {
    for row in [
        "1, \"late\",3",
        " \"1\",late,3",
        "1,late, \"3\"",
        "1,\t\"late\",3",
        "1, \"la\"\"te\" ,3",
        "1, \"a, b\",3",
        "1, \"late,3",
        "1, \"\",3",
        "1, \"of\ntwo lines\",3",
        "\"x\", \"late\",3",
    ] {
        for end in ["\n", "\r\n", ""] {
            let rows = if end.is_empty() { row.to_owned() } else { format!("{row}{end}x,y,z{end}") };
            let outcome = read_late(DelimitedDialect::default(), &rows);
            assert_eq!(outcome.reject_summary(), ["10001@10002 malformed_quote"], "{rows:?}");
            let is_open = row == "1, \"late,3";
            assert_ne!(outcome.rejects[0].reasons[0].rule.contains("penstock.skipInitialSpace"), is_open);
            assert_eq!(outcome.rejects[0].raw, row, "{rows:?}");
            let after = if end.is_empty() { vec![] } else { vec![["x", "y", "z"]] };
            assert_eq!(late_values(&outcome), after, "{rows:?}");
        }
    }
}

#[test]
fn text_that_contains_quotes_is_not_a_quoted_field() {
    let rows = "1, \"a\" and \"b\",3\n1, 5\" x,3\n1,x \"y\",3\n1,\"x\",\" y\"\n";
    let outcome = read_late(DelimitedDialect::default(), rows);
    assert_eq!(outcome.reject_summary(), Vec::<String>::new());
    let middle: Vec<String> = late_values(&outcome).into_iter().map(|mut row| row.swap_remove(1)).collect();
    assert_eq!(middle, ["\"a\" and \"b\"", "5\" x", "x \"y\"", "x"]);
}

#[test]
fn the_declared_handling_of_white_space_is_used() {
    let declared = |skip| DelimitedDialect { skip_initial_space: Some(skip), ..DelimitedDialect::default() };
    let skipped = read_late(declared(true), "1, \"late\" ,3\n");
    assert_eq!(late_values(&skipped), [["1", "late", "3"]]);
    let stored = read_late(declared(false), "1, \"late\",3\n");
    assert_eq!(late_values(&stored), [["1", "\"late\"", "3"]]);
}

#[test]
fn white_space_in_the_sample_is_skipped_in_the_whole_file() {
    let file = format!("a,b,c\n1, \"early\",3\n{}1, \"late\",3\n", "1,plain,3\n".repeat(PLAIN_ROWS));
    let outcome = read(&abc(DelimitedDialect::default()), file);
    assert_eq!((outcome.rejects.len(), outcome.values()[PLAIN_ROWS + 1][1].as_str()), (0, "late"));
}

#[test]
fn rows_are_rejected_only_if_their_white_space_is_ambiguous() {
    let file = "a,b,c\n1, \"a\" and b,3\n2, \"c\" or d,3\n3, \"e\",3\n";
    let outcome = read(&abc(DelimitedDialect::default()), file);
    assert_eq!(outcome.reject_summary(), ["3@4 malformed_quote"]);
    assert_eq!(outcome.values(), [["1", "\"a\" and b", "3"], ["2", "\"c\" or d", "3"]]);
}

#[test]
fn a_late_quote_of_another_kind_rejects_the_row() {
    let rows = "1,'a, b',3\n".repeat(PLAIN_ROWS);
    let file = |late: &str| format!("a,b,c\n{rows}{late}");
    for late in ["1,\"late\",3\n", "\"1\",late,3\n", "1,late, \"3\"\n"] {
        let outcome = read(&abc(DelimitedDialect::default()), file(late));
        assert_eq!(outcome.reject_summary(), ["10001@10002 malformed_quote"], "{late}");
        assert!(outcome.rejects[0].reasons[0].rule.contains("penstock.quote"));
    }
    let outcome = read(&abc(DelimitedDialect::default()), file("1,5\" x,3\n1,\"a\" or \"b,3\n"));
    assert_eq!(outcome.rejects.len(), 0);
    let declared = DelimitedDialect { quote: Some(Quote::Byte(b'\'')), ..DelimitedDialect::default() };
    let outcome = read(&abc(declared), file("1,\"late\",3\n"));
    assert_eq!(outcome.values()[PLAIN_ROWS][1], "\"late\"");
}

#[test]
fn utf_8_after_a_windows_1252_sample_rejects_the_row() {
    let rows =
        [b"a,b,c\n1,M\xfcller,3\n2,Stra\xdfe,3\n".as_slice(), "3,Müller,3\n4,plain,5\n5,5 €,3\n".as_bytes()];
    let mut late = contract(csv(), vec![text("a"), text("b"), text("c")]);
    let far = [rows[0], "x,plain,z\n".repeat(110_000).as_bytes(), rows[1]].concat();
    let outcome = read(&late, &far);
    assert_eq!(
        outcome.reject_summary(),
        ["110003@110004 invalid_encoding", "110005@110006 invalid_encoding"]
    );
    assert_eq!(outcome.dialect.encoding, "windows-1252");
    // A capital letter and a closing quote can form a valid UTF-8 sequence. An opening quote before the word rules that out.
    let quoted =
        [&b"a,b,c\n1,\x93MA\xc7\xc3\x94,3\n2,\xabCAF\xc9\xbb,3\n"[..], &b"3,ma\xe7\xe3 p\xe3o,3\n".repeat(3)]
            .concat();
    assert_eq!(read(&late, quoted).values()[..2], [["1", "“MAÇÃ”", "3"], ["2", "«CAFÉ»", "3"]]);
    late.format.encoding = Some("windows-1252".to_owned());
    assert_eq!(read(&late, &far).rejects.len(), 0);
}
