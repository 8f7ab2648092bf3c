//! The types of numbers, by the digits that were seen.

use super::types::Family;
use super::yaml::DraftType;

/// Digits that `integer` is sure to hold, and `bigint`.
const INTEGER_DIGITS: usize = 8;
const BIGINT_DIGITS: usize = 18;
/// Digits before the point that a number may grow by.
const HEADROOM_DIGITS: usize = 4;
const MIN_PRECISION: usize = 12;
const MAX_PRECISION: usize = 38;

/// The most digits of a candidate's numbers.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct DigitCounts {
    pub(super) whole: usize,
    pub(super) fraction: usize,
}

/// The type with room for the numbers that were seen and some more.
pub(super) fn sized(kind: &DraftType, family: Family, size: DigitCounts) -> DraftType {
    let of = |physical: String| DraftType { physical, ..kind.clone() };
    match family {
        Family::Integer if size.whole <= INTEGER_DIGITS => of("integer".to_owned()),
        Family::Integer if size.whole > BIGINT_DIGITS => DraftType::text(),
        Family::Number if size.fraction == 0 && size.whole > BIGINT_DIGITS => DraftType::text(),
        Family::Number => {
            let scale = size.fraction.max(2);
            let precision =
                size.whole.saturating_add(HEADROOM_DIGITS).saturating_add(scale).max(MIN_PRECISION);
            if precision <= MAX_PRECISION {
                of(format!("numeric({precision},{scale})"))
            } else {
                of("numeric".to_owned())
            }
        }
        Family::Uuid
        | Family::Boolean
        | Family::Integer
        | Family::Date
        | Family::Timestamp
        | Family::Time
        | Family::Format
        | Family::CheckDigit
        | Family::Document => kind.clone(),
    }
}
