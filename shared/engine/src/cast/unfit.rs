//! Values within typed documents that JSON cannot represent.

use super::typed::Typed;
use crate::outcome::Code;

/// A value within a document that JSON cannot represent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    pub(crate) code: Code,
    /// The path of the value in the document, e.g. `.sizes[2]`.
    pub(crate) path: String,
    /// The rule that the value violates.
    pub(crate) rule: &'static str,
    /// The text of the value.
    pub(crate) found: String,
}

impl Unfit {
    /// Returns the fault of a value that follows `before`, the beginning of its document. `None` if JSON can represent
    /// it.
    pub(crate) fn of(value: Typed<'_>, before: &str) -> Option<Self> {
        let code = value.document_fault()?;
        let mut found = String::new();
        value.render(&mut found);
        Some(Self { code, path: path_after(before), rule: rule_of(value), found })
    }
}

#[cold]
fn rule_of(value: Typed<'_>) -> &'static str {
    match value {
        Typed::Double(_) | Typed::Float(_) => "a finite number",
        Typed::Date(_) => "a date from 0001-01-01 to 9999-12-31",
        Typed::Time(_) | Typed::TimeNanos(_) => "a time of day with at most six fractional digits",
        Typed::Timestamp { .. } | Typed::TimestampNanos { .. } | Typed::BeyondMicros { .. } => {
            "a timestamp in the years 1 to 9999 with at most six fractional digits"
        }
        Typed::Bytes(_) => "text in UTF-8",
        Typed::Boolean(_)
        | Typed::Integer(_)
        | Typed::Unsigned(_)
        | Typed::Decimal { .. }
        | Typed::Uuid(_)
        | Typed::Foreign(_) => "a value that JSON can represent",
    }
}

/// An object or an array that is not closed yet.
enum OpenContainer<'a> {
    /// With the key whose value follows, or `None` if a key follows.
    Object(Option<&'a str>),
    /// With the index of the current item.
    Array(usize),
}

/// Returns the path of the value that follows the beginning of a document.
#[cold]
fn path_after(before: &str) -> String {
    let mut open: Vec<OpenContainer<'_>> = Vec::new();
    let mut letters = before.chars();
    while let Some(letter) = letters.next() {
        match (letter, open.last_mut()) {
            ('"', last) => {
                let rest = letters.as_str();
                let (string, after) = rest.split_at(end_of_string(rest));
                if let Some(OpenContainer::Object(key @ None)) = last {
                    *key = Some(string);
                }
                letters = after.chars();
                // The closing quote.
                letters.next();
            }
            ('{', _) => open.push(OpenContainer::Object(None)),
            ('[', _) => open.push(OpenContainer::Array(0)),
            ('}' | ']', _) => drop(open.pop()),
            (',', Some(OpenContainer::Object(key))) => *key = None,
            (',', Some(OpenContainer::Array(index))) => *index = index.saturating_add(1),
            _ => {}
        }
    }
    let step = |open: &OpenContainer<'_>| match open {
        OpenContainer::Object(Some(key)) => format!(".{key}"),
        OpenContainer::Object(None) => String::new(),
        OpenContainer::Array(index) => format!("[{index}]"),
    };
    open.iter().map(step).collect()
}

/// Returns the position of the quote that ends a string.
fn end_of_string(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_that_of_the_next_value() {
        for (before, path) in [
            ("", ""),
            ("[", "[0]"),
            ("[1,2,", "[2]"),
            ("{\"a\":", ".a"),
            ("{\"a\":[{\"b\":[]},{\"c\":1,\"d \\\"e\":", ".a[1].d \\\"e"),
            ("[\"a,[\",{\"b\":\"}\\\\\"},[", "[2][0]"),
            ("{\"a\":1,", ""),
        ] {
            assert_eq!(path_after(before), path, "{before}");
        }
    }
}
