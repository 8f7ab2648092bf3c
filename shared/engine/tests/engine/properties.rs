//! Properties that hold for any contract and any bytes.

use std::sync::Arc;

use penstock_contract::*;
use penstock_engine::{Limits, Plan};
use proptest::prelude::*;

use crate::support::{ShortReads, column, contract, csv, date_format, read, read_plan, read_with, text};

fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('"', "\"\""))
}

/// Generates values near the limits of the columns below.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[-+]?[0-9]{0,6}(\\.[0-9]{0,4})?",
        "[a-cé]{0,5}",
        Just("NULL".to_owned()),
        Just(" red ".to_owned()),
        "\\PC{0,6}",
        any::<String>().prop_map(|text| text.chars().take(8).collect()),
    ]
}

/// Returns the columns whose rules [`oracle`] implements.
fn columns(required: [bool; 4]) -> Vec<Column> {
    let mut name = text("name");
    name.rules.min_length = Some(2);
    name.rules.max_length = Some(4);
    let mut colour = text("colour");
    colour.rules.allowed = vec!["red".to_owned(), "abc".to_owned()];
    let mut count = column("count", LogicalType::Integer, SqlType::Smallint);
    count.rules.minimum = Some(Bound { value: "-50".to_owned(), exclusive: false });
    let mut price = column("price", LogicalType::Number, SqlType::Numeric(Some((5, 2))));
    price.rules.maximum = Some(Bound { value: "99.5".to_owned(), exclusive: true });
    let mut columns = vec![name, colour, count, price];
    for (column, required) in columns.iter_mut().zip(required) {
        column.required = required;
        column.harmonise.null_values = vec!["NULL".to_owned()];
    }
    columns
}

/// Returns the value expected for `raw`, or `None` if the contract rejects it.
fn oracle(index: usize, required: bool, raw: &str) -> Option<Option<String>> {
    let value = raw.trim();
    if value.is_empty() || value == "NULL" {
        return if required { None } else { Some(None) };
    }
    let accepted = match index {
        0 => !value.contains('\0') && (2..=4).contains(&value.chars().count()),
        1 => ["red", "abc"].contains(&value),
        2 => ten_thousandths(value)
            .is_some_and(|number| number % 10_000 == 0 && (-500_000..=327_670_000).contains(&number)),
        _ => ten_thousandths(value)
            .is_some_and(|number| number % 100 == 0 && number < 995_000 && number > -10_000_000),
    };
    accepted.then(|| Some(value.to_owned()))
}

/// Parses a decimal into ten-thousandths.
fn ten_thousandths(value: &str) -> Option<i64> {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |text: &str| text.chars().all(|letter| letter.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let number: i64 = format!("0{whole}{fraction:0<4}").parse().ok()?;
    Some(if value.starts_with('-') { -number } else { number })
}

/// Compares two values. Numbers are compared by value and not by notation.
fn same(index: usize, found: &Option<String>, expected: &Option<String>) -> bool {
    match (found, expected) {
        (Some(found), Some(expected)) if index >= 2 => ten_thousandths(found) == ten_thousandths(expected),
        _ => found == expected,
    }
}

fn dialect() -> impl Strategy<Value = DelimitedDialect> {
    let quote = prop_oneof![Just(None), Just(Some(Quote::None)), Just(Some(Quote::Byte(b'\'')))];
    let escape = prop_oneof![Just(None), Just(Some(b'\\'))];
    let delimiter =
        prop_oneof![Just(None), Just(Some(",")), Just(Some("\t")), Just(Some(",,")), Just(Some("é"))];
    let comment = prop_oneof![4 => Just(None), 1 => Just(Some("x")), 1 => Just(Some("é"))];
    let ragged =
        prop_oneof![Just(Ragged::Reject), Just(Ragged::Pad), Just(Ragged::Truncate), Just(Ragged::Rescue)];
    let blank_rows = prop_oneof![Just(BlankRows::Skip), Just(BlankRows::Reject)];
    let repeated_headers = prop_oneof![Just(RepeatedHeaders::Skip), Just(RepeatedHeaders::Keep)];
    let rows = (ragged, blank_rows, repeated_headers);
    let header = (prop::option::of(any::<bool>()), prop::option::of(1..3_u32), prop::option::of(0..3_u32));
    let skip_initial_space = prop::option::of(any::<bool>());
    (delimiter, quote, escape, skip_initial_space, header, comment, rows).prop_map(
        |(delimiter, quote, escape, skip_initial_space, header, comment, rows)| {
            let (header, header_rows, skip_lines) = header;
            let (ragged, blank_rows, repeated_headers) = rows;
            DelimitedDialect {
                delimiter: delimiter.map(str::to_owned),
                quote,
                escape,
                skip_initial_space,
                header,
                header_rows,
                skip_lines,
                comment: comment.map(str::to_owned),
                ragged,
                blank_rows,
                repeated_headers,
            }
        },
    )
}

/// Generates bytes that resemble a file and contain everything that can make one malformed.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(&b"a,b\n"[..]),
        Just(&b","[..]),
        Just(&b",,"[..]),
        Just(&b"\n"[..]),
        Just(&b"\r\n"[..]),
        Just(&b"\r"[..]),
        Just(&b"\""[..]),
        Just(&b"\"\""[..]),
        Just(&b"'"[..]),
        Just(&b"\\"[..]),
        Just(&b"\t"[..]),
        Just(&b"{\"a\":"[..]),
        Just(&b"}"[..]),
        Just(&b"x"[..]),
        Just(&b"12.5"[..]),
        Just(&b"long long long"[..]),
        Just("é電".as_bytes()),
        Just(&b"\xff\x00"[..]),
        Just(&b"\xef\xbb\xbf"[..]),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_row_is_accepted_exactly_when_the_oracle_accepts_it(
        required in any::<[bool; 4]>(),
        rows in prop::collection::vec([value(), value(), value(), value()], 1..8),
    ) {
        let lines = rows.iter().map(|row| row.iter().map(|value| quoted(value)).collect::<Vec<_>>().join(","));
        let file = format!("name,colour,count,price\n{}\n", lines.collect::<Vec<_>>().join("\n"));
        let outcome = read(&contract(csv(), columns(required)), file);
        let mut accepted = outcome.rows().into_iter();
        let mut blank = 0;
        for (index, row) in rows.iter().enumerate() {
            let expected: Vec<_> =
                row.iter().enumerate().map(|(index, value)| oracle(index, required[index], value)).collect();
            let number = index as u64 + 1;
            if row.iter().all(|value| value.trim().is_empty()) {
                blank += 1;
                continue;
            }
            if expected.iter().all(Option::is_some) {
                let found = accepted.next().expect("an accepted row");
                prop_assert_eq!(found[4].clone(), Some(number.to_string()));
                for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
                    prop_assert!(same(index, found, &expected.clone().unwrap()), "{:?} {:?}", found, expected);
                }
            } else {
                let reject = outcome.rejects.iter().find(|reject| reject.row == number).expect("a reject");
                let faulty = |name: &str| reject.reasons.iter().any(|reason| reason.column.as_deref() == Some(name));
                for (name, expected) in ["name", "colour", "count", "price"].iter().zip(expected) {
                    prop_assert_eq!(faulty(name), expected.is_none(), "{}", name);
                }
            }
        }
        prop_assert!(accepted.next().is_none());
        prop_assert_eq!(outcome.totals.blank, blank);
    }

    #[test]
    fn text_round_trips_through_copy(values in prop::collection::vec("[^\0]{0,20}", 1..6)) {
        let columns: Vec<Column> = (0..values.len()).map(|index| {
            let mut column = text(&format!("c{index}"));
            column.harmonise.trim = false;
            column
        }).collect();
        let header: Vec<_> = columns.iter().map(|column| column.name.clone()).collect();
        let row: Vec<_> = values.iter().map(|value| quoted(value)).collect();
        let file = format!("{}\n{}\n", header.join(","), row.join(","));
        let outcome = read(&contract(csv(), columns), file);
        if values.len() > 1 && values.iter().all(String::is_empty) {
            prop_assert_eq!((outcome.totals.rows_read, outcome.totals.blank), (1, 1));
            return Ok(());
        }
        let mut expected: Vec<_> =
            values.into_iter().map(|value| Some(value).filter(|value| !value.is_empty())).collect();
        expected.push(Some("1".to_owned()));
        prop_assert_eq!(outcome.rows(), vec![expected]);
    }

    #[test]
    fn blocks_do_not_depend_on_the_size_of_reads(
        file in file(),
        dialect in dialect(),
        is_json in any::<bool>(),
        arrow in any::<bool>(),
        max_record_bytes in 1..40_usize,
        chunk_rows in 1..5_u32,
        sizes in prop::collection::vec(1..30_usize, 1..6),
    ) {
        let kind = if is_json { FormatKind::Ndjson } else { FormatKind::Delimited(dialect) };
        let mut b = column("b", LogicalType::Number, SqlType::Numeric(Some((4, 1))));
        b.harmonise.default = Some("0".to_owned());
        let mut a = text("a");
        a.harmonise.default = Some("?".to_owned());
        let plan = Arc::new(Plan::compile(&contract(kind, vec![a, b])).unwrap());
        let limits = Limits { max_record_bytes, chunk_rows, arrow, ..Limits::default() };
        let whole = read_plan(&plan, limits.clone(), file.as_slice());
        let in_pieces = read_plan(&plan, limits, ShortReads { rest: &file, sizes, at: 0 });
        match (whole, in_pieces) {
            (Ok(whole), Ok(in_pieces)) => prop_assert_eq!(whole, in_pieces),
            (Err(whole), Err(in_pieces)) => prop_assert_eq!(whole.to_string(), in_pieces.to_string()),
            (whole, in_pieces) => prop_assert!(false, "{:?} {:?}", whole, in_pieces),
        }
    }

    #[test]
    fn no_bytes_cause_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), is_json in any::<bool>()) {
        let kind = if is_json { FormatKind::Ndjson } else { csv() };
        let mut a = text("a");
        a.harmonise.default = Some("?".to_owned());
        // Any result is correct here as long as nothing panics.
        drop(read_with(&contract(kind, vec![a]), Limits::default(), bytes.as_slice()));
    }

    #[test]
    fn no_text_causes_a_panic_in_a_cast(values in prop::collection::vec("\\PC{0,12}|[0-9:.TZ+-]{0,25}", 1..30)) {
        let timestamp = LogicalType::Timestamp { format: None, default_timezone: "Europe/Berlin".to_owned() };
        let formatted = LogicalType::Timestamp {
            format: Some(date_format("dd.MM.yyyy HH:mmXXX")),
            default_timezone: "UTC".to_owned(),
        };
        let mut columns = vec![
            column("t", timestamp, SqlType::Timestamptz),
            column("f", formatted, SqlType::Timestamp),
            column("d", LogicalType::Date { format: None }, SqlType::Date),
            column("u", LogicalType::String, SqlType::Uuid),
            column("x", LogicalType::Number, SqlType::DoublePrecision),
            column("n", LogicalType::Number, SqlType::Numeric(None)),
            column("o", LogicalType::Object { properties: vec![] }, SqlType::Jsonb),
            column("g", LogicalType::Boolean, SqlType::Boolean),
            column("c", LogicalType::Time { format: None }, SqlType::Time),
            column("e", LogicalType::Time { format: Some(date_format("hh:mm a")) }, SqlType::Time),
        ];
        for column in &mut columns {
            column.physical_name = "v".to_owned();
        }
        let lines: Vec<_> = values.iter().map(|value| quoted(value)).collect();
        let limits = Limits { arrow: true, ..Limits::default() };
        let file = format!("v\n{}\n", lines.join("\n"));
        let dialect = DelimitedDialect { repeated_headers: RepeatedHeaders::Keep, ..DelimitedDialect::default() };
        let contract = contract(FormatKind::Delimited(dialect), columns);
        let outcome = read_with(&contract, limits, file.as_bytes()).unwrap();
        prop_assert_eq!(outcome.totals.rows_read, values.len() as u64);
    }
}
