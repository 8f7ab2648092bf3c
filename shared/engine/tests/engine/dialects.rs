//! Multi-byte delimiters, preambles, comments, ragged rows, and dialects that the contract does not declare.

use crate::support::{Outcome, column, contract, csv, read, read_with, text};
use penstock_contract::*;
use penstock_engine::{Limits, ReadError};

fn ab(dialect: DelimitedDialect) -> Contract {
    contract(FormatKind::Delimited(dialect), vec![text("a"), text("b")])
}

fn with_delimiter(delimiter: &str) -> DelimitedDialect {
    DelimitedDialect { delimiter: Some(delimiter.to_owned()), ..DelimitedDialect::default() }
}

fn integer(name: &str) -> Column {
    column(name, LogicalType::Integer, SqlType::Integer)
}

fn message(contract: &Contract, file: &str) -> String {
    match read_with(contract, Limits::default(), file.as_bytes()) {
        Err(ReadError::Unreadable { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

fn values_and_rejects(outcome: &Outcome) -> (Vec<Vec<String>>, Vec<String>) {
    (outcome.values(), outcome.reject_summary())
}

#[test]
fn a_delimiter_may_have_several_bytes() {
    for delimiter in ["||", "~|~", " - ", "§", "\u{1f}", "::::"] {
        let file = format!("a{delimiter}b\n1{delimiter}2\n\"x{delimiter}\"\"\n\"{delimiter}\"y\"\r\nbad\n");
        let outcome = read(&ab(with_delimiter(delimiter)), &file);
        let quoted = format!("x{delimiter}\"\n");
        let quoted = quoted.as_str();
        // Text is trimmed by default.
        let expected =
            vec![vec!["1".to_owned(), "2".to_owned()], vec![quoted.trim().to_owned(), "y".to_owned()]];
        assert_eq!(
            values_and_rejects(&outcome),
            (expected, vec!["3@5 too_few_fields".to_owned()]),
            "{delimiter:?}"
        );
        assert_eq!(outcome.dialect.delimiter.as_deref(), Some(delimiter));
    }
    // The leftmost match is the delimiter, and half a delimiter is text.
    let outcome = read(&ab(with_delimiter("||")), "a||b\n1|||2\n|||\n\"1\"|2||3\n");
    assert_eq!(outcome.values(), [["1", "|2"], ["NULL", "|"]]);
    assert_eq!(outcome.reject_summary(), ["3@4 malformed_quote"]);
}

#[test]
fn a_delimiter_may_be_a_non_ascii_character_in_any_encoding() {
    let mut contract = ab(with_delimiter("§"));
    contract.format.encoding = Some("windows-1252".to_owned());
    let outcome = read(&contract, b"a\xa7b\n\xe4\xa7\x80\nbad\xfc\n");
    assert_eq!(
        values_and_rejects(&outcome),
        (vec![vec!["ä".to_owned(), "€".to_owned()]], vec!["2@3 too_few_fields".to_owned()])
    );
    assert_eq!(outcome.rejects[0].byte_offset, 8);
    assert_eq!(outcome.dialect.encoding, "windows-1252");
}

#[test]
fn preambles_and_comments_are_skipped() {
    let dialect = DelimitedDialect {
        skip_lines: Some(2),
        comment: Some("#".to_owned()),
        ..DelimitedDialect::default()
    };
    let file = "Export of \"today\n\n# names\na;b\n1;2\n#3;4\n\n5;#6\n7\n# end";
    let outcome = read(&ab(dialect), file);
    assert_eq!(outcome.values(), [["1", "2"], ["5", "#6"]]);
    assert_eq!(outcome.reject_summary(), ["3@9 too_few_fields"]);
    assert_eq!(usize::try_from(outcome.rejects[0].byte_offset).unwrap(), file.find("7\n").unwrap());
    assert_eq!(outcome.totals.lines, 10);
    // A comment inside quotes is text.
    let dialect = DelimitedDialect { comment: Some("//".to_owned()), ..DelimitedDialect::default() };
    assert_eq!(read(&ab(dialect), "a,b\n\"1\n//x\",2\n/,/\n").values(), [["1\n//x", "2"], ["/", "/"]]);
    let beyond = DelimitedDialect { skip_lines: Some(9), ..DelimitedDialect::default() };
    assert!(message(&ab(beyond), "a,b\n1,2\n").contains("only blank lines"));
}

#[test]
fn ragged_rows_are_padded_if_the_contract_says_so() {
    let file = "a,b,c\n1\n1,2\n1,2,3\n1,2,3,4\n";
    let columns = vec![text("a"), text("b"), text("c")];
    let dialect = DelimitedDialect { ragged: Ragged::Pad, ..DelimitedDialect::default() };
    let padded = read(&contract(FormatKind::Delimited(dialect), columns.clone()), file);
    assert_eq!(padded.values(), [["1", "NULL", "NULL"], ["1", "2", "NULL"], ["1", "2", "3"]]);
    assert_eq!(padded.reject_summary(), ["4@5 too_many_fields"]);
    let strict = read(&contract(csv(), columns), file);
    assert_eq!(strict.totals.accepted, 1);
}

#[test]
fn the_names_of_several_header_rows_are_joined() {
    let dialect = DelimitedDialect { header_rows: Some(2), ..DelimitedDialect::default() };
    let mut contract = ab(dialect);
    contract.entity.columns[0].physical_name = "price net".to_owned();
    let outcome = read(&contract, "price,b,\nnet,,unit\n1,2,3\n");
    assert_eq!(outcome.values(), [["1", "2"]]);
    assert_eq!((outcome.dialect.header, outcome.totals.rows_read), (Some(true), 1));
}

#[test]
fn a_missing_header_is_detected_from_the_types() {
    let numbers = contract(csv(), vec![integer("id"), text("name")]);
    for (file, header, values) in [
        ("1,x\n2,y\n", false, vec![["1", "x"], ["2", "y"]]),
        ("\"1\",\"x\"\n", false, vec![["1", "x"]]),
        ("id,name\n1,x\n", true, vec![["1", "x"]]),
    ] {
        let outcome = read(&numbers, file);
        assert_eq!(outcome.dialect.header, Some(header), "{file:?}");
        assert_eq!(outcome.values(), values, "{file:?}");
        assert!(outcome.dialect.assumed.contains(&"header".to_owned()));
    }
    // The header is not missing if it has other names, if all columns are text, or if it has another number of fields.
    assert!(message(&numbers, "number,title\n1,x\n").contains("lacks `id`"));
    assert!(message(&ab(DelimitedDialect::default()), "1,2\n3,4\n").contains("lacks `a`"));
    assert!(message(&numbers, "1,x,2\n").contains("lacks `id`"));
    let declared = DelimitedDialect { header: Some(true), ..DelimitedDialect::default() };
    let declared = contract(FormatKind::Delimited(declared), vec![integer("id"), text("name")]);
    assert!(message(&declared, "1,x\n").contains("lacks `id`"));
}

#[test]
fn the_quote_is_detected() {
    let outcome = read(&ab(DelimitedDialect::default()), "'a','b'\n'1,x','it''s'\n");
    assert_eq!(outcome.values(), [["1,x", "it's"]]);
    assert_eq!(outcome.dialect.quote, Some('\''));
    let outcome = read(&ab(DelimitedDialect::default()), "a,b\n'tis,1\nit's,2\n\"x\",'\n");
    assert_eq!(outcome.dialect.quote, Some('"'));
    assert_eq!(outcome.values(), [["'tis", "1"], ["it's", "2"], ["x", "'"]]);
}

#[test]
fn likely_matches_of_renamed_columns_are_suggested() {
    let contract = |default: Option<&str>| {
        let mut price = text("unit_price");
        price.harmonise.default = default.map(str::to_owned);
        contract(csv(), vec![text("id"), price])
    };
    for name in ["Unit Price", "unitPrice", "UNIT_PRICE", "unit_pirce"] {
        let error = message(&contract(None), &format!("id,{name},other\n"));
        assert!(error.ends_with(&format!("; `{name}` may be meant for `unit_price`")), "{error}");
        let outcome = read(&contract(Some("0")), format!("id,{name}\n1,2\n"));
        assert_eq!(outcome.dialect.suggestions, [format!("`{name}` may be meant for `unit_price`")]);
        assert_eq!(outcome.values(), [["1", "0"]]);
    }
    assert!(!message(&contract(None), "id,weight\n").contains("meant"));
    assert!(read(&contract(Some("0")), "id,unit_price\n1,2\n").dialect.suggestions.is_empty());
}

#[test]
fn an_unclosed_quote_rejects_only_its_line_at_any_position() {
    let rows = |count: usize| (0..count).map(|row| format!("{row},x\n")).collect::<String>();
    let limits = Limits { max_record_bytes: 64, ..Limits::default() };
    for (before, after) in [(0, 0), (0, 1), (0, 200), (200, 0), (200, 1), (7, 100_000)] {
        for bad in ["\"open,1\n", "1,\"open\n", "\"a\"b,1\n", "\"\"\",1\n"] {
            let file = format!("a,b\n{}{bad}{}", rows(before), rows(after));
            let outcome = read_with(&ab(with_delimiter(",")), limits.clone(), file.as_bytes()).unwrap();
            assert_eq!(outcome.totals.accepted, (before + after) as u64, "{before} {bad:?} {after}");
            assert_eq!(outcome.reject_summary(), [format!("{}@{} malformed_quote", before + 1, before + 2)]);
            assert_eq!(outcome.rejects[0].raw, bad.trim_end());
        }
    }
}
