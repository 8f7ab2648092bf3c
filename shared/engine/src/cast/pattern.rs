//! Patterns, and a quick way through those of fixed length, which identifiers mostly have.

use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look};
use wide::u8x16;

/// A longer pattern is left to the general way.
const MAX_LENGTH: usize = 64;

/// What a text has to match.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    general: Regex,
    /// For `^…$` of ASCII letters and classes, each a certain number of times.
    places: Option<PatternCharacters>,
}

/// The characters of each place.
#[derive(Debug, Clone)]
enum PatternCharacters {
    /// From one character to another, as of a digit, in a text of 8 to 16 characters: so many, and the smallest and the
    /// largest ones of its [block].
    Ranges(usize, u8x16, u8x16),
    /// By bits.
    Sets(Vec<u128>),
}

impl Pattern {
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let general = Regex::new(pattern).map_err(|error| error.to_string())?;
        let places = regex_syntax::parse(pattern).ok().and_then(|hir| whole(&hir)).map(PatternCharacters::of);
        Ok(Self { general, places })
    }

    #[inline]
    pub(crate) fn is_match(&self, text: &str) -> bool {
        let Some(places) = &self.places else { return self.general.is_match(text) };
        match places {
            PatternCharacters::Ranges(length, first, last) => {
                let is_in = |block: u8x16| block.max(*first).min(*last) == block;
                text.len() == *length && block(text.as_bytes()).is_some_and(is_in)
            }
            PatternCharacters::Sets(sets) => {
                let is_in = |(byte, set): (u8, &u128)| byte.is_ascii() && set >> byte & 1 == 1;
                text.len() == sets.len() && text.bytes().zip(sets).all(is_in)
            }
        }
    }
}

impl PatternCharacters {
    fn of(sets: Vec<u128>) -> Self {
        let range = |set: &u128| {
            let first = u8::try_from(set.trailing_zeros()).ok()?;
            let last = u8::try_from(set.checked_ilog2()?).ok()?;
            (bits(first, last) == Some(*set)).then_some((first, last))
        };
        let ranges = sets.iter().map(range).collect::<Option<(Vec<u8>, Vec<u8>)>>();
        let blocks = ranges.and_then(|(first, last)| block(&first).zip(block(&last)));
        match blocks {
            Some((first, last)) => Self::Ranges(sets.len(), first, last),
            None => Self::Sets(sets),
        }
    }
}

/// The first and the last eight of 8 to 16 characters, some of them perhaps twice.
#[inline]
fn block(text: &[u8]) -> Option<u8x16> {
    let [first, last] =
        [text.first_chunk::<8>()?, text.last_chunk::<8>()?].map(|part| u64::from_le_bytes(*part));
    let block = u128::from(first) | u128::from(last) << 64;
    (text.len() <= 16).then(|| u8x16::new(block.to_le_bytes()))
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
            let found = places.map(|places| match places {
                PatternCharacters::Ranges(length, ..) => length,
                PatternCharacters::Sets(sets) => sets.len(),
            });
            assert_eq!(found, length, "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn both_ways_agree(
            pattern in prop::sample::select(vec!["^SK-[0-9]{2}$", "^[A-C][0-9]{7}$", "^K-[0-9]{7}[S-T]{2}$", "^[0-9]{16}$", "^[A-CX][^a-z]?$", "^([S-T]K)-[0-9é]{2}$", "^[ -~]{3}$", "^$"]),
            text in "[SKé0-9-]{0,6}|SK-[0-9]{2}|[A-Z\n]{3}|[A-D][0-9:]{7}|K-[0-9]{7}[S-U]{2}|[/0-9]{16}",
        ) {
            let pattern = Pattern::new(pattern).unwrap();
            prop_assert_eq!(pattern.is_match(&text), pattern.general.is_match(&text));
        }
    }
}
