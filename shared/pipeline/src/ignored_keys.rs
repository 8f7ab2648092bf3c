//! The objects in the raw bucket that are not drops: markers, hidden files, and those that the operator excludes.
//!
//! Tools that write to S3 leave objects that contain no rows. They get no receipt and raise no alarm. ingest and the
//! sentinel ask the same [`IgnoredKeys`], so that an object that one of them ignores is not missed by the other. Objects from
//! before the pipeline whose events are made up later (a backfill) pass through ingest too, which ignores the same ones.

use std::fmt;
use std::str::FromStr;

/// Names of markers that Hadoop and Spark write when a job ends.
const MARKERS: [&str; 1] = ["_SUCCESS"];
/// Beginnings of the names of transaction markers of Databricks.
const MARKER_PREFIXES: [&str; 2] = ["_committed_", "_started_"];
/// End of the name of a folder marker of Hadoop.
const FOLDER_SUFFIX: &str = "_$folder$";
/// Folder of the files that a Hadoop or Spark job has not committed.
const UNCOMMITTED: &str = "_temporary";

/// Decides which objects in the raw bucket are not drops.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IgnoredKeys {
    patterns: Vec<KeyPattern>,
}

/// The reason why an object is not a drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IgnoredKey {
    /// The zero-byte object that consoles create for a folder, or the folder marker of Hadoop.
    Folder,
    /// A marker of Hadoop, Spark or Databricks: `_SUCCESS`, `_committed_…`, `_started_…`.
    Marker,
    /// A file whose name, or one of whose folders, begins with a dot.
    Hidden,
    /// A file in a folder `_temporary`, which a job has not committed.
    Uncommitted,
    /// A key that matches this pattern of the configuration.
    Pattern(String),
}

/// A pattern of keys. `*` matches any characters but `/`, `**` any characters, `?` one character but `/`.
///
/// A pattern without `/` is compared with the name of the object, which follows the last `/` of the key; another one
/// with the whole key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct KeyPattern(String);

/// An invalid list of patterns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyPatternError {
    /// Two commas without a pattern between them, or a comma at an end.
    #[error("the list {0:?} has an empty pattern: separate patterns with one comma")]
    Empty(String),
    /// A pattern that every key matches: no file would be processed.
    #[error("the pattern {0:?} matches every key: nothing would be processed")]
    Everything(String),
}

impl FromStr for IgnoredKeys {
    type Err = KeyPatternError;

    /// Parses a list of patterns, separated by commas. An empty text has no patterns. The rules of this module apply in
    /// addition.
    fn from_str(list: &str) -> Result<Self, KeyPatternError> {
        if list.trim().is_empty() {
            return Ok(Self::default());
        }
        let pattern = |text: &str| {
            let text = text.trim();
            if text.is_empty() {
                return Err(KeyPatternError::Empty(list.to_owned()));
            }
            if text.chars().all(|character| matches!(character, '*' | '/')) {
                return Err(KeyPatternError::Everything(text.to_owned()));
            }
            Ok(KeyPattern(text.to_owned()))
        };
        Ok(Self { patterns: list.split(',').map(pattern).collect::<Result<_, _>>()? })
    }
}

impl IgnoredKeys {
    /// Returns the reason why the object with this key is not a drop, or `None` if it is one. `size_bytes` is `None` if
    /// the size is unknown; then a folder is not recognised.
    pub fn reason(&self, key: &str, size_bytes: Option<u64>) -> Option<IgnoredKey> {
        let name = name(key);
        if (key.ends_with('/') && size_bytes == Some(0)) || name.ends_with(FOLDER_SUFFIX) {
            return Some(IgnoredKey::Folder);
        }
        if MARKERS.contains(&name) || MARKER_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            return Some(IgnoredKey::Marker);
        }
        // `.` and `..` are mistakes of a producer, who gets a receipt.
        let is_hidden = |part: &str| part.starts_with('.') && part != "." && part != "..";
        if key.split('/').any(is_hidden) {
            return Some(IgnoredKey::Hidden);
        }
        let mut folders = key.split('/').rev().skip(1);
        if folders.any(|folder| folder == UNCOMMITTED) {
            return Some(IgnoredKey::Uncommitted);
        }
        let pattern = self.patterns.iter().find(|pattern| pattern.matches(key))?;
        Some(IgnoredKey::Pattern(pattern.0.clone()))
    }
}

impl fmt::Display for IgnoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder => f.write_str("folder"),
            Self::Marker => f.write_str("marker of a job"),
            Self::Hidden => f.write_str("hidden file"),
            Self::Uncommitted => f.write_str("file of an uncommitted job"),
            Self::Pattern(pattern) => write!(f, "pattern {pattern}"),
        }
    }
}

impl KeyPattern {
    fn matches(&self, key: &str) -> bool {
        let text = if self.0.contains('/') { key } else { name(key) };
        matches(&tokens(&self.0), text)
    }
}

/// Returns the part of a key after its last `/`.
fn name(key: &str) -> &str {
    key.rsplit('/').next().expect("a split text has at least one part")
}

/// A part of a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GlobToken {
    One(char),
    /// `?`
    AnyOne,
    /// `*`
    AnyInName,
    /// `**`
    Any,
}

fn tokens(pattern: &str) -> Vec<GlobToken> {
    let mut tokens = Vec::new();
    for character in pattern.chars() {
        let token = match character {
            '*' if matches!(tokens.last(), Some(GlobToken::AnyInName | GlobToken::Any)) => {
                tokens.pop();
                GlobToken::Any
            }
            '*' => GlobToken::AnyInName,
            '?' => GlobToken::AnyOne,
            other => GlobToken::One(other),
        };
        tokens.push(token);
    }
    tokens
}

/// Returns whether the tokens match the whole text. The time is the product of the lengths: `reached[i]` is whether the
/// first `i` tokens match the text so far.
fn matches(tokens: &[GlobToken], text: &str) -> bool {
    let mut reached = vec![false; tokens.len() + 1];
    reached[0] = true;
    skip_stars(tokens, &mut reached);
    for character in text.chars() {
        let mut next = vec![false; tokens.len() + 1];
        for (index, token) in tokens.iter().enumerate().filter(|(index, _)| reached[*index]) {
            match token {
                GlobToken::One(expected) => next[index + 1] |= *expected == character,
                GlobToken::AnyOne => next[index + 1] |= character != '/',
                GlobToken::AnyInName => next[index] |= character != '/',
                GlobToken::Any => next[index] = true,
            }
        }
        skip_stars(tokens, &mut next);
        reached = next;
    }
    reached[tokens.len()]
}

/// A star also matches no character.
fn skip_stars(tokens: &[GlobToken], reached: &mut [bool]) {
    for (index, token) in tokens.iter().enumerate() {
        let is_star = match token {
            GlobToken::AnyInName | GlobToken::Any => true,
            GlobToken::One(_) | GlobToken::AnyOne => false,
        };
        if is_star && reached[index] {
            reached[index + 1] = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reason(list: &str, key: &str) -> Option<IgnoredKey> {
        list.parse::<IgnoredKeys>().unwrap().reason(key, Some(1))
    }

    #[test]
    fn markers_hidden_and_uncommitted_files_are_not_drops() {
        for (key, expected) in [
            ("abt/_SUCCESS", IgnoredKey::Marker),
            ("_SUCCESS", IgnoredKey::Marker),
            ("abt/2026/_committed_12", IgnoredKey::Marker),
            ("abt/_started_12", IgnoredKey::Marker),
            ("abt/2026_$folder$", IgnoredKey::Folder),
            ("abt/_$folder$", IgnoredKey::Folder),
            (".foo", IgnoredKey::Hidden),
            ("abt/.foo", IgnoredKey::Hidden),
            ("abt/.part-0.csv.crc", IgnoredKey::Hidden),
            ("abt/.staging/a.csv", IgnoredKey::Hidden),
            ("abt/_temporary/0/a.csv", IgnoredKey::Uncommitted),
            ("_temporary/a.csv", IgnoredKey::Uncommitted),
        ] {
            assert_eq!(reason("", key), Some(expected), "{key}");
        }
        for key in [
            "abt/a.csv",
            "abt/_SUCCESS.csv",
            "abt/x_SUCCESS",
            "abt/_success",
            "abt/_SUCCESS/a.csv",
            "abt/committed_1",
            "abt/_temporary",
            "abt/x_temporary/a.csv",
            "abt/../a.csv",
            "./a.csv",
            "abt/a.",
            "abt/a_$folder$/b.csv",
            "top.csv",
        ] {
            assert_eq!(reason("", key), None, "{key}");
        }
    }

    #[test]
    fn a_folder_is_recognised_by_its_size() {
        let ignored = IgnoredKeys::default();
        assert_eq!(ignored.reason("abt/folder/", Some(0)), Some(IgnoredKey::Folder));
        for (key, size_bytes) in [("abt/folder/", Some(1)), ("abt/folder/", None), ("abt/empty.csv", Some(0))]
        {
            assert_eq!(ignored.reason(key, size_bytes), None, "{key} {size_bytes:?}");
        }
    }

    #[test]
    fn a_pattern_is_compared_with_the_name_or_the_whole_key() {
        for (pattern, matching, other) in [
            ("*.md5", "abt/2026/a.csv.md5", "abt/a.md5.csv"),
            ("readme.txt", "abt/readme.txt", "abt/readme.txt2"),
            ("a?.csv", "abt/ab.csv", "abt/a.csv"),
            ("abt/*.tmp", "abt/a.tmp", "abt/x/a.tmp"),
            ("abt/**.tmp", "abt/x/y/a.tmp", "buy/a.tmp"),
            ("**/archive/**", "abt/archive/a.csv", "abt/archive"),
            ("*ä*", "abt/xäy", "abt/xay"),
            ("a?b", "s/aäb", "s/ab"),
        ] {
            assert_eq!(reason(pattern, matching), Some(IgnoredKey::Pattern(pattern.to_owned())), "{pattern}");
            assert_eq!(reason(pattern, other), None, "{pattern} {other}");
        }
        assert_eq!(
            reason("*.md5, *.sha256", "abt/a.sha256"),
            Some(IgnoredKey::Pattern("*.sha256".to_owned()))
        );
    }

    #[test]
    fn a_list_with_an_empty_pattern_or_one_that_matches_everything_is_an_error() {
        assert_eq!(" ".parse(), Ok(IgnoredKeys::default()));
        for list in ["a,,b", "a,", ","] {
            assert_eq!(list.parse::<IgnoredKeys>(), Err(KeyPatternError::Empty(list.to_owned())));
        }
        for pattern in ["*", "**", "*/*", "**/*"] {
            assert_eq!(pattern.parse::<IgnoredKeys>(), Err(KeyPatternError::Everything(pattern.to_owned())));
        }
    }

    #[test]
    fn a_pattern_with_many_stars_takes_little_time() {
        let (pattern, key) = (format!("{}b", "*a".repeat(200)), format!("abt/{}", "a".repeat(1000)));
        assert_eq!(reason(&pattern, &key), None);
    }

    proptest! {
        #[test]
        fn a_text_without_wildcards_matches_itself_only(text in "[^*?,/]{1,20}", other in "[^*?,/]{1,20}") {
            prop_assert!(matches(&tokens(&text), &text));
            prop_assert_eq!(matches(&tokens(&text), &other), text == other);
        }

        #[test]
        fn a_star_matches_any_middle(start in "[a-c]{0,4}", middle in "[a-c]{0,6}", end in "[a-c]{0,4}") {
            let pattern = format!("{start}*{end}");
            let text = format!("{start}{middle}{end}");
            prop_assert!(matches(&tokens(&pattern), &text));
        }
    }
}
