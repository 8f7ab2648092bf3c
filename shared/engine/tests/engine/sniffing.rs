//! White space around fields, preambles, rare delimiters, other quotes and escapes: what is found when nothing is declared.

use std::sync::Arc;

use crate::support::{Outcome, Sips, column, contract, csv, read, read_plan, read_with, text};
use penstock_contract::*;
use penstock_engine::{Limits, Plan, ReadError, UnreadableCode};
use proptest::prelude::*;

fn with(dialect: DelimitedDialect, names: &[&str]) -> Contract {
    contract(FormatKind::Delimited(dialect), names.iter().map(|name| text(name)).collect())
}

fn undeclared(names: &[&str]) -> Contract {
    with(DelimitedDialect::default(), names)
}

fn skipping(skip_initial_space: bool) -> DelimitedDialect {
    DelimitedDialect { skip_initial_space: Some(skip_initial_space), ..DelimitedDialect::default() }
}

fn refusal(contract: &Contract, file: &str) -> (UnreadableCode, String) {
    match read_with(contract, Limits::default(), file.as_bytes()) {
        Err(ReadError::Unreadable { code, message, .. }) => (code, message),
        other => panic!("{other:?}"),
    }
}

fn is_assumed(outcome: &Outcome, part: &str) -> bool {
    outcome.dialect.assumed.iter().any(|assumed| assumed == part)
}

#[test]
fn white_space_around_quoted_fields_is_skipped_when_declared_or_found() {
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
    assert_eq!(strict.told(), ["2@3 malformed_quote"]);
    assert_eq!(strict.dialect.skip_initial_space, None);
}

#[test]
fn white_space_in_quotes_and_around_other_files_fields_is_a_value() {
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
fn any_white_space_before_a_quoted_field_is_in_doubt_and_never_keeps_the_quotes() {
    for space in ["\u{a0}", "\u{2003}", "\u{c}", "\u{b}", "\u{3000}", " \u{a0} ", "\u{a0}\t", "\u{85}"] {
        for field in ["\"plain\"", "\"x, y\"", "\"plain\" ", "\"plain\"\u{a0}", "\"a\nb\""] {
            let file = format!("a,b,c\n1,x,2\n1,{space}{field},2\n3,y,4\n{}\n", "-".repeat(80));
            let outcome = read(&undeclared(&["a", "b", "c"]), &file);
            assert_eq!(outcome.told().first().unwrap(), "2@3 malformed_quote", "{file:?}");
            assert!(!outcome.values().iter().flatten().any(|value| value.contains("plain")), "{file:?}");
        }
        // Text with quotes in it is text.
        let file = format!("a,b,c\n1,{space}\"a\" and b,2\n1,x{space}\"a\",2\n");
        assert_eq!(read(&undeclared(&["a", "b", "c"]), &file).told(), [""; 0], "{file:?}");
    }
    // A delimiter may be white space itself.
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
    assert_eq!((outcome.totals.accepted, outcome.told()), (1, vec!["2@3 malformed_quote".to_owned()]));
}

#[test]
fn a_sentence_with_quoted_words_is_no_quoted_field() {
    let file = "a,b\n1, \"to be\" or not\n2, \"yes\" and \"no\"\n3,x\n";
    let outcome = read(&undeclared(&["a", "b"]), file);
    assert_eq!(outcome.values(), [["1", "\"to be\" or not"], ["2", "\"yes\" and \"no\""], ["3", "x"]]);
    let outcome = read(&undeclared(&["a", "b"]), format!("{file}4, \"x\"\n"));
    assert_eq!((outcome.totals.accepted, outcome.told()), (3, vec!["4@5 malformed_quote".to_owned()]));
    // Most decide; the others are rejects, and never values with the wrong quotes.
    let outcome = read(&undeclared(&["a", "b"]), "a,b\n1, \"x\"\n2, \"y\"\n3, \"yes\" and no\n");
    assert_eq!(outcome.values(), [["1", "x"], ["2", "y"]]);
    assert_eq!(outcome.told(), ["3@4 malformed_quote"]);
}

#[test]
fn a_space_after_each_delimiter_counts_before_the_first_quote_is_seen() {
    let rows: String = (0..20_000).map(|row| format!("{row}, text, {row}\n")).collect();
    let outcome = read(&undeclared(&["a", "b", "c"]), format!("a,b,c\n{rows}1, \"x, y\", 2\n"));
    assert_eq!((outcome.totals.accepted, outcome.totals.rejected), (20_001, 0));
    assert_eq!(outcome.values().last().unwrap(), &["1", "x, y", "2"]);
}

#[test]
fn text_after_a_closing_quote_is_not_called_an_open_quote() {
    let (code, message) = refusal(&with(skipping(false), &["A", "B"]), "\"A\" ,\"B\"\n");
    assert_eq!(code, UnreadableCode::MalformedHeader);
    assert!(message.contains("text between a closing quote and the next delimiter"), "{message}");
    let (_, message) = refusal(&undeclared(&["A", "B"]), "\"A\"x,\"B\"\n");
    assert!(message.contains("text between a closing quote"), "{message}");
    let (_, message) = refusal(&undeclared(&["A", "C"]), "A,\"B\n");
    assert!(message.contains("a quote is not closed"), "{message}");
    let outcome = read(&undeclared(&["a", "b"]), "a,b\n\"x\"y,1\n\"x,1\n");
    let rules: Vec<&str> = outcome.rejects.iter().map(|reject| &*reject.reasons[0].rule).collect();
    assert_eq!(
        rules,
        ["a closing quote is followed by a delimiter or the line end", "a quoted field has a closing quote"]
    );
}

#[test]
fn the_header_is_found_below_a_preamble() {
    for (lines, preamble) in [
        (1, "Export of 27 November\n"),
        (3, "\"Report\nfrom: shop, to: you\n\n"),
        (2, "Report,,\n,,\n"),
        (2, "created;2024-01-01;by;me\n--------\n"),
        (4, "# a\n\n# \"b\n\n"),
    ] {
        for header in ["id,name,price\n", "name,other,id,price\n"] {
            let file = format!("{preamble}{header}1,2,3\n")
                .replace("1,2,3", if header.starts_with('i') { "1,x,3" } else { "x,-,1,3" });
            let outcome = read(&undeclared(&["id", "name", "price"]), &file);
            assert_eq!(outcome.values(), [["1", "x", "3"]], "{file:?}");
            assert_eq!(outcome.dialect.skip_lines, Some(lines), "{file:?}");
            assert!(is_assumed(&outcome, "skip_lines"));
            assert_eq!(outcome.rows()[0].last().unwrap().as_deref(), Some("1"), "the preamble is no row");
        }
    }
    let declared = DelimitedDialect { skip_lines: Some(0), ..DelimitedDialect::default() };
    assert_eq!(
        refusal(&with(declared, &["id", "name"]), "Report\nid,name\n1,2\n").0,
        UnreadableCode::MissingColumns
    );
}

#[test]
fn several_records_name_the_columns_where_all_names_are_found_that_way() {
    let contract = undeclared(&["id", "price net", "price gross"]);
    for (file, lines) in [
        ("id,price,price\n,net,gross\n1,2,3\n", None),
        ("Report\nid,price,price\n,net,gross\n1,2,3\n", Some(1)),
        ("\nid,,\n,price,price\n,net,gross\n1,2,3\n", None),
    ] {
        let outcome = read(&contract, file);
        assert_eq!(outcome.values(), [["1", "2", "3"]], "{file:?}");
        assert_eq!(outcome.dialect.skip_lines, lines, "{file:?}");
        assert!(is_assumed(&outcome, "header_rows"), "{file:?}");
    }
    // A row below a header with other names stays a row.
    let (_, message) = refusal(&undeclared(&["id", "name x"]), "id,name\n1,y\n");
    assert!(message.contains("lacks `name x`"), "{message}");
}

#[test]
fn columns_that_a_file_may_lack_do_not_change_where_the_header_is() {
    let files: [(&[&str], &str, &[&str]); 10] = [
        (&["a", "b"], "Report of 2024\n\na,b\n1,2\n3,4\n", &["1,2", "3,4"]),
        (&["a", "b"], "Report,,\n,,\na,b,x\n1,2,3\n", &["1,2"]),
        (&["a", "b"], "created;2024\nid;7\n\na;x;b\n1;;2\n", &["1,2"]),
        (&["a"], "Report\na,x\n1,2\n", &["1"]),
        (&["a"], "a~x\n1~2\n", &["1"]),
        (&["a", "b"], "a::b\n1::2\n", &["1,2"]),
        (&["a", "b"], "'a','b'\n'1,5',2\n", &["1,5,2"]),
        (&["id", "price net"], "Report\nid,price,price\n,net,gross\n1,2,3\n", &["1,2"]),
        // Another table, appended: its header has one of the optional columns.
        (&["a", "b"], "a,b\n1,2\na,b,c0\n3,4,5\n", &["1,2"]),
        (&["a", "b"], "a,b,x\n1,2,\n\na,b,x,c0\n3,4,5,6\n", &["1,2"]),
    ];
    for (names, file, expected) in files {
        let columns = |count: usize, new: &dyn Fn(String) -> Column| -> Vec<Column> {
            names.iter().map(|name| text(name)).chain((0..count).map(|n| new(format!("c{n}")))).collect()
        };
        let with_default = |name: String| Column {
            harmonise: Harmonise { default: Some("0".to_owned()), ..Harmonise::default() },
            ..text(&name)
        };
        for count in [0, 1, 3, 40] {
            let needed = contract(csv(), columns(count, &with_default));
            let optional = Contract {
                missing_columns: MissingColumns::Null,
                ..contract(csv(), columns(count, &|name| text(&name)))
            };
            for contract in [needed, optional] {
                let outcome = read(&contract, file);
                let rows = outcome.rows();
                let values: Vec<String> = rows
                    .iter()
                    .map(|row| row[..names.len()].iter().flatten().cloned().collect::<Vec<_>>().join(","))
                    .collect();
                assert_eq!(values, expected, "{file:?} with {count} more columns");
            }
        }
    }
    // A line above the header with the only name that a file needs.
    let columns = vec![text("id"), text("name"), text("price")];
    let contract = Contract { missing_columns: MissingColumns::Null, ..contract(csv(), columns) };
    let outcome = read(&contract, "id;4711\ncreated;2024\n\nid;name;price\n1;x;3\n");
    assert_eq!(outcome.values(), [["1", "x", "3"]]);
}

#[test]
fn rows_are_never_skipped_as_a_preamble() {
    // A second table, or a header that is repeated, below rows of a file with another header.
    let (code, message) =
        refusal(&undeclared(&["id", "name", "price"]), "nr,title,cost\n1,x,3\nid,name,price\n2,y,4\n");
    assert_eq!(code, UnreadableCode::MissingColumns);
    assert!(
        message.contains("line 3 has names of the contract, but the lines before it look like rows"),
        "{message}"
    );
    // One name is a coincidence.
    let (_, message) = refusal(&undeclared(&["id", "name", "price"]), "Report\nname\nx,y,z\n");
    assert!(message.contains("lacks `id`"), "{message}");
}

#[test]
fn a_file_without_a_header_is_told_what_to_declare() {
    let advice = "declare `penstock.header: false`";
    let (code, message) = refusal(&undeclared(&["id", "name"]), "1,x\n2,y\n");
    assert_eq!(code, UnreadableCode::MissingColumns);
    assert!(message.contains(advice), "{message}");
    for file in ["1,x,3\n", "id,title\n1,2\n", "x\n"] {
        assert!(!refusal(&undeclared(&["id", "name"]), file).1.contains(advice), "{file:?}");
    }
}

#[test]
fn rare_delimiters_are_found_by_the_names() {
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
fn a_malformed_line_does_not_hide_its_delimiter() {
    let outcome = read(&undeclared(&["A", "B", "C"]), "A,\"B\" ,C\n1,2,3\n");
    assert_eq!(outcome.values(), [["1", "2", "3"]]);
    let (_, message) = refusal(&with(skipping(false), &["A", "B", "C"]), "A,\"B\" ,C\n1,2,3\n");
    assert!(message.contains("closing quote"), "{message}");
}

#[test]
fn the_escape_is_found_where_it_makes_records_whole() {
    let outcome = read(&undeclared(&["a", "b"]), "a,b\n\"say \\\"hi\\\", ok\",1\n\"back\\\\slash\",2\n");
    assert_eq!(outcome.values(), [["say \"hi\", ok", "1"], ["back\\slash", "2"]]);
    assert_eq!(outcome.dialect.escape, Some('\\'));
    assert!(is_assumed(&outcome, "escape"));
    // A path that ends with a backslash, and doubled quotes, are no evidence.
    let outcome = read(&undeclared(&["a", "b"]), "a,b\n\"C:\\\",1\n\"say \"\"hi\\\"\"\",2\n");
    assert_eq!(outcome.values(), [["C:\\", "1"], ["say \"hi\\\"", "2"]]);
    assert_eq!(outcome.dialect.escape, None);
    let declared = DelimitedDialect { escape: Some(b'"'), ..DelimitedDialect::default() };
    assert_eq!(read(&with(declared, &["a", "b"]), "a,b\n\"\\\"x\",1\n1,2\n").told(), ["1@2 malformed_quote"]);
}

#[test]
fn single_quotes_are_found_where_they_enclose_fields() {
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
fn the_line_of_excel_declares_the_delimiter() {
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
    assert_eq!((outcome.told(), outcome.dialect.sep_line), (vec!["1@1 too_few_fields".to_owned()], false));
}

#[test]
fn a_header_may_be_longer_than_what_is_looked_at_first() {
    let names: Vec<String> = (0..9_000).map(|number| format!("a column with a long name {number}")).collect();
    for (delimiter, end, preamble) in
        [(";", "\n", ""), ("|", "\r\n", "A report, of: something\n"), ("\t", "\r", "")]
    {
        let preamble = preamble.replace('\n', end);
        let row: Vec<String> = (0..9_000).map(|number| number.to_string()).collect();
        let file = format!("{preamble}{}{end}{}{end}", names.join(delimiter), row.join(delimiter));
        let outcome = read(&undeclared(&[&names[8_999], &names[1]]), &file);
        assert_eq!(outcome.values(), [["8999", "1"]], "{delimiter:?}");
        assert_eq!(outcome.dialect.delimiter.as_deref(), Some(delimiter));
    }
}

#[test]
fn a_line_feed_after_the_head_ends_lines_too() {
    for padding in 65_520..65_545 {
        let name = "x".repeat(padding);
        let outcome = read(&undeclared(&["b"]), format!("{name},b\r\n1,2\r\n3,4\r\n"));
        assert_eq!(outcome.values(), [["2"], ["4"]], "{padding}");
    }
}

#[test]
fn names_in_another_case_still_show_the_delimiter() {
    let (code, message) = refusal(&undeclared(&["id", "name"]), "ID^Name\n1^2\n");
    assert_eq!(code, UnreadableCode::MissingColumns);
    assert!(message.contains("`ID` may be meant for `id`"), "{message}");
}

#[test]
fn an_absent_header_is_found_with_white_space_around_quotes() {
    let columns = vec![column("id", LogicalType::Integer, SqlType::Integer), text("name")];
    let outcome = read(&contract(csv(), columns), "\"1\" , \"x\"\n2, \"y, z\"\n");
    assert_eq!(outcome.values(), [["1", "x"], ["2", "y, z"]]);
    assert_eq!(outcome.dialect.header, Some(false));
}

proptest! {
    #[test]
    fn what_is_found_does_not_depend_on_how_the_file_is_read(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "a,b\n", "sep=;\n", "a;b\n", ",", ";", " ", "\t", "\"", "'", "\\", "\n", "\r\n", "x", "é", "\u{1}",
        ]), 0..80),
        sizes in prop::collection::vec(1..9_usize, 1..4),
    ) {
        let file = pieces.concat();
        let plan = Arc::new(Plan::compile(&undeclared(&["a", "b"])).unwrap());
        let whole = read_plan(&plan, Limits::default(), file.as_bytes());
        let sips = Sips { rest: file.as_bytes(), sizes, at: 0 };
        match (whole, read_plan(&plan, Limits::default(), sips)) {
            (Ok(whole), Ok(sips)) => prop_assert_eq!(whole, sips),
            (Err(whole), Err(sips)) => prop_assert_eq!(whole.to_string(), sips.to_string()),
            (whole, sips) => prop_assert!(false, "{:?} {:?}", whole, sips),
        }
    }

    /// Rows written with white space around every field are those written without any.
    #[test]
    fn white_space_around_fields_changes_nothing(
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
fn a_file_of_text_without_a_header_is_recognised_by_the_shape_of_its_values() {
    let dated = "28/01/2018,hat\n29/01/2018,belt\n30/01/2018,shoe\n31/01/2018,coat\n";
    let outcome = read(&undeclared(&["day", "name"]), dated);
    assert_eq!(outcome.values().len(), 4);
    assert_eq!(outcome.values()[0], ["28/01/2018", "hat"]);
    assert_eq!(outcome.dialect.header, Some(false));
    assert!(is_assumed(&outcome, "header"));
    // Codes, times and amounts have a shape; words, plain numbers and too few records do not show one.
    for file in ["MG-8769,x\nRI-3895,y\nCC-9259,z\nBH-9827,w\n", "x,$74.69\ny,$29.81\nz,$48.00\nw,$34.22\n"] {
        assert_eq!(read(&undeclared(&["code", "price"]), file).values().len(), 4, "{file:?}");
    }
    for file in [
        "2017,2018\n1200,1300\n1400,1500\n1600,1700\n",
        "hat,cat\nbat,rat\nmat,fat\nsat,pat\n",
        "28/01/2018,hat\n29/01/2018,belt\n30/01/2018,shoe\n",
        "day 1,hat\n28/01/2018,hat\n29/01/2018,belt\n30/01/2018,shoe\n",
        "28/01/2018,hat,x\n29/01/2018,belt,y\n30/01/2018,shoe,z\n31/01/2018,coat,w\n",
    ] {
        assert_eq!(
            refusal(&undeclared(&["day", "name"]), file).0,
            UnreadableCode::MissingColumns,
            "{file:?}"
        );
    }
}

#[test]
fn a_header_with_a_stray_quote_is_read_where_all_names_are_found_all_the_same() {
    for header in ["\"id,name", "id,\"name", "\"\"\"id,name", "\"id,\"name\""] {
        let outcome = read(&undeclared(&["id", "name"]), format!("{header}\n1,a\n2,b\n"));
        assert_eq!(outcome.values(), [["1", "a"], ["2", "b"]], "{header:?}");
        assert!(outcome.dialect.suggestions.iter().any(|note| note.contains("quotes")), "{header:?}");
    }
    let declared = DelimitedDialect { quote: Some(Quote::Byte(b'"')), ..DelimitedDialect::default() };
    for (contract, header) in [
        (with(declared, &["id", "name"]), "\"id,name"),
        (with(skipping(false), &["id", "name"]), "\"id\"x,name"),
        (undeclared(&["id", "a,b"]), "id,\"a,b"),
    ] {
        let (code, _) = refusal(&contract, &format!("{header}\n1,a\n"));
        assert_eq!(code, UnreadableCode::MalformedHeader, "{header:?}");
    }
    let lenient = undeclared(&["id", "name", "more"]);
    let lenient = Contract { missing_columns: MissingColumns::Null, ..lenient };
    assert_eq!(refusal(&lenient, "\"id,name\n1,a\n").0, UnreadableCode::MalformedHeader);
}

#[test]
fn an_escape_is_removed_before_quotes_and_escapes_only() {
    let file = "id,name\n1,\"say \\\"hi\\\", ok\"\n2,\"C:\\new\\table\"\n3,\"a\\\\b\"\n";
    let expected = [["1", "say \"hi\", ok"], ["2", "C:\\new\\table"], ["3", "a\\b"]];
    let declared = DelimitedDialect { escape: Some(b'\\'), ..DelimitedDialect::default() };
    for dialect in [DelimitedDialect::default(), declared] {
        assert_eq!(read(&with(dialect, &["id", "name"]), file).values(), expected);
    }
}

#[test]
fn a_space_after_each_delimiter_is_a_value_where_a_column_is_not_trimmed() {
    let mut contract = undeclared(&["id", "name"]);
    contract.entity.columns[1].harmonise.trim = false;
    assert_eq!(read(&contract, "id,name\n1, a\n2, b\n").values(), [["1", " a"], ["2", " b"]]);
    assert_eq!(
        read(&undeclared(&["id", "name"]), "id,name\n1, a\n2, b\n").values(),
        [["1", "a"], ["2", "b"]]
    );
}

#[test]
fn a_byte_order_mark_before_a_row_is_no_value() {
    let file = "id,name\n1,a\n\u{feff}2,b\n\u{feff}\"3\",c\n\u{feff}id,name\n4,\u{feff}d\n";
    let outcome = read(&undeclared(&["id", "name"]), file);
    assert_eq!(outcome.values(), [["1", "a"], ["2", "b"], ["3", "c"], ["4", "\u{feff}d"]]);
    assert_eq!(outcome.totals.repeated_headers, 1);
}

#[test]
fn a_header_that_repeats_in_another_case_is_skipped_where_case_does_not_matter() {
    let mut contract = undeclared(&["id", "name"]);
    let file = "ID,NAME\n1,a\nid,Name\n2,b\n";
    contract.format.header_case = HeaderCase::Insensitive;
    let outcome = read(&contract, file);
    assert_eq!((outcome.totals.accepted, outcome.totals.repeated_headers), (2, 1));
}
