//! The paths of repeated keys.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;

use super::scanner::{Scanner, key_text};

/// Returns the path of the first repeated key of a well-formed document, e.g. `sizes[2].width`. Keys are compared
/// without their escapes.
#[cold]
pub(crate) fn key(text: &str) -> Option<String> {
    let mut scanner = Scanner::new(text, false);
    scanner.skip_space();
    let mut search = RepeatedKeySearch { text, path: String::new(), is_found: false };
    let searched = search.value(&mut scanner);
    debug_assert_eq!(searched.is_none(), search.is_found, "the document is well-formed");
    search.is_found.then_some(search.path)
}

/// Returns the first text that is equal to an earlier one.
#[cold]
pub(crate) fn text<'a>(texts: impl IntoIterator<Item = Cow<'a, str>>) -> Option<String> {
    let mut seen = HashSet::new();
    for text in texts {
        if seen.contains(&text) {
            return Some(text.into_owned());
        }
        seen.insert(text);
    }
    None
}

struct RepeatedKeySearch<'a> {
    text: &'a str,
    /// The path of the current value, or of the repeated key once it is found.
    path: String,
    is_found: bool,
}

impl<'a> RepeatedKeySearch<'a> {
    /// Searches a value. `None` ends the search: a repeated key was found, because the document is well-formed.
    fn value(&mut self, scanner: &mut Scanner<'a>) -> Option<()> {
        match scanner.peek()? {
            b'{' => {
                let mut keys = HashSet::new();
                scanner.list(b'{', b'}', |scanner| {
                    let key = key_text(self.text, scanner.key()?);
                    let outer = self.path.len();
                    if outer > 0 {
                        self.path.push('.');
                    }
                    self.path.push_str(&key);
                    if !keys.insert(key) {
                        self.is_found = true;
                        return None;
                    }
                    self.value(scanner)?;
                    self.path.truncate(outer);
                    Some(())
                })
            }
            b'[' => {
                let mut index = 0_usize;
                scanner.list(b'[', b']', |scanner| {
                    let outer = self.path.len();
                    write!(self.path, "[{index}]").expect("writing to a string does not fail");
                    self.value(scanner)?;
                    self.path.truncate(outer);
                    index = index.saturating_add(1);
                    Some(())
                })
            }
            _ => scanner.value(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_repeated_key_is_returned() {
        for (document, path) in [
            (r#"{"a":1,"b":2}"#, None),
            (r#" {"a":1,"a":2}"#, Some("a")),
            (r#"{"a":[1,{"b":{"x":1, "y":{"x":1}, "\u0078":2}}],"a":3}"#, Some("a[1].b.x")),
            (r#"[{"a":1},[{"a":1},{"":1,"":2}]]"#, Some("[1][1].")),
        ] {
            assert_eq!(key(document).as_deref(), path, "{document}");
        }
    }
}
