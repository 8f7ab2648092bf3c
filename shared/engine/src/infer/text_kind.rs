//! Detects the format of a text file by its beginning.

use std::io::Read;

use serde::de::IgnoredAny;
use serde_json::Value;

use super::error::{InferError, counted};
use super::json_path::{ObjectArray, object_arrays};
use super::known::KnownFormat;
use super::open::OpenSample;
use super::open::open_records;
use crate::cast::json::Scanner;
use crate::delimited::Framing;
use crate::error::{ReadError, UnreadableCode};
use crate::limits::Limits;
use crate::records::{Record, RecordState, Records};

/// The length of the beginning of a file by which its format is detected.
const HEAD_BYTES: usize = 64 * 1024;
/// The length of the beginning of a JSON document in which arrays of objects are searched.
const DOCUMENT_BYTES: usize = 16 * 1024 * 1024;
/// The maximum number of elements that are read to recognise a JSON array.
const MAX_ELEMENTS: usize = 1_000;

/// A text format, with the path to its rows.
#[derive(Debug)]
pub(super) enum TextKind {
    Delimited,
    Ndjson,
    JsonArray {
        path: Vec<String>,
        /// A note about the choice of the path.
        note: Option<String>,
    },
}

impl TextKind {
    pub(super) fn array(path: Vec<String>) -> Self {
        Self::JsonArray { path, note: None }
    }

    /// Returns the kind of a document whose array may be under a path of keys.
    pub(super) fn of_array(
        open: &mut OpenSample<'_>,
        limits: &Limits,
        known: &KnownFormat,
    ) -> Result<Self, InferError> {
        Ok(match longest_array(open, limits, known)? {
            Some(chosen) => Self::JsonArray { note: chosen.note(false), path: chosen.path },
            None => Self::array(Vec::new()),
        })
    }

    pub(super) fn detect(
        open: &mut OpenSample<'_>,
        limits: &Limits,
        known: &KnownFormat,
    ) -> Result<Self, InferError> {
        let mut records = open_records(open, limits, known, false)?;
        let head = records.head(HEAD_BYTES)?;
        let mut start = head.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        let start = (start.next(), start.next());
        if head.len() < HEAD_BYTES && is_one_value(head) {
            return Err(InferError::OneValue);
        }
        let is_array = match start {
            (Some(b'{'), _) => {
                let (is_object, is_one) = first_line(&mut records)?;
                if is_object && !is_one {
                    return Ok(Self::Ndjson);
                }
                // A single line may be a row or a document. If it has an array of objects, these are probably the rows.
                return Ok(match longest_array(open, limits, known)? {
                    Some(chosen) => Self::JsonArray { note: chosen.note(is_object), path: chosen.path },
                    None => Self::Ndjson,
                });
            }
            (Some(b'['), None | Some(b'{' | b']')) => true,
            (Some(b'['), Some(_)) => is_array(&mut records)?,
            (Some(_) | None, _) => false,
        };
        Ok(if is_array { Self::array(Vec::new()) } else { Self::Delimited })
    }
}

/// The array of objects that is assumed to contain the rows of a document.
struct ChosenArray {
    path: Vec<String>,
    /// The description of the array in messages, and those of the other arrays.
    chosen: String,
    others: Vec<String>,
}

impl ChosenArray {
    /// Returns a note about the choice. `is_row`: the document may also be a row of NDJSON.
    fn note(&self, is_row: bool) -> Option<String> {
        if self.path.is_empty() {
            return None;
        }
        let Self { chosen, others, .. } = self;
        let mut note = format!("the rows are read from the array at {chosen}");
        if !others.is_empty() {
            note.push_str(&format!(", the longest; use `--path` for another one: {}", others.join(", ")));
        }
        if is_row {
            note.push_str("; the sample is one JSON object: use `--format ndjson` if it is itself a row");
        }
        Some(note)
    }
}

/// Returns the longest array of objects in the beginning of a document, or the first of several longest ones. Returns
/// `None` if there is none, or if `penstock.path` cannot name it.
fn longest_array(
    open: &mut OpenSample<'_>,
    limits: &Limits,
    known: &KnownFormat,
) -> Result<Option<ChosenArray>, InferError> {
    let mut records = open_records(open, limits, known, false)?;
    let mut arrays = object_arrays(records.head(DOCUMENT_BYTES)?);
    let most = arrays.iter().map(|array| array.objects).max();
    let Some(index) = arrays.iter().position(|array| Some(array.objects) == most) else { return Ok(None) };
    let array = arrays.remove(index);
    let show = |array: &ObjectArray| {
        let at_least = if array.is_open { "at least " } else { "" };
        format!("`$.{}` ({at_least}{})", array.keys.join("."), counted(array.objects, "object"))
    };
    let chosen = show(&array);
    let others = arrays.iter().map(show).collect();
    Ok(Some(ChosenArray { path: array.keys.clone(), chosen, others }).filter(|_| array.has_path()))
}

/// Returns whether the first line is an object, and whether it is the only line.
fn first_line<R: Read>(records: &mut Records<R>) -> Result<(bool, bool), InferError> {
    let mut spans = Vec::new();
    let first = records.next(Framing::Lines, &mut spans)?;
    let is_object = first.is_some_and(|record| is_object(records, &record));
    Ok((is_object, records.next(Framing::Lines, &mut spans)?.is_none()))
}

fn is_object<R: Read>(records: &Records<R>, record: &Record) -> bool {
    let is_whole = record.state == RecordState::Whole;
    is_whole
        && str::from_utf8(records.bytes(record)).is_ok_and(|line| {
            let mut scanner = Scanner::new(line, false);
            scanner.skip_space();
            scanner.object(|_, _| {}).is_some()
        })
}

/// Returns true if the file is a JSON array of any values, as far as it is read. A header whose names are in brackets is
/// not one.
fn is_array<R: Read>(records: &mut Records<R>) -> Result<bool, InferError> {
    records.enter_array(&[])?;
    let mut spans = Vec::new();
    for count in 0..MAX_ELEMENTS {
        let record = match records.next(Framing::Elements, &mut spans) {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(true),
            // The file is cut off, and is JSON up to there.
            Err(ReadError::Unreadable { code: UnreadableCode::OpenArray, .. }) => return Ok(count > 0),
            Err(ReadError::Unreadable { .. }) => return Ok(false),
            Err(error @ (ReadError::Io(_) | ReadError::Empty | ReadError::TooLarge { .. })) => {
                return Err(error.into());
            }
        };
        let is_value = serde_json::from_slice::<IgnoredAny>(records.bytes(&record)).is_ok();
        if record.state != RecordState::Whole || !is_value {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Returns true for a single JSON string, boolean or null. A number may be a table of one cell.
fn is_one_value(text: &[u8]) -> bool {
    matches!(serde_json::from_slice(text), Ok(Value::String(_) | Value::Bool(_) | Value::Null))
}
