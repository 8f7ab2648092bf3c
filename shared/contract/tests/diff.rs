//! Each change of a contract is told, with what it means for those who rely on it.

use std::fmt::Write;
use std::path::PathBuf;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use penstock_contract::diff::{is_breaking, version_fault};
use penstock_contract::{Change, Contract, diff, parse};

const EVERYTHING: &str = include_str!("golden/everything.yaml");
const CASES: &str = include_str!("golden/changes.txt");

fn everything() -> Contract {
    parse("everything.yaml", EVERYTHING).expect("valid")
}

/// The contract in which `from` is replaced by `to`.
fn changed(from: &str, to: &str) -> Contract {
    let (from, to) = (from.replace("\\n", "\n"), to.replace("\\n", "\n"));
    assert_eq!(EVERYTHING.matches(&from).count(), 1, "`{from}` stands once in the contract");
    parse("everything.yaml", &EVERYTHING.replace(&from, &to))
        .unwrap_or_else(|errors| panic!("{to}:\n{errors}"))
}

fn told(changes: &[Change]) -> String {
    changes.iter().map(|change| format!("    {change}\n")).collect()
}

#[test]
fn each_change_is_told_with_what_it_means_and_so_is_its_reverse() {
    let mut text = String::new();
    for line in CASES.lines().filter(|line| !line.starts_with(' ')) {
        writeln!(text, "{line}").expect("a string grows");
        let Some((from, to)) = line.split_once(" ⇒").filter(|_| !line.starts_with('#')) else { continue };
        let new = changed(from, to.strip_prefix(' ').unwrap_or(to));
        text.push_str(&told(&diff(&everything(), &new)));
        text.push_str("  back\n");
        text.push_str(&told(&diff(&new, &everything())));
    }
    if std::env::var_os("PENSTOCK_BLESS").is_some() {
        let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/changes.txt");
        std::fs::write(golden, &text).expect("the golden file can be written");
        return;
    }
    for (line, (told, golden)) in text.lines().zip(CASES.lines()).enumerate() {
        assert_eq!(told, golden, "line {} of golden/changes.txt", line + 1);
    }
    assert_eq!(text.lines().count(), CASES.lines().count());
}

#[test]
fn a_contract_has_no_change_to_itself_nor_by_words_alone() {
    assert_eq!(diff(&everything(), &everything()), []);
    assert_eq!(diff(&everything(), &changed("Shows what is read.", "Shows all that is read.")), []);
}

/// Orders, and versions, that a change asks for.
#[test]
fn a_breaking_change_needs_a_new_major_version_and_any_other_a_higher_one() {
    let breaking = ("maximum: 1.0e+6", "maximum: 10");
    let compatible = ("maximum: 1.0e+6", "maximum: 1.0e+7");
    let of = |old: &str, new: &str, (from, to): (&str, &str)| {
        let version = |text: &str, version: &str| {
            let text = text.replace("version: 2.1.0", &format!("version: {version}"));
            parse("everything.yaml", &text).expect("valid")
        };
        let (old, new) = (version(EVERYTHING, old), version(&EVERYTHING.replace(from, to), new));
        let changes = diff(&old, &new);
        assert_eq!(is_breaking(&changes), (from, to) == breaking);
        version_fault(&old, &new, &changes)
    };
    for (old, new, change, expected) in [
        ("2.1.0", "3.0.0", breaking, None),
        ("2.1.0", "2.2.0", breaking, Some("2.1.0 → 3.0.0, not 2.2.0")),
        ("2.1.0", "2.1.0", breaking, Some("2.1.0 → 3.0.0, not 2.1.0")),
        ("0.4.0", "0.5.0", breaking, None),
        ("0.4.0", "0.4.1", breaking, Some("0.4.0 → 0.5.0, not 0.4.1")),
        ("2.1.0", "2.1.1", compatible, None),
        ("2.1.0", "2.1.0", compatible, Some("2.1.0 → at least 2.1.1, not 2.1.0")),
        ("2.10.0", "2.9.0", compatible, Some("2.10.0 → at least 2.10.1, not 2.9.0")),
        ("2.1.0-rc.2", "2.1.0-rc.10", compatible, None),
        ("2.1.0-rc.2", "2.1.0", compatible, None),
        ("2.1.0", "2.1.0-rc.2", compatible, Some("did not rise")),
    ] {
        let fault = of(old, new, change);
        match expected {
            None => assert_eq!(fault, None, "{old} → {new}"),
            Some(words) => {
                assert!(fault.as_ref().is_some_and(|fault| fault.contains(words)), "{old} → {new}: {fault:?}")
            }
        }
    }
    assert_eq!(version_fault(&everything(), &everything(), &[]), None);
}

#[test]
fn a_new_column_is_breaking_only_when_files_of_before_would_be_refused() {
    let csv = "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
               servers: [{server: raw, type: s3, location: 's3://raw/a/', format: csv, customProperties: [SERVER]}]\n\
               schema: [{name: a, customProperties: [SCHEMA], properties: [{name: a, logicalType: string}]}]\n";
    let kind = |server: &str, schema: &str, column: &str| {
        let old = csv.replace("SERVER", server).replace("SCHEMA", schema);
        let new = old.replace("string}]", &format!("string}}, {column}]"));
        let [old, new] = [old, new].map(|text| parse("a.yaml", &text).expect("valid"));
        is_breaking(&diff(&old, &new))
    };
    let plain = "{name: b, logicalType: string}";
    assert!(kind("", "", plain));
    assert!(!kind("", "{property: penstock.missingColumns, value: null}", plain));
    assert!(!kind("", "", "{name: b, logicalType: string, physicalName: a}"), "its header is read already");
    let default =
        "{name: b, logicalType: string, customProperties: [{property: penstock.default, value: x}]}";
    assert!(!kind("", "", default));
    assert!(kind(
        "",
        "{property: penstock.missingColumns, value: null}",
        &plain.replace("string", "string, required: true")
    ));
    let no_header = "{property: penstock.header, value: false}";
    assert!(kind(no_header, "", plain), "the file has a field more");
}

#[test]
fn an_order_of_columns_is_breaking_exactly_where_rows_may_be_bound_by_it() {
    let text = "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
                servers: [{server: raw, type: s3, location: 's3://raw/a/', FORMAT}]\n\
                schema: [{name: a, properties: [COLUMNS]}]\n";
    let header = |value: &str| {
        format!("format: csv, customProperties: [{{property: penstock.header, value: {value}}}]")
    };
    let column = |name: &str| format!("{{name: {name}, logicalType: string}}");
    let order = |names: &[&str]| names.iter().map(|name| column(name)).collect::<Vec<_>>().join(", ");
    for (format, is_bound) in [
        ("format: csv".to_owned(), true),
        ("format: tsv".to_owned(), true),
        (header("false"), true),
        (header("true"), false),
        ("format: ndjson".to_owned(), false),
        ("format: json, delimiter: array".to_owned(), false),
        ("format: parquet".to_owned(), false),
        ("format: avro".to_owned(), false),
    ] {
        let contract = |names: &[&str]| {
            let text = text.replace("FORMAT", &format).replace("COLUMNS", &order(names));
            parse("a.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"))
        };
        let changes = diff(&contract(&["a", "b", "c"]), &contract(&["a", "c", "b"]));
        assert_eq!(is_breaking(&changes), is_bound, "{format}: {changes:?}");
        assert_eq!(changes.is_empty(), !is_bound, "{format}: {changes:?}");
    }
}

/// Without what has no effect on files, rows and readers.
fn effects(mut contract: Contract) -> Contract {
    contract.version.clear();
    for check in &mut contract.quality {
        let severity = (!check.refuses()).then(|| "warning".to_owned());
        (check.path, check.name, check.severity) = (String::new(), None, severity);
    }
    for sla in &mut contract.sla {
        (sla.value_ext, sla.driver) = (None, None);
    }
    for column in &mut contract.entity.columns {
        if let Some(classification) = &mut column.classification {
            classification.clear();
        }
    }
    contract
}

const VALUES: [&str; 24] = [
    "true",
    "false",
    "0",
    "1",
    "3",
    "7.5",
    "[a]",
    "[1, 2]",
    "x",
    "lower",
    "upper",
    "string",
    "integer",
    "number",
    "date",
    "time",
    "timestamp",
    "reject",
    "keep",
    "text",
    "percent",
    "{required: [a]}",
    "{maxLength: 5}",
    "{minimum: 2}",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_change_is_told_exactly_when_there_is_an_effect(line in any::<Index>(), value in select(&VALUES[..]), key in any::<Index>()) {
        let mut lines: Vec<String> = EVERYTHING.lines().map(str::to_owned).collect();
        let line = line.index(lines.len());
        // Of a line such as `- {property: a, value: b}` any of the values.
        let colons: Vec<usize> = lines[line].match_indices(": ").map(|(at, _)| at).collect();
        prop_assume!(!colons.is_empty());
        let start = colons[key.index(colons.len())] + 2;
        let end = lines[line][start..].find([',', '}']).map_or(lines[line].len(), |at| start + at);
        lines[line].replace_range(start..end, value);
        let Ok(new) = parse("everything.yaml", &lines.join("\n")) else { return Ok(()) };
        let old = everything();
        let is_told = !diff(&old, &new).is_empty();
        prop_assert_eq!(is_told, effects(old) != effects(new), "{}", lines[line]);
    }
}

/// A CSV contract with these custom properties of its server.
fn csv(server: &str) -> Contract {
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
         servers: [{{server: raw, type: s3, location: 's3://raw/a/', format: csv, customProperties: [{server}]}}]\n\
         schema: [{{name: a, properties: [{{name: a, logicalType: string}}]}}]\n"
    );
    parse("a.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn what_happens_to_irregular_rows_and_names_is_compared_property_by_property() {
    let property = |value: Option<(&str, &str)>| {
        value.map_or(String::new(), |(name, value)| format!("{{property: penstock.{name}, value: {value}}}"))
    };
    for (old, new, expected) in [
        (None, Some(("ragged", "truncate")), "compatible: servers.penstock.ragged: reject → truncate"),
        (Some(("ragged", "pad")), None, "breaking: servers.penstock.ragged: pad → reject"),
        (
            Some(("ragged", "truncate")),
            Some(("ragged", "rescue")),
            "breaking: servers.penstock.ragged: truncate → rescue",
        ),
        (
            None,
            Some(("blankRows", "reject")),
            "breaking: servers.penstock.blankRows: blank rows are rejected",
        ),
        (
            Some(("blankRows", "reject")),
            Some(("blankRows", "skip")),
            "compatible: servers.penstock.blankRows: blank rows are skipped",
        ),
        (None, Some(("repeatedHeaders", "keep")), "breaking: servers.penstock.repeatedHeaders: skip → keep"),
        (
            None,
            Some(("headerCase", "insensitive")),
            "breaking: servers.penstock.headerCase: sensitive → insensitive",
        ),
        (
            Some(("emptyFile", "accept")),
            None,
            "breaking: servers.penstock.emptyFile: files without rows that were accepted are refused",
        ),
    ] {
        let changes = diff(&csv(&property(old)), &csv(&property(new)));
        assert_eq!(told(&changes), format!("    {expected}\n"), "{old:?} → {new:?}");
    }
    assert_eq!(diff(&csv(""), &csv("{property: penstock.blankRows, value: skip}")), []);
}

#[test]
fn promises_of_one_kind_are_compared_in_their_order() {
    let with = |values: &[u32]| {
        let sla: String = values
            .iter()
            .map(|value| format!("  - {{property: retention, value: {value}, unit: d}}\n"))
            .collect();
        let text = format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: active\n\
             servers: [{{server: raw, type: s3, location: 's3://raw/a/', format: csv}}]\nslaProperties:\n{sla}\
             schema: [{{name: a, properties: [{{name: id, logicalType: integer}}]}}]\n"
        );
        penstock_contract::parse("a.yaml", &text).unwrap()
    };
    let changes = |old: &[u32], new: &[u32]| penstock_contract::diff(&with(old), &with(new)).len();
    assert_eq!(changes(&[4, 5], &[4, 5]), 0);
    assert_eq!(changes(&[4, 5], &[4, 9]), 1);
    assert_eq!(changes(&[4], &[4, 5]), 1);
    assert_eq!(changes(&[4, 5], &[4]), 1);
}
