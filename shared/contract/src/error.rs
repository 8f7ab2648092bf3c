//! Errors with their positions, and the collector with which all errors are reported together.

use std::fmt;

use serde::Serialize;

use crate::model::SkippedCheck;

/// The number of errors that are retained. A broken file may have an error on each line, and few readers go beyond
/// this.
const MAX_ERRORS: usize = 500;

/// Whether a contract is invalid or incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// Not valid under the standard, or a wrong custom property of Penstock.
    Invalid,
    /// Valid under the standard, but Penstock needs more. The message names what to add.
    NeedsMore,
}

/// An error in a contract: its position, its cause, and how to fix it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ContractError {
    /// The name that the caller gave the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Whether the contract is invalid or incomplete.
    pub kind: FaultKind,
    /// The position in the other file, if both an overlay and its contract contribute to the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub related: Option<FileLine>,
    /// Path of the value, e.g. `schema[0].properties[3].logicalTypeOptions.maxLength`; empty if the error concerns the
    /// whole file.
    pub path: String,
    /// The cause, and what to write instead.
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

/// A line in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileLine {
    /// The name that the caller gave the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
}

/// A part of a valid contract that has no effect: a check that Penstock does not execute, or a property of another
/// system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The name that the caller gave the file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Path of the value, e.g. `schema[0].quality[1]`.
    pub path: String,
    /// The part, and what Penstock does instead.
    pub message: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.file, self.line, self.path, self.message)
    }
}

/// The errors of a contract, in the order of the file; at least one. Displays one error per line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
#[serde(transparent)]
pub struct ContractErrors(Vec<ContractError>);

impl ContractErrors {
    /// Returns the errors, in the order of the file.
    pub fn as_slice(&self) -> &[ContractError] {
        &self.0
    }

    /// Returns true if the contract is valid and lacks only what Penstock needs beyond the standard.
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

/// Proof that an error was reported. Only [`Errors`] creates one, so that a value that could not be read is never
/// dropped silently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reported(());

/// A value, or the proof that the reason for its absence was reported.
pub(crate) type ReadResult<T> = Result<T, Reported>;

/// A line and a column, both from 1, in one of the files that are read together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FilePosition {
    /// 0 for the contract, 1 for its overlay.
    pub(crate) file: usize,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// An error before the names of the files are known.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct PendingError {
    position: FilePosition,
    path: String,
    message: String,
    kind: FaultKind,
    related: Option<FilePosition>,
}

/// Collects the errors of a contract, and notes about parts without effect.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    pending: Vec<PendingError>,
    dropped: usize,
    notes: Vec<(FilePosition, String, String)>,
    /// Checks that are not executed, in the order of the file.
    pub(crate) skipped: Vec<SkippedCheck>,
}

impl Errors {
    /// Adds an error that makes the contract invalid.
    pub(crate) fn report(
        &mut self,
        position: FilePosition,
        path: &str,
        message: impl Into<String>,
    ) -> Reported {
        self.report_kind(FaultKind::Invalid, position, None, path, message)
    }

    /// Adds an error of this kind. `related` is a position in the other file.
    pub(crate) fn report_kind(
        &mut self,
        kind: FaultKind,
        position: FilePosition,
        related: Option<FilePosition>,
        path: &str,
        message: impl Into<String>,
    ) -> Reported {
        if !self.is_full() {
            self.pending.push(PendingError {
                position,
                path: path.to_owned(),
                kind,
                message: message.into(),
                related,
            });
        } else {
            self.dropped = self.dropped.saturating_add(1);
        }
        Reported(())
    }

    /// Adds a note.
    pub(crate) fn note(&mut self, position: FilePosition, path: &str, message: impl Into<String>) {
        self.notes.push((position, path.to_owned(), message.into()));
    }

    /// Returns true if no more errors are retained. Suggestions are then not worth computing.
    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= MAX_ERRORS
    }

    /// Returns `value` with the notes if there are no errors, otherwise the errors. `files` are the names by
    /// [`FilePosition::file`].
    pub(crate) fn finish<T>(
        mut self,
        files: &[&str],
        value: ReadResult<T>,
    ) -> Result<(T, Vec<Note>), ContractErrors> {
        let name = |position: FilePosition| {
            files.get(position.file).copied().expect("each file that is read has a name").to_owned()
        };
        if let Ok(value) = value
            && self.pending.is_empty()
        {
            self.notes.sort();
            self.notes.dedup();
            let note = |(position, path, message): (FilePosition, String, String)| Note {
                file: name(position),
                line: position.line,
                path: one_line(&path),
                message: one_line(&message),
            };
            return Ok((value, self.notes.into_iter().map(note).collect()));
        }
        // The validation and the reader of a value may both report an error. It sorts first as invalid, which then
        // counts.
        self.pending.sort();
        self.pending.dedup_by(|second, first| {
            (second.position, &second.path, &second.message) == (first.position, &first.path, &first.message)
        });
        let mut errors: Vec<ContractError> = self
            .pending
            .into_iter()
            .map(|PendingError { position, path, kind, message, related }| ContractError {
                file: name(position),
                line: position.line,
                column: position.column,
                kind,
                related: related.map(|position| FileLine { file: name(position), line: position.line }),
                path: one_line(&path),
                message: one_line(&message),
            })
            .collect();
        if self.dropped > 0
            && let Some(last) = errors.last().cloned()
        {
            let message = format!("and {} more errors; fix these first", self.dropped);
            errors.push(ContractError { path: String::new(), message, related: None, ..last });
        }
        Err(ContractErrors(errors))
    }
}

/// Escapes control characters. A key with a line break must not spread an error over two lines.
fn one_line(text: &str) -> String {
    const MAX_CHARS: usize = 1_000;
    let escaped = |next: char| -> String {
        if next.is_control() { next.escape_debug().collect() } else { next.into() }
    };
    text.chars().take(MAX_CHARS).map(escaped).collect()
}

/// Returns the candidate that `given` is probably a misspelling of.
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

/// Returns `; did you mean …?` or, if no candidate is close, `; one of …`.
pub(crate) fn suggestion(given: &str, candidates: &[&str]) -> String {
    match nearest(given, candidates.iter().copied()) {
        Some(candidate) => format!("; did you mean `{candidate}`?"),
        None => format!("; {}", one_of(candidates)),
    }
}

/// Returns `` one of `a`, `b` ``, or `` only `a` is supported ``.
pub(crate) fn one_of(candidates: &[&str]) -> String {
    match candidates {
        [only] => format!("only `{only}` is supported"),
        _ => format!("one of `{}`", candidates.join("`, `")),
    }
}

/// Returns a value for a message, shortened if it is long.
pub(crate) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let mut shown: String = text.chars().take(MAX_CHARS).flat_map(char::escape_debug).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    format!("`{shown}`")
}
