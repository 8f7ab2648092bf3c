//! Formats of dates and times: patterns of the JDK's `DateTimeFormatter`, which ODCS uses.
//!
//! A pattern is compiled once into a list of elements; texts are matched against it byte by byte, without allocation. The
//! semantics are those of `DateTimeFormatter` with `Locale.ENGLISH` and `ResolverStyle.STRICT`, `y` being the proleptic year.
//! Differences, each of which only refuses or only accepts more: years are 1 to 9999; a single letter reads no more digits
//! than its largest value has (the JDK reads any number of leading zeros); names are read in any letter case; `T` needs no
//! quotes. `tests/golden/dates.tsv` has what the JDK reads.
//!
//! Source: <https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/time/format/DateTimeFormatter.html> and
//! `DateTimeFormatterBuilder` beside it, for the widths of numbers that are not separated.

mod element;
mod fields;
mod names;
mod pattern;

use std::fmt;

use serde::Serialize;

use crate::civil::{Civil, MICROS_PER_DAY, days};
use crate::iso8601::{TimeError, Written, micros};
use element::{Digits, Element, Field, Parts};
use fields::Fields;

/// How values of a date, a time of day or a point in time are written. Displays as the pattern of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateFormat {
    /// As the contract has it: a pattern of the JDK's `DateTimeFormatter`, e.g. `dd.MM.yyyy`.
    pub pattern: String,
    /// The first of the hundred years that `yy` means. Without effect where the pattern has no `yy`.
    pub year_pivot: u16,
    #[serde(skip)]
    elements: Vec<Element>,
    #[serde(skip)]
    parts: Parts,
}

impl DateFormat {
    /// The first of the hundred years that `yy` means where the contract does not say, as in the JDK.
    pub const DEFAULT_YEAR_PIVOT: u16 = 2_000;

    /// Compiles a pattern of dates or points in time.
    ///
    /// # Errors
    /// What is wrong with the pattern, and how to fix it.
    pub fn of_dates(pattern: &str) -> Result<Self, String> {
        pattern::dates(pattern).map(|(elements, parts)| Self::new(pattern, elements, parts))
    }

    /// Compiles a pattern of times of day.
    ///
    /// # Errors
    /// What is wrong with the pattern, and how to fix it.
    pub fn of_times(pattern: &str) -> Result<Self, String> {
        pattern::times(pattern).map(|(elements, parts)| Self::new(pattern, elements, parts))
    }

    fn new(pattern: &str, elements: Vec<Element>, parts: Parts) -> Self {
        Self { pattern: pattern.to_owned(), year_pivot: Self::DEFAULT_YEAR_PIVOT, elements, parts }
    }

    /// The same format with another first year of `yy`, 1 to 9900.
    #[must_use]
    pub fn with_year_pivot(self, year_pivot: u16) -> Self {
        Self { year_pivot, ..self }
    }

    /// True when years are written with two digits.
    pub fn has_short_year(&self) -> bool {
        self.elements.contains(&Element::ShortYear)
    }

    /// The first and the last of the years that `yy` means, where the pattern has it.
    pub(crate) fn short_years(&self) -> Option<(u16, u16)> {
        self.has_short_year().then(|| (self.year_pivot, self.year_pivot.saturating_add(99)))
    }

    /// True when values have a time of day.
    pub(crate) fn has_time(&self) -> bool {
        self.parts.has_time
    }

    /// True when values have an offset from UTC.
    pub(crate) fn has_offset(&self) -> bool {
        self.parts.has_offset
    }

    /// True for the pattern of ISO 8601 dates.
    pub(crate) fn is_iso_date(&self) -> bool {
        use Element::{Byte, TwoDigits, Year};
        let elements = self.elements.as_slice();
        matches!(elements, [Year, Byte(b'-'), TwoDigits(Field::Month), Byte(b'-'), TwoDigits(Field::Day)])
    }

    /// True when every text that `other` reads is read as the same value, as `d.M.yyyy` does with `dd.MM.yyyy`.
    pub(crate) fn reads_all_of(&self, other: &Self) -> bool {
        let contains = |(wide, narrow): (&Element, &Element)| match (width(wide), width(narrow)) {
            (Some((field, min, max)), Some((other, least, most))) => {
                field == other && min <= least && most <= max
            }
            (Some(_) | None, _) => wide == narrow,
        };
        // Digits of a literal could be taken for those of a number before them.
        let has_digits = |element: &Element| match element {
            Element::Byte(byte) => byte.is_ascii_digit(),
            Element::Text(text) => text.iter().any(u8::is_ascii_digit),
            Element::TwoDigits(_)
            | Element::Year
            | Element::Digits(_)
            | Element::ShortYear
            | Element::Fraction(_)
            | Element::Month(_)
            | Element::Weekday(_)
            | Element::HalfDay
            | Element::Offset(_) => false,
        };
        self.elements.len() == other.elements.len()
            && self.elements.iter().zip(&other.elements).all(contains)
            && (self.elements == other.elements || !self.elements.iter().any(has_digits))
    }

    /// The date of a text; its time of day and offset are checked and left out. `None`: it is not a date of this format.
    #[inline]
    pub fn read_date(&self, text: &[u8]) -> Option<Civil> {
        let fields = self.read(text)?;
        let date = fields.date(self.parts)?;
        if self.parts.has_time {
            fields.seconds(self.parts.has_half_day)?;
        }
        Some(date)
    }

    /// The time of day of a text, in microseconds since midnight.
    ///
    /// # Errors
    /// If it is not a time of this format, or finer than a microsecond.
    #[inline]
    pub fn read_time(&self, text: &[u8]) -> Result<i64, TimeError> {
        let fields = self.read(text).ok_or(TimeError::Malformed)?;
        let seconds = fields.seconds(self.parts.has_half_day).ok_or(TimeError::Malformed)?;
        micros(seconds, i64::from(fields.nanos))
    }

    /// The point in time of a text; without a time of day it is midnight.
    ///
    /// # Errors
    /// If it is not a point in time of this format, or finer than a microsecond.
    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "years 1 to 9999 in microseconds are far from what 64 bits hold"
    )]
    pub fn read_timestamp(&self, text: &[u8]) -> Result<Written, TimeError> {
        let fields = self.read(text).ok_or(TimeError::Malformed)?;
        let date = fields.date(self.parts).ok_or(TimeError::Malformed)?;
        let seconds = if self.parts.has_time {
            fields.seconds(self.parts.has_half_day).ok_or(TimeError::Malformed)?
        } else {
            0
        };
        let local_micros = i64::from(days(date)) * MICROS_PER_DAY + micros(seconds, i64::from(fields.nanos))?;
        let offset_seconds = self.parts.has_offset.then_some(fields.offset_seconds);
        Ok(Written { local_micros, offset_seconds })
    }

    #[inline]
    fn read(&self, text: &[u8]) -> Option<Fields> {
        Fields::read(&self.elements, self.year_pivot, text)
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

/// The field of a number, and the fewest and most digits that it has.
fn width(element: &Element) -> Option<(Field, u8, u8)> {
    match element {
        Element::TwoDigits(field) => Some((*field, 2, 2)),
        Element::Year => Some((Field::Year, 4, 4)),
        Element::Digits(Digits { field, min, max, .. }) => Some((*field, *min, *max)),
        Element::ShortYear
        | Element::Fraction(_)
        | Element::Month(_)
        | Element::Weekday(_)
        | Element::HalfDay
        | Element::Offset(_)
        | Element::Byte(_)
        | Element::Text(_) => None,
    }
}
