//! An inferred contract accepts its sample, and the parts of the format that are given are used.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Float64Array, Int64Array};
use penstock_contract::{DelimitedDialect, FormatKind, Quote, StringFormat};
use penstock_engine::FileFormat;
use penstock_engine::infer::{InferError, InferOptions, Inferred, KnownFormat};
use proptest::prelude::*;

use crate::infer::{column_summary, contract_of, infer_from, infer_with, read_back};
use crate::parquet_files::file;
use crate::support::{Outcome, golden};

/// Infers a contract and checks the sample against it, as `penstock check` does.
pub(crate) fn accepted(sample: &[u8]) -> (Inferred, Outcome) {
    accepted_with(sample, KnownFormat::default())
}

pub(crate) fn accepted_with(sample: &[u8], known: KnownFormat) -> (Inferred, Outcome) {
    let options = InferOptions { known, ..InferOptions::default() };
    let inferred = infer_with(sample, &options)
        .unwrap_or_else(|error| panic!("{error}\n{}", String::from_utf8_lossy(sample)));
    let outcome = read_back(&inferred, sample);
    let limit = contract_of(&inferred).max_rejects.percent.unwrap_or(100.0);
    let (rows, rejected) = (outcome.totals.rows_read, outcome.totals.rejected);
    assert!(
        rejected as f64 * 100.0 <= limit * rows as f64 && outcome.totals.accepted > 0,
        "{rejected} of {rows} rows are rejects\n{}\n{:?}",
        inferred.yaml,
        outcome.reject_summary()
    );
    assert_eq!(inferred.yaml.contains("rejects in the sample"), rejected > 0, "{}", inferred.yaml);
    assert_eq!(inferred.notes.iter().any(|note| note.contains("rejects in the sample")), rejected > 0);
    (inferred, outcome)
}

/// Returns the accepted rows without `_rescued`.
pub(crate) fn values(outcome: &Outcome) -> Vec<Vec<String>> {
    let rows = outcome.values().into_iter();
    rows.map(|mut row| {
        row.pop();
        row
    })
    .collect()
}

pub(crate) fn dialect(inferred: &Inferred) -> DelimitedDialect {
    let kind = contract_of(inferred).format.kind;
    let FormatKind::Delimited(dialect) = kind else { panic!("{kind:?}") };
    dialect
}

fn golden_inputs() -> Vec<PathBuf> {
    let cases = ["engine", "infer"].into_iter().flat_map(|folder| fs::read_dir(golden(folder)).unwrap());
    let files = cases.flat_map(|case| fs::read_dir(case.unwrap().path()).unwrap());
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.file_name().unwrap().to_string_lossy().starts_with("input."));
    files.sort();
    files
}

#[test]
fn an_inferred_contract_accepts_any_golden_input() {
    let inputs = golden_inputs();
    assert!(inputs.len() > 15, "{inputs:?}");
    for input in inputs {
        accepted(&fs::read(input).unwrap());
    }
}

/// Returns rows of text, numbers and dates. Some of the values need quotes.
fn rows() -> Vec<[String; 4]> {
    let row = |row: usize| {
        let name = match row % 5 {
            0 => format!("Smith, John {row}"),
            1 => format!("O'Hara; \"Scarlett\" {row}"),
            2 => format!("a|b\tc {row}"),
            3 => format!("two\nlines {row}"),
            _ => format!("plain {row}"),
        };
        [row.to_string(), name, format!("{row}.50"), format!("2024-01-{:02}", 1 + row % 28)]
    };
    (1..=60).map(row).collect()
}

/// Writes the rows. Quotes within fields are doubled, or escaped if there is an `escape`.
fn write(delimiter: &str, quote: char, escape: Option<char>, quotes_all: bool) -> String {
    let field = |text: &str| {
        let needs =
            quotes_all || text.contains([',', ';', '\t', '|', '\n', '"', '\'']) || text.contains(delimiter);
        if !needs {
            return text.to_owned();
        }
        let doubled = format!("{}{quote}", escape.unwrap_or(quote));
        let inside = match escape {
            Some(escape) => text.replace(escape, &format!("{escape}{escape}")).replace(quote, &doubled),
            None => text.replace(quote, &doubled),
        };
        format!("{quote}{inside}{quote}")
    };
    let line =
        |fields: &[String]| fields.iter().map(|text| field(text)).collect::<Vec<_>>().join(delimiter) + "\n";
    let header = ["no", "name", "price", "day"].map(str::to_owned);
    line(&header) + &rows().iter().map(|row| line(row)).collect::<String>()
}

#[test]
fn each_common_dialect_is_detected_and_every_row_is_read() {
    for delimiter in [",", ";", "\t", "|"] {
        for (quote, escape) in [('"', None), ('\'', None), ('"', Some('\\'))] {
            for quotes_all in [false, true] {
                let sample = write(delimiter, quote, escape, quotes_all);
                let (inferred, outcome) = accepted(sample.as_bytes());
                let found = outcome.values().into_iter().map(|row| row[1].clone());
                assert!(
                    found.eq(rows().into_iter().map(|row| row[1].clone())),
                    "{delimiter:?} {quote} {escape:?} {quotes_all}\n{}",
                    inferred.yaml
                );
                assert_eq!(
                    column_summary(&contract_of(&inferred))[2..],
                    ["price numeric(12,2)!", "day date!"],
                    "{}",
                    inferred.yaml
                );
            }
        }
    }
}

#[test]
fn a_dialect_that_leaves_quotes_in_values_is_never_preferred() {
    // Half of the rows are malformed. None would be if quotes were ordinary characters.
    let mut sample = "\"id\";\"name\"\n".to_owned();
    for row in 0..40 {
        let name = if row % 2 == 0 { "\"a \"b\" c\"" } else { "\"plain\"" };
        sample.push_str(&format!("\"{row}\";{name}\n"));
    }
    let (inferred, outcome) = accepted(sample.as_bytes());
    assert_eq!(dialect(&inferred).quote, Some(Quote::Byte(b'"')), "{}", inferred.yaml);
    assert_eq!(outcome.totals.accepted, 20);
    assert!(inferred.yaml.contains("# rejects in the sample: 20 of 40 rows (malformed_quote 20)."));
    assert!(inferred.yaml.contains("penstock.maxRejectsPercent\n    value: 50\n"), "{}", inferred.yaml);
}

#[test]
fn the_dialect_with_the_fewest_rejects_is_preferred() {
    // With the delimiter `,`, which the header contains too, hardly any row has the right number of fields.
    let rows: String = (0..30).map(|row| format!("{row};1,{row};x,{}y\n", ",".repeat(row % 3))).collect();
    let (inferred, outcome) = accepted(format!("id;a,b;c\n{rows}").as_bytes());
    assert_eq!(dialect(&inferred).delimiter.as_deref(), Some(";"));
    assert_eq!(outcome.totals.rejected, 0);
}

#[test]
fn lines_before_the_header_are_skipped() {
    let table = "id;name;price\n1;a;1.50\n2;b;2.50\n3;c;3.50\n";
    for (preamble, lines) in [
        ("Sales report\n", 1),
        ("Sales report 2024; all shops\n\n", 2),
        ("Report\nFrom: 2024-01-01\nTo: 2024-12-31\n\n\n", 5),
        ("Generated;2024-01-01\n", 1),
        ("Report;;\n;;\n", 2),
        ("Report\n# of all shops\n", 2),
    ] {
        let (inferred, outcome) = accepted(format!("{preamble}{table}").as_bytes());
        assert_eq!(
            column_summary(&contract_of(&inferred)),
            ["id bigint!*", "name text!", "price numeric(12,2)!"]
        );
        assert_eq!(outcome.totals.rejected, 0, "{preamble}");
        assert!(
            dialect(&inferred).skip_lines.is_some_and(|found| (1..=lines).contains(&found)),
            "{preamble}"
        );
        assert!(inferred.notes.iter().any(|note| note.contains("the header is below")));
    }
    let (inferred, _) = accepted(table.as_bytes());
    assert!(!inferred.yaml.contains("skipLines"), "{}", inferred.yaml);
    // A header with too few names is still a header.
    let (inferred, _) = accepted(b"id,name\n1,a,\n2,b,\n3,c,\n");
    assert_eq!(contract_of(&inferred).entity.columns[0].name, "id", "{}", inferred.yaml);
    // Text with commas is one column.
    let (inferred, _) = accepted(b"person\nSmith, John\nDoe, Jane\nRoe, Richard\n");
    assert_eq!(column_summary(&contract_of(&inferred)), ["person text!"], "{}", inferred.yaml);
    let (inferred, _) = accepted(b"id,name\n1,a\n2,b\n3,c\n");
    assert_eq!(contract_of(&inferred).entity.columns[0].name, "id", "{}", inferred.yaml);
}

#[test]
fn a_header_with_duplicate_names_is_read_by_position() {
    let (inferred, outcome) = accepted(b"id,amount,amount,\n1,2,x,\n2,3,y,\n");
    assert_eq!(
        column_summary(&contract_of(&inferred)),
        ["id bigint!*", "amount integer!", "amount_3 text!", "column_4 text"]
    );
    assert_eq!(outcome.totals.accepted, 2);
    assert_eq!((dialect(&inferred).header, dialect(&inferred).skip_lines), (Some(false), Some(1)));
}

#[test]
fn a_header_of_another_width_than_the_rows_is_not_used() {
    for (sample, names) in [
        ("id,name\n1,a,\n2,b,\n", &["id bigint!*", "name text!"][..]),
        ("id,name,\n1,a\n2,b,\n", &["id bigint!*", "name text!"]),
    ] {
        let (inferred, outcome) = accepted(sample.as_bytes());
        assert_eq!(column_summary(&contract_of(&inferred)), names, "{}", inferred.yaml);
        assert_eq!(outcome.totals.accepted, 2, "{sample}");
    }
    for sample in ["a,b\n1,2,3\n4,5,6\n", "a,b,c,d\n1,2,3\n4,5,6\n"] {
        let (inferred, outcome) = accepted(sample.as_bytes());
        assert_eq!(
            column_summary(&contract_of(&inferred)),
            ["column_1 integer!", "column_2 integer!", "column_3 integer!"]
        );
        assert_eq!(outcome.totals.accepted, 2);
        assert!(inferred.notes.iter().any(|note| note.contains("nearly all rows have 3 fields")));
    }
}

#[test]
fn the_array_of_a_json_document_is_found() {
    let (inferred, outcome) =
        accepted(b"{\n \"total\": 2,\n \"data\": {\"items\": [{\"id\": 1},\n {\"id\": 2}]}\n}");
    assert_eq!(outcome.totals.accepted, 2);
    let path = vec!["data".to_owned(), "items".to_owned()];
    assert_eq!(contract_of(&inferred).format.kind, FormatKind::JsonArray { path });
}

#[test]
fn the_given_parts_of_the_format_are_used() {
    let known = KnownFormat { delimiter: Some(";".to_owned()), ..KnownFormat::default() };
    let (inferred, _) = accepted_with(b"a,b;c,d\n1,2;3,4\n", known);
    assert_eq!(contract_of(&inferred).entity.columns[0].physical_name, "a,b");

    let known = KnownFormat { quote: Some(Quote::None), ..KnownFormat::default() };
    let (_, outcome) = accepted_with(b"a,b\n\"1\",2\n", known);
    assert_eq!(values(&outcome), [["\"1\"", "2"]]);

    let known = KnownFormat { quote: Some(Quote::Byte(b'\'')), escape: Some(b'^'), ..KnownFormat::default() };
    let (inferred, outcome) = accepted_with(b"a,b\n'x^'y',2\n", known);
    assert_eq!(values(&outcome), [["x'y", "2"]]);
    assert_eq!(dialect(&inferred).escape, Some(b'^'));

    let known = KnownFormat { header: Some(false), ..KnownFormat::default() };
    let (inferred, outcome) = accepted_with(b"a,b\nc,d\n", known);
    assert_eq!(column_summary(&contract_of(&inferred)), ["column_1 text!", "column_2 text!"]);
    assert_eq!(outcome.totals.accepted, 2);

    let known = KnownFormat { skip_lines: Some(2), ..KnownFormat::default() };
    let (inferred, outcome) = accepted_with(b"x,y\n1,2\na,b\n3,4\n", known);
    assert_eq!((outcome.totals.accepted, dialect(&inferred).skip_lines), (1, Some(2)));

    let known = KnownFormat { encoding: Some("windows-1252".to_owned()), ..KnownFormat::default() };
    let (inferred, outcome) = accepted_with(b"a,b\n\xfcber,2\n", known);
    assert_eq!(values(&outcome), [["über", "2"]]);
    assert_eq!(contract_of(&inferred).format.encoding.as_deref(), Some("windows-1252"));

    let path = vec!["data".to_owned(), "items".to_owned()];
    let known = KnownFormat { path: Some(path.clone()), ..KnownFormat::default() };
    let (inferred, outcome) = accepted_with(b"{\"data\": {\"items\": [{\"id\": 1}, {\"id\": 2}]}}", known);
    assert_eq!(outcome.totals.accepted, 2);
    assert_eq!(contract_of(&inferred).format.kind, FormatKind::JsonArray { path });

    let known = KnownFormat { kind: Some(FileFormat::Delimited), ..KnownFormat::default() };
    let (_, outcome) = accepted_with(b"{a,b\n1,2\n", known);
    assert_eq!(values(&outcome), [["1", "2"]]);
}

#[test]
fn contradictory_parts_of_the_format_are_refused() {
    let with = |known: KnownFormat| {
        let options = InferOptions { known, ..InferOptions::default() };
        infer_with(b"a,b\n1,2\n", &options).unwrap_err().to_string()
    };
    let none = KnownFormat::default;
    let comma = || Some(",".to_owned());
    for (known, message) in [
        (
            KnownFormat { kind: Some(FileFormat::Ndjson), delimiter: comma(), ..none() },
            "the dialect of delimited",
        ),
        (
            KnownFormat { kind: Some(FileFormat::Parquet), path: Some(Vec::new()), ..none() },
            "the path to a JSON",
        ),
        (
            KnownFormat { kind: Some(FileFormat::Avro), encoding: Some("utf-8".to_owned()), ..none() },
            "an encoding was specified",
        ),
        (
            KnownFormat { delimiter: comma(), quote: Some(Quote::Byte(b',')), ..none() },
            "quote and delimiter are the same",
        ),
        (KnownFormat { delimiter: Some("x".to_owned()), ..none() }, "must not contain a letter"),
        (KnownFormat { skip_lines: Some(5_000), ..none() }, "is not a whole number from 0 to 1000"),
        (KnownFormat { encoding: Some("utf-9".to_owned()), ..none() }, "unknown encoding `utf-9`"),
        (KnownFormat { kind: Some(FileFormat::Parquet), ..none() }, "(wrong_format)"),
        (KnownFormat { path: Some(vec!["a".to_owned()]), ..none() }, "(no_array)"),
    ] {
        let error = with(known);
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_key_is_inferred_from_its_name_or_from_many_rows() {
    let sample = |name: &str, rows: usize| -> String {
        format!("{name},other\n") + &(0..rows).map(|row| format!("v{row},x\n")).collect::<String>()
    };
    for (name, rows, is_key) in
        [("code", 99, false), ("code", 100, true), ("item_id", 2, true), ("sku", 5, true)]
    {
        let inferred = infer_from(sample(name, rows));
        let contract = contract_of(&inferred);
        assert_eq!(!contract.entity.key.is_empty(), is_key, "{name} {rows}");
        let evidence = format!("{rows} distinct values in {rows} rows");
        assert!(inferred.yaml.contains(&evidence), "{}", inferred.yaml);
        assert!(inferred.notes.iter().any(|note| note.contains(&evidence) && note.contains(name)));
        assert_eq!(inferred.yaml.contains("# No primary key"), !is_key, "{}", inferred.yaml);
    }
    let inferred = infer_from("id,x\n1,a\n1,a\n");
    assert!(
        inferred.yaml.contains("# No primary key, so rows are appended: no column has a different value in")
    );
}

#[test]
fn a_column_without_values_is_text_with_a_comment() {
    let inferred = infer_from("id,empty,spelled\n1,,NULL\n2,,n/a\n3,,\n");
    assert_eq!(column_summary(&contract_of(&inferred)), ["id bigint!*", "empty text", "spelled text"]);
    assert!(inferred.yaml.contains("# no row has a value: the type is unknown\n      - name: empty"));
    assert!(inferred.yaml.contains("# all values are spellings of a missing value"), "{}", inferred.yaml);
}

#[test]
fn nan_is_a_missing_value_and_is_reported() {
    let floats = Float64Array::from(vec![1.5, f64::NAN, 2.5, f64::NAN]);
    let columns: [(&str, ArrayRef); 2] =
        [("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))), ("weight", Arc::new(floats))];
    let sample = file(&columns);
    let (inferred, outcome) = accepted(&sample);
    assert_eq!(column_summary(&contract_of(&inferred)), ["id bigint!*", "weight double precision"]);
    assert_eq!(values(&outcome)[1], ["2", "NULL"]);
    let note = "`weight`: NaN, which is not a number, is read as a missing value in 2 rows";
    assert!(inferred.notes.iter().any(|found| found == note), "{:?}", inferred.notes);
    // The same in delimited text.
    let inferred = infer_from("id,weight\n1,1.5\n2,NaN\n");
    assert!(
        inferred.notes.iter().any(|note| note.contains("NaN, which is not a number")),
        "{:?}",
        inferred.notes
    );
}

#[test]
fn the_error_describes_a_file_of_binary_columns_only() {
    let bytes = BinaryArray::from_iter_values((0..9_u8).map(|row| [0xff, row]));
    let sample = file(&[("picture", Arc::new(bytes) as ArrayRef)]);
    let error = infer_with(&sample, &InferOptions::default()).unwrap_err().to_string();
    assert!(error.contains("`picture` are bytes that are not text"), "{error}");
}

#[test]
fn an_identifier_format_is_inferred_if_enough_check_digits_are_valid() {
    let gtin = |number: u64| {
        let digits: Vec<u64> = format!("{number:012}").bytes().map(|byte| u64::from(byte - b'0')).collect();
        let sum: u64 = digits.iter().enumerate().map(|(index, digit)| digit * [1, 3][index % 2]).sum();
        format!("{number:012}{}", (10 - sum % 10) % 10)
    };
    let sample = |count: u64, spoiled: bool| -> String {
        let values = (0..count).map(|row| gtin(400_638_100_000 + row * 7_919));
        let last = if spoiled { "4006381333932\n" } else { "" };
        "code\n".to_owned() + &values.map(|value| value + "\n").collect::<String>() + last
    };
    let format = |sample: String| contract_of(&infer_from(sample)).entity.columns[0].rules.format;
    assert_eq!(format(sample(20, false)), Some(StringFormat::Gtin));
    assert_eq!(format(sample(19, false)), None, "too few");
    assert_eq!(format(sample(40, true)), None, "one has a wrong check digit");
    assert_eq!(
        format("code\n".to_owned() + &(gtin(400_638_133_393) + "\n").repeat(40)),
        None,
        "all values are equal"
    );
    let isbns: String = (0..30).map(|row| gtin(978_316_148_000 + row * 31) + "\n").collect();
    assert_eq!(format(format!("code\n{isbns}")), Some(StringFormat::Isbn));
}

/// Applies one of 20 kinds of pollution to a file, at or near a line.
fn polluted(kind: usize, position: usize, text: &str) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let at = 1 + position % (lines.len() - 1);
    match kind {
        0 => lines[at].push_str(",extra"),
        1 => lines[at] = lines[at].rsplit_once(',').map_or(String::new(), |(rest, _)| rest.to_owned()),
        2 => lines[at].insert(0, '"'),
        3 => lines[at].push('"'),
        4 => lines.insert(0, "Some title".to_owned()),
        5 => lines.push("Total: 60 rows".to_owned()),
        6 => lines.insert(at, String::new()),
        7 => lines.insert(at, ",,,".to_owned()),
        8 => lines.iter_mut().for_each(|line| line.push(',')),
        9 => lines[0] = lines[0].replace("name", ""),
        10 => lines[0] = lines[0].replace("name", "no"),
        11 => {
            lines.remove(0);
        }
        12 => lines.truncate(2),
        13 => lines[at] = lines[at].replace(',', ";"),
        14 => lines.iter_mut().for_each(|line| *line = line.replace(',', " , ")),
        15 => lines[at] = format!("{}\u{0}", lines[at]),
        16 => lines.iter_mut().skip(1).step_by(2).for_each(|line| line.push_str(",x")),
        17 => lines.insert(at, lines[0].clone()),
        18 => lines[at] = lines[at].replace("2024", "n.d."),
        _ => lines.iter_mut().for_each(|line| line.push('\r')),
    }
    lines.join("\n") + "\n"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn an_inferred_contract_accepts_a_polluted_sample(
        pollutions in prop::collection::vec((0..20_usize, any::<usize>()), 1..4),
        quotes_all in any::<bool>(),
    ) {
        let clean = write(",", '"', None, quotes_all);
        let sample = pollutions.iter().fold(clean, |text, (kind, position)| {
            if text.lines().count() < 2 { text } else { polluted(*kind, *position, &text) }
        });
        let inferred = infer_with(sample.as_bytes(), &InferOptions::default());
        prop_assume!(!matches!(inferred, Err(InferError::NoRows { .. })));
        accepted(sample.as_bytes());
    }
}
