//! Patterns. Those that match texts of one length, as most patterns of identifiers do, are checked without the regex
//! engine.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// The most positions. The regex engine matches patterns of longer texts.
const MAX_LENGTH: usize = 64;

/// A pattern that a text has to match.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    regex: Regex,
    /// The first and the last ASCII character that is allowed at each position. `None` unless the pattern is `^…$` and
    /// consists of characters and ranges of characters, each repeated a fixed number of times.
    positions: Option<Vec<(u8, u8)>>,
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
        let positions = regex_syntax::parse(pattern).ok().and_then(|hir| positions(&hir));
        Ok(Self { regex, positions })
    }

    #[inline]
    pub(crate) fn is_match(&self, text: &str) -> bool {
        let Some(positions) = &self.positions else { return self.regex.is_match(text) };
        let mut pairs = text.bytes().zip(positions);
        text.len() == positions.len() && pairs.all(|(byte, (first, last))| (*first..=*last).contains(&byte))
    }
}

/// Returns the first and last character at each position, or `None` if the pattern cannot be checked by position.
fn positions(pattern: &Hir) -> Option<Vec<(u8, u8)>> {
    let HirKind::Concat(parts) = pattern.kind() else { return None };
    let is_look = |part: &Hir, look: Look| matches!(part.kind(), HirKind::Look(found) if *found == look);
    let [first, parts @ .., last] = parts.as_slice() else { return None };
    if !is_look(first, Look::Start) || !is_look(last, Look::End) {
        return None;
    }
    let mut positions = Vec::new();
    for part in parts {
        add(part, &mut positions)?;
    }
    Some(positions)
}

/// Adds the positions of a part of a pattern.
fn add(part: &Hir, positions: &mut Vec<(u8, u8)>) -> Option<()> {
    match part.kind() {
        HirKind::Literal(literal) if literal.0.is_ascii() => {
            positions.extend(literal.0.iter().map(|byte| (*byte, *byte)));
        }
        HirKind::Class(class) => {
            let class = match class {
                Class::Unicode(class) => class.to_byte_class()?,
                Class::Bytes(class) => class.clone(),
            };
            let [range] = class.ranges() else { return None };
            if !range.end().is_ascii() {
                return None;
            }
            positions.push((range.start(), range.end()));
        }
        HirKind::Repetition(repetition) if Some(repetition.min) == repetition.max => {
            for _ in 0..repetition.min {
                add(&repetition.sub, positions)?;
            }
        }
        HirKind::Capture(capture) => add(&capture.sub, positions)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| add(part, positions))?,
        HirKind::Empty
        | HirKind::Literal(_)
        | HirKind::Look(_)
        | HirKind::Repetition(_)
        | HirKind::Alternation(_) => return None,
    }
    (positions.len() <= MAX_LENGTH).then_some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_patterns_of_fixed_length_are_checked_by_position() {
        for (pattern, length) in [
            ("^SKU-[0-9]{9}$", Some(13)),
            ("^([A-Z]{2})([0-9]){3}$", Some(5)),
            ("^[0-9a-f]$", None),
            (r"^\x41[^\x00-\x2f\x3a-\x{10ffff}]$", Some(2)),
            ("^[A-CX]{2}$", None),
            ("^é$", None),
            (r"^\d{9}$", None),
            ("^(?i)k$", None),
            ("^a+$", None),
            ("^a{2,3}$", None),
            ("^a|b$", None),
            ("(?m)^ab$", None),
            ("ab$", None),
            ("^ab", None),
            ("^[a]{65}$", None),
        ] {
            let positions = Pattern::new(pattern).unwrap().positions;
            assert_eq!(positions.map(|positions| positions.len()), length, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn positions_and_the_regex_engine_agree(
            pattern in prop::sample::select(vec!["^SK-[0-9]{2}$", "^[A-C][0-9]{7}$", "^K-[0-9]{7}[S-T]{2}$", "^[0-9]{16}$", "^[A-CX][^a-z]?$", "^([S-T]K)-[0-9é]{2}$", "^[ -~]{3}$", "^$"]),
            text in "[SKé0-9-]{0,6}|SK-[0-9]{2}|[A-Z\n]{3}|[A-D][0-9:]{7}|K-[0-9]{7}[S-U]{2}|[/0-9]{16}",
        ) {
            let pattern = Pattern::new(pattern).unwrap();
            prop_assert_eq!(pattern.is_match(&text), pattern.regex.is_match(&text));
        }
    }
}
