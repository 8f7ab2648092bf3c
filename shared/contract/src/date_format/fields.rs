//! The fields of a text, read with the elements of a pattern.

use super::element::{DateField, Digits, Element, OffsetStyle, PatternFields};
use super::names;
use crate::civil::Civil;
use crate::iso8601::{offset_seconds, two_digits};

/// The fields of a text; 0 where the pattern does not have the field.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DateFields {
    year: u16,
    month: u8,
    day: u8,
    year_day: u16,
    weekday: u8,
    hour: u8,
    minute: u8,
    second: u8,
    is_pm: bool,
    pub(super) nanos: u32,
    pub(super) offset_seconds: i32,
}

impl DateFields {
    /// Reads the whole text. Returns `None` if it does not match the pattern.
    #[inline]
    pub(super) fn read(elements: &[Element], year_pivot: u16, text: &[u8]) -> Option<Self> {
        let mut fields = Self::default();
        let mut rest = text;
        for element in elements {
            rest = fields.element(element, year_pivot, rest)?;
        }
        rest.is_empty().then_some(fields)
    }

    /// Reads one element and returns the rest of the text.
    #[inline]
    fn element<'t>(&mut self, element: &Element, year_pivot: u16, text: &'t [u8]) -> Option<&'t [u8]> {
        match element {
            Element::TwoDigits(field) => {
                let ([tens, ones], rest) = text.split_first_chunk::<2>()?;
                self.set(*field, two_digits(*tens, *ones)?);
                Some(rest)
            }
            Element::Byte(byte) => match text.split_first() {
                Some((first, rest)) if first == byte => Some(rest),
                Some(_) | None => None,
            },
            Element::Year => {
                let ([y1, y2, y3, y4], rest) = text.split_first_chunk::<4>()?;
                self.year = year(two_digits(*y1, *y2)?, two_digits(*y3, *y4)?);
                Some(rest)
            }
            Element::Digits(digits) => {
                let (number, rest) = number(*digits, text)?;
                match digits.field {
                    DateField::Year => self.year = number,
                    DateField::YearDay => self.year_day = number,
                    field @ (DateField::Month
                    | DateField::Day
                    | DateField::Hour
                    | DateField::Minute
                    | DateField::Second) => {
                        self.set(field, u8::try_from(number).ok()?);
                    }
                }
                Some(rest)
            }
            Element::ShortYear => {
                let ([tens, ones], rest) = text.split_first_chunk::<2>()?;
                self.year = full_year(two_digits(*tens, *ones)?, year_pivot);
                Some(rest)
            }
            Element::Fraction(digits) => {
                let (nanos, rest) = fraction(*digits, text)?;
                self.nanos = nanos;
                Some(rest)
            }
            Element::Offset(style) => {
                let (seconds, rest) = offset(style, text)?;
                self.offset_seconds = seconds;
                Some(rest)
            }
            Element::Text(literal) => text.strip_prefix(&**literal),
            Element::Month(_) | Element::Weekday(_) | Element::HalfDay => self.name(element, text),
        }
    }

    fn name<'t>(&mut self, element: &Element, text: &'t [u8]) -> Option<&'t [u8]> {
        match element {
            Element::Month(style) => {
                let (month, rest) = names::month(*style, text)?;
                self.month = month;
                Some(rest)
            }
            Element::Weekday(style) => {
                let (weekday, rest) = names::weekday(*style, text)?;
                self.weekday = weekday;
                Some(rest)
            }
            Element::HalfDay => {
                let (is_pm, rest) = names::half_day(text)?;
                self.is_pm = is_pm;
                Some(rest)
            }
            Element::TwoDigits(_)
            | Element::Year
            | Element::Digits(_)
            | Element::ShortYear
            | Element::Fraction(_)
            | Element::Offset(_)
            | Element::Byte(_)
            | Element::Text(_) => None,
        }
    }

    #[inline]
    fn set(&mut self, field: DateField, number: u8) {
        match field {
            DateField::Year => self.year = u16::from(number),
            DateField::YearDay => self.year_day = u16::from(number),
            DateField::Month => self.month = number,
            DateField::Day => self.day = number,
            DateField::Hour => self.hour = number,
            DateField::Minute => self.minute = number,
            DateField::Second => self.second = number,
        }
    }

    /// Returns the seconds since midnight, or `None` if there is no such time of day.
    #[inline]
    #[expect(clippy::arithmetic_side_effects, reason = "less than a day")]
    pub(super) fn seconds(&self, is_half_day: bool) -> Option<i64> {
        let hour = match (is_half_day, self.hour) {
            (true, hour @ 1..=12) => hour % 12 + if self.is_pm { 12 } else { 0 },
            (false, hour @ 0..=23) => hour,
            (true | false, _) => return None,
        };
        let exists = self.minute <= 59 && self.second <= 59;
        let seconds = i64::from(hour) * 3_600 + i64::from(self.minute) * 60 + i64::from(self.second);
        exists.then_some(seconds)
    }

    /// Returns the date, or `None` if it does not exist or two of the fields contradict each other.
    #[inline]
    pub(super) fn date(&self, parts: PatternFields) -> Option<Civil> {
        let PatternFields { has_month, has_day, has_year_day, has_weekday, .. } = parts;
        if !has_month || !has_day {
            let date = Civil::of_year_day(self.year, self.year_day)?;
            return self.agrees(parts, date).then_some(date);
        }
        let date = Civil::new(self.year, self.month, self.day)?;
        let agrees = !(has_year_day || has_weekday) || self.agrees(parts, date);
        agrees.then_some(date)
    }

    fn agrees(&self, parts: PatternFields, date: Civil) -> bool {
        (!parts.has_month || self.month == date.month)
            && (!parts.has_day || self.day == date.day)
            && (!parts.has_year_day || self.year_day == date.year_day())
            && (!parts.has_weekday || self.weekday == date.weekday())
    }
}

#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "numbers of two digits")]
fn year(century: u8, year: u8) -> u16 {
    u16::from(century) * 100 + u16::from(year)
}

/// Reads the digits of a number: as many as it may have, minus those that are reserved for the numbers after it.
#[inline]
fn number(digits: Digits, text: &[u8]) -> Option<(u16, &[u8])> {
    let Digits { min, max, reserved, .. } = digits;
    let (min, max, reserved) = (usize::from(min), usize::from(max), usize::from(reserved));
    let most = max.saturating_add(reserved);
    let count = text.iter().take(most).take_while(|byte| byte.is_ascii_digit()).count();
    if count < min {
        return None;
    }
    let width = count.saturating_sub(reserved).max(min);
    let (digits, rest) = text.split_at_checked(width)?;
    let add = |number: u16, digit: &u8| number.saturating_mul(10).saturating_add(u16::from(digit & 0x0f));
    Some((digits.iter().fold(0, add), rest))
}

/// Returns the year that ends in these two digits, of the hundred years that begin with `first`.
#[inline]
fn full_year(two_digits: u8, first: u16) -> u16 {
    let century = first.saturating_sub(first % 100);
    let year = century.saturating_add(u16::from(two_digits));
    if year < first { year.saturating_add(100) } else { year }
}

/// Reads a fraction of exactly `count` digits, in nanoseconds.
#[inline]
fn fraction(count: u8, text: &[u8]) -> Option<(u32, &[u8])> {
    let (digits, rest) = text.split_at_checked(usize::from(count))?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |number: u32, digit: &u8| number.saturating_mul(10).saturating_add(u32::from(digit & 0x0f));
    let zeros = 9_u32.checked_sub(u32::from(count))?;
    Some((digits.iter().fold(0, add).checked_mul(10_u32.checked_pow(zeros)?)?, rest))
}

/// Reads an offset, in seconds ahead of UTC.
#[inline]
fn offset<'t>(style: &OffsetStyle, text: &'t [u8]) -> Option<(i32, &'t [u8])> {
    if let Some(rest) = text.strip_prefix(style.zero) {
        return Some((0, rest));
    }
    let ([sign, h1, h2], rest) = text.split_first_chunk::<3>()?;
    let is_west = match sign {
        b'+' => false,
        b'-' => true,
        _ => return None,
    };
    let hours = two_digits(*h1, *h2)?;
    let (minutes, rest) = match sexagesimal(style, rest) {
        Some(found) => found,
        None if style.may_lack_minutes => (0, rest),
        None => return None,
    };
    let (seconds, rest) = match sexagesimal(style, rest) {
        Some(found) if style.may_have_seconds => found,
        Some(_) | None => (0, rest),
    };
    Some((offset_seconds(is_west, hours, minutes, seconds)?, rest))
}

/// Reads the minutes or seconds of an offset, with their colon if the style has one.
#[inline]
fn sexagesimal<'t>(style: &OffsetStyle, text: &'t [u8]) -> Option<(u8, &'t [u8])> {
    let text = if style.has_colons { text.strip_prefix(b":")? } else { text };
    let ([tens, ones], rest) = text.split_first_chunk::<2>()?;
    Some((two_digits(*tens, *ones)?, rest))
}
