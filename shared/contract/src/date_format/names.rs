//! English names of months, days of the week and halves of the day, in any letter case.

use super::element::NameStyle;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
/// Letters of a short name. No two names of a kind have the same first letters.
const SHORT: usize = 3;

/// Reads the name of a month: its number, from 1, and the rest of the text.
#[inline]
pub(super) fn month(style: NameStyle, text: &[u8]) -> Option<(u8, &[u8])> {
    find(&MONTHS, style, text)
}

/// Reads the name of a day of the week: its number, 1 for Monday, and the rest of the text.
#[inline]
pub(super) fn weekday(style: NameStyle, text: &[u8]) -> Option<(u8, &[u8])> {
    find(&WEEKDAYS, style, text)
}

/// Reads `PM` (true) or `AM` (false), and returns the rest of the text.
#[inline]
pub(super) fn half_day(text: &[u8]) -> Option<(bool, &[u8])> {
    let ([half, m], rest) = text.split_first_chunk::<2>()?;
    match (half, m) {
        (b'a' | b'A', b'm' | b'M') => Some((false, rest)),
        (b'p' | b'P', b'm' | b'M') => Some((true, rest)),
        _ => None,
    }
}

#[inline]
fn find<'t>(names: &[&str], style: NameStyle, text: &'t [u8]) -> Option<(u8, &'t [u8])> {
    (1..).zip(names).find_map(|(number, name)| {
        let name = match style {
            NameStyle::Short => name.get(..SHORT).expect("names have at least three ASCII letters"),
            NameStyle::Full => name,
        };
        let (start, rest) = text.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name.as_bytes()).then_some((number, rest))
    })
}
