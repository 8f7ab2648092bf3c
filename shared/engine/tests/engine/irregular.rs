//! Irregular rows: blank rows, ragged rows and repeated headers.

use penstock_contract::*;
use penstock_engine::Limits;

use crate::support::{Outcome, ShortReads, column, contract, read, read_with, text};

fn abc(dialect: DelimitedDialect) -> Contract {
    let columns = vec![text("a"), text("b"), text("c"), Column::rescued()];
    contract(FormatKind::Delimited(dialect), columns)
}

fn ragged(ragged: Ragged) -> Contract {
    abc(DelimitedDialect { ragged, ..DelimitedDialect::default() })
}

fn counts(outcome: &Outcome) -> [u64; 5] {
    let totals = &outcome.totals;
    [totals.rows_read, totals.accepted, totals.rejected, totals.blank, totals.repeated_headers]
}

#[test]
fn blank_rows_are_skipped_and_counted() {
    for blank in
        [",,", ";;;;", "\"\",\"\",\"\"", "  ,\t,  ", ",", "\"\"", "\" \",,", "   ", "\u{a0},\u{2003},"]
    {
        let blank = if blank.contains(';') { ",,,,".to_owned() } else { blank.to_owned() };
        let outcome = read(&abc(DelimitedDialect::default()), format!("a,b,c\n1,2,3\n{blank}\n\n4,5,6\n"));
        assert_eq!(counts(&outcome), [3, 2, 0, 1, 0], "{blank:?}");
        assert_eq!(outcome.values(), [["1", "2", "3", "NULL"], ["4", "5", "6", "NULL"]], "{blank:?}");
        // Blank rows are included in the row numbers.
        assert_eq!(outcome.rows()[1].last().unwrap().as_deref(), Some("3"));
    }
    let outcome = read(&abc(DelimitedDialect::default()), "a;b;c\n;;\n;;;\n1;2;3\n;\n");
    assert_eq!(counts(&outcome), [4, 1, 0, 3, 0]);
}

#[test]
fn a_row_with_one_value_anywhere_is_not_blank() {
    for row in ["x,,", ",x,", ",,x", ",,0", "\"\",\"\",\".\"", ",,\"\"\"\"", " , ,x", ",,NULL"] {
        let outcome = read(&abc(DelimitedDialect::default()), format!("a,b,c\n{row}\n"));
        assert_eq!(counts(&outcome), [1, 1, 0, 0, 0], "{row:?}");
    }
}

#[test]
fn a_row_of_white_space_is_not_blank_if_a_column_is_not_trimmed() {
    let mut contract = abc(DelimitedDialect::default());
    contract.entity.columns[1].harmonise.trim = false;
    let outcome = read(&contract, "a,b,c\n , ,\n,,\n\"\",\" \",\n");
    assert_eq!(counts(&outcome), [3, 2, 0, 1, 0]);
    assert_eq!(outcome.values(), vec![["NULL", " ", "NULL", "NULL"]; 2]);
}

#[test]
fn blank_rows_are_rejected_if_the_contract_says_so() {
    let dialect = DelimitedDialect { blank_rows: BlankRows::Reject, ..DelimitedDialect::default() };
    let outcome = read(&abc(dialect), "a,b,c\n1,2,3\n,,\n,\n");
    assert_eq!(outcome.reject_summary(), ["2@3 blank_row", "3@4 blank_row"]);
    assert_eq!(counts(&outcome), [3, 1, 2, 0, 0]);
}

#[test]
fn a_row_of_one_quoted_empty_field_has_a_missing_value() {
    let one = contract(FormatKind::Delimited(DelimitedDialect::default()), vec![text("a")]);
    let outcome = read(&one, "a\nx\n\"\"\n   \n\n\" \"\ny\n");
    assert_eq!(outcome.values(), [["x"], ["NULL"], ["NULL"], ["y"]]);
    assert_eq!(counts(&outcome), [5, 4, 0, 1, 0]);
}

#[test]
fn a_file_of_blank_rows_yields_no_block() {
    let outcome = read(&abc(DelimitedDialect::default()), format!("a,b,c\n{}", ",,\n".repeat(1_000)));
    assert_eq!(counts(&outcome), [1_000, 0, 0, 1_000, 0]);
}

#[test]
fn surplus_fields_are_truncated_or_rescued_if_the_contract_says_so() {
    let file = "a,b,c\n1,2,3\n1,2,3,x\n1,2,3,,y\n1,2\n1,2,3,\n";
    let outcome = read(&ragged(Ragged::Truncate), file);
    assert_eq!(outcome.values(), vec![["1", "2", "3", "NULL"]; 4]);
    assert_eq!(outcome.reject_summary(), ["4@5 too_few_fields"]);
    let outcome = read(&ragged(Ragged::Rescue), file);
    let rescued: Vec<String> = outcome.values().into_iter().map(|mut row| row.remove(3)).collect();
    assert_eq!(rescued, ["NULL", "{\"_column_4\":\"x\"}", "{\"_column_5\":\"y\"}", "NULL"]);
    assert_eq!(outcome.reject_summary(), ["4@5 too_few_fields"]);
    // Generated names avoid those of the header, and named unexpected columns come first.
    let outcome = read(&ragged(Ragged::Rescue), "a,b,c,_column_5\n1,2,3,4,\"5\"\"\"\n");
    assert_eq!(outcome.values()[0][3], "{\"_column_5\":\"4\",\"_column_5_\":\"5\\\"\"}");
}

#[test]
fn surplus_fields_without_a_header_are_rescued_by_position() {
    let dialect =
        DelimitedDialect { header: Some(false), ragged: Ragged::Rescue, ..DelimitedDialect::default() };
    let outcome = read(&abc(dialect), "1,2,3\n1,2,3,x\n");
    assert_eq!(outcome.values()[1][3], "{\"_column_4\":\"x\"}");
}

#[test]
fn rows_may_end_with_a_delimiter_that_the_header_lacks() {
    for policy in [Ragged::Reject, Ragged::Pad] {
        let outcome =
            read(&ragged(policy), "a,b,c\n1,2,3,\n4,5,6,\n7,8,9\n1,2,3, \n1,2,3,\"\"\n1,2,3,,\n1,2,3,x\n");
        assert_eq!(outcome.totals.accepted, 5, "{policy:?}");
        assert_eq!(outcome.reject_summary(), ["6@7 too_many_fields", "7@8 too_many_fields"], "{policy:?}");
    }
    let dialect = DelimitedDialect { header: Some(false), ..DelimitedDialect::default() };
    assert_eq!(read(&abc(dialect), "1,2,3,\n").totals.accepted, 1);
}

#[test]
fn values_are_not_shifted_if_the_header_lacks_the_first_name() {
    // R writes row names, but no name for them.
    let outcome = read(&ragged(Ragged::Reject), "a,b,c\nr1,1,2,\nr2,1,2,3\nr3,4,5,\n");
    assert_eq!(counts(&outcome), [3, 0, 3, 0, 0]);
    for policy in [Ragged::Truncate, Ragged::Rescue] {
        let outcome = read(&ragged(policy), "a,b,c\nr1,1,2,3\nr2,1,2,3\n");
        assert!(outcome.dialect.suggestions[0].contains("all have more fields than the header, which has 3"));
        let regular = read(&ragged(policy), "a,b,c\n1,2,3\n1,2,3,4\n");
        assert!(regular.dialect.suggestions.is_empty());
    }
}

#[test]
fn rows_are_padded_only_if_the_missing_fields_are_known() {
    let outcome = read(&ragged(Ragged::Pad), ",a,b,c\n1,2,3\n0,1,2,3\n");
    assert_eq!(outcome.reject_summary(), ["1@2 too_few_fields"]);
    assert_eq!(outcome.values(), [["1", "2", "3", "{\"_column_1\":\"0\"}"]]);
    let outcome = read(&ragged(Ragged::Pad), "a,,b,c\n1,2,3\n");
    assert_eq!(outcome.reject_summary(), ["1@2 too_few_fields"]);
    let outcome = read(&ragged(Ragged::Pad), "a,b,c,\n1,2\n");
    assert_eq!(outcome.values(), [["1", "2", "NULL", "NULL"]]);
    // A surplus name cannot be distinguished from missing fields at the end of all rows, so it is reported.
    let outcome = read(&ragged(Ragged::Pad), "rowid,a,b,c\n1,2,3\n4,5,6\n");
    assert_eq!(outcome.totals.accepted, 2);
    let [suggestion] = outcome.dialect.suggestions.as_slice() else { panic!("{outcome:?}") };
    assert!(
        suggestion.starts_with("the first records all have fewer fields than the header, which has 4"),
        "{suggestion}"
    );
    let outcome = read(&ragged(Ragged::Pad), "a,b,c\n1,2\n1,2,3\n");
    assert!(outcome.dialect.suggestions.is_empty());
}

#[test]
fn a_repeated_header_is_skipped_and_counted() {
    for header in ["a,b,c", "\"a\",\"b\",\"c\"", " a ,b, c", "\u{feff}a,b,c", "\u{feff}\"a\",b,c"] {
        let outcome = read(&abc(DelimitedDialect::default()), format!("a,b,c\n1,2,3\n{header}\n4,5,6\n"));
        // A record that begins with white space is not the header.
        let is_same = !header.starts_with(' ');
        assert_eq!(outcome.totals.repeated_headers, u64::from(is_same), "{header:?}");
        assert_eq!(outcome.totals.rows_read, if is_same { 2 } else { 3 }, "{header:?}");
    }
    let outcome = read(&abc(DelimitedDialect::default()), "\"a\",b,c\r\n1,2,3\r\n\"a\",b,c\r\na,b,x\r\n");
    assert_eq!(counts(&outcome), [2, 2, 0, 0, 1]);
    assert_eq!(outcome.rows()[1].last().unwrap().as_deref(), Some("2"));
}

#[test]
fn a_record_that_differs_from_the_header_is_a_row() {
    let outcome = read(&abc(DelimitedDialect::default()), "a,b,c\na,b,d\nA,B,C\na,b,c,x\na,b\n");
    assert_eq!(counts(&outcome), [4, 2, 2, 0, 0]);
    let dialect = DelimitedDialect { repeated_headers: RepeatedHeaders::Keep, ..DelimitedDialect::default() };
    assert_eq!(counts(&read(&abc(dialect), "a,b,c\na,b,c\n")), [1, 1, 0, 0, 0]);
    let headless = DelimitedDialect { header: Some(false), ..DelimitedDialect::default() };
    assert_eq!(counts(&read(&abc(headless), "a,b,c\na,b,c\n")), [2, 2, 0, 0, 0]);
}

#[test]
fn a_header_of_several_records_is_repeated_as_a_whole() {
    let dialect = DelimitedDialect { header_rows: Some(2), ..DelimitedDialect::default() };
    let mut contract = abc(dialect);
    contract.entity.columns[1].physical_name = "b kg".to_owned();
    // The second record of the header alone is a row. The first record alone is skipped as a header.
    let outcome =
        read(&contract, "a,b,c\n,kg,\n1,2,3\na,b,c\n,kg,\n4,5,6\n,kg,\na,b,c\na,b,c\n,kg,\n7,8,9\n");
    assert_eq!(counts(&outcome), [4, 4, 0, 0, 5]);
    assert_eq!(outcome.values()[2][1], "kg");
}

#[test]
fn a_repeated_header_may_begin_with_an_empty_cell() {
    let contract =
        contract(FormatKind::Delimited(DelimitedDialect::default()), vec![text("a"), Column::rescued()]);
    let outcome = read(&contract, ",a\n0,x\n,a\n,b\n");
    assert_eq!(counts(&outcome), [2, 2, 0, 0, 1]);
}

#[test]
fn skipped_rows_do_not_depend_on_the_size_of_reads() {
    let ids = column("id", LogicalType::Integer, SqlType::Integer);
    let contract = contract(FormatKind::Delimited(DelimitedDialect::default()), vec![ids, text("a")]);
    let file = format!("id,a\n{}", "1,x\n,\nid,a\n\u{feff}id,a\n2,y,\n".repeat(50));
    let whole = read(&contract, &file);
    assert_eq!(counts(&whole), [150, 100, 0, 50, 100]);
    for size in [1, 2, 3, 7, 64, 1_000] {
        let short_reads = ShortReads { rest: file.as_bytes(), sizes: vec![size], at: 0 };
        assert_eq!(read_with(&contract, Limits::default(), short_reads).unwrap(), whole, "{size}");
    }
}
