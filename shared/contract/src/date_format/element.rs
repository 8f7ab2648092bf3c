//! The elements of a compiled pattern.

/// One element of a pattern, in the order of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Element {
    /// A number of exactly two digits.
    TwoDigits(DateField),
    /// A year of exactly four digits.
    Year,
    /// A number of another width, or of a variable width.
    Digits(Digits),
    /// The last two digits of a year.
    ShortYear,
    /// The fraction of a second, of exactly this number of digits, 1 to 9.
    Fraction(u8),
    /// The English name of a month.
    Month(NameStyle),
    /// The English name of a day of the week.
    Weekday(NameStyle),
    /// `AM` or `PM`.
    HalfDay,
    /// An offset from UTC.
    Offset(OffsetStyle),
    /// A literal of one byte.
    Byte(u8),
    /// A literal of several bytes.
    Text(Box<[u8]>),
}

/// A number of `min` to `max` digits that leaves `reserved` digits to the numbers that follow it without a separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digits {
    pub(super) field: DateField,
    pub(super) min: u8,
    pub(super) max: u8,
    pub(super) reserved: u8,
}

/// The kinds of fields that a pattern contains.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PatternFields {
    pub(super) has_month: bool,
    pub(super) has_day: bool,
    pub(super) has_year_day: bool,
    pub(super) has_weekday: bool,
    pub(super) has_time: bool,
    /// Hours are 1 to 12, with `AM` or `PM`.
    pub(super) has_half_day: bool,
    pub(super) has_offset: bool,
}

/// The field that a number sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateField {
    Year,
    Month,
    Day,
    YearDay,
    Hour,
    Minute,
    Second,
}

/// The spelling of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameStyle {
    /// Three letters.
    Short,
    Full,
}

/// The spelling of an offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetStyle {
    /// The spelling of UTC, besides an offset of zeros.
    pub(super) zero: &'static [u8],
    pub(super) has_colons: bool,
    /// `+01` is accepted besides `+0130`.
    pub(super) may_lack_minutes: bool,
    /// Seconds may follow.
    pub(super) may_have_seconds: bool,
}
