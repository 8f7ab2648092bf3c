//! Detection of the header: preambles, headers of several records, and missing headers.

use penstock_contract::*;
use penstock_engine::UnreadableCode;

use crate::sniffing::{is_assumed, skipping, undeclared, with};
use crate::support::{column, contract, csv, read, text, unreadable};

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
            assert_eq!(
                outcome.rows()[0].last().unwrap().as_deref(),
                Some("1"),
                "the preamble has no row number"
            );
        }
    }
    let declared = DelimitedDialect { skip_lines: Some(0), ..DelimitedDialect::default() };
    assert_eq!(
        unreadable(&with(declared, &["id", "name"]), "Report\nid,name\n1,2\n").0,
        UnreadableCode::MissingColumns
    );
}

#[test]
fn a_header_of_several_records_is_detected_if_it_has_all_names() {
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
    // A row below a header with other names does not become part of the header.
    let (_, message) = unreadable(&undeclared(&["id", "name x"]), "id,name\n1,y\n");
    assert!(message.contains("lacks `name x`"), "{message}");
}

#[test]
fn optional_columns_do_not_change_where_the_header_is_found() {
    let files: [(&[&str], &str, &[&str]); 10] = [
        (&["a", "b"], "Report of 2024\n\na,b\n1,2\n3,4\n", &["1,2", "3,4"]),
        (&["a", "b"], "Report,,\n,,\na,b,x\n1,2,3\n", &["1,2"]),
        (&["a", "b"], "created;2024\nid;7\n\na;x;b\n1;;2\n", &["1,2"]),
        (&["a"], "Report\na,x\n1,2\n", &["1"]),
        (&["a"], "a~x\n1~2\n", &["1"]),
        (&["a", "b"], "a::b\n1::2\n", &["1,2"]),
        (&["a", "b"], "'a','b'\n'1,5',2\n", &["1,5,2"]),
        (&["id", "price net"], "Report\nid,price,price\n,net,gross\n1,2,3\n", &["1,2"]),
        // The header of an appended table has one of the optional columns.
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
    // A line above the header has one of the names.
    let columns = vec![text("id"), text("name"), text("price")];
    let contract = Contract { missing_columns: MissingColumns::Null, ..contract(csv(), columns) };
    let outcome = read(&contract, "id;4711\ncreated;2024\n\nid;name;price\n1;x;3\n");
    assert_eq!(outcome.values(), [["1", "x", "3"]]);
}

#[test]
fn rows_are_never_skipped_as_a_preamble() {
    // A second table or a repeated header, below the rows of a file with another header.
    let (code, message) =
        unreadable(&undeclared(&["id", "name", "price"]), "nr,title,cost\n1,x,3\nid,name,price\n2,y,4\n");
    assert_eq!(code, UnreadableCode::MissingColumns);
    assert!(
        message.contains("line 3 has names of the contract, but the lines before it look like rows"),
        "{message}"
    );
    // A single matching name may be a coincidence.
    let (_, message) = unreadable(&undeclared(&["id", "name", "price"]), "Report\nname\nx,y,z\n");
    assert!(message.contains("lacks `id`"), "{message}");
}

#[test]
fn the_error_for_a_missing_header_suggests_what_to_declare() {
    let advice = "declare `penstock.header: false`";
    let (code, message) = unreadable(&undeclared(&["id", "name"]), "1,x\n2,y\n");
    assert_eq!(code, UnreadableCode::MissingColumns);
    assert!(message.contains(advice), "{message}");
    for file in ["1,x,3\n", "id,title\n1,2\n", "x\n"] {
        assert!(!unreadable(&undeclared(&["id", "name"]), file).1.contains(advice), "{file:?}");
    }
}

#[test]
fn a_header_may_be_longer_than_the_first_sample() {
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
fn a_line_end_may_cross_the_end_of_the_first_sample() {
    for padding in 65_520..65_545 {
        let name = "x".repeat(padding);
        let outcome = read(&undeclared(&["b"]), format!("{name},b\r\n1,2\r\n3,4\r\n"));
        assert_eq!(outcome.values(), [["2"], ["4"]], "{padding}");
    }
}

#[test]
fn a_missing_header_is_detected_with_white_space_around_quotes() {
    let columns = vec![column("id", LogicalType::Integer, SqlType::Integer), text("name")];
    let outcome = read(&contract(csv(), columns), "\"1\" , \"x\"\n2, \"y, z\"\n");
    assert_eq!(outcome.values(), [["1", "x"], ["2", "y, z"]]);
    assert_eq!(outcome.dialect.header, Some(false));
}

#[test]
fn a_missing_header_is_detected_from_the_shape_of_text_values() {
    let dated = "28/01/2018,hat\n29/01/2018,belt\n30/01/2018,shoe\n31/01/2018,coat\n";
    let outcome = read(&undeclared(&["day", "name"]), dated);
    assert_eq!(outcome.values().len(), 4);
    assert_eq!(outcome.values()[0], ["28/01/2018", "hat"]);
    assert_eq!(outcome.dialect.header, Some(false));
    assert!(is_assumed(&outcome, "header"));
    // Codes, dates and amounts have a shape. Words, plain numbers and too few records do not show one.
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
            unreadable(&undeclared(&["day", "name"]), file).0,
            UnreadableCode::MissingColumns,
            "{file:?}"
        );
    }
}

#[test]
fn a_header_with_a_stray_quote_is_read_if_it_has_all_names() {
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
        let (code, _) = unreadable(&contract, format!("{header}\n1,a\n"));
        assert_eq!(code, UnreadableCode::MalformedHeader, "{header:?}");
    }
    let lenient = undeclared(&["id", "name", "more"]);
    let lenient = Contract { missing_columns: MissingColumns::Null, ..lenient };
    assert_eq!(unreadable(&lenient, "\"id,name\n1,a\n").0, UnreadableCode::MalformedHeader);
}

#[test]
fn a_repeated_header_in_another_letter_case_is_skipped_if_case_does_not_matter() {
    let mut contract = undeclared(&["id", "name"]);
    let file = "ID,NAME\n1,a\nid,Name\n2,b\n";
    contract.format.header_case = HeaderCase::Insensitive;
    let outcome = read(&contract, file);
    assert_eq!((outcome.totals.accepted, outcome.totals.repeated_headers), (2, 1));
}
