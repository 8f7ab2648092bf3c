//! A single difference between two contracts, and the list of them.

use std::fmt;

use serde::Serialize;

/// A difference between two contracts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The position, by names: `properties.price.logicalTypeOptions.maximum`.
    pub path: String,
    /// Whether the change is breaking.
    pub kind: ChangeKind,
    /// The change in words.
    pub what: String,
}

/// Whether a change is breaking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// Existing files and queries work as before.
    Compatible,
    /// A file may be refused or read differently, or a reader of the table loses something.
    Breaking,
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compatible => "compatible",
            Self::Breaking => "breaking",
        })
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.kind, self.path, self.what)
    }
}

/// Returns true if one of the changes is breaking.
pub fn is_breaking(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.kind == ChangeKind::Breaking)
}

/// A list of changes under construction.
#[derive(Debug, Default)]
pub(super) struct Changes(Vec<Change>);

impl Changes {
    /// Returns the changes in the order in which they were added.
    pub(super) fn into_vec(self) -> Vec<Change> {
        self.0
    }

    pub(super) fn breaking(&mut self, path: &str, what: impl Into<String>) {
        self.0.push(Change { path: path.to_owned(), kind: ChangeKind::Breaking, what: what.into() });
    }

    pub(super) fn compatible(&mut self, path: &str, what: impl Into<String>) {
        self.0.push(Change { path: path.to_owned(), kind: ChangeKind::Compatible, what: what.into() });
    }

    /// Adds a breaking change if the values differ.
    pub(super) fn replaced<T: PartialEq>(
        &mut self,
        path: &str,
        old: &T,
        new: &T,
        words: impl Fn(&T) -> String,
    ) {
        if old != new {
            self.breaking(path, format!("{} → {}", words(old), words(new)));
        }
    }

    /// Adds a change of a maximum. A lower maximum is stricter; `None` is no limit.
    pub(super) fn at_most<T: PartialOrd + Copy>(
        &mut self,
        path: &str,
        old: Option<T>,
        new: Option<T>,
        words: impl Fn(Option<T>) -> String,
    ) {
        if old == new {
            return;
        }
        let what = format!("{} → {}", words(old), words(new));
        match (old, new) {
            (_, None) => self.compatible(path, what),
            (Some(old), Some(new)) if new > old => self.compatible(path, what),
            (None | Some(_), Some(_)) => self.breaking(path, what),
        }
    }
}
