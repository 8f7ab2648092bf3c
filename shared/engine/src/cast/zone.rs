//! Time zones: between a zone's clock and UTC.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use penstock_contract::civil::MICROS_PER_SECOND;
use penstock_contract::iso8601;

/// A zone.
#[derive(Debug, Clone)]
pub(crate) enum Zone {
    /// Seconds ahead of UTC.
    Fixed(i32),
    /// Of the time zone database that is compiled in, so that the rows do not depend on the machine.
    Named(TimeZone),
}

impl Zone {
    /// An IANA name, `UTC`, or an offset such as `+01:00`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(Some(seconds)) = iso8601::offset(text.as_bytes()) {
            return Some(Self::Fixed(seconds));
        }
        if text.eq_ignore_ascii_case("UTC") {
            return Some(Self::Fixed(0));
        }
        TimeZoneDatabase::bundled().get(text).ok().map(Self::Named)
    }

    /// UTC of a local time. `None` when the zone's clocks skip it; of a repeated one, the earlier.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "years 1 to 9999 in microseconds are far from what 64 bits hold"
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

    /// The zone's clock at a point in time. `None` when it is beyond what the database knows.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "years 1 to 9999 in microseconds are far from what 64 bits hold"
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
    // Jiff's civil time of UTC is the plain calendar.
    Timestamp::from_microsecond(local_micros).ok().map(|instant| Offset::UTC.to_datetime(instant))
}
