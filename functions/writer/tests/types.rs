//! Values of every type, from a line of JSON through the engine and COPY into PostgreSQL, are compared with the same
//! values bound in the binary protocol or parsed from a literal by PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::SinkExt as _;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use penstock_contract::Contract;
use penstock_engine::{Limits, Plan, Reader};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use support::{Db, contract_of, contract_yaml};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

const ROWS: usize = 3_000;
const MICROS_PER_DAY: i64 = 86_400_000_000;
const PROPERTIES: &str = "
      - {name: text_, logicalType: string, customProperties: [{property: penstock.trim, value: false}]}
      - {name: uuid_, logicalType: string, physicalType: uuid}
      - {name: small, logicalType: integer, physicalType: smallint}
      - {name: int_, logicalType: integer, physicalType: integer}
      - {name: big, logicalType: integer}
      - {name: sized, logicalType: number, physicalType: 'numeric(38,10)'}
      - {name: free, logicalType: number}
      - {name: double_, logicalType: number, physicalType: double precision}
      - {name: bool_, logicalType: boolean}
      - {name: date_, logicalType: date}
      - {name: time_, logicalType: time}
      - {name: instant, logicalType: timestamp}
      - {name: wall, logicalType: timestamp, physicalType: timestamp}
      - {name: document, logicalType: object}
      - {name: list, logicalType: array}";

/// A row. Numbers without a Rust type of their size are literals.
#[derive(Debug, Clone)]
struct Row {
    text: String,
    uuid: Uuid,
    small: i16,
    int: i32,
    big: i64,
    sized: String,
    free: String,
    double: f64,
    bool: bool,
    date: Date,
    time: Time,
    instant: Timestamp,
    wall: DateTime,
    document: serde_json::Value,
    list: serde_json::Value,
}

impl Row {
    /// Returns the row as a producer's line of JSON.
    fn line(&self) -> String {
        let text = |value: &dyn ToString| serde_json::to_string(&value.to_string()).unwrap();
        format!(
            "{{\"text_\":{},\"uuid_\":{},\"small\":{},\"int_\":{},\"big\":{},\"sized\":{},\"free\":{},\"double_\":{:e},\
             \"bool_\":{},\"date_\":{},\"time_\":{},\"instant\":{},\"wall\":{},\"document\":{},\"list\":{}}}\n",
            text(&self.text),
            text(&self.uuid),
            self.small,
            self.int,
            self.big,
            self.sized,
            self.free,
            self.double,
            self.bool,
            text(&self.date),
            text(&self.time),
            text(&self.instant),
            text(&self.wall),
            self.document,
            self.list,
        )
    }
}

fn digits(whole: usize, fraction: usize) -> impl Strategy<Value = String> {
    let pattern = format!("-?(0|[1-9][0-9]{{0,{}}})(\\.[0-9]{{1,{fraction}}})?", whole - 1);
    proptest::string::string_regex(&pattern).unwrap()
}

/// Returns texts of all characters that PostgreSQL can store, many of them special, and never only white space, which
/// is a missing value.
fn texts() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        '\\', '\t', '\n', '\r', '\u{8}', '\u{b}', '\u{c}', '\u{1}', '\u{7f}', '"', 'N', ',', '\u{85}', '𝔘',
    ]);
    let any = any::<char>().prop_filter("no NUL", |character| *character != '\0');
    let characters = prop::collection::vec(prop_oneof![special, any], 0..20);
    characters.prop_map(|characters| format!("x{}", characters.into_iter().collect::<String>()))
}

fn documents(depth: u32) -> BoxedStrategy<serde_json::Value> {
    use serde_json::{Value, json};
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        texts().prop_map(|value| json!(value)),
    ];
    let nested = leaf.prop_recursive(depth, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-z\\\\\"é]{1,4}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    nested.boxed()
}

/// Returns microseconds of the years 1 to 9999.
fn moments() -> impl Strategy<Value = i64> {
    let (first, last) = (-62_135_596_800_000_000_i64, 253_402_207_199_999_999_i64);
    prop_oneof![first..=last, Just(first), Just(last), Just(0), Just(-1)]
}

fn rows() -> impl Strategy<Value = Row> {
    let numbers = (
        prop_oneof![any::<i16>(), Just(i16::MIN), Just(i16::MAX)],
        prop_oneof![any::<i32>(), Just(i32::MIN), Just(i32::MAX)],
        prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)],
        digits(28, 10),
        prop_oneof![
            digits(300, 90),
            digits(3, 3),
            Just("-0.0".to_owned()),
            Just("1e400".to_owned()),
            Just("1E-300".to_owned())
        ],
        prop_oneof![
            // The engine writes both zeros as 0, because they are the same key.
            any::<f64>().prop_filter("JSON has no NaN and no infinities", |number| number.is_finite()
                && *number != 0.0),
            prop::sample::select(vec![
                f64::MIN,
                f64::MAX,
                f64::MIN_POSITIVE,
                5e-324,
                0.1,
                1e17,
                123_456_789.123_456_79
            ]),
        ],
    );
    let others = (texts(), any::<u128>(), any::<bool>(), moments(), 0..MICROS_PER_DAY, moments(), moments());
    (numbers, others, documents(3), documents(3)).prop_map(|(numbers, others, document, list)| {
        let (small, int, big, sized, free, double) = numbers;
        let (text, uuid, bool, day, time, instant, wall) = others;
        let civil = |micros| {
            Timestamp::from_microsecond(micros).unwrap().to_zoned(jiff::tz::TimeZone::UTC).datetime()
        };
        Row {
            text,
            uuid: Uuid::from_u128(uuid),
            small,
            int,
            big,
            sized,
            free,
            double,
            bool,
            date: civil(day).date(),
            time: civil(time).time(),
            instant: Timestamp::from_microsecond(instant).unwrap(),
            wall: civil(wall),
            document: serde_json::json!({ "of": document }),
            list: serde_json::json!([list]),
        }
    })
}

fn contract() -> Contract {
    let yaml = contract_yaml("types", "1.0.0", &[("write", "append")], PROPERTIES);
    contract_of(&yaml.replace("format: csv", "format: ndjson"))
}

/// Returns the rows as COPY text. All must be accepted.
fn copy_text(contract: &Contract, rows: &[Row]) -> Vec<u8> {
    let file: String = rows.iter().map(Row::line).collect();
    let plan = Arc::new(Plan::compile(contract).unwrap());
    let mut reader = Reader::open(&plan, Limits::default(), file.as_bytes()).unwrap();
    let mut text = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        assert!(block.rejects.is_empty(), "{:?}", block.rejects.first());
        text.extend_from_slice(&block.rows.copy_text);
    }
    text
}

#[tokio::test]
async fn postgresql_returns_values_of_every_type_unchanged() {
    let mut runner = TestRunner::deterministic();
    let strategy = rows();
    let rows: Vec<Row> = (0..ROWS).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let contract = contract();
    let db = Db::start();
    let client = db.client().await;

    let columns = &contract.entity.columns;
    let ddl: Vec<String> =
        columns.iter().map(|column| format!("{} {}", column.name, column.sql_type)).collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    for table in ["got", "expected"] {
        client
            .batch_execute(&format!("CREATE TABLE {table} ({}, _row bigint)", ddl.join(", ")))
            .await
            .unwrap();
    }
    let sink = client.copy_in("COPY got FROM STDIN").await.unwrap();
    let mut sink = std::pin::pin!(sink);
    sink.send(Bytes::from(copy_text(&contract, &rows))).await.unwrap();
    assert_eq!(sink.finish().await.unwrap(), ROWS as u64);

    let insert = "INSERT INTO expected VALUES ($1, $2, $3, $4, $5, $6::text::numeric(38,10), $7::text::numeric, $8, $9, $10, $11, \
                  $12, $13, $14::text::jsonb, $15::text::jsonb, $16)";
    let insert = client.prepare(insert).await.unwrap();
    for (row, index) in rows.iter().zip(1_i64..) {
        let (document, list) = (row.document.to_string(), row.list.to_string());
        let values: [&(dyn ToSql + Sync); 16] = [
            &row.text,
            &row.uuid,
            &row.small,
            &row.int,
            &row.big,
            &row.sized,
            &row.free,
            &row.double,
            &row.bool,
            &row.date,
            &row.time,
            &row.instant,
            &row.wall,
            &document,
            &list,
            &index,
        ];
        client.execute(&insert, &values).await.unwrap();
    }
    for name in names {
        // Compared as text, too, because equal numerics may differ in digits.
        let differ = format!(
            "SELECT count(*), min(_row) FROM got FULL JOIN expected USING (_row) WHERE got.{name} IS DISTINCT FROM expected.{name} \
             OR got.{name}::text IS DISTINCT FROM expected.{name}::text OR got.{name} IS NULL"
        );
        let row = client.query_one(&differ, &[]).await.unwrap();
        let (count, first): (i64, Option<i64>) = (row.get(0), row.get(1));
        let line = first.and_then(|first| rows.get(usize::try_from(first - 1).unwrap())).map(Row::line);
        assert_eq!(count, 0, "{name}: {line:?}");
    }
}
