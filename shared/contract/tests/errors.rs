//! Each error of a contract is reported with its line, its path and a suggestion.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use penstock_contract::parse;

const VALID: &str = include_str!("golden/shop.yaml");
const CASES: &str = include_str!("golden/errors.txt");

#[test]
fn the_contract_of_these_tests_is_valid() {
    let contract = parse("shop.yaml", VALID).expect("valid");
    assert_eq!(contract.entity.columns.len(), 6);
    assert_eq!(contract.load.event_time, Some(3));
}

#[test]
fn each_error_is_reported_with_its_line_its_path_and_a_suggestion() {
    let mut report = String::new();
    for line in CASES.lines().filter(|line| !line.starts_with(' ')) {
        writeln!(report, "{line}").expect("a string grows");
        let Some((from, to)) = line.split_once(" ⇒").filter(|_| !line.starts_with('#')) else { continue };
        match spoiled(from, to) {
            Ok(_) => writeln!(report, "    valid").expect("a string grows"),
            Err(errors) => errors.as_slice().iter().for_each(|error| {
                writeln!(report, "    {error}").expect("a string grows");
            }),
        }
    }
    if std::env::var("PENSTOCK_GOLDEN").as_deref() == Ok("write") {
        let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/errors.txt");
        std::fs::write(golden, &report).expect("the golden file can be written");
        return;
    }
    for (line, (line_now, golden)) in report.lines().zip(CASES.lines()).enumerate() {
        assert_eq!(line_now, golden, "line {} of golden/errors.txt", line + 1);
    }
    assert_eq!(report.lines().count(), CASES.lines().count());
}

/// Reads the contract with `from` replaced by `to`.
fn spoiled(from: &str, to: &str) -> Result<penstock_contract::Contract, penstock_contract::ContractErrors> {
    let from = from.replace("\\n", "\n");
    let to = to.strip_prefix(' ').unwrap_or(to).replace("\\n", "\n");
    assert_eq!(VALID.matches(&from).count(), 1, "`{from}` occurs once in the contract");
    parse("shop.yaml", &VALID.replace(&from, &to))
}

#[test]
fn all_errors_are_reported_together_in_the_order_of_the_file() {
    let spoiled = [
        ("kind: DataContract", "kind: Contract"),
        ("format: csv", "format: cvs"),
        ("value: 3}", "value: high}"),
        ("logicalType: number", "logicalType: decimal"),
        ("dd.MM.yyyy HH:mm", "dd.mm.yyyy HH:mm"),
        ("value: EUR", "value: [EUR]"),
    ];
    let text = spoiled.iter().fold(VALID.to_owned(), |text, (from, to)| text.replace(from, to));
    let errors = parse("shop.yaml", &text).expect_err("spoiled in six places");
    let lines: Vec<usize> = errors.as_slice().iter().map(|error| error.line).collect();
    assert_eq!(lines, [2, 11, 18, 28, 36, 46], "{errors}");
    let report = errors.to_string();
    assert_eq!(report.lines().count(), 6);
    assert!(report.starts_with("shop.yaml:2: kind: `Contract` is not a kind of document"), "{report}");
    let columns: Vec<usize> = errors.as_slice().iter().map(|error| error.column).collect();
    assert_eq!(columns, [7, 13, 42, 22, 38, 49], "{errors}");
}

#[test]
fn yaml_errors_are_reported_with_their_lines() {
    for (text, start) in [
        ("", "c.yaml:1: the file is empty"),
        ("# only a comment\n", "c.yaml:1: the file is empty"),
        ("just text", "c.yaml:1: expected a mapping"),
        ("a: 1\na: 2\n", "c.yaml:2: duplicate key `a`, first on line 1"),
        ("a: [1, 2\n", "c.yaml:1: not valid YAML"),
        ("a: b: c\n", "c.yaml:1: not valid YAML"),
        ("a: *unknown\n", "c.yaml:1: not valid YAML"),
        ("a: &a [*a]\n", "c.yaml:1: an alias to a node that contains it"),
        ("a: !ruby/object x\n", "c.yaml:1: unsupported tag"),
        ("a: 1\n---\nb: 2\n", "c.yaml:2: second document"),
        ("? [a]\n: b\n", "c.yaml:1: a key must be a scalar"),
        ("a: 1\nb: x\0y\n", "c.yaml:2: the file has a NUL character"),
    ] {
        let errors = parse("c.yaml", text).expect_err(text).to_string();
        assert!(
            errors.lines().any(|line| line.starts_with(start)),
            "{text:?}: expected `{start}` in\n{errors}"
        );
    }
}

#[test]
fn malicious_files_are_refused_quickly() {
    let head = "apiVersion: v3.1.0\n";
    let laughs = (1..20).fold("a0: &a0 [lol, lol]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("{text}a{level}: &a{level} [{aliases}]\n")
    });
    let huge = "a: b\n".repeat(2 << 20);
    let wide = format!("{{{}}}", (0..60_000).map(|key| format!("k{key}: 1, ")).collect::<String>());
    let deep = format!("a: {}", "[".repeat(100_000));
    let deep_block: String = (0..5_000).map(|level| format!("{}-\n", " ".repeat(level % 100))).collect();
    let unknown = format!("{head}schema: [{}]", "{abcdefghij: 1, klmnopqrst: 1}, ".repeat(30_000));
    let custom =
        format!("{head}customProperties: [{}]", "{property: penstock.abcdefg, value: 1}, ".repeat(25_000));
    let values = (0..100_000).map(|value| format!("{value}, ")).collect::<String>();
    let values = VALID.replace("[EUR, USD]", &format!("[{values}]"));
    let columns =
        "\n      - name: price".to_owned() + &"\n      - name: p\n        logicalType: string".repeat(20_000);
    let columns = VALID.replace("\n      - name: price", &columns);
    let texts = [laughs, huge, wide, deep, deep_block, unknown, custom, values, columns];
    for (index, text) in texts.iter().enumerate() {
        let started = Instant::now();
        let errors = parse("c.yaml", text).expect_err("harmful");
        assert!(errors.as_slice().len() <= 501);
        assert!(started.elapsed() < Duration::from_secs(10), "text {index}: {:?}", started.elapsed());
    }
}

#[test]
fn a_property_of_the_server_that_has_no_effect_is_an_error() {
    let errors = |format: &str, server: &str, contract: &str, names: [&str; 2]| {
        let [one, other] = names;
        let text = format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
             servers: [{{server: raw, type: s3, location: 's3://raw/a/', {format}, customProperties: [{server}]}}]\n\
             customProperties: [{contract}]\nschema:\n  - name: a\n    properties:\n\
             \x20     - {{name: a, physicalName: {one}, logicalType: string}}\n\
             \x20     - {{name: b, physicalName: {other}, logicalType: string}}\n"
        );
        parse("a.yaml", &text).map_or_else(|errors| errors.to_string(), |_| "valid".to_owned())
    };
    let server = |name: &str, value: &str| format!("{{property: penstock.{name}, value: {value}}}");
    let unexpected = |value: &str| server("unexpectedColumns", value);
    let no_header = |other: String| format!("{{property: penstock.header, value: false}}, {other}");
    let insensitive = server("headerCase", "insensitive");
    for (format, server, contract, names, expected) in [
        ("format: csv", server("ragged", "rescue"), unexpected("ignore"), ["a", "b"], "write `truncate`"),
        ("format: csv", server("ragged", "rescue"), unexpected("reject"), ["a", "b"], "write `reject`"),
        ("format: csv", server("ragged", "rescue"), unexpected("rescue"), ["a", "b"], "valid"),
        ("format: csv", server("ragged", "truncate"), unexpected("ignore"), ["a", "b"], "valid"),
        (
            "format: ndjson",
            server("blankRows", "skip"),
            String::new(),
            ["a", "b"],
            "applies to delimited files only",
        ),
        (
            "format: avro",
            server("repeatedHeaders", "skip"),
            String::new(),
            ["a", "b"],
            "applies to delimited files only",
        ),
        (
            "format: csv",
            no_header(server("repeatedHeaders", "skip")),
            String::new(),
            ["a", "b"],
            "has no effect with `penstock.header: false`",
        ),
        ("format: csv", no_header(insensitive.clone()), String::new(), ["a", "b"], "has no effect with"),
        ("format: ndjson", insensitive.clone(), String::new(), ["a", "b"], "has no effect on JSON"),
        (
            "format: json, delimiter: array",
            insensitive.clone(),
            String::new(),
            ["a", "b"],
            "has no effect on JSON",
        ),
        (
            "format: csv",
            insensitive.clone(),
            String::new(),
            ["Id", "ID"],
            "does not distinguish the columns `Id` and `ID`",
        ),
        (
            "format: parquet",
            insensitive.clone(),
            String::new(),
            ["straße", "STRASSE"],
            "does not distinguish the columns",
        ),
        ("format: csv", insensitive.clone(), String::new(), ["id", "id"], "valid"),
        ("format: csv", String::new(), String::new(), ["Id", "ID"], "valid"),
    ] {
        let report = errors(format, &server, &contract, names);
        assert!(report.contains(expected), "{format} {server} {contract} {names:?}: {report}");
    }
}
