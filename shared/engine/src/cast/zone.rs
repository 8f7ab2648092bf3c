//! Conversion between the local time of a time zone and UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use penstock_contract::civil::MICROS_PER_SECOND;
use penstock_contract::iso8601;

/// A time zone.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    /// A fixed offset in seconds east of UTC.
    Fixed(i32),
    /// A zone of the time zone database that is compiled in, so that the rows do not depend on the machine.
    Named(TimeZone),
}

impl Zone {
    /// Parses an IANA name, `UTC`, or an offset such as `+01:00`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(Some(seconds)) = iso8601::offset(text.as_bytes()) {
            return Some(Self::Fixed(seconds));
        }
        if text.eq_ignore_ascii_case("UTC") {
            return Some(Self::Fixed(0));
        }
        TimeZoneDatabase::bundled().get(text).ok().map(Self::Named)
    }

    /// Converts a local time to UTC. Returns `None` for a time in a gap, and the earlier instant for a time in a fold.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the years 1 to 9999 in microseconds and an offset fit 64 bits"
    )]
    pub(crate) fn to_utc(&self, local_micros: i64) -> Option<i64> {
        let offset = match self {
            Self::Fixed(seconds) => return Some(local_micros - i64::from(*seconds) * MICROS_PER_SECOND),
            Self::Named(zone) => match zone.to_ambiguous_timestamp(civil(local_micros)?).offset() {
                AmbiguousOffset::Unambiguous { offset } => offset,
                AmbiguousOffset::Fold { before, .. } => before,
                AmbiguousOffset::Gap { .. } => return None,
            },
        };
        Some(local_micros - micros(offset))
    }

    /// Converts UTC to local time. Returns `None` if the instant is outside the range of the database.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "the years 1 to 9999 in microseconds and an offset fit 64 bits"
    )]
    pub(crate) fn to_local(&self, utc_micros: i64) -> Option<i64> {
        match self {
            Self::Fixed(seconds) => Some(utc_micros + i64::from(*seconds) * MICROS_PER_SECOND),
            Self::Named(zone) => {
                let instant = Timestamp::from_microsecond(utc_micros).ok()?;
                Some(utc_micros + micros(zone.to_offset(instant)))
            }
        }
    }
}

#[expect(clippy::arithmetic_side_effects, reason = "an offset is less than two days")]
fn micros(offset: Offset) -> i64 {
    i64::from(offset.seconds()) * MICROS_PER_SECOND
}

fn civil(local_micros: i64) -> Option<DateTime> {
    // A local time has no zone. Interpreted as UTC, jiff returns the same calendar date and time.
    Timestamp::from_microsecond(local_micros).ok().map(|instant| Offset::UTC.to_datetime(instant))
}
