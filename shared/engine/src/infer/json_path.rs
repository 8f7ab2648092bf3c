//! Finds the arrays of objects in a JSON document.

use crate::cast::json::unquote;

/// An array of objects that is not within another array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ObjectArray {
    /// The keys that lead to it.
    pub(super) keys: Vec<String>,
    /// The number of objects that begin in the part that was read.
    pub(super) objects: u64,
    /// The part that was read ends inside the array.
    pub(super) is_open: bool,
}

impl ObjectArray {
    /// Returns false if a key cannot be part of `penstock.path`.
    pub(super) fn has_path(&self) -> bool {
        self.keys.iter().all(|key| !key.is_empty() && !key.contains(['.', '[']))
    }
}

/// An object or array that is not closed yet.
#[derive(Debug)]
enum Container {
    /// An object, with the key that was read last.
    Object(String),
    /// An array, with its index in the list of arrays if it is listed.
    Array(Option<usize>),
}

/// Returns the arrays of objects in the beginning of a document. An array is listed if its first element is an object
/// and it is not within another array.
pub(super) fn object_arrays(head: &[u8]) -> Vec<ObjectArray> {
    let mut arrays: Vec<ObjectArray> = Vec::new();
    let mut open: Vec<Container> = Vec::new();
    let mut rest = head;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'{' => {
                if let Some(Container::Array(Some(index))) = open.last() {
                    let array = arrays.get_mut(*index).expect("the index of a listed array");
                    array.objects = array.objects.saturating_add(1);
                }
                open.push(Container::Object(String::new()));
            }
            b'[' => {
                let keys = keys_of(&open).filter(|_| rest.trim_ascii_start().starts_with(b"{"));
                let index = keys.map(|keys| {
                    let index = arrays.len();
                    arrays.push(ObjectArray { keys, objects: 0, is_open: true });
                    index
                });
                open.push(Container::Array(index));
            }
            b'}' | b']' => {
                if let Some(Container::Array(Some(index))) = open.pop() {
                    arrays.get_mut(index).expect("the index of a listed array").is_open = false;
                }
                if open.is_empty() {
                    break;
                }
            }
            b'"' => {
                let Some((text, after)) = string(rest) else { break };
                rest = after;
                if let Some(value) = after.trim_ascii_start().strip_prefix(b":")
                    && let Some(Container::Object(key)) = open.last_mut()
                {
                    rest = value;
                    // Like an empty key, a key that is not valid text cannot be part of a path.
                    *key = unquoted(text).unwrap_or_default();
                }
            }
            _ => {}
        }
    }
    arrays
}

/// Returns the keys that lead to the value; `None` inside an array.
fn keys_of(open: &[Container]) -> Option<Vec<String>> {
    let key = |container: &Container| match container {
        Container::Object(key) => Some(key.clone()),
        Container::Array(_) => None,
    };
    open.iter().map(key).collect()
}

/// Returns the text before the closing quote, and the rest after the quote.
fn string(rest: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0_usize;
    loop {
        let found = memchr::memchr2(b'"', b'\\', rest.get(at..)?)?;
        at = at.saturating_add(found);
        if rest.get(at) == Some(&b'"') {
            return Some((rest.get(..at)?, rest.get(at.saturating_add(1)..)?));
        }
        at = at.saturating_add(2);
    }
}

fn unquoted(text: &[u8]) -> Option<String> {
    let quoted = format!("\"{}\"", str::from_utf8(text).ok()?);
    let mut scratch = String::new();
    Some(unquote(&quoted, &mut scratch)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns `path objects` for each array, with `+` for one that is cut off.
    fn found(head: &str) -> Vec<String> {
        let show = |array: &ObjectArray| {
            let cut = if array.is_open { "+" } else { "" };
            format!("{} {}{cut}", array.keys.join("."), array.objects)
        };
        object_arrays(head.as_bytes()).iter().map(show).collect()
    }

    #[test]
    fn each_array_of_objects_is_found_with_its_count() {
        for (head, expected) in [
            ("{\"data\": {\"next\": null, \"items\": [\n {\"id\": 1", &["data.items 1+"][..]),
            ("{\"a\": [1, 2], \"b\": {\"c\": \"[{\"}, \"d\" : [{", &["d 1+"]),
            ("{\"a \\\"quoted\\\"\": [{}]}", &["a \"quoted\" 1"]),
            ("{\"a\": {\"x\": 1}, \"b\": {\"y\": [{\"z\": 1}]}}", &["b.y 1"]),
            ("{\"_links\":[{\"a\":1}],\"items\":[{\"b\":[{},{}]},{},{}]}", &["_links 1", "items 3"]),
            (
                "{\"w\":[{}],\"data\":{\"items\":[{\"s\":\"]}\\\\\"},{}]},\"z\":[{}]}",
                &["w 1", "data.items 2", "z 1"],
            ),
            ("[{\"a\": 1}, 2, {\"a\": 3}]", &[" 2"]),
            ("{\"a\": [{}]}\n{\"b\": [{}]}", &["a 1"]),
            ("{\"a\": [[{\"b\": 1}]]}", &[]),
            ("{\"a\": [1, {\"b\": 1}]}", &[]),
            ("{\"a\": {\"b\": 1}}", &[]),
            ("{\"a\": \"open [{", &[]),
            ("", &[]),
        ] {
            assert_eq!(found(head), expected, "{head}");
        }
    }

    #[test]
    fn a_key_with_a_dot_or_without_letters_is_no_path() {
        for (head, expected) in [
            ("{\"a.b\":[{}]}", false),
            ("{\"\":[{}]}", false),
            ("{\"a[0]\":[{}]}", false),
            ("{\"a b\":[{}]}", true),
        ] {
            assert_eq!(object_arrays(head.as_bytes())[0].has_path(), expected, "{head}");
        }
    }
}
