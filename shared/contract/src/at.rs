//! A node with its path: the way by which the readers take values out of the tree.

use crate::decimal::Decimal;
use crate::error::{Errors, FaultKind, Place, Read, Reported, mend, quoted};
use crate::node::{Entry, Node, ScalarKind, Value};

/// A node and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct At<'n> {
    pub(crate) node: &'n Node,
    pub(crate) path: String,
    place: Place,
    /// What a report about it means.
    fault: FaultKind,
}

impl<'n> At<'n> {
    pub(crate) fn root(node: &'n Node) -> Self {
        Self { node, path: String::new(), place: node.place, fault: FaultKind::NeedsMore }
    }

    /// The same node, of which every fault makes the contract invalid: one that is read by the standard itself, or a custom
    /// property of Penstock.
    pub(crate) fn strict(self) -> Self {
        Self { fault: FaultKind::Invalid, ..self }
    }

    /// Reports a fault: of what the standard allows, that Penstock needs more, unless the node is [strict](Self::strict).
    pub(crate) fn report(&self, errors: &mut Errors, message: impl Into<String>) -> Reported {
        errors.report_kind(self.fault, self.place, self.node.related, &self.path, message)
    }

    /// Reports that the contract is valid, but Penstock needs more. `message` says what to add.
    pub(crate) fn needs(&self, errors: &mut Errors, message: impl Into<String>) -> Reported {
        errors.report_kind(FaultKind::NeedsMore, self.place, self.node.related, &self.path, message)
    }

    /// Notes something that has no effect.
    pub(crate) fn note(&self, errors: &mut Errors, message: impl Into<String>) {
        errors.note(self.place, &self.path, message);
    }

    /// The values of a mapping, each with its key; nothing for another kind of node.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'n str, Place, At<'n>)> {
        let entries: &'n [Entry] = match &self.node.value {
            Value::Map(entries) => entries,
            Value::Scalar(..) | Value::List(_) => &[],
        };
        entries.iter().map(|entry| (entry.key.as_str(), entry.place, self.at_entry(entry)))
    }

    fn at_entry(&self, entry: &'n Entry) -> At<'n> {
        // An empty value has no place of its own worth naming.
        let place = if entry.node.is_empty_scalar() { entry.place } else { entry.node.place };
        let path =
            if self.path.is_empty() { entry.key.clone() } else { format!("{}.{}", self.path, entry.key) };
        At { node: &entry.node, path, place, fault: self.fault }
    }

    /// The value of `key`, where there is one.
    pub(crate) fn get(&self, key: &str) -> Option<At<'n>> {
        let Value::Map(entries) = &self.node.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| self.at_entry(entry))
    }

    /// The value of `key`, which must be there.
    pub(crate) fn require(&self, key: &str, errors: &mut Errors) -> Read<At<'n>> {
        self.get(key).ok_or_else(|| self.missing(key, errors))
    }

    pub(crate) fn missing(&self, key: &str, errors: &mut Errors) -> Reported {
        self.report(errors, format!("`{key}` is missing"))
    }

    /// The members of a list.
    pub(crate) fn items(&self, errors: &mut Errors) -> Read<Vec<At<'n>>> {
        match &self.node.value {
            Value::List(items) => Ok(items
                .iter()
                .enumerate()
                .map(|(index, node)| At {
                    node,
                    path: format!("{}[{index}]", self.path),
                    place: node.place,
                    fault: self.fault,
                })
                .collect()),
            Value::Scalar(..) | Value::Map(_) => Err(self.wrong_kind("a list", errors)),
        }
    }

    /// A string.
    pub(crate) fn str(&self, errors: &mut Errors) -> Read<&'n str> {
        match &self.node.value {
            Value::Scalar(ScalarKind::Str, text) => Ok(text),
            Value::Scalar(..) | Value::List(_) | Value::Map(_) => Err(self.wrong_kind("a string", errors)),
        }
    }

    /// A string with something in it.
    pub(crate) fn text(&self, errors: &mut Errors) -> Read<&'n str> {
        let text = self.str(errors)?;
        if text.trim().is_empty() { Err(self.report(errors, "must not be empty")) } else { Ok(text) }
    }

    /// Any scalar but null, as it is written.
    pub(crate) fn literal(&self, errors: &mut Errors) -> Read<&'n str> {
        match &self.node.value {
            Value::Scalar(ScalarKind::Str | ScalarKind::Bool | ScalarKind::Int | ScalarKind::Float, text) => {
                Ok(text)
            }
            Value::Scalar(ScalarKind::Null, _) | Value::List(_) | Value::Map(_) => {
                Err(self.wrong_kind("a string, number or boolean", errors))
            }
        }
    }

    /// A boolean.
    pub(crate) fn bool(&self, errors: &mut Errors) -> Read<bool> {
        match &self.node.value {
            Value::Scalar(ScalarKind::Bool, text) => Ok(text.eq_ignore_ascii_case("true")),
            Value::Scalar(..) | Value::List(_) | Value::Map(_) => {
                Err(self.wrong_kind("`true` or `false`", errors))
            }
        }
    }

    /// A number, as it is written.
    pub(crate) fn number(&self, errors: &mut Errors) -> Read<&'n str> {
        match &self.node.value {
            Value::Scalar(ScalarKind::Int | ScalarKind::Float, text) => Ok(text),
            Value::Scalar(..) | Value::List(_) | Value::Map(_) => Err(self.wrong_kind("a number", errors)),
        }
    }

    /// A whole number, which may be written as `2.0`, too.
    pub(crate) fn whole(&self, errors: &mut Errors) -> Read<Decimal> {
        let found = match &self.node.value {
            Value::Scalar(ScalarKind::Int, text) if text.starts_with("0x") => {
                u64::from_str_radix(text.trim_start_matches("0x"), 16)
                    .ok()
                    .and_then(|number| Decimal::parse(&number.to_string()))
            }
            Value::Scalar(ScalarKind::Int | ScalarKind::Float, text) => Decimal::parse(text),
            Value::Scalar(..) | Value::List(_) | Value::Map(_) => None,
        };
        found.filter(Decimal::is_whole).ok_or_else(|| self.wrong_kind("a whole number", errors))
    }

    /// A whole number of type `T`, of which `range` is said in the error.
    pub(crate) fn integer<T: std::str::FromStr>(&self, range: &str, errors: &mut Errors) -> Read<T> {
        let number = self.whole(errors)?.to_string();
        number
            .parse()
            .map_err(|_| self.report(errors, format!("{} is not a whole number {range}", quoted(&number))))
    }

    /// One of a few words; `what` they are is said in the error.
    pub(crate) fn choice<T: Copy>(&self, what: &str, words: &[(&str, T)], errors: &mut Errors) -> Read<T> {
        let text = match &self.node.value {
            // `null` is one of the words.
            Value::Scalar(ScalarKind::Null, text) if text.eq_ignore_ascii_case("null") => "null",
            Value::Scalar(..) | Value::List(_) | Value::Map(_) => self.str(errors)?,
        };
        if let Some((_, chosen)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(*chosen);
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Err(self.report(errors, format!("{} is not {what}{}", quoted(text), mend(text, &words))))
    }

    /// The same words wherever a kind is wrong, so that a fault found twice is told once.
    pub(crate) fn wrong_kind(&self, expected: &str, errors: &mut Errors) -> Reported {
        let found = match &self.node.value {
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Scalar(ScalarKind::Null, _) => "nothing".to_owned(),
            Value::Scalar(ScalarKind::Str, text) => format!("the string {}", quoted(text)),
            Value::Scalar(ScalarKind::Bool, text) => format!("the boolean {}", quoted(text)),
            Value::Scalar(ScalarKind::Int | ScalarKind::Float, text) => {
                format!("the number {}", quoted(text))
            }
        };
        let mend = match &self.node.value {
            Value::Scalar(ScalarKind::Bool | ScalarKind::Int | ScalarKind::Float, text)
                if expected == "a string" =>
            {
                format!("; put it in quotes: \"{text}\"")
            }
            Value::Scalar(ScalarKind::Str, text) if expected == "`true` or `false`" => {
                match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "true" => "; write `true`, without quotes".to_owned(),
                    "no" | "off" | "n" | "false" => "; write `false`, without quotes".to_owned(),
                    _ => String::new(),
                }
            }
            Value::Scalar(ScalarKind::Str, text)
                if expected.contains("number") && Decimal::parse(text).is_some() =>
            {
                "; write it without quotes".to_owned()
            }
            Value::Scalar(..) | Value::List(_) | Value::Map(_) => String::new(),
        };
        self.report(errors, format!("must be {expected}, is {found}{mend}"))
    }
}

impl Node {
    fn is_empty_scalar(&self) -> bool {
        matches!(&self.value, Value::Scalar(ScalarKind::Null, text) if text.is_empty())
    }
}
