//! PostgreSQL stores every value that the engine accepts: values at the limits of its types, through the engine and
//! COPY. A value that the engine accepts and COPY refuses would fail the whole chunk.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::SinkExt as _;
use penstock_contract::Contract;
use penstock_engine::{Limits, Plan, Reader};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use support::{Db, contract_of, contract_yaml};
use tokio_postgres::Client;

const PROPERTIES: &str = "
      - {name: text_, logicalType: string, customProperties: [{property: penstock.trim, value: false}]}
      - {name: uuid_, logicalType: string, physicalType: uuid}
      - {name: small, logicalType: integer, physicalType: smallint}
      - {name: big, logicalType: integer}
      - {name: sized, logicalType: number, physicalType: 'numeric(1000,1000)'}
      - {name: whole, logicalType: integer, physicalType: 'numeric(38,0)'}
      - {name: free, logicalType: number}
      - {name: double_, logicalType: number, physicalType: double precision}
      - {name: date_, logicalType: date}
      - {name: time_, logicalType: time}
      - {name: instant, logicalType: timestamp}
      - {name: wall, logicalType: timestamp, physicalType: timestamp}
      - {name: document, logicalType: object}
      - {name: list, logicalType: array}";
/// The number of random numbers near the limits of digits that are compared with PostgreSQL, besides the listed ones.
const RANDOM_NUMBERS: usize = 150;

fn contract() -> Contract {
    let custom = [("write", "append"), ("unexpectedColumns", "rescue")];
    let yaml = contract_yaml("limits", "1.0.0", &custom, PROPERTIES);
    contract_of(&yaml.replace("format: csv", "format: ndjson"))
}

/// Returns the accepted lines as COPY text, and the numbers of the rejected lines, beginning with 1.
fn read(contract: &Contract, lines: &[String]) -> (Vec<u8>, Vec<u64>) {
    let plan = Arc::new(Plan::compile(contract).unwrap());
    let file: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut reader = Reader::open(&plan, Limits::default(), file.as_bytes()).unwrap();
    let (mut text, mut rejected) = (Vec::new(), Vec::new());
    while let Some(block) = reader.next_block().unwrap() {
        text.extend_from_slice(&block.rows.copy_text);
        rejected.extend(block.rejects.iter().map(|reject| reject.row));
    }
    (text, rejected)
}

async fn create(client: &Client, contract: &Contract) {
    let columns = contract.entity.columns.iter();
    let ddl: Vec<String> = columns.map(|column| format!("{} {}", column.name, column.sql_type)).collect();
    client.batch_execute(&format!("CREATE TABLE got ({}, _row bigint)", ddl.join(", "))).await.unwrap();
}

async fn copy(client: &Client, text: Vec<u8>) -> Result<u64, tokio_postgres::Error> {
    let sink = client.copy_in("COPY got FROM STDIN").await?;
    let mut sink = std::pin::pin!(sink);
    sink.send(Bytes::from(text)).await?;
    sink.finish().await
}

/// Returns numbers with about as many digits as a limit, and an exponent that moves the point to it.
fn number() -> impl Strategy<Value = String> {
    let near = |limit: i64| (limit - 3..=limit + 3).boxed();
    let exponent = prop_oneof![Just(0), -400..=400_i64];
    let whole = (near(131_072), 0..20_000_i64, exponent.clone()).prop_map(|(digits, fraction, exponent)| {
        // The exponent moves digits across the point.
        (digits - exponent, fraction, exponent)
    });
    let fraction = (1..50_i64, near(16_383), exponent)
        .prop_map(|(digits, fraction, exponent)| (digits, fraction + exponent, exponent));
    (prop_oneof![whole, fraction], "[09]|10", any::<bool>()).prop_map(
        |((whole, fraction, exponent), digit, is_negative)| {
            let repeated = |count: i64| digit.repeat(usize::try_from(count.max(0)).unwrap() / digit.len());
            let whole = repeated(whole);
            let whole = if whole.starts_with('0') || whole.is_empty() { "0".to_owned() } else { whole };
            let fraction = Some(repeated(fraction)).filter(|digits| !digits.is_empty());
            let fraction = fraction.map(|digits| format!(".{digits}")).unwrap_or_default();
            let exponent = if exponent == 0 { String::new() } else { format!("e{exponent}") };
            format!("{}{whole}{fraction}{exponent}", if is_negative { "-" } else { "" })
        },
    )
}

#[tokio::test]
async fn numbers_in_documents_are_accepted_exactly_when_jsonb_stores_them() {
    let (ones, zeros) = (|count: usize| "1".repeat(count), |count: usize| "0".repeat(count));
    let mut numbers = vec![
        ones(131_072),
        ones(131_073),
        format!("0.{}", ones(16_383)),
        format!("0.{}", ones(16_384)),
        format!("0.{}", zeros(16_383)),
        format!("0.{}", zeros(16_384)),
        format!("{}.{}", ones(131_072), ones(16_383)),
        format!("{}e2", ones(131_070)),
        format!("{}e3", ones(131_070)),
        format!("1.{}e1", ones(16_384)),
        format!("1.{}e-1", ones(16_383)),
        format!("{}e-400", ones(131_472)),
        format!("{}e-400", ones(131_473)),
        "0e400".to_owned(),
        "0e-400".to_owned(),
    ];
    let (mut runner, strategy) = (TestRunner::deterministic(), number());
    numbers.extend((0..RANDOM_NUMBERS).map(|_| strategy.new_tree(&mut runner).unwrap().current()));

    let db = Db::start();
    let client = db.client().await;
    let contract = contract();
    create(&client, &contract).await;
    // As an element, nested in an object, and under a key that no column reads.
    let line = |number: &String| {
        [
            format!("{{\"list\":[{number}]}}"),
            format!("{{\"document\":{{\"a\":[\"\\n\",{{\"b\":{number} }}]}}}}"),
            format!("{{\"nobody\":{{\"b\":{number}}}}}"),
        ]
    };
    let lines: Vec<String> = numbers.iter().flat_map(line).collect();
    let (text, rejected) = read(&contract, &lines);
    let mut stored = 0;
    for (index, number) in numbers.iter().enumerate() {
        let is_stored = client.query_one("SELECT length(($1::text::jsonb)::text)", &[number]).await.is_ok();
        stored += usize::from(is_stored);
        for row in (1..=3).map(|place| u64::try_from(index * 3 + place).unwrap()) {
            let head = &number[..number.len().min(20)];
            assert_eq!(!rejected.contains(&row), is_stored, "{head}… of {} bytes, row {row}", number.len());
        }
    }
    assert!(stored > 20 && numbers.len() - stored > 20, "{stored} of {}", numbers.len());
    assert_eq!(copy(&client, text).await.unwrap(), stored as u64 * 3);
}

/// Returns unusual values of all kinds, for each column.
fn awkward_values() -> Vec<String> {
    let text = |text: &str| serde_json::to_string(text).unwrap();
    let mut values: Vec<String> = [
        "null",
        "true",
        "0",
        "-0",
        "-0.0",
        "1e400",
        "-1e-400",
        "1e401",
        "1.5",
        "32768",
        "9223372036854775808",
        "{}",
        "[]",
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\\ud800\"",
        "\"\\ud83d\\ude00\"",
        "{\"a\":\"\\u0000\"}",
        "{\"\\u0000\":1}",
        "[\"\\ud800\"]",
        "{\"a\":1,\"a\":2}",
        "[{\"a\":1,\"\\u0061\":2}]",
        "{\"\":{\"\":1}}",
        "[1e400,1e-400,0e400,-0]",
        "{\"a\":\"\u{7f}\u{ffff}\u{10ffff}\"}",
    ]
    .map(str::to_owned)
    .into();
    let texts = [
        "NaN",
        "Infinity",
        "-inf",
        "+5",
        "0x10",
        "1_000",
        "٣",
        "1e400",
        "1e-400",
        "\\N",
        "\\.",
        "\t",
        "\u{85}",
        "\u{feff}",
        "\u{ffff}",
        "",
        " ",
        "0000-01-01",
        "0001-01-01",
        "9999-12-31",
        "10000-01-01",
        "2024-02-30",
        "-0001-01-01",
        "infinity",
        "now",
        "epoch",
        "24:00",
        "23:59:60",
        "23:59:59.999999",
        "23:59:59.9999999",
        "00:00:00.000000",
        "0001-01-01T00:00:00+18:00",
        "0001-01-01T00:00:00-18:00",
        "9999-12-31T23:59:59-18:00",
        "9999-12-31T23:59:59+18:00",
        "9999-12-31T23:59:59.999999Z",
        "2024-03-31T02:30",
        "0001-01-01T00:00Z",
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
        "{}",
        "[]",
        "{\"a\":1}",
    ];
    values.extend(texts.map(text));
    let digits = |count: usize| "7".repeat(count);
    for count in [17, 38, 39, 308, 309, 1_000, 1_001, 16_384, 131_073, 200_000] {
        values.extend([
            digits(count),
            format!("0.{}", digits(count)),
            text(&digits(count)),
            text(&format!(".{}", digits(count))),
        ]);
    }
    for depth in [100, 126, 127, 128, 129, 5_000] {
        values.push(format!("{}{}", "[".repeat(depth), "]".repeat(depth)));
        values.push(format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth)));
    }
    // Many keys, many elements, and a text of the maximum length of a record.
    let members: Vec<String> = (0..60_000).map(|key| format!("\"{key}\":{key}")).collect();
    values.push(format!("{{{}}}", members.join(",")));
    values.push(format!("[{}1e400]", "1,".repeat(500_000)));
    values.push(text(&"x".repeat(1_048_000)));
    values.push(format!("{{\"{}\":1}}", "k".repeat(1_000_000)));
    values
}

#[tokio::test]
async fn every_accepted_value_is_stored() {
    let contract = contract();
    let names = contract.entity.columns.iter().filter(|column| !column.is_rescued());
    let mut lines: Vec<String> = names
        .flat_map(|column| {
            awkward_values().into_iter().map(|value| format!("{{\"{}\":{value}}}", column.name))
        })
        .collect();
    lines.extend(
        awkward_values()
            .into_iter()
            .map(|value| format!("{{\"nobody\":{value},\"else\":{{\"a\":{value}}}}}")),
    );
    let (text, rejected) = read(&contract, &lines);
    let accepted = lines.len() - rejected.len();
    assert!(accepted > lines.len() / 6 && rejected.len() > lines.len() / 6, "{accepted} of {}", lines.len());
    let db = Db::start();
    let client = db.client().await;
    create(&client, &contract).await;
    if let Err(error) = copy(&client, text.clone()).await {
        // Row by row, to report the row at fault.
        for row in text.split_inclusive(|byte| *byte == b'\n') {
            if let Err(error) = copy(&client, row.to_vec()).await {
                let row = String::from_utf8_lossy(&row[..row.len().min(300)]).into_owned();
                panic!(
                    "{}: {row}",
                    error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
                );
            }
        }
        panic!("{error}");
    }
    let row = client.query_one("SELECT count(*) FROM got", &[]).await.unwrap();
    assert_eq!(usize::try_from(row.get::<_, i64>(0)).unwrap(), accepted);
}
