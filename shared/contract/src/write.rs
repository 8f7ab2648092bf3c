//! A tree of YAML as text.

use crate::node::{Entry, Node, ScalarKind, Value};

/// Writes the tree as YAML that is read as the same tree. Aliases are written out, and comments are not kept.
pub(crate) fn yaml(root: &Node) -> String {
    let mut text = String::new();
    match &root.value {
        Value::Map(entries) if !entries.is_empty() => map(entries, 0, &mut text),
        Value::List(items) if !items.is_empty() => list(items, 0, &mut text),
        Value::Scalar(..) | Value::Map(_) | Value::List(_) => value(root, 0, &mut text),
    }
    text
}

fn map(entries: &[Entry], indent: usize, text: &mut String) {
    for Entry { key, node, .. } in entries {
        spaces(indent, text);
        if is_plain(key) {
            text.push_str(key)
        } else {
            quote(key, text)
        }
        text.push(':');
        value(node, indent, text);
    }
}

fn list(items: &[Node], indent: usize, text: &mut String) {
    for item in items {
        spaces(indent, text);
        text.push('-');
        value(item, indent, text);
    }
}

/// What follows `key:` or `-`, to the end of its last line.
fn value(node: &Node, indent: usize, text: &mut String) {
    let inner = indent.saturating_add(2);
    match &node.value {
        Value::Map(entries) if entries.is_empty() => text.push_str(" {}\n"),
        Value::List(items) if items.is_empty() => text.push_str(" []\n"),
        Value::Map(entries) => {
            text.push('\n');
            map(entries, inner, text);
        }
        Value::List(items) => {
            text.push('\n');
            list(items, inner, text);
        }
        Value::Scalar(ScalarKind::Str, scalar) => {
            text.push(' ');
            quote(scalar, text);
            text.push('\n');
        }
        Value::Scalar(ScalarKind::Null, scalar) if scalar.is_empty() => text.push_str(" ~\n"),
        Value::Scalar(_, scalar) => {
            text.push(' ');
            text.push_str(scalar);
            text.push('\n');
        }
    }
}

fn spaces(count: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', count));
}

/// True for keys that need no quotes: all of the standard's.
fn is_plain(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.chars().all(|next| next.is_ascii_alphanumeric() || next == '_')
}

/// A double-quoted scalar: every character that YAML may not have, or may fold, is escaped.
fn quote(scalar: &str, text: &mut String) {
    text.push('"');
    for next in scalar.chars() {
        match next {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            next if next.is_control()
                || matches!(next, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                text.push_str(&format!("\\u{:04x}", u32::from(next)));
            }
            next => text.push(next),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::{Errors, Place};

    fn strategy() -> impl Strategy<Value = Node> {
        let scalar = prop_oneof![
            any::<String>()
                .prop_filter("YAML text has no NUL", |text| !text.contains('\0'))
                .prop_map(|text| (ScalarKind::Str, text)),
            prop::sample::select(vec!["~", "null", "NULL", ""])
                .prop_map(|text| (ScalarKind::Null, text.to_owned())),
            prop::sample::select(vec!["true", "False"]).prop_map(|text| (ScalarKind::Bool, text.to_owned())),
            any::<i64>().prop_map(|number| (ScalarKind::Int, number.to_string())),
            prop::sample::select(vec!["1.5", "-.5", "1e9", ".inf", ".nan"])
                .prop_map(|text| (ScalarKind::Float, text.to_owned())),
        ];
        let node = |value| Node::new(Place::default(), value);
        let leaf = scalar.prop_map(move |(kind, text)| node(Value::Scalar(kind, text)));
        leaf.prop_recursive(4, 40, 6, move |inner| {
            let map = prop::collection::btree_map("[^\0]{0,8}", inner.clone(), 0..6);
            prop_oneof![
                prop::collection::vec(inner, 0..6).prop_map(move |items| node(Value::List(items))),
                map.prop_map(move |map| {
                    let entry = |(key, node)| Entry { key, place: Place::default(), node };
                    node(Value::Map(map.into_iter().map(entry).collect()))
                }),
            ]
        })
    }

    /// The tree without its places; what is nothing is one thing, however it is written.
    fn plain(node: &Node) -> String {
        match &node.value {
            Value::Scalar(ScalarKind::Null, _) => "null".to_owned(),
            Value::Scalar(kind, text) => format!("{kind:?} {text:?}"),
            Value::List(items) => format!("{:?}", items.iter().map(plain).collect::<Vec<_>>()),
            Value::Map(entries) => {
                format!(
                    "{:?}",
                    entries.iter().map(|entry| (&entry.key, plain(&entry.node))).collect::<Vec<_>>()
                )
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same_tree(node in strategy()) {
            let text = yaml(&node);
            let mut errors = Errors::default();
            let again = crate::node::read(&text, 0, &mut errors);
            prop_assert!(again.is_ok(), "{:?}\n{}", errors, text);
            prop_assert_eq!(plain(&again.unwrap()), plain(&node), "{}", text);
        }
    }
}
