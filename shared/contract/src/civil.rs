//! Calendar dates of the years 1 to 9999, and days since 1970-01-01.
//!
//! The calendar is the proleptic Gregorian one. Days are converted with the algorithms of Neri and Schneider,
//! "Euclidean affine functions and their application to calendar algorithms" (Software: Practice and Experience, 2023).

/// Microseconds in a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds in a day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// 0001-01-01, in days since 1970-01-01.
pub const FIRST_DAY: i32 = -719_162;
/// 9999-12-31, in days since 1970-01-01.
pub const LAST_DAY: i32 = 2_932_896;
/// Days from 0000-03-01 to 1970-01-01.
const DAYS_BEFORE_1970: i32 = 719_468;

/// A calendar date of the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Civil {
    /// Returns the date, or `None` if it does not exist.
    #[inline]
    #[expect(clippy::arithmetic_side_effects, reason = "28 or 29")]
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(is_leap(year)),
            _ => return None,
        };
        let exists = (1..=9_999).contains(&year) && (1..=days).contains(&day);
        exists.then_some(Self { year, month, day })
    }

    /// Returns the date of a day of the year, counted from 1, or `None` if it does not exist.
    pub fn of_year_day(year: u16, day: u16) -> Option<Self> {
        let new_year = days(Self::new(year, 1, 1)?);
        let date = civil_of_days(new_year.checked_add(i32::from(day.checked_sub(1)?))?);
        (day <= 366 && date.year == year).then_some(date)
    }

    /// Returns the day of the year, counted from 1.
    pub fn year_day(self) -> u16 {
        let new_year = Self { month: 1, day: 1, ..self };
        let before = days(self).saturating_sub(days(new_year));
        u16::try_from(before).expect("a year has at most 366 days").saturating_add(1)
    }

    /// Returns the day of the week, 1 for Monday to 7 for Sunday.
    pub fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        let number = days(self).saturating_add(3).rem_euclid(7).saturating_add(1);
        u8::try_from(number).expect("1 to 7")
    }
}

#[inline]
fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Returns the days since 1970-01-01.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "years have four digits")]
pub fn days(date: Civil) -> i32 {
    let (year, month, day) = (u32::from(date.year), u32::from(date.month), u32::from(date.day));
    // Years are counted from March, so that the leap day is the last day. January and February are months 13 and 14 of
    // the previous year.
    let is_early = month <= 2;
    let (year, month) = if is_early { (year - 1, month + 12) } else { (year, month) };
    let century = year / 100;
    let days = year * 1461 / 4 - century + century / 4 + (979 * month - 2919) / 32 + day - 1;
    days.cast_signed() - DAYS_BEFORE_1970
}

/// Returns the date of a number of days since 1970-01-01. `days` is within the years 1 to 9999, or at most a year
/// later.
#[inline]
#[expect(clippy::arithmetic_side_effects, reason = "of the years 1 to 10000")]
pub fn civil_of_days(days: i32) -> Civil {
    // The divisions by the days of 400 years, four years and one year, each as a multiplication and a shift.
    let quarters = 4 * (days + DAYS_BEFORE_1970).cast_unsigned() + 3;
    let (century, rest) = (quarters / 146_097, quarters % 146_097);
    let product = u64::from(rest | 3) * 2_939_745;
    let (year_of_century, rest) = (product >> 32, (product & 0xffff_ffff) / 2_939_745 / 4);
    let shifted = rest * 2_141 + 197_913;
    let (month, day) = (shifted >> 16, (shifted & 0xffff) / 2_141 + 1);
    let is_early = rest >= 306;
    let year = u64::from(century) * 100 + year_of_century + u64::from(is_early);
    let month = if is_early { month - 12 } else { month };
    let narrow = "a date of the years 1 to 10000";
    Civil {
        year: u16::try_from(year).expect(narrow),
        month: u8::try_from(month).expect(narrow),
        day: u8::try_from(day).expect(narrow),
    }
}

/// Returns true for days of the years 1 to 9999.
#[inline]
pub fn is_day(days: i32) -> bool {
    (FIRST_DAY..=LAST_DAY).contains(&days)
}

/// Returns true for microseconds since 1970-01-01T00:00 of the years 1 to 9999.
#[inline]
pub fn is_in_range(micros: i64) -> bool {
    const START: i64 = FIRST_DAY as i64 * MICROS_PER_DAY;
    const END: i64 = (LAST_DAY as i64 + 1) * MICROS_PER_DAY;
    (START..END).contains(&micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_of_the_year_and_of_the_week_are_consecutive() {
        let mut weekday = Civil { year: 1, month: 1, day: 1 }.weekday();
        assert_eq!(weekday, 1, "0001-01-01 was a Monday");
        let mut before = Civil { year: 1, month: 1, day: 1 };
        // The calendar repeats every 400 years.
        for day in FIRST_DAY + 1..=FIRST_DAY + 2 * 146_097 {
            let date = civil_of_days(day);
            weekday = weekday % 7 + 1;
            assert_eq!(date.weekday(), weekday);
            let expected = if date.year == before.year { before.year_day() + 1 } else { 1 };
            assert_eq!(date.year_day(), expected);
            assert_eq!(Civil::of_year_day(date.year, date.year_day()), Some(date));
            before = date;
        }
        for (year, day) in
            [(2023, 0), (2023, 366), (2024, 367), (0, 1), (10_000, 1), (9_999, 366), (2024, 999)]
        {
            assert_eq!(Civil::of_year_day(year, day), None, "{year} {day}");
        }
    }
}
