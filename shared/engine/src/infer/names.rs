//! Derives names that are valid in SQL, Parquet and JSON from the producer's names.

use std::collections::HashSet;

/// The maximum length of an identifier. PostgreSQL truncates longer ones.
const MAX_BYTES: usize = 63;
/// The system columns that PostgreSQL adds to every table.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"];

/// Returns the unique harmonised names of the producer's columns in their order.
pub(super) fn harmonise<'n>(names: impl Iterator<Item = &'n str>) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut harmonised = Vec::new();
    for (index, name) in names.enumerate() {
        let base = column_name(name, index);
        let mut unique = base.clone();
        let mut count = 1_usize;
        while !taken.insert(unique.clone()) {
            count = count.saturating_add(1);
            let suffix = format!("_{count}");
            unique = cut(&base, MAX_BYTES.saturating_sub(suffix.len())).to_owned() + &suffix;
        }
        harmonised.push(unique);
    }
    harmonised
}

fn column_name(name: &str, index: usize) -> String {
    let snake = snake_case(name);
    let named = match snake.chars().next() {
        None => format!("column_{}", index.saturating_add(1)),
        Some(first) if !first.is_alphabetic() => format!("c_{snake}"),
        Some(_) if SYSTEM_COLUMNS.contains(&snake.as_str()) => format!("{snake}_value"),
        Some(_) => snake,
    };
    cut(&named, MAX_BYTES).trim_end_matches('_').to_owned()
}

/// Returns the name of the source, which is the prefix of its S3 keys.
pub(super) fn source(name: &str) -> String {
    let is_allowed = |letter: &char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let plain: String = fold(name)
        .chars()
        .map(|letter| letter.to_ascii_lowercase())
        .map(|letter| if is_allowed(&letter) || matches!(letter, '_' | '-') { letter } else { '-' })
        .collect();
    let plain = cut(plain.trim_matches(['-', '_']), MAX_BYTES).trim_end_matches(['-', '_']);
    if plain.is_empty() { "source".to_owned() } else { plain.to_owned() }
}

/// Returns the name of the entity and its table.
pub(super) fn entity(source: &str) -> String {
    column_name(source, 0)
}

/// Converts a name to snake case: `articleID`, `Article Id` and `article-id` become `article_id`.
pub(super) fn snake_case(name: &str) -> String {
    let folded = fold(name);
    let letters: Vec<char> = folded.chars().collect();
    let mut snake = String::new();
    let mut before: Option<char> = None;
    for (index, letter) in letters.iter().copied().enumerate() {
        let after = letters.get(index.saturating_add(1));
        let is_start = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || before.is_uppercase() && after.is_some_and(|after| after.is_lowercase())
            });
        if is_start && !snake.ends_with('_') {
            snake.push('_');
        }
        for lower in letter.to_lowercase() {
            if lower.is_alphanumeric() {
                snake.push(lower);
            } else if !snake.is_empty() && !snake.ends_with('_') {
                snake.push('_');
            }
        }
        before = Some(letter);
    }
    snake.trim_matches('_').to_owned()
}

/// Returns the words of a harmonised name.
pub(super) fn words(name: &str) -> impl DoubleEndedIterator<Item = &str> {
    name.split('_').filter(|word| !word.is_empty())
}

/// Replaces letters of Western languages by ASCII letters. Other characters are unchanged.
fn fold(name: &str) -> String {
    let mut folded = String::new();
    for letter in name.chars() {
        let plain = match letter {
            'ä' => "ae",
            'ö' => "oe",
            'ü' => "ue",
            'Ä' => "Ae",
            'Ö' => "Oe",
            'Ü' => "Ue",
            'ß' => "ss",
            'à' | 'á' | 'â' | 'ã' | 'å' => "a",
            'À' | 'Á' | 'Â' | 'Ã' | 'Å' => "A",
            'ç' => "c",
            'Ç' => "C",
            'è' | 'é' | 'ê' | 'ë' => "e",
            'È' | 'É' | 'Ê' | 'Ë' => "E",
            'ì' | 'í' | 'î' | 'ï' => "i",
            'ñ' => "n",
            'ò' | 'ó' | 'ô' | 'õ' | 'ø' => "o",
            'ù' | 'ú' | 'û' => "u",
            'æ' => "ae",
            _ => {
                folded.push(letter);
                continue;
            }
        };
        folded.push_str(plain);
    }
    folded
}

fn cut(name: &str, max_bytes: usize) -> &str {
    name.get(..name.floor_char_boundary(max_bytes)).expect("a character boundary within the name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_unique_and_snake_case() {
        for (names, expected) in [
            (
                vec!["Article ID", "articleId", "ARTICLE-ID"],
                vec!["article_id", "article_id_2", "article_id_3"],
            ),
            (vec!["Verfügbar", "Größe (cm)", "Preis €"], vec!["verfuegbar", "groesse_cm", "preis"]),
            (vec!["_id", "2nd price", "€", "ctid"], vec!["id", "c_2nd_price", "column_3", "ctid_value"]),
            (vec!["HTTPStatus", "isOK", "価格"], vec!["http_status", "is_ok", "価格"]),
        ] {
            assert_eq!(harmonise(names.into_iter()), expected);
        }
    }

    #[test]
    fn long_names_are_truncated_and_remain_unique() {
        let long = "ж".repeat(60);
        let names = harmonise([long.as_str(), long.as_str()].into_iter());
        assert!(names.iter().all(|name| name.len() <= 63), "{names:?}");
        assert_ne!(names.first(), names.last());
    }

    #[test]
    fn a_source_name_is_a_valid_key_prefix() {
        for (name, expected) in [("Nord Wind.csv", "nord-wind-csv"), ("__", "source"), ("Müller", "mueller")]
        {
            assert_eq!(source(name), expected);
        }
    }
}
