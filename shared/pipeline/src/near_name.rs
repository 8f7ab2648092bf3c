//! Suggests the name that was probably meant.

/// Maximum number of edits from a name to a suggestion, whatever their lengths.
const MAX_EDITS: usize = 2;

/// Returns the candidate that is nearest to `name`, if it is near enough to be a typing error: at most two inserted,
/// deleted, replaced or swapped characters, and fewer than half of them. Letter case is ignored. Of several equally near
/// candidates, the first one is returned.
///
/// ```
/// use penstock_pipeline::near_name;
///
/// assert_eq!(near_name("abtt", ["buy", "abt"]), Some("abt"));
/// assert_eq!(near_name("google", ["buy", "abt"]), None);
/// ```
pub fn near_name<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    let measured = candidates.into_iter().filter_map(|candidate| {
        let letters: Vec<char> = candidate.to_lowercase().chars().collect();
        let max = MAX_EDITS.min(wanted.len().max(letters.len()).saturating_sub(1) / 2);
        // The distance is at least the difference of the lengths, so a long candidate costs nothing.
        if wanted.len().abs_diff(letters.len()) > max {
            return None;
        }
        let edits = distance(&wanted, &letters);
        (edits <= max).then_some((edits, candidate))
    });
    measured.min_by_key(|(edits, _)| *edits).map(|(_, candidate)| candidate)
}

/// Returns the number of inserted, deleted, replaced and swapped characters between two texts (optimal string
/// alignment).
fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=to.len()).collect();
    for (row, &character) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &other) in to.iter().enumerate() {
            let replaced = previous[column] + usize::from(character != other);
            let mut least = replaced.min(previous[column + 1] + 1).min(current[column] + 1);
            let is_swap = row > 0 && column > 0 && character == to[column - 1] && from[row - 1] == other;
            if is_swap {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut previous, current);
    }
    previous[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_has_a_suggestion() {
        let sources = ["abt", "amazon", "buy", "google", "größe"];
        for (name, expected) in [
            ("abtt", Some("abt")),
            ("bat", Some("abt")),
            ("ABT", Some("abt")),
            ("amazn", Some("amazon")),
            ("amzaon", Some("amazon")),
            ("gogle", Some("google")),
            ("goggles", Some("google")),
            ("grösse", Some("größe")),
            ("byu", Some("buy")),
            ("abc", Some("abt")),
            ("xyz", None),
            ("a", None),
            ("", None),
            ("amazon-germany", None),
        ] {
            assert_eq!(near_name(name, sources), expected, "{name}");
        }
        assert_eq!(near_name("abt", []), None);
    }

    #[test]
    fn the_nearest_candidate_is_suggested() {
        assert_eq!(near_name("orders1", ["orders22", "orders2", "order"]), Some("orders2"));
    }
}
