//! Quality checks of a whole batch and promises are read from a contract.

use penstock_contract::*;
use proptest::prelude::*;

const COLUMNS: &str = "{name: id, logicalType: string}, {name: price, logicalType: number}";

/// Returns the text of a contract of this version with these checks on its second column and on its schema.
fn contract_text(api_version: &str, of_column: &str, of_schema: &str, head: &str) -> String {
    let columns = COLUMNS.replace("number}", &format!("number, quality: [{of_column}]}}"));
    format!(
        "apiVersion: {api_version}\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
         servers: [{{server: raw, type: s3, location: 's3://raw/a/', format: csv}}]\n{head}\
         schema: [{{name: a, quality: [{of_schema}], properties: [{columns}]}}]\n"
    )
}

fn contract(api_version: &str, of_column: &str, of_schema: &str, head: &str) -> Contract {
    let text = contract_text(api_version, of_column, of_schema, head);
    parse("a.yaml", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn of_column(check: &str) -> QualityCheck {
    let mut checks = contract("v3.1.0", check, "", "").quality;
    assert_eq!(checks.len(), 1, "{check}");
    checks.remove(0)
}

fn of_schema(check: &str) -> QualityCheck {
    let mut checks = contract("v3.1.0", "", check, "").quality;
    assert_eq!(checks.len(), 1, "{check}");
    checks.remove(0)
}

#[test]
fn a_check_is_displayed_in_words() {
    for (check, words) in [
        ("{metric: nullValues, mustBe: 0}", "the number of rows without a value is exactly 0"),
        (
            "{metric: nullValues, mustBeLessThan: 1.50, unit: percent}",
            "the percentage of rows without a value is less than 1.5",
        ),
        (
            "{metric: missingValues, arguments: {missingValues: [null, '', N/A, 0]}, mustNotBe: 3}",
            "the number of rows without a value or with one of `N/A`, `0` is anything but 3",
        ),
        (
            "{metric: missingValues, mustBeLessOrEqualTo: 3}",
            "the number of rows without a value is at most 3",
        ),
        (
            "{metric: invalidValues, arguments: {validValues: [1, 2]}, mustBeLessThan: 5}",
            "the number of rows with a value other than `1`, `2` is less than 5",
        ),
        (
            "{metric: duplicateValues, mustBeGreaterOrEqualTo: 2}",
            "the number of rows that repeat the values of an earlier row is at least 2",
        ),
        (
            "{metric: duplicateValues, mustBeBetween: [1, 2.5], unit: percent}",
            "the percentage of rows that repeat the values of an earlier row is more than 1 and less than 2.5",
        ),
        (
            "{metric: nullValues, mustNotBeBetween: [1, 4]}",
            "the number of rows without a value is at most 1 or at least 4",
        ),
    ] {
        assert_eq!(of_column(check).to_string(), words, "{check}");
    }
    assert_eq!(
        of_schema("{metric: rowCount, mustBeGreaterThan: 100}").to_string(),
        "the number of rows is more than 100"
    );
}

#[test]
fn a_check_has_its_path_its_name_and_its_columns() {
    let check = of_column("{metric: nullValues, mustBe: 0, name: prices, severity: warning}");
    assert_eq!(check.path, "schema[0].properties[1].quality[0]");
    assert_eq!((check.name.as_deref(), check.severity.as_deref()), (Some("prices"), Some("warning")));
    assert_eq!((check.column, check.unit), (Some(1), Unit::Rows));

    let own = of_column("{metric: duplicateValues, mustBe: 0}");
    assert_eq!(own.metric, Metric::DuplicateValues { columns: vec![1] });
    let several = of_schema("{metric: duplicateValues, arguments: {properties: [price, id]}, mustBe: 0}");
    assert_eq!((several.metric, several.column), (Metric::DuplicateValues { columns: vec![1, 0] }, None));
}

#[test]
fn invalid_values_that_must_be_zero_are_a_row_rule_for_any_spelling_of_zero() {
    for zero in ["0", "0.0", "0, unit: percent"] {
        let check = format!("{{metric: invalidValues, arguments: {{validValues: [1]}}, mustBe: {zero}}}");
        let contract = contract("v3.1.0", &check, "", "");
        assert_eq!(contract.entity.columns[1].rules.allowed, ["1"], "{zero}");
        assert!(contract.quality.is_empty(), "{zero}");
    }
}

#[test]
fn invalid_values_that_only_warn_are_counted_and_are_not_a_row_rule() {
    for severity in ["warning", "info", "Warning"] {
        let check = format!(
            "{{metric: invalidValues, arguments: {{validValues: [1]}}, mustBe: 0, severity: {severity}}}"
        );
        let contract = contract("v3.1.0", &check, "", "");
        assert!(contract.entity.columns[1].rules.allowed.is_empty(), "{severity}");
        assert_eq!(contract.quality.len(), 1, "{severity}");
        assert!(!contract.quality[0].refuses());
        assert_eq!(contract.quality[0].column, Some(1));
    }
    let rule = contract("v3.0.2", "{rule: validValues, validValues: [1, 2], severity: warning}", "", "");
    assert!(rule.entity.columns[1].rules.allowed.is_empty());
    assert_eq!(
        rule.quality[0].to_string(),
        "the number of rows with a value other than `1`, `2` is exactly 0"
    );
    let strict = contract(
        "v3.1.0",
        "{metric: invalidValues, arguments: {validValues: [1]}, mustBe: 0, severity: error}",
        "",
        "",
    );
    assert_eq!(strict.entity.columns[1].rules.allowed, ["1"]);
}

#[test]
fn an_unknown_severity_is_noted_and_refuses_the_batch() {
    let note =
        "`warn` is treated as `error`; with `warning` or `info`, the check would only report its count";
    for (severity, expected) in
        [("warn", Some(note)), ("error", None), ("Error", None), ("WARNING", None), ("info", None)]
    {
        let check = format!("{{metric: nullValues, mustBe: 0, severity: {severity}}}");
        let text = contract_text("v3.1.0", &check, "", "");
        let document = parse_document(SourceFile { name: "a.yaml", text: &text }, None, None).unwrap();
        let notes: Vec<&str> = document.notes.iter().map(|note| note.message.as_str()).collect();
        assert_eq!(notes, Vec::from_iter(expected), "{severity}");
        let refuses = document.contracts[0].quality[0].refuses();
        assert_eq!(refuses, ["warn", "error", "Error"].contains(&severity), "{severity}");
    }
}

#[test]
fn a_listed_value_that_can_never_match_is_noted() {
    let notes = |list: &str, custom: &str, severity: &str| {
        let custom: Vec<String> = custom
            .split_terminator(' ')
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| format!("{{property: penstock.{name}, value: {value}}}"))
            .collect();
        let text = format!(
            "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
             servers: [{{server: raw, type: s3, location: 's3://raw/a/', format: csv}}]\n\
             schema: [{{name: a, properties: [{{name: b, logicalType: string, customProperties: [{}], \
             quality: [{{metric: invalidValues, arguments: {{validValues: {list}}}, mustBe: 0{severity}}}]}}]}}]\n",
            custom.join(", ")
        );
        let read = parse_document(SourceFile { name: "a.yaml", text: &text }, None, None)
            .unwrap_or_else(|errors| panic!("{errors}"));
        read.notes.into_iter().map(|note| note.message).collect::<Vec<_>>()
    };
    let compared = "before values are compared; write";
    for severity in ["", ", severity: warning"] {
        for (list, custom, note) in [
            ("[new, Used]", "", None),
            ("[NEW, USED, 7]", "case=upper", None),
            ("[' new ']", "trim=false", None),
            ("[' new ']", "extract='(.+)'", None),
            ("[new]", "case=upper default=new", None),
            (
                "[new, used]",
                "case=upper",
                Some(format!(
                    "every value fails: `new`, `used` can never match, because `penstock.case: upper` is applied {compared} `NEW`, `USED`"
                )),
            ),
            (
                "[new, Used]",
                "case=lower",
                Some(format!(
                    "`Used` can never match, because `penstock.case: lower` is applied {compared} `used`"
                )),
            ),
            (
                "[' new']",
                "case=upper",
                Some(format!(
                    "every value fails: ` new` can never match, because white space is trimmed and `penstock.case: upper` is applied {compared} `NEW`"
                )),
            ),
            (
                "['new ', used]",
                "",
                Some(format!("`new ` can never match, because white space is trimmed {compared} `new`")),
            ),
        ] {
            assert_eq!(notes(list, custom, severity), Vec::from_iter(note), "{list} {custom}");
        }
    }
}

#[test]
fn checks_of_other_tools_are_not_executed() {
    let checks = "{type: text, description: d}, {type: sql, query: select 1, mustBe: 0}, \
                  {type: custom, engine: soda, implementation: {a: b}}, {description: only words}";
    assert!(contract("v3.1.0", checks, checks, "").quality.is_empty());
}

#[test]
fn version_3_0_names_rules_in_other_ways_and_has_any_number_of_operators() {
    let read = |check: &str| contract("v3.0.2", check, "", "").quality;
    let words = |check: &str| read(check).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(words("{rule: nullCheck}"), ["the number of rows without a value is exactly 0"]);
    assert_eq!(
        words("{rule: duplicateCount, mustBeLessThan: 1, unit: percent}"),
        ["the percentage of rows that repeat the values of an earlier row is less than 1"]
    );
    assert_eq!(
        words("{metric: nullValues, mustBeGreaterThan: 1, mustBeLessThan: 9}"),
        [
            "the number of rows without a value is more than 1",
            "the number of rows without a value is less than 9"
        ]
    );
    assert!(read("{rule: freshness, mustBeLessThan: 9}").is_empty(), "a rule of another tool");
    let rows = contract("v3.0.0", "", "{rule: rowCount, mustBeGreaterThan: 9}", "").quality;
    assert_eq!(rows[0].to_string(), "the number of rows is more than 9");
    let valid = contract("v3.0.1", "{rule: validValues, validValues: [1, 2]}", "", "");
    assert_eq!(valid.entity.columns[1].rules.allowed, ["1", "2"]);
}

#[test]
fn promises_are_read_and_durations_are_converted_to_seconds() {
    let sla = |list: &str| contract("v3.1.0", "", "", &format!("slaProperties: [{list}]\n")).sla;
    for (written, property, seconds) in [
        ("property: frequency, value: 1, unit: d", SlaProperty::Frequency, Some(86_400)),
        ("property: Latency, value: 1.5, unit: h", SlaProperty::Latency, Some(5_400)),
        ("property: ly, value: 0.01, unit: s", SlaProperty::Latency, Some(1)),
        ("property: re, value: 2, unit: years", SlaProperty::Retention, Some(63_072_000)),
        ("property: retention, value: 6, unit: MO", SlaProperty::Retention, Some(15_552_000)),
        (
            "property: availability, value: 99.9, unit: '%'",
            SlaProperty::Other("availability".to_owned()),
            None,
        ),
        (
            "property: timeOfAvailability, value: 09:00-08:00",
            SlaProperty::Other("timeOfAvailability".to_owned()),
            None,
        ),
    ] {
        let read = sla(&format!("{{{written}}}"));
        assert_eq!((&read[0].property, read[0].seconds), (&property, seconds), "{written}");
    }
    let whole =
        sla("{property: frequency, value: 1, valueExt: 2, unit: d, element: a.price, driver: analytics}");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        whole,
        [Sla {
            property: SlaProperty::Frequency,
            value: "1".to_owned(),
            value_ext: text("2"),
            unit: text("d"),
            element: text("a.price"),
            driver: text("analytics"),
            seconds: Some(86_400),
        }]
    );
}

#[test]
fn the_next_drop_is_due_within_frequency_plus_latency() {
    let due = |list: &str| contract("v3.1.0", "", "", &format!("slaProperties: [{list}]\n")).due_seconds();
    let daily = "{property: frequency, value: 1, unit: d}";
    for (promised, seconds) in [
        (daily.to_owned(), Some(86_400)),
        (format!("{daily}, {{property: latency, value: 90, unit: m}}"), Some(91_800)),
        (
            format!("{{property: ly, value: 2, unit: h}}, {{property: ly, value: 1, unit: h}}, {daily}"),
            Some(93_600),
        ),
        (format!("{daily}, {{property: fy, value: 12, unit: h}}"), Some(43_200)),
        (format!("{daily}, {{property: retention, value: 1, unit: y}}"), Some(86_400)),
        ("{property: latency, value: 1, unit: h}".to_owned(), None),
        ("{property: availability, value: 99}".to_owned(), None),
        (String::new(), None),
    ] {
        assert_eq!(due(&promised), seconds, "{promised}");
    }
    let mut retired = contract("v3.1.0", "", "", &format!("slaProperties: [{daily}]\n"));
    assert!(!retired.is_retired);
    retired.is_retired = true;
    assert_eq!(retired.due_seconds(), None);
}

#[test]
fn a_contract_is_retired_by_its_status() {
    for (status, is_retired) in
        [("retired", true), ("Retired", true), ("active", false), ("deprecated", false)]
    {
        let text = include_str!("../../../infra/contracts/abt.yaml");
        let text = text.replace("status: active", &format!("status: {status}"));
        assert!(text.contains(&format!("status: {status}")));
        assert_eq!(penstock_contract::parse("abt.yaml", &text).unwrap().is_retired, is_retired, "{status}");
    }
}

#[test]
fn every_percentage_of_an_empty_batch_is_zero() {
    let passes = |check: &str| of_column(check).passes(0, 0);
    assert!(passes("{metric: nullValues, mustBe: 0, unit: percent}"));
    assert!(passes("{metric: nullValues, mustBeLessThan: 1, unit: percent}"));
    assert!(!passes("{metric: nullValues, mustBeGreaterThan: 0, unit: percent}"));
}

#[test]
fn percentages_are_exact_where_floats_are_not() {
    // In floats, 0.07 · 100 is 7.000000000000001.
    let check = of_column("{metric: nullValues, mustBe: 7, unit: percent}");
    assert!(check.passes(7, 100) && !check.passes(7, 101));
    let most = of_column("{metric: nullValues, mustBeLessThan: 99.999999999, unit: percent}");
    assert!(!most.passes(u64::MAX, u64::MAX) && most.passes(u64::MAX / 2, u64::MAX));
}

/// Returns whether an operator with two numbers allows a count.
type Oracle = fn(f64, f64, f64) -> bool;

const OPERATORS: [(&str, Oracle); 8] = [
    ("mustBe: LOW", |count, low, _| count == low),
    ("mustNotBe: LOW", |count, low, _| count != low),
    ("mustBeGreaterThan: LOW", |count, low, _| count > low),
    ("mustBeGreaterOrEqualTo: LOW", |count, low, _| count >= low),
    ("mustBeLessThan: HIGH", |count, _, high| count < high),
    ("mustBeLessOrEqualTo: HIGH", |count, _, high| count <= high),
    ("mustBeBetween: [LOW, HIGH]", |count, low, high| count > low && count < high),
    ("mustNotBeBetween: [LOW, HIGH]", |count, low, high| !(count > low && count < high)),
];

proptest! {
    /// The oracle uses floats, which are exact here: counts and percentages are multiples of 1/4 below 2^20.
    #[test]
    fn a_check_passes_exactly_if_its_operator_allows_the_count(
        operator in 0..OPERATORS.len(),
        low in 0_u32..200,
        more in 1_u32..200,
        count in 0_u32..100,
        percent in any::<bool>(),
    ) {
        let (words, expected) = OPERATORS[operator];
        let (low, high) = (f64::from(low) / 4.0, f64::from(low + more) / 4.0);
        let unit = if percent { "percent" } else { "rows" };
        // Each of 400 rows is a quarter of a percent.
        let counted = if percent { f64::from(count) / 4.0 } else { f64::from(count) };
        let words = words.replace("LOW", &low.to_string()).replace("HIGH", &high.to_string());
        let text = format!("{{metric: nullValues, {words}, unit: {unit}}}");
        let fraction_of_a_row = !percent && text.contains("mustBe: ") && low.fract() != 0.0;
        prop_assume!(!fraction_of_a_row);
        let check = of_column(&text);
        prop_assert_eq!(check.passes(count.into(), 400), expected(counted, low, high), "{} of {}", text, count);
    }
}
