//! Text into typed values, exactly, and the rules that hold for them.

mod canonical;
pub(crate) mod document;
pub(crate) mod format;
pub(crate) mod json;
pub(crate) mod number;
pub(crate) mod pattern;
pub(crate) mod rule;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod typed;
pub(crate) mod unfit;
pub(crate) mod zone;

use crate::outcome::Code;
use document::Document;
use number::{Decimal, NumberCast};
use text::{Text, TextCast};
use time::{DateCast, TimeCast, TimestampCast};

/// A value that satisfies its column's type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Text(Text<'a>),
    Integer(i64),
    Decimal(Decimal<'a>),
    /// So many of the last decimal place that is told, which is the second.
    Scaled(i64, u8),
    Double(f64),
    Boolean(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// Microseconds since midnight, of one day.
    Time(i64),
    /// Microseconds since 1970-01-01T00:00, in UTC where the column has a time zone.
    Timestamp(i64),
}

/// What a column's text is read as. With a tag of its own, which is read for each value.
#[derive(Debug, Clone)]
#[repr(u8)]
pub(crate) enum Cast {
    Text(TextCast),
    Number(NumberCast),
    Boolean(BooleanCast),
    Date(DateCast),
    Time(TimeCast),
    Timestamp(TimestampCast),
    Json(Document),
}

/// Where texts stand that have to be made: one for the whole run.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) changed: String,
    pub(crate) digits: String,
    /// The text of a typed value.
    pub(crate) typed: String,
    pub(crate) document: document::Scratch,
}

/// The spellings of true and false, and which of both is allowed.
#[derive(Debug, Clone)]
pub(crate) struct BooleanCast {
    pub(crate) spellings: Vec<(String, bool)>,
    pub(crate) allowed: Vec<bool>,
}

impl BooleanCast {
    pub(crate) fn new(true_values: &[String], false_values: &[String]) -> Self {
        let known = |word: &str, extra: &[String], value: bool| {
            let mut spellings = vec![(word.to_owned(), value)];
            spellings.extend(extra.iter().map(|spelling| (spelling.clone(), value)));
            spellings
        };
        let mut spellings = known("true", true_values, true);
        spellings.extend(known("false", false_values, false));
        Self { spellings, allowed: Vec::new() }
    }

    pub(crate) fn cast(&self, text: &str) -> Result<bool, Code> {
        let known = self.spellings.iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(text));
        known.map(|(_, value)| *value).ok_or(Code::NotABoolean)
    }
}

/// Both ends of an interval of whole numbers.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Interval<T> {
    /// Smallest value inside.
    pub(crate) low: Option<T>,
    /// Largest value inside.
    pub(crate) high: Option<T>,
}

impl<T: PartialOrd + Copy> Interval<T> {
    pub(crate) fn check(&self, value: T, tell: &mut impl FnMut(Code)) {
        if self.low.is_some_and(|low| value < low) {
            tell(Code::BelowMinimum);
        }
        if self.high.is_some_and(|high| value > high) {
            tell(Code::AboveMaximum);
        }
    }
}
