//! Times in arguments.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Parses a time: with an offset, without one (UTC), a date, or a time before now such as `90min`, `3h` or `2d`.
pub(crate) fn parse_time(text: &str) -> Result<Timestamp, String> {
    parse(text, Timestamp::now()).ok_or_else(|| {
        format!("{text:?} is not a time: write 2026-01-31T08:00Z, 2026-01-31, or 90min, 3h or 2d for a time before now")
    })
}

fn parse(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    // `2026-01-31T08:00Z` has no seconds, which a timestamp must have.
    let (civil, is_civil) = match text.strip_suffix('Z') {
        Some(civil) => (civil, civil.contains('T')),
        None => (text, true),
    };
    let date = || civil.parse::<Date>().map(|date| date.at(0, 0, 0, 0));
    if let Some(time) = civil.parse::<DateTime>().or_else(|_| date()).ok().filter(|_| is_civil) {
        return time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp());
    }
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (count, unit) = text.split_at_checked(digits)?;
    let seconds: i64 = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let before = SignedDuration::from_secs(count.parse::<i64>().ok()?.checked_mul(seconds)?);
    now.checked_sub(before).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_absolute_or_before_now() {
        let now: Timestamp = "2026-02-01T12:00:00Z".parse().unwrap();
        for (text, expected) in [
            ("2026-01-31T08:00:00+02:00", Some("2026-01-31T06:00:00Z")),
            ("2026-01-31T08:00Z", Some("2026-01-31T08:00:00Z")),
            ("2026-01-31T08:00", Some("2026-01-31T08:00:00Z")),
            ("2026-01-31", Some("2026-01-31T00:00:00Z")),
            ("90min", Some("2026-02-01T10:30:00Z")),
            ("3h", Some("2026-02-01T09:00:00Z")),
            ("2d", Some("2026-01-30T12:00:00Z")),
            ("yesterday", None),
            ("3", None),
            ("h", None),
            ("-3h", None),
            ("99999999999999999999d", None),
        ] {
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(parse(text, now), expected, "{text}");
        }
    }
}
