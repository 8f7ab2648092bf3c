//! Processing of typed values: directly if their type fits the column's, otherwise by their text.

use super::{Harmonised, Origin, PlanColumn};
use crate::cast::number::{NumberCast, NumberType};
use crate::cast::rule::RuleViolation;
use crate::cast::text::Traits;
use crate::cast::time::{MICROS_PER_DAY, ParsedTimestamp, is_day};
use crate::cast::typed::Typed;
use crate::cast::{Cast, CastValue};
use crate::outcome::Code;

impl PlanColumn {
    /// Returns true if [`integer`](Self::integer), [`decimal`](Self::decimal) and [`timestamp`](Self::timestamp) may
    /// process the column's values.
    pub(crate) fn is_direct(&self) -> bool {
        // Exhaustive, so that a new option does not compile until it is decided here whether it excludes the fast path.
        let Self {
            pseudonym,
            null_values,
            extract,
            constant,
            default,
            // These concern texts only.
            trim: _,
            case: _,
            may_store_unchanged: _,
            // The fast paths check the cast's rules.
            cast: _,
            rules: _,
            type_rule: _,
            sql_type: _,
            // Missing values do not take the fast paths.
            is_required: _,
            // These concern the assignment of fields to columns.
            name: _,
            physical_name: _,
            header_case: _,
            is_rescued: _,
            may_be_absent: _,
            // Only rejects hide values.
            is_hidden: _,
        } = self;
        let is_changed = pseudonym.is_some() || extract.is_some() || constant.is_some() || default.is_some();
        !is_changed && null_values.is_empty()
    }

    /// Returns true if [`integer`](Self::integer) accepts nearly all whole numbers.
    pub(crate) fn accepts_integers(&self) -> bool {
        matches!(&self.cast, Cast::Number(cast) if integer(cast, 0).is_some())
    }

    /// Returns true if [`decimal`](Self::decimal) accepts nearly all decimal numbers of this scale.
    pub(crate) fn accepts_decimals(&self, scale: i8) -> bool {
        matches!(&self.cast, Cast::Number(cast) if cast.scaled.is_some_and(|scaled| scaled.is_of(scale)))
    }

    /// Returns true if [`timestamp`](Self::timestamp) accepts nearly all timestamps.
    pub(crate) fn accepts_timestamps(&self) -> bool {
        matches!(self.cast, Cast::Timestamp(_))
    }

    /// Returns the value of a whole number. If this or one of the next two methods returns `None`, [`run`](Self::run)
    /// must process the number.
    #[inline]
    pub(crate) fn integer(&self, number: i64) -> Option<CastValue<'static>> {
        let Cast::Number(cast) = &self.cast else { return None };
        integer(cast, number)?.ok()
    }

    /// Returns the value of a decimal number.
    #[inline]
    pub(crate) fn decimal(&self, unscaled: i128, scale: i8) -> Option<CastValue<'static>> {
        let Cast::Number(cast) = &self.cast else { return None };
        cast.scaled?.fit(unscaled, scale)
    }

    /// Returns the value of a timestamp in microseconds.
    #[inline]
    pub(crate) fn timestamp(&self, micros: i64, is_utc: bool) -> Option<CastValue<'static>> {
        let Cast::Timestamp(cast) = &self.cast else { return None };
        let written = ParsedTimestamp { local_micros: micros, offset_seconds: is_utc.then_some(0) };
        let micros = cast.fit(written).ok()?;
        let mut is_valid = true;
        cast.check(micros, &mut |_| is_valid = false);
        is_valid.then_some(CastValue::Timestamp(micros))
    }

    /// Returns a typed value as one of the column's type, or as its text.
    #[inline]
    pub(super) fn harmonise_typed<'a>(
        &self,
        typed: Typed<'a>,
        text: &'a mut String,
        report: &mut dyn FnMut(RuleViolation<'_>),
    ) -> Harmonised<'a> {
        let typed = typed.plain();
        let mut report = |code: Code| report(code.into());
        let is_whole = self.extract.is_none();
        if is_whole
            && self.null_values.is_empty()
            && let Some(value) = self.direct(typed, &mut report)
        {
            return value;
        }
        let harmonised = match typed {
            Typed::Bytes(bytes) => match str::from_utf8(bytes) {
                Ok(text) => self.harmonise(text, Origin::Text(Traits::of(bytes))),
                Err(_) => Harmonised::Invalid(Code::InvalidEncoding),
            },
            Typed::Foreign(_) => Harmonised::Invalid(Code::WrongType),
            // Values are never rounded.
            Typed::TimeNanos(_) | Typed::TimestampNanos { .. } | Typed::BeyondMicros { .. } => {
                Harmonised::Invalid(Code::OutOfRange)
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
        match harmonised {
            // The text is not a null value. The typed value is used because the contract's formats apply to texts only.
            Harmonised::Text(..) if is_whole => self.direct(typed, &mut report).unwrap_or(harmonised),
            Harmonised::Text(..) | Harmonised::Value(_) | Harmonised::Missing | Harmonised::Invalid(_) => {
                harmonised
            }
        }
    }

    /// Converts a value without its text, and checks its rules. Returns `None` if the types do not fit each other, or
    /// if rules of numbers have to be checked, which needs the digits.
    #[inline]
    fn direct(&self, typed: Typed<'_>, report: &mut impl FnMut(Code)) -> Option<Harmonised<'static>> {
        let value = match (&self.cast, typed) {
            (Cast::Number(cast), Typed::Integer(number)) => integer(cast, number),
            (Cast::Number(cast), Typed::Double(number)) => double(cast, number),
            (Cast::Boolean(cast), Typed::Boolean(value)) => {
                if !cast.allowed.is_empty() && !cast.allowed.contains(&value) {
                    report(Code::NotAllowed);
                }
                Some(Ok(CastValue::Boolean(value)))
            }
            (Cast::Date(cast), Typed::Date(days)) => Some(if is_day(days) {
                cast.check(days, report);
                Ok(CastValue::Date(days))
            } else {
                Err(Code::OutOfRange)
            }),
            (Cast::Time(cast), Typed::Time(micros)) => Some(if (0..MICROS_PER_DAY).contains(&micros) {
                cast.check(micros, report);
                Ok(CastValue::Time(micros))
            } else {
                Err(Code::OutOfRange)
            }),
            (Cast::Timestamp(cast), Typed::Timestamp { micros, is_utc }) => {
                let written = ParsedTimestamp { local_micros: micros, offset_seconds: is_utc.then_some(0) };
                let micros = cast.fit(written);
                if let Ok(micros) = micros {
                    cast.check(micros, report);
                }
                Some(micros.map(CastValue::Timestamp))
            }
            (Cast::Timestamp(_), Typed::Date(days)) => {
                let micros = i64::from(days).saturating_mul(MICROS_PER_DAY);
                return self.direct(Typed::Timestamp { micros, is_utc: false }, report);
            }
            (
                Cast::Text(_)
                | Cast::Number(_)
                | Cast::Boolean(_)
                | Cast::Date(_)
                | Cast::Time(_)
                | Cast::Timestamp(_)
                | Cast::Json(_),
                _,
            ) => None,
        };
        value.map(|value| value.map_or_else(Harmonised::Invalid, Harmonised::Value))
    }
}

/// Returns the null values that the given columns have in common, or `None` if there is no column.
pub(crate) fn common_null_values(readers: &[usize], columns: &[PlanColumn]) -> Option<Vec<String>> {
    let mut readers =
        readers.iter().map(|column| columns.get(*column).expect("readers are indexes of columns"));
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
