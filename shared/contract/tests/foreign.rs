//! Contracts of other organisations: the parts that work unchanged, the parts that are missing, and overlays that add
//! them.

use std::path::PathBuf;

use penstock_contract::*;

const WAREHOUSE: &str = include_str!("golden/foreign/warehouse.yaml");
const PARTNER: &str = include_str!("golden/foreign/partner.yaml");
const OVERLAY: &str = include_str!("golden/foreign/partner.overlay.yaml");

fn document(text: &str) -> Document {
    parse_document(SourceFile { name: "contract.yaml", text }, None, None)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn completed(overlay: &str) -> Result<Document, ContractErrors> {
    let contract = SourceFile { name: "partner.yaml", text: PARTNER };
    parse_document(contract, Some(SourceFile { name: "overlay.yaml", text: overlay }), None)
}

/// Compares with a golden file, or writes it with `PENSTOCK_GOLDEN=write`.
fn assert_golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/foreign").join(name);
    if std::env::var("PENSTOCK_GOLDEN").as_deref() == Ok("write") {
        std::fs::write(path, text).expect("the golden file can be written");
        return;
    }
    let golden = std::fs::read_to_string(path).expect("the golden file is there");
    assert_eq!(text, golden, "PENSTOCK_GOLDEN=write writes golden/foreign/{name}");
}

#[test]
fn an_unchanged_contract_of_a_warehouse_describes_one_source_per_object() {
    let contracts = document(WAREHOUSE).contracts;
    let sources: Vec<_> = contracts.iter().map(|one| (one.source.as_str(), one.version.as_str())).collect();
    assert_eq!(sources, [("ticket-sale", "2.3.0"), ("stage", "2.3.0")]);
    let explained: Vec<String> = contracts.iter().map(|contract| explain(contract).to_string()).collect();
    assert_golden("warehouse.txt", &explained.join("\n"));
    for contract in &contracts {
        assert_eq!(contract.format.kind, FormatKind::Detected { json_only: false });
        assert_eq!(parse_source("contract.yaml", WAREHOUSE, &contract.source).as_ref(), Ok(contract));
    }
    let other = parse_source("contract.yaml", WAREHOUSE, "seats").expect_err("no such source").to_string();
    assert!(other.contains("describes the sources `ticket-sale`, `stage`, not `seats`"), "{other}");
    let none = parse("contract.yaml", WAREHOUSE).expect_err("two sources").to_string();
    assert!(none.contains("describes several sources: `ticket-sale`, `stage`; choose one"), "{none}");
}

#[test]
fn parts_without_effect_are_noted_and_checks_that_are_not_executed_are_listed() {
    let document = document(WAREHOUSE);
    let notes: String = document.notes.iter().map(|note| format!("{note}\n")).collect();
    assert_golden("warehouse.notes.txt", &notes);
    let skipped: Vec<Vec<String>> = document
        .contracts
        .iter()
        .map(|contract| contract.not_executed.iter().map(|check| check.kind.clone()).collect())
        .collect();
    assert_eq!(skipped, [vec!["custom (greatExpectations)", "custom (soda)", "sql", "text"], vec![]]);
}

#[test]
fn an_incomplete_contract_is_distinguished_from_an_invalid_one() {
    let errors = completed("{}\n").expect_err("incomplete");
    assert!(errors.only_need_more(), "{errors}");
    assert_golden("partner.needs.txt", &format!("{errors}\n"));
    let invalid = PARTNER.replace("status: active", "statsu: active");
    let errors = parse("partner.yaml", &invalid).expect_err("invalid");
    assert!(!errors.only_need_more(), "{errors}");
}

#[test]
fn an_overlay_completes_a_contract_and_the_merged_text_means_the_same() {
    let document = completed(OVERLAY).unwrap_or_else(|errors| panic!("{errors}"));
    let merged = document.merged.clone().expect("there is an overlay");
    assert_golden("partner.merged.yaml", &merged);
    let contract = &document.contracts[0];
    assert_eq!(contract.source, "partner_invoices");
    assert_eq!(parse("merged.yaml", &merged).as_ref(), Ok(contract));
    assert_eq!(completed(OVERLAY).expect("valid").merged, Some(merged), "the same files give the same text");
    // The same overlay completes a new version of the producer's contract.
    let next = PARTNER
        .replace("version: 1.4.0", "version: 1.5.0")
        .replace("description: Whatever", "description: What");
    let next = parse_document(
        SourceFile { name: "partner.yaml", text: &next },
        Some(SourceFile { name: "overlay.yaml", text: OVERLAY }),
        None,
    );
    assert_eq!(next.expect("valid").contracts[0].version, "1.5.0");
}

#[test]
fn an_error_in_an_overlay_has_its_line_and_that_of_the_contract() {
    for (from, to, message) in [
        (
            "- name: total",
            "- name: totl",
            "overlay.yaml:21: schema[0].properties[1]: the contract has no `totl` here; did you mean `total`? (see also partner.yaml:18)",
        ),
        (
            "- name: invoices",
            "- name: payments",
            "overlay.yaml:13: schema[0]: the contract has no `payments` here; only a column",
        ),
        (
            "physicalType: numeric(19,4)",
            "physicalType: date",
            "overlay.yaml:22: schema[0].properties[1].physicalType: needs more: `date` cannot store the logical type `number`; write `numeric`, or remove `physicalType` (see also partner.yaml:24)",
        ),
        ("id: 90a1c7e4-partner", "id: another", "overlay.yaml:2: id: the overlay is for another contract"),
        (
            "  - name: invoices\n",
            "  - title: invoices\n",
            "`name` is missing; it identifies the entry to complete",
        ),
        (
            "customProperties:\n  - {property: penstock.source",
            "customProperties:\n  - {property: penstock.sourc",
            "overlay.yaml:11: customProperties[0].property: `penstock.sourc` is not a custom property of Penstock; did you mean `penstock.source`?",
        ),
        (
            "schema:\n",
            "schema: {}\nother:\n",
            "overlay.yaml:12: schema: must be a list, as it is in the contract (see also partner.yaml:15)",
        ),
    ] {
        assert_eq!(OVERLAY.matches(from).count(), 1, "{from}");
        let errors = completed(&OVERLAY.replace(from, to)).expect_err(to).to_string();
        assert!(errors.contains(message), "{to}: {errors}");
    }
}

/// Returns a contract with this head and these objects.
fn with(head: &str, objects: &str) -> String {
    format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: draft\n{head}\nschema:\n{objects}"
    )
}

const ONE: &str =
    "  - {name: Orders of Today, physicalName: orders, properties: [{name: a, logicalType: string}]}\n";

#[test]
fn the_source_is_declared_or_derived_from_a_name() {
    let source =
        |name: &str| parse("a.yaml", &with(&format!("name: {name}"), ONE)).map(|contract| contract.source);
    for (name, expected) in [
        ("shop", "shop"),
        ("my_shop-2", "my_shop-2"),
        ("My Shop", "my-shop"),
        ("Orders Event Stream", "orders-event-stream"),
        ("ERP.FINANCE.Invoices", "erp-finance-invoices"),
        ("'  a (b) - c! '", "a-b-c"),
    ] {
        assert_eq!(source(name).as_deref(), Ok(expected), "{name}");
    }
    for name in ["Bücher", "'!?'", &"x".repeat(64)] {
        let errors = source(name).expect_err(name);
        assert!(errors.only_need_more() && errors.to_string().contains("penstock.source"), "{errors}");
    }
    let declared = "customProperties: [{property: penstock.source, value: books}]";
    assert_eq!(parse("a.yaml", &with(declared, ONE)).map(|contract| contract.source), Ok("books".to_owned()));
    let missing = parse("a.yaml", &with("", ONE)).expect_err("no name");
    assert!(missing.only_need_more(), "{missing}");
    let wrong = "customProperties: [{property: penstock.source, value: My Books}]";
    assert!(!parse("a.yaml", &with(wrong, ONE)).expect_err("not a source").only_need_more());
}

#[test]
fn each_object_of_a_contract_is_a_source_with_its_own_settings() {
    let objects = "  - {name: a, properties: [{name: x, logicalType: string}]}\n  - {name: b, properties: [{name: x, logicalType: string}], customProperties: [CUSTOM]}\n";
    let head = "customProperties: [{property: penstock.maxRejects, value: 5}]";
    let two = with(
        head,
        &objects.replace(
            "CUSTOM",
            "{property: penstock.maxRejects, value: 7}, {property: penstock.source, value: bees}",
        ),
    );
    let contracts = document(&two).contracts;
    let settings: Vec<_> = contracts.iter().map(|one| (one.source.as_str(), one.max_rejects.rows)).collect();
    assert_eq!(settings, [("a", Some(5)), ("bees", Some(7))]);
    let same = with("", &objects.replace("CUSTOM", "{property: penstock.source, value: a}"));
    let errors = parse_source("a.yaml", &same, "a").expect_err("two of one source").to_string();
    assert!(errors.contains("second object of the source `a`"), "{errors}");
    let both =
        with("customProperties: [{property: penstock.source, value: a}]", &objects.replace("CUSTOM", ""));
    let errors = parse_source("a.yaml", &both, "a").expect_err("one source for two objects").to_string();
    assert!(errors.contains("with several objects, set it at each of them"), "{errors}");
}

#[test]
fn the_server_of_type_s3_declares_the_format_and_without_one_it_is_detected() {
    let format = |servers: &str| {
        let head = format!("name: a\n{servers}");
        parse("a.yaml", &with(&head, ONE)).map(|contract| contract.format.kind)
    };
    let detected = Ok(FormatKind::Detected { json_only: false });
    let s3 = |rest: &str| {
        format!(
            "servers: [{{server: k, type: kafka, host: h}}, {{server: s, type: s3, location: s3://b/{rest}}}]"
        )
    };
    assert_eq!(format(""), detected);
    assert_eq!(format("servers: []"), detected);
    assert_eq!(format("servers: [{server: k, type: kafka, host: h, format: avro}]"), detected);
    assert_eq!(format(&s3("")), detected);
    assert_eq!(format(&s3(", format: parquet")), Ok(FormatKind::Parquet));
    assert_eq!(format(&s3(", format: json")), Ok(FormatKind::Detected { json_only: true }));
    assert_eq!(format(&s3(", delimiter: array")), Ok(FormatKind::JsonArray { path: vec![] }));
    let path = ", customProperties: [{property: penstock.path, value: $.items}]";
    assert_eq!(format(&s3(path)), Ok(FormatKind::JsonArray { path: vec!["items".to_owned()] }));
    let header = ", customProperties: [{property: penstock.header, value: true}]";
    assert!(matches!(format(&s3(header)), Ok(FormatKind::Delimited(_))));
    let errors = format(&s3(", format: orc")).expect_err("not read");
    assert!(errors.only_need_more(), "{errors}");
    let elsewhere = "servers: [{server: k, type: kafka, host: h, customProperties: [{property: penstock.header, value: true}]}]";
    let errors = format(elsewhere).expect_err("no effect").to_string();
    assert!(errors.contains("`penstock.header` has no effect here"), "{errors}");
}

#[test]
fn a_server_of_an_overlay_that_would_have_no_effect_is_an_error() {
    let complete = |servers: &str, overlay: &str| {
        let contract = with(&format!("name: a\nservers: [{servers}]"), ONE);
        let overlay = format!("servers: [{overlay}]\n");
        let overlay = SourceFile { name: "overlay.yaml", text: &overlay };
        parse_document(SourceFile { name: "contract.yaml", text: &contract }, Some(overlay), None)
            .map(|document| document.contracts[0].format.kind.clone())
    };
    const PROD: &str = "{server: prod, type: s3, location: s3://b/, format: ndjson}";
    const KAFKA: &str = "{server: k, type: kafka, host: h}";
    const MINE: &str = "{server: mine, type: s3, location: s3://c/, format: parquet}";
    for servers in [PROD.to_owned(), format!("{KAFKA}, {PROD}")] {
        let errors = complete(&servers, MINE).expect_err("no effect");
        assert_eq!(errors.as_slice().len(), 1, "{errors}");
        let message = errors.to_string();
        assert!(message.contains("overlay.yaml:1: servers[0]: would have no effect"), "{message}");
        assert!(message.contains("write `server: prod` to complete that one"), "{message}");
        assert_eq!(complete(&servers, "{server: prod, format: parquet}"), Ok(FormatKind::Parquet));
        assert_eq!(
            complete(&servers, "{server: l, type: local, path: p, format: csv}"),
            Ok(FormatKind::Ndjson)
        );
    }
    let two = format!("{PROD}, {MINE}");
    assert_eq!(complete(&two, "{server: prod, format: avro}"), Ok(FormatKind::Avro));
    assert!(complete(&two, "{server: mine, format: avro}").is_err(), "the second one of the contract");
    assert_eq!(complete(KAFKA, MINE), Ok(FormatKind::Parquet));
    assert_eq!(complete("", MINE), Ok(FormatKind::Parquet));
    assert!(complete(KAFKA, &format!("{MINE}, {PROD}")).is_err(), "the second one of the overlay");
}

#[test]
fn names_that_are_not_valid_for_columns_are_converted_and_still_read() {
    let columns = |names: &[&str]| {
        let list: Vec<String> =
            names.iter().map(|name| format!("{{name: '{name}', logicalType: string}}")).collect();
        let object = format!("  - {{name: a, properties: [{}]}}\n", list.join(", "));
        parse("a.yaml", &with("name: a", &object)).map(|contract| contract.entity.columns)
    };
    let read = columns(&["First Name", "_id", "2nd", "größe (cm)", "plain"]).expect("valid");
    let names: Vec<_> =
        read.iter().map(|column| (column.name.as_str(), column.physical_name.as_str())).collect();
    assert_eq!(
        names,
        [
            ("First_Name", "First Name"),
            ("id", "_id"),
            ("c_2nd", "2nd"),
            ("größe_cm", "größe (cm)"),
            ("plain", "plain"),
            ("_rescued", "_rescued")
        ]
    );
    for (names, message) in [
        (vec!["a b", "a_b"], "duplicate column `a_b`"),
        (vec!["ctid"], "is a system column of PostgreSQL"),
        (vec!["!!!"], "has no letter"),
    ] {
        let errors = columns(&names).expect_err(message).to_string();
        assert!(errors.contains(message), "{names:?}: {errors}");
    }
}

#[test]
fn one_source_can_be_read_while_another_is_incomplete() {
    let text = "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: active\nschema:\n\
                - {name: good, properties: [{name: id, logicalType: integer}]}\n\
                - {name: other, properties: [{name: flag, physicalType: Flag}]}\n";
    let file = SourceFile { name: "contract.yaml", text };
    assert!(parse_document(file, None, None).is_err());
    assert!(parse_document(file, None, Some("other")).is_err());
    let good = parse_document(file, None, Some("good")).expect("valid");
    assert_eq!(good.contracts.iter().map(|contract| contract.source.as_str()).collect::<Vec<_>>(), ["good"]);
}

/// Returns the columns of a contract with these properties, completed by an overlay with these.
fn with_overlay(properties: &str, overlay: &str) -> Result<Vec<Column>, ContractErrors> {
    let object = format!("  - {{name: a, properties: [{properties}]}}\n");
    let contract = with("name: a", &object);
    let overlay = format!("schema: [{{name: a, properties: [{overlay}]}}]\n");
    let overlay = SourceFile { name: "overlay.yaml", text: &overlay };
    let read = parse_document(SourceFile { name: "contract.yaml", text: &contract }, Some(overlay), None)?;
    Ok(read.contracts[0].entity.columns.clone())
}

#[test]
fn an_overlay_names_the_column_of_a_property_whose_name_is_not_valid_for_columns() {
    let long = "x".repeat(70);
    for name in ["ctid", "%", "", "_", "!!!", long.as_str()] {
        let physical = if name.is_empty() { ", physicalName: '%'" } else { "" };
        let property = format!("{{name: '{name}', logicalType: string{physical}}}");
        let errors = with_overlay(&property, "").expect_err(name);
        assert!(errors.only_need_more(), "{errors}");
        let overlay =
            format!("{{name: '{name}', customProperties: [{{property: penstock.column, value: named}}]}}");
        let columns = with_overlay(&property, &overlay).unwrap_or_else(|errors| panic!("{errors}"));
        let header = if name.is_empty() { "%" } else { name };
        assert_eq!((columns[0].name.as_str(), columns[0].physical_name.as_str()), ("named", header));
    }
    let two = "{name: a b, logicalType: string}, {name: a-b, logicalType: string}";
    let second = "{name: a-b, customProperties: [{property: penstock.column, value: other}]}";
    let columns = with_overlay(two, second).unwrap_or_else(|errors| panic!("{errors}"));
    let names: Vec<_> = columns.iter().map(|column| (&*column.name, &*column.physical_name)).collect();
    assert_eq!(names, [("a_b", "a b"), ("other", "a-b"), ("_rescued", "_rescued")]);
    let other = "{name: a-b, customProperties: [{property: penstock.column, value: a_b}]}";
    let errors = with_overlay(two, other).expect_err("two columns of one name").to_string();
    assert!(errors.contains("duplicate column `a_b`"), "{errors}");
}

#[test]
fn references_to_a_column_use_the_name_of_its_property_or_its_own() {
    for reference in ["ctid", "changed"] {
        let object = format!(
            "  - name: a\n    customProperties: [{{property: penstock.eventTime, value: {reference}}}]\n    \
             quality: [{{metric: duplicateValues, arguments: {{properties: [x, {reference}]}}, mustBe: 0}}]\n    properties:\n      \
             - {{name: x, logicalType: string}}\n      \
             - {{name: ctid, logicalType: date, required: true, customProperties: [{{property: penstock.column, value: changed}}]}}\n"
        );
        let contract = parse("a.yaml", &with("name: a", &object)).unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(contract.load.event_time, Some(1), "{reference}");
        assert_eq!(contract.columns_of(&contract.quality[0]), ["x", "changed"]);
    }
}

#[test]
fn an_entry_that_an_overlay_lists_twice_is_an_error() {
    for (overlay, message) in [
        (
            "schema: [{name: invoices, properties: [{name: total, required: true}, {name: scan}, {name: total, required: false}]}]\n",
            "overlay.yaml:1: schema[0].properties[2]: `total` is listed twice in the overlay, first on line 1",
        ),
        (
            "schema:\n  - {name: invoices, description: a}\n  - {name: invoices, description: b}\n",
            "overlay.yaml:3: schema[1]: `invoices` is listed twice in the overlay, first on line 2",
        ),
        (
            "servers: [{server: raw, type: s3, location: s3://a/}, {server: raw, type: s3, location: s3://b/}]\n",
            "servers[1]: `raw` is listed twice",
        ),
        (
            "customProperties: [{property: penstock.source, value: a}, {property: penstock.source, value: b}]\n",
            "customProperties[1]: `penstock.source` is listed twice",
        ),
        (
            "schema: [{name: invoices, properties: [{name: total, customProperties: [{property: x, value: 1}, {property: x, value: 2}]}]}]\n",
            "schema[0].properties[0].customProperties[1]: `x` is listed twice",
        ),
        (
            "slaProperties: [{property: latency, element: a, value: 1}, {property: latency, element: a, value: 2}]\n",
            "slaProperties[1]: `latency, a` is listed twice",
        ),
        (
            "schema: [{name: invoices, quality: [{name: one, metric: rowCount, mustBe: 1}, {name: one, metric: rowCount, mustBe: 2}]}]\n",
            "schema[0].quality[1]: `one` is listed twice",
        ),
    ] {
        let errors = completed(overlay).expect_err(message).to_string();
        assert!(errors.contains(message), "{overlay}: {errors}");
    }
    let apart = "slaProperties: [{property: latency, element: a, value: 1, unit: d}, {property: latency, element: b, value: 2, unit: d}]\n";
    let errors = completed(apart).expect_err("the rest of the overlay is missing").to_string();
    assert!(!errors.contains("twice"), "{errors}");
}

#[test]
fn an_empty_overlay_is_reported_as_an_empty_overlay() {
    for text in ["", "\n", "# nothing yet\n", "---\n"] {
        let errors = completed(text).expect_err("empty").to_string();
        assert_eq!(errors.lines().count(), 1, "{text:?}: {errors}");
        assert!(errors.contains("overlay.yaml"), "{text:?}: {errors}");
        assert!(!errors.contains("a contract begins with"), "{text:?}: {errors}");
    }
    let errors = completed("").expect_err("empty").to_string();
    assert!(errors.starts_with("overlay.yaml:1: the overlay is empty; write"), "{errors}");
}

#[test]
fn an_overlay_can_remove_a_column_from_the_primary_key() {
    let property = "{name: x, logicalType: string, primaryKey: true, primaryKeyPosition: 1}";
    let read = |overlay: &str| with_overlay(property, overlay).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(read("").first().is_some_and(|column| column.required));
    assert!(read("{name: x, primaryKey: false}").first().is_some_and(|column| !column.required));
}
