//! Results that are known only at the end of a batch: duplicate keys and quality checks.

use std::io;
use std::sync::Arc;

use penstock_contract::*;
use penstock_engine::{Duplicates, Limits, Plan, QualityOutcome, Reader, Spill, Totals};

use crate::support::{column, contract, csv, decode_copy, required, text};

/// A spill for batches that fit into memory. It panics if it is used.
struct NoSpill;

impl Spill for NoSpill {
    fn append(&mut self, _: usize, _: &[u8]) -> io::Result<()> {
        panic!("a small batch must not be spilled")
    }

    fn take(&mut self, _: usize) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
}

struct BatchResult {
    plan: Arc<Plan>,
    totals: Totals,
    duplicates: Duplicates,
    /// The rows that are not replaced by a newer row with the same key, by chunk.
    remaining: Vec<Vec<Vec<Option<String>>>>,
}

impl BatchResult {
    fn check_results(&self) -> Vec<(String, u64, bool, bool)> {
        let outcomes = self.plan.judge(&self.totals, &self.duplicates).into_iter();
        outcomes
            .map(|QualityOutcome { check, count, holds, refuses, .. }| (check, count, holds, refuses))
            .collect()
    }
}

fn read_batch(contract: &Contract, file: &str) -> BatchResult {
    let plan = Arc::new(Plan::compile(contract).unwrap());
    let limits = Limits { chunk_rows: 2, ..Limits::default() };
    let mut reader = Reader::open(&plan, limits, file.as_bytes()).unwrap();
    let mut finder = plan.duplicate_finder(NoSpill);
    let mut chunks = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        finder.add(&block.rows.keys).unwrap();
        chunks.push(block.rows.copy_text);
    }
    let duplicates = finder.finish().unwrap();
    let remaining = chunks.iter().map(|chunk| decode_copy(&duplicates.without_replaced(chunk))).collect();
    BatchResult { plan, totals: reader.totals().clone(), duplicates, remaining }
}

fn keyed(columns: Vec<Column>, key: Vec<usize>, event_time: Option<usize>) -> Contract {
    let mut contract = contract(csv(), columns);
    contract.entity.key = key;
    contract.load = Load { mode: WriteMode::Upsert, event_time, ..contract.load };
    contract
}

pub(crate) fn check(
    metric: Metric,
    column: Option<usize>,
    operator: &str,
    unit: Unit,
    severity: Option<&str>,
) -> QualityCheck {
    // An operator can only be created by parsing a contract.
    let yaml = format!(
        "apiVersion: v3.1.0\nkind: DataContract\nid: x\nname: x\nversion: 1.0.0\nstatus: active\n\
         servers: [{{server: r, type: s3, location: 's3://r/x/', format: csv}}]\n\
         schema:\n  - name: things\n    properties: [{{name: a, logicalType: string}}]\n    quality: [{{metric: rowCount, {operator}}}]\n"
    );
    let operator = penstock_contract::parse("x.yaml", &yaml).unwrap().quality[0].operator;
    QualityCheck {
        path: "schema[0].quality[0]".to_owned(),
        name: None,
        severity: severity.map(str::to_owned),
        metric,
        column,
        operator,
        unit,
    }
}

#[test]
fn the_newest_row_of_each_key_in_the_batch_remains() {
    let day = required(column("day", LogicalType::Date { format: None }, SqlType::Date));
    let contract = keyed(vec![required(text("id")), day], vec![0], Some(1));
    let file = "id,day\na,2026-01-03\nb,2026-01-01\nc,2026-01-01\na,2026-01-02\nb,2026-01-01\nc,bad\n";
    let batch = read_batch(&contract, file);
    // The first row of `a` is the newest. The last of two equal rows of `b` remains. The rejected row of `c` replaces nothing.
    let remaining: Vec<Option<String>> =
        batch.remaining.iter().flatten().map(|row| row.last().cloned().flatten()).collect();
    assert_eq!(remaining, ["1", "3", "5"].map(|row| Some(row.to_owned())));
    assert_eq!(batch.duplicates.replaced(), 2);
}

#[test]
fn keys_are_compared_like_in_the_database() {
    let price = required(column("price", LogicalType::Number, SqlType::Numeric(None)));
    let batch = read_batch(&keyed(vec![price], vec![0], None), "price\n1.50\n1.5\n01.500\n15\n0\n-0.00\n");
    assert_eq!(batch.duplicates.replaced(), 3);
}

#[test]
fn appended_rows_are_not_checked_for_duplicates() {
    let contract = contract(csv(), vec![required(text("id"))]);
    let batch = read_batch(&contract, "id\na\na\n");
    assert!(!batch.plan.finds_duplicates());
    assert_eq!(batch.duplicates.replaced(), 0);
}

#[test]
fn a_duplicate_in_a_unique_column_refuses_the_batch() {
    let gtin = Column { unique: true, ..text("gtin") };
    let contract = contract(csv(), vec![required(text("id")), gtin]);
    assert_eq!(
        read_batch(&contract, "id,gtin\n1,x\n2,y\n3,\n4,\n").check_results(),
        [("unique".to_owned(), 0, true, false)]
    );
    assert_eq!(
        read_batch(&contract, "id,gtin\n1,x\n2,y\n3,x\n").check_results(),
        [("unique".to_owned(), 1, false, true)]
    );
}

#[test]
fn checks_of_invalid_values_that_only_warn_reject_no_row() {
    for severity in ["warning", "info"] {
        for (metric, file, counted) in [
            ("validValues: [new, 'a\\b']", "id,state\n1,new\n2,old\n3,\n4,a\\b\n5,older\n", 2),
            ("pattern: '^n'", "id,state\n1,new\n2,old\n3,\n4,no\n5,older\n", 2),
            ("validValues: [new]", "id,state\n1,new\n2,\n3,new\n4,new\n5,\n", 0),
        ] {
            let yaml = format!(
                "apiVersion: v3.1.0\nkind: DataContract\nid: x\nname: x\nversion: 1.0.0\nstatus: active\n\
                 servers: [{{server: r, type: s3, location: 's3://r/x/', format: csv}}]\n\
                 schema:\n  - name: things\n    properties:\n      - {{name: id, logicalType: integer}}\n\
                 \x20     - name: state\n        logicalType: string\n\
                 \x20       quality: [{{metric: invalidValues, arguments: {{{metric}}}, mustBe: 0, severity: {severity}, name: n}}]\n"
            );
            let batch = read_batch(&penstock_contract::parse("x.yaml", &yaml).unwrap(), file);
            assert_eq!((batch.totals.accepted, batch.totals.rejected), (5, 0), "{metric}");
            assert_eq!(batch.check_results(), [("n".to_owned(), counted, counted == 0, false)], "{metric}");
        }
    }
}

#[test]
fn quality_checks_count_accepted_rows_after_harmonising() {
    let number = column("price", LogicalType::Number, SqlType::Numeric(Some((8, 2))));
    let mut contract = contract(csv(), vec![required(text("id")), number, text("colour")]);
    let strings = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    let at_most_one = "mustBeLessOrEqualTo: 1";
    contract.quality = vec![
        check(Metric::RowCount, None, "mustBeGreaterThan: 3", Unit::Rows, None),
        check(Metric::NullValues, Some(1), at_most_one, Unit::Rows, None),
        check(
            Metric::MissingValues { values: strings(&["0.0", "n/a"]) },
            Some(1),
            at_most_one,
            Unit::Rows,
            None,
        ),
        check(
            Metric::InvalidValues { valid: strings(&["red", "blue"]), pattern: None },
            Some(2),
            "mustBeLessThan: 25",
            Unit::Percent,
            Some("Warning"),
        ),
        check(
            Metric::InvalidValues { valid: vec![], pattern: Some("^.{3,}$".to_owned()) },
            Some(2),
            at_most_one,
            Unit::Rows,
            None,
        ),
        check(Metric::DuplicateValues { columns: vec![1, 2] }, None, "mustBe: 0", Unit::Rows, None),
    ];
    let file = "id,price,colour\n1,0.00,red\n2,,blue\n3,5,pink\n4,5.00,pink\n,,x\n";
    let batch = read_batch(&contract, file);
    assert_eq!(batch.totals.accepted, 4);
    let check_results: Vec<(u64, bool, bool)> =
        batch.check_results().into_iter().map(|(_, count, holds, refuses)| (count, holds, refuses)).collect();
    let expected = [
        (4, true, false),
        (1, true, false),
        (2, false, true),
        (2, false, false),
        (0, true, false),
        (1, false, true),
    ];
    assert_eq!(check_results, expected);
    let outcome = &batch.plan.judge(&batch.totals, &batch.duplicates)[3];
    assert_eq!((outcome.column.as_deref(), outcome.rows), (Some("colour"), 4));
    assert_eq!(outcome.rule, "the percentage of rows with a value other than `red`, `blue` is less than 25");
}

#[test]
fn a_missing_column_is_null_if_the_contract_says_so() {
    let mut contract = contract(csv(), vec![required(text("id")), text("note")]);
    contract.missing_columns = MissingColumns::Null;
    let batch = read_batch(&contract, "id\n1\n");
    assert_eq!(batch.remaining, [[[Some("1".to_owned()), None, Some("1".to_owned())]]]);
}
