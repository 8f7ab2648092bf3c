//! Writes a tree as YAML.

use crate::node::{Entry, Node, NodeValue, ScalarKind};

/// Writes the tree as YAML. Reading the result yields the same tree. Aliases are expanded, and comments are lost.
pub(crate) fn yaml(root: &Node) -> String {
    let mut text = String::new();
    match &root.value {
        NodeValue::Map(entries) if !entries.is_empty() => map(entries, 0, &mut text),
        NodeValue::List(items) if !items.is_empty() => list(items, 0, &mut text),
        NodeValue::Scalar(..) | NodeValue::Map(_) | NodeValue::List(_) => value(root, 0, &mut text),
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

/// Writes the rest after `key:` or `-`, to the end of its last line.
fn value(node: &Node, indent: usize, text: &mut String) {
    let inner = indent.saturating_add(2);
    match &node.value {
        NodeValue::Map(entries) if entries.is_empty() => text.push_str(" {}\n"),
        NodeValue::List(items) if items.is_empty() => text.push_str(" []\n"),
        NodeValue::Map(entries) => {
            text.push('\n');
            map(entries, inner, text);
        }
        NodeValue::List(items) => {
            text.push('\n');
            list(items, inner, text);
        }
        NodeValue::Scalar(ScalarKind::Str, scalar) => {
            text.push(' ');
            quote(scalar, text);
            text.push('\n');
        }
        NodeValue::Scalar(ScalarKind::Null, scalar) if scalar.is_empty() => text.push_str(" ~\n"),
        NodeValue::Scalar(_, scalar) => {
            text.push(' ');
            text.push_str(scalar);
            text.push('\n');
        }
    }
}

fn spaces(count: usize, text: &mut String) {
    text.extend(std::iter::repeat_n(' ', count));
}

/// Returns true for keys that need no quotes: all keys of the standard.
fn is_plain(key: &str) -> bool {
    key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.chars().all(|next| next.is_ascii_alphanumeric() || next == '_')
}

/// Writes a double-quoted scalar. Characters that YAML forbids or may fold are escaped.
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
    use crate::error::{Errors, FilePosition};

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
        let node = |value| Node::new(FilePosition::default(), value);
        let leaf = scalar.prop_map(move |(kind, text)| node(NodeValue::Scalar(kind, text)));
        leaf.prop_recursive(4, 40, 6, move |inner| {
            let map = prop::collection::btree_map("[^\0]{0,8}", inner.clone(), 0..6);
            prop_oneof![
                prop::collection::vec(inner, 0..6).prop_map(move |items| node(NodeValue::List(items))),
                map.prop_map(move |map| {
                    let entry = |(key, node)| Entry { key, position: FilePosition::default(), node };
                    node(NodeValue::Map(map.into_iter().map(entry).collect()))
                }),
            ]
        })
    }

    /// Returns the tree without its positions. All spellings of null are equal.
    fn plain(node: &Node) -> String {
        match &node.value {
            NodeValue::Scalar(ScalarKind::Null, _) => "null".to_owned(),
            NodeValue::Scalar(kind, text) => format!("{kind:?} {text:?}"),
            NodeValue::List(items) => format!("{:?}", items.iter().map(plain).collect::<Vec<_>>()),
            NodeValue::Map(entries) => {
                format!(
                    "{:?}",
                    entries.iter().map(|entry| (&entry.key, plain(&entry.node))).collect::<Vec<_>>()
                )
            }
        }
    }

    proptest! {
        #[test]
        fn a_written_tree_is_read_as_the_same_tree(node in strategy()) {
            let text = yaml(&node);
            let mut errors = Errors::default();
            let again = crate::node::read(&text, 0, &mut errors);
            prop_assert!(again.is_ok(), "{:?}\n{}", errors, text);
            prop_assert_eq!(plain(&again.unwrap()), plain(&node), "{}", text);
        }
    }
}
