//! Each fault of a contract is told with its line, its path and its mend.

use penstock_contract::{ContractErrors, parse};

/// A valid contract. The tests below replace one piece of it, or several.
const VALID: &str = r#"apiVersion: v3.1.0
kind: DataContract
id: shop
name: shop
version: 1.0.0
status: active
servers:
  - server: raw
    type: s3
    location: s3://raw/shop/
    format: csv
    customProperties:
      - {property: penstock.delimiter, value: ";"}
      - {property: penstock.quote, value: '"'}
customProperties:
  - {property: penstock.write, value: upsert}
  - {property: penstock.eventTime, value: changed}
  - {property: penstock.priority, value: 3}
schema:
  - name: products
    physicalName: public.products
    properties:
      - name: id
        logicalType: string
        primaryKey: true
        primaryKeyPosition: 1
      - name: price
        logicalType: number
        logicalTypeOptions: {minimum: 0, maximum: 100}
        physicalType: numeric(12,2)
      - name: stock
        logicalType: boolean
        required: true
      - name: changed
        logicalType: timestamp
        logicalTypeOptions: {format: dd.MM.yyyy HH:mm}
        required: true
      - name: currency
        logicalType: string
        logicalTypeOptions: {minLength: 3, maxLength: 3, pattern: "^[A-Z]+$"}
        quality:
          - metric: invalidValues
            arguments: {validValues: [EUR, USD]}
            mustBe: 0
        customProperties:
          - {property: penstock.default, value: EUR}
"#;

fn errors(replacements: &[(&str, &str)]) -> ContractErrors {
    let text = replacements.iter().fold(VALID.to_owned(), |text, (from, to)| {
        assert_eq!(text.matches(from).count(), 1, "`{from}` stands once in the contract");
        text.replace(from, to)
    });
    parse("shop.yaml", &text).expect_err(&text)
}

/// The one error that a replacement leads to, as `line: path: message`.
fn error(from: &str, to: &str) -> String {
    let errors = errors(&[(from, to)]);
    let [error] = errors.as_slice() else { panic!("one error expected for `{to}`:\n{errors}") };
    format!("{}: {}: {}", error.line, error.path, error.message)
}

#[track_caller]
fn assert_error(from: &str, to: &str, start: &str, mend: &str) {
    let error = error(from, to);
    assert!(error.starts_with(start), "expected `{start}…`, got `{error}`");
    assert!(error.contains(mend), "expected `…{mend}…`, got `{error}`");
}

#[test]
fn the_contract_of_these_tests_is_valid() {
    let contract = parse("shop.yaml", VALID).expect("valid");
    assert_eq!(contract.entity.columns.len(), 5);
    assert_eq!(contract.load.event_time, Some(3));
}

#[test]
fn the_head_of_a_contract_is_checked() {
    for (from, to, start, mend) in [
        ("apiVersion: v3.1.0\n", "", "1: : `apiVersion` is missing", ""),
        ("apiVersion: v3.1.0", "apiVersion: v2.2.2", "1: apiVersion: `v2.2.2`", "one of `v3.1.0`"),
        ("kind: DataContract", "kind: Contract", "2: kind: `Contract`", "write `DataContract`"),
        ("id: shop\n", "id: 7\n", "3: id: must be a string, is the number `7`", "quotes: \"7\""),
        ("name: shop\n", "name: My Shop\n", "4: name: `My Shop` cannot name a source", "lower-case"),
        ("name: shop\n", "name: _shop\n", "4: name: `_shop`", "a letter or digit first"),
        ("version: 1.0.0", "version: 1.0", "5: version: must be a string, is the number `1.0`", "\"1.0\""),
        ("version: 1.0.0", "version: v1", "5: version: `v1` is not a version", "`1.0.0`"),
        ("version: 1.0.0", "version: 1.0.0+/../x", "5: version: `1.0.0+/../x`", "major.minor.patch"),
        ("status: active\n", "", "1: : `status` is missing", ""),
        ("status: active", "status: ''", "6: status: must not be empty", ""),
        (
            "status: active",
            "status: active\ntenent: x",
            "7: tenent: `tenent` is not a key",
            "did you mean `tenant`?",
        ),
        ("status: active", "status: active\nroute: x", "7: route: `route` is not a key", ""),
        (
            "status: active",
            "status: active\npenstock.route: auto",
            "7: penstock.route:",
            "under `customProperties`",
        ),
        ("status: active", "status: active\nx-owner: me", "7: x-owner:", "goes into `customProperties`"),
        ("status: active", "status: active\nroles: [{rol: a}]", "7: roles[0]: `role` is missing", ""),
    ] {
        let errors = errors(&[(from, to)]);
        let first = &errors.as_slice()[0];
        let told = format!("{}: {}: {}", first.line, first.path, first.message);
        assert!(told.starts_with(start) && told.contains(mend), "{to}: {told}");
    }
}

#[test]
fn the_server_is_checked() {
    for (from, to, start, mend) in [
        ("type: s3", "type: sftp", "9: servers[0].type: the first server must be", "`s3`"),
        ("location: s3://raw/shop/", "location: /raw", "10: servers[0].location: `/raw`", "s3://"),
        (
            "format: csv",
            "format: parquet",
            "11: servers[0].format: files of format `parquet` are not read",
            "`ndjson`",
        ),
        ("format: csv", "format: cvs", "11: servers[0].format:", "did you mean `csv`?"),
        (
            "format: csv",
            "format: csv\n    delimiter: ';'",
            "12: servers[0].delimiter:",
            "`penstock.delimiter`",
        ),
        ("format: csv", "format: csv\n    region: eu", "12: servers[0].region: `region` is not a key", ""),
        ("    format: csv\n", "", "8: servers[0]: `format` is missing", ""),
        (
            "value: \";\"",
            "value: \"ab\"",
            "13: servers[0].customProperties[0].value: `ab`",
            "one ASCII character",
        ),
        (
            "value: \";\"",
            "value: \"§\"",
            "13: servers[0].customProperties[0].value: `§`",
            "one ASCII character",
        ),
        ("value: \";\"", "value: a", "13: servers[0].customProperties[0].value:", "does not separate"),
        (
            "penstock.quote, value: '\"'",
            "penstock.quote, value: ';'",
            "14: servers[0].customProperties[1].value",
            "the same",
        ),
        (
            "penstock.quote, value: '\"'",
            "penstock.header, value: yes",
            "14: servers[0].customProperties[1].value",
            "write `true`",
        ),
        (
            "penstock.quote, value: '\"'",
            "penstock.compression, value: bzip2",
            "14: servers[0].customProperties[1]",
            "`gzip`",
        ),
        (
            "penstock.quote, value: '\"'",
            "penstock.write, value: append",
            "14: servers[0].customProperties[1].property",
            "of the contract",
        ),
    ] {
        assert_error(from, to, start, mend);
    }
    let json = errors(&[("format: csv", "format: json")]);
    assert!(json.to_string().contains("`delimiter: new_line`"), "{json}");
    let array = errors(&[("format: csv", "format: json\n    delimiter: array")]);
    assert!(array.to_string().contains("12: servers[0].delimiter: JSON arrays are not read"), "{array}");
    let ndjson = errors(&[("format: csv", "format: ndjson")]);
    assert_eq!(ndjson.as_slice().len(), 2, "{ndjson}");
    assert!(ndjson.to_string().contains("`penstock.delimiter` is for delimited files"), "{ndjson}");
}

#[test]
fn names_types_and_keys_of_columns_are_checked() {
    let columns = "schema[0].properties";
    for (from, to, start, mend) in [
        ("- name: id", "- name: _id", "23: schema[0].properties[0].name: `_id` begins with `_`", ""),
        ("- name: id", "- name: \"item no\"", "23: schema[0].properties[0].name:", "`physicalName`"),
        ("- name: id", "- name: ctid", "23: schema[0].properties[0].name: `ctid`", "keeps for itself"),
        ("- name: id", "- physicalName: id", "23: schema[0].properties[0]: `name` is missing", ""),
        (
            "- name: price",
            "- name: id",
            "27: schema[0].properties[1].name: a second column `id`",
            "schema[0].properties[0]",
        ),
        (
            "logicalType: number",
            "logicalType: decimal",
            "28: schema[0].properties[1].logicalType",
            "did you mean `number`?",
        ),
        (
            "logicalType: number",
            "logicalType: nubmer",
            "28: schema[0].properties[1].logicalType",
            "did you mean `number`?",
        ),
        (
            "logicalType: boolean",
            "logicalType: time",
            "32: schema[0].properties[2].logicalType",
            "one of `string`, `integer`",
        ),
        ("        logicalType: boolean\n", "", "31: schema[0].properties[2]: `logicalType` is missing", ""),
        (
            "numeric(12,2)",
            "numeric(12,20)",
            "30: schema[0].properties[1].physicalType",
            "the scale 0 to the precision",
        ),
        ("numeric(12,2)", "nummeric", "30: schema[0].properties[1].physicalType", "PostgreSQL type"),
        (
            "numeric(12,2)",
            "text",
            "30: schema[0].properties[1].physicalType: `text` does not hold",
            "write `numeric`",
        ),
        (
            "required: true\n      - name: changed",
            "requierd: true\n      - name: changed",
            "33: schema[0].properties[2].requierd",
            "did you mean `required`?",
        ),
        (
            "required: true\n      - name: changed",
            "required: yes\n      - name: changed",
            "33: schema[0].properties[2].required: must be `true` or `false`",
            "write `true`",
        ),
        (
            "required: true\n      - name: changed",
            "enum: [a]\n      - name: changed",
            "33: schema[0].properties[2].enum",
            "metric: invalidValues",
        ),
        (
            "primaryKeyPosition: 1",
            "primaryKeyPosition: 0",
            "26: schema[0].properties[0].primaryKeyPosition: counts from 1",
            "",
        ),
        (
            "        primaryKey: true\n        primaryKeyPosition: 1\n",
            "",
            "16: customProperties[0].value: `upsert` needs a primary key",
            "append",
        ),
        (
            "        primaryKey: true\n",
            "",
            "25: schema[0].properties[0].primaryKeyPosition",
            "without `primaryKey: true`",
        ),
        (
            "numeric(12,2)",
            "numeric(12,2)\n        primaryKey: true",
            "27: schema[0].properties[1]: `primaryKeyPosition` is missing",
            "",
        ),
        (
            "numeric(12,2)",
            "numeric(12,2)\n        primaryKey: true\n        primaryKeyPosition: 1",
            "27: schema[0].properties[1]: a second column with `primaryKeyPosition: 1`",
            "",
        ),
        (
            "physicalName: public.products",
            "physicalName: penstock.products",
            "21: schema[0].physicalName: the schema `penstock`",
            "public",
        ),
        (
            "physicalName: public.products",
            "physicalName: a.b.c",
            "21: schema[0].physicalName: `a.b.c` is not a table",
            "",
        ),
    ] {
        assert_error(from, to, start, mend);
    }
    let second = errors(&[("schema:\n", "schema:\n  - name: first\n    properties: []\n")]);
    assert!(
        second.to_string().contains("22: schema[1]: a second entity; one entity a contract, for now"),
        "{second}"
    );
    assert!(!second.to_string().contains(columns), "{second}");
}

#[test]
fn rules_are_checked() {
    for (from, to, start, mend) in [
        (
            "minimum: 0",
            "minimun: 0",
            "29: schema[0].properties[1].logicalTypeOptions.minimun",
            "did you mean `minimum`?",
        ),
        (
            "minimum: 0",
            "minLength: 0",
            "29: schema[0].properties[1].logicalTypeOptions.minLength",
            "one of `minimum`",
        ),
        (
            "minimum: 0",
            "minimum: zero",
            "29: schema[0].properties[1].logicalTypeOptions.minimum: must be a number",
            "",
        ),
        (
            "minimum: 0",
            "minimum: 0x10",
            "29: schema[0].properties[1].logicalTypeOptions.minimum: `0x10`",
            "decimal number",
        ),
        (
            "minimum: 0",
            "minimum: .nan",
            "29: schema[0].properties[1].logicalTypeOptions.minimum: `.nan`",
            "decimal number",
        ),
        (
            "minimum: 0",
            "minimum: 100.01",
            "29: schema[0].properties[1].logicalTypeOptions: no value lies between",
            "100.01",
        ),
        (
            "minimum: 0",
            "exclusiveMinimum: 100",
            "29: schema[0].properties[1].logicalTypeOptions: no value lies between",
            "",
        ),
        (
            "minimum: 0",
            "exclusiveMinimum: true",
            "29: schema[0].properties[1].logicalTypeOptions.exclusiveMinimum",
            "`exclusiveMinimum: <value>`",
        ),
        (
            "minimum: 0",
            "minimum: 0, exclusiveMinimum: 0",
            "29: schema[0].properties[1].logicalTypeOptions.exclusiveMinimum",
            "keep one",
        ),
        (
            "minimum: 0",
            "multipleOf: 0",
            "29: schema[0].properties[1].logicalTypeOptions.multipleOf: `0` must be above 0",
            "",
        ),
        (
            "minimum: 0",
            "format: i32",
            "29: schema[0].properties[1].logicalTypeOptions.format",
            "did you mean `f32`?",
        ),
        (
            "minLength: 3",
            "minLength: 4",
            "40: schema[0].properties[4].logicalTypeOptions: minLength 4 is more than maxLength 3",
            "",
        ),
        (
            "minLength: 3",
            "minLength: -3",
            "40: schema[0].properties[4].logicalTypeOptions.minLength: `-3`",
            "at least 0",
        ),
        (
            "^[A-Z]+$",
            "^[A-Z+$",
            "40: schema[0].properties[4].logicalTypeOptions.pattern",
            "unclosed character class",
        ),
        ("^[A-Z]+$", "^(?=A)", "40: schema[0].properties[4].logicalTypeOptions.pattern", "look-around"),
        (
            "dd.MM.yyyy HH:mm",
            "dd.mm.yyyy HH:mm",
            "36: schema[0].properties[3].logicalTypeOptions.format",
            "months are `M`",
        ),
        (
            "dd.MM.yyyy HH:mm",
            "YYYY-MM-dd",
            "36: schema[0].properties[3].logicalTypeOptions.format",
            "did you mean `yyyy`?",
        ),
        (
            "{format: dd.MM.yyyy HH:mm}",
            "{minimum: 1.1.2020}",
            "36: schema[0].properties[3].logicalTypeOptions.minimum",
            "2024-01-31",
        ),
        (
            "{format: dd.MM.yyyy HH:mm}",
            "{defaultTimezone: Berlin Mitte}",
            "36: schema[0].properties[3].logicalTypeOptions.defaultTimezone",
            "Europe/Berlin",
        ),
        (
            "HH:mm}",
            "HH:mm, timezone: true}",
            "36: schema[0].properties[3].logicalTypeOptions.timezone",
            "add `XXX`",
        ),
        (
            "validValues: [EUR, USD]",
            "validValues: [EURO, EUR]",
            "43: schema[0].properties[4].quality[0].arguments.validValues[0]: `EURO`",
            "maxLength 3",
        ),
        (
            "validValues: [EUR, USD]",
            "validValues: [EUR, EUR]",
            "43: schema[0].properties[4].quality[0].arguments.validValues[1]",
            "twice",
        ),
        (
            "validValues: [EUR, USD]",
            "validValues: []",
            "43: schema[0].properties[4].quality[0].arguments.validValues",
            "at least one",
        ),
        (
            "arguments: {validValues: [EUR, USD]}",
            "arguments: {}",
            "42: schema[0].properties[4].quality[0]: `invalidValues` needs",
            "",
        ),
        (
            "validValues: [EUR, USD]",
            "pattern: EUR",
            "43: schema[0].properties[4].quality[0].arguments.pattern: a second pattern",
            "",
        ),
        (
            "metric: invalidValues",
            "metrik: invalidValues",
            "42: schema[0].properties[4].quality[0].metrik",
            "did you mean `metric`?",
        ),
    ] {
        assert_error(from, to, start, mend);
    }
}

#[test]
fn custom_properties_are_checked() {
    let default = "{property: penstock.default, value: EUR}";
    let here = "46: schema[0].properties[4].customProperties[0]";
    for (to, start, mend) in [
        (
            "{property: penstock.defautl, value: EUR}",
            ".property: `penstock.defautl`",
            "did you mean `penstock.default`?",
        ),
        (
            "{property: penstok.default, value: EUR}",
            ".property: `penstok.default`",
            "did you mean `penstock.default`?",
        ),
        (
            "{property: penstock.priority, value: 3}",
            ".property: `penstock.priority` has no effect here",
            "of the contract",
        ),
        (
            "{property: penstock.colour, value: 3}",
            ".property: `penstock.colour` is not",
            "one of `penstock.constant`",
        ),
        ("{property: penstock.default}", ": `value` is missing", ""),
        (
            "{property: penstock.default, value: GBP}",
            ".value: `GBP` is not one of the values allowed: `EUR`, `USD`",
            "",
        ),
        ("{property: penstock.default, value: eur}", ".value: `eur` does not match the pattern", ""),
        (
            "{property: penstock.default, value: [EUR]}",
            ".value: must be a string, number or boolean, is a list",
            "",
        ),
        (
            "{property: penstock.case, value: Upper}",
            ".value: `Upper` is not a letter case",
            "did you mean `upper`?",
        ),
        ("{property: penstock.trim, value: 'false'}", ".value: must be `true` or `false`", "without quotes"),
        ("{property: penstock.extract, value: '[a-z]+'}", ".value: has no group", "parentheses"),
        (
            "{property: penstock.extract, value: '('}",
            ".value: `(` is not a regular expression",
            "unclosed group",
        ),
        ("{property: penstock.nullValues, value: n/a}", ".value: must be a list", ""),
        (
            "{property: penstock.decimalSeparator, value: ','}",
            ".value: `penstock.decimalSeparator` is for numbers",
            "",
        ),
        ("{property: penstock.trueValues, value: [Y]}", ".value: `penstock.trueValues` is for booleans", ""),
    ] {
        let error = errors(&[(default, to)]).as_slice()[0].clone();
        let told = format!("{}: {}: {}", error.line, error.path, error.message);
        let start = format!("{here}{start}");
        assert!(told.starts_with(&start) && told.contains(mend), "{to}: expected `{start}`, got `{told}`");
    }
    let misspelt = errors(&[(default, "{property: penstock.default, values: EUR}")]).to_string();
    assert!(misspelt.contains("`value` is missing"), "{misspelt}");
    assert!(
        misspelt.contains("`values` is not a key of ODCS v3.1 here; did you mean `value`?"),
        "{misspelt}"
    );
    let twice = format!("{default}\n          - {default}");
    assert_error(
        default,
        &twice,
        "47: schema[0].properties[4].customProperties[1].property: `penstock.default` stands twice",
        "",
    );
    let constant = format!("{default}\n          - {{property: penstock.constant, value: EUR}}");
    assert_error(
        default,
        &constant,
        "46: schema[0].properties[4].customProperties[0].value",
        "no effect beside",
    );
}

#[test]
fn settings_of_the_load_are_checked() {
    for (from, to, start, mend) in [
        ("value: upsert", "value: upsrt", "16: customProperties[0].value: `upsrt`", "did you mean `upsert`?"),
        (
            "value: changed",
            "value: chnaged",
            "17: customProperties[1].value: there is no column `chnaged`",
            "did you mean `changed`?",
        ),
        (
            "value: changed",
            "value: price",
            "17: customProperties[1].value: `price` is not a date or timestamp",
            "",
        ),
        ("value: 3}", "value: 40000}", "18: customProperties[2].value: `40000`", "-32768 to 32767"),
        ("value: 3}", "value: high}", "18: customProperties[2].value: must be a whole number", ""),
        (
            "penstock.priority, value: 3",
            "penstock.route, value: lamda",
            "18: customProperties[2].value: `lamda`",
            "did you mean `lambda`?",
        ),
        (
            "penstock.priority, value: 3",
            "penstock.maxRejects, value: -1",
            "18: customProperties[2].value: `-1`",
            "at least 0",
        ),
        (
            "penstock.priority, value: 3",
            "penstock.maxRejectsPercent, value: 101",
            "18: customProperties[2].value: `101`",
            "0 to 100",
        ),
        (
            "penstock.priority, value: 3",
            "penstock.trim, value: false",
            "18: customProperties[2].property: `penstock.trim`",
            "of a property",
        ),
        (
            "HH:mm}\n        required: true",
            "HH:mm}",
            "17: customProperties[1].value: `changed` must be `required: true`",
            "",
        ),
    ] {
        assert_error(from, to, start, mend);
    }
}

#[test]
fn all_errors_are_told_at_once_in_the_order_of_the_file() {
    let errors = errors(&[
        ("kind: DataContract", "kind: Contract"),
        ("format: csv", "format: cvs"),
        ("value: 3}", "value: high}"),
        ("logicalType: number", "logicalType: decimal"),
        ("dd.MM.yyyy HH:mm", "dd.mm.yyyy HH:mm"),
        ("value: EUR", "value: [EUR]"),
    ]);
    let lines: Vec<usize> = errors.as_slice().iter().map(|error| error.line).collect();
    assert_eq!(lines, [2, 11, 18, 28, 36, 46], "{errors}");
    let told = errors.to_string();
    assert_eq!(told.lines().count(), 6);
    assert!(told.starts_with("shop.yaml:2: kind: `Contract` is not a kind of document"), "{told}");
    let columns: Vec<usize> = errors.as_slice().iter().map(|error| error.column).collect();
    assert_eq!(columns, [7, 13, 42, 22, 38, 49], "{errors}");
}

#[test]
fn yaml_that_cannot_be_read_is_told_with_its_line() {
    for (text, start) in [
        ("", "c.yaml:1: the file is empty"),
        ("# only a comment\n", "c.yaml:1: the file is empty"),
        ("just text", "c.yaml:1: must be a mapping"),
        ("a: 1\na: 2\n", "c.yaml:2: the key `a` stands twice, first in line 1"),
        ("a: [1, 2\n", "c.yaml:1: not valid YAML"),
        ("a: b: c\n", "c.yaml:1: not valid YAML"),
        ("a: *unknown\n", "c.yaml:1: not valid YAML"),
        ("a: &a [*a]\n", "c.yaml:1: an alias to a node that it stands in"),
        ("a: !ruby/object x\n", "c.yaml:1: the tag"),
        ("a: 1\n---\nb: 2\n", "c.yaml:2: a second document"),
        ("? [a]\n: b\n", "c.yaml:1: a key that is a list"),
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
fn files_that_are_meant_to_do_harm_are_refused_in_little_time() {
    let started = std::time::Instant::now();
    let laughs = (1..20).fold("a0: &a0 [lol, lol]\n".to_owned(), |text, level| {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        format!("{text}a{level}: &a{level} [{aliases}]\n")
    });
    let huge = "a: b\n".repeat(2 << 20);
    let wide = format!("{{{}}}", (0..60_000).map(|key| format!("k{key}: 1, ")).collect::<String>());
    let deep = format!("a: {}", "[".repeat(100_000));
    let deep_block: String = (0..5_000).map(|level| format!("{}-\n", " ".repeat(level % 100))).collect();
    for text in [laughs, huge, wide, deep, deep_block] {
        let errors = parse("c.yaml", &text).expect_err("harmful");
        assert!(errors.as_slice().len() <= 501);
    }
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
