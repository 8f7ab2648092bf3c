//! The distinction between contracts that are invalid under the standard and those that are incomplete for Penstock.

use penstock_contract::{Document, SourceFile, parse_document};

const CASES: &str = include_str!("golden/levels.txt");

fn contract(part: &str, value: &str) -> String {
    let (version, part) = part.split_once(':').unwrap_or(("v3.1.0", part));
    let (mut root, mut object, mut properties) = ("", "", "{name: p, logicalType: string}");
    match part {
        "root" => root = value,
        "object" => object = value,
        "property" => properties = value,
        other => panic!("there is no part `{other}`"),
    }
    format!(
        "apiVersion: {version}\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n{root}\n\
         schema:\n  - name: a\n    {object}\n    properties: [{properties}]\n"
    )
}

fn read(text: &str) -> Result<Document, penstock_contract::ContractErrors> {
    parse_document(SourceFile { name: "a.yaml", text }, None, None)
}

#[test]
fn every_part_of_a_contract_has_the_level_of_the_table() {
    let mut wrong = String::new();
    for line in CASES.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let (level, rest) = line.split_once(' ').expect("a level");
        let (part, value) = rest.trim_start().split_once(' ').expect("a part");
        let (is_level, found) = match read(&contract(part, value)) {
            Ok(_) => ("ready", String::new()),
            Err(errors) if errors.only_need_more() => ("needs", errors.to_string()),
            Err(errors) => ("invalid", errors.to_string()),
        };
        let expected = if level == "ours" { "invalid" } else { level };
        if is_level != expected {
            wrong.push_str(&format!("{line}\n    is {is_level}: {found}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn an_error_that_the_validation_and_a_reader_find_is_reported_once() {
    for value in [
        "{name: p, logicalType: text}",
        "{name: p, logicalType: string, quality: [{metric: freshness, mustBe: 0}]}",
        "{name: p, logicalType: string, quality: [{metric: nullValues}]}",
        "{name: p, logicalType: string, quality: [{metric: nullValues, mustBe: 0, mustNotBe: 1}]}",
        "{name: p, logicalType: string, quality: [{metric: nullValues, mustBeBetween: [1, 2, 3]}]}",
        "{name: p, logicalType: string, quality: [{rule: nullCheck, mustBe: 0}]}",
        "{name: p, logicalType: string, quality: [{mustBe: 0}]}",
        "{name: p, logicalType: string, quality: [{type: soda}]}",
        "{name: p, logicalType: string, logicalTypeOptions: {maxLength: -1}}",
        "{name: p, logicalType: integer, logicalTypeOptions: {multipleOf: 0}}",
        "{name: p, logicalType: integer, logicalTypeOptions: {format: i256}}",
        "{name: p, logicalType: array, properties: [{name: q, logicalType: string}]}",
        "{logicalType: string}",
    ] {
        let errors = read(&contract("property", value)).expect_err(value);
        assert_eq!(errors.as_slice().len(), 1, "{value}:\n{errors}");
    }
}

#[test]
fn a_physical_type_of_a_member_is_noted_if_it_limits_values_more_than_the_checks_do() {
    let noted = |property: &str| -> Vec<String> {
        let notes = read(&contract("property", property)).unwrap_or_else(|errors| panic!("{errors}")).notes;
        notes.iter().map(ToString::to_string).collect()
    };
    let in_object =
        |member: &str| format!("{{name: p, logicalType: object, properties: [{{name: q, {member}}}]}}");
    let in_array = |member: &str| format!("{{name: p, logicalType: array, items: {{{member}}}}}");
    for member in [
        "logicalType: boolean, physicalType: bit",
        "logicalType: boolean, physicalType: char(1)",
        "logicalType: number, physicalType: integer",
        "logicalType: integer, physicalType: smallint",
        "logicalType: number, physicalType: 'numeric(5,2)'",
        "logicalType: string, physicalType: uuid",
        "logicalType: string, physicalType: varchar(2)",
        "logicalType: string, physicalType: \"enum('a','b')\"",
        "logicalType: string, physicalType: nonsense",
        "logicalType: date, physicalType: timestamp",
        "physicalType: smallint",
        "physicalType: varchar(2)",
    ] {
        for property in [in_object(member), in_array(member)] {
            let notes = noted(&property);
            assert_eq!(notes.len(), 1, "{property}: {notes:?}");
            assert!(
                notes[0].contains("physicalType: the physical type of a member is not applied"),
                "{notes:?}"
            );
        }
    }
    for member in [
        "logicalType: boolean, physicalType: boolean",
        "logicalType: string, physicalType: text",
        "logicalType: number, physicalType: numeric",
        "logicalType: timestamp, physicalType: timestamp",
        "logicalType: string, physicalType: uuid, logicalTypeOptions: {format: uuid}",
        "logicalType: object, physicalType: 'struct<a:int>'",
        "logicalType: array, physicalType: json",
        "logicalType: integer",
        "physicalType: text",
    ] {
        for property in [in_object(member), in_array(member)] {
            assert_eq!(noted(&property), [""; 0], "{property}");
        }
    }
    assert_eq!(noted("{name: p, logicalType: string, physicalType: varchar(2)}"), [""; 0], "a column");
    let deep = in_object(
        "logicalType: object, properties: [{name: r, logicalType: string, physicalType: varchar(2)}, \
                          {name: s, logicalType: integer, physicalType: int}]",
    );
    let notes = noted(&deep);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].contains("properties[0].properties[0].physicalType") && notes[0].ends_with("(and 1 more)")
    );
}

#[test]
fn parts_that_are_not_checked_or_have_no_effect_are_noted() {
    for (value, note) in [
        (
            "{name: p, logicalType: string, logicalTypeOptions: {format: sku}}",
            "schema[0].properties[0].logicalTypeOptions.format: values are not checked against the format `sku`",
        ),
        (
            "{name: p, logicalType: object, properties: [{name: q, logicalType: string, logicalTypeOptions: {format: sku}}]}",
            "schema[0].properties[0].properties[0].logicalTypeOptions.format: values are not checked",
        ),
        (
            "{name: p, logicalType: string, primaryKey: false, primaryKeyPosition: 1}",
            "primaryKeyPosition: has no effect without `primaryKey: true`",
        ),
        ("{name: p, physicalType: \"enum('a','b')\"}", "physicalType: the listed values are not checked"),
        (
            "{name: p, logicalType: string, physicalType: \"enum('a','b')\"}",
            "physicalType: the listed values are not checked",
        ),
        (
            "{name: p, logicalType: boolean, logicalTypeOptions: {a: b}}",
            "logicalTypeOptions: the options of a boolean have no effect",
        ),
    ] {
        let notes = read(&contract("property", value)).unwrap_or_else(|errors| panic!("{errors}")).notes;
        let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
        assert!(notes.iter().any(|found| found.contains(note)), "{value}: {notes:?}");
    }
    for value in [
        "{name: p, logicalType: string, logicalTypeOptions: {format: email}}",
        "{name: p, logicalType: string, primaryKeyPosition: -1}",
        "{name: p, logicalType: string, physicalType: enum}",
        "{name: p, physicalType: \"enum('a')\", quality: [{metric: invalidValues, arguments: {validValues: [a]}, mustBe: 0}]}",
    ] {
        let notes = read(&contract("property", value)).unwrap_or_else(|errors| panic!("{errors}")).notes;
        assert_eq!(notes, [], "{value}");
    }
}
