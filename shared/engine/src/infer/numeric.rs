//! Chooses the types of numbers by their digits.

use super::types::TypeFamily;
use super::yaml::DraftType;

/// The maximum numbers of digits for `integer` and `bigint`. The types have room for more digits.
const INTEGER_DIGITS: usize = 8;
const BIGINT_DIGITS: usize = 18;
/// The number of additional digits before the decimal point.
const HEADROOM_DIGITS: usize = 4;
const MIN_PRECISION: usize = 12;
const MAX_PRECISION: usize = 38;

/// The maximum numbers of digits before and after the decimal point.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct DigitCounts {
    pub(super) whole: usize,
    pub(super) fraction: usize,
}

/// Returns the type with room for the sample's numbers and larger ones.
pub(super) fn sized(kind: &DraftType, family: TypeFamily, size: DigitCounts) -> DraftType {
    let of = |physical: String| DraftType { physical, ..kind.clone() };
    match family {
        TypeFamily::Integer if size.whole <= INTEGER_DIGITS => of("integer".to_owned()),
        TypeFamily::Integer if size.whole > BIGINT_DIGITS => DraftType::text(),
        TypeFamily::Number if size.fraction == 0 && size.whole > BIGINT_DIGITS => DraftType::text(),
        TypeFamily::Number => {
            let scale = size.fraction.max(2);
            let precision =
                size.whole.saturating_add(HEADROOM_DIGITS).saturating_add(scale).max(MIN_PRECISION);
            if precision <= MAX_PRECISION {
                of(format!("numeric({precision},{scale})"))
            } else {
                of("numeric".to_owned())
            }
        }
        TypeFamily::Uuid
        | TypeFamily::Boolean
        | TypeFamily::Integer
        | TypeFamily::Date
        | TypeFamily::Timestamp
        | TypeFamily::Time
        | TypeFamily::Format
        | TypeFamily::CheckDigit
        | TypeFamily::Document => kind.clone(),
    }
}
