//! Numbers beyond the limits.

use super::notation::{Notation, without_groups};
use crate::outcome::Code;

/// Returns why a text was not converted to plain digits: `OutOfRange` if its exponent or the number of its digits
/// exceeds the limit, `malformed` if it is not a number.
#[cold]
pub(super) fn fault(text: &str, notation: Notation, malformed: Code) -> Code {
    if is_number(text, notation).unwrap_or(false) { Code::OutOfRange } else { malformed }
}

/// Returns true for a number of any size, and false or `None` for other texts.
fn is_number(text: &str, notation: Notation) -> Option<bool> {
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let text = notation.unsigned(text)?.text;
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    let (whole, fraction) = mantissa.split_once(notation.decimal).unwrap_or((mantissa, ""));
    let whole = without_groups(whole, notation.group)?;
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let has_exponent = !exponent.is_empty() && is_digits(exponent);
    Some(has_digits && is_digits(&whole) && is_digits(fraction) && has_exponent)
}

#[cfg(test)]
mod tests {
    use penstock_contract::NegativeStyle;

    use super::*;
    use crate::cast::number::MAX_DIGITS;

    #[test]
    fn numbers_beyond_the_limits_differ_from_texts_that_are_not_numbers() {
        const PLAIN: Notation = Notation::CONTRACT;
        let german = Notation { decimal: ',', group: Some('.'), ..PLAIN };
        let trailing = Notation { negative: NegativeStyle::Trailing, ..PLAIN };
        let long = "1".repeat(MAX_DIGITS + 1);
        for (text, notation, expected) in [
            ("1e401", PLAIN, Code::OutOfRange),
            ("-1.5E-401", PLAIN, Code::OutOfRange),
            ("+.5e99999999999999999999", PLAIN, Code::OutOfRange),
            ("1.000,5e500", german, Code::OutOfRange),
            ("1e500-", trailing, Code::OutOfRange),
            (&format!("{long}e1"), PLAIN, Code::OutOfRange),
            (&format!("{long},5"), german, Code::OutOfRange),
            ("1e", PLAIN, Code::NotANumber),
            ("e500", PLAIN, Code::NotANumber),
            ("1e5x0", PLAIN, Code::NotANumber),
            ("1x e500", PLAIN, Code::NotANumber),
            ("1.00,5e500", german, Code::NotANumber),
            ("1e500-", PLAIN, Code::NotANumber),
            ("", PLAIN, Code::NotANumber),
            (&format!("{long}x"), PLAIN, Code::NotANumber),
        ] {
            assert_eq!(fault(text, notation, Code::NotANumber), expected, "{text}");
        }
    }
}
