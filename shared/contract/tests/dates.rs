//! Formats of dates and times read texts with the same result as the JDK.

use std::collections::BTreeSet;

use penstock_contract::civil::{Civil, MICROS_PER_DAY, civil_of_days, days};
use penstock_contract::iso8601::{ParsedTimestamp, TimeError};
use penstock_contract::{DateFormat, NumericTime};
use proptest::prelude::*;

fn format(pattern: &str) -> DateFormat {
    DateFormat::of_dates(pattern).or_else(|_| DateFormat::of_times(pattern)).expect("a pattern")
}

fn clock(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    format!("{:02}:{:02}:{:02}.{fraction:06}000", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

fn date(day: i64) -> String {
    let Civil { year, month, day } = civil_of_days(i32::try_from(day).expect("a day"));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Returns the value of a text in the notation of the oracle; `-` if it is refused.
fn read(format: &DateFormat, text: &str) -> String {
    let text = text.as_bytes();
    if DateFormat::of_dates(&format.pattern).is_err() {
        return match format.read_time(text) {
            Ok(micros) => clock(micros),
            Err(TimeError::Malformed) => "-".to_owned(),
            Err(TimeError::OutOfRange) => "finer".to_owned(),
        };
    }
    match format.read_timestamp(text) {
        Ok(ParsedTimestamp { local_micros, offset_seconds }) => {
            let offset = offset_seconds.map(|seconds| format!(" {seconds}")).unwrap_or_default();
            let day = local_micros.div_euclid(MICROS_PER_DAY);
            let clock = clock(local_micros.rem_euclid(MICROS_PER_DAY));
            assert_eq!(format.read_date(text).map(|date| i64::from(days(date))), Some(day), "{text:?}");
            format!("{}T{clock}{offset}", date(day))
        }
        Err(TimeError::OutOfRange) => "finer".to_owned(),
        Err(TimeError::Malformed) => {
            assert_eq!(format.read_date(text), None, "{text:?}");
            "-".to_owned()
        }
    }
}

/// Returns true for a value that is more precise than a microsecond.
fn is_finer(value: &str) -> bool {
    let fraction = value.split_once('.').map_or("", |(_, fraction)| fraction);
    fraction.get(6..9).is_some_and(|nanos| nanos != "000")
}

#[test]
fn every_text_has_the_value_that_the_jdk_reads() {
    let table = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/dates.tsv"))
        .unwrap();
    let mut patterns: BTreeSet<&str> = BTreeSet::new();
    let (mut read_rows, mut refused_rows) = (0, 0);
    let mut wrong = Vec::new();
    let mut compiled: Option<(String, DateFormat)> = None;
    for line in table.lines().skip(1) {
        let [pattern, pivot, text, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let key = format!("{pattern}\t{pivot}");
        if compiled.as_ref().is_none_or(|(known, _)| *known != key) {
            compiled = Some((key, format(pattern).with_year_pivot(pivot.parse().unwrap())));
        }
        let (_, format) = compiled.as_ref().unwrap();
        let expected = if is_finer(expected) { "finer" } else { expected };
        let found = read(format, text);
        if found != expected {
            wrong.push(format!("{pattern} ({pivot}) {text:?}: {found}, the JDK reads {expected}"));
        }
        patterns.insert(pattern);
        *if expected == "-" { &mut refused_rows } else { &mut read_rows } += 1;
    }
    assert!(patterns.len() > 100 && read_rows > 4_000 && refused_rows > 10_000, "{read_rows} {refused_rows}");
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn texts_that_match_a_pattern_only_loosely_are_refused() {
    for (pattern, text) in [
        ("dd.MM.yyyy", "01.02.24"),
        ("MM/dd/yyyy", "12/31/24"),
        ("yyyy/MM/dd", "31/12/24"),
        ("ddMMyyyy", "1012024"),
        ("yyyyMMdd", "2024111"),
        ("yyyyMMddHHmmss", "2024013123595"),
        ("HHmm", "123"),
        ("HH:mm:ss", "23:59:60"),
        ("dd.MM.yyyy HH:mm", "01.02.202410:00"),
        ("yyyy-MM-dd HH:mmXXX", "2024-01-01 10:00+25:00"),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2024-01-01"),
        ("yyyy-MM-dd'T'HH:mm:ssXXX", "2024-01-01T10:00:00"),
        ("yyyy-MM-dd HH:mm", "2024-01-01 24:00"),
        ("dd.MM.yyyy", "31.02.2024"),
        ("EEE, dd.MM.yyyy", "Mon, 31.01.2024"),
    ] {
        assert_eq!(read(&format(pattern), text), "-", "{pattern} {text}");
    }
}

#[test]
fn a_year_of_two_digits_is_one_of_the_hundred_years_from_the_pivot() {
    for (pivot, text, expected) in [
        (2000, "01.02.00", "2000-02-01"),
        (2000, "01.02.99", "2099-02-01"),
        (1950, "01.02.49", "2049-02-01"),
        (1950, "01.02.50", "1950-02-01"),
        (1900, "01.02.00", "1900-02-01"),
        (1999, "01.02.98", "2098-02-01"),
        (1, "01.02.00", "0100-02-01"),
        (9900, "31.12.99", "9999-12-31"),
    ] {
        let read = format("dd.MM.yy").with_year_pivot(pivot).read_date(text.as_bytes());
        assert_eq!(date(i64::from(days(read.unwrap()))), expected, "{pivot} {text}");
    }
}

/// Writes a point in time by a pattern of the letters that occur in the test.
fn write(pattern: &str, date: Civil, seconds: u32, micros: u32, offset_minutes: i32) -> String {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let sign = if offset_minutes < 0 { '-' } else { '+' };
    let offset = offset_minutes.unsigned_abs();
    let parts = [
        ("yyyy", format!("{:04}", date.year)),
        ("MMM", MONTHS[usize::from(date.month) - 1].to_owned()),
        ("MM", format!("{:02}", date.month)),
        ("M", date.month.to_string()),
        ("DDD", format!("{:03}", date.year_day())),
        ("dd", format!("{:02}", date.day)),
        ("d", date.day.to_string()),
        ("EEE", WEEKDAYS[usize::from(date.weekday()) - 1].to_owned()),
        ("HH", format!("{hour:02}")),
        ("H", hour.to_string()),
        ("hh", format!("{:02}", (hour + 11) % 12 + 1)),
        ("a", if hour < 12 { "AM" } else { "PM" }.to_owned()),
        ("mm", format!("{minute:02}")),
        ("ss", format!("{second:02}")),
        ("SSSSSS", format!("{micros:06}")),
        ("XXX", format!("{sign}{:02}:{:02}", offset / 60, offset % 60)),
        ("xx", format!("{sign}{:02}{:02}", offset / 60, offset % 60)),
    ];
    let mut text = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let (part, after) = parts
            .iter()
            .find_map(|(letters, part)| rest.strip_prefix(letters).map(|after| (part.clone(), after)))
            .unwrap_or_else(|| (first.to_string(), &rest[first.len_utf8()..]));
        text.push_str(&part);
        rest = after;
    }
    text
}

proptest! {
    #[test]
    fn a_text_that_a_pattern_writes_is_read_back(
        day in -719_162_i32..=2_932_896,
        seconds in 0_u32..86_400,
        micros in 0_u32..1_000_000,
        offset_minutes in -1_080_i32..=1_080,
        pattern in prop::sample::select(vec![
            "dd.MM.yyyy HH:mm:ss.SSSSSSXXX",
            "yyyyMMddHHmmssSSSSSSxx",
            "d.M.yyyy H:mm:ss.SSSSSS XXX",
            "EEE, dd MMM yyyy HH:mm:ss.SSSSSS xx",
            "yyyy/DDD hh:mm:ss.SSSSSS aXXX",
            "XXX yyyy-MM-ddTHH:mm:ss,SSSSSS",
            "HHmmssSSSSSS/yyyyDDDXXX",
        ]),
    ) {
        let date = civil_of_days(day);
        let text = write(pattern, date, seconds, micros, offset_minutes);
        let expected = ParsedTimestamp {
            local_micros: i64::from(day) * MICROS_PER_DAY + i64::from(seconds) * 1_000_000 + i64::from(micros),
            offset_seconds: Some(offset_minutes * 60),
        };
        let format = DateFormat::of_dates(pattern).unwrap();
        prop_assert_eq!(format.read_timestamp(text.as_bytes()), Ok(expected), "{}", text);
        // No prefix of the text matches the format.
        for length in 0..text.len() {
            if text.is_char_boundary(length) {
                prop_assert_eq!(format.read_date(&text.as_bytes()[..length]), None, "{}", &text[..length]);
            }
        }
    }

    #[test]
    fn epochs_are_read_back_exactly(micros in -62_135_596_800_000_000_i64..253_402_300_800_000_000) {
        for (numeric, places) in [
            (NumericTime::EpochSeconds, 6),
            (NumericTime::EpochMillis, 3),
            (NumericTime::EpochMicros, 0),
        ] {
            let digits = format!("{:0>7}", micros.unsigned_abs());
            let (whole, fraction) = digits.split_at(digits.len() - places);
            let read = numeric.micros(micros < 0, whole.as_bytes(), fraction.as_bytes());
            prop_assert_eq!(read, Ok(micros), "{:?}", numeric);
            // One more digit exceeds a microsecond, and is refused rather than rounded.
            let read = numeric.micros(micros < 0, whole.as_bytes(), format!("{fraction}1").as_bytes());
            prop_assert_eq!(read, Err(TimeError::OutOfRange), "{:?}", numeric);
        }
        let nanos = format!("{}000", micros.unsigned_abs());
        prop_assert_eq!(NumericTime::EpochNanos.micros(micros < 0, nanos.as_bytes(), b""), Ok(micros));
    }

    #[test]
    fn serial_numbers_are_read_back_to_the_millisecond(
        day in 61_i64..=65_535,
        millis in 0_i64..86_400_000,
    ) {
        let serial = day as f64 + millis as f64 / 86_400_000.0;
        let expected = (day - 25_569) * MICROS_PER_DAY + millis * 1_000;
        // As it is stored in a spreadsheet's file, and as it is shown with 15 digits.
        for text in [serial.to_string(), format!("{serial:.10}")] {
            let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
            let read = NumericTime::Excel1900.micros(false, whole.as_bytes(), fraction.as_bytes());
            prop_assert_eq!(read, Ok(expected), "{}", text);
        }
    }

    #[test]
    fn no_pattern_and_no_bytes_cause_a_panic(
        pattern in "[yuMLdDEHhmsaSXxZT'.: ]{0,24}",
        text in prop::collection::vec(any::<u8>(), 0..30),
        digits in "[0-9.: +Z-]{0,30}",
    ) {
        for format in [DateFormat::of_dates(&pattern), DateFormat::of_times(&pattern)].into_iter().flatten() {
            for text in [text.as_slice(), digits.as_bytes()] {
                let _ = format.read_timestamp(text);
                let _ = format.read_time(text);
                let _ = format.read_date(text);
            }
        }
    }
}
