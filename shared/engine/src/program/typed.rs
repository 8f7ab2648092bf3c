//! Typed values: straight to the rules of a column where the types fit, by their text where they do not.

use super::{Harmonised, Origin, PlanColumn};
use crate::cast::number::{NumberCast, NumberType};
use crate::cast::rule::Broken;
use crate::cast::text::Traits;
use crate::cast::time::{MICROS_PER_DAY, ParsedTimestamp, is_day};
use crate::cast::typed::Typed;
use crate::cast::{Cast, CastValue};
use crate::outcome::Code;

impl PlanColumn {
    /// True when a typed value needs no more than [`integer`](Self::integer) and its like.
    pub(crate) fn is_direct(&self) -> bool {
        let Self { pseudonym, null_values, extract, constant, default, .. } = self;
        let is_changed = pseudonym.is_some() || extract.is_some() || constant.is_some() || default.is_some();
        !is_changed && null_values.is_empty()
    }

    /// True when nearly all whole numbers are values by [`integer`](Self::integer).
    pub(crate) fn takes_integers(&self) -> bool {
        matches!(&self.cast, Cast::Number(cast) if integer(cast, 0).is_some())
    }

    /// True when nearly all decimals of this scale are values by [`decimal`](Self::decimal).
    pub(crate) fn takes_decimals(&self, scale: i8) -> bool {
        matches!(&self.cast, Cast::Number(cast) if cast.scaled.is_some_and(|scaled| scaled.is_of(scale)))
    }

    /// True when nearly all times are values by [`timestamp`](Self::timestamp).
    pub(crate) fn takes_timestamps(&self) -> bool {
        matches!(self.cast, Cast::Timestamp(_))
    }

    /// A whole number as a value. `None`, here and below: to be looked at by [`run`](Self::run).
    #[inline]
    pub(crate) fn integer(&self, number: i64) -> Option<CastValue<'static>> {
        let Cast::Number(cast) = &self.cast else { return None };
        integer(cast, number)?.ok()
    }

    /// A decimal as a value.
    #[inline]
    pub(crate) fn decimal(&self, unscaled: i128, scale: i8) -> Option<CastValue<'static>> {
        let Cast::Number(cast) = &self.cast else { return None };
        cast.scaled?.fit(unscaled, scale)
    }

    /// A time in microseconds as a value.
    #[inline]
    pub(crate) fn timestamp(&self, micros: i64, is_utc: bool) -> Option<CastValue<'static>> {
        let Cast::Timestamp(cast) = &self.cast else { return None };
        let written = ParsedTimestamp { local_micros: micros, offset_seconds: is_utc.then_some(0) };
        let micros = cast.fit(written).ok()?;
        let mut is_broken = false;
        cast.check(micros, &mut |_| is_broken = true);
        (!is_broken).then_some(CastValue::Timestamp(micros))
    }

    /// A typed value as one of the column's, or its text.
    #[inline]
    pub(super) fn take<'a>(
        &self,
        typed: Typed<'a>,
        text: &'a mut String,
        tell: &mut dyn FnMut(Broken<'_>),
    ) -> Harmonised<'a> {
        let typed = typed.plain();
        let mut tell = |code: Code| tell(code.into());
        let is_whole = self.extract.is_none();
        if is_whole
            && self.null_values.is_empty()
            && let Some(found) = self.direct(typed, &mut tell)
        {
            return found;
        }
        let found = match typed {
            Typed::Bytes(bytes) => match str::from_utf8(bytes) {
                Ok(text) => self.harmonise(text, Origin::Text(Traits::of(bytes))),
                Err(_) => Harmonised::Wrong(Code::InvalidEncoding),
            },
            Typed::Foreign(_) => Harmonised::Wrong(Code::WrongType),
            // Nothing is rounded.
            Typed::TimeNanos(_) | Typed::TimestampNanos { .. } | Typed::BeyondMicros { .. } => {
                Harmonised::Wrong(Code::OutOfRange)
            }
            Typed::Boolean(_)
            | Typed::Integer(_)
            | Typed::Unsigned(_)
            | Typed::Decimal { .. }
            | Typed::Double(_)
            | Typed::Float(_)
            | Typed::Date(_)
            | Typed::Time(_)
            | Typed::Timestamp { .. }
            | Typed::Uuid(_) => {
                text.clear();
                typed.render(text);
                self.harmonise(
                    text,
                    if typed.is_number() { Origin::Number } else { Origin::Json(Traits::UNKNOWN) },
                )
            }
        };
        match found {
            // The contract's formats are those of texts: what is no null value needs none.
            Harmonised::Text(..) if is_whole => self.direct(typed, &mut tell).unwrap_or(found),
            Harmonised::Text(..) | Harmonised::Value(_) | Harmonised::Missing | Harmonised::Wrong(_) => found,
        }
    }

    /// The value without its text, its rules checked. `None` when the types do not fit each other, or rules of numbers
    /// want digits.
    #[inline]
    fn direct(&self, typed: Typed<'_>, tell: &mut impl FnMut(Code)) -> Option<Harmonised<'static>> {
        let value = match (&self.cast, typed) {
            (Cast::Number(cast), Typed::Integer(number)) => integer(cast, number),
            (Cast::Number(cast), Typed::Double(number)) => double(cast, number),
            (Cast::Boolean(cast), Typed::Boolean(value)) => {
                if !cast.allowed.is_empty() && !cast.allowed.contains(&value) {
                    tell(Code::NotAllowed);
                }
                Some(Ok(CastValue::Boolean(value)))
            }
            (Cast::Date(cast), Typed::Date(days)) => Some(if is_day(days) {
                cast.check(days, tell);
                Ok(CastValue::Date(days))
            } else {
                Err(Code::OutOfRange)
            }),
            (Cast::Time(cast), Typed::Time(micros)) => Some(if (0..MICROS_PER_DAY).contains(&micros) {
                cast.check(micros, tell);
                Ok(CastValue::Time(micros))
            } else {
                Err(Code::OutOfRange)
            }),
            (Cast::Timestamp(cast), Typed::Timestamp { micros, is_utc }) => {
                let written = ParsedTimestamp { local_micros: micros, offset_seconds: is_utc.then_some(0) };
                let micros = cast.fit(written);
                if let Ok(micros) = micros {
                    cast.check(micros, tell);
                }
                Some(micros.map(CastValue::Timestamp))
            }
            (Cast::Timestamp(_), Typed::Date(days)) => {
                let micros = i64::from(days).saturating_mul(MICROS_PER_DAY);
                return self.direct(Typed::Timestamp { micros, is_utc: false }, tell);
            }
            _ => None,
        };
        value.map(|value| value.map_or_else(Harmonised::Wrong, Harmonised::Value))
    }
}

/// The spellings of a missing value that all of some columns have; `None` when there is no column.
pub(crate) fn common_null_values(readers: &[usize], columns: &[PlanColumn]) -> Option<Vec<String>> {
    let mut readers = readers.iter().filter_map(|column| columns.get(*column));
    let mut null_values = readers.next()?.null_values.clone();
    for other in readers {
        null_values.retain(|null| other.null_values.contains(null));
    }
    Some(null_values)
}

#[inline]
fn integer(cast: &NumberCast, number: i64) -> Option<Result<CastValue<'static>, Code>> {
    match cast.kind {
        NumberType::Integer { low, high } if !cast.has_rules() => {
            let fits = (low..=high).contains(&number);
            Some(if fits { Ok(CastValue::Integer(number)) } else { Err(Code::OutOfRange) })
        }
        NumberType::Integer { .. } | NumberType::Numeric { .. } | NumberType::Double => None,
    }
}

fn double(cast: &NumberCast, number: f64) -> Option<Result<CastValue<'static>, Code>> {
    let is_direct = cast.kind == NumberType::Double && number.is_finite() && !cast.has_rules();
    is_direct.then_some(Ok(CastValue::Double(number)))
}
