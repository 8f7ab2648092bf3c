//! A YAML node with its path, and the accessors with which the readers get values out of the tree.

use crate::decimal::Decimal;
use crate::error::{Errors, FaultKind, FilePosition, ReadResult, Reported, quoted, suggestion};
use crate::node::{Entry, Node, NodeValue, ScalarKind};

/// A node, its path and its position.
#[derive(Debug, Clone)]
pub(crate) struct NodeRef<'n> {
    pub(crate) node: &'n Node,
    pub(crate) path: String,
    position: FilePosition,
    /// The kind of the errors that [`report`](Self::report) adds.
    fault: FaultKind,
}

impl<'n> NodeRef<'n> {
    pub(crate) fn root(node: &'n Node) -> Self {
        Self { node, path: String::new(), position: node.position, fault: FaultKind::NeedsMore }
    }

    /// Returns the same node, with every error about it marked as [`FaultKind::Invalid`]. Used where the standard
    /// itself is checked, and for Penstock's custom properties.
    pub(crate) fn strict(self) -> Self {
        Self { fault: FaultKind::Invalid, ..self }
    }

    /// Reports an error. Its kind is [`FaultKind::NeedsMore`] unless the node is [strict](Self::strict).
    pub(crate) fn report(&self, errors: &mut Errors, message: impl Into<String>) -> Reported {
        errors.report_kind(self.fault, self.position, self.node.related, &self.path, message)
    }

    /// Reports that the contract is valid, but that Penstock needs more. `message` names what to add.
    pub(crate) fn needs(&self, errors: &mut Errors, message: impl Into<String>) -> Reported {
        errors.report_kind(FaultKind::NeedsMore, self.position, self.node.related, &self.path, message)
    }

    /// Adds a note about something that has no effect.
    pub(crate) fn note(&self, errors: &mut Errors, message: impl Into<String>) {
        errors.note(self.position, &self.path, message);
    }

    /// Returns the values of a mapping with their keys and the positions of the keys; nothing for another kind of node.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'n str, FilePosition, NodeRef<'n>)> {
        let entries: &'n [Entry] = match &self.node.value {
            NodeValue::Map(entries) => entries,
            NodeValue::Scalar(..) | NodeValue::List(_) => &[],
        };
        entries.iter().map(|entry| (entry.key.as_str(), entry.position, self.at_entry(entry)))
    }

    fn at_entry(&self, entry: &'n Entry) -> NodeRef<'n> {
        // An empty value has no text of its own to point to.
        let position = if entry.node.is_empty_scalar() { entry.position } else { entry.node.position };
        let path =
            if self.path.is_empty() { entry.key.clone() } else { format!("{}.{}", self.path, entry.key) };
        NodeRef { node: &entry.node, path, position, fault: self.fault }
    }

    /// Returns the value of `key`, if there is one.
    pub(crate) fn get(&self, key: &str) -> Option<NodeRef<'n>> {
        let NodeValue::Map(entries) = &self.node.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| self.at_entry(entry))
    }

    /// Returns the value of `key`, or reports that it is missing.
    pub(crate) fn require(&self, key: &str, errors: &mut Errors) -> ReadResult<NodeRef<'n>> {
        self.get(key).ok_or_else(|| self.missing(key, errors))
    }

    pub(crate) fn missing(&self, key: &str, errors: &mut Errors) -> Reported {
        self.report(errors, format!("`{key}` is missing"))
    }

    /// Returns the members of a list.
    pub(crate) fn items(&self, errors: &mut Errors) -> ReadResult<Vec<NodeRef<'n>>> {
        match &self.node.value {
            NodeValue::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, node)| NodeRef {
                    node,
                    path: format!("{}[{index}]", self.path),
                    position: node.position,
                    fault: self.fault,
                })
                .collect()),
            NodeValue::Scalar(..) | NodeValue::Map(_) => Err(self.wrong_kind("a list", errors)),
        }
    }

    /// Returns a string.
    pub(crate) fn str(&self, errors: &mut Errors) -> ReadResult<&'n str> {
        match &self.node.value {
            NodeValue::Scalar(ScalarKind::Str, text) => Ok(text),
            NodeValue::Scalar(..) | NodeValue::List(_) | NodeValue::Map(_) => {
                Err(self.wrong_kind("a string", errors))
            }
        }
    }

    /// Returns a string that is not blank.
    pub(crate) fn text(&self, errors: &mut Errors) -> ReadResult<&'n str> {
        let text = self.str(errors)?;
        if text.trim().is_empty() { Err(self.report(errors, "must not be empty")) } else { Ok(text) }
    }

    /// Returns the text of any scalar but null.
    pub(crate) fn literal(&self, errors: &mut Errors) -> ReadResult<&'n str> {
        match &self.node.value {
            NodeValue::Scalar(
                ScalarKind::Str | ScalarKind::Bool | ScalarKind::Int | ScalarKind::Float,
                text,
            ) => Ok(text),
            NodeValue::Scalar(ScalarKind::Null, _) | NodeValue::List(_) | NodeValue::Map(_) => {
                Err(self.wrong_kind("a string, number or boolean", errors))
            }
        }
    }

    /// Returns the texts of a list of scalars. An unquoted `NULL` counts as a string, because lists of null values have
    /// it.
    pub(crate) fn strings(&self, errors: &mut Errors) -> ReadResult<Vec<String>> {
        let read = |item: &NodeRef<'_>, errors: &mut Errors| match &item.node.value {
            NodeValue::Scalar(ScalarKind::Null, text) if !text.is_empty() => Ok(text.clone()),
            NodeValue::Scalar(..) | NodeValue::List(_) | NodeValue::Map(_) => {
                item.literal(errors).map(str::to_owned)
            }
        };
        let read: Vec<ReadResult<String>> =
            self.items(errors)?.iter().map(|item| read(item, errors)).collect();
        read.into_iter().collect()
    }

    /// Returns a boolean.
    pub(crate) fn bool(&self, errors: &mut Errors) -> ReadResult<bool> {
        match &self.node.value {
            NodeValue::Scalar(ScalarKind::Bool, text) => Ok(text.eq_ignore_ascii_case("true")),
            NodeValue::Scalar(..) | NodeValue::List(_) | NodeValue::Map(_) => {
                Err(self.wrong_kind("`true` or `false`", errors))
            }
        }
    }

    /// Returns the text of a number.
    pub(crate) fn number(&self, errors: &mut Errors) -> ReadResult<&'n str> {
        match &self.node.value {
            NodeValue::Scalar(ScalarKind::Int | ScalarKind::Float, text) => Ok(text),
            NodeValue::Scalar(..) | NodeValue::List(_) | NodeValue::Map(_) => {
                Err(self.wrong_kind("a number", errors))
            }
        }
    }

    /// Returns a whole number, which may also be written as `2.0`.
    pub(crate) fn whole(&self, errors: &mut Errors) -> ReadResult<Decimal> {
        let found = match &self.node.value {
            NodeValue::Scalar(ScalarKind::Int, text) if text.starts_with("0x") => {
                u64::from_str_radix(text.trim_start_matches("0x"), 16)
                    .ok()
                    .and_then(|number| Decimal::parse(&number.to_string()))
            }
            NodeValue::Scalar(ScalarKind::Int | ScalarKind::Float, text) => Decimal::parse(text),
            NodeValue::Scalar(..) | NodeValue::List(_) | NodeValue::Map(_) => None,
        };
        found.filter(Decimal::is_whole).ok_or_else(|| self.wrong_kind("a whole number", errors))
    }

    /// Returns a whole number of type `T`. `range` completes the error message: “is not a whole number {range}”.
    pub(crate) fn integer<T: std::str::FromStr>(&self, range: &str, errors: &mut Errors) -> ReadResult<T> {
        let number = self.whole(errors)?.to_string();
        number
            .parse()
            .map_err(|_| self.report(errors, format!("{} is not a whole number {range}", quoted(&number))))
    }

    /// Returns the value that belongs to one of the `words`. `what` completes the error message: “is not {what}”.
    pub(crate) fn choice<T: Copy>(
        &self,
        what: &str,
        words: &[(&str, T)],
        errors: &mut Errors,
    ) -> ReadResult<T> {
        let text = match &self.node.value {
            // The word `null` is read as a null when it is not quoted.
            NodeValue::Scalar(ScalarKind::Null, text) if text.eq_ignore_ascii_case("null") => "null",
            NodeValue::Scalar(..) | NodeValue::List(_) | NodeValue::Map(_) => self.str(errors)?,
        };
        if let Some((_, chosen)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*chosen);
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Err(self.report(errors, format!("{} is not {what}{}", quoted(text), suggestion(text, &words))))
    }

    /// Reports a value of the wrong kind. The message is the same wherever the fault is found, so that it is reported
    /// once.
    pub(crate) fn wrong_kind(&self, expected: &str, errors: &mut Errors) -> Reported {
        let found = match &self.node.value {
            NodeValue::List(_) => "a list".to_owned(),
            NodeValue::Map(_) => "a mapping".to_owned(),
            NodeValue::Scalar(ScalarKind::Null, _) => "nothing".to_owned(),
            NodeValue::Scalar(ScalarKind::Str, text) => format!("the string {}", quoted(text)),
            NodeValue::Scalar(ScalarKind::Bool, text) => format!("the boolean {}", quoted(text)),
            NodeValue::Scalar(ScalarKind::Int | ScalarKind::Float, text) => {
                format!("the number {}", quoted(text))
            }
        };
        let suggestion = match &self.node.value {
            NodeValue::Scalar(ScalarKind::Bool | ScalarKind::Int | ScalarKind::Float, text)
                if expected == "a string" =>
            {
                format!("; put it in quotes: \"{text}\"")
            }
            NodeValue::Scalar(ScalarKind::Str, text) if expected == "`true` or `false`" => {
                match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => "; write `true`, without quotes".to_owned(),
                    "no" | "off" | "n" | "false" => "; write `false`, without quotes".to_owned(),
                    _ => String::new(),
                }
            }
            NodeValue::Scalar(ScalarKind::Str, text)
                if expected.contains("number") && Decimal::parse(text).is_some() =>
            {
                "; write it without quotes".to_owned()
            }
            NodeValue::Scalar(..) | NodeValue::List(_) | NodeValue::Map(_) => String::new(),
        };
        self.report(errors, format!("expected {expected}, found {found}{suggestion}"))
    }
}
