//! Where the array of objects is in a JSON document.

use crate::cast::json::unquote;

/// The keys that lead to the first array of objects, as far as the beginning of the document shows it. `None` when it is
/// inside another array, or a key cannot be a part of `penstock.path`.
pub(super) fn path_to_array(head: &[u8]) -> Option<Vec<String>> {
    let mut rest = head;
    let mut keys: Vec<String> = Vec::new();
    let mut arrays = 0_usize;
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'{' => keys.push(String::new()),
            b'}' => {
                keys.pop();
            }
            b']' => arrays = arrays.saturating_sub(1),
            b'[' if arrays == 0 && rest.trim_ascii_start().starts_with(b"{") => {
                let is_part = |key: &String| !key.is_empty() && !key.contains(['.', '[']);
                return Some(keys).filter(|keys| keys.iter().all(is_part));
            }
            b'[' => arrays = arrays.saturating_add(1),
            b'"' => {
                let (text, after) = string(rest)?;
                rest = after.trim_ascii_start();
                if let Some(value) = rest.strip_prefix(b":") {
                    rest = value;
                    *keys.last_mut()? = text;
                }
            }
            _ => {}
        }
    }
    None
}

/// The string whose opening quote was read, and what follows it.
fn string(rest: &[u8]) -> Option<(String, &[u8])> {
    let mut is_escaped = false;
    let end = rest.iter().position(|byte| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    })?;
    let (text, after) = rest.split_at_checked(end)?;
    let quoted = format!("\"{}\"", str::from_utf8(text).ok()?);
    let mut scratch = String::new();
    Some((unquote(&quoted, &mut scratch)?.to_owned(), after.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_leads_to_the_first_array_of_objects() {
        for (head, expected) in [
            ("{\"data\": {\"next\": null, \"items\": [\n {\"id\": 1", Some(vec!["data", "items"])),
            ("{\"a\": [1, 2], \"b\": {\"c\": \"[{\"}, \"d\" : [{", Some(vec!["d"])),
            ("{\"a \\\"quoted\\\"\": [{}]}", Some(vec!["a \"quoted\""])),
            ("{\"a\": {\"x\": 1}, \"b\": {\"y\": [{\"z\": 1}]}}", Some(vec!["b", "y"])),
            ("[{\"a\": 1}]", Some(vec![])),
            ("{\"a\": [[{\"b\": 1}]]}", None),
            ("{\"a.b\": [{}]}", None),
            ("{\"\": [{}]}", None),
            ("{\"a\": {\"b\": 1}}", None),
            ("{\"a\": \"open [{", None),
            ("", None),
        ] {
            let path = path_to_array(head.as_bytes());
            assert_eq!(path, expected.map(|keys| keys.into_iter().map(str::to_owned).collect()), "{head}");
        }
    }
}
