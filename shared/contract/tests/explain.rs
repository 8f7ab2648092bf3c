//! Descriptions of contracts in words, and their tables.

use std::path::PathBuf;

use penstock_contract::{CUSTOM_PROPERTIES, Level, ddl, diff, explain, parse};

const EVERYTHING: &str = include_str!("golden/everything.yaml");
const SHOP: &str = include_str!("golden/shop.yaml");

/// Contracts that together set every custom property to a value other than its default.
const CONTRACTS: [(&str, &str); 4] = [
    ("everything.txt", EVERYTHING),
    ("explain/delimited.txt", include_str!("golden/explain/delimited.yaml")),
    ("explain/positional.txt", include_str!("golden/explain/positional.yaml")),
    ("explain/array.txt", include_str!("golden/explain/array.yaml")),
];

#[test]
fn contracts_with_every_option_are_described_in_words() {
    for (name, contract) in CONTRACTS {
        let explained = explain(&parse(name, contract).expect("valid")).to_string();
        let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        if std::env::var("PENSTOCK_GOLDEN").as_deref() == Ok("write") {
            std::fs::write(golden, &explained).expect("the golden file can be written");
            continue;
        }
        let expected = std::fs::read_to_string(golden).expect("the golden file is there");
        assert_eq!(explained, expected, "PENSTOCK_GOLDEN=write writes golden/{name}");
    }
}

/// Without a custom property, the description of the contract differs, and the change is reported.
#[test]
fn every_custom_property_is_explained_and_compared() {
    for row in CUSTOM_PROPERTIES {
        // The indentation of the list distinguishes the levels.
        let indent = match row.level {
            Level::Contract => 2,
            Level::Server => 6,
            Level::Property => 10,
            Level::Elsewhere => panic!("{}: Penstock has none elsewhere", row.name),
        };
        let line = format!("{}- {{property: {}, ", " ".repeat(indent), row.name);
        let has_effect = CONTRACTS.iter().any(|(name, text)| {
            // A property of another tool has no effect.
            let other = |text: &str| {
                if text.starts_with(&line) { text.replace("penstock.", "other.") } else { text.to_owned() }
            };
            let without: Vec<String> = text.lines().map(other).collect();
            let Ok(without) = parse(name, &without.join("\n")) else { return false };
            let with = parse(name, text).expect("valid");
            explain(&with).to_string() != explain(&without).to_string() && !diff(&with, &without).is_empty()
        });
        assert!(
            has_effect,
            "{} ({}): set it to a value that is not its default in one of the contracts of this test, and print it in \
             `explain`",
            row.name,
            row.level.name()
        );
    }
}

#[test]
fn descriptions_do_not_contain_names_of_the_code() {
    for (name, contract) in CONTRACTS {
        let explained = explain(&parse(name, contract).expect("valid")).to_string();
        for word in ["Some(", "None", "jsonarray", "ndjson", "{ ", "::"] {
            assert!(!explained.contains(word), "{name}: {word} in\n{explained}");
        }
    }
}

#[test]
fn the_table_has_the_contracts_columns_then_penstocks_and_the_primary_key() {
    let contract = parse("shop.yaml", SHOP).expect("valid");
    let table = ddl::create_table(&contract);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "CREATE TABLE IF NOT EXISTS \"public\".\"products\" (");
    assert_eq!(lines[1], "  \"id\" text COLLATE \"C\" NOT NULL,");
    assert_eq!(lines[2], "  \"price\" numeric(12,2),");
    assert_eq!(lines[6], "  \"_rescued\" jsonb,");
    assert_eq!(lines[7], "  _source text NOT NULL,");
    assert_eq!(lines[14], "  PRIMARY KEY (\"id\")");
    assert_eq!(lines[15], ") WITH (fillfactor = 50)");

    let appended = SHOP.replace("value: upsert", "value: append");
    let table = ddl::create_table(&parse("shop.yaml", &appended).expect("valid"));
    assert!(table.ends_with("  UNIQUE (_batch_id, _row)\n)"), "{table}");
}

#[test]
fn tables_whose_rows_are_deleted_by_batch_have_an_index_by_batch() {
    for (mode, overwrite, is_needed) in [
        ("upsert", "replace", true),
        ("append", "replace", false),
        ("upsert", "keep", false),
        ("upsert", "add", false),
    ] {
        let custom = format!("value: {mode}}}\n  - {{property: penstock.overwrite, value: {overwrite}}}");
        let contract = SHOP.replace("value: upsert}", &custom);
        assert_ne!(contract, SHOP);
        let contract = parse("shop.yaml", &contract).expect("valid");
        let index = ddl::create_batch_index(&contract);
        assert_eq!(index.is_some(), is_needed, "{mode} {overwrite}");
        let statements = explain(&contract).ddl;
        assert_eq!(
            statements.ends_with(";\nCREATE INDEX ON \"public\".\"products\" (_batch_id)"),
            is_needed,
            "{statements}"
        );
    }
}

#[test]
fn an_added_column_has_the_same_definition_as_in_a_new_table() {
    let contract = parse("shop.yaml", SHOP).expect("valid");
    assert_eq!(
        ddl::add_column(&contract, 1).as_deref(),
        Some("ALTER TABLE \"public\".\"products\" ADD COLUMN IF NOT EXISTS \"price\" numeric(12,2)")
    );
    assert_eq!(ddl::add_column(&contract, 6), None);
}

#[test]
fn names_are_quoted() {
    assert_eq!(ddl::quoted("a\"b"), "\"a\"\"b\"");
}

#[test]
fn a_retired_source_is_described_with_its_promises() {
    let retired = EVERYTHING.replace("status: active", "status: retired");
    assert_ne!(retired, EVERYTHING);
    let explained = explain(&parse("everything.yaml", &retired).expect("valid")).to_string();
    assert!(explained.contains("retired: no more drops are expected"), "{explained}");
}

#[test]
fn numbers_and_their_units_agree() {
    for (from, to, sentence) in [
        (
            "value: '\"'}",
            "value: '\"'}\n      - {property: penstock.skipLines, value: 1}",
            "the first line is skipped",
        ),
        (
            "value: '\"'}",
            "value: '\"'}\n      - {property: penstock.skipLines, value: 2}",
            "the first 2 lines are skipped",
        ),
        (
            "\ncustomProperties:\n",
            "\ncustomProperties:\n  - {property: penstock.maxRejects, value: 1}\n",
            "more than 1 reject\n",
        ),
    ] {
        let contract = SHOP.replacen(from, to, 1);
        let explained = explain(&parse("shop.yaml", &contract).expect("valid")).to_string();
        assert!(explained.contains(sentence), "{explained}");
    }
}

#[test]
fn a_file_without_a_header_has_no_other_columns_and_no_lines_before_it() {
    let contract = include_str!("golden/explain/positional.yaml");
    let explained = explain(&parse("positional.yaml", contract).expect("valid")).to_string();
    assert!(
        explained.contains("from field 2") && explained.contains("than there are columns"),
        "{explained}"
    );
    for absent in ["lines", "lacks a column", "other columns", "repeats the header"] {
        assert!(!explained.contains(absent), "{absent}: {explained}");
    }
}

#[test]
fn the_declared_treatment_of_irregular_files_and_rows_is_described() {
    let plain = explain(&parse("shop.yaml", SHOP).expect("valid")).to_string();
    for (name, value, sentence) in [
        (
            "ragged",
            "pad",
            "the fields that a row lacks have no value; a row with more fields than the header is rejected",
        ),
        (
            "ragged",
            "truncate",
            "surplus fields of a row are dropped; a row with fewer fields than the header is rejected",
        ),
        (
            "ragged",
            "rescue",
            "surplus fields of a row are stored in `_rescued`; a row with fewer fields than the header is rejected",
        ),
        ("blankRows", "reject", "a row whose fields are all empty is rejected"),
        ("repeatedHeaders", "keep", "a record that repeats the header is a row"),
        ("headerCase", "insensitive", "column names are compared without regard to letter case"),
        ("emptyFile", "accept", "a file without rows is loaded, even if it has 0 bytes"),
        ("emptyFile", "refuse", "a file without rows is refused, even if it has a header"),
    ] {
        let custom = format!("value: '\"'}}\n      - {{property: penstock.{name}, value: {value}}}");
        let contract = SHOP.replace("value: '\"'}", &custom);
        let explained = explain(&parse("shop.yaml", &contract).expect("valid")).to_string();
        assert!(explained.contains(sentence) && !plain.contains(sentence), "{explained}");
    }
}
