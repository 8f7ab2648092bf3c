//! Dates and timestamps that are written as numbers, in every file format.

use std::sync::Arc;

use arrow_array::*;
use penstock_contract::*;
use penstock_engine::Limits;

use crate::casts::{bound, check, strings, with};
use crate::parquet_files::file;
use crate::support::{column, contract, read, read_parquet};

fn timestamp(numeric: NumericTime, zone: &str, sql_type: SqlType) -> Column {
    let logical_type = LogicalType::Timestamp { format: None, default_timezone: zone.to_owned() };
    with(column("a", logical_type, sql_type), |column| column.harmonise.numeric_time = Some(numeric))
}

fn date(numeric: NumericTime) -> Column {
    let date = column("a", LogicalType::Date { format: None }, SqlType::Date);
    with(date, |column| column.harmonise.numeric_time = Some(numeric))
}

#[test]
fn epoch_numbers_are_timestamps_in_utc() {
    check(
        timestamp(NumericTime::EpochSeconds, "Europe/Berlin", SqlType::Timestamptz),
        &[
            ("1706659200", "2024-01-31 00:00:00+00"),
            (" +1706659200.5 ", "2024-01-31 00:00:00.5+00"),
            ("1.7066592e9", "2024-01-31 00:00:00+00"),
            ("-1", "1969-12-31 23:59:59+00"),
            ("1706659200.1234567", "out_of_range"),
            ("1706659200123456789", "out_of_range"),
            ("2024-01-31T00:00:00Z", "not_a_timestamp"),
            ("1,706,659,200", "not_a_timestamp"),
            ("0x65b98d00", "not_a_timestamp"),
            ("NaN", "not_a_timestamp"),
            ("", "NULL"),
        ],
    );
    check(
        timestamp(NumericTime::EpochMillis, "Europe/Berlin", SqlType::Timestamp),
        &[("1706659200123", "2024-01-31 01:00:00.123")],
    );
    check(
        date(NumericTime::EpochMillis),
        &[
            ("1706659200000", "2024-01-31"),
            ("1706659200001", "not_a_date"),
            ("253402300800000", "out_of_range"),
            ("2024-01-31", "not_a_date"),
        ],
    );
}

#[test]
fn excel_serial_numbers_are_in_the_default_time_zone() {
    check(
        timestamp(NumericTime::Excel1900, "Europe/Berlin", SqlType::Timestamptz),
        &[
            ("45322.75", "2024-01-31 17:00:00+00"),
            ("45322.444444444445", "2024-01-31 09:40:00+00"),
            ("45322.444444", "out_of_range"),
            ("60", "not_a_timestamp"),
            ("0.75", "not_a_timestamp"),
            // Skipped at the beginning of daylight saving time.
            ("45746.1041666667", "not_a_timestamp"),
        ],
    );
    let german = with(date(NumericTime::Excel1900), |column| {
        column.harmonise.decimal_separator = Some(',');
        column.harmonise.group_separator = Some('.');
    });
    check(
        german,
        &[
            ("45.322,0", "2024-01-31"),
            ("45322", "2024-01-31"),
            ("45322,5", "not_a_date"),
            ("45322.0", "not_a_date"),
        ],
    );
    check(date(NumericTime::Excel1904), &[("43860", "2024-01-31"), ("0", "1904-01-01")]);
}

#[test]
fn rules_apply_to_dates_written_as_numbers() {
    let ruled = with(date(NumericTime::Excel1900), |column| {
        column.rules.minimum = bound("2024-01-31", false);
        column.rules.allowed = strings(&["45321", "45322"]);
    });
    check(ruled, &[("45321", "below_minimum"), ("45322.0", "2024-01-31"), ("45323", "not_allowed")]);
}

#[test]
fn json_numbers_have_a_decimal_point_regardless_of_the_declared_separator() {
    let columns = vec![
        with(timestamp(NumericTime::EpochSeconds, "UTC", SqlType::Timestamptz), |column| {
            column.harmonise.decimal_separator = Some(',');
        }),
        with(date(NumericTime::Excel1900), |column| {
            column.name = "b".to_owned();
            column.physical_name = "b".to_owned();
            column.harmonise.default = Some("45322".to_owned());
        }),
    ];
    let lines = "{\"a\":1706659200.25,\"b\":45323}\n{\"a\":\"1706659200,25\"}\n{\"a\":17066592e2,\"b\":45323.00}\n\
                 {\"a\":\"1706659200.25\"}\n{\"a\":true}\n";
    let outcome = read(&contract(FormatKind::Ndjson, columns), lines);
    assert_eq!(
        outcome.values(),
        [
            ["2024-01-31 00:00:00.25+00", "2024-02-01"],
            ["2024-01-31 00:00:00.25+00", "2024-01-31"],
            ["2024-01-31 00:00:00+00", "2024-02-01"],
        ]
    );
    assert_eq!(outcome.reject_summary(), ["4@4 not_a_timestamp:a", "5@5 not_a_timestamp:a"]);
    let rule = outcome.rejects[0].reasons[0].rule.as_ref();
    assert_eq!(rule, "a number of seconds since 1970-01-01T00:00Z");
}

#[test]
fn typed_numbers_are_converted_and_typed_times_are_accepted() {
    let one = |column: Column, array: ArrayRef| {
        let contract = contract(FormatKind::Parquet, vec![column]);
        let outcome = read_parquet(&contract, Limits::default(), file(&[("a", array)])).unwrap();
        let codes = outcome.rejects.iter().map(|reject| reject.reasons[0].code.to_string());
        outcome.values().into_iter().flatten().chain(codes).collect::<Vec<_>>()
    };
    let millis = || timestamp(NumericTime::EpochMillis, "UTC", SqlType::Timestamptz);
    let ints = Arc::new(Int64Array::from(vec![Some(1_706_659_200_123), None, Some(i64::MAX)]));
    assert_eq!(one(millis(), ints), ["2024-01-31 00:00:00.123+00", "NULL", "out_of_range"]);
    let micros = Arc::new(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC"));
    assert_eq!(one(millis(), micros), ["1970-01-01 00:00:00.000001+00"]);
    let doubles = Arc::new(Float64Array::from(vec![45_322.444_444_444_445, 45_322.0, f64::NAN]));
    let excel = timestamp(NumericTime::Excel1900, "UTC", SqlType::Timestamptz);
    assert_eq!(one(excel, doubles), ["2024-01-31 10:40:00+00", "2024-01-31 00:00:00+00", "not_a_timestamp"]);
    let decimals = Decimal128Array::from(vec![17_066_592_005]).with_precision_and_scale(12, 1).unwrap();
    let seconds = timestamp(NumericTime::EpochSeconds, "UTC", SqlType::Timestamptz);
    assert_eq!(one(seconds, Arc::new(decimals)), ["2024-01-31 00:00:00.5+00"]);
    let days = Arc::new(Date32Array::from(vec![1]));
    assert_eq!(one(date(NumericTime::Excel1900), days), ["1970-01-02"]);
}
