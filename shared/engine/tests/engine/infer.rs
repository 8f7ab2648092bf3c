//! Contracts inferred from samples: their content, and whether they accept their samples.

use std::fs;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;

use penstock_contract::{Contract, LogicalType};
use penstock_engine::infer::{InferError, InferOptions, Inferred, infer};
use penstock_engine::{Limits, Plan};
use proptest::prelude::*;

use crate::support::{Outcome, assert_golden, golden, read_plan};

pub(crate) fn infer_with(sample: &[u8], options: &InferOptions) -> Result<Inferred, InferError> {
    let mut open = || -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(sample.to_vec())) as Box<dyn Read + Send>)
    };
    infer("test-shop", &mut open, options)
}

pub(crate) fn infer_from(sample: impl AsRef<[u8]>) -> Inferred {
    infer_with(sample.as_ref(), &InferOptions::default()).unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) fn contract_of(inferred: &Inferred) -> Contract {
    penstock_contract::parse("inferred.yaml", &inferred.yaml)
        .unwrap_or_else(|errors| panic!("{errors}\n{}", inferred.yaml))
}

pub(crate) fn read_back(inferred: &Inferred, sample: &[u8]) -> Outcome {
    let plan = Arc::new(Plan::compile(&contract_of(inferred)).unwrap());
    read_plan(&plan, Limits::default(), sample).unwrap()
}

/// Returns name, type and format of each inferred column, with `!` if it is required and `*` if it is part of the key.
pub(crate) fn column_summary(contract: &Contract) -> Vec<String> {
    let columns = contract.entity.columns.iter().enumerate().filter(|(_, column)| !column.is_rescued());
    columns
        .map(|(index, column)| {
            let format = match &column.logical_type {
                LogicalType::Date { format: Some(format) }
                | LogicalType::Time { format: Some(format) }
                | LogicalType::Timestamp { format: Some(format), .. } => format!(" {}", format.pattern),
                LogicalType::String
                | LogicalType::Integer
                | LogicalType::Number
                | LogicalType::Boolean
                | LogicalType::Date { format: None }
                | LogicalType::Time { format: None }
                | LogicalType::Timestamp { format: None, .. }
                | LogicalType::Object { .. }
                | LogicalType::Array { .. } => String::new(),
            };
            let required = if column.required { "!" } else { "" };
            let key = if contract.entity.key.contains(&index) { "*" } else { "" };
            format!("{} {}{format}{required}{key}", column.name, column.sql_type)
        })
        .collect()
}

#[test]
fn golden_samples_give_the_expected_contracts() {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(golden("infer")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 7, "{cases:?}");
    for case in cases {
        let files = fs::read_dir(&case).unwrap().map(|entry| entry.unwrap().path());
        let input = files
            .into_iter()
            .find(|file| file.file_name().unwrap().to_string_lossy().starts_with("input."))
            .unwrap();
        let sample = fs::read(input).unwrap();
        let inferred = infer_from(&sample);
        assert_eq!(infer_from(&sample), inferred, "the same sample gives the same contract");
        let outcome = read_back(&inferred, &sample);
        assert_eq!(outcome.totals.rows_read, inferred.rows);
        assert!(outcome.rejects.iter().flat_map(|reject| &reject.reasons).all(|why| why.column.is_none()));
        let notes: String = inferred.notes.iter().map(|note| format!("# Note: {note}\n")).collect();
        let found = format!("{notes}{}", inferred.yaml);
        assert_golden(&case.join("expected.yaml"), found.as_bytes());
    }
}

#[test]
fn column_types_are_inferred_from_the_values() {
    for (name, values, expected) in [
        ("n", "1 -2 30", "n integer!"),
        ("n", "1 1 900000000", "n bigint!"),
        ("n", "1 1 9000000000000000000", "n text!"),
        ("n", "1.50 2 2", "n numeric(12,2)!"),
        ("n", "123456789.12345 2 2", "n numeric(18,5)!"),
        ("n", "1,5 2,25 2,25", "n numeric(12,2)!"),
        ("n", "1.234,5 2,25 2,25", "n numeric(12,2)!"),
        ("n", "1,234.5 2.25 2.25", "n numeric(12,2)!"),
        ("n", "1,234 5,678 5,678", "n text!"),
        ("n", "007 8 8", "n text!"),
        ("gtin", "4007591677055 1 1", "gtin text!"),
        ("n", "true FALSE true", "n boolean!"),
        ("n", "Y n Y", "n boolean!"),
        ("n", "Y Y Y", "n text!"),
        ("n", "0 1 1", "n integer!"),
        ("is_new", "0 1 1", "is_new boolean!"),
        ("n", "2026-01-31 2024-02-29 2024-02-29", "n date!"),
        ("n", "2026-01-31 2023-02-29 2023-02-29", "n text!"),
        ("n", "31.01.2026 01.02.2026 01.02.2026", "n date dd.MM.yyyy!"),
        ("n", "31.01.2026 1.2.2026 1.2.2026", "n date d.M.yyyy!"),
        ("n", "31.01.26 01.02.26 01.02.26", "n date dd.MM.yy!"),
        ("n", "31/01/2026 01/02/2026 01/02/2026", "n date dd/MM/yyyy!"),
        ("n", "01/31/2026 02/01/2026 02/01/2026", "n date MM/dd/yyyy!"),
        ("n", "01/02/2026 02/01/2026 02/01/2026", "n text!"),
        ("n", "20260131 20260201 20260201", "n integer!"),
        ("sale_date", "20260131 20260201 20260201", "sale_date date yyyyMMdd!"),
        ("n", "2026-01-31T10:00:00Z 2026-01-31 2026-01-31", "n timestamptz!"),
        ("n", "31.1.24 1.2.24 1.2.24", "n date d.M.yy!"),
        ("n", "1/31/2026 2/1/2026 2/1/2026", "n date M/d/yyyy!"),
        ("n", "1/2/2026 2/1/2026 2/1/2026", "n text!"),
        ("n", "31.12.0024 01.02.0024 01.02.0024", "n text!"),
        ("n", "0024-12-31 0024-12-31 0024-12-31", "n text!"),
        ("n", "31.12.1000 31.12.1000 31.12.1000", "n date dd.MM.yyyy!"),
        ("n", "31.12.0999 31.12.1000 31.12.1000", "n text!"),
        ("n", "10:00 11:30:15 11:30:15", "n time!"),
        ("n", "123e4567-e89b-12d3-a456-426614174000 - -", "n uuid"),
        ("n", "d41d8cd98f00b204e9800998ecf8427e x x", "n text!"),
        ("n", "1 NULL n/a", "n integer"),
        ("n", "one NULL n/a", "n text!"),
        ("n", "- - -", "n text!"),
    ] {
        let sample = format!(
            "{name};pad\n{}",
            values.split(' ').map(|value| format!("{value};x\n")).collect::<String>()
        );
        let inferred = infer_from(&sample);
        let contract = contract_of(&inferred);
        assert_eq!(column_summary(&contract).first().unwrap(), expected, "{values}\n{}", inferred.yaml);
        assert_eq!(read_back(&inferred, sample.as_bytes()).rejects, vec![], "{values}");
    }
}

#[test]
fn two_digit_years_are_noted() {
    let notes = |values: [&str; 2]| {
        let mut notes = infer_from(format!("born;pad\n{};x\n{};y\n", values[0], values[1])).notes;
        notes.retain(|note| note.contains("`born`"));
        notes
    };
    let note = "`born`: two-digit years are read as 2000 to 2099; set `penstock.yearPivot` if that is wrong";
    assert_eq!(notes(["01.02.24", "31.12.85"]), [note]);
    assert_eq!(notes(["1.2.24", "31.12.85"]), [note]);
    assert_eq!(notes(["01.02.2024", "31.12.1985"]), Vec::<String>::new());
}

#[test]
fn allowed_values_are_inferred_from_200_rows_on() {
    let sample = |rows: usize| -> String {
        let lines = (0..rows).map(|row| format!("{},{}\n", row % 50, ["new", "used"][row % 2]));
        "id,state\n".to_owned() + &lines.collect::<String>()
    };
    let allowed = |rows| contract_of(&infer_from(sample(rows))).entity.columns[1].rules.allowed.clone();
    assert_eq!(allowed(200), ["new", "used"]);
    assert_eq!(allowed(199), Vec::<String>::new());
}

#[test]
fn a_comment_marks_a_column_that_nearly_has_a_type() {
    let sample = |rows: usize, bad: usize| -> String {
        let value = |row: usize| if row < bad { "unknown".to_owned() } else { format!("{}.5", row % 90) };
        let lines = (0..rows).map(|row| format!("{},{}\n", row % 50, value(row)));
        "id,price\n".to_owned() + &lines.collect::<String>()
    };
    for (rows, bad, nearly) in [
        (400, 4, Some("# nearly number: 4 of 400 values do not fit")),
        (200, 2, Some("# nearly number: 2 of 200 values do not fit")),
        (400, 5, None),
        (199, 1, None),
        (5_000, 50, None),
        (400, 0, None),
    ] {
        let sample = sample(rows, bad);
        let inferred = infer_from(&sample);
        assert_eq!(inferred.yaml.contains("# nearly"), nearly.is_some(), "{rows} {bad}");
        assert!(nearly.is_none_or(|nearly| inferred.yaml.contains(nearly)), "{}", inferred.yaml);
        assert_eq!(read_back(&inferred, sample.as_bytes()).rejects, vec![], "every row is accepted");
    }
}

#[test]
fn json_in_a_delimited_column_is_either_objects_or_arrays() {
    for (values, expected) in [
        ([r#"{"a":1}"#, "{}"], "v jsonb!"),
        (["[1,2]", "[]"], "v jsonb!"),
        (["[1,2]", "{}"], "v text!"),
        ([r#"{"a":1"#, "{}"], "v text!"),
        (["1", "[]"], "v text!"),
        (["", r#"{"a":{"b":[null]}}"#], "v jsonb"),
    ] {
        let rows: String = values.iter().map(|value| format!("x|{value}\n")).collect();
        let sample = format!("pad|v\n{rows}x|{}\n", values[1]);
        let inferred = infer_from(&sample);
        assert_eq!(column_summary(&contract_of(&inferred))[1], expected, "{}", inferred.yaml);
        assert_eq!(read_back(&inferred, sample.as_bytes()).rejects, vec![], "{}", inferred.yaml);
    }
    // A JSON string is text, regardless of its content.
    let inferred = infer_from("{\"v\":\"{}\",\"w\":{}}\n{\"v\":\"{}\",\"w\":{}}\n");
    assert_eq!(column_summary(&contract_of(&inferred)), ["v text!", "w jsonb!"]);
}

#[test]
fn quoting_is_off_if_quotes_are_ordinary_characters() {
    let sample = "id|size\n1|27\" wide\n2|\"open\" door\n3|4 x 3\"\n";
    let inferred = infer_from(sample);
    assert_eq!(read_back(&inferred, sample.as_bytes()).totals.accepted, 3);
    assert!(inferred.yaml.contains("penstock.quote\n        value: none"), "{}", inferred.yaml);
}

#[test]
fn rows_after_max_rows_are_ignored() {
    let rows = (0..20_000).map(|row| if row < 15_000 { format!("{row}\n") } else { "x\n".to_owned() });
    let sample = "id\n".to_owned() + &rows.collect::<String>();
    let first = InferOptions { max_rows: 10_000, ..InferOptions::default() };
    let inferred = infer_with(sample.as_bytes(), &first).unwrap();
    assert_eq!(
        (inferred.rows, column_summary(&contract_of(&inferred))),
        (10_000, vec!["id bigint!*".to_owned()])
    );
    let inferred = infer_from(&sample);
    assert_eq!(
        (inferred.rows, column_summary(&contract_of(&inferred))),
        (20_000, vec!["id text!".to_owned()])
    );
}

#[test]
fn a_sample_that_no_contract_accepts_is_an_error() {
    for (sample, message) in [
        (&b""[..], "the sample cannot be read (empty): the file is empty"),
        (b"PAR1....", "it does not end with `PAR1`"),
        (b"Obj\x01....", "the sample cannot be read"),
        (b"id,name\n", "no row that can be read (it has columns and no rows)"),
        (b"id,name\n1,2,3\n4\n", "no row that can be read (too_few_fields 1, too_many_fields 1)"),
        (b"{\n\"items\": {\"a\": 1}\n}\n", "no JSON objects"),
        (b"[]", "no JSON objects"),
        (b"{\"\": 1}", "no named columns"),
    ] {
        let error = infer_with(sample, &InferOptions::default()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn notes_and_comments_contain_no_values() {
    let sample = "id;day;secret\n1;01/02/2026;hunter2\n2;02/03/2026;correct horse\n";
    let inferred = infer_from(sample);
    let all = inferred.notes.join("\n") + &inferred.yaml;
    assert!(inferred.notes.iter().any(|note| note.contains("day and month")), "{all}");
    assert!(!all.contains("hunter2") && !all.contains("2026;") && !all.contains("01/02"), "{all}");
}

/// Generates a value of one of nine kinds.
pub(crate) fn value(kind: u8) -> BoxedStrategy<String> {
    match kind % 9 {
        0 => (-5_000..5_000_i64).prop_map(|number| number.to_string()).boxed(),
        1 => (0..1_000_000_i64, 0..100_u8).prop_map(|(whole, cents)| format!("{whole}.{cents:02}")).boxed(),
        2 => (0..1_000_i64, 0..100_u8).prop_map(|(whole, cents)| format!("{whole},{cents}")).boxed(),
        3 => (1..13_u8, 1..29_u8).prop_map(|(month, day)| format!("2026-{month:02}-{day:02}")).boxed(),
        4 => (1..13_u8, 1..29_u8).prop_map(|(month, day)| format!("{day:02}/{month:02}/2026")).boxed(),
        5 => prop::sample::select(vec!["yes", "no", "Yes"]).prop_map(str::to_owned).boxed(),
        6 => (0..24_u8, 0..60_u8)
            .prop_map(|(hour, minute)| format!("2026-01-01 {hour:02}:{minute:02}Z"))
            .boxed(),
        7 => prop::sample::select(vec!["NULL", "-", "n/a", "", "1e5", "+1", "00", "0"])
            .prop_map(str::to_owned)
            .boxed(),
        _ => "[ -~äß\n]{0,12}".boxed(),
    }
}

fn table() -> impl Strategy<Value = (Vec<String>, Vec<Vec<String>>)> {
    prop::collection::vec((any::<u8>(), "[a-zA-Zé][a-zA-Z0-9 _é]{0,8}[a-z]"), 2..5).prop_flat_map(|columns| {
        let names: Vec<String> =
            columns.iter().enumerate().map(|(index, (_, name))| format!("{name} {index}")).collect();
        let row: Vec<_> = columns
            .iter()
            .map(|(kind, _)| prop_oneof![12 => value(*kind), 1 => value(7), 1 => value(8)])
            .collect();
        (Just(names), prop::collection::vec(row, 1..40))
    })
}

fn delimited(names: &[String], rows: &[Vec<String>], delimiter: char) -> Vec<u8> {
    let line = |fields: &[String]| {
        let quoted = fields.iter().map(|field| format!("\"{}\"", field.replace('"', "\"\"")));
        quoted.collect::<Vec<_>>().join(&delimiter.to_string()) + "\n"
    };
    let rows: String = rows.iter().map(|row| line(row)).collect();
    (line(names) + &rows).into_bytes()
}

fn ndjson(names: &[String], rows: &[Vec<String>]) -> Vec<u8> {
    let rows = rows.iter().map(|row| {
        let members = names.iter().zip(row).map(|(name, value)| (name.clone(), value.clone().into()));
        serde_json::Value::Object(members.collect()).to_string() + "\n"
    });
    rows.collect::<String>().into_bytes()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn an_inferred_contract_accepts_every_row_of_its_sample(
        (names, rows) in table(),
        dialect in prop::sample::select(vec![',', ';', '\t', '|', '{']),
    ) {
        let sample = if dialect == '{' { ndjson(&names, &rows) } else { delimited(&names, &rows, dialect) };
        let is_blank = |row: &&Vec<String>| dialect != '{' && row.iter().all(|value| value.trim().is_empty());
        let blank = rows.iter().filter(is_blank).count();
        if blank == rows.len() {
            prop_assert!(infer_with(&sample, &InferOptions::default()).is_err());
            return Ok(());
        }
        let inferred = infer_from(&sample);
        let outcome = read_back(&inferred, &sample);
        prop_assert_eq!(outcome.totals.blank, blank as u64);
        prop_assert_eq!(outcome.totals.rejected, 0, "{:?}\n{}", outcome.rejects, inferred.yaml);
        prop_assert_eq!(outcome.totals.accepted, (rows.len() - blank) as u64, "{}", inferred.yaml);
        prop_assert_eq!(contract_of(&inferred).entity.columns.len(), names.len() + 1);
    }
}
