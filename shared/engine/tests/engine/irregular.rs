//! Rows that are not as the header promises: blank ones, ragged ones, and headers that repeat.

use penstock_contract::*;
use penstock_engine::Limits;

use crate::support::{Outcome, Sips, column, contract, read, read_with, text};

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
        // Row numbers are those of the file.
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
fn a_row_of_white_space_is_not_blank_where_a_column_keeps_that() {
    let mut contract = abc(DelimitedDialect::default());
    contract.entity.columns[1].harmonise.trim = false;
    let outcome = read(&contract, "a,b,c\n , ,\n,,\n\"\",\" \",\n");
    assert_eq!(counts(&outcome), [3, 2, 0, 1, 0]);
    assert_eq!(outcome.values(), vec![["NULL", " ", "NULL", "NULL"]; 2]);
}

#[test]
fn blank_rows_are_rejected_where_the_contract_says_so() {
    let dialect = DelimitedDialect { blank_rows: BlankRows::Reject, ..DelimitedDialect::default() };
    let outcome = read(&abc(dialect), "a,b,c\n1,2,3\n,,\n,\n");
    assert_eq!(outcome.told(), ["2@3 blank_row", "3@4 blank_row"]);
    assert_eq!(counts(&outcome), [3, 1, 2, 0, 0]);
}

#[test]
fn a_quoted_empty_field_that_is_a_row_by_itself_is_a_missing_value() {
    let one = contract(FormatKind::Delimited(DelimitedDialect::default()), vec![text("a")]);
    let outcome = read(&one, "a\nx\n\"\"\n   \n\n\" \"\ny\n");
    assert_eq!(outcome.values(), [["x"], ["NULL"], ["NULL"], ["y"]]);
    assert_eq!(counts(&outcome), [5, 4, 0, 1, 0]);
}

#[test]
fn a_file_of_blank_rows_has_no_block() {
    let outcome = read(&abc(DelimitedDialect::default()), format!("a,b,c\n{}", ",,\n".repeat(1_000)));
    assert_eq!(counts(&outcome), [1_000, 0, 0, 1_000, 0]);
}

#[test]
fn surplus_fields_are_dropped_or_kept_where_the_contract_says_so() {
    let file = "a,b,c\n1,2,3\n1,2,3,x\n1,2,3,,y\n1,2\n1,2,3,\n";
    let outcome = read(&ragged(Ragged::Truncate), file);
    assert_eq!(outcome.values(), vec![["1", "2", "3", "NULL"]; 4]);
    assert_eq!(outcome.told(), ["4@5 too_few_fields"]);
    let outcome = read(&ragged(Ragged::Rescue), file);
    let rescued: Vec<String> = outcome.values().into_iter().map(|mut row| row.remove(3)).collect();
    assert_eq!(rescued, ["NULL", "{\"_column_4\":\"x\"}", "{\"_column_5\":\"y\"}", "NULL"]);
    assert_eq!(outcome.told(), ["4@5 too_few_fields"]);
    // A name of the header is not taken, and other unexpected columns come first.
    let outcome = read(&ragged(Ragged::Rescue), "a,b,c,_column_5\n1,2,3,4,\"5\"\"\"\n");
    assert_eq!(outcome.values()[0][3], "{\"_column_5\":\"4\",\"_column_5_\":\"5\\\"\"}");
}

#[test]
fn surplus_fields_of_files_without_a_header_are_kept_under_their_position() {
    let dialect =
        DelimitedDialect { header: Some(false), ragged: Ragged::Rescue, ..DelimitedDialect::default() };
    let outcome = read(&abc(dialect), "1,2,3\n1,2,3,x\n");
    assert_eq!(outcome.values()[1][3], "{\"_column_4\":\"x\"}");
}

#[test]
fn rows_may_end_with_a_delimiter_that_the_header_does_not_have() {
    for policy in [Ragged::Reject, Ragged::Pad] {
        let outcome =
            read(&ragged(policy), "a,b,c\n1,2,3,\n4,5,6,\n7,8,9\n1,2,3, \n1,2,3,\"\"\n1,2,3,,\n1,2,3,x\n");
        assert_eq!(outcome.totals.accepted, 5, "{policy:?}");
        assert_eq!(outcome.told(), ["6@7 too_many_fields", "7@8 too_many_fields"], "{policy:?}");
    }
    let dialect = DelimitedDialect { header: Some(false), ..DelimitedDialect::default() };
    assert_eq!(read(&abc(dialect), "1,2,3,\n").totals.accepted, 1);
}

#[test]
fn a_header_that_lacks_the_name_of_the_first_column_does_not_shift_rows_whose_last_value_is_missing() {
    // As R writes row names.
    let outcome = read(&ragged(Ragged::Reject), "a,b,c\nr1,1,2,\nr2,1,2,3\nr3,4,5,\n");
    assert_eq!(counts(&outcome), [3, 0, 3, 0, 0]);
    for policy in [Ragged::Truncate, Ragged::Rescue] {
        let outcome = read(&ragged(policy), "a,b,c\nr1,1,2,3\nr2,1,2,3\n");
        assert!(outcome.dialect.suggestions[0].contains("all have more fields than the 3 of the header"));
        let regular = read(&ragged(policy), "a,b,c\n1,2,3\n1,2,3,4\n");
        assert!(regular.dialect.suggestions.is_empty());
    }
}

#[test]
fn rows_are_padded_only_where_it_is_known_which_fields_they_lack() {
    let outcome = read(&ragged(Ragged::Pad), ",a,b,c\n1,2,3\n0,1,2,3\n");
    assert_eq!(outcome.told(), ["1@2 too_few_fields"]);
    assert_eq!(outcome.values(), [["1", "2", "3", "{\"_column_1\":\"0\"}"]]);
    let outcome = read(&ragged(Ragged::Pad), "a,,b,c\n1,2,3\n");
    assert_eq!(outcome.told(), ["1@2 too_few_fields"]);
    let outcome = read(&ragged(Ragged::Pad), "a,b,c,\n1,2\n");
    assert_eq!(outcome.values(), [["1", "2", "NULL", "NULL"]]);
    // A name too many cannot be told from empty fields at the end: it is reported.
    let outcome = read(&ragged(Ragged::Pad), "rowid,a,b,c\n1,2,3\n4,5,6\n");
    assert_eq!(outcome.totals.accepted, 2);
    assert_eq!(
        outcome.dialect.suggestions,
        [
            "the first records all have fewer fields than the 4 of the header: values may stand under the wrong names"
        ]
    );
    let outcome = read(&ragged(Ragged::Pad), "a,b,c\n1,2\n1,2,3\n");
    assert!(outcome.dialect.suggestions.is_empty());
}

#[test]
fn a_header_that_repeats_is_skipped_and_counted() {
    for header in ["a,b,c", "\"a\",\"b\",\"c\"", " a ,b, c", "\u{feff}a,b,c", "\u{feff}\"a\",b,c"] {
        let outcome = read(&abc(DelimitedDialect::default()), format!("a,b,c\n1,2,3\n{header}\n4,5,6\n"));
        // One that begins in another way is not the same.
        let is_same = !header.starts_with(' ');
        assert_eq!(outcome.totals.repeated_headers, u64::from(is_same), "{header:?}");
        assert_eq!(outcome.totals.rows_read, if is_same { 2 } else { 3 }, "{header:?}");
    }
    let outcome = read(&abc(DelimitedDialect::default()), "\"a\",b,c\r\n1,2,3\r\n\"a\",b,c\r\na,b,x\r\n");
    assert_eq!(counts(&outcome), [2, 2, 0, 0, 1]);
    assert_eq!(outcome.rows()[1].last().unwrap().as_deref(), Some("2"));
}

#[test]
fn a_row_that_is_not_all_of_the_header_is_a_row() {
    let outcome = read(&abc(DelimitedDialect::default()), "a,b,c\na,b,d\nA,B,C\na,b,c,x\na,b\n");
    assert_eq!(counts(&outcome), [4, 2, 2, 0, 0]);
    let dialect = DelimitedDialect { repeated_headers: RepeatedHeaders::Keep, ..DelimitedDialect::default() };
    assert_eq!(counts(&read(&abc(dialect), "a,b,c\na,b,c\n")), [1, 1, 0, 0, 0]);
    let headless = DelimitedDialect { header: Some(false), ..DelimitedDialect::default() };
    assert_eq!(counts(&read(&abc(headless), "a,b,c\na,b,c\n")), [2, 2, 0, 0, 0]);
}

#[test]
fn a_header_of_several_records_repeats_as_a_whole() {
    let dialect = DelimitedDialect { header_rows: Some(2), ..DelimitedDialect::default() };
    let mut contract = abc(dialect);
    contract.entity.columns[1].physical_name = "b kg".to_owned();
    // The second record alone is a row, and so is what follows a header that breaks off.
    let outcome =
        read(&contract, "a,b,c\n,kg,\n1,2,3\na,b,c\n,kg,\n4,5,6\n,kg,\na,b,c\na,b,c\n,kg,\n7,8,9\n");
    assert_eq!(counts(&outcome), [4, 4, 0, 0, 5]);
    assert_eq!(outcome.values()[2][1], "kg");
}

#[test]
fn a_header_that_begins_with_an_empty_cell_repeats() {
    let contract =
        contract(FormatKind::Delimited(DelimitedDialect::default()), vec![text("a"), Column::rescued()]);
    let outcome = read(&contract, ",a\n0,x\n,a\n,b\n");
    assert_eq!(counts(&outcome), [2, 2, 0, 0, 1]);
}

#[test]
fn what_is_skipped_does_not_depend_on_how_the_input_is_cut() {
    let ids = column("id", LogicalType::Integer, SqlType::Integer);
    let contract = contract(FormatKind::Delimited(DelimitedDialect::default()), vec![ids, text("a")]);
    let file = format!("id,a\n{}", "1,x\n,\nid,a\n\u{feff}id,a\n2,y,\n".repeat(50));
    let whole = read(&contract, &file);
    assert_eq!(counts(&whole), [150, 100, 0, 50, 100]);
    for size in [1, 2, 3, 7, 64, 1_000] {
        let sips = Sips { rest: file.as_bytes(), sizes: vec![size], at: 0 };
        assert_eq!(read_with(&contract, Limits::default(), sips).unwrap(), whole, "{size}");
    }
}
