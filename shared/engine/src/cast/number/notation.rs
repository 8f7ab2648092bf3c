//! Notations of numbers: separators, signs and percentages.

use penstock_contract::{NegativeStyle, PercentStyle};

/// The notation of a column's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Notation {
    pub(crate) decimal: char,
    pub(crate) group: Option<char>,
    pub(crate) negative: NegativeStyle,
    pub(crate) percent: Option<PercentStyle>,
}

/// A number without its sign and percent sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unsigned<'t> {
    pub(super) is_negative: bool,
    /// The digits with separators, and the exponent if there is one.
    pub(super) text: &'t str,
    /// The power of ten to multiply the number by.
    pub(super) shift: i64,
}

impl Notation {
    /// The notation of literals in the contract, of JSON numbers and of typed values.
    pub(crate) const CONTRACT: Self =
        Self { decimal: '.', group: None, negative: NegativeStyle::Leading, percent: None };

    /// Removes the sign and the percent sign, in any order: `(7%)`, `(7)%`, `7-%`. Returns `None` if a percentage has
    /// no percent sign. Further signs remain in the text, which is then not a number.
    ///
    /// If the contract declares a style, white space between the digits and a sign is skipped, as in `7 %` and `( 12
    /// )`.
    pub(super) fn unsigned(self, text: &str) -> Option<Unsigned<'_>> {
        let Some(percent) = self.percent else {
            let (is_negative, text) = self.sign(text);
            return Some(Unsigned { is_negative, text, shift: 0 });
        };
        let outside = text.strip_suffix('%');
        let (is_negative, text) = self.sign(outside.map_or(text, str::trim_end));
        let text = if outside.is_some() { text } else { text.strip_suffix('%')?.trim_end() };
        let shift = match percent {
            PercentStyle::Points => 0,
            PercentStyle::Fraction => -2,
        };
        Some(Unsigned { is_negative, text, shift })
    }

    /// Removes one sign. A leading plus sign is accepted in each style.
    fn sign(self, text: &str) -> (bool, &str) {
        let is_declared = self.negative != NegativeStyle::Leading || self.percent.is_some();
        let prefix = |mark| {
            let rest = text.strip_prefix(mark)?;
            Some(if is_declared { rest.trim_start() } else { rest })
        };
        let leading = || prefix('-').map(|rest| (true, rest));
        let trailing = || {
            let minus = text.strip_suffix('-').map(|rest| (true, rest.trim_end()));
            minus.or_else(|| text.strip_suffix('+').map(|rest| (false, rest.trim_end())))
        };
        let parentheses = || {
            let inside = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            inside.map(|inside| (true, inside.trim()))
        };
        let signed = match (prefix('+'), self.negative) {
            (Some(rest), _) => Some((false, rest)),
            (None, NegativeStyle::Leading) => leading(),
            (None, NegativeStyle::Trailing) => trailing(),
            (None, NegativeStyle::Parentheses) => parentheses(),
            (None, NegativeStyle::Any) => leading().or_else(trailing).or_else(parentheses),
        };
        signed.unwrap_or((false, text))
    }
}

/// Removes group separators. Returns `None` if a group does not have two or three digits, or the last one not three.
pub(super) fn without_groups(whole: &str, separator: Option<char>) -> Option<String> {
    let Some(separator) = separator.filter(|separator| whole.contains(*separator)) else {
        return Some(whole.to_owned());
    };
    let groups: Vec<&str> = whole.split(separator).collect();
    let (first, rest) = groups.split_first()?;
    let (last, middle) = rest.split_last()?;
    let is_grouped = (1..=3).contains(&first.len())
        && last.len() == 3
        && middle.iter().all(|group| matches!(group.len(), 2 | 3));
    is_grouped.then(|| groups.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cast::CastValue;
    use crate::cast::number::{NumberCast, NumberType};
    use crate::copy;

    fn cast(kind: NumberType, negative: NegativeStyle, percent: Option<PercentStyle>) -> NumberCast {
        let notation = Notation { decimal: '.', group: Some(','), negative, percent };
        let cast = NumberCast {
            kind,
            notation,
            minimum: None,
            maximum: None,
            multiple_of: None,
            allowed: Vec::new(),
            scaled: None,
        };
        cast.with_scaled()
    }

    /// Returns the value as COPY text, or `None` if the text is rejected.
    fn read(cast: &NumberCast, text: &str) -> Option<String> {
        let mut digits = String::new();
        let (_, value) = cast.cast(text, cast.notation, &mut digits).ok()?;
        let mut out = Vec::new();
        copy::write(&value.ok()?, false, &mut out);
        Some(String::from_utf8(out).expect("COPY text is UTF-8"))
    }

    const NUMERIC: NumberType = NumberType::Numeric { size: None, is_whole: false };

    #[test]
    fn each_style_reads_its_own_negatives_and_rejects_the_others() {
        use NegativeStyle::{Any, Leading, Parentheses, Trailing};
        for (text, value, styles) in [
            ("-1,234.50", "-1234.50", &[Leading, Any][..]),
            ("1,234.50-", "-1234.50", &[Trailing, Any]),
            ("1,234.50 -", "-1234.50", &[Trailing, Any]),
            ("(1,234.50)", "-1234.50", &[Parentheses, Any]),
            ("( 1,234.50 )", "-1234.50", &[Parentheses, Any]),
            ("(12)", "-12", &[Parentheses, Any]),
            ("(.5)", "-0.5", &[Parentheses, Any]),
            ("1e3-", "-1000", &[Trailing, Any]),
            ("(12e-1)", "-1.2", &[Parentheses, Any]),
            ("- 12", "-12", &[Any]),
            ("12+", "12", &[Trailing, Any]),
            ("12", "12", &NegativeStyle::ALL),
            ("+12", "12", &NegativeStyle::ALL),
            ("1,234.50", "1234.50", &NegativeStyle::ALL),
            ("(0)", "0", &[Parentheses, Any]),
            ("0.00-", "0.00", &[Trailing, Any]),
        ] {
            for style in NegativeStyle::ALL {
                let expected = styles.contains(&style).then(|| value.to_owned());
                assert_eq!(read(&cast(NUMERIC, style, None), text), expected, "{text} {style:?}");
            }
        }
    }

    #[test]
    fn a_number_with_two_signs_or_an_unpaired_parenthesis_is_rejected() {
        for text in [
            "-(5)", "(-5)", "(5)-", "(5-)", "-5-", "--5", "5--", "+5-", "(+5)", "((5))", "(5", "5)", "()",
            "-", "( )", "(5)(5)", "5-5", "(1 2)", "1 2-", "12-%", "(12%)", "12%", "+-5", "-+5", "5+-",
            "(5 -)", "",
        ] {
            for style in NegativeStyle::ALL {
                assert_eq!(read(&cast(NUMERIC, style, None), text), None, "{text} {style:?}");
            }
        }
    }

    #[test]
    fn percentages_are_points_or_exact_fractions() {
        for (text, points, fraction) in [
            ("7%", "7", "0.07"),
            ("7 %", "7", "0.07"),
            ("7\u{a0}%", "7", "0.07"),
            ("7\u{202f}%", "7", "0.07"),
            ("0.1%", "0.1", "0.001"),
            ("12.50%", "12.50", "0.1250"),
            ("1,234%", "1234", "12.34"),
            ("100%", "100", "1.00"),
            ("0%", "0", "0.00"),
            ("-7%", "-7", "-0.07"),
            ("- 7%", "-7", "-0.07"),
            ("7-%", "-7", "-0.07"),
            ("7%-", "-7", "-0.07"),
            ("(7%)", "-7", "-0.07"),
            ("(7)%", "-7", "-0.07"),
            ("( 7 % )", "-7", "-0.07"),
            ("+7%", "7", "0.07"),
            ("+ 7 %", "7", "0.07"),
            ("1e2%", "100", "1"),
            ("1e-2%", "0.01", "0.0001"),
        ] {
            for (style, expected) in [(PercentStyle::Points, points), (PercentStyle::Fraction, fraction)] {
                let cast = cast(NUMERIC, NegativeStyle::Any, Some(style));
                assert_eq!(read(&cast, text).as_deref(), Some(expected), "{text} {style:?}");
            }
        }
        for text in
            ["7", "0.07", "%", "7%%", "(7%)%", "%7", "-%", "7%-%", "-(7%)", "(7%", "7% 8%", "-7%-", "(%)"]
        {
            for style in PercentStyle::ALL {
                assert_eq!(read(&cast(NUMERIC, NegativeStyle::Any, Some(style)), text), None, "{text}");
            }
        }
    }

    #[test]
    fn a_percentage_is_cast_to_each_type_of_number() {
        let whole = NumberType::Integer { low: -100, high: 100 };
        let percent = |kind, style, text| read(&cast(kind, NegativeStyle::Leading, Some(style)), text);
        assert_eq!(percent(whole, PercentStyle::Points, "-7%").as_deref(), Some("-7"));
        assert_eq!(percent(whole, PercentStyle::Points, "7.5%"), None);
        assert_eq!(percent(whole, PercentStyle::Fraction, "700%").as_deref(), Some("7"));
        assert_eq!(percent(whole, PercentStyle::Fraction, "7%"), None);
        let sized = NumberType::Numeric { size: Some((5, 3)), is_whole: false };
        assert_eq!(percent(sized, PercentStyle::Fraction, "7.1%").as_deref(), Some("0.071"));
        assert_eq!(percent(sized, PercentStyle::Fraction, "7.12%"), None);
        assert_eq!(percent(NumberType::Double, PercentStyle::Fraction, "7%").as_deref(), Some("0.07"));
        assert_eq!(percent(NumberType::Double, PercentStyle::Fraction, "-12.5%").as_deref(), Some("-0.125"));
    }

    #[test]
    fn json_numbers_and_typed_values_have_no_style() {
        let cast = cast(NUMERIC, NegativeStyle::Parentheses, Some(PercentStyle::Fraction));
        let mut digits = String::new();
        let (_, value) = cast.cast("-7", Notation::CONTRACT, &mut digits).expect("a JSON number");
        assert!(matches!(value, Ok(CastValue::Decimal(number)) if number.is_negative));
    }
}
