//! Errors with their place, and the collector that lets all of them be told at once.

use std::fmt;

use serde::Serialize;

/// Errors kept; what comes after them is hardly read, and a broken file may have one a line.
const MAX_ERRORS: usize = 500;

/// One fault of a contract: where it stands, what is wrong, and the mend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractError {
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Path of the value, e.g. `schema[0].properties[3].logicalTypeOptions.maxLength`; empty where the
    /// file as a whole is at fault.
    pub path: String,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl fmt::Display for ContractError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

/// Every fault of a contract, in the order of the file; at least one. Displays one a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
#[serde(transparent)]
pub struct ContractErrors(Vec<ContractError>);

impl ContractErrors {
    /// The errors, in the order of the file.
    pub fn as_slice(&self) -> &[ContractError] {
        &self.0
    }
}

impl IntoIterator for ContractErrors {
    type Item = ContractError;
    type IntoIter = std::vec::IntoIter<ContractError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a ContractErrors {
    type Item = &'a ContractError;
    type IntoIter = std::slice::Iter<'a, ContractError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// Proof that an error was reported. Only [`Errors::report`] makes one, so that a value that could not be
/// read cannot be dropped without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported(());

/// A value, or the proof that it was said why there is none.
pub(crate) type Read<T> = Result<T, Reported>;

/// Line and column, from 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Collects errors while a contract is read.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    found: Vec<(Place, String, String)>,
    more: usize,
}

impl Errors {
    /// Keeps one error.
    pub(crate) fn report(&mut self, place: Place, path: &str, message: impl Into<String>) -> Reported {
        if !self.is_full() {
            self.found.push((place, path.to_owned(), message.into()));
        } else {
            self.more = self.more.saturating_add(1);
        }
        Reported(())
    }

    /// True when no more errors are kept; then it is not worth the time to find a mend.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_ERRORS
    }

    /// `value` when nothing was reported, else all that was.
    pub(crate) fn finish<T>(mut self, file: &str, value: Read<T>) -> Result<T, ContractErrors> {
        if let Ok(value) = value
            && self.found.is_empty()
        {
            return Ok(value);
        }
        // The check of the shape and the reading of a value may both say that it has the wrong kind.
        self.found.sort();
        self.found.dedup();
        let mut errors: Vec<ContractError> = self
            .found
            .into_iter()
            .map(|(Place { line, column }, path, message)| ContractError {
                file: file.to_owned(),
                line,
                column,
                path: one_line(&path),
                message: one_line(&message),
            })
            .collect();
        if self.more > 0
            && let Some(last) = errors.last().cloned()
        {
            let message = format!("and {} more errors; mend these first", self.more);
            errors.push(ContractError { path: String::new(), message, ..last });
        }
        Err(ContractErrors(errors))
    }
}

/// Keys come from the file: one with a line break must not break the rule of an error a line.
fn one_line(text: &str) -> String {
    const MAX_CHARS: usize = 1_000;
    let escaped = |next: char| -> String {
        if next.is_control() { next.escape_debug().collect() } else { next.into() }
    };
    text.chars().take(MAX_CHARS).map(escaped).collect()
}

/// The candidate that `given` is probably a misspelling of.
pub(crate) fn nearest<'c>(given: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    if given.is_empty() || given.len() > 64 {
        return None;
    }
    let allowed = (given.chars().count() / 3).clamp(1, 3);
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::osa_distance(&given.to_lowercase(), &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `; did you mean …?` or, where nothing is near, `; one of …`.
pub(crate) fn mend(given: &str, candidates: &[&str]) -> String {
    match nearest(given, candidates.iter().copied()) {
        Some(candidate) => format!("; did you mean `{candidate}`?"),
        None => format!("; {}", one_of(candidates)),
    }
}

/// `one of `a`, `b``, or `only `a``.
pub(crate) fn one_of(candidates: &[&str]) -> String {
    match candidates {
        [only] => format!("only `{only}` is supported"),
        _ => format!("one of `{}`", candidates.join("`, `")),
    }
}

/// A value for a message, short enough to be read.
pub(crate) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut shown: String = text.chars().take(MAX_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
