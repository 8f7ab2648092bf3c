//! Errors with their place, and the collector that lets all of them be told at once.

use std::fmt;

use serde::Serialize;

use crate::model::SkippedCheck;

/// Errors kept; what comes after them is hardly read, and a broken file may have one a line.
const MAX_ERRORS: usize = 500;

/// What kind of fault a contract has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Not valid by the standard, or a custom property of Penstock that is wrong.
    Invalid,
    /// Valid by the standard, but Penstock needs to know more; the message says what to add.
    NeedsMore,
}

/// One fault of a contract: its position, what is wrong, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractError {
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Whether the contract is invalid or incomplete.
    pub kind: FaultKind,
    /// The position in the other file, where an overlay and its contract both have a part in the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<FileLine>,
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
        if self.kind == FaultKind::NeedsMore {
            f.write_str("needs more: ")?;
        }
        f.write_str(&self.message)?;
        match &self.related {
            Some(FileLine { file, line }) => write!(f, " (see also {file}:{line})"),
            None => Ok(()),
        }
    }
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileLine {
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
}

/// A part of a valid contract that has no effect here: a check that Penstock does not execute, a property of another
/// system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The file, as the caller named it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Path of the value, e.g. `schema[0].quality[1]`.
    pub path: String,
    /// What it is, and what Penstock does instead.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.path, self.message)
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

    /// True when the contract is valid and only lacks what Penstock needs beyond the standard.
    pub fn only_need_more(&self) -> bool {
        self.0.iter().all(|error| error.kind == FaultKind::NeedsMore)
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

/// A value, or the proof that the reason for its absence was reported.
pub(crate) type Read<T> = Result<T, Reported>;

/// Line and column, from 1, in one of the files that are read together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// 0 is the contract, 1 its overlay.
    pub(crate) file: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// A fault before the names of the files are known.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    place: Place,
    path: String,
    message: String,
    kind: FaultKind,
    related: Option<Place>,
}

/// Collects errors while a contract is read, and what is valid but has no effect.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    found: Vec<Found>,
    more: usize,
    notes: Vec<(Place, String, String)>,
    /// Checks that are not executed, in the order of the file.
    pub(crate) skipped: Vec<SkippedCheck>,
}

impl Errors {
    /// Keeps one error.
    pub(crate) fn report(&mut self, place: Place, path: &str, message: impl Into<String>) -> Reported {
        self.report_kind(FaultKind::Invalid, place, None, path, message)
    }

    /// Keeps one error of this kind. `related` is a place in the other file.
    pub(crate) fn report_kind(
        &mut self,
        kind: FaultKind,
        place: Place,
        related: Option<Place>,
        path: &str,
        message: impl Into<String>,
    ) -> Reported {
        if !self.is_full() {
            self.found.push(Found { place, path: path.to_owned(), kind, message: message.into(), related });
        } else {
            self.more = self.more.saturating_add(1);
        }
        Reported(())
    }

    /// Keeps a note.
    pub(crate) fn note(&mut self, place: Place, path: &str, message: impl Into<String>) {
        self.notes.push((place, path.to_owned(), message.into()));
    }

    /// True when no more errors are kept; then it is not worth the time to find a mend.
    pub(crate) fn is_full(&self) -> bool {
        self.found.len() >= MAX_ERRORS
    }

    /// `value` with the notes when nothing was reported, else all that was. `files` are the names by [`Place::file`].
    pub(crate) fn finish<T>(
        mut self,
        files: &[&str],
        value: Read<T>,
    ) -> Result<(T, Vec<Note>), ContractErrors> {
        let name = |place: Place| files.get(place.file).copied().unwrap_or_default().to_owned();
        if let Ok(value) = value
            && self.found.is_empty()
        {
            self.notes.sort();
            self.notes.dedup();
            let note = |(place, path, message): (Place, String, String)| Note {
                file: name(place),
                line: place.line,
                path: one_line(&path),
                message: one_line(&message),
            };
            return Ok((value, self.notes.into_iter().map(note).collect()));
        }
        // The standard and the reader of a value may both report the same fault: then the contract is invalid.
        self.found.sort();
        self.found.dedup_by(|second, first| {
            (second.place, &second.path, &second.message) == (first.place, &first.path, &first.message)
        });
        let mut errors: Vec<ContractError> = self
            .found
            .into_iter()
            .map(|Found { place, path, kind, message, related }| ContractError {
                file: name(place),
                line: place.line,
                column: place.column,
                kind,
                related: related.map(|place| FileLine { file: name(place), line: place.line }),
                path: one_line(&path),
                message: one_line(&message),
            })
            .collect();
        if self.more > 0
            && let Some(last) = errors.last().cloned()
        {
            let message = format!("and {} more errors; fix these first", self.more);
            errors.push(ContractError { path: String::new(), message, related: None, ..last });
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
