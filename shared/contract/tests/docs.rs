//! `docs/contract.md` says what the code does.

use penstock_contract::{CUSTOM_PROPERTIES, parse};

const PAGE: &str = include_str!("../../../docs/contract.md");

/// The text between two marks of the page.
fn between(start: &str, end: &str) -> &'static str {
    let from = PAGE.find(start).expect("the start stands in the page") + start.len();
    let to = from + PAGE[from..].find(end).expect("the end stands in the page");
    &PAGE[from..to]
}

#[test]
fn the_table_of_custom_properties_is_that_of_the_code() {
    let mut table = "| name | level | values | default | what it does |\n|---|---|---|---|---|\n".to_owned();
    for row in CUSTOM_PROPERTIES {
        let level = row.level.name();
        table.push_str(&format!(
            "| `{}` | {level} | {} | {} | {} |\n",
            row.name, row.values, row.default, row.effect
        ));
    }
    let mark = "a test holds them together. -->\n";
    assert_eq!(between(mark, "\n## "), table, "paste this into docs/contract.md:\n{table}");
}

#[test]
fn the_example_is_a_contract_and_its_errors_are_those_that_are_shown() {
    let example = between("```yaml\n", "```");
    let contract = parse("shop.yaml", example).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(contract.entity.columns.len(), 5);
    let spoiled = example
        .replace("penstock.delimiter", "penstock.delimeter")
        .replace("numeric(12,2)", "numeric(2,12)")
        .replace("dd.MM.yyyy", "dd.mm.yyyy");
    let errors = parse("shop.yaml", &spoiled).expect_err("spoiled").to_string();
    assert_eq!(format!("{errors}\n"), between("```text\n", "```"));
}
