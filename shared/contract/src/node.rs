//! YAML 1.2 as a tree in which every node knows its line.
//!
//! Reads safely whatever it is given: the size of the text, the depth, and what aliases expand to are
//! limited; a key that stands twice, a custom tag, a second document are errors.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span, Tag};

use crate::error::{Errors, Place, Read, quoted};

/// A contract of a thousand columns has some 300 KiB.
const MAX_TEXT_BYTES: usize = 1 << 20;
/// Nodes and text that the whole tree may have after aliases are expanded, in bytes, roughly.
const MAX_TREE_BYTES: usize = 16 << 20;
/// What a node costs beside its text.
const NODE_BYTES: usize = 64;
const MAX_DEPTH: usize = 64;
/// ODCS has mappings of some twenty keys. What looks a key up goes through all of them.
const MAX_KEYS: usize = 1_000;

/// A YAML node and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) place: Place,
    /// The place in the other file, where an overlay was merged into this node.
    pub(crate) related: Option<Place>,
    pub(crate) value: Value,
    /// Of the whole subtree, for the limit of what aliases expand to.
    bytes: usize,
    depth: usize,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A scalar: its kind by the core schema, and its text as it was written (escapes resolved).
    Scalar(ScalarKind, String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order of the file. No key stands twice.
    Map(Vec<Entry>),
}

/// One key of a mapping, with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) place: Place,
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

/// Reads the one document of `text`, which is the file of this number.
pub(crate) fn read(text: &str, file: usize, errors: &mut Errors) -> Read<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_TEXT_BYTES {
        let message = format!("the file has {} bytes; a contract has at most {MAX_TEXT_BYTES}", text.len());
        return Err(errors.report(Place { file, line: 1, column: 1 }, "", message));
    }
    if let Some(at) = text.find('\0') {
        let before = &text[..at];
        let line = before.matches('\n').count().saturating_add(1);
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
        return Err(errors.report(
            Place { file, line, column },
            "",
            "the file has a NUL character; is it a text file?",
        ));
    }
    Builder { file, ..Builder::default() }.build(text, errors)
}

/// A list or mapping whose end was not read yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<(String, Place)>,
}

#[derive(Default)]
struct Builder {
    file: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    documents: usize,
    tree_bytes: usize,
}

impl Builder {
    fn build(mut self, text: &str, errors: &mut Errors) -> Read<Node> {
        let options = granit_parser::options! {
            emit_comments: false,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        for next in Parser::new_from_str_with_options(text, options) {
            match next {
                Ok((event, span)) => self.event(event, place(self.file, &span), errors)?,
                Err(error) => {
                    let at = error.marker();
                    let place =
                        Place { file: self.file, line: at.line(), column: at.col().saturating_add(1) };
                    return Err(errors.report(place, "", format!("not valid YAML: {}", error.info())));
                }
            }
        }
        self.root.ok_or_else(|| {
            let message = if self.file == 0 {
                "the file is empty; a contract begins with `apiVersion: v3.1.0`"
            } else {
                "the overlay is empty; write the keys that it adds or replaces, or `{}` for none"
            };
            errors.report(Place { file: self.file, line: 1, column: 1 }, "", message)
        })
    }

    fn event(&mut self, event: Event<'_>, place: Place, errors: &mut Errors) -> Read<()> {
        match event {
            Event::DocumentStart(..) => {
                self.documents = self.documents.saturating_add(1);
                if self.documents > 1 {
                    return Err(errors.report(
                        place,
                        "",
                        "a second document (`---`); a file holds one contract",
                    ));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let kind = scalar_kind(&text, style, tag.as_deref(), place, errors)?;
                let node = Node::new(place, Value::Scalar(kind, text.into_owned()));
                self.count(node.bytes);
                self.place_node(node, anchor, errors)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.start(place, Value::List(Vec::new()), anchor, tag.as_deref(), errors)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.start(place, Value::Map(Vec::new()), anchor, tag.as_deref(), errors)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open { node, anchor, .. }) => self.place_node(node, anchor, errors),
                None => Err(errors.report(place, "", "not valid YAML: an end without a start")),
            },
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => {
                    // The alias' own place: a value that is wrong here need not be wrong at the anchor.
                    let node = Node { place, ..node.clone() };
                    self.count(node.bytes);
                    self.place_node(node, 0, errors)
                }
                None => Err(errors.report(place, "", "an alias to a node that it stands in")),
            },
            // Comments, anchors and unresolved aliases are not asked for.
            Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentEnd
            | Event::Anchor(..)
            | Event::UnresolvedAlias(_)
            | _ => Ok(()),
        }
    }

    fn start(
        &mut self,
        place: Place,
        value: Value,
        anchor: usize,
        tag: Option<&Tag>,
        errors: &mut Errors,
    ) -> Read<()> {
        if let Some(tag) = tag
            && !tag.is_yaml_core_schema()
        {
            return Err(unknown_tag(tag, place, errors));
        }
        self.count(NODE_BYTES);
        self.open.push(Open { node: Node::new(place, value), anchor, key: None });
        Ok(())
    }

    fn count(&mut self, bytes: usize) {
        self.tree_bytes = self.tree_bytes.saturating_add(bytes);
    }

    /// Puts a complete node where it belongs: into the open list or mapping, or at the root.
    fn place_node(&mut self, node: Node, anchor: usize, errors: &mut Errors) -> Read<()> {
        if anchor != 0 {
            self.count(node.bytes);
        }
        let depth = node.depth.saturating_add(self.open.len());
        let too_large = self.tree_bytes > MAX_TREE_BYTES || depth > MAX_DEPTH;
        if too_large {
            return Err(errors.report(
                node.place,
                "",
                "the aliases of this file expand to too much; write the values out",
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
            (Value::List(items), _) => items.push(node),
            (Value::Map(_), None) => match node.value {
                Value::Scalar(_, key) => parent.key = Some((key, node.place)),
                Value::List(_) | Value::Map(_) => {
                    return Err(errors.report(node.place, "", "a key that is a list or a mapping"));
                }
            },
            (Value::Map(entries), Some((key, place))) => {
                if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                    let message =
                        format!("the key {} stands twice, first in line {}", quoted(&key), first.place.line);
                    errors.report(place, "", message);
                } else if entries.len() == MAX_KEYS {
                    return Err(errors.report(place, "", format!("a mapping of more than {MAX_KEYS} keys")));
                } else {
                    entries.push(Entry { key, place, node });
                }
            }
            (Value::Scalar(..), _) => unreachable!("only lists and mappings are opened"),
        }
        Ok(())
    }
}

impl Node {
    pub(crate) fn new(place: Place, value: Value) -> Self {
        let text_bytes = match &value {
            Value::Scalar(_, text) => text.len(),
            Value::List(_) | Value::Map(_) => 0,
        };
        Self { place, related: None, value, bytes: NODE_BYTES.saturating_add(text_bytes), depth: 0 }
    }
}

fn place(file: usize, span: &Span) -> Place {
    Place { file, line: span.start.line(), column: span.start.col().saturating_add(1) }
}

fn unknown_tag(tag: &Tag, place: Place, errors: &mut Errors) -> crate::error::Reported {
    errors.report(place, "", format!("the tag {} has no meaning in a contract", quoted(&tag.original())))
}

/// The kind of a scalar: quoted and block scalars are strings, plain ones what the core schema says.
fn scalar_kind(
    text: &str,
    style: ScalarStyle,
    tag: Option<&Tag>,
    place: Place,
    errors: &mut Errors,
) -> Read<ScalarKind> {
    if let Some(tag) = tag {
        // The non-specific tag `!` makes a string too.
        return match tag.core_suffix() {
            Some("str") => Ok(ScalarKind::Str),
            Some(_) => Ok(plain_kind(text)),
            None if tag.handle().is_empty() && tag.suffix() == "!" => Ok(ScalarKind::Str),
            None => Err(unknown_tag(tag, place, errors)),
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
