//! Formats of dates and times: patterns of the JDK's `DateTimeFormatter`, which ODCS uses.
//!
//! A pattern is compiled once into a list of elements. Texts are matched against it byte by byte, without allocation.
//! The semantics are those of `DateTimeFormatter` with `Locale.ENGLISH` and `ResolverStyle.STRICT`, with `y` as the
//! proleptic year. There are four differences: years are 1 to 9999; a single letter reads no more digits than its
//! largest value has (the JDK reads any number of leading zeros); names are read in any letter case; `T` needs no
//! quotes. `tests/golden/dates.tsv` has the values that the JDK reads.
//!
//! Source: <https://docs.oracle.com/en/java/javase/17/docs/api/java.base/java/time/format/DateTimeFormatter.html>, and
//! `DateTimeFormatterBuilder` for the widths of numbers that are not separated.

mod element;
mod fields;
mod names;
mod pattern;

use std::fmt;

use serde::Serialize;

use crate::civil::{Civil, MICROS_PER_DAY, days};
use crate::iso8601::{ParsedTimestamp, TimeError, micros};
use element::{DateField, Digits, Element, PatternFields};
use fields::DateFields;

/// The format of dates, times of day or points in time. Displays as the pattern of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DateFormat {
    /// The pattern of the contract, in the syntax of the JDK's `DateTimeFormatter`, e.g. `dd.MM.yyyy`.
    pub pattern: String,
    /// The first of the hundred years that `yy` covers. It has no effect if the pattern has no `yy`.
    pub year_pivot: u16,
    #[serde(skip)]
    elements: Vec<Element>,
    #[serde(skip)]
    parts: PatternFields,
}

impl DateFormat {
    /// The default of [`year_pivot`](Self::year_pivot), which is also that of the JDK.
    pub const DEFAULT_YEAR_PIVOT: u16 = 2_000;

    /// Compiles a pattern of dates or points in time.
    ///
    /// # Errors
    /// Returns the fault of the pattern and how to fix it.
    pub fn of_dates(pattern: &str) -> Result<Self, String> {
        pattern::dates(pattern).map(|(elements, parts)| Self::new(pattern, elements, parts))
    }

    /// Compiles a pattern of times of day.
    ///
    /// # Errors
    /// Returns the fault of the pattern and how to fix it.
    pub fn of_times(pattern: &str) -> Result<Self, String> {
        pattern::times(pattern).map(|(elements, parts)| Self::new(pattern, elements, parts))
    }

    fn new(pattern: &str, elements: Vec<Element>, parts: PatternFields) -> Self {
        Self { pattern: pattern.to_owned(), year_pivot: Self::DEFAULT_YEAR_PIVOT, elements, parts }
    }

    /// Returns the same format with another first year of `yy`, 1 to 9900.
    #[must_use]
    pub fn with_year_pivot(self, year_pivot: u16) -> Self {
        Self { year_pivot, ..self }
    }

    /// Returns true if years are written with two digits.
    pub fn has_short_year(&self) -> bool {
        self.elements.contains(&Element::ShortYear)
    }

    /// Returns the first and the last of the years that `yy` covers, if the pattern has it.
    pub(crate) fn short_years(&self) -> Option<(u16, u16)> {
        self.has_short_year().then(|| (self.year_pivot, self.year_pivot.saturating_add(99)))
    }

    /// Returns true if values have a time of day.
    pub(crate) fn has_time(&self) -> bool {
        self.parts.has_time
    }

    /// Returns true if values have an offset from UTC.
    pub(crate) fn has_offset(&self) -> bool {
        self.parts.has_offset
    }

    /// Returns true for the pattern of ISO 8601 dates.
    pub(crate) fn is_iso_date(&self) -> bool {
        use Element::{Byte, TwoDigits, Year};
        let elements = self.elements.as_slice();
        matches!(
            elements,
            [Year, Byte(b'-'), TwoDigits(DateField::Month), Byte(b'-'), TwoDigits(DateField::Day)]
        )
    }

    /// Returns true if this format reads every text that `other` reads, as the same value. Example: `d.M.yyyy` and
    /// `dd.MM.yyyy`.
    pub(crate) fn reads_all_of(&self, other: &Self) -> bool {
        let contains = |(wide, narrow): (&Element, &Element)| match (width(wide), width(narrow)) {
            (Some((field, min, max)), Some((other, least, most))) => {
                field == other && min <= least && most <= max
            }
            (Some(_) | None, _) => wide == narrow,
        };
        // The digits of a literal could be read as those of a number before them.
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

    /// Returns the date of a text, or `None` if the text does not match. A time of day and an offset are checked, but
    /// not returned.
    #[inline]
    pub fn read_date(&self, text: &[u8]) -> Option<Civil> {
        let fields = self.read(text)?;
        let date = fields.date(self.parts)?;
        if self.parts.has_time {
            fields.seconds(self.parts.has_half_day)?;
        }
        Some(date)
    }

    /// Returns the time of day of a text, in microseconds since midnight.
    ///
    /// # Errors
    /// Returns an error if the text does not match, or is more precise than a microsecond.
    #[inline]
    pub fn read_time(&self, text: &[u8]) -> Result<i64, TimeError> {
        let fields = self.read(text).ok_or(TimeError::Malformed)?;
        let seconds = fields.seconds(self.parts.has_half_day).ok_or(TimeError::Malformed)?;
        micros(seconds, i64::from(fields.nanos))
    }

    /// Returns the point in time of a text. Without a time of day it is midnight.
    ///
    /// # Errors
    /// Returns an error if the text does not match, or is more precise than a microsecond.
    #[inline]
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "years 1 to 9999 in microseconds are far from what 64 bits hold"
    )]
    pub fn read_timestamp(&self, text: &[u8]) -> Result<ParsedTimestamp, TimeError> {
        let fields = self.read(text).ok_or(TimeError::Malformed)?;
        let date = fields.date(self.parts).ok_or(TimeError::Malformed)?;
        let seconds = if self.parts.has_time {
            fields.seconds(self.parts.has_half_day).ok_or(TimeError::Malformed)?
        } else {
            0
        };
        let local_micros = i64::from(days(date)) * MICROS_PER_DAY + micros(seconds, i64::from(fields.nanos))?;
        let offset_seconds = self.parts.has_offset.then_some(fields.offset_seconds);
        Ok(ParsedTimestamp { local_micros, offset_seconds })
    }

    #[inline]
    fn read(&self, text: &[u8]) -> Option<DateFields> {
        DateFields::read(&self.elements, self.year_pivot, text)
    }
}

impl fmt::Display for DateFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

/// Returns the field of a number and its minimum and maximum digits.
fn width(element: &Element) -> Option<(DateField, u8, u8)> {
    match element {
        Element::TwoDigits(field) => Some((*field, 2, 2)),
        Element::Year => Some((DateField::Year, 4, 4)),
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
