//! Reads YAML 1.2 into a tree in which every node has its position.
//!
//! The reader is safe with any input. It limits the size of the text, the depth, and the expansion of aliases.
//! Duplicate keys, custom tags and a second document are errors.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::error::{Errors, FilePosition, ReadResult, quoted};

/// A contract of a thousand columns has about 300 KiB.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// Approximate limit for the nodes and texts of the tree after aliases are expanded, in bytes.
const MAX_TREE_BYTES: usize = 16 << 20;
/// The approximate cost of a node in addition to its text.
const NODE_BYTES: usize = 64;
const MAX_DEPTH: usize = 64;
/// ODCS has mappings of about twenty keys. Looking up a key is a linear search.
const MAX_KEYS: usize = 1_000;

/// A YAML node and its position.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) position: FilePosition,
    /// The position in the other file, if an overlay was merged into this node.
    pub(crate) related: Option<FilePosition>,
    pub(crate) value: NodeValue,
    /// The size of the whole subtree, for the limit of the expansion of aliases.
    bytes: usize,
    depth: usize,
}

/// The value of a node.
#[derive(Debug, Clone)]
pub(crate) enum NodeValue {
    /// A scalar: its kind under the core schema, and its text as written (with escapes resolved).
    Scalar(ScalarKind, String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file, without duplicate keys.
    Map(Vec<Entry>),
}

/// A key of a mapping, with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) position: FilePosition,
    pub(crate) node: Node,
}

/// A scalar's kind by the YAML 1.2 core schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScalarKind {
    Null,
    Bool,
    Int,
    Float,
    Str,
}

/// Reads the only document of `text`. `file` is the number of the file for positions.
pub(crate) fn read(text: &str, file: usize, errors: &mut Errors) -> ReadResult<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_TEXT_BYTES {
        let message = format!("the file has {} bytes; a contract has at most {MAX_TEXT_BYTES}", text.len());
        return Err(errors.report(FilePosition { file, line: 1, column: 1 }, "", message));
    }
    if let Some(at) = text.find('\0') {
        let before = &text[..at];
        let line = before.matches('\n').count().saturating_add(1);
        let column = before
            .rsplit('\n')
            .next()
            .expect("a split has at least one part")
            .chars()
            .count()
            .saturating_add(1);
        return Err(errors.report(
            FilePosition { file, line, column },
            "",
            "the file has a NUL character; is it a text file?",
        ));
    }
    TreeBuilder { file, ..TreeBuilder::default() }.build(text, errors)
}

/// A list or mapping that is not complete yet.
struct OpenCollection {
    node: Node,
    anchor: usize,
    key: Option<(String, FilePosition)>,
}

#[derive(Default)]
struct TreeBuilder {
    file: usize,
    open: Vec<OpenCollection>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    documents: usize,
    tree_bytes: usize,
}

impl TreeBuilder {
    fn build(mut self, text: &str, errors: &mut Errors) -> ReadResult<Node> {
        let options = granit_parser::options! {
            emit_comments: false,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        for next in Parser::new_from_str_with_options(text, options) {
            match next {
                Ok((event, span)) => self.event(event, position(self.file, &span), errors)?,
                Err(error) => {
                    let at = error.marker();
                    let position =
                        FilePosition { file: self.file, line: at.line(), column: at.col().saturating_add(1) };
                    return Err(errors.report(position, "", format!("not valid YAML: {}", error.info())));
                }
            }
        }
        self.root.ok_or_else(|| {
            let message = if self.file == 0 {
                "the file is empty; a contract begins with `apiVersion: v3.1.0`"
            } else {
                "the overlay is empty; write the keys that it adds or replaces, or `{}` for none"
            };
            errors.report(FilePosition { file: self.file, line: 1, column: 1 }, "", message)
        })
    }

    fn event(&mut self, event: Event<'_>, position: FilePosition, errors: &mut Errors) -> ReadResult<()> {
        match event {
            Event::DocumentStart(..) => {
                self.documents = self.documents.saturating_add(1);
                if self.documents > 1 {
                    return Err(errors.report(
                        position,
                        "",
                        "second document (`---`); a file contains one contract",
                    ));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let kind = scalar_kind(&text, style, tag.as_deref(), position, errors)?;
                let node = Node::new(position, NodeValue::Scalar(kind, text.into_owned()));
                self.count(node.bytes);
                self.attach(node, anchor, errors)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.start(position, NodeValue::List(Vec::new()), anchor, tag.as_deref(), errors)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.start(position, NodeValue::Map(Vec::new()), anchor, tag.as_deref(), errors)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(OpenCollection { node, anchor, .. }) => self.attach(node, anchor, errors),
                None => Err(errors.report(position, "", "not valid YAML: an end without a start")),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    // The position of the alias: a value that is wrong here need not be wrong at the anchor.
                    let node = Node { position, ..node.clone() };
                    self.count(node.bytes);
                    self.attach(node, 0, errors)
                }
                None => Err(errors.report(position, "", "an alias to a node that contains it")),
            },
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            // The parser's options exclude comments, anchors and unresolved aliases. An event that is not known must
            // not be skipped.
            Event::Anchor(..) | Event::UnresolvedAlias(_) | _ => {
                Err(errors.report(position, "", "unsupported YAML"))
            }
        }
    }

    fn start(
        &mut self,
        position: FilePosition,
        value: NodeValue,
        anchor: usize,
        tag: Option<&Tag>,
        errors: &mut Errors,
    ) -> ReadResult<()> {
        if let Some(tag) = tag
            && !tag.is_yaml_core_schema()
        {
            return Err(unknown_tag(tag, position, errors));
        }
        self.count(NODE_BYTES);
        self.open.push(OpenCollection { node: Node::new(position, value), anchor, key: None });
        Ok(())
    }

    fn count(&mut self, bytes: usize) {
        self.tree_bytes = self.tree_bytes.saturating_add(bytes);
    }

    /// Adds a complete node to the current list or mapping, or makes it the root.
    fn attach(&mut self, node: Node, anchor: usize, errors: &mut Errors) -> ReadResult<()> {
        if anchor != 0 {
            self.count(node.bytes);
        }
        let depth = node.depth.saturating_add(self.open.len());
        let too_large = self.tree_bytes > MAX_TREE_BYTES || depth > MAX_DEPTH;
        if too_large {
            return Err(errors.report(
                node.position,
                "",
                "the aliases of this file expand to a tree that is too large or too deep; write the values out",
            ));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        parent.node.bytes = parent.node.bytes.saturating_add(node.bytes);
        parent.node.depth = parent.node.depth.max(node.depth.saturating_add(1));
        match (&mut parent.node.value, parent.key.take()) {
            (NodeValue::List(items), _) => items.push(node),
            (NodeValue::Map(_), None) => match node.value {
                NodeValue::Scalar(_, key) => parent.key = Some((key, node.position)),
                NodeValue::List(_) | NodeValue::Map(_) => {
                    return Err(errors.report(
                        node.position,
                        "",
                        "a key must be a scalar, not a list or a mapping",
                    ));
                }
            },
            (NodeValue::Map(entries), Some((key, position))) => {
                if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                    let message =
                        format!("duplicate key {}, first on line {}", quoted(&key), first.position.line);
                    errors.report(position, "", message);
                } else if entries.len() == MAX_KEYS {
                    return Err(errors.report(
                        position,
                        "",
                        format!("a mapping has more than {MAX_KEYS} keys"),
                    ));
                } else {
                    entries.push(Entry { key, position, node });
                }
            }
            (NodeValue::Scalar(..), _) => unreachable!("only lists and mappings are opened"),
        }
        Ok(())
    }
}

impl Node {
    pub(crate) fn new(position: FilePosition, value: NodeValue) -> Self {
        let text_bytes = match &value {
            NodeValue::Scalar(_, text) => text.len(),
            NodeValue::List(_) | NodeValue::Map(_) => 0,
        };
        Self { position, related: None, value, bytes: NODE_BYTES.saturating_add(text_bytes), depth: 0 }
    }

    /// Returns true for an omitted value, as in `key:`.
    pub(crate) fn is_empty_scalar(&self) -> bool {
        matches!(&self.value, NodeValue::Scalar(ScalarKind::Null, text) if text.is_empty())
    }
}

fn position(file: usize, span: &Span) -> FilePosition {
    FilePosition { file, line: span.start.line(), column: span.start.col().saturating_add(1) }
}

fn unknown_tag(tag: &Tag, position: FilePosition, errors: &mut Errors) -> crate::error::Reported {
    errors.report(position, "", format!("unsupported tag {}", quoted(&tag.original())))
}

/// Returns the kind of a scalar. Quoted and block scalars are strings; the kind of a plain one follows from the core schema.
fn scalar_kind(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    position: FilePosition,
    errors: &mut Errors,
) -> ReadResult<ScalarKind> {
    if let Some(tag) = tag {
        // The non-specific tag `!` also makes a string.
        return match tag.core_suffix() {
            Some("str") => Ok(ScalarKind::Str),
            Some(_) => Ok(plain_kind(text)),
            None if tag.handle().is_empty() && tag.suffix() == "!" => Ok(ScalarKind::Str),
            None => Err(unknown_tag(tag, position, errors)),
        };
    }
    Ok(if style == ScalarStyle::Plain { plain_kind(text) } else { ScalarKind::Str })
}

fn plain_kind(text: &str) -> ScalarKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return ScalarKind::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return ScalarKind::Bool,
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return ScalarKind::Int;
    }
    if let Some(hex) = text.strip_prefix("0x")
        && !hex.is_empty()
        && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return ScalarKind::Int;
    }
    let infinite = matches!(digits, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN");
    if infinite || crate::decimal::Decimal::parse(text).is_some() {
        ScalarKind::Float
    } else {
        ScalarKind::Str
    }
}
