//! Times of day: tables of values, and comparison with an oracle that parses them independently.

use penstock_contract::*;
use penstock_engine::{Limits, Plan, Reader};
use proptest::prelude::*;

use crate::casts::{bound, check, run, strings, with};
use crate::support::{column, contract, csv, date_format, read, text};

fn time(format: Option<DateFormat>) -> Column {
    column("a", LogicalType::Time { format }, SqlType::Time)
}

#[test]
fn times_of_day_are_exact_to_the_microsecond() {
    check(
        time(None),
        &[
            ("00:00", "00:00:00"),
            ("23:59:59", "23:59:59"),
            ("09:05:00.5", "09:05:00.5"),
            ("23:59:59.999999", "23:59:59.999999"),
            ("12:30:00.000001000", "12:30:00.000001"),
            ("12:30:00,25", "12:30:00.25"),
            ("12:30:00.0000001", "out_of_range"),
            ("24:00:00", "not_a_time"),
            ("23:60", "not_a_time"),
            ("23:59:60", "not_a_time"),
            ("9:05", "not_a_time"),
            ("12:30Z", "not_a_time"),
            ("12:30:00+01:00", "not_a_time"),
            ("12:30:00.", "not_a_time"),
            ("2024-01-31T12:30", "not_a_time"),
            ("noon", "not_a_time"),
        ],
    );
    check(
        time(Some(date_format("hh:mm a"))),
        &[
            ("12:15 AM", "00:15:00"),
            ("01:30 PM", "13:30:00"),
            ("13:30 PM", "not_a_time"),
            ("13:30", "not_a_time"),
        ],
    );
    let bounded = with(time(None), |column| {
        column.rules.minimum = bound("08:00", false);
        column.rules.maximum = bound("18:00:00", true);
    });
    check(
        bounded,
        &[
            ("07:59:59.999999", "below_minimum"),
            ("08:00", "08:00:00"),
            ("17:59:59.999999", "17:59:59.999999"),
            ("18:00", "above_maximum"),
        ],
    );
    let allowed = with(time(None), |column| column.rules.allowed = strings(&["06:00", "18:00"]));
    check(allowed, &[("06:00:00.000", "06:00:00"), ("07:00", "not_allowed")]);
}

#[test]
fn a_format_requires_the_exact_number_of_digits_and_all_of_its_parts() {
    let date = |pattern| column("a", LogicalType::Date { format: Some(date_format(pattern)) }, SqlType::Date);
    let timestamp = |pattern| {
        let format = Some(date_format(pattern));
        let logical = LogicalType::Timestamp { format, default_timezone: "UTC".to_owned() };
        column("a", logical, SqlType::Timestamptz)
    };
    check(date("dd.MM.yyyy"), &[("01.02.24", "not_a_date"), ("01.02.2024", "2024-02-01")]);
    check(date("MM/dd/yyyy"), &[("12/31/24", "not_a_date"), ("12/31/2024", "2024-12-31")]);
    check(date("yyyy/MM/dd"), &[("31/12/24", "not_a_date"), ("2024/12/31", "2024-12-31")]);
    check(date("ddMMyyyy"), &[("1012024", "not_a_date"), ("10122024", "2024-12-10")]);
    check(date("yyyyMMdd"), &[("2024111", "not_a_date"), ("20241101", "2024-11-01")]);
    check(date("EEE dd MMM yyyy"), &[("Tue 31 Jan 2024", "not_a_date"), ("WED 31 jan 2024", "2024-01-31")]);
    check(
        timestamp("yyyyMMddHHmmss"),
        &[("2024013123595", "not_a_timestamp"), ("20240131235959", "2024-01-31 23:59:59+00")],
    );
    check(
        timestamp("dd.MM.yyyy HH:mm"),
        &[("01.02.202410:00", "not_a_timestamp"), ("01.02.2024 24:00", "not_a_timestamp")],
    );
    check(
        timestamp("yyyy-MM-dd'T'HH:mm:ssXXX"),
        &[
            ("2024-01-01", "not_a_timestamp"),
            ("2024-01-01T00:00:00", "not_a_timestamp"),
            ("2024-01-01T00:00:00+25:00", "not_a_timestamp"),
            ("2024-01-01T00:00:00+0100", "not_a_timestamp"),
            ("2024-01-01T00:00:60Z", "not_a_timestamp"),
            ("2024-01-01T18:00:00+18:00", "2024-01-01 00:00:00+00"),
            ("2024-01-01T00:00:00Z", "2024-01-01 00:00:00+00"),
        ],
    );
    check(
        timestamp("yyyy-MM-dd HH:mm:ss.SSSSSSSSS"),
        &[
            ("2024-01-01 00:00:00.000001000", "2024-01-01 00:00:00.000001+00"),
            ("2024-01-01 00:00:00.000000001", "out_of_range"),
        ],
    );
    check(time(Some(date_format("HHmm"))), &[("123", "not_a_time"), ("0123", "01:23:00")]);
    check(time(Some(date_format("HH:mm:ss"))), &[("23:59:60", "not_a_time"), ("23:59", "not_a_time")]);
}

#[test]
fn the_declared_year_pivot_and_numeric_time_are_applied() {
    let contract = parse(
        "a.yaml",
        "apiVersion: v3.1.0\nkind: DataContract\nid: a\nname: a\nversion: 1.0.0\nstatus: draft\n\
         servers: [{server: raw, type: s3, location: 's3://raw/a/', format: csv}]\n\
         schema:\n  - name: a\n    properties:\n\
         \x20     - name: born\n        logicalType: date\n        logicalTypeOptions: {format: dd.MM.yy}\n\
         \x20       customProperties: [{property: penstock.yearPivot, value: 1950}]\n\
         \x20     - name: sold\n        logicalType: timestamp\n\
         \x20       logicalTypeOptions: {defaultTimezone: Europe/Berlin}\n\
         \x20       customProperties: [{property: penstock.numericTime, value: excel-1900}]\n",
    )
    .unwrap();
    let outcome = read(&contract, "born,sold\n01.02.49,45322.5\n01.02.50,45322\n1.2.50,60\n");
    let values: Vec<Vec<String>> = outcome.values().iter().map(|row| row[..2].to_vec()).collect();
    assert_eq!(values, [["2049-02-01", "2024-01-31 11:00:00+00"], ["1950-02-01", "2024-01-30 23:00:00+00"]]);
    assert_eq!(outcome.reject_summary(), ["3@4 not_a_date:born not_a_timestamp:sold"]);
}

#[test]
fn times_are_stored_in_arrow_columns_as_microseconds() {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Time64MicrosecondType;
    let plan = std::sync::Arc::new(Plan::compile(&contract(csv(), vec![time(None), text("b")])).unwrap());
    let limits = Limits { arrow: true, ..Limits::default() };
    let file = "a,b\n00:00:01.5,x\n,y\n23:59:59.999999,z\n".as_bytes();
    let mut reader = Reader::open(&plan, limits, file).unwrap();
    let batch = reader.next_block().unwrap().unwrap().rows.record_batch.unwrap();
    let times: Vec<Option<i64>> = batch.column(0).as_primitive::<Time64MicrosecondType>().iter().collect();
    assert_eq!(times, [Some(1_500_000), None, Some(86_399_999_999)]);
}

/// Returns the microseconds since midnight, or `None` for an invalid time.
fn micros_of(text: &str) -> Option<u64> {
    let parts: Vec<&str> = text.split(':').collect();
    let number = |text: &str, limit: u64| {
        let is_number = text.len() == 2 && text.chars().all(|letter| letter.is_ascii_digit());
        text.parse::<u64>().ok().filter(|number| is_number && *number < limit)
    };
    let (hour, minute) = (number(parts[0], 24)?, number(parts.get(1)?, 60)?);
    let mut micros = (hour * 60 + minute) * 60_000_000;
    if let Some(last) = parts.get(2) {
        let (second, fraction) = last.split_once('.').unwrap_or((last, "0"));
        let is_fraction =
            (1..=9).contains(&fraction.len()) && fraction.chars().all(|letter| letter.is_ascii_digit());
        let nanos: u64 = format!("{fraction:0<9}").parse().ok().filter(|_| is_fraction)?;
        micros +=
            number(second, 60)? * 1_000_000 + Some(nanos / 1_000).filter(|_| nanos.is_multiple_of(1_000))?;
    }
    Some(micros).filter(|_| parts.len() <= 3)
}

proptest! {
    #[test]
    fn a_time_is_accepted_exactly_when_the_oracle_accepts_it(
        values in prop::collection::vec("[0-2][0-9]:[0-6][0-9](:[0-6][0-9](\\.[0-9]{0,4}0{0,6})?)?|[0-9:.]{1,9}", 1..40),
    ) {
        let bounded = with(time(None), |column| {
            column.rules.minimum = bound("06:00", true);
            column.rules.maximum = bound("21:30:00.5", false);
        });
        let texts: Vec<&str> = values.iter().map(String::as_str).collect();
        for (text, found) in texts.iter().zip(run(bounded, &texts)) {
            let expected = micros_of(text).filter(|micros| (21_600_000_001..=77_400_500_000).contains(micros));
            prop_assert_eq!(micros_of(&found), expected, "{} {}", text, found);
        }
    }
}
