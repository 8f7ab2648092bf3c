//! Each change of a contract is reported as compatible or breaking.

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

/// Returns the contract with `from` replaced by `to`.
fn changed(from: &str, to: &str) -> Contract {
    let (from, to) = (from.replace("\\n", "\n"), to.replace("\\n", "\n"));
    assert_eq!(EVERYTHING.matches(&from).count(), 1, "`{from}` occurs once in the contract");
    parse("everything.yaml", &EVERYTHING.replace(&from, &to))
        .unwrap_or_else(|errors| panic!("{to}:\n{errors}"))
}

fn report(changes: &[Change]) -> String {
    changes.iter().map(|change| format!("    {change}\n")).collect()
}

#[test]
fn each_change_and_its_reverse_are_reported_as_compatible_or_breaking() {
    let mut text = String::new();
    for line in CASES.lines().filter(|line| !line.starts_with(' ')) {
        writeln!(text, "{line}").expect("a string grows");
        let Some((from, to)) = line.split_once(" ⇒").filter(|_| !line.starts_with('#')) else { continue };
        let new = changed(from, to.strip_prefix(' ').unwrap_or(to));
        text.push_str(&report(&diff(&everything(), &new)));
        text.push_str("  back\n");
        text.push_str(&report(&diff(&new, &everything())));
    }
    if std::env::var("PENSTOCK_GOLDEN").as_deref() == Ok("write") {
        let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/changes.txt");
        std::fs::write(golden, &text).expect("the golden file can be written");
        return;
    }
    for (line, (line_now, golden)) in text.lines().zip(CASES.lines()).enumerate() {
        assert_eq!(line_now, golden, "line {} of golden/changes.txt", line + 1);
    }
    assert_eq!(text.lines().count(), CASES.lines().count());
}

#[test]
fn a_contract_has_no_changes_to_itself_or_to_one_with_another_description() {
    assert_eq!(diff(&everything(), &everything()), []);
    assert_eq!(diff(&everything(), &changed("Shows what is read.", "Shows all that is read.")), []);
}

/// Tests the version that a change requires, and the order of versions.
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
        ("2.1.0", "2.1.0-rc.2", compatible, Some("did not increase")),
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

/// Returns a contract with these columns, for files of this format, with these custom properties.
fn of_columns(format: &str, properties: &str, columns: &[&str]) -> Contract {
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
         servers: [{{server: raw, type: s3, location: 's3://raw/a/'{format}}}]\n\
         schema: [{{name: a, customProperties: [{properties}], properties: [{}]}}]\n",
        columns.join(", ")
    );
    parse("a.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

const UNDECLARED: &str = ", format: csv";
const HEADER: &str = ", format: csv, customProperties: [{property: penstock.header, value: true}]";
const HEADER_ROWS: &str = ", format: csv, customProperties: [{property: penstock.headerRows, value: 2}]";
const NO_HEADER: &str = ", format: csv, customProperties: [{property: penstock.header, value: false}]";
const PADDED: &str = ", format: csv, customProperties: [{property: penstock.header, value: false}, \
                      {property: penstock.ragged, value: pad}]";
const DETECTED: &str = "";
const NDJSON: &str = ", format: ndjson";
const PARQUET: &str = ", format: parquet";
const MAY_LACK: &str = "{property: penstock.missingColumns, value: 'null'}";

const A: &str = "{name: a, logicalType: string}";
const B: &str = "{name: b, logicalType: string}";
const C: &str = "{name: c, logicalType: string}";
const OF_A: &str = "{name: b, physicalName: a, logicalType: string}";
const DEFAULT: &str =
    "{name: b, logicalType: string, customProperties: [{property: penstock.default, value: x}]}";
const CONSTANT: &str =
    "{name: b, logicalType: string, customProperties: [{property: penstock.constant, value: x}]}";
const REQUIRED: &str = "{name: b, logicalType: string, required: true}";

#[test]
fn a_new_column_is_breaking_exactly_if_existing_files_may_be_refused_or_shifted() {
    for (format, properties, new, breaks) in [
        (HEADER, "", &[A, B][..], true),
        (HEADER, MAY_LACK, &[A, B], false),
        (HEADER, MAY_LACK, &[A, REQUIRED], true),
        (HEADER, "", &[A, OF_A], false),
        (HEADER, "", &[A, DEFAULT], false),
        (HEADER, "", &[DEFAULT, A], false),
        (HEADER, "", &[A, CONSTANT], false),
        (HEADER_ROWS, "", &[A, DEFAULT], false),
        // Without a header, the number of fields is that of the contract's columns.
        (UNDECLARED, "", &[A, DEFAULT], true),
        (UNDECLARED, "", &[DEFAULT, A], true),
        (UNDECLARED, MAY_LACK, &[A, B], true),
        (UNDECLARED, "", &[A, OF_A], false),
        (UNDECLARED, "", &[A, CONSTANT], false),
        (UNDECLARED, "", &[CONSTANT, A], false),
        (NO_HEADER, "", &[A, DEFAULT], true),
        (NO_HEADER, "", &[A, OF_A], false),
        (NO_HEADER, "", &[A, CONSTANT], false),
        (PADDED, "", &[A, DEFAULT], false),
        (PADDED, "", &[A, B], false),
        (PADDED, "", &[A, REQUIRED], true),
        (PADDED, "", &[DEFAULT, A], true),
        (DETECTED, "", &[A, B], true),
        (DETECTED, "", &[A, DEFAULT], true),
        (DETECTED, "", &[A, CONSTANT], false),
        (NDJSON, "", &[A, B], false),
        (PARQUET, "", &[A, B], true),
        (PARQUET, "", &[A, DEFAULT], false),
    ] {
        let changes = diff(&of_columns(format, properties, &[A]), &of_columns(format, properties, new));
        assert!(!changes.is_empty(), "{format} {properties} {new:?}");
        assert_eq!(is_breaking(&changes), breaks, "{format} {properties} {new:?}: {changes:?}");
    }
}

#[test]
fn moved_columns_are_breaking_exactly_if_fields_may_be_assigned_by_order() {
    for (format, is_bound) in [
        (UNDECLARED, true),
        (", format: tsv", true),
        (DETECTED, true),
        (NO_HEADER, true),
        (PADDED, true),
        (HEADER, false),
        (HEADER_ROWS, false),
        (NDJSON, false),
        (", format: json", false),
        (", format: json, delimiter: array", false),
        (PARQUET, false),
        (", format: avro", false),
    ] {
        for moved in [[A, C, B], [B, A, C], [C, A, B]] {
            let changes = diff(&of_columns(format, "", &[A, B, C]), &of_columns(format, "", &moved));
            assert_eq!(is_breaking(&changes), is_bound, "{format}: {changes:?}");
            assert_eq!(changes.is_empty(), !is_bound, "{format}: {changes:?}");
        }
    }
}

#[test]
fn a_column_that_is_removed_or_renamed_is_breaking_in_every_format() {
    let renamed = "{name: c, physicalName: b, logicalType: string}";
    let from_another = "{name: b, physicalName: c, logicalType: string}";
    let swapped = ["{name: a, physicalName: b, logicalType: string}", OF_A];
    for format in [UNDECLARED, DETECTED, NO_HEADER, PADDED, HEADER, NDJSON, PARQUET] {
        for new in [&[A][..], &[B], &[A, renamed], &[A, from_another], &swapped, &[A, C]] {
            let changes = diff(&of_columns(format, "", &[A, B]), &of_columns(format, "", new));
            assert!(is_breaking(&changes), "{format} {new:?}: {changes:?}");
        }
    }
    for [old, new] in [
        [UNDECLARED, HEADER],
        [UNDECLARED, NO_HEADER],
        [HEADER, UNDECLARED],
        [DETECTED, UNDECLARED],
        [UNDECLARED, DETECTED],
        [DETECTED, PARQUET],
        [UNDECLARED, ", format: tsv"],
    ] {
        let changes = diff(&of_columns(old, "", &[A, B]), &of_columns(new, "", &[B, A]));
        assert!(is_breaking(&changes), "{old} → {new}: {changes:?}");
    }
}

/// Returns the contract without the parts that have no effect on files, rows and readers.
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
    fn a_change_is_reported_exactly_if_it_has_an_effect(line in any::<Index>(), value in select(&VALUES[..]), key in any::<Index>()) {
        let mut lines: Vec<String> = EVERYTHING.lines().map(str::to_owned).collect();
        let line = line.index(lines.len());
        // Replaces any of the values of a line such as `- {property: a, value: b}`.
        let colons: Vec<usize> = lines[line].match_indices(": ").map(|(at, _)| at).collect();
        prop_assume!(!colons.is_empty());
        let start = colons[key.index(colons.len())] + 2;
        let end = lines[line][start..].find([',', '}']).map_or(lines[line].len(), |at| start + at);
        lines[line].replace_range(start..end, value);
        let Ok(new) = parse("everything.yaml", &lines.join("\n")) else { return Ok(()) };
        let old = everything();
        let is_reported = !diff(&old, &new).is_empty();
        prop_assert_eq!(is_reported, effects(old) != effects(new), "{}", lines[line]);
    }
}

/// Returns a CSV contract with these custom properties of its server.
fn csv(server: &str) -> Contract {
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
         servers: [{{server: raw, type: s3, location: 's3://raw/a/', format: csv, customProperties: [{server}]}}]\n\
         schema: [{{name: a, properties: [{{name: a, logicalType: string}}]}}]\n"
    );
    parse("a.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_treatment_of_irregular_rows_and_names_is_compared_by_property() {
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
        assert_eq!(report(&changes), format!("    {expected}\n"), "{old:?} → {new:?}");
    }
    assert_eq!(diff(&csv(""), &csv("{property: penstock.blankRows, value: skip}")), []);
}

/// Returns a contract with this condition for the number of rows of a batch.
fn of_row_count(operator: &str) -> Contract {
    let server = "servers: [{server: raw, type: s3, location: 's3://raw/a/', format: csv}]";
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n{server}\n\
         schema: [{{name: a, properties: [{A}], quality: [{{metric: rowCount, {operator}}}]}}]\n"
    );
    parse("a.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn a_check_is_compatible_with_another_exactly_if_it_allows_every_count_that_the_other_allows() {
    let mut operators =
        vec!["mustBe: 0".to_owned(), "mustNotBe: 0".to_owned(), "mustBeGreaterThan: 0".to_owned()];
    for one in [1, 2, 5] {
        for name in [
            "mustBe",
            "mustNotBe",
            "mustBeGreaterThan",
            "mustBeGreaterOrEqualTo",
            "mustBeLessThan",
            "mustBeLessOrEqualTo",
        ] {
            operators.push(format!("{name}: {one}"));
        }
    }
    for name in ["mustBeBetween", "mustNotBeBetween"] {
        operators.extend([[0, 5], [0, 2], [2, 5]].map(|range| format!("{name}: {range:?}")));
    }
    let contracts: Vec<Contract> = operators.iter().map(|operator| of_row_count(operator)).collect();
    for (old, was) in contracts.iter().zip(&operators) {
        for (new, is) in contracts.iter().zip(&operators) {
            let passes = |contract: &Contract, count: u64| contract.quality[0].passes(count, 10);
            let allows_all = (0..10).all(|count| passes(new, count) || !passes(old, count));
            let changes = diff(old, new);
            assert!(allows_all || is_breaking(&changes), "{was} → {is}: {changes:?}");
        }
    }
    for (was, is) in [
        ("mustBeBetween: [0, 5]", "mustBeLessThan: 5"),
        ("mustBeBetween: [0, 5]", "mustBeLessOrEqualTo: 5"),
        ("mustBeBetween: [2, 5]", "mustBeGreaterThan: 2"),
        ("mustBe: 2", "mustBeBetween: [0, 5]"),
        ("mustBe: 0", "mustBeLessThan: 5"),
        ("mustBe: 2", "mustNotBe: 5"),
        ("mustBeLessThan: 5", "mustBeLessOrEqualTo: 5"),
        ("mustBeLessThan: 2", "mustNotBe: 2"),
        ("mustBeGreaterThan: 5", "mustNotBeBetween: [2, 5]"),
        ("mustNotBeBetween: [0, 5]", "mustNotBeBetween: [2, 5]"),
        ("mustBeLessThan: 5", "mustBeGreaterOrEqualTo: 0"),
    ] {
        let changes = diff(&of_row_count(was), &of_row_count(is));
        assert!(!changes.is_empty() && !is_breaking(&changes), "{was} → {is}: {changes:?}");
    }
}

#[test]
fn a_default_is_breaking_exactly_if_missing_values_were_stored() {
    const REQUIRED_DEFAULT: &str = "{name: b, logicalType: string, required: true, \
                                    customProperties: [{property: penstock.default, value: x}]}";
    for (old, new, breaks) in [(B, DEFAULT, true), (DEFAULT, B, true), (REQUIRED, REQUIRED_DEFAULT, false)] {
        let changes = diff(&of_columns(HEADER, "", &[A, old]), &of_columns(HEADER, "", &[A, new]));
        assert_eq!(changes.len(), 1, "{changes:?}");
        assert_eq!(is_breaking(&changes), breaks, "{changes:?}");
    }
}

#[test]
fn promises_of_the_same_kind_are_compared_in_order() {
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
