//! `docs/contract.md` matches the code.

use penstock_contract::{CUSTOM_PROPERTIES, Contract, parse};

const PAGE: &str = include_str!("../../../docs/contract.md");

/// Returns the text of the page between two marks.
fn between(start: &str, end: &str) -> &'static str {
    let from = PAGE.find(start).expect("the page has the start") + start.len();
    let to = from + PAGE[from..].find(end).expect("the page has the end");
    &PAGE[from..to]
}

#[test]
fn the_table_of_custom_properties_matches_the_code() {
    let mut table = String::new();
    for row in CUSTOM_PROPERTIES {
        let level = row.level.name();
        table.push_str(&format!(
            "| `{}` | {level} | {} | {} | {} |\n",
            row.name, row.values, row.default, row.effect
        ));
    }
    let head = "| name | level | values | default | what it does |\n|---|---|---|---|---|\n";
    assert_eq!(between(head, "\n## "), table, "paste these rows into docs/contract.md:\n{table}");
}

#[test]
fn the_example_is_valid_and_its_errors_match_those_that_are_shown() {
    let example = between("```yaml\n", "```");
    let contract = parse("shop.yaml", example).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(contract.entity.columns.len(), 6);
    let spoiled = example
        .replace("penstock.delimiter", "penstock.delimeter")
        .replace("numeric(12,2)", "numeric(2,12)")
        .replace("dd.MM.yyyy", "dd.mm.yyyy");
    let errors = parse("shop.yaml", &spoiled).expect_err("spoiled").to_string();
    assert_eq!(format!("{errors}\n"), between("```text\n", "```"));
}

/// Returns a contract with this column and these checks of the schema.
fn with(column: &str, checks: &str) -> Contract {
    let text = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
         servers: [{{server: raw, type: s3, location: 's3://raw/a/', format: csv}}]\n\
         schema:\n  - name: a\n    quality: [{checks}]\n    properties:\n      - {column}\n"
    );
    parse("a.yaml", &text).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// Returns the cells of a table of the page, without its head.
fn cells(head: &str) -> Vec<Vec<&'static str>> {
    let rows = between(head, "\n\n").lines().filter(|line| line.starts_with("| "));
    let rows: Vec<Vec<&str>> =
        rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect()).collect();
    assert!(rows.len() > 5, "{head}");
    rows
}

/// Returns the texts in back quotes.
fn quoted(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_type_of_the_page_has_the_defaults_that_the_page_lists() {
    let sized = |physical: &str| physical.replace("(p,s)", "(5,2)").replace("(n)", "(5)");
    for row in cells("| `logicalType` | `physicalType` (default first) | `logicalTypeOptions` |") {
        let [logical, physical] = [row[0], row[1]].map(|cell| quoted(cell).collect::<Vec<_>>());
        let default = with(&format!("{{name: a, logicalType: {}}}", logical[0]), "");
        assert_eq!(default.entity.columns[0].sql_type.to_string(), physical[0], "{row:?}");
        for (logical, physical) in
            logical.iter().flat_map(|one| physical.iter().map(move |other| (one, other)))
        {
            if !physical.starts_with("format") {
                with(
                    &format!("{{name: a, logicalType: {logical}, physicalType: '{}'}}", sized(physical)),
                    "",
                );
            }
        }
    }
}

#[test]
fn every_operator_of_the_page_has_the_meaning_that_the_page_lists() {
    let rows = cells("| operator | the count is |");
    assert_eq!(rows.len(), 8);
    for row in rows {
        let operator = quoted(row[0]).next().expect("an operator");
        let contract = with("{name: a, logicalType: string}", &format!("{{metric: rowCount, {operator}}}"));
        let words = contract.quality[0].operator.to_string();
        assert_eq!(row[1].split(':').next(), Some(words.as_str()), "{operator}");
    }
}

#[test]
fn every_metric_of_the_page_is_read_at_the_level_that_the_page_lists() {
    for row in cells("| `metric` | at | what is counted | `arguments` |") {
        let arguments: Vec<String> = row[3]
            .trim_end_matches('|')
            .split(['`', ';'])
            .filter_map(|name| match name.trim() {
                "pattern" => Some("pattern: x".to_owned()),
                name @ ("missingValues" | "validValues") => Some(format!("{name}: [x]")),
                "properties" => Some("properties: [a]".to_owned()),
                _ => None,
            })
            .collect();
        let metric = quoted(row[0]).next().expect("a metric");
        let check = format!("{{metric: {metric}, mustBe: 1, arguments: {{{}}}}}", arguments.join(", "));
        let contract = match row[1] {
            "property" => with(&format!("{{name: a, logicalType: string, quality: [{check}]}}"), ""),
            _ => with("{name: a, logicalType: string}", &check),
        };
        assert_eq!(contract.quality[0].metric.to_string(), metric, "{row:?}");
    }
}

#[test]
fn the_example_of_an_object_is_read() {
    let example = between("### Objects and arrays", "## Dates");
    let example = example.split("```").nth(1).expect("a block").trim_start_matches("yaml\n");
    let column = example.trim_start_matches("- ").replace('\n', "\n      ");
    let contract = with(column.trim_end(), "");
    assert_eq!(contract.entity.columns[0].rules.required_properties, ["postcode"]);
}
