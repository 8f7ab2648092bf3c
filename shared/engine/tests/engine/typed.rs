//! Typed files: how the text options of a contract apply to typed values, and how columns are matched.

use std::sync::Arc;

use arrow_array::*;
use bytes::Bytes;
use penstock_contract::*;
use penstock_engine::Limits;
use proptest::prelude::*;
use serde_json::json;

use crate::casts::with;
use crate::parquet_files::file;
use crate::support::{
    Outcome, assert_golden, column, contract, date_format, golden, read, read_parquet, required, text,
};

fn number(name: &str, sql_type: SqlType) -> Column {
    let is_whole = matches!(sql_type, SqlType::Bigint);
    column(name, if is_whole { LogicalType::Integer } else { LogicalType::Number }, sql_type)
}

fn things(file: Bytes, columns: Vec<Column>) -> Outcome {
    read_parquet(&contract(FormatKind::Parquet, columns), Limits::default(), file).unwrap()
}

fn ints(values: Vec<Option<i64>>) -> Arc<Int64Array> {
    Arc::new(values.into())
}

#[test]
fn text_options_apply_to_the_text_form_of_typed_values() {
    let bigint = || number("v", SqlType::Bigint);
    let one = |column: Column, array: ArrayRef| {
        let outcome = things(file(&[("v", array)]), vec![column]);
        let values = outcome.values().into_iter().flatten();
        values
            .chain(outcome.rejects.iter().map(|reject| reject.reasons[0].rule.to_string()))
            .collect::<Vec<_>>()
    };
    let strings = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
    let null = with(bigint(), |column| column.harmonise.null_values = vec!["-1".to_owned()]);
    assert_eq!(one(null, ints(vec![Some(-1), Some(5)])), ["NULL", "5"]);
    let default = with(bigint(), |column| column.harmonise.default = Some("7".to_owned()));
    assert_eq!(one(default, ints(vec![None, Some(5)])), ["7", "5"]);
    let constant = with(bigint(), |column| column.harmonise.constant = Some("9".to_owned()));
    assert_eq!(one(constant, ints(vec![Some(5)])), ["9"]);
    let extract = with(bigint(), |column| column.harmonise.extract = Some("^4([0-9]+)$".to_owned()));
    assert_eq!(one(extract, ints(vec![Some(412), Some(5)])), ["12", "extract ^4([0-9]+)$"]);
    let bound = with(bigint(), |column| {
        column.rules.minimum = Some(Bound { value: "3".to_owned(), exclusive: false });
    });
    assert_eq!(one(bound, ints(vec![Some(2), Some(3)])), ["3", "minimum 3"]);
    let name = with(text("v"), |column| {
        column.harmonise.case = Some(Case::Upper);
        column.rules.allowed = vec!["RED".to_owned()];
    });
    assert_eq!(one(name, strings(vec![" red ", "blue", ""])), ["RED", "NULL", "one of RED"]);
    // The date format applies to text, not to values of type date.
    let german = column("v", LogicalType::Date { format: Some(date_format("dd.MM.yyyy")) }, SqlType::Date);
    assert_eq!(one(german.clone(), Arc::new(Date32Array::from(vec![1]))), ["1970-01-02"]);
    assert_eq!(one(german.clone(), strings(vec!["02.01.1970"])), ["1970-01-02"]);
    let with_null = with(german, |column| column.harmonise.null_values = vec!["1970-01-01".to_owned()]);
    assert_eq!(one(with_null, Arc::new(Date32Array::from(vec![0, 1]))), ["NULL", "1970-01-02"]);
    let yes = with(column("v", LogicalType::Boolean, SqlType::Boolean), |column| {
        column.harmonise.true_values = vec!["1".to_owned()];
    });
    assert_eq!(one(yes, ints(vec![Some(1), Some(0)])), ["t", "a boolean"]);
}

#[test]
fn columns_match_by_name_and_others_are_suggested_rescued_or_rejected() {
    let whole = || {
        file(&[
            ("ID", ints(vec![Some(1), Some(2)])),
            ("name", Arc::new(StringArray::from(vec!["a", "b"]))),
            ("size\"", Arc::new(StringArray::from(vec![Some("x\ty"), None]))),
        ])
    };
    let columns = || vec![number("id", SqlType::Bigint), text("name")];
    let error =
        read_parquet(&contract(FormatKind::Parquet, columns()), Limits::default(), whole()).unwrap_err();
    assert_eq!(error.code(), "missing_columns");
    let expected = "the file lacks `id`; it has `ID`, `name`, `size\"`; `ID` may be meant for `id`";
    assert!(error.to_string().starts_with(expected), "{error}");
    let lenient = |unexpected_columns, columns| Contract {
        missing_columns: MissingColumns::Null,
        unexpected_columns,
        ..contract(FormatKind::Parquet, columns)
    };
    let read = |contract: &Contract| read_parquet(contract, Limits::default(), whole()).unwrap();
    let ignoring = read(&lenient(UnexpectedColumns::Ignore, columns()));
    assert_eq!(ignoring.values(), [["NULL", "a"], ["NULL", "b"]]);
    assert_eq!(ignoring.dialect.suggestions, ["`ID` may be meant for `id`"]);
    let refusing = read(&lenient(UnexpectedColumns::Reject, columns()));
    assert_eq!(refusing.reject_summary(), ["1@1 unexpected_column", "2@2 unexpected_column"]);
    let rescued = column("_rescued", LogicalType::Object { properties: vec![] }, SqlType::Jsonb);
    let rescuing = read(&lenient(UnexpectedColumns::Rescue, [columns(), vec![rescued]].concat()));
    let rescued: Vec<_> = rescuing.values().iter().map(|row| row[2].clone()).collect();
    assert_eq!(rescued, [r#"{"ID":1,"size\"":"x\ty"}"#, r#"{"ID":2}"#]);
}

#[test]
fn golden_rejects_of_typed_rows_are_as_expected() {
    let decimals = Decimal128Array::from(vec![150, -1, 10_000_000]).with_precision_and_scale(9, 2).unwrap();
    let file = file(&[
        ("id", ints(vec![Some(1), None, Some(3)])),
        ("name", Arc::new(BinaryArray::from(vec![b"\xff\xfe".as_slice(), b"b", b"c\"d"]))),
        ("email", Arc::new(StringArray::from(vec!["a@b.c", "d@e.f", "nobody"]))),
        ("price", Arc::new(decimals)),
        ("seen", Arc::new(TimestampNanosecondArray::from(vec![1, 1_000, 2_001]))),
    ]);
    let columns = vec![
        required(number("id", SqlType::Bigint)),
        text("name"),
        with(text("email"), |column| {
            column.classification = Some("personal".to_owned());
            column.rules.format = Some(StringFormat::Email);
        }),
        with(number("price", SqlType::Numeric(Some((7, 2)))), |column| {
            column.rules.minimum = Some(Bound { value: "0".to_owned(), exclusive: false });
        }),
        column(
            "seen",
            LogicalType::Timestamp { format: None, default_timezone: "UTC".to_owned() },
            SqlType::Timestamptz,
        ),
    ];
    let outcome = things(file, columns);
    let report = json!({ "dialect": outcome.dialect, "rejects": outcome.rejects, "by_reason": outcome.totals.by_reason });
    let found = serde_json::to_string_pretty(&report).unwrap() + "\n";
    assert!(!found.contains("nobody"), "a classified value must not be shown");
    assert_golden(&golden("parquet-rejects.json"), found.as_bytes());
}

#[derive(Debug, Clone)]
struct Row {
    id: Option<i64>,
    name: String,
    cents: i128,
    micros: i64,
}

fn row() -> impl Strategy<Value = Row> {
    let name = prop_oneof!["[a-z\"',;\\\\é]{0,6}", "\\PC{0,5}", Just("NULL".to_owned())];
    (prop::option::weighted(0.9, -10_i64..1_000), name, -100_i128..100_000, 0_i64..60_000_000)
        .prop_map(|(id, name, cents, micros)| Row { id, name, cents, micros })
}

impl Row {
    fn price(&self) -> String {
        format!(
            "{}{}.{:02}",
            if self.cents < 0 { "-" } else { "" },
            self.cents.abs() / 100,
            self.cents.abs() % 100
        )
    }

    fn time(&self) -> String {
        format!("1970-01-01T00:00:{:02}.{:06}Z", self.micros / 1_000_000, self.micros % 1_000_000)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn text_and_typed_files_give_the_same_rows(rows in prop::collection::vec(row(), 1..40)) {
        let columns = || {
            let columns = vec![
                required(with(number("id", SqlType::Bigint), |column| {
                    column.rules.minimum = Some(Bound { value: "0".to_owned(), exclusive: false });
                })),
                with(text("name"), |column| column.rules.max_length = Some(4)),
                with(number("price", SqlType::Numeric(Some((5, 2)))), |column| {
                    column.rules.minimum = Some(Bound { value: "0".to_owned(), exclusive: true });
                }),
                column("seen", LogicalType::Timestamp { format: None, default_timezone: "UTC".to_owned() }, SqlType::Timestamptz),
            ];
            columns.into_iter().map(|mut column| {
                column.harmonise.null_values = vec!["NULL".to_owned(), "7".to_owned()];
                column
            }).collect::<Vec<_>>()
        };
        let dialect = DelimitedDialect {
            delimiter: Some(",".to_owned()), quote: Some(Quote::Byte(b'"')), header: Some(true), ..DelimitedDialect::default()
        };
        let mut csv = "id,name,price,seen\n".to_owned();
        let mut ndjson = String::new();
        for row in &rows {
            let id = row.id.map(|id| id.to_string()).unwrap_or_default();
            let name = row.name.replace('"', "\"\"");
            csv.push_str(&format!("{id},\"{name}\",{},{}\n", row.price(), row.time()));
            let price = row.price();
            ndjson.push_str(&format!(
                "{{\"id\":{},\"name\":{},\"price\":{price},\"seen\":\"{}\"}}\n",
                json!(row.id), json!(row.name), row.time()
            ));
        }
        let cents = Decimal128Array::from_iter_values(rows.iter().map(|row| row.cents));
        let seen = TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.micros));
        let typed = file(&[
            ("id", ints(rows.iter().map(|row| row.id).collect())),
            ("name", Arc::new(rows.iter().map(|row| Some(row.name.as_str())).collect::<StringArray>())),
            ("price", Arc::new(cents.with_precision_and_scale(12, 2).unwrap())),
            ("seen", Arc::new(seen.with_timezone("UTC"))),
        ]);
        let from_csv = read(&contract(FormatKind::Delimited(dialect), columns()), csv);
        let from_json = read(&contract(FormatKind::Ndjson, columns()), ndjson);
        let from_parquet = things(typed, columns());
        prop_assert_eq!(&from_parquet.rows(), &from_csv.rows());
        prop_assert_eq!(&from_parquet.chunks, &from_json.chunks);
        prop_assert_eq!(&from_parquet.totals.by_reason, &from_json.totals.by_reason);
    }
}
