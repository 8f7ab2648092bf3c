//! Records and fields of delimited files, well-formed and malformed.

use crate::support::{Outcome, contract, csv, read, read_with, text, unreadable};
use penstock_contract::*;
use penstock_engine::{Limits, UnreadableCode};

fn delimited(dialect: DelimitedDialect) -> FormatKind {
    FormatKind::Delimited(dialect)
}

fn abc(file: &str) -> Outcome {
    read(&contract(csv(), vec![text("a"), text("b"), text("c")]), file)
}

#[test]
fn every_kind_of_line_end_is_read() {
    let expected = [["1", "2", "3"], ["4", "5", "6"]];
    for file in [
        "a,b,c\n1,2,3\n4,5,6\n",
        "a,b,c\r\n1,2,3\r\n4,5,6\r\n",
        "a,b,c\n1,2,3\r\n4,5,6",
        "a,b,c\r1,2,3\r4,5,6",
        "\u{feff}a,b,c\n1,2,3\n\n\r\n4,5,6\n\n",
        "c,x,b,a\n3,x,2,1\n6,x,5,4\n",
        "\"a\",\"b\",\"c\"\r\n\"1\",\"2\",\"3\"\r\n4,5,\"6\"\r\n",
        " a , b ,c\n1,2,3\n4,5,6\r",
    ] {
        assert_eq!(abc(file).values(), expected, "{file:?}");
    }
}

#[test]
fn quoted_fields_may_contain_delimiters_quotes_and_line_ends() {
    let outcome = abc("a,b,c\n\"1,\"\"x\"\"\",\"two\r\nlines\",3\"4\n\"\",\"\"\"\",\n7,8,9\n");
    assert_eq!(
        outcome.values(),
        [["1,\"x\"", "two\r\nlines", "3\"4"], ["NULL", "\"", "NULL"], ["7", "8", "9"]]
    );
    assert_eq!(outcome.totals.lines, 5);
}

#[test]
fn a_quote_may_be_escaped_if_an_escape_is_declared() {
    let kind = delimited(DelimitedDialect {
        quote: Some(Quote::Byte(b'\'')),
        escape: Some(b'\\'),
        ..DelimitedDialect::default()
    });
    let contract = contract(kind, vec![text("a"), text("b")]);
    let outcome = read(&contract, "a,b\n'it\\'s','back\\\\slash'\n'é\\é',''''\n'x\\,y',\\n\n");
    assert_eq!(outcome.values(), [["it's", "back\\slash"], ["é\\é", "'"], ["x\\,y", "\\n"]]);
}

#[test]
fn a_quote_is_an_ordinary_character_without_quoting() {
    let kind = delimited(DelimitedDialect { quote: Some(Quote::None), ..DelimitedDialect::default() });
    let outcome = read(&contract(kind, vec![text("a"), text("b")]), "a,b\n\"x,y\"\n5\" disk,\"\n");
    assert_eq!(outcome.values(), [["\"x", "y\""], ["5\" disk", "\""]]);
    assert_eq!((outcome.dialect.quote, outcome.dialect.delimiter.as_deref()), (None, Some(",")));
}

#[test]
fn a_malformed_quote_rejects_only_its_line() {
    let outcome = abc("a,b,c\n1,\"2,3\n4,5,6\n7,\"8\"x,9\n10,11,12\n\"13,14,15\n");
    assert_eq!(
        outcome.reject_summary(),
        ["1@2 malformed_quote", "3@4 malformed_quote", "5@6 malformed_quote"]
    );
    assert_eq!(outcome.values(), [["4", "5", "6"], ["10", "11", "12"]]);
    assert_eq!(outcome.rejects[0].raw, "1,\"2,3");
    assert_eq!(outcome.rejects[0].byte_offset, 6);
}

#[test]
fn an_unclosed_quote_does_not_consume_the_rest_of_the_file() {
    let limits = Limits { max_record_bytes: 40, ..Limits::default() };
    let contract = contract(csv(), vec![text("a"), text("b")]);
    let file = "a,b\n1,\"open\n".to_owned() + &"3,4\n".repeat(20) + "5,\"6\"\n";
    let outcome = read_with(&contract, limits, file.as_bytes()).unwrap();
    assert_eq!(outcome.reject_summary(), ["1@2 malformed_quote"]);
    assert_eq!(outcome.totals.accepted, 21);
}

#[test]
fn a_record_that_is_too_long_is_rejected_alone() {
    let limits = || Limits { max_record_bytes: 10, ..Limits::default() };
    let contract = contract(csv(), vec![text("a"), text("b")]);
    for end in ["\n", "\r\n"] {
        let file =
            ["a,b", "12345,6789", "12345,67890", "1,2", "1,\"234\n789\"", "1,\"23\n789\"", "123456789,0"]
                .join(end);
        let outcome = read_with(&contract, limits(), file.replace("234\r\n", "234\n").as_bytes()).unwrap();
        let codes: Vec<_> = outcome.rejects.iter().map(|reject| reject.reasons[0].code.to_string()).collect();
        assert_eq!(codes[0], "record_too_long", "{end:?}");
        assert_eq!(codes.last().unwrap(), "record_too_long");
        assert!(codes.contains(&"malformed_quote".to_owned()));
        assert_eq!(outcome.rejects[0].raw.trim_end(), "12345,67890");
        assert!(outcome.values().contains(&vec!["12345".to_owned(), "6789".to_owned()]));
        assert!(outcome.values().contains(&vec!["1".to_owned(), "2".to_owned()]));
    }
    let long = "x".repeat(200_000);
    let file = format!("a,b\n{long},1\n1,2\n");
    let outcome = read_with(&contract, limits(), file.as_bytes()).unwrap();
    assert_eq!((outcome.rejects[0].raw.len(), outcome.rejects[0].raw_truncated), (64 * 1024, true));
    assert_eq!(outcome.values(), [["1", "2"]]);
}

#[test]
fn records_with_a_wrong_number_of_fields_are_rejected() {
    let outcome = abc("a,b,c\n1,2\n1,2,3,4\n1,2,3\n1,2,\n");
    assert_eq!(outcome.reject_summary(), ["1@2 too_few_fields", "2@3 too_many_fields"]);
    assert_eq!(outcome.rejects[1].reasons[0].found.as_deref(), Some("4 fields"));
    assert_eq!(&*outcome.rejects[1].reasons[0].rule, "3 fields");
    assert_eq!(outcome.totals.accepted, 2);
}

#[test]
fn positions_are_exact() {
    let file = "a,b,c\r\n1,2,3\r\n\r\n\"x\ny\",2,3\r\nbad\r\n4,5,6\r\n";
    let outcome = abc(file);
    let reject = &outcome.rejects[0];
    assert_eq!((reject.row, reject.line), (3, 6));
    let at = usize::try_from(reject.byte_offset).unwrap();
    assert_eq!(&file[at..at + 3], "bad");
    assert_eq!(outcome.totals.lines, 7);
    assert_eq!(outcome.rows().last().unwrap().last().unwrap().as_deref(), Some("4"));
}

#[test]
fn columns_are_matched_by_name() {
    let required = crate::support::required(text("b"));
    let mut default = text("c");
    default.harmonise.default = Some("?".to_owned());
    let contract = contract(csv(), vec![text("a"), required, default]);
    assert_eq!(read(&contract, "b,zzz,a\n2,z,1\n").values(), [["1", "2", "?"]]);

    let (code, message) = unreadable(&contract, "a,B,c\n1,2,3\n");
    assert_eq!(code, UnreadableCode::MissingColumns);
    assert_eq!(message, "the header lacks `b`; it has `a`, `B`, `c`; `B` may be meant for `b`");
    let (code, message) = unreadable(&contract, "b,c\n");
    assert_eq!(
        (code, message.as_str()),
        (UnreadableCode::MissingColumns, "the header lacks `a`; it has `b`, `c`")
    );
    let (code, message) = unreadable(&contract, "a,b,a,,\n");
    assert_eq!(
        (code, message.as_str()),
        (UnreadableCode::DuplicateColumns, "the header names columns more than once: `a`")
    );
    assert_eq!(unreadable(&contract, "\"a,b,x\n").0, UnreadableCode::MalformedHeader);
    assert_eq!(unreadable(&contract, "\n\r\n").0, UnreadableCode::MalformedHeader);
}

#[test]
fn several_columns_may_read_one_field() {
    let mut currency = text("currency");
    currency.physical_name = "price".to_owned();
    currency.harmonise.extract = Some("([a-z]{3})$".to_owned());
    let mut price = text("price");
    price.harmonise.extract = Some("^([0-9.]+)".to_owned());
    let columns = vec![price, currency];
    assert_eq!(read(&contract(csv(), columns.clone()), "price\n12.99 gbp\n").values(), [["12.99", "gbp"]]);
    let headless = delimited(DelimitedDialect { header: Some(false), ..DelimitedDialect::default() });
    let mut all = vec![text("id")];
    all.extend(columns);
    all.push(text("last"));
    let outcome = read(&contract(headless, all), "1,5 usd,z\n");
    assert_eq!(outcome.values(), [["1", "5", "usd", "z"]]);
    assert_eq!(outcome.dialect.header, Some(false));
}

#[test]
fn the_delimiter_is_detected() {
    for (delimiter, file) in [
        (",", "a,b,c\n1,2,3\n"),
        (";", "a;b;c\n\"1,5\";2;3\n"),
        ("\t", "a\tb\tc\n1\t2,5\t\n"),
        ("|", "a|b|c\n1|2|3\n"),
        (";", "x,y;a;b;c\n1;2;3;4\n"),
    ] {
        let outcome = abc(file);
        assert_eq!(outcome.dialect.delimiter.as_deref(), Some(delimiter), "{file:?}");
        assert_eq!(outcome.totals.accepted, 1, "{file:?}");
    }
    let outcome = abc("a,b,c\n");
    assert_eq!(outcome.dialect.assumed, ["compression", "encoding", "delimiter", "quote", "header"]);
    assert_eq!((outcome.totals.rows_read, outcome.totals.lines), (0, 1));
    let single = read(&contract(csv(), vec![text("a")]), "a\nx\n");
    assert_eq!(single.values(), [["x"]]);
}

#[test]
fn single_byte_encodings_are_decoded_and_positions_are_in_bytes_of_the_file() {
    let mut contract = contract(csv(), vec![text("Währung"), text("b")]);
    contract.format.encoding = Some("windows-1252".to_owned());
    let file = b"W\xe4hrung,b\n\"\x80\"\"1,\",\xfc\nplain,x\n\xe4\n".to_vec();
    let outcome = read(&contract, &file);
    assert_eq!(outcome.values(), [["€\"1,", "ü"], ["plain", "x"]]);
    assert_eq!(outcome.rejects[0].raw, "ä");
    assert_eq!(outcome.rejects[0].byte_offset, 10 + 10 + 8);
    assert_eq!(outcome.dialect.encoding, "windows-1252");
    // A byte order mark overrides the declared encoding.
    let marked = read(&contract, "\u{feff}Währung,b\nü,x\n");
    assert_eq!(
        (marked.dialect.encoding.as_str(), marked.values()),
        ("UTF-8", vec![vec!["ü".to_owned(), "x".to_owned()]])
    );
    assert!(marked.dialect.assumed.contains(&"encoding".to_owned()));
}

#[test]
fn invalid_bytes_are_rejected_and_utf_32_is_refused() {
    let contract = contract(csv(), vec![text("a"), text("b")]);
    let outcome = read(&contract, b"a,b\nx,\xff\ny,z\n");
    assert_eq!(outcome.reject_summary(), ["1@2 invalid_encoding"]);
    assert_eq!(outcome.rejects[0].raw, "x,\u{fffd}");
    assert_eq!(outcome.values(), [["y", "z"]]);
    let (code, message) = unreadable(&contract, b"\xff\xfe\0\0a\0\0\0");
    assert_eq!(code, UnreadableCode::UnsupportedEncoding);
    assert!(message.contains("UTF-32"), "{message}");
    assert_eq!(unreadable(&contract, b"\xffa,b\n1,2\n").0, UnreadableCode::MalformedHeader);
}

#[test]
fn many_rejects_do_not_make_chunks_smaller() {
    let contract = contract(csv(), vec![text("a"), text("b")]);
    let file = "a,b\n".to_owned() + &"1,2\n3\n".repeat(12_000);
    let outcome = read(&contract, file);
    assert_eq!((outcome.chunks.len(), outcome.totals.accepted, outcome.totals.rejected), (1, 12_000, 12_000));
    let limits = Limits { chunk_rows: 5_000, ..Limits::default() };
    let file = "a,b\n".to_owned() + &"1,2\n".repeat(12_000);
    let outcome = read_with(&contract, limits, file.as_bytes()).unwrap();
    let rows: Vec<usize> =
        outcome.chunks.iter().map(|chunk| crate::support::decode_copy(chunk).len()).collect();
    assert_eq!(rows, [5_000, 5_000, 2_000]);
}
