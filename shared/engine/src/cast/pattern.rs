//! Patterns, and a quick way through those of fixed length, which identifiers mostly have.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// A longer pattern is left to the general way.
const MAX_LENGTH: usize = 64;

/// What a text has to match.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    general: Regex,
    /// For `^…$` of ASCII letters and classes, each a certain number of times: the characters of each place, by bits.
    places: Option<Vec<u128>>,
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let general = Regex::new(pattern).map_err(|error| error.to_string())?;
        let places = regex_syntax::parse(pattern).ok().and_then(|hir| whole(&hir));
        Ok(Self { general, places })
    }

    #[inline]
    pub(crate) fn is_match(&self, text: &str) -> bool {
        let Some(places) = &self.places else { return self.general.is_match(text) };
        let holds = |(byte, set): (u8, &u128)| byte.is_ascii() && set >> byte & 1 == 1;
        text.len() == places.len() && text.bytes().zip(places).all(holds)
    }
}

/// The places of a pattern that is about the text from its beginning to its end.
fn whole(pattern: &Hir) -> Option<Vec<u128>> {
    let HirKind::Concat(parts) = pattern.kind() else { return None };
    let is_look = |part: &Hir, look: Look| matches!(part.kind(), HirKind::Look(found) if *found == look);
    let [first, parts @ .., last] = parts.as_slice() else { return None };
    if !is_look(first, Look::Start) || !is_look(last, Look::End) {
        return None;
    }
    let mut places = Vec::new();
    for part in parts {
        add(part, &mut places)?;
    }
    Some(places)
}

fn add(part: &Hir, places: &mut Vec<u128>) -> Option<()> {
    match part.kind() {
        HirKind::Literal(literal) => {
            places.extend(literal.0.iter().map(|byte| bits(*byte, *byte)).collect::<Option<Vec<_>>>()?);
        }
        HirKind::Class(class) => places.push(set(class)?),
        HirKind::Repetition(repetition) if Some(repetition.min) == repetition.max => {
            for _ in 0..repetition.min {
                add(&repetition.sub, places)?;
            }
        }
        HirKind::Capture(capture) => add(&capture.sub, places)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| add(part, places))?,
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) | HirKind::Alternation(_) => return None,
    }
    (places.len() <= MAX_LENGTH).then_some(())
}

fn set(class: &Class) -> Option<u128> {
    let ascii = |letter: char| u8::try_from(letter).ok();
    match class {
        Class::Unicode(class) => (class.iter())
            .try_fold(0, |set, range| Some(set | bits(ascii(range.start())?, ascii(range.end())?)?)),
        Class::Bytes(class) => {
            class.iter().try_fold(0, |set, range| Some(set | bits(range.start(), range.end())?))
        }
    }
}

/// A bit for each character from `first` to `last`.
fn bits(first: u8, last: u8) -> Option<u128> {
    last.is_ascii().then(|| (first..=last).fold(0, |set, byte| set | 1_u128 << byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fixed_patterns_go_the_quick_way_and_no_others() {
        for (pattern, length) in [
            ("^SKU-[0-9]{9}$", Some(13)),
            ("^([A-Z]{2})([0-9a-f]){3}$", Some(5)),
            (r"^\x41[^\x00-\x2f\x3a-\x{10ffff}]$", Some(2)),
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
            let places = Pattern::new(pattern).unwrap().places;
            assert_eq!(places.map(|places| places.len()), length, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_agree(
            pattern in prop::sample::select(vec!["^SK-[0-9]{2}$", "^[A-CX][^a-z]?$", "^([S-T]K)-[0-9é]{2}$", "^[ -~]{3}$", "^$"]),
            text in "[SKé0-9-]{0,6}|SK-[0-9]{2}|[A-Z\n]{3}",
        ) {
            let pattern = Pattern::new(pattern).unwrap();
            prop_assert_eq!(pattern.is_match(&text), pattern.general.is_match(&text));
        }
    }
}
