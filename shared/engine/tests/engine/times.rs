//! Times of day: by table, and against an oracle that takes them apart.

use penstock_contract::*;
use penstock_engine::{Limits, Plan, Reader};
use proptest::prelude::*;

use crate::casts::{bound, check, run, strings, with};
use crate::support::{column, contract, csv, date_format, text};

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
fn times_stand_in_arrow_columns_as_microseconds() {
    use arrow_array::cast::AsArray;
    use arrow_array::types::Time64MicrosecondType;
    let plan = std::sync::Arc::new(Plan::compile(&contract(csv(), vec![time(None), text("b")])).unwrap());
    let limits = Limits { arrow: true, ..Limits::default() };
    let file = "a,b\n00:00:01.5,x\n,y\n23:59:59.999999,z\n".as_bytes();
    let mut reader = Reader::open(plan, limits, file).unwrap();
    let batch = reader.next_block().unwrap().unwrap().rows.record_batch.unwrap();
    let times: Vec<Option<i64>> = batch.column(0).as_primitive::<Time64MicrosecondType>().iter().collect();
    assert_eq!(times, [Some(1_500_000), None, Some(86_399_999_999)]);
}

/// Microseconds of a time of day, by its parts. `None`: refused.
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
    fn a_time_is_accepted_exactly_when_its_parts_and_rules_hold(
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
